# SPDX-License-Identifier: Apache-2.0
"""The configuration changes, is wrong, or is overridden."""

from lab.cluster import APPLIED, METHODS
from lab.database import PASSWORD
from lab.scenario import scenario

# A name that systemd has to escape, or one group's slice would be inside another's.
SECOND = "work-second"
SECOND_UNIT = "second.service"
SECOND_FILE = f"/etc/tenure/groups.d/{SECOND}.conf"
# The keeper of group work-second.
SECOND_KEEPER = "tenure@work-second.service"


def add_second(t, host):
    host.write_file(f"/etc/systemd/system/{SECOND_UNIT}",
                    "[Service]\nExecStart=/bin/sleep infinity\n")
    t.cluster.write_group(host, {"name": SECOND, "units": [SECOND_UNIT], "lease": t.cluster.lease,
                                 "stop_timeout": t.cluster.stop_timeout})


def reload_all(t, **options):
    for host in t.hosts:
        host.systemctl("reload", "tenured.service", **options)


def release_all(t, group):
    """No host runs the unit that left the group."""
    for host in t.hosts:
        host.run("tenurectl", "apply", "--release", group)


def running(t, unit):
    return [h for h in t.hosts if h.state(unit) == "active"]


@scenario("a group is added, removed and released again: the other group is undisturbed, and the unit is free only then")
def group_added_and_removed(t):
    keeper = t.leader.main_pid(t.keeper)

    def add():
        for host in t.hosts:
            add_second(t, host)
        reload_all(t)
    t.fault(f"group {SECOND} is added, systemctl reload tenured", add)
    t.effect(f"{SECOND} is led by one host", lambda: len(running(t, SECOND_UNIT)) == 1)
    where = running(t, SECOND_UNIT)[0]
    t.check("its unit is in a slice of its own", "/tenure.slice/tenure-work\\x2dsecond.slice/"
            in where.property(SECOND_UNIT, "ControlGroup"))
    t.check("its keeper is active", where.state(SECOND_KEEPER) == "active")

    t.timeline.fault(f"group {SECOND} is removed, systemctl reload tenured")
    for host in t.hosts:
        host.run("rm", SECOND_FILE)
    # The leader is last: no other host must lead the group meanwhile.
    for host in [h for h in t.hosts if h is not where] + [where]:
        host.systemctl("reload", "tenured.service")
    t.check("its unit is stopped when the reload has ended", not running(t, SECOND_UNIT))
    # For all that one host knows, other hosts may still have the group.
    for host in t.hosts:
        t.check(f"its guards stay on {host}", "tenure@work" in host.property(SECOND_UNIT, "BindsTo"))
        t.check(f"its unit cannot be started on {host}",
                not host.systemctl("start", SECOND_UNIT, check=False).ok and host.state(SECOND_UNIT) == "inactive")
    release_all(t, SECOND)
    for host in t.hosts:
        t.check(f"its guards are gone from {host}", host.property(SECOND_UNIT, "BindsTo") == ""
                and not host.exists(f"/etc/systemd/system/{SECOND_UNIT}.d"))
    t.check("its record is released", t.db.lease(SECOND)["clean"])
    t.check("the other group's keeper is the same", t.leader.main_pid(t.keeper) == keeper)
    t.undisturbed(seconds=1)
    t.gap_at_most(0)


@scenario("a configuration file is broken: the reload fails and says why, and nothing changes")
def broken_configuration_file(t):
    old = t.leader
    before = old.read_file(APPLIED[0])
    old.write_file(SECOND_FILE, 'groups = ( { name = "x y"; units = [ "worker.service" ]; '
                                'lease = "1s"; colour = "red"; } );\n')
    r = t.fault(f"a broken file on {old}, systemctl reload tenured",
                lambda: old.systemctl("reload", "tenured.service", check=False))
    t.effect("the reload fails", lambda: not r.ok)
    said = old.journal("tenured.service", lines=30)
    for word in (SECOND_FILE, "x y", "colour", "lease"):
        t.check(f"the journal names {word}:\n{said}", word in said)
    # A daemon-reload and a restart of the agent must not apply it either.
    old.systemctl("daemon-reload")
    old.systemctl("restart", "tenured.service")
    t.check("what is applied is as before", old.read_file(APPLIED[0]) == before)
    t.until("the agent leads on", lambda: t.cluster.status(old).get("role") == "leader")
    old.run("rm", SECOND_FILE)
    t.undisturbed(seconds=1)
    t.gap_at_most(0)


