# SPDX-License-Identifier: Apache-2.0
"""PgBouncer, or a worse proxy, between agents and database."""

import contextlib
import random
import time

from lab import clock
from lab.database import POOLER_PORT, STALLING_PORT
from lab.scenario import Failed, scenario
from lab.shell import LabError

from .units import everywhere

STALLING_SECONDS = 20
STALLS_MIN = 5              # a third of the usual number, as chance decides
WATCH_SECONDS = 0.2
MODES = ("transaction", "session", "session")   # the mode while PgBouncer is killed
START_MS = 1000             # for keeper and unit, because a lab's hosts share few cores


@contextlib.contextmanager
def through_port(t, port):
    """Neither PgBouncer nor the proxy uses TLS here."""
    for host in (*t.standbys, t.leader):
        t.cluster.configure(host, conninfo=f"port={port} sslmode=disable", arbiter="allow_unverified = true;")
    yield

    def undo(host):
        t.cluster.configure(host)
        host.systemctl("reload", "tenured.service")
    everywhere(t.hosts, undo)
    t.cluster.wait_ready()


@contextlib.contextmanager
def through_pooler(t, mode):
    t.db.pool(mode)
    with through_port(t, POOLER_PORT):
        yield
    t.db.systemctl("stop", "pgbouncer.service")


def reload_all(t):
    for host in (*t.standbys, t.leader):
        host.systemctl("reload", "tenured.service")


def lease_works(t):
    """The method lease needs only rows, so any session will do."""
    reload_all(t)
    t.until("all agents come through the pooler", lambda: all(
        f":{POOLER_PORT}" in t.cluster.status(h).get("arbiter", "") for h in t.hosts))
    t.leader = t.cluster.wait_ready()
    for mode in MODES:
        restart_pooler(t, mode, t.fault)
        t.undisturbed(seconds=1.5 * t.lease_ms / 1000)
        t.gap_at_most(0)
        old = t.leader
        t.stop_agent(old)
        t.leader = t.next_leader()
        old.systemctl("start", "tenured.service")
        t.until(f"{old} is a standby", lambda h=old: t.cluster.status(h).get("role") == "standby")
        t.gap_at_most(2500)


def advisory_refuses(t):
    """Clients of a pooler share sessions, and so their locks."""
    t.fault("the agents are sent through the pooler", lambda: reload_all(t))
    t.effect("the agents come through it", lambda: all(
        f":{POOLER_PORT}" in t.cluster.status(h).get("arbiter", "") for h in t.hosts))
    t.until("no host runs the unit", lambda: not t.testimony.running(within=300 * clock.MS),
            timeout=t.lease_ms / 1000 + 1)
    for host in t.hosts:
        reason = t.until(f"the status of {host} says why", lambda h=host: "pooler" in (
            t.cluster.status(h).get("reason", "")) and t.cluster.status(h)["reason"])
    t.note(reason)
    for mode in MODES:
        restart_pooler(t, mode, t.fault_in_the_dark)
        t.stays("no host runs the unit", lambda: not t.testimony.running(within=300 * clock.MS),
                t.lease_ms / 1000)
        t.check("every status says why", all(
            "pooler" in t.cluster.status(h).get("reason", "") for h in t.hosts))


def restart_pooler(t, mode, fault):
    started = t.db.main_pid("pgbouncer.service")

    def restart():
        """PgBouncer is killed, because in session mode a stop would wait for its clients."""
        t.db.systemctl("kill", "--signal=KILL", "pgbouncer.service")
        t.db.pool(mode)
    fault(f"PgBouncer is killed and started, {mode} mode", restart)
    t.effect("it is another process", lambda: t.db.main_pid("pgbouncer.service") not in (0, started))


@scenario("a pooler in between: the method lease needs no session, and the method advisory refuses with the reason")
def pooler(t):
    with through_pooler(t, "transaction"):
        lease_works(t) if t.method == "lease" else advisory_refuses(t)


class Watch:
    """Collects what the agents report about the arbiter while the proxy stalls: an unreported fault would prove nothing."""

    def __init__(self, t):
        self.t, self.term, self.troubles = t, t.db.lease(t.group)["term"], set()

    def look(self, seconds):
        end = clock.now() + seconds * clock.SECOND
        while clock.now() < end:
            for host in self.t.hosts:
                status = self.t.cluster.status(host)
                if status and not status["connected"]:
                    self.troubles.add(host.name)
            time.sleep(WATCH_SECONDS)

    def terms(self):
        return self.t.db.lease(self.t.group)["term"] - self.term


@scenario("a proxy in between stalls for up to two leases, in the middle of a query")
def proxy_stalls(t):
    """Renewals arrive long after they were sent, and so do replies to requests that were given up."""
    seed = random.randrange(1 << 32)
    proxy = t.db.stalling_proxy(seed, 2 * t.lease_ms)
    try:
        # The proxy reads the traffic, to know whether a query is unanswered.
        with through_port(t, STALLING_PORT):
            reload_all(t)
            t.until("all agents come through it", lambda: all(
                f":{STALLING_PORT}" in t.cluster.status(h).get("arbiter", "") for h in t.hosts))
            t.leader = t.cluster.wait_ready()
            watch = Watch(t)
            t.fault(f"the proxy stalls (seed {seed})", lambda: proxy.stall(True))
            watch.look(STALLING_SECONDS)
            t.effect(f"{STALLS_MIN} times it has held something back while a query was unanswered",
                     lambda: proxy.stalls() >= STALLS_MIN)
            t.timeline.fault("the proxy stalls no more")
            proxy.stall(False)
            t.figures["stalls in mid-query"] = str(proxy.stalls())
            # The proxy may hold a renewal for two more leases, and standbys count from its arrival.
            bound = 2 * t.lease_ms + t.lease_ms * 1.001 + t.duration_ms / 4 + START_MS + 300
            try:
                t.cluster.wait_leader(timeout=bound / 1000)
            except LabError as e:
                raise Failed(f"{e}, the bound by the lease") from None
            t.cluster.wait_ready()
            t.figures["new terms"] = str(watch.terms())
            t.figures["agents that reported it"] = str(len(watch.troubles))
            t.check("terms changed, or a status reported it", watch.terms() or watch.troubles)
            row = t.db.lease(t.group)
            t.stays("no other node leads", lambda: t.db.lease(t.group) == row, 2 * t.lease_ms / 1000)
    finally:
        proxy.stop()
