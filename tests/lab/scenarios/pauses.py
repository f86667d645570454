# SPDX-License-Identifier: Apache-2.0
"""Faults on the leader itself: PID 1 is busy or hangs, programs are replaced, processes are frozen."""

import os
import signal

from lab import clock
from lab.scenario import scenario

GENERATOR = "/etc/systemd/system-generators/slow"


def reload_slowly(host):
    """PID 1 waits for a generator for 10 s."""
    host.write_file(GENERATOR, "#!/bin/sh\nexec sleep 10\n", 0o755)
    host.run("sh", "-c", "systemctl daemon-reload >/dev/null 2>&1 &")


def is_busy(host):
    """Removes the generator once its shell has opened it: without its file it would end at once."""
    return host.run("pgrep", "-f", "^sleep 10$", check=False).ok


@scenario("PID 1 is busy for 10 s with a slow generator, and the leader is cut off in the meantime")
def pid1_busy_and_cut(t):
    old = t.leader
    reload_slowly(old)
    t.effect("the generator runs", lambda: is_busy(old))
    old.run("rm", GENERATOR)
    t.fault(f"{old} is cut off, half open, while its PID 1 waits", lambda: old.cut(clean=False))
    t.effect("packets are dropped", lambda: t.lab.network.is_cut(old.name))
    t.next_leader()
    t.check("PID 1 was still busy when the units were dead", is_busy(old))
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
    t.gap_at_most(t.lease_ms + 2000)
    old.heal()
    t.until(f"{old} is a standby", lambda: t.cluster.status(old).get("role") == "standby", timeout=30)


@scenario("PID 1 is busy for 10 s with a slow generator: the term goes on undisturbed")
def pid1_busy(t):
    host = t.leader
    t.fault(f"systemctl daemon-reload on {host}, with a generator that takes 10 s", lambda: reload_slowly(host))
    t.effect("the generator runs", lambda: is_busy(host))
    t.undisturbed(seconds=11)
    t.check("it is over", not is_busy(host))
    host.run("rm", GENERATOR)
    t.gap_at_most(0)


@scenario("PID 1 hangs on the leader for 20 s: the status says so, and the term goes on undisturbed")
def pid1_hangs(t):
    host = t.leader
    term, keeper = t.cluster.term(host), host.main_pid(t.keeper)
    t.fault(f"SIGSTOP of PID 1 on {host}", lambda: os.kill(host.leader, signal.SIGSTOP))
    try:
        t.effect("PID 1 is frozen", lambda: host.is_frozen(1))
        t.undisturbed(seconds=20)
        reason = t.cluster.status(host).get("reason")
        t.check(f"tenurectl status says so: {reason}", "PID 1 does not answer" in reason)
    finally:
        os.kill(host.leader, signal.SIGCONT)
    # PID 1 now handles everything that it has missed, watchdogs included.
    t.undisturbed(seconds=2 * t.lease_ms / 1000)
    t.check("the keeper is the same", host.main_pid(t.keeper) == keeper)
    t.check("the term is the same", t.cluster.term(host) == term)
    t.until("tenurectl status has no finding any more",
            lambda: not t.cluster.status(host).get("reason"))
    t.gap_at_most(0)


@scenario("the programs are replaced while they run, as by an upgrade, and the agent is restarted")
def programs_replaced(t):
    host, term = t.leader, t.cluster.term(t.leader)
    keeper, agent = host.main_pid(t.keeper), host.main_pid("tenured.service")
    file = host.sh(f"stat -L -c %i /proc/{agent}/exe")

    def replace():
        for path in ("/usr/sbin/tenured", "/usr/lib/tenure/tenure-keeper",
                     "/usr/lib/systemd/system-generators/tenure-generator", "/usr/bin/tenurectl"):
            host.sh(f"cp -p {path} {path}.new && mv {path}.new {path}")
        host.systemctl("daemon-reload")
        host.systemctl("restart", "tenured.service")
    t.fault(f"new files, daemon-reload and restart on {host}", replace)
    t.effect("the old keeper's program file is deleted", lambda: "(deleted)" in host.sh(
        f"readlink /proc/{keeper}/exe"))
    new = host.main_pid("tenured.service")
    t.check("another agent runs, from the new file", new not in (0, agent)
            and host.sh(f"stat -L -c %i /proc/{new}/exe") != file
            and "(deleted)" not in host.sh(f"readlink /proc/{new}/exe"))
    t.undisturbed(seconds=2 * t.lease_ms / 1000)
    t.check("the keeper is the same", host.main_pid(t.keeper) == keeper)
    t.check("the term is the same", t.cluster.term(host) == term)
    # The next keeper runs the new program.
    t.fault(f"systemctl stop of the keeper on {host}", lambda: host.systemctl("stop", t.keeper))
    t.effect("that keeper is gone", lambda: host.main_pid(t.keeper) != keeper)
    t.leader = t.cluster.wait_ready()
    t.check("no keeper runs a deleted program file", "(deleted)" not in t.leader.sh(
        f"readlink /proc/{t.leader.main_pid(t.keeper)}/exe"))
    t.gap_at_most(1500)


def freeze_after_renewal(t, units):
    """Freezes these units just after a renewal: the record has just changed."""
    old = t.leader
    pids = [old.main_pid(u) for u in units]

    def stop():
        before = t.db.nonce(t.group)
        renewed = t.until("it renews", lambda: (now := t.db.nonce(t.group)) != before and now)
        old.run("kill", "-STOP", *pids)
        t.fault_at = clock.now()
        t.check("it has not renewed once more by then", t.db.nonce(t.group) == renewed or "tenured.service" not in units)
    t.fault(f"SIGSTOP of {' and '.join(units)} on {old}, just after a renewal", stop)
    t.effect("they are frozen", lambda: all(
        old.is_frozen(p) for p in pids))
    return old, pids


@scenario("the agent is frozen just after a renewal, and goes on after the lease")
def agent_frozen_after_renewal(t):
    old, pids = freeze_after_renewal(t, ["tenured.service"])
    new = t.next_leader()
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
    t.timeline.fault(f"SIGCONT on {old}")
    old.run("kill", "-CONT", *pids, check=False)
    t.until(f"{old} is a standby, and knows who leads", lambda: (
        lambda s: s.get("role") == "standby" and s.get("leader") == new.name)(t.cluster.status(old)))
    t.gap_at_most(t.lease_ms + 2000)


@scenario("keeper and agent are frozen just after a renewal")
def keeper_frozen_after_renewal(t):
    """Neither can act at its deadline: PID 1 lets the keeper's watchdog expire, and the fence kills the units."""
    old, pids = freeze_after_renewal(t, [t.keeper, "tenured.service"])
    t.next_leader()
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
    old.run("kill", "-CONT", pids[1], check=False)
    t.until(f"{old} is a standby", lambda: t.cluster.status(old).get("role") == "standby", timeout=20)
    t.gap_at_most(t.lease_ms + 2000)
