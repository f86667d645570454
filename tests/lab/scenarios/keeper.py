# SPDX-License-Identifier: Apache-2.0
"""The keeper is killed or hangs, and units ignore SIGTERM."""

import os
import re
import signal

from lab import clock
from lab.scenario import scenario


@scenario("the keeper is killed")
def keeper_killed(t):
    t.kill_keeper(t.leader)
    t.cluster.wait_leader()
    # The unit stops and starts at once: the gap is much shorter than a lease.
    t.gap_at_most(500)


@scenario("the keeper is frozen (SIGSTOP), and its watchdog expires")
def keeper_hangs(t):
    old, keeper = t.leader, t.leader.main_pid(t.keeper)
    t.fault(f"the keeper on {old} is stopped", lambda: old.kill(t.keeper, "STOP"))
    t.effect("the keeper is frozen",
             lambda: old.is_frozen(keeper)
             or old.main_pid(t.keeper) != keeper)
    t.until("the frozen keeper is gone", lambda: old.main_pid(t.keeper) != keeper,
            timeout=2 * t.lease_ms / 1000)
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
    t.cluster.wait_leader()
    t.gap_at_most(t.lease_ms + 2000)


def deadline_of(t, host):
    """The deadline that the keeper last wrote to its state, by the lab's clock, in ns."""
    state = host.read_file(f"/run/tenure/groups/{t.group}/live/state")
    return int(re.search(r"^deadline_usec=(\d+)$", state, re.M).group(1)) * 1000


@scenario("the keeper is frozen, and is stopped by hand just before its watchdog expires")
def keeper_stopped_while_frozen(t):
    """PID 1 stops the units first. The keeper stays active until they are gone, and its watchdog still counts."""
    t.cluster.worker("--ignore-term")
    old, keeper = t.leader, t.leader.main_pid(t.keeper)
    t.fault(f"the keeper on {old} is stopped (SIGSTOP)", lambda: old.kill(t.keeper, "STOP"))
    t.effect("the keeper is frozen", lambda: old.is_frozen(keeper))
    deadline = deadline_of(t, old)
    t.until("its deadline has come", lambda: clock.now() >= deadline, every=0.001)
    t.fault(f"systemctl stop of it on {old}", lambda: old.systemctl("stop", "--no-block", t.keeper))
    t.effect("the watchdog has killed it, though PID 1 is stopping its units",
             lambda: t.said(old, t.keeper, "Watchdog timeout") and old.main_pid(t.keeper) != keeper)
    t.check("the stop came first", t.fault_at < deadline + t.slack_ms * clock.MS)
    t.cluster.wait_leader()
    t.dead_within(old, t.slack_ms + t.stop_ms + t.kill_ms, deadline)
    t.gap_at_most(t.lease_ms + 2000)


@scenario("the keeper's unit is frozen (systemctl freeze), and its host cut off: the agent has the units stopped",
          breaks="on the leading host the keeper or PID 1 gets to run")
def keeper_frozen(t):
    """systemd 257 does not enforce the watchdog of a frozen unit, and 252 freezes the fence as well."""
    t.spent = True
    t.cluster.worker("--ignore-term")
    old = t.leader
    t.fault(f"systemctl freeze of the keeper on {old}", lambda: old.systemctl("freeze", t.keeper))
    t.effect("it is frozen", lambda: old.property(t.keeper, "FreezerState") == "frozen")
    t.fault(f"{old} is cut off, half open", lambda: old.cut(clean=False))
    t.effect("packets are dropped", lambda: t.lab.network.is_cut(old.name))
    t.next_leader()
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
    t.gap_at_most(t.lease_ms + 2000)


@scenario("a unit and its children ignore SIGTERM during a switchover")
def ignores_sigterm_switchover(t):
    t.cluster.worker("--ignore-term", "--children", "2", "--escape")
    old = t.leader
    t.stop_agent(old)
    new = t.next_leader()
    t.dead_within(old, t.stop_ms + t.kill_ms + t.slack_ms)
    t.check(f"it is dead before {new} runs it",
            t.testimony.last_beat(old.name) < t.testimony.first_beat(new.name, t.fault_at))
    t.gap_at_most(1000)


@scenario("a unit ignores SIGTERM, and its leader is cut off")
def ignores_sigterm_cut(t):
    t.cluster.worker("--ignore-term", "--children", "2", "--escape")
    old = t.leader
    t.fault(f"{old} is cut off, half open", lambda: old.cut(clean=False))
    t.effect("packets are dropped", lambda: t.lab.network.is_cut(old.name))
    t.next_leader()
    t.dead_within(old, t.duration_ms + t.stop_ms + t.kill_ms + t.slack_ms)
    t.gap_at_most(t.lease_ms + 2000)


def freeze_with_pid1(t, host, what, pids):
    """Freezes these processes and PID 1."""
    def stop():
        host.run("kill", "-STOP", *pids)
        os.kill(host.leader, signal.SIGSTOP)
    t.fault(f"SIGSTOP of {what} and PID 1 on {host}", stop)
    t.effect("all three are frozen", lambda: all(host.is_frozen(pid) for pid in (1, *pids)))


def go_on(host, pids, check=True):
    os.kill(host.leader, signal.SIGCONT)
    host.run("kill", "-CONT", *pids, check=check)


@scenario("agent, D-Bus and PID 1 of the leader are frozen: the keeper alone kills the units")
def keeper_alone(t):
    old = t.leader
    pids = [old.main_pid("tenured.service"), old.main_pid("dbus.service")]
    try:
        freeze_with_pid1(t, old, "tenured, dbus-daemon", pids)
        t.next_leader()
        t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
    finally:
        go_on(old, pids)
    t.until("PID 1 sees it when it goes on", lambda: old.state(t.unit) != "active")
    t.gap_at_most(t.lease_ms + 2000)


@scenario("agent, keeper and PID 1 of the leader are frozen past the lease: nothing is left that could kill the units",
          dual_ms=10000, breaks="on the leading host the keeper or PID 1 gets to run")
def agent_keeper_and_pid1_hang(t):
    old, term = t.leader, t.cluster.term(t.leader)
    pids = [old.main_pid("tenured.service"), old.main_pid(t.keeper)]
    try:
        freeze_with_pid1(t, old, "agent, keeper", pids)
        new = t.next_leader()
        t.until("both run it", lambda: t.testimony.running(within=100 * clock.MS) == sorted([old.name, new.name]))
        t.old_term_is_refused(term)
    finally:
        since = clock.now()
        t.timeline.fault(f"SIGCONT on {old}")
        go_on(old, pids, check=False)   # PID 1 kills a keeper whose watchdog has expired as soon as it goes on
    t.until(f"{old} knows that it does not lead", lambda: old.state(t.unit) != "active")
    t.dead_within(old, t.slack_ms + t.kill_ms, since)
    t.figures["dead after they went on"] = t.figures.pop("dead after")
