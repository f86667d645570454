# SPDX-License-Identifier: Apache-2.0
"""An operator's commands, at the wrong place and time."""

import time

from lab import clock
from lab.scenario import scenario


def one_leads(t, why):
    t.until(f"one node leads after: {why}", lambda: len(t.cluster.leaders()) == 1, timeout=15)
    t.leader = t.cluster.wait_leader(timeout=15)


@scenario("stop, start, restart, kill and mask of a unit by hand on the leader: the term goes on")
def unit_by_hand(t):
    host, term = t.leader, t.cluster.term(t.leader)

    def says(words):
        return words in t.cluster.status(host).get("reason", "")
    t.fault(f"systemctl stop {t.unit} on {host}", lambda: host.systemctl("stop", t.unit))
    t.effect("it is stopped", lambda: host.state(t.unit) == "inactive")
    t.until("the status says so", lambda: says(f"leads, but {t.unit} is inactive"))
    t.until("so does the journal", lambda: t.said(host, "tenured.service", f"this node leads, but {t.unit} is inactive", "err"))
    host.systemctl("start", t.unit)
    t.until("started again, the status has no finding", lambda: t.cluster.status(host).get("reason") == "")
    t.check("nor in the journal", t.said(host, "tenured.service", "all its units run again", "notice"))
    pid = host.main_pid(t.unit)
    t.fault(f"systemctl restart {t.unit}", lambda: host.systemctl("restart", t.unit))
    t.effect("another process runs", lambda: host.main_pid(t.unit) not in (0, pid))
    keeper = host.main_pid(t.keeper)
    t.fault(f"systemctl start {t.keeper}, which runs", lambda: host.systemctl("start", t.keeper))
    t.effect("the same runs on", lambda: host.main_pid(t.keeper) == keeper > 1)
    t.fault(f"systemctl kill --signal=KILL {t.unit}",
            lambda: host.systemctl("kill", "--signal=KILL", t.unit))
    t.effect("it runs no more", lambda: host.state(t.unit) == "failed")
    t.until("killed, it is failed and named", lambda: says(f"leads, but {t.unit} is failed"))
    host.systemctl("reset-failed", t.unit)
    host.systemctl("start", t.unit)
    t.fault(f"systemctl mask {t.unit}", lambda: mask_unit(t, host))
    t.effect("masked, it cannot be started", lambda: not host.systemctl("start", t.unit, check=False).ok)
    t.until("it is named, with what to do", lambda: says(f"run systemctl unmask {t.unit}"))
    t.note(t.cluster.status(host)["reason"])
    unmask_unit(t, host)
    host.systemctl("start", t.unit)
    t.until("unmasked and started, the status has no finding",
            lambda: t.cluster.status(host).get("reason") == "", timeout=70)
    t.check("all in one term", t.cluster.term(host) == term and t.cluster.is_leader(host))


def mask_unit(t, host):
    """systemctl mask refuses a unit with a file in /etc."""
    file = f"/etc/systemd/system/{t.unit}"
    host.sh(f"mv {file} {file}.away; systemctl mask --now {t.unit}")


def unmask_unit(t, host):
    file = f"/etc/systemd/system/{t.unit}"
    host.systemctl("unmask", t.unit)
    host.sh(f"mv {file}.away {file}; systemctl daemon-reload")


# The command, and whether PID 1 reports success: a unit does not start without a keeper, and the start of a keeper without a
# ticket is skipped.
ON_STANDBY = {
    "stop {unit}": True,
    "restart {unit}": False,
    "kill {unit}": True,
    "stop {keeper}": True,
    "restart {keeper}": True,
    "kill {keeper}": True,
    "mask --runtime --now {keeper}": True,
}


@scenario("stop, restart, kill and mask of unit and keeper by hand on a standby: nothing happens")
def by_hand_on_standby(t):
    host, other, leader = t.standbys[0], t.standbys[1], t.leader
    term = t.cluster.term(leader)

    def nothing_happened(command):
        t.silent(host, since=t.first_fault_at)
        t.check(f"nothing runs after {command}",
                {host.state(t.unit), host.state(t.keeper)} <= {"inactive", "failed"})
        t.check(f"{leader} leads on", t.cluster.is_leader(leader) and t.cluster.term(leader) == term)
    for command, done in ON_STANDBY.items():
        command = command.format(unit=t.unit, keeper=t.keeper)
        said = t.fault(f"systemctl {command} on {host}",
                       lambda c=command: host.systemctl(*c.split(), check=False))
        t.effect(f"it was {'done' if done else 'refused'}: {said.err.strip() or 'no message'}",
                 lambda s=said, d=done: s.ok == d)
        nothing_happened(command)
    t.until("its status says that its keeper is masked",
            lambda: "masked" in t.cluster.status(host).get("reason", ""), timeout=70)
    host.systemctl("unmask", "--runtime", t.keeper)
    t.fault(f"systemctl mask --now {t.unit} on {host}", lambda: mask_unit(t, host))
    t.effect("it is masked", lambda: host.property(t.unit, "LoadState") == "masked")
    nothing_happened("mask")
    t.undisturbed(seconds=t.lease_ms / 1000)
    t.note(t.cluster.status(host).get("reason", ""))
    unmask_unit(t, host)

    t.until("its status has no finding", lambda: "mask" not in t.cluster.status(host).get("reason", ""), timeout=70)

    # After all this it still leads when no other node is left.
    for h in (other, leader):
        t.stop_agent(h)
    t.leader = t.cluster.wait_leader()
    t.check("in a later term, and its unit runs", t.leader is host and t.cluster.term(host) > term)
    t.gap_at_most(1500)
    for h in (other, leader):
        h.systemctl("start", "tenured.service")


