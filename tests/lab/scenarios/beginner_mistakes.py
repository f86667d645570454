# SPDX-License-Identifier: Apache-2.0
"""Mistakes of beginners: each report says what is wrong, why, and what to do."""

import time

from lab import clock
from lab.database import PASSWORD
from lab.scenario import scenario

NEW = "/root/new"
UNITS = "/etc/systemd/system"
# A group that only one host has configured, so that this host leads it.
OWN, OWN_UNIT = "own", "mistake-own.service"
OWN_FILE = f"/etc/tenure/groups.d/{OWN}.conf"
SAYS_SECONDS = 12


class Mistake:
    """What is done, and which command must report it: both shell, on the standby unless `on` says otherwise. words: all
    of them must be there. status: of the command that reports it, None: any. mend: shell again, for a mistake that must not remain."""

    def __init__(self, what, do, ask, words, status=None, mend="", on=None, never=()):
        self.what, self.do, self.ask, self.words, self.status = what, do, ask, words, status
        self.mend, self.on, self.never = mend, on, never
        # An agent or a server takes a moment to notice; tenurectl reports faults in files at once.
        self.waits = ask is None or "check" not in ask or NEW not in ask


class Skipped:
    """A mistake that is not provoked here, and why not."""

    def __init__(self, what, why):
        self.what, self.why = what, why


# ---- tenurectl check with other files ----

def check(what, words, status=2, group=None, edit="", files="", offline=False):
    """edit: a sed command for the connection string. group: the settings of a group. files: more shell commands."""
    write = f"cat >{NEW}/groups.d/m.conf <<'END'\n{group}\nEND\n" if group is not None else ""
    change = f"sed -i '{edit}' {NEW}/tenure.conf\n" if edit else ""
    return Mistake(what, f"""rm -rf {NEW} && mkdir -p {NEW}/groups.d && cp /etc/tenure/tenure.conf {NEW}/
{write}{change}{files}""", f"tenurectl check {NEW}/tenure.conf{' --offline' if offline else ''}", words, status)


def group(settings="", units="", name="m", end=");"):
    units = f"units = [ {units} ];" if units else ""
    return f'groups = ( {{ name = "{name}"; {units} {settings} }} {end}'


PLAIN = '"mistake-plain.service"'


def passfile(what, do, words):
    return check(what, words, edit="s|passfile=[^ ]*|passfile=/etc/tenure/other|",
                 files=f"umask 077; rm -f /etc/tenure/other; echo '*:*:*:*:{PASSWORD}' >/etc/tenure/other; chown tenure /etc/tenure/other; {do}")


