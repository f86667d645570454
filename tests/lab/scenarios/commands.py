# SPDX-License-Identifier: Apache-2.0
"""Commands as operators type them, with the names they use, and what the commands report."""

import json

from lab.scenario import scenario

from .configuration import (SECOND, SECOND_FILE, SECOND_KEEPER, SECOND_UNIT, add_second, release_all, reload_all,
                            running)

ESCAPED = SECOND.replace("-", "\\x2d")
EARLIER_KEEPER = f"tenure@{ESCAPED}.service"
GENERATOR = "/usr/lib/systemd/system-generators/tenure-generator"
KEPT_GENERATOR = "/root/tenure-generator"
NO_RESTART = "/run/systemd/system/tenured.service.d/no-restart.conf"
# Run in a directory of drop-ins.
RENAME = f"""mv 'tenure@{SECOND}.service.d' '{EARLIER_KEEPER}.d' &&
    sed -i 's/tenure@{SECOND}/tenure@{ESCAPED.replace(chr(92), chr(92) * 2)}/' */'~tenure.conf'"""
EARLIER_DROP_IN = f"/etc/systemd/system/{EARLIER_KEEPER}.d/earlier.conf"


def remove_second(t):
    for host in t.hosts:
        host.run("rm", "-f", SECOND_FILE)
        host.systemctl("reload", "tenured.service")
    release_all(t, SECOND)
    for host in t.hosts:
        host.run("rm", f"/etc/systemd/system/{SECOND_UNIT}")
        host.systemctl("daemon-reload")


def leader_of_second(t):
    found = running(t, SECOND_UNIT)
    return found[0] if len(found) == 1 else None


def status(host, *arguments):
    """Exit status of `tenurectl status --json`, and its object."""
    r = host.run("tenurectl", "status", "--json", *arguments, check=False)
    return r.code, json.loads(r.out) if r.out.strip() else None


@scenario("a group has a dash in its name: is-active, stop and is-leader accept the name as it is")
def group_name_with_dash(t):
    def add():
        for host in t.hosts:
            add_second(t, host)
        reload_all(t)
    t.fault(f"group {SECOND} is added, systemctl reload tenured", add)
    t.effect("it is led by one host", lambda: leader_of_second(t))
    old = leader_of_second(t)
    for host in t.hosts:
        is_active = host.systemctl("is-active", f"tenure@{SECOND}", check=False)
        t.check(f"is-active on {host} says {is_active.out.strip()}", is_active.ok == (host is old))
        t.check(f"is-leader on {host}", host.run("tenurectl", "is-leader", SECOND, check=False).code
                == (0 if host is old else 1))
        typo = host.run("tenurectl", "is-leader", f"{SECOND}s", check=False)
        t.check(f"an unknown name is reported, {typo.code}: {typo.err}", typo.code == 4 and f"{SECOND}s" in typo.err)
    t.check("its processes are in a slice of its own", f"/tenure.slice/tenure-{ESCAPED}.slice/"
            in old.property(SECOND_UNIT, "ControlGroup"))

    t.fault(f"systemctl stop tenure@{SECOND}", lambda: old.systemctl("stop", f"tenure@{SECOND}"))
    t.effect("another host leads it", lambda: leader_of_second(t) not in (None, old))
    remove_second(t)
    t.undisturbed(seconds=1)
    t.gap_at_most(0)


def as_earlier_version(host, ticket):
    """Puts the host into the state of an earlier version, which escaped the group's name in the keeper's name, too: both copies
    of the guards, and a live keeper. The agent has just died."""
    host.run("mv", GENERATOR, KEPT_GENERATOR)
    host.write_file(GENERATOR, f"""#!/bin/sh
{KEPT_GENERATOR} "$@"
cd "$2" || exit 1
{RENAME}
""", 0o755)
    host.sh(f"cd /etc/systemd/system && {RENAME}")
    host.write_file(EARLIER_DROP_IN, f"""[Unit]
ConditionPathExists=
[Service]
RuntimeDirectory=
RuntimeDirectory=tenure/groups/{SECOND}
ExecStart=
ExecStart=/usr/lib/tenure/tenure-keeper {SECOND}
""")
    host.systemctl("daemon-reload")
    host.write_file(f"/run/tenure/tickets/{SECOND}", ticket, 0o600, "tenure:tenure")
    host.systemctl("start", EARLIER_KEEPER)


