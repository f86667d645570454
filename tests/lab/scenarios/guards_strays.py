# SPDX-License-Identifier: Apache-2.0
"""Strays are stopped wherever they run: units that have lost both copies of their guards, run outside their slice, ignore
SIGTERM, and are restarted by PID 1 at once."""

import contextlib
import time

from lab import clock
from lab.scenario import scenario

from .guards_copies import STRAY, WAYS, wait_standby
from .guards_lost import HEAL
from .keeper import deadline_of
from .units import BEAT, ETC, OTHERS, dead_within, service, units_of_group

# systemd's default time limit of a stop, where no guard sets another.
RESISTS = service(BEAT + " --ignore-term", "Restart=always", "RestartSec=0", "TimeoutStopSec=90")
# A stray is observed for a second, then the keeper is stopped; a quarter of a second later what still runs is ended by name.
FOUND_MS = 1250
# Two polls, the start of the service that ends it, and the time that PID 1 needs.
WORK_MS = 700
STOPPER = "tenure-stop@work.service"
SLOW = "/etc/systemd/system-generators/slow"


def lose_guards(t, host, *units):
    """Deletes both copies of these units' drop-ins, but not those of the keeper."""
    host.sh(WAYS["is masked"][0])
    host.systemctl("revert", *units)
    t.until("nothing guards them", lambda: not any(host.property(u, "BindsTo") for u in units))


def lose_everything(t, host, *units):
    """Deletes the keeper's drop-ins as well, so that its stop reaches no unit, and disables the healing."""
    host.sh(f"{WAYS['is masked'][0]}; ln -s /dev/null /run/systemd/system/{HEAL}; cd {ETC} && rm -rf *.d; systemctl daemon-reload")
    t.until("nothing guards them", lambda: not any(host.property(u, "BindsTo") for u in units)
            and not host.property(t.keeper, "PropagatesStopTo"))


@contextlib.contextmanager
def strays(t, files):
    """A group with these units; afterwards all guards exist again."""
    t.spent = True
    with units_of_group(t, files):
        yield
        for host in t.hosts:
            host.sh(f"rm -f {SLOW} /run/systemd/system/{STOPPER} /run/systemd/system/{HEAL}; {WAYS['is masked'][1]}", check=False)
            host.systemctl("daemon-reload")
            host.systemctl("start", "tenured.service")
            host.systemctl("reload", "tenured.service")


def is_dead(host, *units):
    return all(host.state(u) in ("inactive", "failed") for u in units)


def stays_dead(t, host, *units):
    t.stays(f"nothing of it runs on {host}", lambda: is_dead(host, *units), seconds=2)


def start_stray(t, host):
    t.fault(f"{STRAY} is started by hand on {host}", lambda: host.systemctl("start", "--no-block", STRAY))
    t.effect("it runs there, outside its slice",
             lambda: host.property(STRAY, "ControlGroup").startswith("/system.slice/"))


def dual_active_of_stray(t, limit_ms, unit=STRAY):
    """Measures for how long two hosts ran the stray."""
    dual = t.one_at_a_time(unit, allowed_ms=limit_ms, terms=False)
    t.figures["two ran the stray"] = f"{dual:.0f} ms"


def ended_by_name(t, host):
    t.until("it was ended by name", lambda: t.said(host, "tenured.service", "ending it by name", "alert"))
    t.until("nothing of it runs", lambda: t.said(host, "tenured.service", "nothing of it runs here without leadership"))


@scenario("a standby's unit without guards ignores SIGTERM and is started: it is killed by its name after S, and stays dead")
def guards_stray_ignores_sigterm(t):
    with strays(t, {STRAY: RESISTS}):
        host = t.standbys[0]
        lose_guards(t, host, STRAY)
        start_stray(t, host)
        t.until("it is dead", lambda: is_dead(host, STRAY), timeout=10)
        ended_by_name(t, host)
        stays_dead(t, host, STRAY)
        dual_active_of_stray(t, FOUND_MS + t.stop_ms + t.kill_ms + WORK_MS)
        t.gap_at_most(0)


