# SPDX-License-Identifier: Apache-2.0
"""What a standby reports about a silent leader, and about a group that no node can lead."""

from lab import clock
from lab.clock import logged_at
from lab.scenario import scenario

CANNOT = "nobody leads the group, and this node cannot take it over: "
# After the lease has expired: the delay before the alert, a poll, and the time that the host needs.
ALERT_SECONDS = 3 + 2 + 2 + 2
RIGHT_MS = 200


def pull_plug(t):
    old = t.leader
    t.fault(f"the plug of {old} is pulled", old.pull_plug)
    t.effect("no process of it is left", lambda: not old.up and not old.cgroup.populated())


def reasons(t, host):
    """Why no node leads and this host cannot, by its journal's alerts since the fault."""
    return [line.split(CANNOT)[1] for line in t.said(host, "tenured.service", CANNOT, "alert")]


def all_say(t, words):
    """Each standby says so, in its status and once in its journal."""
    t.until(f"the status of every standby says: {words}", lambda: all(
        words in t.cluster.status(h).get("reason", "") for h in t.standbys), timeout=t.lease_ms / 1000 + 5)
    t.until("so does an alert", lambda: all(any(words in r for r in reasons(t, h)) for h in t.standbys),
            timeout=t.lease_ms / 1000 + ALERT_SECONDS)
    for host in t.standbys:
        t.check(f"{host} says it once: {reasons(t, host)}", len(reasons(t, host)) == 1)
    t.check("no node leads", not any(t.cluster.is_leader(h) for h in t.standbys))


def led_again(t):
    """The agents that reported the missing leader report the new one."""
    t.leader = t.next_leader()
    t.until("the journals say that it is led again", lambda: all(
        t.said(h, "tenured.service", "the group is led again", "notice") for h in t.hosts if h.up))


@scenario("the leader's plug is pulled: standbys report how long it has been silent, and when they will claim")
def failover_countdown(t):
    for host in t.standbys:
        left = t.cluster.status(host)["claims_in_seconds"]
        t.check(f"{host} waits for a lease that is renewed: {left:.1f} s are left", left > t.lease_ms / 2000)
    pull_plug(t)
    said = []

    def ask():
        for host in t.standbys:
            before = clock.now()
            status = t.cluster.status(host)
            left = status.get("claims_in_seconds")
            if left is not None and status.get("role") == "standby":
                said.append((host, before, clock.now(), left))
        return any(t.cluster.is_leader(h) for h in t.standbys)
    silent = t.until("the human-readable status says so, too", lambda: next(filter(None, (
        next((line for line in h.run("tenurectl", "status").out.splitlines() if "not renewed for" in line), None)
        for h in t.standbys)), None))
    t.check(f"it names the silent leader and the claim to come: {silent}", f"{t.leader} leads; not renewed for " in silent and ", this node takes over in " in silent)
    t.until("a standby leads", ask, timeout=t.lease_ms / 1000 + 5)
    t.leader = t.next_leader()
    at = logged_at(t.said(t.leader, "tenured.service", "claimed, term")[0])
    shown = [(before, after, left) for host, before, after, left in said if host is t.leader and 0 < left < t.lease_ms / 2000]
    t.check(f"it was asked in the second half of the wait: {len(shown)} times", len(shown) >= 3)
    for before, after, left in shown:
        early, late = clock.ms(before - at) + left * 1000, clock.ms(after - at) + left * 1000
        t.check(f"{left:.3f} s were left {clock.ms(at - before):.0f} ms before the claim", early <= RIGHT_MS and late >= -RIGHT_MS)
    t.figures["countdown right to"] = f"{max(abs(clock.ms((b + a) / 2 - at) + left * 1000) for b, a, left in shown):.0f} ms"
    t.gap_at_most(t.lease_ms + 2000)


@scenario("the standbys use the other method: they say that they cannot lead, before and after the leader's plug is pulled")
def methods_differ(t):
    other = next(m for m in ("lease", "advisory") if m != t.method)
    words = f"the lease is of the method {t.method}, and this host has {other}"

    def configure(method):
        for host in t.hosts:
            if host.up and host is not t.leader:
                t.cluster.configure(host, [{"name": t.group, "units": [t.unit], "lease": t.cluster.lease,
                                            "stop_timeout": t.cluster.stop_timeout, "method": method}])
                host.systemctl("reload", "tenured.service")
    t.fault(f"the standbys get the method {other}", lambda: configure(other))
    t.effect("they are blocked, and say why", lambda: all(
        (lambda s: s.get("role") == "blocked" and words in s.get("reason", ""))(t.cluster.status(h)) for h in t.standbys))
    t.undisturbed(seconds=t.lease_ms / 1000)
    t.check("no node reports that it is not led", not any(reasons(t, h) for h in t.standbys))
    pull_plug(t)
    all_say(t, words)
    configure(t.method)
    t.leader = t.next_leader()


