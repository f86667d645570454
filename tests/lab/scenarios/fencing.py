# SPDX-License-Identifier: Apache-2.0
"""Applications that assert their term: what a writer does that nobody ends."""

from lab.database import PASSWORD
from lab.scenario import scenario

# What their transactions begin with.
WRITERS = {
    "asserts": "select tenure.assert_leader(:'group', :term);",
    "asserts-at-commit": "select tenure.assert_leader_at_commit(:'group', :term);",
    "trusts": "",                   # the control: it writes whatever its term
}
TABLE = """
create role writer login password '{password}';
grant usage on schema tenure to writer;
grant execute on function tenure.assert_leader, tenure.assert_leader_at_commit to writer;
create table payments (seq bigserial, writer text, term bigint, at timestamptz default clock_timestamp());
grant insert on payments to writer;
grant usage on sequence payments_seq_seq to writer;
"""
# An own transaction each, with a pause in it: most of the time it is in the middle of one.
SCRIPT = r"""#!/bin/bash
transaction="begin; {before} insert into payments (writer, term) values (:'writer', :term);
select pg_sleep(0.02); commit;"
while echo "$transaction"; do sleep 0.01; done |
    PGPASSFILE=/etc/tenure/pgpass exec psql -X -q -o /dev/null -v ON_ERROR_STOP=1 -v group={group} \
        -v term="$1" -v writer={writer} "host={db} dbname=tenure user=writer"
"""


def late(t, writer):
    """Rows of an earlier term after a later term's first one."""
    return int(t.db.psql(f"""select count(*) from payments o where writer = '{writer}' and exists
        (select from payments n where n.term > o.term and n.seq < o.seq)"""))


def rows(t, writer, term):
    return int(t.db.psql(f"select count(*) from payments where writer = '{writer}' and term = {term}"))


def start_writers(t, host):
    """Outside the group: neither keeper nor PID 1 ends them when the group is lost."""
    term = t.cluster.term(host)
    for writer in WRITERS:
        host.run("systemd-run", "--quiet", f"--unit=writer-{writer}", f"/usr/local/bin/{writer}",
                 str(term))
    for writer in WRITERS:
        t.until(f"{writer} writes on {host}", lambda w=writer: rows(t, w, term) > 3)
    return term


@scenario("writers that nobody ends: what asserts its term writes nothing after the next one's first")
def fenced_writers(t):
    t.db.psql(TABLE.format(password=PASSWORD))
    for host in t.hosts:
        for writer, before in WRITERS.items():
            host.write_file(f"/usr/local/bin/{writer}", SCRIPT.format(
                before=before, group=t.group, writer=writer, db=t.db.address), 0o755)
    old = t.leader
    term = start_writers(t, old)
    # Renewed all the while, whatever is open.
    t.stays("the leader renews on", lambda: t.db.lease(t.group)["term"] == term, t.lease_ms / 1000)

    t.fault(f"{old} is frozen, in the middle of transactions", old.freeze)
    t.effect("its transactions are open", lambda: int(t.db.psql(
        "select count(*) from pg_stat_activity where usename = 'writer' "
        f"and state = 'idle in transaction' and client_addr = '{old.address}'")) > 0)
    t.leader = new = t.next_leader()
    newer = start_writers(t, new)
    t.check(f"term {newer} is above term {term}", newer > term)
    t.timeline.fault(f"{old} is thawed")
    old.thaw()
    for writer in WRITERS:
        if writer != "trusts":
            t.until(f"{writer} has given up on {old}",
                    lambda w=writer: old.state(f"writer-{w}.service") == "failed")
            t.check(f"{writer}: no row of term {term} after the first of term {newer}",
                    late(t, writer) == 0)
    t.note(old.sh("journalctl -q -b -o cat -u writer-asserts -n 5"))

    # Nobody is frozen: the group is handed over, and the writers of before are told.
    t.timeline.fault(f"systemctl stop tenured on {new}")
    new.systemctl("stop", "tenured.service")
    t.leader = last = t.next_leader()
    newest = start_writers_anew(t, last)
    for writer in WRITERS:
        if writer == "trusts":
            t.until(f"{writer} writes on with term {newer}, late", lambda: late(t, "trusts") > 3)
        else:
            t.until(f"{writer} has given up on {new}",
                    lambda w=writer: new.state(f"writer-{w}.service") == "failed")
            said = new.sh(f"journalctl -q -b -o cat -u writer-{writer}")
            t.check(f"it was told why: {said}",
                    f'group "{t.group}" is not led with term {newer}' in said
                    and (f"Its term is {newest}, of node {last}." in said
                         or "Its leader has given it up." in said))
            t.check(f"{writer}: still none late", late(t, writer) == 0)
    t.gap_at_most(t.lease_ms + 2000)
    for host in t.hosts:
        host.sh("systemctl stop 'writer-*'; systemctl reset-failed", check=False)
    new.systemctl("start", "tenured.service")
    t.db.psql("drop table payments; drop owned by writer; drop role writer")


@scenario("a long transaction asserts the term when the leader goes: it is waited for, and named")
def held_up(t):
    t.db.psql(TABLE.format(password=PASSWORD))
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
    t.effect("the row is clean, and cannot be claimed",
             lambda: t.db.lease(t.group)["clean"] and t.db.lease(t.group)["term"] == term)
    other = t.until("a standby names what it waits for", lambda: next(
        (h for h in t.standbys if named in t.cluster.status(h).get("reason", "")), None))
    t.note(t.cluster.status(other).get("reason", ""))
    t.next_leader()
    t.check("the transaction was let go on to its end",
            old.property("long.service", "Result") == "success")
    said = [line for h in t.standbys for line in h.sh(
        "journalctl -q -b -o cat MESSAGE_ID=d8f4c0e6a5e44d0db17b2d6c02b7a010",
        check=False).splitlines() if named in line]
    t.check(f"the journals name it, each of them once: {said}",
            said and len(said) <= len(t.standbys))
    t.gap_at_most(3000 + 1500)
    old.systemctl("start", "tenured.service")
    t.db.psql("drop table payments; drop owned by writer; drop role writer")


def start_writers_anew(t, host):
    host.sh("systemctl stop 'writer-*'; systemctl reset-failed", check=False)
    return start_writers(t, host)