@scenario("the same without the keeper's guards: the keeper's stop reaches nothing, and the agent remembers the names")
def guards_stray_all_lost(t):
    with strays(t, {STRAY: RESISTS}):
        host = t.standbys[0]
        lose_everything(t, host, STRAY)
        start_stray(t, host)
        t.until("it is dead", lambda: is_dead(host, STRAY), timeout=10)
        ended_by_name(t, host)
        stays_dead(t, host, STRAY)
        dual_active_of_stray(t, FOUND_MS + t.stop_ms + t.kill_ms + WORK_MS)
        t.gap_at_most(0)


def busy_for(host, seconds):
    """Keeps PID 1 busy: it waits for a generator, and does nothing else."""
    host.sh("mkdir -p /etc/systemd/system-generators")
    host.write_file(SLOW, f"#!/bin/sh\nexec sleep {seconds}\n", 0o755)
    host.systemctl("daemon-reload", timeout=seconds + 20)
    host.run("rm", SLOW)


# The request to stop the stray reaches PID 1 only when that goes on, and has restarted the stray by then.
LATE = """#!/bin/sh
answers() { timeout $1 /usr/bin/systemctl.real show --property=Version >/dev/null; }
case "$*" in
*irreversibly*)
    touch /run/late
    while answers 0.5; do sleep 0.02; done
    until answers 1; do :; done
    sleep 0.3;;
esac
exec /usr/bin/systemctl.real "$@"
"""


def systemctl_is_late(host, late=True):
    if late:
        host.run("mv", "/usr/bin/systemctl", "/usr/bin/systemctl.real")
        host.write_file("/usr/bin/systemctl", LATE, 0o755)
    else:
        host.run("mv", "/usr/bin/systemctl.real", "/usr/bin/systemctl")


@scenario("PID 1 is busy while a stray is killed, and starts it once more when it goes on: it is killed again")
def guards_stray_restarted_by_busy_pid1(t):
    with strays(t, {STRAY: RESISTS}):
        host = t.standbys[0]
        lose_everything(t, host, STRAY)
        systemctl_is_late(host)
        start_stray(t, host)
        t.until("it is being ended by name", lambda: host.exists("/run/late"), every=0.005)
        t.fault("daemon-reload, for three seconds", lambda: busy_for(host, 3))
        t.effect("PID 1 goes on", lambda: host.state(t.keeper))
        systemctl_is_late(host, False)
        t.until("it is dead", lambda: is_dead(host, STRAY), timeout=10)
        again = len(t.said(host, STRAY, f"Started {STRAY}"))
        t.check("it was started once more", again >= 1)
        beats = sorted(clock.ms(p.last - p.first) for p in t.lab.testimony(STRAY).processes.values()
                       if p.host == host.name)[:-1]     # all but the first and longest; some are dead before they beat
        t.figures["started again"] = f"{again} times, for {max(beats, default=0):.0f} ms"
        t.check("and killed at once", max(beats, default=0) < 100)
        stays_dead(t, host, STRAY)
        # While PID 1 is busy nothing starts: the stray ran until S had passed, and again for a moment.
        dual_active_of_stray(t, FOUND_MS + t.stop_ms + t.kill_ms + WORK_MS)
        t.gap_at_most(0)


LOOP = "[Unit]\nStartLimitIntervalSec=0\n" + service(f"timeout -s KILL 0.15 {BEAT} --ignore-term", "Restart=always", "RestartSec=0")


