# SPDX-License-Identifier: Apache-2.0
"""Connections to the database that do not last."""

import contextlib

from lab.scenario import scenario

ENDER = "ender.service"
ENDS = "select count(pg_terminate_backend(pid)) from pg_stat_activity where usename = 'tenure'"
SESSIONS = "select pid from pg_stat_activity where usename = 'tenure'"
SESSIONS_MIN = 12           # by three agents
START_MS = 1500             # a poll, keeper and unit: a lab's hosts share few cores


@contextlib.contextmanager
def ended_every_second(t):
    """Ends all sessions every second, as a proxy, a pooler or a server with such a limit would."""
    pids = set()

    def begin():
        t.db.run("systemd-run", "--quiet", f"--unit={ENDER}", "--uid=postgres", "sh", "-c",
                 f"echo \"{ENDS} \\\\watch 1\" | psql -X -q -d tenure")

    def seen():
        pids.update(t.db.psql(SESSIONS).split())
        return len(pids) >= SESSIONS_MIN
    t.fault("all sessions of the agents are ended every second", begin)
    t.effect(f"there were at least {SESSIONS_MIN} sessions", seen)
    yield
    t.db.systemctl("stop", ENDER)


def watched(t, host):
    """For which part of the lease the node has seen the record unchanged, by its status."""
    status = t.cluster.status(host)
    seen, whole = status.get("unchanged_seconds"), status.get("watch_seconds")
    return seen / whole if seen is not None and whole else None


def pull_plug(t):
    old = t.leader
    t.fault(f"the plug of {old} is pulled", old.pull_plug)
    t.effect("it is off", lambda: not old.up)


@scenario("no connection to the database lasts longer than a second: a failover works nevertheless")
def short_lived_connections(t):
    old = t.leader
    with ended_every_second(t):
        t.undisturbed(seconds=1.5 * t.lease_ms / 1000)
        t.gap_at_most(0)
        pull_plug(t)
        t.until("a standby has observed the record for half of the lease, by its status",
                lambda: any((watched(t, h) or 0) > 0.5 for h in t.standbys))
        t.leader = t.next_leader()
        t.gap_at_most(t.lease_ms * 1.001 + t.duration_ms / 4 + START_MS)
        t.stays(f"{t.leader} leads", lambda: t.cluster.is_leader(t.leader), 1.5 * t.lease_ms / 1000)
    old.boot()
    t.cluster.wait_ready()