CONNECTION = (
    check("the password is wrong", ["password authentication failed for user \"tenure\"", "/etc/tenure/other", "\\password ROLE in psql"],
          edit="s|passfile=[^ ]*|passfile=/etc/tenure/other|",
          files="umask 077; rm -f /etc/tenure/other; echo '*:*:*:*:wrong' >/etc/tenure/other; chown tenure /etc/tenure/other"),
    check("the database has no schema", ["the schema is missing or older", "tenurectl schema | psql", "as its owner"],
          edit="s/dbname=tenure/dbname=postgres/"),
    check("the database does not exist", ["database \"nodb\" does not exist", "dbname= in conninfo", "createdb"], edit="s/dbname=tenure/dbname=nodb/"),
    check("the role does not exist", ["password authentication failed for user \"tenur\"", "is user= in conninfo a role of that server"],
          edit="s/user=tenure/user=tenur/"),
    Mistake("pg_hba.conf has no line for the hosts", "sed -i '/10.77.0.0/s/^/#/' /etc/postgresql/*/main/pg_hba.conf; "
            "systemctl reload postgresql", None, ["no pg_hba.conf entry for host", "add a line for this host, user and database to pg_hba.conf", "pg_reload_conf()"], 2,
            "sed -i '/10.77.0.0/s/^#//' /etc/postgresql/*/main/pg_hba.conf; systemctl reload postgresql", on="db"),
    check("PostgreSQL does not listen on that address and port", ["Connection refused", "is PostgreSQL started there",
          "listen_addresses"], edit="s/host=/port=5439 host=/"),
    check("nobody has that address, or a firewall is in between", ["no connection in time: is the host up, and no firewall in between?"],
          edit="s/host=[^ ]*/host=10.77.0.250/"),
    check("the name of the database's host is none", ["the name cannot be resolved", "pg9.invalid"],
          edit="s/host=[^ ]*/host=pg9.invalid/"),
    check("verify-full without the authority's certificate", ["sslrootcert= in conninfo must name", "user tenure can read"],
          edit="s|sslrootcert=[^ \"]*|sslrootcert=/nonexistent/root.crt|"),
    check("a keyword of the connection string has a typo", ["conninfo is neither", "write something like"],
          edit="s/dbname=/dbnam=/"),
    check("no password at all", ["no password supplied", "passfile=/etc/tenure/pgpass in conninfo, owner tenure, mode 0600"], 3,
          edit="s|passfile=[^ ]*||"),
    passfile("the password file's name has a typo", "rm /etc/tenure/other", ["passfile=/etc/tenure/other: there is no such file"]),
    passfile("the password file is root's", "chown root /etc/tenure/other",
             ["passfile=/etc/tenure/other (owner root, mode 0600) cannot be read by user tenure", "chown tenure"]),
    passfile("the password file can be read by all", "chmod 644 /etc/tenure/other",
             ["passfile=/etc/tenure/other (owner tenure, mode 0644) can be read by others, so libpq does not use it", "chmod 0600"]),
    passfile("the password file has no line for this database", "sed -i 's/^/x/' /etc/tenure/other",
             ["passfile=/etc/tenure/other", "has no line for this host, port, database and user"]),
    check("the client's key is root's", ["sslkey=", "cannot be read by user tenure"],
          edit="s|sslmode=|sslcert=/etc/tenure/other.crt sslkey=/etc/tenure/other.key sslmode=|",
          files="cp /etc/tenure/ca.pem /etc/tenure/other.crt; umask 077; echo key >/etc/tenure/other.key"),
    check("another database of the same server: which one is shown", ["database tenure, role tenure"], 0),
    Mistake("the database is read-only", "echo 'alter database tenure set default_transaction_read_only = on' | "
            "su postgres -c 'psql -q'", None, ["read-only", "default_transaction_read_only"], 2,
            "echo 'set transaction_read_only = off; alter database tenure reset default_transaction_read_only' | su postgres -c 'psql -q -d postgres'",
            on="db"),
    Mistake("row level security is on for the table", "echo 'alter table tenure.lease enable row level security' | "
            "su postgres -c 'psql -q -d tenure'", None,
            ["row level security", "alter table tenure.lease disable row level security"], 2,
            "echo 'alter table tenure.lease disable row level security' | su postgres -c 'psql -q -d tenure'", on="db"),
    Mistake("grants are taken back", "echo 'revoke update on tenure.lease from tenure' | su postgres -c 'psql -q -d tenure'", None,
            ["role tenure lacks", "grant update on"], 2,
            "echo 'grant update on tenure.lease to tenure' | su postgres -c 'psql -q -d tenure'", on="db"),
)

# ---- groups ----