@scenario("a unit crashes in a loop, and PID 1 is busy for three seconds when the term ends: dead in time, and stays dead")
def guards_crash_loop_busy_pid1(t):
    t.spent = True
    with units_of_group(t, {"loop.service": LOOP}):
        old = t.leader
        t.fault(f"{old} is cut off, half open", lambda: old.cut(clean=False))
        t.effect("packets are dropped", lambda: t.lab.network.is_cut(old.name))
        deadline = deadline_of(t, old)
        t.until("its deadline is near", lambda: clock.now() >= deadline - 200 * clock.MS, every=0.005)
        t.fault_in_the_dark("daemon-reload, for three seconds", lambda: busy_for(old, 3))
        t.effect("its deadline has passed meanwhile", lambda: clock.now() > deadline + 2 * clock.SECOND)
        t.next_leader()
        for unit in (t.unit, "loop.service"):
            last = t.lab.testimony(unit).last_beat(old.name)
            took = clock.ms(last - deadline)
            t.figures[f"{unit.partition('.')[0]} ends"] = f"{took:.0f} ms after the deadline"
            t.check(f"{unit} is dead {took:.0f} ms after the deadline",
                    took <= t.stop_ms + t.kill_ms + t.slack_ms)
        t.until("all is dead", lambda: is_dead(old, t.unit, "loop.service", t.keeper))
        stays_dead(t, old, t.unit, "loop.service")
        t.one_at_a_time("loop.service")
        t.gap_at_most(t.lease_ms + 2000)


ACTIVATORS = ("tick.timer", "door.socket", "spool.path")
ACTIVATED = ("tick.service", "door.service", "reader.service")


@scenario("timer, socket and path of a standby lose their guards and are started: they and their services are stopped for good")
def guards_stray_activators(t):
    with strays(t, {name: OTHERS[name] for name in (*ACTIVATORS, *ACTIVATED)}):
        host = t.standbys[0]
        everything = (*ACTIVATORS, *ACTIVATED)
        lose_guards(t, host, *everything)
        began = clock.now()
        t.fault(f"they are started by hand on {host}", lambda: (
            host.sh("mkdir -p /run/spool; touch /run/spool/go"),
            host.systemctl("start", "--no-block", *everything)))
        t.effect("all run", lambda: all(host.state(u) == "active" for u in (*ACTIVATORS, "door.service", "reader.service")))
        t.until("all are dead", lambda: is_dead(host, *everything), timeout=10)
        t.figures["all dead after"] = f"{clock.ms(clock.now() - began):.0f} ms"
        stays_dead(t, host, *everything)
        for unit in ACTIVATED:
            t.one_at_a_time(unit, allowed_ms=FOUND_MS + t.stop_ms + t.kill_ms + WORK_MS, terms=False)
        host.sh("rm -f /run/spool/go")
        t.gap_at_most(0)


def run_outside(t, host, lose=lose_guards):
    """On the leader, the unit loses its guards and crashes, and PID 1 restarts it outside its slice."""
    pid = host.main_pid(STRAY)

    def crash():
        lose(t, host, STRAY)
        host.kill(pid)
    t.fault(f"the guards of {STRAY} are lost on {host}, which leads, and it crashes", crash)
    t.effect("it runs outside its slice", lambda: host.main_pid(STRAY) not in (0, pid)
             and host.property(STRAY, "ControlGroup").startswith("/system.slice/"))


@scenario("a unit outside its slice ignores SIGTERM, and its leader steps down: it is dead before another host runs it")
def guards_outside_slice_switchover(t):
    with strays(t, {STRAY: RESISTS}):
        old = t.leader
        run_outside(t, old)
        t.stop_agent(old)
        t.next_leader()
        dead_within(t, old, [STRAY], t.stop_ms + t.kill_ms + t.slack_ms)
        stays_dead(t, old, STRAY)
        dual_active_of_stray(t, 0)
        t.gap_at_most(t.lease_ms + 2000)


@scenario("the same without the keeper's guards, and the leader is cut off: the unit is dead before another host runs it")
def guards_outside_slice_cut(t):
    with strays(t, {STRAY: RESISTS}):
        old = t.leader
        run_outside(t, old, lose_everything)
        t.fault(f"{old} is cut off, half open", lambda: old.cut(clean=False))
        t.effect("packets are dropped", lambda: t.lab.network.is_cut(old.name))
        t.next_leader()
        dead_within(t, old, [STRAY], t.duration_ms + t.stop_ms + t.kill_ms + t.slack_ms)
        stays_dead(t, old, STRAY)
        dual_active_of_stray(t, 0)
        t.gap_at_most(t.lease_ms + 2000)


