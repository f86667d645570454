# SPDX-License-Identifier: Apache-2.0
"""The arbiter runs, but is unreliable."""

import collections
import time

from lab import clock
from lab.database import PASSWORD
from lab.scenario import scenario


@scenario("the database crashes again and again")
def database_crash_loop(t):
    crashes, servers = 6, set()

    def crash():
        for _ in range(crashes):
            servers.add(t.db.psql("select pg_postmaster_start_time()"))
            t.db.crash()
            t.db.start()
            time.sleep(0.3)
    t.fault(f"PostgreSQL is killed and started {crashes} times", crash)
    t.effect(f"{crashes} servers answered, and now another one", lambda: len(servers) == crashes
             and t.db.psql("select pg_postmaster_start_time()") not in servers)
    t.cluster.wait_ready()
    t.gap_at_most(t.lease_ms + 2000)


@scenario("commits wait for a missing synchronous standby, and an administrator cancels the waits")
def synchronous_wait_cancelled(t):
    """PostgreSQL reports a cancelled wait as a success with a warning: what is not durable must not count."""
    old, cancelled = t.leader, 0
    cancel = ("select count(pg_cancel_backend(pid)) from pg_stat_activity "
              "where usename = 'tenure' and wait_event = 'SyncRep'")
    t.fault("synchronous_standby_names names a missing server",
            lambda: t.db.set("synchronous_standby_names", "nobody"))
    until = clock.now() + t.lease_ms * clock.MS
    while clock.now() < until:
        cancelled += int(t.db.psql(cancel))
        time.sleep(0.05)
    t.effect(f"{cancelled} commits of the agents were cancelled in their wait", lambda: cancelled >= 3)
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
    t.check("no node leads by a commit that may be lost", not t.testimony.running(within=100 * clock.MS))
    t.check("the agent says what the server warned of", t.said(
        old, "tenured.service", "warns: canceling wait for synchronous replication"))
    t.timeline.fault("synchronous_standby_names is empty again")
    # (Waiting commits go on when the server reads the setting.)
    t.db.psql("alter system reset synchronous_standby_names")
    t.db.psql("select pg_reload_conf()")
    t.cluster.wait_ready()


def status(host):
    return host.property("tenured.service", "StatusText")


# (fault, remedy, what STATUS says in between). The agents' sessions are terminated after both.
TROUBLES = {
    "no connection is free": ("alter role tenure connection limit 0",
                              "alter role tenure connection limit -1",
                              'too many connections for role "tenure"'),
    "the database is read-only": ("alter database tenure set default_transaction_read_only = on",
                                  "set default_transaction_read_only = off; "
                                  "alter database tenure reset default_transaction_read_only",
                                  "the server is read-only (default_transaction_read_only)"),
    "the schema is gone": ("alter schema tenure rename to away",
                           "alter schema away rename to tenure",
                           'run "tenurectl schema | psql"'),
    "a grant is missing": ("revoke update on tenure.lease from tenure",
                           "grant update on tenure.lease to tenure",
                           "grants are missing"),
    "the database takes no logins": ("alter role tenure nologin", "alter role tenure login",
                                     'role "tenure" is not permitted to log in'),
}
END = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'tenure'"


@scenario("the database fails in five ways: each is reported, and needs no restart of an agent once it is repaired")
def database_errors(t):
    agents = {h: h.main_pid("tenured.service") for h in t.hosts}
    for what, (spoil, mend, words) in TROUBLES.items():
        t.fault(what, lambda s=spoil: t.db.psql(f"{s}; {END}"))
        for host in t.hosts:
            t.effect(f"{host} says so", lambda h=host, w=words: w in status(h),
                     timeout=t.lease_ms / 1000 + 2)
            said = [line for line in host.sh(
                "journalctl -q -b -o cat -u tenured MESSAGE_ID=d8f4c0e6a5e44d0db17b2d6c02b7a00b",
                check=False).splitlines() if words in line]
            t.check(f"{host}'s journal says it once: {said}", len(said) == 1)
        t.note(status(t.leader))
        t.db.psql(f"{mend}; {END}")
        t.timeline.good("the fault is repaired")
        t.leader = t.cluster.wait_ready(timeout=30)
    t.check("no agent was restarted", agents == {h: h.main_pid("tenured.service")
                                                    for h in t.hosts})
    t.gap_at_most(t.lease_ms + 3000)


CONNECTIONS, RESERVED = 20, 3       # the latter for superusers, as it is by default


