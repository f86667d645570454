# SPDX-License-Identifier: Apache-2.0
"""The arbiter is there, and yet not to be relied on."""

import time

from lab import clock
from lab.scenario import scenario


@scenario("the database crashes again and again")
def database_crash_loop(t):
    crashes = 6

    def crash():
        for _ in range(crashes):
            t.db.crash()
            t.db.start()
            time.sleep(0.3)
    started = t.db.psql("select pg_postmaster_start_time()")
    t.fault(f"PostgreSQL is killed and started {crashes} times", crash)
    t.effect("another server answers", lambda: t.db.psql("select pg_postmaster_start_time()") != started)
    t.cluster.wait_ready()
    t.gap_at_most(t.lease_ms + 2000)


@scenario("commits wait for a standby that is not there, and an administrator cancels the waits")
def synchronous_wait_cancelled(t):
    """A cancelled wait is told as a success with a warning: what is not durable must not count."""
    old, cancelled = t.leader, 0
    cancel = ("select count(pg_cancel_backend(pid)) from pg_stat_activity "
              "where usename = 'tenure' and wait_event = 'SyncRep'")
    t.fault("synchronous_standby_names names nobody who is there",
            lambda: t.db.set("synchronous_standby_names", "nobody"))
    until = clock.now() + t.lease_ms * clock.MS
    while clock.now() < until:
        cancelled += int(t.db.psql(cancel))
        time.sleep(0.05)
    t.effect(f"{cancelled} commits of the agents were cancelled in their wait", lambda: cancelled >= 3)
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
    t.check("nobody leads by what may be lost", not t.testimony.running(clock.now(), 100 * clock.MS))
    said = old.journal("tenured.service", lines=100)
    t.check("the agent says what the server warned of", "warns: canceling wait for synchronous "
            "replication" in said)
    t.timeline.fault("synchronous_standby_names is empty again")
    # (What waits goes on when the setting is read.)
    t.db.psql("alter system reset synchronous_standby_names")
    t.db.psql("select pg_reload_conf()")
    t.cluster.wait_ready()
