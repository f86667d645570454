# SPDX-License-Identifier: Apache-2.0
"""The network does worse than fail: it carries packets in one direction only."""

from lab.scenario import scenario


def one_way(t, direction):
    old = t.leader
    t.fault(f"packets {direction} {old} vanish, the others arrive",
            lambda: old.cut_one_way(direction))
    t.effect("the database is out of its reach", lambda: t.lab.network.is_cut(old.name) and not old.run(
        "pg_isready", "-q", "-t", "1", "-h", t.db.address, check=False).ok)
    t.next_leader()
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
    t.gap_at_most(t.lease_ms + 2000)
    t.timeline.fault("the network works again")
    old.heal()
    t.until(f"{old} is a standby", lambda: t.cluster.status(old).get("role") == "standby", timeout=20)


@scenario("packets from the leader are lost, and those to it arrive")
def outgoing_packets_lost(t):
    one_way(t, "from")


@scenario("packets to the leader are lost, and those from it arrive")
def incoming_packets_lost(t):
    """The leader's renewals are granted, but no reply arrives: only replies count."""
    one_way(t, "to")
