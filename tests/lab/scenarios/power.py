# SPDX-License-Identifier: Apache-2.0
"""Hosts are powered off and on in every order."""

import time

from lab.scenario import scenario

from .units import everywhere


@scenario("the hosts are shut down one after the other, the leader first, and come back")
def shutdown_in_turn(t):
    order = []
    while any(h.up for h in t.hosts):
        old = t.leader
        if not order:
            t.fault(f"{old} is shut down", old.power_off)
            t.effect("it is off", lambda h=old: not h.up)
        else:
            t.timeline.fault(f"{old} is shut down")
            old.power_off()
        order.append(old)
        if any(h.up for h in t.hosts):
            t.leader = t.cluster.wait_leader(old, timeout=10)
            t.timeline.good(f"{t.leader} leads")
    row = t.db.lease(t.group)
    t.check(f"the last one has released the record: {row}", row["clean"])
    t.timeline.fault("all of them are switched on")
    everywhere(order, lambda h: h.boot())
    t.leader = t.cluster.wait_ready()


@scenario("the standbys are shut down, then the leader; all come back, the leader last")
def shutdown_leader_last(t):
    leader, others = t.leader, t.standbys
    for host in others:
        t.fault(f"{host} is shut down", host.power_off)
        t.effect("it is off", lambda h=host: not h.up)
        t.undisturbed(seconds=t.lease_ms / 1000)
        t.gap_at_most(0)
    t.fault(f"{leader} is shut down", leader.power_off)
    t.effect("it is off", lambda: not leader.up)
    row = t.db.lease(t.group)
    t.check(f"it has released the record: {row}", row["clean"])
    t.timeline.fault("the others are switched on, and then it")
    everywhere(others, lambda h: h.boot())
    t.leader = t.cluster.wait_leader(leader, timeout=20)
    leader.boot()
    t.cluster.wait_ready()


def all_at_once(t, what, do):
    t.fault(f"{what} of all hosts", lambda: everywhere(t.hosts, do))
    t.effect("they are off", lambda: not any(h.up for h in t.hosts), timeout=30)
    time.sleep(0.2)
    t.timeline.fault("power is back, everywhere at once")
    everywhere(t.hosts, lambda h: h.boot())
    t.leader = t.cluster.wait_ready()


@scenario("all hosts are shut down at once, and power returns to all at once")
def shutdown_all(t):
    all_at_once(t, "orderly shutdown", lambda h: h.power_off())


@scenario("the plugs of all hosts are pulled at once, and power returns to all at once")
def plugs_pulled_all(t):
    all_at_once(t, "the plugs are pulled", lambda h: h.pull_plug())