def upgrade(host):
    host.run("mv", KEPT_GENERATOR, GENERATOR)
    host.run("rm", EARLIER_DROP_IN)
    host.systemctl("daemon-reload")


def lead_second_elsewhere(t):
    """The leader of the second group, on a standby of the first, with at least half a minute until its deadline."""
    def add():
        for host in t.hosts:
            add_second(t, host)
        reload_all(t)
        t.until("it is led", lambda: leader_of_second(t))
        for host in t.hosts:
            t.cluster.write_group(host, {"name": SECOND, "units": [SECOND_UNIT], "lease": "60s", "stop_timeout": "1s"})
        reload_all(t)
    t.fault(f"group {SECOND} is added, with a lease of 60 s at last", add)
    t.effect("it is led", lambda: leader_of_second(t))
    for _ in range(8): # a claim uses the new lease at once
        old = leader_of_second(t)
        old.systemctl("stop", f"tenure@{SECOND}")
        t.until("another host leads it", lambda: leader_of_second(t) not in (None, old))
        if leader_of_second(t) is not t.leader:
            return leader_of_second(t)
    t.check("a standby of the first group leads it", False)


@scenario("an upgrade finds a keeper under an earlier version's name: it ends, the record is released, and a new one leads")
def keeper_of_earlier_version(t):
    old = lead_second_elsewhere(t)
    ticket = old.read_file(f"/run/tenure/groups/{SECOND}/live/state")
    term = t.db.lease(SECOND)["term"]
    old.write_file(NO_RESTART, "[Service]\nRestart=no\n")
    old.systemctl("daemon-reload")
    t.fault(f"the agent of {old} is killed", lambda: old.kill("tenured.service"))
    t.effect("it is dead", lambda: old.state("tenured.service") != "active")
    old.systemctl("stop", f"tenure@{SECOND}")
    as_earlier_version(old, ticket)
    t.check("the earlier keeper is active", old.state(EARLIER_KEEPER) == "active")
    t.check("its unit runs", leader_of_second(t) is old)
    bound = old.property(SECOND_UNIT, "BindsTo") # in quotes, with backslashes doubled
    t.check(f"bound to it: {bound}", bound.strip('"').replace("\\\\", "\\") == EARLIER_KEEPER)

    t.fault(f"this version is installed on {old}: daemon-reload", lambda: upgrade(old))
    t.effect("the earlier keeper ends", lambda: old.state(EARLIER_KEEPER) in ("inactive", "failed"))
    t.check(f"without a failure: {old.state(EARLIER_KEEPER)}", old.state(EARLIER_KEEPER) == "inactive")
    t.check("so has its unit", old.state(SECOND_UNIT) == "inactive" and not running(t, SECOND_UNIT))
    t.check("nothing of the term is left", not old.exists(f"/run/tenure/groups/{SECOND}"))
    t.check("its record is not released yet", not t.db.lease(SECOND)["clean"])
    t.check("it cannot be started again", not old.systemctl("start", EARLIER_KEEPER, check=False).ok
            or old.state(EARLIER_KEEPER) == "inactive")

    old.run("rm", NO_RESTART)
    old.systemctl("daemon-reload")
    t.fault(f"the agent of {old} is started", lambda: old.systemctl("start", "tenured.service"))
    t.effect("one host leads the group long before the lease has expired", lambda: leader_of_second(t), timeout=20)
    new = leader_of_second(t)
    t.check("with a keeper of the group's own name", new.state(SECOND_KEEPER) == "active")
    t.check("in a later term", t.db.lease(SECOND)["term"] > term)
    old.run("tenurectl", "apply")
    t.check("an apply leaves nothing of the earlier drop-ins", not old.sh(
        "ls -d /run/systemd/generator.early/tenure@*x2d* /etc/systemd/system/tenure@*x2d* 2>/dev/null; true").strip())
    remove_second(t)
    t.gap_at_most(0)