@scenario("the units of a group change: the leader steps down, and leads again with the new ones")
def units_changed(t):
    group = {"name": t.group, "units": [t.unit, SECOND_UNIT], "lease": t.cluster.lease,
             "stop_timeout": t.cluster.stop_timeout}
    term = t.db.lease(t.group)["term"]

    def change():
        for host in t.hosts:
            host.write_file(f"/etc/systemd/system/{SECOND_UNIT}",
                            "[Service]\nExecStart=/bin/sleep infinity\n")
            t.cluster.configure(host, [group])
            host.systemctl("reload", "tenured.service")
    t.fault("a second unit is declared, systemctl reload tenured", change)
    t.effect("the new unit runs on one host", lambda: len(running(t, SECOND_UNIT)) == 1)
    new = t.cluster.wait_leader()
    t.check("where the first one runs", running(t, SECOND_UNIT) == [new])
    t.check("in a new term", t.db.lease(t.group)["term"] > term)
    for host in t.hosts:
        t.cluster.configure(host)
        host.systemctl("reload", "tenured.service")
    t.cluster.wait_ready()
    t.check("the unit that was taken out is stopped", not running(t, SECOND_UNIT))
    for host in t.hosts:
        t.check(f"and cannot be started on {host}", not host.systemctl("start", SECOND_UNIT, check=False).ok)
    release_all(t, t.group)
    t.check("before it is released", t.leader.systemctl("start", SECOND_UNIT, check=False).ok)
    t.leader.systemctl("stop", SECOND_UNIT)
    t.gap_at_most(4 * 1000)


@scenario("the method of a group changes: the leader steps down, and a node claims by the other method")
def method_changed(t):
    other = next(m for m in METHODS if m != t.method)
    group = {"name": t.group, "units": [t.unit], "lease": t.cluster.lease,
             "stop_timeout": t.cluster.stop_timeout, "method": other}
    term = t.db.lease(t.group)["term"]

    def change():
        for host in t.hosts:
            t.cluster.configure(host, [group])
            host.systemctl("reload", "tenured.service")
    t.fault(f"method = {other}, systemctl reload tenured", change)
    t.effect(f"the row is claimed by the method {other}",
             lambda: t.db.lease(t.group)["method"] == other and not t.db.lease(t.group)["clean"])
    t.check("in a new term", t.db.lease(t.group)["term"] > term)
    t.cluster.wait_ready()
    for host in t.hosts:
        t.cluster.configure(host)
        host.systemctl("reload", "tenured.service")
    t.until(f"{t.method} again", lambda: t.db.lease(t.group)["method"] == t.method)
    t.cluster.wait_ready()
    t.gap_at_most(4 * 1000)


def with_lease(t, lease, hosts=None):
    """Configures the group with another lease, on all hosts or on these."""
    group = {"name": t.group, "units": [t.unit], "lease": lease, "stop_timeout": t.cluster.stop_timeout}
    for host in hosts or t.hosts:
        t.cluster.configure(host, [group])
        host.systemctl("reload", "tenured.service")


def keepers_lease(t, host):
    """The lease in the keeper's state, in milliseconds."""
    state = host.read_file(f"/run/tenure/groups/{t.group}/live/state")
    return int(dict(line.split("=") for line in state.splitlines()[1:])["lease_usec"]) / 1000


def rows_lease(t):
    return t.db.lease(t.group)["lease_usec"] / 1000


