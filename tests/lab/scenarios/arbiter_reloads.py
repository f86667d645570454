# SPDX-License-Identifier: Apache-2.0
"""An unusable arbiter: tenurectl check reports it, and a reload does not apply it."""

from lab.cluster import APPLIED
from lab.scenario import scenario

NOBODY = "port=5999"
RULES = "/usr/share/polkit-1/rules.d/50-tenure.rules"


def check(host, *arguments):
    """`tenurectl check`: exit status and output."""
    r = host.run("tenurectl", "check", *arguments, check=False)
    return r.code, r.out


def line(said, verdict, what):
    """The first line with this verdict about this subject, or ""."""
    return next((x for x in said.splitlines() if x.split()[:2] == [verdict, what]), "")


@scenario("a reload would replace the arbiter by one that does not answer: refused, and the term goes on undisturbed")
def reload_to_dead_arbiter(t):
    before = {h: h.read_file(APPLIED[0]) for h in t.hosts}
    agents = {h: h.main_pid("tenured.service") for h in t.hosts}
    for host in t.hosts:
        t.cluster.configure(host, conninfo=NOBODY)
    failed = t.fault(f"{NOBODY} in all connection strings, systemctl reload tenured", lambda: [
        h for h in t.hosts if not h.systemctl("reload", "tenured.service", check=False).ok])
    t.effect("all of them fail", lambda: len(failed) == len(t.hosts))
    for host in t.hosts:
        said = host.sh("journalctl -q -b -p err -u tenured.service -o cat")
        t.check(f"the journal of {host} says why:\n{said}", "would not do" in said and "Connection refused" in said
                and "--force" in said)
        r = host.run("tenurectl", "apply", check=False)
        t.check(f"and so does tenurectl apply: {r.err}", r.code == 1 and "would not do" in r.err)
        t.check("also with --dry-run", host.run("tenurectl", "apply", "--dry-run", check=False).code == 1)
        r = host.run("tenurectl", "status")
        t.check(f"the status knows of files that are not applied: {r.err}", "is not the one that is applied" in r.err)
        code, said = check(host)
        t.check(f"check says what is wrong: {code}\n{said}", code == 2
                and "listen_addresses" in line(said, "BAD", "arbiter"))
    t.undisturbed(seconds=t.lease_ms / 1000)
    t.check("what is applied is as before", before == {h: h.read_file(APPLIED[0]) for h in t.hosts})
    t.check("by the same agents", agents == {h: h.main_pid("tenured.service") for h in t.hosts})
    for host in t.hosts:
        t.cluster.configure(host)
        host.systemctl("reload", "tenured.service")
    t.undisturbed(seconds=1)
    t.gap_at_most(0)


@scenario("the database is unavailable: a reload works, with the same arbiter and with another")
def reload_while_arbiter_is_down(t):
    t.fault("PostgreSQL is stopped", t.db.stop)
    t.effect("it does not answer", lambda: not t.db.ready())
    group = {"name": t.group, "units": [t.unit], "lease": "6s", "stop_timeout": t.cluster.stop_timeout}
    for host in t.hosts:
        t.cluster.configure(host, [group])
        host.systemctl("reload", "tenured.service")
        t.check(f"a longer lease is applied on {host}", "6s" in host.read_file(APPLIED[0]))
        t.cluster.configure(host, conninfo="connect_timeout=2")
        host.systemctl("reload", "tenured.service")
        t.check(f"another connection string on {host}", "connect_timeout=2" in host.read_file(APPLIED[0]))
        said = host.sh("journalctl -q -b -u tenured.service -o cat")
        t.check(f"with a warning:\n{said}", "nor does the one that is applied, so this goes on" in said)
    t.timeline.fault("PostgreSQL is started")
    t.db.start()
    t.cluster.wait_leader(timeout=30)
    for host in t.hosts:
        t.cluster.configure(host)
        host.systemctl("reload", "tenured.service")
    t.cluster.wait_ready()


@scenario("what tenurectl check finds on a host: no fault at first, then faults that are made one by one")
def check_on_running_host(t):
    host = t.standbys[0]
    code, said = check(host)
    t.check(f"all is well: {code}\n{said}", code == 0)
    for what in ("units", "polkit", "D-Bus", "clock", "files", "arbiter", "login", "encryption", "writes", "schema",
                 "grants", "trial"):
        t.check(f"{what} is fine", line(said, "ok", what))
    t.check("by the agent's user", "user tenure" in line(said, "ok", "files"))
    t.check("no password is shown", "lab-only" not in said)
    t.check("the files alone are fine", host.run("tenurectl", "check", "--offline").code == 0)
    of_this_host = host.read_file("/etc/tenure/tenure.conf")

    def check_with(settings, more=""):
        host.write_file("/root/new/tenure.conf", of_this_host.replace(
            "sslmode=verify-full sslrootcert=/etc/tenure/ca.pem", settings).replace("arbiter = {", "arbiter = {" + more))
        r = host.run("tenurectl", "check", "/root/new/tenure.conf", check=False)
        return r.code, r.out, r.err
    code, said, _ = check_with("sslmode=require")
    t.check(f"a warning, where the server is not verified: {code}\n{said}",
            code == 1 and "TLS, not verified" in line(said, "warning", "encryption"))
    code, said, _ = check_with("sslmode=disable", "allow_unverified = true;")
    t.check(f"without TLS: {said}", code == 1 and "not encrypted" in line(said, "warning", "encryption"))
    code, _, said = check_with("sslmode=require channel_binding=prefer")
    t.check(f"a password for any server that answers is refused: {code}\n{said}", code == 2
            and "the password would go in clear text to any server that answers" in said)

    t.fault(f"the polkit rule of {host} is moved away, and its password file belongs to root", lambda: host.sh(
        f"mv {RULES} /root/; chown root /etc/tenure/pgpass; sleep 1"))
    t.effect("the rule is gone", lambda: not host.exists(RULES))
    code, said = check(host)
    t.check(f"both are named: {code}\n{said}", code == 2 and RULES in line(said, "BAD", "polkit")
            and "owner root, mode 0600" in line(said, "BAD", "files") and "password" in line(said, "BAD", "login"))
    r = host.run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "tenurectl", "check", check=False)
    t.check(f"an ordinary user cannot look: {r.code} {r.err}", r.code == 3)
    host.sh(f"mv /root/{RULES.rpartition('/')[2]} {RULES}; chown tenure /etc/tenure/pgpass; rm -r /root/new; sleep 1")
    t.until("check finds no fault again", lambda: check(host)[0] == 0)
    t.undisturbed(seconds=1)