@scenario("the same, and the keeper is killed: the fence alone kills the unit, as late as those in the slice")
def guards_outside_slice_fence(t):
    with strays(t, {STRAY: RESISTS}):
        old = t.leader
        keeper = old.main_pid(t.keeper)
        run_outside(t, old)
        # On a busy machine the keeper may be gone by now: it ends the term itself, and PID 1 kills it when its time limit expires.
        t.fault(f"kill -9 of the keeper on {old}", lambda: old.sh(f"kill -KILL {keeper} || true"))
        t.effect("that keeper is gone", lambda: old.main_pid(t.keeper) != keeper)
        t.until("the fence has killed it", lambda: t.said(old, t.keeper, "runs outside the slice"))
        t.leader = t.next_leader()      # without its guards it cannot lead again
        dead_within(t, old, [STRAY], t.stop_ms + t.kill_ms + t.slack_ms)
        dual_active_of_stray(t, 0)
        t.gap_at_most(t.lease_ms + 2000)


@scenario("the agent is stopped while a stray runs that ignores SIGTERM: the agent ends when the stray is dead")
def guards_stray_agent_stopped(t):
    with strays(t, {STRAY: RESISTS}):
        host = t.standbys[0]
        lose_guards(t, host, STRAY)
        start_stray(t, host)
        began = clock.now()
        host.systemctl("stop", "tenured.service")
        t.check("it is dead by then", is_dead(host, STRAY))
        t.figures["the stop takes"] = f"{clock.ms(clock.now() - began):.0f} ms"
        stays_dead(t, host, STRAY)
        dual_active_of_stray(t, FOUND_MS + t.stop_ms + t.kill_ms + WORK_MS)
        t.gap_at_most(0)


@scenario("the same with a stray that nothing can kill: the agent's stop has a time limit, and it reports what is left")
def guards_stray_unkillable(t):
    with strays(t, {STRAY: RESISTS}):
        host = t.standbys[0]
        host.sh(f"ln -s /dev/null /run/systemd/system/{STOPPER}")
        lose_guards(t, host, STRAY)
        start_stray(t, host)
        began = clock.now()
        host.systemctl("stop", "tenured.service")
        took = clock.ms(clock.now() - began)
        t.check(f"it takes {took:.0f} ms", took <= t.stop_ms + t.kill_ms + 10000 + 1000)
        t.check("it says what is left", t.said(host, "tenured.service", f"{STRAY} is deactivating", "alert"))
        t.check("and why", t.said(host, "tenured.service", "cannot be ended by name"))
        host.run("rm", f"/run/systemd/system/{STOPPER}")
        host.systemctl("daemon-reload")
        host.systemctl("start", STOPPER)
        t.check("by hand it is", is_dead(host, STRAY))
        t.gap_at_most(0)
        time.sleep(0.2)
        start_standby(t, host)


def start_standby(t, host):
    host.sh(WAYS["is masked"][1])
    host.systemctl("daemon-reload")
    host.systemctl("start", "tenured.service")
    host.systemctl("reload", "tenured.service")
    wait_standby(t, host)


@scenario("the service that stops strays is started by hand on the leader: it refuses, and the term goes on")
def guards_stray_stop_refused_on_leader(t):
    old = t.leader
    t.fault(f"systemctl start {STOPPER} on {old}", lambda: old.systemctl("start", STOPPER, check=False))
    t.effect("it has refused", lambda: t.said(old, STOPPER, "this host leads the group")
             and old.property(STOPPER, "ExecMainStatus") == "3")
    t.undisturbed(seconds=1)
    refused = old.run("setpriv", "--reuid=tenure", "--clear-groups", "systemctl", "--no-ask-password", "stop", STOPPER, check=False)
    t.check(f"the agent's user may not stop it: {refused.err}", not refused.ok)
    old.systemctl("reset-failed", STOPPER)
    t.gap_at_most(0)
