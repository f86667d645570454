# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL fails over to a standby server, safely and unsafely."""

import contextlib

from lab import clock
from lab.scenario import scenario
from lab.writers import CONTROL, WRITERS, Writers


@contextlib.contextmanager
def two_servers(t, synchronous):
    """A second server follows the first, and the agents know both. The lab cannot be used again."""
    t.spent = True
    first, second = t.db, t.lab.second_database()
    second.follow(first, synchronous)
    both = f"host={first.address},{second.address} target_session_attrs=read-write connect_timeout=1"
    for host in (*t.standbys, t.leader):
        t.cluster.configure(host, conninfo=both)
        host.systemctl("reload", "tenured.service")
    t.leader = t.cluster.wait_ready()
    try:
        yield first, second
    finally:
        t.lab.network.unite()


def promote(t, second):
    t.timeline.fault(f"{second} is promoted")
    second.promote()
    t.effect(f"{second} takes writes", second.takes_writes)


def connected(t, host, server):
    t.until(f"{host} is connected to {server}",
            lambda: f" {server.address}:" in t.cluster.status(host).get("arbiter", ""), timeout=20)


def lose_writes(t, first, second):
    """The primary dies with renewals that it alone has."""
    t.fault(f"{second} is separated from {first}", lambda: t.lab.network.divide([first.name], [second.name]))
    t.effect(f"{first} has a renewal that {second} has not", lambda: t.lab.network.is_divided()
             and second.nonce(t.group) != first.nonce(t.group))


def primary_dies(t, synchronous):
    with two_servers(t, synchronous) as (first, second):
        old, term = t.leader, t.cluster.term(t.leader)
        if not synchronous:
            lose_writes(t, first, second)
        last = first.nonce(t.group)
        t.fault(f"the plug of {first} is pulled", first.pull_plug)
        t.effect(f"{first} is off", lambda: not first.up)
        if not synchronous:
            t.check(f"{second} lacks the last renewal", second.nonce(t.group) != last)
        promote(t, second)
        t.leader = t.cluster.wait_leader(timeout=20)
        for host in t.hosts:
            connected(t, host, second)
        # The old leader either kept its term, or lost it to a later one.
        now = t.until("one leads", lambda: t.cluster.term(t.cluster.wait_leader()))
        t.check(f"term {now} after term {term}", now == term or now > term)
        t.figures["the leader"] = "stayed" if now == term and t.leader is old else "changed"
        t.gap_at_most(t.lease_ms + 3500)


@scenario("the primary dies, and its synchronous standby is promoted")
def failover_synchronous(t):
    primary_dies(t, synchronous=True)


@scenario("the primary dies, and its asynchronous standby is promoted")
def failover_asynchronous(t):
    primary_dies(t, synchronous=False)


def left_behind(t, first, second):
    """The network is divided: the leader is on the old primary's side, and the other hosts are with the standby server."""
    old = t.leader
    here, there = [first.name, old.name], [second.name, *(h.name for h in t.standbys)]
    t.fault(f"the network is divided: {' '.join(here)} | {' '.join(there)}",
            lambda: t.lab.network.divide(here, there))
    t.effect("the sides do not hear each other", lambda: t.lab.network.is_divided() and not second.run(
        "pg_isready", "-q", "-t", "1", "-h", first.address, check=False).ok)
    promote(t, second)
    new = t.next_leader(timeout=30)
    connected(t, new, second)
    return old, new


@scenario("the old primary lives on, cut off together with the leader; its standby was synchronous")
def primary_cut_off(t):
    with two_servers(t, synchronous=True) as (first, second):
        old, _ = left_behind(t, first, second)
        # A commit that the other side cannot confirm does not count here.
        t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
        t.gap_at_most(t.lease_ms + 3500)


def written_before(t, first, second):
    """The writers use the leader's term on either server, so that only the term can be why they are refused later."""
    here, there = Writers(t, first).install(), Writers(t, second)
    term = here.start_all(t.leader)
    here.stop(t.leader)
    for writer in WRITERS:
        n = here.rows(writer, term)
        t.until(f"{n} rows of {writer} have come to {second}",
                lambda w=writer, n=n: there.rows(w, term) == n)
    return there


def refused(t, writers, old, new):
    """Two nodes lead; the writers of both write to the server with the later term."""
    terms = {h: t.cluster.term(h) for h in (old, new)}
    before = {w: writers.rows(w, terms[old]) for w in WRITERS}
    writers.start_all(new)
    writers.start(old, terms[old])
    for writer in WRITERS:
        if writer == CONTROL:
            t.until(f"{writer} writes with term {terms[old]}, late", lambda: writers.late(CONTROL) > 3)
            continue
        t.until(f"{writer} is refused on {old}", lambda w=writer: writers.given_up(old, w))
        t.check(f"the error says why: {writers.said(old, writer)}",
                f'group "{t.group}" is not led with term {terms[old]}' in writers.said(old, writer))
        t.check(f"{writer} wrote no row of term {terms[old]} any more",
                writers.rows(writer, terms[old]) == before[writer] > 0)
    t.figures["by the old term"] = f"{writers.late(CONTROL)} late rows unasserted, 0 asserted"


@scenario("the same with an asynchronous standby: two histories and two leaders, until one primary is switched off",
          dual_ms=60000, breaks="the database does not fork its history")
def primary_forked(t):
    with two_servers(t, synchronous=False) as (first, second):
        writers = written_before(t, first, second)
        old, new = left_behind(t, first, second)
        both = sorted([old.name, new.name])
        t.until("both run it, each with a primary of its own",
                lambda: t.testimony.running(within=100 * clock.MS) == both)
        terms = [t.cluster.term(h) for h in (old, new)]
        t.check(f"the term of the new history, {terms[1]}, is far above the old one's, {terms[0]}",
                terms[1] >> 32 > terms[0] >> 32)
        t.check(f"{first} does not know the newer term",
                first.psql(f"select term from tenure.lease where grp = '{t.group}'")
                == str(terms[0]))
        t.fault("the network is whole again, and the old primary lives on", t.lab.network.unite)
        t.effect(f"{first} and {second} hear each other", lambda: not t.lab.network.is_divided()
                 and second.run("pg_isready", "-q", "-t", "1", "-h", first.address, check=False).ok)
        refused(t, writers, old, new)
        since, now = t.fault_at, clock.now()
        dual = clock.ms(t.testimony.dual_active(since, now))
        t.check(f"both ran it all the time, for {dual:.0f} ms", dual > clock.ms(now - since) - 100)
        t.fault(f"{first} is switched off", first.pull_plug)
        t.effect("it is", lambda: not first.up)
        t.until(f"{new} alone runs it", lambda: t.testimony.running(
            within=100 * clock.MS) == [new.name], timeout=20)
        connected(t, old, second)
        t.until(f"{old} is a standby", lambda: t.cluster.status(old).get("role") == "standby")