def holds(t, words, sql):
    """A foreign session runs this SQL and stays open. Returns the pid of its server process."""
    t.db.sh(f"systemd-run --quiet --unit=stranger --uid=postgres sh -c \"echo \\\"{sql}; select pg_sleep(600)\\\" | "
            "PGAPPNAME=stranger exec psql -X -q -d tenure\"")
    return t.until(words, lambda: t.db.psql(
        "select pid from pg_stat_activity where application_name = 'stranger' and query ~ 'pg_(sleep|advisory_lock)'"))


@scenario("a foreign transaction, or with advisory a foreign lock, blocks all claims: every journal names it")
def foreign_transaction_blocks_claim(t):
    if t.method == "advisory":
        pid = holds(t, "a stranger waits for the group's lock", f"select pg_advisory_lock(tenure.lock_key('{t.group}'))")
        words = f"the group's advisory lock, which process {pid} of role \"postgres\", application \"stranger\", has"
    else:
        pid = holds(t, "a stranger's transaction is open",
                    f"begin; select from tenure.lease where grp = '{t.group}' for key share")
        words = f"an open transaction of process {pid} of role \"postgres\", application \"stranger\""
    pull_plug(t)
    all_say(t, words)
    t.db.psql(f"select pg_terminate_backend({pid})")
    led_again(t)


@scenario("a forgotten prepared transaction blocks all claims: every journal names it")
def prepared_transaction_blocks_claim(t):
    t.db.psql(f"begin; select from tenure.lease where grp = '{t.group}' for key share; prepare transaction 'month-end'")
    t.stays(f"{t.leader} leads on", lambda: t.cluster.is_leader(t.leader), t.lease_ms / 1000)
    pull_plug(t)
    all_say(t, "the prepared transaction 'month-end' of role \"postgres\"")
    t.db.psql("rollback prepared 'month-end'")
    led_again(t)


@scenario("a foreign lock on the whole table blocks all claims: every journal names its holder and the remedy")
def table_lock_blocks_claim(t):
    mode = "exclusive" if t.method == "advisory" else "access exclusive"
    t.db.sh(f"systemd-run --quiet --collect --unit=stranger --uid=postgres sh -c \"echo \\\"begin; lock table tenure.lease in {mode} mode; "
            "select pg_sleep(600)\\\" | PGAPPNAME=stranger exec psql -X -q -d tenure\"")
    pid = t.until("a stranger has the table locked", lambda: t.db.psql(
        "select pid from pg_locks where relation = 'tenure.lease'::regclass and mode ~ 'Exclusive' and granted "
        "and pid in (select pid from pg_stat_activity where application_name = 'stranger')"))
    pull_plug(t)
    all_say(t, f"the table tenure.lease is locked: process {pid} of role \"postgres\", application \"stranger\", has a lock (")
    for host in t.standbys:
        said = reasons(t, host)[0]
        t.check(f"since when, and what to do: {said}", " since 20" in said
                and f"to end it, run \"select pg_terminate_backend({pid})\"" in said)
        t.check("it is blocked", t.cluster.status(host).get("role") == "blocked")
    t.db.psql(f"select pg_terminate_backend({pid})")
    led_again(t)


TICKETS = "/run/tenure/tickets"
# (fault, shell command that causes it, the remedy that the message names, words of the message)
NO_TICKETS = (
    ("the ticket directory is root's", f"chown root {TICKETS}", "systemd-tmpfiles --create tenure.conf",
     "Permission denied: it belongs to another user: run systemd-tmpfiles --create tenure.conf"),
    ("the ticket directory is gone", f"rmdir {TICKETS}", "systemd-tmpfiles --create tenure.conf; systemctl restart tenured",
     "run systemd-tmpfiles --create tenure.conf, then systemctl restart tenured"),
)


@scenario("no standby can write a ticket: each says so in advance, with cause and remedy; without a leader it is an alert")
def tickets_unwritable(t):
    for what, _, _, _ in NO_TICKETS:
        t.note(what)
    broken = dict(zip(t.standbys, NO_TICKETS))
    for host, (_, spoil, _, _) in broken.items():
        host.sh(spoil)
    pull_plug(t)
    for host, (what, _, _, words) in broken.items():
        t.until(f"{what} on {host}: its status says so", lambda h=host, w=words: w in t.cluster.status(h).get("reason", ""))
        t.check("it is blocked", t.cluster.status(host).get("role") == "blocked")
    for host, (_, _, _, words) in broken.items():
        t.until(f"an alert on {host} says: {words}", lambda h=host, w=words: any(w in r for r in reasons(t, h)),
                timeout=t.lease_ms / 1000 + ALERT_SECONDS)
        t.check(f"{host} says it once: {reasons(t, host)}", len(reasons(t, host)) == 1)
    t.check("no node leads", not any(t.cluster.is_leader(h) for h in t.standbys))
    for host, (_, _, mend, _) in broken.items():
        host.sh(mend)
    t.leader = t.next_leader()
