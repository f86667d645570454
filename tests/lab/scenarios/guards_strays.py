# SPDX-License-Identifier: Apache-2.0
"""What stops a unit reaches it wherever it is: units whose guards are lost in both copies, outside their slice, that
ignore SIGTERM and are started again by PID 1 at once."""

import contextlib
import time

from lab import clock
from lab.scenario import scenario

from .guards_copies import STRAY, WAYS, stands_by
from .guards_lost import HEAL
from .keeper import deadline_of
from .units import BEAT, ETC, OTHERS, dead_within, service, units_of_group

# The time limit of a stop that systemd gives by itself, where no guard says another.
RESISTS = service(BEAT + " --ignore-term", "Restart=always", "RestartSec=0", "TimeoutStopSec=90")
# Seen for a second, then a stop of the keeper; what has not ended by that a quarter of a second later is ended by name.
FOUND_MS = 1250
# Two looks, the start of what ends it, and PID 1's own time.
WORK_MS = 700
STOPPER = "tenure-stop@work.service"
SLOW = "/etc/systemd/system-generators/slow"


def lose_guards(t, host, *units):
    """Both copies of these units' own drop-ins; the keeper's are left."""
    host.sh(WAYS["is masked"][0])
    host.systemctl("revert", *units)
    t.until("nothing guards them", lambda: not any(host.property(u, "BindsTo") for u in units))


def lose_everything(t, host, *units):
    """The keeper's as well: a stop of it reaches nothing. And nothing restores them."""
    host.sh(f"{WAYS['is masked'][0]}; ln -s /dev/null /run/systemd/system/{HEAL}; cd {ETC} && rm -rf *.d; systemctl daemon-reload")
    t.until("nothing guards them", lambda: not any(host.property(u, "BindsTo") for u in units)
            and not host.property(t.keeper, "PropagatesStopTo"))


@contextlib.contextmanager
def strays(t, files):
    """A group with these units; afterwards all guards are there again."""
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
    t.fault(f"somebody starts {STRAY} on {host}", lambda: host.systemctl("start", "--no-block", STRAY))
    t.effect("it runs there, outside its slice",
             lambda: host.property(STRAY, "ControlGroup").startswith("/system.slice/"))


def beside(t, limit_ms, unit=STRAY):
    """For how long two hosts ran the stray."""
    dual = t.one_at_a_time(unit, allowed_ms=limit_ms, terms=False)
    t.figures["two ran the stray"] = f"{dual:.0f} ms"


def ended_by_name(t, host):
    t.until("it was ended by name", lambda: t.said(host, "tenured.service", "ending it by name", "alert"))
    t.until("all is over", lambda: t.said(host, "tenured.service", "nothing of it runs here without leadership"))


@scenario("a standby's unit lost its guards, ignores SIGTERM and is started: killed by its name S later, and stays dead")
def guards_stray_ignores_sigterm(t):
    with strays(t, {STRAY: RESISTS}):
        host = t.standbys[0]
        lose_guards(t, host, STRAY)
        start_stray(t, host)
        t.until("it is dead", lambda: is_dead(host, STRAY), timeout=10)
        ended_by_name(t, host)
        stays_dead(t, host, STRAY)
        beside(t, FOUND_MS + t.stop_ms + t.kill_ms + WORK_MS)
        t.gap_at_most(0)


@scenario("the same when the keeper's guards are lost as well: its stop reaches nothing, and the names are remembered")
def guards_stray_all_lost(t):
    with strays(t, {STRAY: RESISTS}):
        host = t.standbys[0]
        lose_everything(t, host, STRAY)
        start_stray(t, host)
        t.until("it is dead", lambda: is_dead(host, STRAY), timeout=10)
        ended_by_name(t, host)
        stays_dead(t, host, STRAY)
        beside(t, FOUND_MS + t.stop_ms + t.kill_ms + WORK_MS)
        t.gap_at_most(0)


def busy_for(host, seconds):
    """PID 1 waits for its generators, and does nothing else."""
    host.sh("mkdir -p /etc/systemd/system-generators")
    host.write_file(SLOW, f"#!/bin/sh\nexec sleep {seconds}\n", 0o755)
    host.systemctl("daemon-reload", timeout=seconds + 20)
    host.run("rm", SLOW)


# PID 1 is told to stop it only when it goes on, and has started it once more by then.
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


@scenario("PID 1 is busy while a stray is being killed, and starts it once more when it goes on: killed again")
def guards_stray_restarted_by_a_busy_pid1(t):
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
                       if p.host == host.name)[:-1]     # without the first, the longest; some are dead before they beat
        t.figures["started again"] = f"{again} times, for {max(beats, default=0):.0f} ms"
        t.check("and killed at once", max(beats, default=0) < 100)
        stays_dead(t, host, STRAY)
        # While PID 1 stands still nothing begins: it ran until S was over, and again for a moment.
        beside(t, FOUND_MS + t.stop_ms + t.kill_ms + WORK_MS)
        t.gap_at_most(0)


