# SPDX-License-Identifier: Apache-2.0
"""Between agent and PID 1: the bus and polkit, killed or frozen. And two hosts with one node name."""

import time

from lab import clock
from lab.scenario import scenario

DBUS, POLKIT = "dbus.service", "polkit.service"


def same_term(t, host, term):
    t.check(f"{host} leads on in term {term}", t.cluster.is_leader(host) and
            t.db.lease(t.group)["term"] == term)


def switch_over(t, why):
    """A switchover, to show that the restarted program works."""
    old = t.leader
    t.stop_agent(old, f", {why}")
    t.leader = t.next_leader()
    old.systemctl("start", "tenured.service")


@scenario("dbus-daemon is killed on all hosts: the term goes on undisturbed, and a later switchover works")
def dbus_killed(t):
    # Some clients of that bus never connect again, logind for one, which systemctl reboot asks.
    t.spent = True
    host, term = t.leader, t.db.lease(t.group)["term"]
    pids = {h: h.main_pid(DBUS) for h in t.hosts}
    t.fault("kill -9 of dbus-daemon on all hosts", lambda: [h.kill(pids[h]) for h in t.hosts])
    for h in t.hosts:
        t.effect(f"another one runs on {h}", lambda h=h: (
            h.systemctl("start", DBUS, check=False).ok and h.main_pid(DBUS) not in (0, pids[h])))
    t.undisturbed(seconds=1.5 * t.lease_ms / 1000)
    same_term(t, host, term)
    t.gap_at_most(0)
    for h in t.hosts:
        t.until(f"the agent of {h} is on the bus again",
                lambda h=h: t.cluster.status(h).get("role") in ("leader", "standby"))
    switch_over(t, "over the new bus")
    t.gap_at_most(2500)


@scenario("dbus-daemon hangs on the leader: the term goes on, and ends in time when the leader is cut off")
def dbus_hangs(t):
    old, term = t.leader, t.db.lease(t.group)["term"]
    pid = old.main_pid(DBUS)
    old.systemctl("restart", "tenured.service")     # 10 s from now it asks whether polkit is there
    restarted = clock.now()
    t.until("it has adopted its keeper", lambda: t.cluster.is_leader(old))
    t.fault(f"SIGSTOP of dbus-daemon on {old}", lambda: old.run("kill", "-STOP", pid))
    try:
        t.effect("it is frozen", lambda: old.is_frozen(pid))
        t.undisturbed(seconds=1.5 * t.lease_ms / 1000)
        t.check("the term is renewed all the time", t.db.lease(t.group)["term"] == term)
        t.gap_at_most(0)
        t.fault(f"{old} is cut off as well, half open", lambda: old.cut(clean=False))
        t.effect("packets are dropped", lambda: t.lab.network.is_cut(old.name))
        t.leader = t.next_leader()
        t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
        t.gap_at_most(t.lease_ms + 2000)
        t.until("the agent has also asked for polkit three times",
                lambda: clock.now() > restarted + 17 * clock.SECOND, timeout=20)
    finally:
        old.run("kill", "-CONT", pid)
    old.heal()
    t.until(f"{old} is a standby again, and does not say that polkit was at fault",
            lambda: t.cluster.status(old).get("role") == "standby", timeout=15)


@scenario("dbus-daemon hangs on a standby: the standby does not claim what it cannot start")
def dbus_hangs_on_standbys(t):
    stuck, other = t.standbys
    pid = stuck.main_pid(DBUS)
    old = t.leader
    stuck.run("kill", "-STOP", pid)
    try:
        time.sleep(t.lease_ms / 1000)       # its last poll of PID 1 gets old
        t.fault(f"the plug of {old} is pulled, dbus-daemon of {stuck} is frozen", old.pull_plug)
        t.effect("the host is off and the process frozen", lambda: stuck.is_frozen(pid)
                 and not old.up)
        t.leader = t.next_leader()
        t.check(f"{other} leads", t.leader is other)
        t.silent(stuck)
        t.gap_at_most(t.lease_ms + 2000)
    finally:
        stuck.run("kill", "-CONT", pid)
    old.boot()
    t.cluster.wait_ready()


@scenario("polkitd is killed on all hosts: PID 1 has it started again, and a switchover works")
def polkitd_killed(t):
    """PID 1 asks polkit whether the agent may start a unit."""
    for host in t.hosts:
        host.systemctl("start", POLKIT)
    pids = {h: h.main_pid(POLKIT) for h in t.hosts}
    t.fault("kill -9 of polkitd on all hosts", lambda: [h.kill(pids[h]) for h in t.hosts])
    t.effect("they are gone", lambda: all(h.main_pid(POLKIT) != pids[h] for h in t.hosts))
    t.undisturbed(seconds=t.lease_ms / 1000)
    switch_over(t, "and its polkitd was killed")
    t.check(f"another polkitd runs on {t.leader}, which had to ask it",
            t.leader.main_pid(POLKIT) not in (0, pids[t.leader]))
    t.gap_at_most(2500)


def cannot_start(t, stuck, other):
    """A host claims that may not start the keeper, and releases the record; another host leads."""
    old = t.leader
    t.stop_agent(old)
    said = t.until(f"{stuck} has claimed, and releases the record",
                   lambda: t.said(stuck, "tenured.service", "not started"), timeout=15)
    t.silent(stuck)
    t.note(said[-1])
    other.systemctl("start", "tenured.service")
    t.leader = t.cluster.wait_leader(old, timeout=20)
    t.check(f"{other} leads", t.leader is other)
    t.gap_at_most(t.lease_ms + 6000)
    old.systemctl("start", "tenured.service")