SYNTAX = "look here and just before"
FILES = tuple(check(what, words, group=text, offline=True) for what, text, words in (
    ("a bracket is missing", group(units=PLAIN, end=""), ["m.conf:", "syntax error", SYNTAX]),
    ("a span without quotes", group("lease = 15s;", PLAIN), ["m.conf:1", "syntax error", SYNTAX]),
    ("curly quotes", group("lease = \u201c15s\u201d;", PLAIN), ["m.conf:1", "syntax error", SYNTAX]),
    ("YAML", "groups:\n  - name: m\n    units: [a.service]", ["m.conf:", "syntax error", SYNTAX]),
    ("a semicolon between groups", group(units=PLAIN, end=";") + group(units=PLAIN, name="n")[len("groups = ( "):], ["m.conf:1", "syntax error", SYNTAX]),
    ("a lease that is a number", group("lease = 15;", PLAIN), ["lease is the integer 15", 'write lease = "15s";']),
    ("a lease that is too short", group('lease = "1s";', PLAIN), ["too short", "the smallest lease that would do is"]),
    ("a setting that is none", group("leas = 15;", PLAIN), ['"leas" is not known in a group', "this version takes"]),
    ("group instead of groups", 'group = ( { name = "m"; } );', ['"group" is not known in a file of groups: this version takes groups']),
    ("units as one string", f"groups = ( {{ name = \"m\"; units = {PLAIN}; }} );", ["it must be an array", "write units = [ "]),
    ("a unit without its suffix", group(units='"mistake-plain"'), ['"mistake-plain" is no unit name: it has no suffix']),
    ("a group twice", group(units=PLAIN, end=",") + group(units=PLAIN)[len("groups = ( "):], ['group "m" is declared twice (first at ', "keep one of the two"]),
    ("a unit in two groups", f'groups = ( {{ name = "m"; units = [ {PLAIN} ]; }}, {{ name = "o"; units = [ {PLAIN} ]; }} );',
     ['belongs to group "m" already', "take it out of the other"]),
    ("a method that is none", group('method = "locks";', PLAIN), ['"locks" is not known', 'write "lease" or "advisory"']),
    ("a template as it is", group(units='"w@.service"'), ['"w@.service" is a template', "name an instance"]),
    ("the host's own unit", group(units='"dbus.service"'), ['"dbus.service" is a unit the host or tenure itself depends on', "take it out"]),
    ("a group without units", group("units = [ ];"), ["has no units: name at least one"]),
    ("a name that is none", group(units=PLAIN, name="a b"), ['group name "a b" is not valid', "1 to 64 letters"]),
))

UNIT_FILES = {
    OWN_UNIT: "[Service]\nExecStart=/bin/sleep infinity\n",
    "mistake-plain.service": "[Service]\nExecStart=/bin/sleep infinity\n",
    "mistake-process.service": "[Service]\nExecStart=/bin/sleep infinity\nKillMode=process\n",
    "mistake-answers.service": "[Service]\nExecStart=/bin/sleep infinity\n",
    "mistake-answers.socket": "[Socket]\nListenStream=/run/mistake.sock\n",
    "mistake-report.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "mistake-report.timer": "[Timer]\nOnCalendar=daily\n",
    "mistake-needs.service": "[Unit]\nRequires=mistake-plain.service\nAfter=mistake-plain.service\n"
                             "[Service]\nExecStart=/bin/sleep infinity\n",
    "mistake-old.timer": "[Timer]\nOnCalendar=daily\nUnit=mistake-alias.service\n",
}
PREPARE = "mkdir -p /etc/systemd/user; cp {0}/mistake-plain.service /etc/systemd/user/mistake-users.service; systemctl daemon-reload; systemctl start mistake-answers.socket mistake-report.timer; ln -sf mistake-plain.service {0}/mistake-alias.service; ln -sf /dev/null {0}/mistake-masked.service; systemctl daemon-reload"
UNIT_MISTAKES = tuple(check(what, words, status, group=text) for what, text, words, status in (
    ("a unit that is not installed", group(units='"nosuch.service"'), ["nosuch.service", "install the unit on this host, or take it out of the group"], 1),
    ("a unit that is masked", group(units='"mistake-masked.service"'), ["mistake-masked.service", "systemctl unmask mistake-masked.service"], 1),
    ("a unit of the users' managers", group(units='"mistake-users.service"'), ["mistake-users.service", "it is a unit for the managers of users only", "/etc/systemd/system"], None),
    ("a unit by its alias", group(units='"mistake-alias.service"'), ["mistake-alias.service: it is another name of mistake-plain.service: declare that one"], 2),
    ("KillMode=process in the unit's own file", group(units='"mistake-process.service"'), ["mistake-process.service", "KillMode is process", "systemctl edit mistake-process.service", "KillMode=mixed"], 2),
    ("a service whose socket is not declared", group(units='"mistake-answers.service"'), ["TriggeredBy names mistake-answers.socket, which is not declared", 'Add it to the units of group "m"'], 2),
    ("a service whose timer is not declared", group(units='"mistake-report.service"'), ["TriggeredBy names mistake-report.timer, which is not declared", 'Add it to the units of group "m"'], 2),
    ("a timer whose service is not declared", group(units='"mistake-report.timer"'), ["mistake-report.service", "not declared"], 2),
    ("a timer that names its service by an old name", group(units='"mistake-old.timer", "mistake-plain.service"'), ["as systemd knows them, they can be led"], 0),
    ("a service that requires another, which is in no group", group(units='"mistake-needs.service"'), ["Requires names mistake-plain.service, which is not declared", 'add it to the units of group "m"'], 1),
    ("a service that requires another group's", group(units='"mistake-needs.service"', end=",") + group(units=PLAIN, name="n")[len("groups = ( "):],
     ['Requires names mistake-plain.service of group "n", which another host may lead', "Have both in one group"], 1),
))

