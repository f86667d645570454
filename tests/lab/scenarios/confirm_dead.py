# SPDX-License-Identifier: Apache-2.0
"""An operator confirms a node dead: one that is dead, one that is cut off, and one that leads."""

from lab import clock
from lab.scenario import scenario

from .units import everywhere

# Longer than the time for which confirm-dead observes a node: with a shorter lease another node would rightly claim meanwhile.
LEASE = "20s"
WATCH_MS = 11000
# For confirm-dead itself: one poll at the beginning, one at the end, and the run time of tenurectl.
WORD_MS = 2000
CALL = "busctl call --allow-interactive-authorization=no org.tenure1 /org/tenure1 org.tenure1.Manager ConfirmDead s"


def longer_lease(t):
    t.spent = True
    t.cluster.lease, t.cluster.stop_timeout = LEASE, "1s"
    for host in t.hosts:
        t.cluster.configure(host)
    everywhere(t.hosts, lambda h: h.systemctl("reload", "tenured.service"))
    everywhere(t.hosts, lambda h: h.systemctl("stop", "tenured.service"))
    t.leader = t.cluster.start()
    t.measure_lease()


def confirm_dead(host, node):
    return host.run("tenurectl", "confirm-dead", node.name, f"--yes-{node.name}", check=False, timeout=40)


def record(t):
    return {**t.db.lease(t.group), "nonce": t.db.nonce(t.group)}


def confirm_and_check(t, old, by, before):
    """Runs confirm-dead, and checks what it makes of the record: a new term without an owner."""
    r = confirm_dead(by, old)
    t.timeline.note(f"tenurectl confirm-dead {old} on {by}: {r.code} {r.out} {r.err}")
    t.check("it is done", r.code == 0 and "is nobody's" in r.out)
    row = record(t)
    t.check(f"a new term without an owner, not clean: {row}", row["owner"] == "" and row["term"] > before["term"]
            and not row["clean"] and row["lease_usec"] == t.lease_ms * 1000)
    t.check("a renewal of the old term is refused", row["nonce"] != before["nonce"])
    t.old_term_is_refused(before["term"])
    return clock.now()


def led_after_the_lease(t, row_at):
    new = t.next_leader(timeout=t.lease_ms / 1000 + 10)
    waited = clock.ms(t.testimony.first_beat(new.name, row_at) - row_at)
    t.figures["from the word to the first beat"] = f"{waited:.0f} ms"
    t.check(f"no node led before the lease had expired ({waited:.0f} ms)", waited >= t.lease_ms - WORD_MS)
    t.gap_at_most(WATCH_MS + WORD_MS + t.lease_ms + 3000)


@scenario("the leader's plug is pulled, and an operator confirms it dead: another node leads after the ordinary lease")
def confirmed_dead(t):
    longer_lease(t)
    old, by = t.leader, t.standbys[0]
    t.fault(f"the plug of {old} is pulled", old.pull_plug)
    t.effect("no process of it is left", lambda: not old.up and not old.cgroup.populated())
    before = record(t)
    at = confirm_and_check(t, old, by, before)
    t.until(f"the status of {by} says what is waited for",
            lambda: "confirmed dead" in t.cluster.status(by).get("reason", ""))
    again = confirm_dead(by, old)
    t.check(f"a second time there is nothing to do: {again.code} {again.out}", again.code == 0 and "Nothing to do" in again.out)
    led_after_the_lease(t, at)
    t.silent(old, since=t.fault_at + 50 * clock.MS)


@scenario("an operator confirms a cut-off leader dead that lives: it ends at its deadline, and is denied when it is back")
def confirmed_cut_off(t):
    longer_lease(t)
    old, by = t.leader, t.standbys[0]
    t.fault(f"the cable of {old} is out", old.cut)
    t.effect("the link is down", lambda: t.lab.network.is_cut(old.name) and not old.has_link())
    before = record(t)
    at = confirm_and_check(t, old, by, before)
    row = record(t)
    old.heal()
    t.until(f"{old} is connected again", lambda: t.cluster.status(old).get("connected"), timeout=20)
    t.until(f"{old} has stepped down", lambda: t.cluster.status(old).get("role") in ("standby", "blocked"), timeout=20)
    after = record(t)
    t.check(f"it has changed nothing: {after}", after["nonce"] == row["nonce"] and after["term"] == row["term"]
            and not after["clean"])
    led_after_the_lease(t, at)
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)


@scenario("an operator confirms a live leader dead: refused, and the term goes on undisturbed")
def confirmed_alive(t):
    old, by, before = t.leader, t.standbys[0], record(t)
    t.fault(f"{old} leads, and is confirmed dead", lambda: None)
    r = confirm_dead(by, old)
    t.effect(f"it is refused: {r.code} {r.err}", lambda: r.code == 1 and "it lives" in r.err and f'"{t.group}"' in r.err)
    own = confirm_dead(old, old)
    t.check(f"nor by itself: {own.err}", own.code == 1 and "this very host" in own.err)
    nobody = by.run("tenurectl", "confirm-dead", old.name, check=False)
    t.check(f"nor without being asked: {nobody.err}", nobody.code == 2 and f"--yes-{old}" in nobody.err)
    for user in ("nobody", "tenure"):
        denied = by.sh(f"runuser -u {user} -- {CALL} {old} 2>&1; true", check=False)
        t.check(f"nor by the user {user}: {denied}", "polkit wants a password for this" in denied)
    row = record(t)
    t.check(f"the term goes on: {row}", row["term"] == before["term"] and row["owner"] == before["owner"])
    t.undisturbed(2 * t.lease_ms / 1000)
    t.gap_at_most(0)
