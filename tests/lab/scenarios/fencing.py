# SPDX-License-Identifier: Apache-2.0
"""Applications that assert their term: what a writer does that outlives its leader."""

from lab import clock
from lab.scenario import scenario
from lab.writers import CONTROL, NO_TABLE, TABLE, WRITERS, Writers


@scenario("writers outlive their leader: one that asserts its term writes nothing after the next term's first write",
          dual_ms=50, breaks="no machine is paused past its deadline")
def fenced_writers(t):
    writers = Writers(t, t.db).install()
    old = t.leader
    term = writers.start_all(old)
    # The term is renewed all the time, whichever transactions are open.
    t.stays("the leader renews on", lambda: t.db.lease(t.group)["term"] == term, t.lease_ms / 1000)

    t.fault(f"{old} is frozen, in the middle of transactions", old.freeze)
    t.effect("its transactions are open", lambda: int(t.db.psql(
        f"select count(*) from pg_stat_activity where usename = 'writer' and application_name <> '{CONTROL}' "
        f"and state = 'idle in transaction' and client_addr = '{old.address}'")) > 0)
    t.leader = new = t.next_leader()
    newer = writers.start_all(new)
    t.check(f"term {newer} is above term {term}", newer > term)
    t.timeline.fault(f"{old} is thawed")
    old.thaw()
    for writer in WRITERS:
        if writer != CONTROL:
            t.until(f"{writer} has given up on {old}", lambda w=writer: writers.given_up(old, w))
            t.check(f"{writer}: no row of term {term} after the first of term {newer}",
                    writers.late(writer) == 0)
            # Either the term was refused, or the server had ended a transaction that was idle for so long.
            said = writers.said(old, writer)
            t.check(f"the error said why: {said}", f'group "{t.group}" is not led with term {term}' in said
                    or "idle-in-transaction timeout" in said)
            t.note(said)

    # No host is frozen: a switchover, after which the old writers get an error.
    t.stop_agent(new)
    t.leader = last = t.next_leader()
    newest = writers.start_all(last)
    for writer in WRITERS:
        if writer == CONTROL:
            t.until(f"{writer} writes on with term {newer}, late", lambda: writers.late(CONTROL) > 3)
        else:
            t.until(f"{writer} has given up on {new}", lambda w=writer: writers.given_up(new, w))
            said = writers.said(new, writer)
            t.check(f"the error said why: {said}",
                    f'group "{t.group}" is not led with term {newer}' in said
                    and (f"Its term is {newest}, of node {last}." in said
                         or "Its leader has given it up." in said))
            t.check(f"{writer}: still no late row", writers.late(writer) == 0)
    t.gap_at_most(t.lease_ms + 2000)
    new.systemctl("start", "tenured.service")
    writers.remove()


@scenario("a long transaction asserts the term when the leader stops: the claim waits for it, and the journal names it")
def long_transaction_at_failover(t):
    t.db.psql(TABLE)
    old, term = t.leader, t.cluster.term(t.leader)
    old.write_file("/usr/local/bin/long", f"""#!/bin/sh
PGPASSFILE=/etc/tenure/pgpass PGAPPNAME=month-end exec psql -X -q -o /dev/null -v ON_ERROR_STOP=1 \\
    -c "begin" -c "select tenure.assert_leader('{t.group}', {term})" -c "select pg_sleep(3)" \\
    -c "commit" "host={t.db.address} dbname=tenure user=writer"
""", 0o755)
    old.run("systemd-run", "--quiet", "--unit=long", "/usr/local/bin/long")
    process = t.until("the transaction is open", lambda: t.db.psql(
        "select pid from pg_stat_activity where usename = 'writer' and query ~ 'pg_sleep'"))
    named = f'process {process} of role "writer", application "month-end"'

    t.fault(f"systemctl stop tenured on {old}", lambda: old.systemctl("stop", "tenured.service"))
    t.effect("the record is clean, and cannot be claimed",
             lambda: t.db.lease(t.group)["clean"] and t.db.lease(t.group)["term"] == term)
    other = t.until("a standby names what it waits for", lambda: next(
        (h for h in t.standbys if named in t.cluster.status(h).get("reason", "")), None))
    t.note(t.cluster.status(other).get("reason", ""))
    t.next_leader()
    t.check("the transaction went on to its end",
            old.property("long.service", "Result") == "success")
    said = [line for h in t.standbys for line in h.sh(
        "journalctl -q -b -o cat MESSAGE_ID=d8f4c0e6a5e44d0db17b2d6c02b7a010",
        check=False).splitlines() if named in line]
    t.check(f"the journals name it, each of them once: {said}",
            said and len(said) <= len(t.standbys))
    t.gap_at_most(3000 + 1500)
    old.systemctl("start", "tenured.service")
    t.db.psql(NO_TABLE)


# The server loses contact with both in mid-transaction: one waits for a reply, the other is idle, and begins last, because the
# server ends an idle transaction after D/2 in any case.
DEAD = {"busy": "select pg_sleep(600)", "idle": "select 1"}


@scenario("the leader is cut off, half open, with open transactions that assert its term: they do not delay the failover")
def dead_clients(t):
    t.db.psql(TABLE)
    old, term = t.leader, t.cluster.term(t.leader)
    for name, last in DEAD.items():
        old.write_file(f"/usr/local/bin/{name}", f"""#!/bin/sh
{{ echo "begin; select tenure.assert_leader('{t.group}', {term}); {last};"; exec sleep 600; }} |
PGPASSFILE=/etc/tenure/pgpass PGAPPNAME={name} exec psql -X -q -o /dev/null \\
    "host={t.db.address} dbname=tenure user=writer"
""", 0o755)

    def transactions():
        """{application: state} of the open transactions."""
        return dict(line.split("|") for line in t.db.psql(
            "select application_name, state from pg_stat_activity where usename = 'writer' "
            "and xact_start is not null").splitlines())

    def begin():
        for name in DEAD:
            old.run("systemd-run", "--quiet", "--collect", f"--unit=dead-{name}", f"/usr/local/bin/{name}")
        t.until("both transactions are open", lambda: transactions() == {
            "idle": "idle in transaction", "busy": "active"})
        old.cut(clean=False)
        t.fault_at = clock.now()
    t.fault(f"two transactions begin on {old}, and it is cut off, half open", begin)
    t.effect("packets are dropped", lambda: t.lab.network.is_cut(old.name))
    t.check("the server does not know yet", len(transactions()) == 2)
    t.leader = t.next_leader()
    t.check(f"neither is open any more: {transactions()}", not transactions())
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
    t.gap_at_most(t.lease_ms + 2000)
    old.sh("systemctl stop 'dead-*'", check=False)
    old.heal()
    t.db.psql(NO_TABLE)