@scenario("the lease becomes longer, then shorter, within one term: the term goes on undisturbed")
def lease_changed(t):
    old, keeper, term = t.leader, t.leader.main_pid(t.keeper), t.db.lease(t.group)["term"]
    old.sh("systemd-run --quiet --collect --unit=signals busctl --json=short monitor org.tenure1")
    signalled = lambda name: f'"{name}":{{"type":"t","data":8000000}}' in old.sh("journalctl -q -b -o cat -u signals")
    t.fault("lease = 8s, systemctl reload tenured", lambda: with_lease(t, "8s"))
    t.effect("it is applied", lambda: "8s" in old.read_file(APPLIED[0]))
    t.until("the row has it with the next renewal", lambda: rows_lease(t) == 8000)
    t.check("the keeper has not", keepers_lease(t, old) == t.lease_ms)
    t.check("status shows both", "(8s is configured)" in old.run("tenurectl", "status", t.group).out)
    t.until("the keeper has it when the row has shown it for a lease", lambda: keepers_lease(t, old) == 8000)
    t.check("status shows one", "is configured)" not in old.run("tenurectl", "status", t.group).out)
    t.until("D-Bus clients receive signals of both", lambda: signalled("ConfiguredLease") and signalled("Lease"))
    t.until("the journal says since when", lambda: t.said(old, "tenured.service", "has the configured lease now, 8s"))
    old.systemctl("stop", "signals.service")
    with_lease(t, t.cluster.lease)
    t.until("the row's lease shrinks", lambda: t.lease_ms < rows_lease(t) < 8000, every=0.005)
    t.until("to what is configured", lambda: rows_lease(t) == t.lease_ms)
    t.until("and the keeper has it", lambda: keepers_lease(t, old) == t.lease_ms)
    t.undisturbed(seconds=t.lease_ms / 1000)
    t.check("the keeper is the same", old.main_pid(t.keeper) == keeper)
    t.check("the term is the same", t.db.lease(t.group)["term"] == term)
    t.gap_at_most(0)


@scenario("the leader is cut off while its lease becomes longer: it uses the old lease, and the standbys use the new one")
def lease_longer_and_cut(t):
    old = t.leader
    with_lease(t, "8s")
    t.until("the row has it", lambda: rows_lease(t) == 8000)
    t.fault(f"{old} is cut off, half open", lambda: old.cut(clean=False))
    t.effect("packets are dropped", lambda: t.lab.network.is_cut(old.name))
    t.check("the keeper has the old lease", keepers_lease(t, old) == t.lease_ms)
    t.until("it ends by its own deadline", lambda: old.state(t.unit) != "active", timeout=t.lease_ms / 1000 + 2)
    t.check("another one leads", t.next_leader(8 + 10) is not old)
    t.check("no node did before the longer lease had expired", t.gap_ms() > 8000 - t.lease_ms)
    old.heal()
    t.cluster.wait_ready()
    for host in t.hosts:
        t.cluster.configure(host)
        host.systemctl("reload", "tenured.service")
    t.gap_at_most(8000 + 2000)


@scenario("the leader is cut off while its lease becomes shorter: the record covers the keeper's deadline")
def lease_shorter_and_cut(t):
    old = t.leader
    with_lease(t, "12s")
    t.until("the keeper has it", lambda: keepers_lease(t, old) == 12000, timeout=15)
    with_lease(t, t.cluster.lease)
    t.until("the row's lease shrinks", lambda: rows_lease(t) < 11000, every=0.005)
    t.fault(f"{old} is cut off, half open", lambda: old.cut(clean=False))
    t.effect("packets are dropped", lambda: t.lab.network.is_cut(old.name))
    t.check("the keeper has the longer lease", keepers_lease(t, old) == 12000)
    t.check("another one leads", t.next_leader(12 + 10) is not old)
    old.heal()
    t.cluster.wait_ready()
    t.gap_at_most(12000 + 2000)