@scenario("all connections of the server are in use, and become free again")
def connections_exhausted(t):
    t.spent = True
    t.db.set_offline("max_connections", str(CONNECTIONS))
    t.db.restart()
    t.db.psql(f"create role hog login password '{PASSWORD}'")
    old = t.leader = t.cluster.wait_ready(timeout=40)

    def sessions():
        """{user: number of sessions} at one moment; empty when the query itself got no connection: a refused client also takes
        one for a moment, and then even a superuser may get none."""
        lines = t.db.psql("select usename, count(*) from pg_stat_activity where backend_type = 'client backend' group by 1",
                          check=False).splitlines()
        return collections.Counter({user: int(n) for user, _, n in (line.partition("|") for line in lines)})

    def taken(seen, *users):
        """Whether this user alone has all connections that are not reserved."""
        return sum(seen[user] for user in users) >= CONNECTIONS - RESERVED

    def taken_without_agents():
        seen = sessions()
        return taken(seen, "hog") and seen["tenure"] == 0

    def take_all():
        """Clients that are refused try again."""
        t.db.run("systemd-run", "--quiet", "--collect", "--unit=hog", "bash", "-c", f"""
            export PGPASSWORD={PASSWORD}
            for i in {{1..{CONNECTIONS}}}; do
                while ! psql -qX -c 'select pg_sleep(600)' 'host={t.db.address} dbname=tenure user=hog'; do
                    sleep 0.3
                done &
            done 2>/dev/null
            wait""")
    t.fault(f"others take all {CONNECTIONS} connections but those that are reserved", take_all)
    t.effect("the agents have theirs, and none is left",
             lambda: taken(sessions(), "hog", "tenure"), timeout=20)
    t.undisturbed(seconds=t.lease_ms / 1000)
    t.gap_at_most(0)

    def end():
        """Agents may not log in until the other clients have all connections: otherwise chance would decide who is quicker."""
        t.db.psql(f"alter role tenure connection limit 0; {END}")
        t.until("others have them", lambda: taken(sessions(), "hog"), timeout=40, every=0.5)
        t.db.psql("alter role tenure connection limit -1")
    t.fault("the agents' sessions are ended", end)
    t.effect("they have none, though they may log in", taken_without_agents, timeout=20)
    for host in t.hosts:
        t.until(f"{host} says so", lambda h=host: "too many clients" in status(h)
                or "remaining connection slots are reserved" in status(h), timeout=t.lease_ms / 1000 + 2)
    t.note(status(old))
    t.until("no host runs the unit", lambda: not t.testimony.running(within=300 * clock.MS),
            timeout=t.lease_ms / 1000 + 1)
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
    t.timeline.fault("the other clients have gone")
    t.db.systemctl("stop", "hog.service")
    t.db.psql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'hog'")
    t.leader = t.cluster.wait_leader(timeout=20)


def full_wal(t):
    """Moves pg_wal to a small disk of its own, as an administrator might."""
    data = f"/var/lib/postgresql/{t.db.version}/main"
    t.db.sh(f"""set -e
        systemctl stop {t.db.unit}
        mkdir -p /var/wal && mount -t tmpfs -o size=96m,mode=700 tmpfs /var/wal
        chown postgres: /var/wal
        cp -a {data}/pg_wal/. /var/wal/ && rm -rf {data}/pg_wal && ln -s /var/wal {data}/pg_wal""")
    t.db.set_offline("max_wal_size", "64MB")
    t.db.start()
    t.leader = t.cluster.wait_ready(timeout=40)


@scenario("the database's disk is full, and has room again")
def disk_full(t):
    t.spent = True
    full_wal(t)
    old = t.leader

    def fill():
        t.db.sh("dd if=/dev/zero of=/var/wal/ballast bs=64k 2>/dev/null", check=False)
        # Existing segments are used up first.
        for _ in range(8):
            t.db.psql("create table if not exists x as select 1; select pg_switch_wal()",
                      check=False)
    t.fault("the disk of pg_wal is full", fill)
    t.effect("PostgreSQL logs it, and ends", lambda: "No space left on device" in t.db.sh(
        f"cat /var/log/postgresql/postgresql-{t.db.version}-main.log") and not t.db.ready())
    t.until("the unit is stopped everywhere", lambda: t.testimony.beats(
        clock.now() - 200 * clock.MS, clock.now()) == 0, timeout=t.lease_ms / 1000 + 2)
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms + 2000)
    for host in t.hosts:
        t.until(f"the status of {host} says so",
                lambda h=host: "arbiter out of reach" in status(h))
    t.note(status(old))
    t.timeline.fault("the disk has room again, PostgreSQL is started")
    t.db.sh("rm /var/wal/ballast")
    t.db.systemctl("restart", t.db.unit)
    t.db.wait_ready()
    t.cluster.wait_leader(timeout=30)
