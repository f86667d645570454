# SPDX-License-Identifier: Apache-2.0
"""Applications outside the group that write with its term: neither keeper nor PID 1 ends them when the term is lost.
Two of them assert the term in each transaction; the third, the control, does not."""

from .database import PASSWORD

# The beginning of their transactions.
WRITERS = {
    "asserts": "select tenure.assert_leader(:'group', :term);",
    "asserts-at-commit": "select tenure.assert_leader_at_commit(:'group', :term);",
    "trusts": "",
}
CONTROL = "trusts"
TABLE = f"""
create role writer login password '{PASSWORD}';
grant usage on schema tenure to writer;
grant execute on function tenure.assert_leader, tenure.assert_leader_at_commit to writer;
create table payments (seq bigserial, writer text, term bigint, at timestamptz default clock_timestamp());
grant insert on payments to writer;
grant usage on sequence payments_seq_seq to writer;
"""
NO_TABLE = "drop table payments; drop owned by writer; drop role writer"
# Each writes in transactions with a pause, so that it is in the middle of one most of the time.
SCRIPT = r"""#!/bin/bash
transaction="begin; {before} insert into payments (writer, term) values (:'writer', :term);
select pg_sleep(0.02); commit;"
while echo "$transaction"; do sleep 0.01; done |
    PGPASSFILE=/etc/tenure/pgpass PGAPPNAME={writer} exec psql -X -q -o /dev/null -v ON_ERROR_STOP=1 -v group={group} \
        -v term="$1" -v writer={writer} "host=$2 dbname=tenure user=writer"
"""


class Writers:
    """Writers on the hosts of a trial; db: the server that they write to."""

    def __init__(self, t, db):
        self.t, self.db = t, db

    def install(self):
        self.db.psql(TABLE)
        for host in self.t.hosts:
            for writer, before in WRITERS.items():
                host.write_file(f"/usr/local/bin/{writer}",
                                SCRIPT.format(before=before, group=self.t.group, writer=writer), 0o755)
        return self

    def remove(self):
        for host in self.t.hosts:
            self.stop(host)
        self.db.psql(NO_TABLE)

    def start(self, host, term):
        """Starts them again with another term, on the hosts where they ran before."""
        self.stop(host)
        for writer in WRITERS:
            host.run("systemd-run", "--quiet", f"--unit=writer-{writer}", f"/usr/local/bin/{writer}",
                     str(term), self.db.address)

    def stop(self, host):
        host.sh("systemctl stop 'writer-*'; systemctl reset-failed", check=False)

    def start_all(self, host):
        """Starts them with the term of the host, and waits until all of them have written. Returns the term."""
        term = self.t.cluster.term(host)
        self.start(host, term)
        for writer in WRITERS:
            self.t.until(f"{writer} writes on {host}", lambda w=writer: self.rows(w, term) > 3)
        return term

    def given_up(self, host, writer):
        return host.state(f"writer-{writer}.service") == "failed"

    def said(self, host, writer):
        return host.sh(f"journalctl -q -b -o cat -u writer-{writer}")

    def rows(self, writer, term):
        return int(self.db.psql(
            f"select count(*) from payments where writer = '{writer}' and term = {term}"))

    def late(self, writer):
        """The number of rows of an earlier term after a later term's first row."""
        return int(self.db.psql(f"""select count(*) from payments o where writer = '{writer}' and exists
            (select from payments n where n.term > o.term and n.seq < o.seq)"""))