# ---- a standby that leads another group ----

STATUS = "tenurectl status"
OWN_LEASE, OWN_STOP = "2400ms", "500ms"


def own_group(lease=OWN_LEASE, stop=OWN_STOP):
    settings = f'lease = "{lease}"; stop_timeout = "{stop}";'
    text = group(settings, f'"{OWN_UNIT}"', OWN)
    return f"cat >{OWN_FILE} <<'END'\n{text}\nEND\n"


def journal(priority="debug"):
    return f"journalctl -q -b -o cat -p {priority} -u tenured.service --since @$(cat /root/since)"


HOST = (
    Mistake("the configuration is edited, and not applied", own_group("2500ms"),
            STATUS, ["1 group of the files differs from what is applied", "tenurectl apply --dry-run"], 0, own_group()),
    Mistake("an apply would stop what runs here", own_group("2500ms", "600ms"),
            "tenurectl apply --dry-run", [f'Steps down from group "{OWN}" first, which this host leads', "stop_timeout grows"], 0, own_group()),
    Mistake("a file of groups.d that does not end in .conf", f"cp {OWN_FILE} /etc/tenure/groups.d/other.cfg", "tenurectl check --offline",
            ["other.cfg", ".conf"], 1, "rm /etc/tenure/groups.d/other.cfg"),
    Mistake("a broken file, and a reload", "echo 'groups = (' >/etc/tenure/groups.d/broken.conf",
            "systemctl reload tenured; s=$?; systemctl status --full -n 20 tenured; exit $s",
            ["broken.conf:", "syntax error", "stays in force", "sudo tenurectl apply"], 1, "rm /etc/tenure/groups.d/broken.conf"),
    Mistake("an arbiter that does not answer is applied while the present one does",
            "cp -p /etc/tenure/tenure.conf /root/tenure.conf; sed -i 's/host=/port=5439 host=/' /etc/tenure/tenure.conf",
            "tenurectl apply", ["the arbiter of the files would not do, and the one that is applied does", "Connection refused", "nothing is changed", "--force"], 1,
            "cat /root/tenure.conf >/etc/tenure/tenure.conf"),
    Mistake("the host gets another name", "hostname n9", STATUS,
            ['this node is "n9" by the files or the host\'s name, and "', "the next apply steps down from all groups"], 0,
            "hostname $(cat /etc/hostname)"),
    Mistake("a group's name has a typo", "", "tenurectl is-leader ow", ['there is no group "ow" on this host', "tenurectl status"], 4),
    Mistake("the unit of a leader is stopped by hand", f"systemctl stop {OWN_UNIT}", journal("err"),
            [f"{OWN}: this node leads, but {OWN_UNIT} is inactive", "systemctl start"], 0),
    Mistake("the same, by its exit status", "", STATUS, [f"leads, but {OWN_UNIT} is inactive", "1 unit is not running"], 6,
            f"systemctl start {OWN_UNIT}"),
    Mistake("a leader is stopped on purpose: that is no warning", f"systemctl stop tenure@{OWN}.service", journal("notice"),
            [f"{OWN}: giving up term", "its keeper was stopped, by systemctl stop or a shutdown"], 0),
    Mistake("the same, by priority", "", journal("warning") + "; true", [], 0, never=["giving up term"]),
    Mistake("the applied configuration was edited by hand, and is broken", "echo '{' >>/etc/tenure.applied/applied.conf",
            "tenurectl check --offline", ["/etc/tenure.applied/applied.conf cannot be used, its copy is", "run tenurectl apply"], 1,
            "tenurectl apply"),
    Mistake("the applied configuration was edited by hand", "sed -i 's/lease = \"2[^\"]*\"/lease = \"2500ms\"/' /etc/tenure.applied/applied.conf",
            "tenurectl check --offline", ["differs from what is applied"], None, "tenurectl apply"),
    Mistake("there is no room for what is applied", "mount -t tmpfs -o size=8k none /etc/tenure.applied; "
            "dd if=/dev/zero of=/etc/tenure.applied/full bs=4k 2>/dev/null; true", "tenurectl apply",
            ["cannot write /etc/tenure.applied/applied.conf: No space left on device"], 1, "umount /etc/tenure.applied; tenurectl apply"),
    Mistake("the other method", "m=$(sed -n 's/.*method = \"\\(.*\\)\";.*/\\1/p' /etc/tenure/groups.d/work.conf); "
            "echo $m >/root/method; [ $m = lease ] && o=advisory || o=lease; "
            "sed -i \"s/method = .*;/method = \\\"$o\\\";/\" /etc/tenure/groups.d/work.conf; tenurectl apply", STATUS,
            ["the lease is of the method ", "set the same method on all hosts", "blocked"], 0,
            "sed -i \"s/method = .*;/method = \\\"$(cat /root/method)\\\";/\" /etc/tenure/groups.d/work.conf; tenurectl apply"),
    Mistake("the schema is renamed under the agents", "echo 'alter schema tenure rename to tenure_old' | su postgres -c 'psql -q -d tenure'",
            None, ["the schema is missing or older", "tenurectl schema | psql"], None,
            "echo 'alter schema tenure_old rename to tenure' | su postgres -c 'psql -q -d tenure'", on="db-journal"),
    Mistake("check by a user other than root", "", "setpriv --reuid=65534 --clear-groups tenurectl check",
            ["/etc/tenure/tenure.conf", "Permission denied"], 3),
    Mistake("apply by a user other than root", "", "setpriv --reuid=65534 --clear-groups tenurectl apply", ["apply must be run as root"], 1),
    Mistake("polkit is not there", "systemctl mask --now --runtime polkit.service 2>&1", "tenurectl check",
            ["BAD      polkit", "systemd lets the agent start nothing: install polkitd, or systemctl unmask polkit"], 2, "systemctl unmask --runtime polkit.service; systemctl start polkit"),
    Mistake("the agent does not run", "systemctl stop tenured", STATUS, ["tenured does not run on this host", "systemctl start tenured"], 3),
    Mistake("the same, and a reload", "", "systemctl reload tenured", ["tenured.service is not active, cannot reload."], 1,
            "systemctl start tenured"),
    Mistake("the bus was not reloaded after the installation", "mv /usr/share/dbus-1/system.d/org.tenure1.conf /root/; "
            "systemctl reload dbus; systemctl restart tenured", STATUS,
            ["tenured runs, but cannot be reached", "it is not on the system bus", "systemctl reload dbus"], 5,
            "mv /root/org.tenure1.conf /usr/share/dbus-1/system.d/; systemctl reload dbus; systemctl restart tenured"),
)

