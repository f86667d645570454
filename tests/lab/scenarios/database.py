# SPDX-License-Identifier: Apache-2.0
"""The arbiter stops or crashes, and comes back."""

from lab import clock
from lab.scenario import scenario


@scenario("the database is restarted: the term goes on undisturbed")
def database_restarted(t):
    started = t.db.psql("select pg_postmaster_start_time()")
    t.fault("systemctl restart of PostgreSQL", t.db.restart)
    t.effect("another server answers", lambda: t.db.psql("select pg_postmaster_start_time()") != started)
    t.undisturbed(seconds=2 * t.lease_ms / 1000)
    t.gap_at_most(0)


@scenario("the database crashes and is restarted at once: the term goes on undisturbed")
def database_crashed(t):
    started = t.db.psql("select pg_postmaster_start_time()")
    t.fault("kill -9 of all of PostgreSQL", t.db.crash)
    t.db.start()
    t.effect("another server answers", lambda: t.db.psql("select pg_postmaster_start_time()") != started)
    t.undisturbed(seconds=2 * t.lease_ms / 1000)
    t.gap_at_most(0)


@scenario("an administrator terminates all sessions of the agents: the term goes on undisturbed")
def sessions_terminated(t):
    def sessions():
        rows = t.db.psql("select pid, host(client_addr) from pg_stat_activity where usename = 'tenure'")
        return dict(line.split("|") for line in rows.splitlines())
    # The server may still have sessions of hosts that were cut off earlier, and of a tenurectl that has just ended.
    before = sessions()
    hosts = {h.address for h in t.hosts}
    t.check(f"each agent has a session: {before}", set(before.values()) >= hosts)
    t.fault("pg_terminate_backend() of all agents' sessions", lambda: t.db.psql(
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'tenure'"))
    t.effect("every agent has another session, and there are no others",
             lambda: (lambda now: not now.keys() & before.keys() and sorted(now.values()) == sorted(hosts))(sessions()))
    t.undisturbed(seconds=2 * t.lease_ms / 1000)
    t.gap_at_most(0)


@scenario("the database is unavailable for longer than a lease: all units stop, and one node leads when it is back")
def database_unavailable(t):
    old = t.leader
    t.fault("PostgreSQL is stopped", t.db.stop)
    t.effect("it does not answer", lambda: not t.db.ready())
    t.until("the unit is stopped everywhere", lambda: t.testimony.beats(
        clock.now() - 200 * clock.MS, clock.now()) == 0, timeout=t.lease_ms / 1000 + 1)
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
    t.timeline.fault("PostgreSQL is started")
    t.db.start()
    t.cluster.wait_leader(timeout=30)