@scenario("the agent does not run, cannot be reached, or fails to reload: what the commands answer")
def command_errors(t):
    other = t.standbys[0]
    other.write_file(SECOND_FILE, "groups = ( { name = 5; } );\n")
    r = t.fault(f"a broken file on {other}, systemctl reload tenured",
                lambda: other.systemctl("reload", "tenured.service", check=False))
    t.effect("the reload fails", lambda: not r.ok)
    t.check(f"systemctl points to the status: {r.err}", "systemctl status tenured" in r.err)
    said = other.systemctl("status", "--full", "tenured.service", check=False).out
    t.check(f"the status names file, line and remedy:\n{said}", f"{SECOND_FILE}:1: name is the integer 5" in said
            and "sudo tenurectl apply" in said)
    errors = other.sh("journalctl -q -b -p err -u tenured.service -o cat")
    t.check("the journal has them as errors", f"{SECOND_FILE}:1:" in errors)
    r = other.run("tenurectl", "apply", check=False)
    t.check(f"tenurectl apply reports them itself: {r.err}", not r.ok and f"{SECOND_FILE}:1:" in r.err
            and "sudo tenurectl apply" not in r.err)
    other.run("rm", SECOND_FILE)

    t.check("with an agent", status(other)[0] == 0 and status(other)[1]["agent"] == "running")
    code, what = status(other, "no-such-group")
    t.check("no such group", code == 4 and what is None)
    agent = other.main_pid("tenured.service")
    other.kill(agent, "STOP")
    code, what = status(other)
    other.kill(agent, "CONT")
    t.check(f"one that hangs cannot be reached: {code}, {what}", code == 5 and what["agent"] == "not reachable"
            and "does not answer" in what["problem"])
    other.systemctl("stop", "tenured.service")
    code, what = status(other)
    t.check(f"one that was stopped does not run: {code}, {what}", code == 3 and what["agent"] == "not running"
            and what["groups"] == [] and "systemctl start tenured" in what["problem"])

    leader = t.leader
    leader.write_file(NO_RESTART, "[Service]\nRestart=no\n")
    leader.systemctl("daemon-reload")
    leader.kill("tenured.service")
    code, what = status(leader)
    t.check(f"a keeper outlives its agent, and is shown: {code}, {what}", code == 3 and what["node"] is None
            and [(g["name"], g["role"]) for g in what["groups"]] == [(t.group, "leader")])
    leader.run("rm", NO_RESTART)
    leader.systemctl("daemon-reload")
    leader.systemctl("start", "tenured.service")
    other.systemctl("start", "tenured.service")
    t.cluster.wait_ready()
    t.gap_at_most(0)


def reported(host):
    """What `tenurectl status` says of the arbiter, and the status line of `systemctl status`."""
    r = host.run("tenurectl", "status", check=False)
    return r.out if r.ok else "", host.property("tenured.service", "StatusText")


@scenario("a database name is too long for the status line, and a password file is root's: each is logged once")
def connection_errors(t):
    other = t.standbys[0]

    def name():
        t.cluster.configure(other, conninfo=f"host=a{'ä' * 300} dbname=tenure user=tenure")
        failed = other.systemctl("reload", "tenured.service", check=False)
        t.check("a reload does not take it while the present one answers", not failed.ok)
        other.run("tenurectl", "apply", "--force")
    t.fault(f"the database's name on {other} has 300 letters of two bytes", name)
    t.effect("its status says that there is none", lambda: "not connected" in reported(other)[0])
    shown, line = reported(other)
    t.check(f"the name is cut between letters:\n{shown}", "aäää" in shown)
    t.check(f"it appears once: {shown.count('aäää')}", shown.count("aäää") == 1)
    t.check(f"systemctl has it, too: {line}", "aäää" in line)
    t.check("the journal has no blob", "blob data" not in other.sh("journalctl -q -b -u tenured.service"))

    def take_away():
        other.run("chown", "root:root", "/etc/tenure/pgpass")
        t.cluster.configure(other)
        other.run("chown", "root:root", "/etc/tenure/pgpass")
        other.systemctl("reload", "tenured.service")
    t.fault("its password file is root's", take_away)
    t.effect("file, owner and mode are named", lambda: "passfile=/etc/tenure/pgpass (owner root, mode 0600) cannot be read "
             "by user tenure: chown tenure" in reported(other)[0])
    t.check(f"once: {reported(other)[0]}", reported(other)[0].count("passfile=") == 1)
    other.run("chown", "tenure", "/etc/tenure/pgpass")
    t.until("it connects by itself", lambda: t.cluster.status(other).get("role") == "standby", timeout=20)
    t.cluster.wait_ready()
    t.undisturbed(seconds=1)
    t.gap_at_most(0)