OTHERS = (
    Skipped("SEEN that is not when a leader was last seen", "no mistake; no_leader.failover_countdown"),
    Skipped("an upgrade that overwrites /etc/tenure", "packages: the unit test install_once"),
    Skipped("groups, units or leases that differ between hosts; a group on one host only", "no host sees another's files"),
    Skipped("a group's name with a dash", "no mistake any more: commands.group_name_with_dash"),
    Skipped("uninstalled, or removed, with units that are enabled", "packages: the guide has it"),
    Skipped("a host that was cloned; two hosts of one name", "takes a host more: clones, bus.duplicate_node_name"),
    Skipped("restarted instead of reloaded after the first start", "the same as edited and not applied, above"),
    Skipped("a command just after a start", "over before it can be asked: role `starting`"),
    Skipped("clocks that are stepped", "they are this machine's: clocks, with a clock of their own"),
    Skipped("the same words again and again", "commands.connection_errors counts them"),
    Skipped("a semicolon that is missing between settings", "no mistake: libconfig takes it"),
    Skipped("a comma too many", "no mistake for libconfig of Debian 13"),
    Skipped("large terms", "no mistake: the manual explains them"),
    Skipped("no room in /run", "it is as large as memory: unit tests of tickets, and guards_apply"),
    Skipped("texts that are not UTF-8", "commands.connection_errors, and the fuzz target show"),
)