@scenario("polkitd hangs on a standby that claims: another host leads instead")
def polkitd_hangs(t):
    stuck, other = t.standbys
    stuck.systemctl("start", POLKIT)
    pid = stuck.main_pid(POLKIT)
    other.systemctl("stop", "tenured.service")      # so that the stuck one has to claim
    t.fault(f"SIGSTOP of polkitd on {stuck}", lambda: stuck.run("kill", "-STOP", pid))
    try:
        t.effect("it is frozen", lambda: stuck.is_frozen(pid))
        cannot_start(t, stuck, other)
    finally:
        stuck.run("kill", "-CONT", pid)
    t.cluster.wait_ready(timeout=40)


@scenario("polkit is masked on the leader and on a standby whose claim therefore fails: another host leads")
def polkit_masked(t):
    stuck, other = t.standbys
    without = (t.leader, stuck)
    other.systemctl("stop", "tenured.service")
    t.fault(f"systemctl mask --runtime --now {POLKIT} on {' and '.join(map(str, without))}", lambda: [
        h.systemctl("mask", "--runtime", "--now", POLKIT) for h in without])
    t.effect("it cannot be started there", lambda: not any(
        h.systemctl("start", POLKIT, check=False).ok for h in without))
    t.undisturbed(seconds=1.5 * t.lease_ms / 1000)
    t.until(f"the status of {stuck} says in advance that it could not lead, and why", lambda: (
        lambda s: s.get("role") == "blocked" and "polkit does not answer" in s["reason"])(t.cluster.status(stuck)), timeout=30)
    t.note(t.cluster.status(stuck)["reason"])
    cannot_start(t, stuck, other)
    for host in without:
        host.systemctl("unmask", "--runtime", POLKIT)
    t.cluster.wait_ready(timeout=40)
    # With polkit the host leads at the next switchover.
    other.systemctl("stop", "tenured.service")
    t.leader = t.next_leader(timeout=40)
    other.systemctl("start", "tenured.service")


@scenario("two hosts are configured with one node name: one leads, and the other one reports the mistake")
def duplicate_node_name(t):
    leader, twin = t.leader, t.standbys[0]
    term = t.db.lease(t.group)["term"]

    def rename():
        t.cluster.configure(twin, top=f'node = "{leader.name}";')
        twin.systemctl("reload", "tenured.service")
    t.fault(f"{twin} is named {leader} as well", rename)
    t.effect("it complains", lambda: t.said(
        twin, "tenured.service", "another running host is configured with the node name", "alert"), timeout=2 * t.lease_ms / 1000 + 2)
    t.until("so does its status", lambda: f'another host named "{leader.name}"' in t.cluster.status(
        twin).get("reason", ""))
    t.undisturbed(seconds=t.lease_ms / 1000)
    same_term(t, leader, term)
    t.gap_at_most(0)

    # It is a standby nevertheless, and never runs the unit at the same time.
    t.standbys[1].systemctl("stop", "tenured.service")
    t.fault(f"the plug of {leader} is pulled", leader.pull_plug)
    t.effect("it is off", lambda: not leader.up)
    t.leader = t.until(f"{twin} leads", lambda: t.testimony.running(t.testimony.last_beat())
                       == [twin.name] and twin, timeout=20)
    t.check("in a later term", t.db.lease(t.group)["term"] > term)
    leader.boot()
    t.until(f"{leader}, back again, complains", lambda: "another running host" in leader.sh(
        "journalctl -q -b -o cat -u tenured -p alert"), timeout=20)
    t.gap_at_most(t.lease_ms + 3000)
    t.cluster.configure(twin)
    twin.systemctl("reload", "tenured.service")
    for host in t.hosts:
        host.systemctl("start", "tenured.service")
    t.leader = t.cluster.wait_ready(timeout=40)


# These write to journald's two sockets for messages, syslog's and its own. (124: timeout(1) has ended a writer that waited.)
WRITERS = ("timeout 0.3 logger full", "echo MESSAGE=full | timeout 0.3 logger --journald")


def stop_journald(host):
    """Freezes journald and fills its queues: from then on every process that writes to the journal waits."""
    pid = host.main_pid("systemd-journald.service")
    host.run("kill", "-STOP", pid)
    for writer in WRITERS:
        host.sh(f"while {writer}; do :; done", check=False, timeout=60)
    return pid


@scenario("journald hangs on all hosts and blocks its clients: the term goes on undisturbed, and a failover works")
def journald_hangs(t):
    pids = {}
    try:
        t.fault("SIGSTOP of journald on all hosts, and a full queue",
                lambda: pids.update((h, stop_journald(h)) for h in t.hosts))
        for h in t.hosts:
            t.effect(f"a process that writes to the journal of {h} waits",
                     lambda h=h: all(h.run("sh", "-c", w, check=False).code == 124 for w in WRITERS))
        t.undisturbed(seconds=1.5 * t.lease_ms / 1000)
        t.gap_at_most(0)
        old = t.leader
        t.fault(f"the plug of {old} is pulled as well", old.pull_plug)
        t.effect("it is off", lambda: not old.up)
        t.leader = t.next_leader()
        t.gap_at_most(t.lease_ms + 2000)
    finally:
        for h, pid in pids.items():
            if h.up:
                h.run("kill", "-CONT", pid)
    old.boot()
    t.cluster.wait_ready(timeout=30)