LOOP = "[Unit]\nStartLimitIntervalSec=0\n" + service(f"timeout -s KILL 0.15 {BEAT} --ignore-term", "Restart=always", "RestartSec=0")


@scenario("a unit crashes all the time, and PID 1 is busy for three seconds when the term ends: dead in time, and stays so")
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


@scenario("timer, socket and path of a standby lost their guards and are started: they and what they start end, and stay so")
def guards_stray_activators(t):
    with strays(t, {name: OTHERS[name] for name in (*ACTIVATORS, *ACTIVATED)}):
        host = t.standbys[0]
        everything = (*ACTIVATORS, *ACTIVATED)
        lose_guards(t, host, *everything)
        began = clock.now()
        t.fault(f"somebody starts them on {host}", lambda: (
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
    """The unit loses its guards where it is led, crashes, and PID 1 starts it elsewhere."""
    pid = host.main_pid(STRAY)

    def crash():
        lose(t, host, STRAY)
        host.kill(pid)
    t.fault(f"the guards of {STRAY} are lost on {host}, which leads, and it crashes", crash)
    t.effect("it runs outside its slice", lambda: host.main_pid(STRAY) not in (0, pid)
             and host.property(STRAY, "ControlGroup").startswith("/system.slice/"))


@scenario("a unit runs outside its slice and ignores SIGTERM, and its host steps down: dead before another host runs it")
def guards_outside_handover(t):
    with strays(t, {STRAY: RESISTS}):
        old = t.leader
        run_outside(t, old)
        t.stop_agent(old)
        t.next_leader()
        dead_within(t, old, [STRAY], t.stop_ms + t.kill_ms + t.slack_ms)
        stays_dead(t, old, STRAY)
        beside(t, 0)
        t.gap_at_most(t.lease_ms + 2000)


@scenario("the same, the keeper's guards are lost too, and its host is cut off: dead before another host runs it")
def guards_outside_cut(t):
    with strays(t, {STRAY: RESISTS}):
        old = t.leader
        run_outside(t, old, lose_everything)
        t.fault(f"{old} is cut off, half open", lambda: old.cut(clean=False))
        t.effect("packets are dropped", lambda: t.lab.network.is_cut(old.name))
        t.next_leader()
        dead_within(t, old, [STRAY], t.duration_ms + t.stop_ms + t.kill_ms + t.slack_ms)
        stays_dead(t, old, STRAY)
        beside(t, 0)
        t.gap_at_most(t.lease_ms + 2000)


@scenario("the same, and the keeper is killed: the fence alone reaches it, as late as what is in the slice")
def guards_outside_fence(t):
    with strays(t, {STRAY: RESISTS}):
        old = t.leader
        keeper = old.main_pid(t.keeper)
        run_outside(t, old)
        # On a busy machine it may be over by now: it ends the term by itself, and PID 1 kills it when its time is up.
        t.fault(f"kill -9 of the keeper on {old}", lambda: old.sh(f"kill -KILL {keeper} || true"))
        t.effect("that keeper is gone", lambda: old.main_pid(t.keeper) != keeper)
        t.until("the fence has killed it", lambda: t.said(old, t.keeper, "runs outside its slice"))
        t.leader = t.next_leader()      # without its guards it cannot take over again
        dead_within(t, old, [STRAY], t.stop_ms + t.kill_ms + t.slack_ms)
        beside(t, 0)
        t.gap_at_most(t.lease_ms + 2000)


@scenario("systemctl stop tenured while a stray runs that ignores SIGTERM: it ends when that is dead")
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
        beside(t, FOUND_MS + t.stop_ms + t.kill_ms + WORK_MS)
        t.gap_at_most(0)


@scenario("the same, and nothing can end it: the stop of the agent has a limit, and says what is left")
def guards_stray_left(t):
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
        stands_by_again(t, host)


def stands_by_again(t, host):
    host.sh(WAYS["is masked"][1])
    host.systemctl("daemon-reload")
    host.systemctl("start", "tenured.service")
    host.systemctl("reload", "tenured.service")
    stands_by(t, host)


@scenario("what ends strays is started by hand where the group is led: it refuses, and nothing is disturbed")
def guards_stop_refuses_a_leader(t):
    old = t.leader
    t.fault(f"systemctl start {STOPPER} on {old}", lambda: old.systemctl("start", STOPPER, check=False))
    t.effect("it has refused", lambda: t.said(old, STOPPER, "this host leads the group")
             and old.property(STOPPER, "ExecMainStatus") == "3")
    t.undisturbed(seconds=1)
    refused = old.run("setpriv", "--reuid=tenure", "--clear-groups", "systemctl", "--no-ask-password", "stop", STOPPER, check=False)
    t.check(f"the agent's user may not stop it: {refused.err}", not refused.ok)
    old.systemctl("reset-failed", STOPPER)
    t.gap_at_most(0)