def provoke(t, host, m):
    """Returns what is wrong with the report, or ""."""
    where = t.db if m.on else host
    ask = m.ask or (journal() if m.on == "db-journal" else f"tenurectl check {NEW}/tenure.conf")
    if m.on == "db":
        host.sh(f"rm -rf {NEW} && mkdir -p {NEW}/groups.d && cp /etc/tenure/tenure.conf {NEW}/")
    if m.do:
        host.sh("date +%s.%N >/root/since")
        where.run("sh", "-c", m.do, timeout=30)
    end = clock.now() + SAYS_SECONDS * clock.SECOND
    said, right = "", False
    while not right and clock.now() < end:
        r = host.run("sh", "-c", ask, check=False, timeout=30)
        said = r.out + r.err
        right = all(w in said for w in m.words) and m.status in (None, r.code) and not any(w in said for w in m.never)
        if not right and not m.waits:
            break
        if not right:
            time.sleep(0.3)
    if m.mend:
        where.run("sh", "-c", m.mend, timeout=60)
    missing = [w for w in m.words if w not in said] + [f"not {w}" for w in m.never if w in said]
    return "" if right else f"{m.what}: exit status {r.code}, not {m.status}; missing {missing}:\n{said}"


@scenario("every mistake that beginners made is reported with what is wrong, why, and what to do")
def beginner_mistakes(t):
    t.spent = True
    host = t.standbys[0]
    wrong = []
    for name, text in UNIT_FILES.items():
        host.write_file(f"{UNITS}/{name}", text)
    host.sh(PREPARE.format(UNITS))

    def lead_own():
        host.sh(own_group())
        host.systemctl("reload", "tenured.service")
    t.fault(f"a group is configured on {host} alone", lead_own)
    t.effect("which it leads", lambda: host.run("tenurectl", "is-leader", OWN, check=False).code == 0)
    began = clock.now()
    for m in CONNECTION + FILES + UNIT_MISTAKES + HOST:
        at = clock.now()
        answer = provoke(t, host, m)
        t.note(f"{m.what}: {clock.ms(clock.now() - at):.0f} ms")
        if answer:
            t.note("WRONG: " + answer)
            wrong.append(answer)
    for s in OTHERS:
        t.note(f"not tried: {s.what}: {s.why}")
    t.figures["mistakes"] = f"{len(CONNECTION + FILES + UNIT_MISTAKES + HOST)} in {clock.ms(clock.now() - began) / 1000:.0f} s"
    t.check(f"{len(wrong)} mistakes say what they must:\n" + "\n".join(wrong), not wrong)
    t.cluster.wait_ready()
