# SPDX-License-Identifier: Apache-2.0
"""The server is restarted while a standby observes a lease: earlier observations do not count."""

from lab import clock
from lab.scenario import scenario

from .connections import START_MS, pull_plug, watched

START = "select extract(epoch from pg_postmaster_start_time())"
RECONNECT_MS = 3500         # after a server was unavailable for some seconds


@scenario("the database is restarted while a dead leader's lease expires: the observation starts over")
def server_restarted_while_observed(t):
    old, others = t.leader, t.standbys
    pull_plug(t)
    t.until("the standbys have observed more than half of the lease", lambda: all((watched(t, h) or 0) > 0.55 for h in others))
    started = t.db.psql(START)
    least = dict.fromkeys(others, 1.0)

    def begin_again():
        for h in others:
            part = watched(t, h)
            least[h] = min(least[h], 1.0 if part is None else part)
        return max(least.values()) < 0.3
    t.fault_in_the_dark("systemctl restart of PostgreSQL", lambda: t.db.systemctl("restart", "--no-block", t.db.unit))
    t.effect("another server answers", lambda: (begin_again(), t.db.psql(START, check=False) not in ("", started))[1])
    t.until("the observation starts over, by all statuses", begin_again)
    life = clock.now() - float(t.db.psql(f"select extract(epoch from clock_timestamp()) - ({START})")) * clock.SECOND
    t.leader = t.next_leader()
    waited = clock.ms(t.testimony.first_beat(t.leader.name, t.fault_at) - life)
    t.figures["after the server's start"] = f"{waited:.0f} ms"
    t.check("the record was observed for a whole lease since then", waited >= t.lease_ms)
    t.check("and not for much longer", waited <= t.lease_ms * 1.001 + t.duration_ms / 4 + START_MS + RECONNECT_MS)
    old.boot()
    t.cluster.wait_ready()