@scenario("stop, restart, kill and mask of the keeper by hand: a switchover each time")
def keeper_by_hand(t):
    commands = {
        "stop": lambda h: h.systemctl("stop", t.keeper),
        "restart": lambda h: h.systemctl("restart", t.keeper, check=False),
        "kill": lambda h: h.systemctl("kill", t.keeper),
        "kill --signal=KILL": lambda h: h.systemctl("kill", "--signal=KILL", t.keeper),
        "mask --runtime --now": lambda h: h.systemctl("mask", "--runtime", "--now", t.keeper),
    }
    masked = []
    for command, do in commands.items():
        old, term = t.leader, t.db.lease(t.group)["term"]
        pid = old.main_pid(t.keeper)
        t.fault(f"systemctl {command} {t.keeper} on {old}", lambda d=do, h=old: d(h))
        t.effect("that keeper is gone", lambda h=old, p=pid: h.main_pid(t.keeper) != p)
        if command.startswith("mask"):
            masked.append(old)
        one_leads(t, command)
        t.check(f"the term ended with it: {term} before, {t.db.lease(t.group)['term']} now",
                t.db.lease(t.group)["term"] > term)
        if command != "kill":       # SIGTERM ends it as systemctl stop does, but PID 1 has no job then
            killed = command.startswith("kill")
            t.check("the journal says why", t.said(
                old, "tenured.service", "ended by itself or was killed" if killed else "its keeper was stopped"))
            t.check("and warns of what was killed alone", killed == any(
                "giving up term" in line for line in t.said(old, "tenured.service", "", "warning")))
        t.gap_at_most(1500)
    old = masked[0]
    t.check(f"{old}, whose keeper is masked, does not lead", t.leader is not old)
    t.until("its status says why", lambda: "masked" in t.cluster.status(old).get("reason", ""))
    t.note(t.cluster.status(old)["reason"])
    old.systemctl("unmask", "--runtime", t.keeper)
    t.until("unmasked it is a standby", lambda: t.cluster.status(old).get("role") == "standby",
            timeout=90)
    # PID 1 does not remove the directory of a unit that was masked meanwhile.
    others, term = [h for h in t.hosts if h is not old], t.db.lease(t.group)["term"]
    for other in [*(h for h in others if h is not t.leader), t.leader]:
        t.stop_agent(other)
    t.leader = t.next_leader()
    t.check(f"{old} leads, at its first attempt", t.leader is old and t.db.lease(t.group)["term"] == term + 1)
    for other in others:
        other.systemctl("start", "tenured.service")


@scenario("keepers and units are started by hand on standbys, continually: refused")
def started_by_hand_repeatedly(t):
    leader, term = t.leader, t.cluster.term(t.leader)
    refused = 0
    t.fault("systemctl start of keeper and unit on the standbys begins", lambda: None)
    until = clock.now() + 2 * clock.SECOND
    while clock.now() < until:
        for host in t.standbys:
            for unit in (t.keeper, t.unit):
                refused += not host.systemctl("start", unit, check=False).ok
            # A start of the keeper "succeeds": without a ticket it is skipped.
            t.check(f"no keeper runs on {host}", host.state(t.keeper) == "inactive")
    t.effect(f"{refused} starts were refused", lambda: refused >= 10)
    for host in t.standbys:
        t.silent(host)
    t.check("the leader led on", t.cluster.term(leader) == term and t.cluster.is_leader(leader))

    # The keeper of another group: with a plain "-" its slice would be below this group's.
    leader.systemctl("start", f"tenure@{t.group}-x.service", check=False)
    t.check("its start leaves no slice in the group's",
            leader.state(f"tenure-{t.group}-x.slice") == "inactive")
    as_agent = ("runuser", "-u", "tenure", "--", "systemctl", "--no-ask-password", "start")
    t.check("the agent's user may start keepers",
            t.standbys[0].run(*as_agent, t.keeper, check=False).ok)
    t.check("and no unit of another name",
            not any(t.standbys[0].run(*as_agent, unit, check=False).ok
                    for unit in (f"tenure@:{t.group}.service", f"tenure@{t.group}\\x2dx.service", f"tenure@{t.group}.timer")))

    # The same in the middle of a switchover.
    t.fault(f"systemctl stop tenured on {leader}",
            lambda: leader.systemctl("stop", "--no-block", "tenured.service"))
    t.effect("it is ending", lambda: leader.state("tenured.service") != "active")
    until = clock.now() + 1 * clock.SECOND
    while clock.now() < until:
        leader.systemctl("start", "--no-block", t.unit, check=False)
        time.sleep(0.01)
    t.next_leader()
    t.until("all of the group is dead on the old leader", lambda: leader.state(t.unit) in ("inactive", "failed")
            and leader.state("tenured.service") == "inactive")
    t.gap_at_most(1500)
