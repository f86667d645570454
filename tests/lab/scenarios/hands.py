# SPDX-License-Identifier: Apache-2.0
"""An administrator's own commands, at the wrong place and time."""

import time

from lab import clock
from lab.scenario import scenario


def one_leads(t, why):
    t.until(f"one leads after: {why}", lambda: len(t.cluster.leaders()) == 1, timeout=15)
    t.leader = t.cluster.wait_leader(timeout=15)


@scenario("stop, start, restart, kill and mask of a unit by hand on the leader: it leads on")
def unit_by_hand(t):
    host, term = t.leader, t.cluster.term(t.leader)

    def says(words):
        return words in t.cluster.status(host).get("reason", "")
    t.fault(f"systemctl stop {t.unit} on {host}", lambda: host.systemctl("stop", t.unit))
    t.effect("it is stopped", lambda: host.state(t.unit) == "inactive")
    t.until("the status says so", lambda: says(f"leads, but {t.unit} is inactive"))
    host.systemctl("start", t.unit)
    t.until("started again, nothing is amiss", lambda: t.cluster.status(host).get("reason") == "")
    host.systemctl("restart", t.unit)
    host.systemctl("kill", "--signal=KILL", t.unit)
    t.until("killed, it is failed and named", lambda: says(f"leads, but {t.unit} is failed"))
    host.systemctl("reset-failed", t.unit)
    file = f"/etc/systemd/system/{t.unit}"
    host.sh(f"mv {file} {file}.away")
    host.systemctl("mask", t.unit)
    t.check("masked, it cannot be started", not host.systemctl("start", t.unit, check=False).ok)
    t.until("it is named, with what to do", lambda: says(f"run systemctl unmask {t.unit}"))
    t.note(t.cluster.status(host)["reason"])
    host.systemctl("unmask", t.unit)
    host.sh(f"mv {file}.away {file}; systemctl daemon-reload")
    host.systemctl("start", t.unit)
    t.until("unmasked and started, nothing is amiss",
            lambda: t.cluster.status(host).get("reason") == "", timeout=70)
    t.check("all in one term", t.cluster.term(host) == term and t.cluster.is_leader(host))


@scenario("stop, restart, kill and mask of the keeper by hand: the group is handed over each time")
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
        t.gap_at_most(1500)
    old = masked[0]
    t.check(f"{old}, whose keeper is masked, does not lead", t.leader is not old)
    t.until("its status says why", lambda: "masked" in t.cluster.status(old).get("reason", ""))
    t.note(t.cluster.status(old)["reason"])
    old.systemctl("unmask", "--runtime", t.keeper)
    t.until("unmasked it stands by", lambda: t.cluster.status(old).get("role") == "standby",
            timeout=90)


@scenario("keepers and units are started by hand on standbys, all the time: refused")
def started_by_hand_again_and_again(t):
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

    # What is no group: systemd makes "/" of a plain "-".
    no_group = f"tenure@{t.group}-x.service"
    leader.systemctl("start", no_group, check=False)
    t.check("its start leaves no slice in the group's",
            leader.state(f"tenure-{t.group}-x.slice") == "inactive")
    as_agent = ("runuser", "-u", "tenure", "--", "systemctl", "--no-ask-password", "start")
    t.check("the agent's user may start keepers",
            t.standbys[0].run(*as_agent, t.keeper, check=False).ok)
    t.check("and nothing that is no group's",
            not t.standbys[0].run(*as_agent, no_group, check=False).ok)

    # And in the middle of a hand-over.
    t.timeline.fault(f"systemctl stop tenured on {leader}")
    leader.systemctl("stop", "--no-block", "tenured.service")
    until = clock.now() + 1 * clock.SECOND
    while clock.now() < until:
        leader.systemctl("start", "--no-block", t.unit, check=False)
        time.sleep(0.01)
    t.next_leader()
    t.until("all of it is dead where it was", lambda: leader.state(t.unit) in ("inactive", "failed")
            and leader.state("tenured.service") == "inactive")
    t.gap_at_most(1500)
