# SPDX-License-Identifier: Apache-2.0
"""Whole hosts are powered off, frozen, cut off, shut down or rebooted."""

import time

from lab import clock
from lab.scenario import scenario

from .units import everywhere


@scenario("the leader's plug is pulled")
def plug_pulled(t):
    old = t.leader
    t.fault(f"the plug of {old} is pulled", old.pull_plug)
    t.effect("no process of it is left", lambda: not old.up and not old.cgroup.populated())
    t.next_leader()
    t.silent(old, since=t.fault_at + 50 * clock.MS)
    t.gap_at_most(t.lease_ms + 2000)


def pull_plug_at(t, lease, stop_timeout):
    """The promised bound of the gap: the lease by a slow clock, one poll, the start of the units, and 0.3 s."""
    t.spent = True      # the lease differs from that of other scenarios
    t.cluster.lease, t.cluster.stop_timeout = lease, stop_timeout
    for host in t.hosts:
        t.cluster.configure(host)
    everywhere(t.hosts, lambda h: h.systemctl("reload", "tenured.service"))
    everywhere(t.hosts, lambda h: h.systemctl("stop", "tenured.service"))
    old = t.leader = t.cluster.start()      # in a new term
    t.measure_lease()
    t.check(f"the term's lease is {lease}", t.db.lease(t.group)["lease_usec"] == t.lease_ms * 1000)
    t.fault(f"the plug of {old} is pulled", old.pull_plug)
    t.effect("no process of it is left", lambda: not old.up and not old.cgroup.populated())
    new = t.next_leader()
    start = clock.ms(t.testimony.first_beat(new.name, t.fault_at) - t.db.claimed_at(t.group))
    t.silent(old, since=t.fault_at + 50 * clock.MS)
    bound = t.lease_ms * 1.001 + min(t.duration_ms / 4, 5000) + start + 300
    t.figures["from the claim to the first beat"] = f"{start:.0f} ms"
    t.figures["bound of the gap"] = f"{bound:.0f} ms"
    t.gap_at_most(bound)


@scenario("the leader's plug is pulled, with lease = 3s")
def plug_pulled_short(t):
    pull_plug_at(t, "3s", "1s")


@scenario("the leader's plug is pulled, with the defaults of lease and stop_timeout")
def plug_pulled_default(t):
    pull_plug_at(t, "15s", "5s")


@scenario("the leader is cut from the network, and its link is down")
def cut_clean(t):
    old = t.leader
    t.fault(f"the cable of {old} is unplugged", old.cut)
    t.effect("the link is down", lambda: t.lab.network.is_cut(old.name)
             and not old.has_link())
    t.next_leader()
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
    t.gap_at_most(t.lease_ms + 2000)


@scenario("the leader is cut from the network, half open")
def cut_half_open(t):
    old = t.leader
    t.fault(f"packets from and to {old} vanish", lambda: old.cut(clean=False))
    t.effect("the link is up and the database out of reach", lambda: t.lab.network.is_cut(old.name)
             and old.has_link()
             and old.run("pg_isready", "-q", "-t", "1", "-h", t.db.address, check=False).code != 0)
    t.next_leader()
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
    t.gap_at_most(t.lease_ms + 2000)


@scenario("the leader is frozen past its lease and thawed",
          dual_ms=50, breaks="no machine is paused past its deadline")
def frozen(t):
    """The one exception: a unit that was frozen for a lease runs on for some milliseconds after the thaw."""
    old, term = t.leader, t.cluster.term(t.leader)
    t.fault(f"{old} is frozen", old.freeze)
    t.effect("nothing of it runs", lambda: t.testimony.beats(
        clock.now() - 100 * clock.MS, clock.now(), old.name) == 0)
    t.next_leader()
    t.old_term_is_refused(term)
    thawed = clock.now()
    t.timeline.fault(f"{old} is thawed")
    old.thaw()
    t.until(f"{old} knows that it does not lead", lambda: old.state(t.unit) != "active")
    time.sleep(0.5)
    last = t.testimony.last_beat(old.name)
    t.figures["runs on after the thaw"] = f"{max(0, clock.ms(last - thawed)):.1f} ms"
    t.check(f"it ran on for {clock.ms(last - thawed):.1f} ms, at most 50",
            last - thawed <= 50 * clock.MS)
    t.gap_at_most(t.lease_ms + 2000)


@scenario("the leader is rebooted with its unit enabled")
def reboot(t):
    old, term = t.leader, t.db.lease(t.group)["term"]
    for host in t.hosts:
        host.systemctl("enable", "--quiet", t.unit)
    booted = old.boots
    t.fault(f"{old} is rebooted", old.reboot)
    t.effect("it has booted again", lambda: old.up and old.boots == booted + 1)
    t.check(f"systemctl is-system-running on {old} says running", old.system_state() == "running")
    # Usually another host leads by now. It may be the same host, but then by a new claim.
    t.cluster.wait_leader()
    for p in t.testimony.started(old.booted_at, host=old.name):
        t.check(f"what runs on {old} since its boot runs in a new term", p.term > term)
    t.check("one leads", len(t.cluster.leaders()) == 1)
    t.gap_at_most(1500)


@scenario("the leader is shut down: it releases the record before it is off")
def shutdown(t):
    old = t.leader
    term = t.db.lease(t.group)["term"]
    t.fault(f"{old} is shut down", lambda: old.power_off(wait=False))
    # No other node can have claimed an unreleased record so early: so it was released.
    t.until("the row is released or claimed by another", lambda: (
        lambda row: row["clean"] or row["term"] > term)(t.db.lease(t.group)))
    released = clock.ms(clock.now() - t.fault_at)
    t.figures["released after"] = f"{released:.0f} ms"
    t.check("released long before the lease could expire", released < t.duration_ms)
    old.wait_down()
    t.effect("it is off", lambda: not old.up)
    t.next_leader()
    t.gap_at_most(1500)


@scenario("a unit is started by hand on a standby: refused")
def started_by_hand(t):
    other, since = t.standbys[0], clock.now()
    r = t.fault(f"systemctl start {t.unit} on {other}",
                lambda: other.systemctl("start", t.unit, check=False))
    t.effect("it is refused", lambda: not r.ok and other.state(t.unit) == "inactive")
    status = other.systemctl("status", t.unit, check=False).out
    t.check(f"its status says why:\n{status}", "tenure" in status and "ssert" in status)
    time.sleep(0.5)
    t.silent(other, since=since)
    t.check("the system state stays running", other.system_state() == "running")
    t.gap_at_most(0)
