# SPDX-License-Identifier: Apache-2.0
"""systemd reloads or re-executes itself continually while the main faults happen."""

import contextlib
import threading

from lab import clock
from lab.scenario import scenario
from lab.shell import LabError

PAUSE = {"daemon-reload": 0.05, "daemon-reexec": 0.3}


class Storm:
    """Repeats the command on some hosts, as fast as PID 1 can execute it."""

    def __init__(self, hosts, command):
        self.command, self.done, self.over = command, {h.name: 0 for h in hosts}, threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(h,), daemon=True) for h in hosts]

    def _run(self, host):
        while not self.over.wait(PAUSE[self.command]):
            # (A host that is off or frozen has none.)
            with contextlib.suppress(LabError):
                if host.up and host.frozen_at is None and \
                        host.systemctl(self.command, check=False, timeout=20).ok:
                    self.done[host.name] += 1

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join(timeout=30)


@contextlib.contextmanager
def storm(t, command, fallen):
    with Storm(t.hosts, command) as s:
        t.until(f"the storm of {command} has begun on every host",
                lambda: all(n >= 3 for n in s.done.values()))
        before = dict(s.done)
        yield
        t.until("the storm has lasted all the time", lambda: all(
            s.done[h.name] > before[h.name] for h in t.hosts if h is not fallen))
    t.figures[command] = f"{sum(s.done.values())} times in the last one"


def plug_pulled(t, old):
    t.fault(f"the plug of {old} is pulled", old.pull_plug)
    t.effect("it is off", lambda: not old.up)
    t.leader = t.next_leader()


def cut_off(t, old):
    t.fault(f"{old} is cut off, half open", lambda: old.cut(clean=False))
    t.effect("packets are dropped", lambda: t.lab.network.is_cut(old.name))
    t.leader = t.next_leader()
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)


def agent_killed(t, old):
    agent = old.main_pid("tenured.service")
    t.fault(f"kill -9 of the agent on {old}", lambda: old.kill("tenured.service"))
    t.effect("that agent is gone", lambda: old.main_pid("tenured.service") != agent)
    t.until("another one runs", lambda: old.main_pid("tenured.service") not in (0, agent))
    t.cluster.wait_leader()


def keeper_killed(t, old):
    t.kill_keeper(old)
    t.leader = t.cluster.wait_leader()


def agent_stopped(t, old):
    # (systemctl's wait for the job does not survive a PID 1 that re-executes itself.)
    t.fault(f"systemctl stop tenured on {old}", lambda: t.until("it is asked for", lambda: old.systemctl(
        "stop", "--no-block", "tenured.service", check=False).ok))
    t.effect("the agent is stopped", lambda: old.state("tenured.service") == "inactive")
    t.leader = t.next_leader()


def agent_hangs(t, old):
    agent = old.main_pid("tenured.service")
    t.fault(f"SIGSTOP of the agent on {old}", lambda: old.kill("tenured.service", "STOP"))
    t.effect("the agent is frozen", lambda: old.is_frozen(agent))
    t.leader = t.next_leader()
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)


def frozen(t, old):
    term = t.cluster.term(old)
    t.fault(f"{old} is frozen", old.freeze)
    t.effect("nothing of it runs", lambda: t.testimony.beats(
        clock.now() - 100 * clock.MS, clock.now(), old.name) == 0)
    t.leader = t.next_leader()
    t.old_term_is_refused(term)
    t.timeline.fault(f"{old} is thawed")
    old.thaw()
    t.until(f"{old} knows that it does not lead", lambda: old.state(t.unit) != "active")


FAULTS = [agent_killed, keeper_killed, agent_stopped, agent_hangs, cut_off, frozen, plug_pulled]


def all_faults(t, command):
    """Each fault in a storm of its own."""
    for fault in FAULTS:
        old = t.leader
        with storm(t, command, old):
            fault(t, old)
        # A thawed unit may run on for a moment; nothing else may.
        t.one_at_a_time(t.unit, allowed_ms=50 if FAULTS.index(fault) >= FAULTS.index(frozen) else 0)
        t.gap_at_most(t.lease_ms + 3000)
        mend(t, old)


def mend(t, old):
    if old.cut_how:
        old.heal()
    if not old.up:
        old.boot()
    old.sh("kill -CONT $(systemctl show --value -p MainPID tenured)", check=False)
    if old.state("tenured.service") != "active":
        old.systemctl("start", "tenured.service")
    t.leader = t.cluster.wait_ready(timeout=40)


# During a storm each host's PID 1 takes a processor, and none is left for other labs.
@scenario("a storm of daemon-reload on all hosts, and each of the main faults during it",
          alone=True, dual_ms=50, breaks="no machine is paused past its deadline (one of the faults)")
def storm_of_reloads(t):
    all_faults(t, "daemon-reload")


@scenario("a storm of daemon-reexec on all hosts, and each of the main faults during it",
          alone=True, dual_ms=50, breaks="no machine is paused past its deadline (one of the faults)")
def storm_of_reexecs(t):
    all_faults(t, "daemon-reexec")
