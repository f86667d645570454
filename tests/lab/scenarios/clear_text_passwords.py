# SPDX-License-Identifier: Apache-2.0
"""The server is not verified: who gets the password, and in which form."""

from lab.cluster import APPLIED
from lab.scenario import scenario

UNPROTECTED = "the password unprotected"
UNVERIFIED = "sslmode=require sslrootcert=''"


def arbiter(t, host):
    return t.cluster.status(host).get("arbiter", "")


def set_auth_method(t, method):
    """Sets the authentication method that the server demands from now on."""
    t.db.sh(f"sed -i '/10.77.0.0/s/[a-z0-9-]*$/{method}/' /etc/postgresql/{t.db.version}/main/pg_hba.conf")
    t.db.psql("select pg_reload_conf()")


def warned(host):
    return host.sh("journalctl -q -b -p warning -u tenured.service -o cat")


def everywhere(t, do):
    return [do(h) for h in (*t.standbys, t.leader)]


@scenario("an arbiter applied by an earlier version exposes the password in clear text: the agent goes on, and warns")
def arbiter_of_earlier_version(t):
    def as_before(host):
        t.cluster.configure(host, conninfo=UNVERIFIED)
        host.systemctl("reload", "tenured.service")
        host.sh(f"sed -i /allow_unverified/d {' '.join(APPLIED[:2])}")

    everywhere(t, as_before)
    set_auth_method(t, "password")
    agents = {h: h.main_pid("tenured.service") for h in t.hosts}
    t.fault("the server wants passwords in clear text; the agents are restarted", lambda: everywhere(
        t, lambda h: h.systemctl("restart", "tenured.service")))
    t.effect("they log in as before, and their status says so", lambda: all(
        h.main_pid("tenured.service") != agents[h] and arbiter(t, h).endswith(f", TLS, not verified, {UNPROTECTED}")
        for h in t.hosts))
    for host in t.hosts:
        said = warned(host)
        t.check(f"the journal of {host} warns of both:\n{said}", "any server that answers at this address is believed" in said
                and "an earlier version has applied this arbiter" in said)
        host.systemctl("reload", "tenured.service")
        said = warned(host)
        t.check(f"a reload leaves it, and says why:\n{said}", "so it goes on as it is" in said
                and "the password was not sent" in said)
    t.undisturbed(seconds=1)
    t.check("the status is as before", all(UNPROTECTED in arbiter(t, h) for h in t.hosts))
    for host in t.hosts:
        t.cluster.configure(host, conninfo=f"{UNVERIFIED} application_name=another")
        t.check(f"another connection string is not applied on {host}",
                not host.systemctl("reload", "tenured.service", check=False).ok)
        t.cluster.configure(host, conninfo=UNVERIFIED)

    set_auth_method(t, "scram-sha-256")
    everywhere(t, lambda h: h.systemctl("reload", "tenured.service"))
    t.until("by SCRAM it is protected from the next reload on", lambda: all(
        arbiter(t, h).endswith(", TLS, not verified") for h in t.hosts))

    def verified(host):
        t.cluster.configure(host)
        host.systemctl("reload", "tenured.service")
    everywhere(t, verified)
    t.until("where the server is verified there is nothing to say", lambda: all(
        arbiter(t, h).endswith(":5432, TLS") for h in t.hosts))
    t.cluster.wait_ready()
    t.undisturbed(seconds=1)
    t.gap_at_most(0)


@scenario("a server that wants a clear-text password gets it only if it is verified or an administrator allows it")
def clear_text_password(t):
    host = t.standbys[0]
    of_this_host = host.read_file("/etc/tenure/tenure.conf")
    verified = "sslmode=verify-full sslrootcert=/etc/tenure/ca.pem"

    def check(settings, more=""):
        host.write_file("/root/new/tenure.conf", of_this_host.replace(verified, settings).replace(
            "arbiter = {", "arbiter = {" + more))
        r = host.run("tenurectl", "check", "/root/new/tenure.conf", check=False)
        return r.code, r.out + r.err
    t.fault("the server wants passwords in clear text from now on", lambda: set_auth_method(t, "password"))
    t.effect("it does", lambda: "password" in t.db.psql(
        "select auth_method from pg_hba_file_rules where address = '10.77.0.0'"))
    for settings in (verified, "sslmode=require", "channel_binding=require"):
        code, said = check(settings)
        t.check(f"with {settings} it is not sent: {code}\n{said}", code == 2 and "the password was not sent" in said)
    # Where TLS is not demanded, libpq 15 has no setting that withholds the password; 17 has.
    for settings in ("sslmode=disable", "sslmode=prefer"):
        code, said = check(settings)
        t.check(f"nor with {settings}: {code}\n{said}", code == 2 and (
            "the password was not sent" in said or "would go in clear text to any server that answers" in said))
    code, said = check(f"{verified} channel_binding=prefer")
    t.check(f"a server that is verified gets it: {code}\n{said}", code == 0)
    code, said = check("sslmode=disable", "allow_unverified = true;")
    t.check(f"so does any server where the administrator allows it: {code}\n{said}", code == 1 and "not encrypted" in said)
    host.run("rm", "-r", "/root/new")
    set_auth_method(t, "scram-sha-256")
    t.undisturbed(seconds=1)
    t.gap_at_most(0)