@scenario("an administrator's drop-in overrides a guard: that host does not claim, and says why")
def guard_overridden(t):
    bad, good = t.standbys
    drop_in = f"/etc/systemd/system/{t.unit}.d/~~.conf"
    bad.write_file(drop_in, "[Service]\nSendSIGKILL=no\n")
    bad.systemctl("daemon-reload")
    t.until(f"the status of {bad} names the unit and the property", lambda: (
        lambda s: s.get("role") == "blocked" and t.unit in s["reason"]
        and "SendSIGKILL" in s["reason"])(t.cluster.status(bad)))
    t.fault(f"the plug of {t.leader} is pulled", t.leader.pull_plug)
    t.effect("it is off", lambda: not t.leader.up)
    t.check("the other standby leads", t.next_leader() is good)
    t.silent(bad)
    bad.run("rm", drop_in)
    bad.systemctl("daemon-reload")
    t.until(f"{bad} is a standby again", lambda: t.cluster.status(bad).get("role") == "standby")
    t.gap_at_most(t.lease_ms + 2000)


@scenario("the applied configuration is damaged: the host boots, and no unit runs without guards")
def applied_configuration_damaged(t):
    other = t.standbys[0]
    other.systemctl("enable", "--quiet", t.unit)

    def damage():
        for path in APPLIED:
            other.run("sh", "-c", f"echo 'nonsense = {{' >>{path}")
        other.reboot()
    booted = other.boots
    t.fault(f"applied.conf and its copy are damaged on {other}, and it is rebooted", damage)
    t.effect("it has booted again", lambda: other.up and other.boots == booted + 1)
    t.check(f"the system state is {other.system_state()}, not running",
            other.system_state() == "running")
    t.check("its agent runs", other.state("tenured.service") == "active")
    status = other.property("tenured.service", "StatusText")
    t.check(f"its status says what to do: {status}", "tenurectl apply" in status)
    t.check("the unit does not run", other.state(t.unit) == "inactive")
    r = other.systemctl("start", t.unit, check=False)
    t.check("and cannot be started by hand", not r.ok and other.state(t.unit) == "inactive")
    other.systemctl("disable", "--quiet", t.unit)
    other.run("tenurectl", "apply")
    t.until("after tenurectl apply it is a standby", lambda: t.cluster.status(other).get("role")
            == "standby")
    t.silent(other)
    t.gap_at_most(0)


@scenario("the password is a credential of the agent's unit, read from a file that only root can read")
def password_by_credential(t):
    drop_in = "/etc/systemd/system/tenured.service.d/password.conf"

    def prepare(host):
        host.write_file("/etc/tenure/password", f"{PASSWORD}\n", 0o600)
        host.write_file(drop_in, "[Service]\nLoadCredential=password:/etc/tenure/password\n")
        path = "/etc/tenure/tenure.conf"
        host.write_file(path, host.read_file(path).replace("passfile=/etc/tenure/pgpass", ""),
                        0o640, "root:tenure")
        host.run("rm", "/etc/tenure/pgpass")
        host.systemctl("daemon-reload")
        host.systemctl("restart", "tenured.service")
        host.systemctl("reload", "tenured.service")
    agents = {h: h.main_pid("tenured.service") for h in t.hosts}
    t.fault("there is a credential, and no other password", lambda: [
        prepare(h) for h in (*t.standbys, t.leader)])
    t.effect("all agents have logged in again", lambda: t.cluster.wait_ready() and all(
        h.main_pid("tenured.service") != agents[h] for h in t.hosts))
    t.undisturbed(seconds=t.lease_ms / 1000)
    t.gap_at_most(0)
    for host in t.hosts:
        host.run("rm", drop_in, "/etc/tenure/password")
        t.cluster.configure(host)
        host.systemctl("daemon-reload")
        host.systemctl("restart", "tenured.service")
        host.systemctl("reload", "tenured.service")
    t.cluster.wait_ready()
