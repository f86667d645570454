# SPDX-License-Identifier: Apache-2.0
"""The privileges of the agent's user on its host."""

from lab.scenario import scenario

MANAGER = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
TEMPLATE = "/usr/lib/systemd/system/tenure@.service"
TRACE = "/root/was-here"
# A transient service, which PID 1 would run as root for any caller that is allowed to create one.
TRANSIENT = ("StartTransientUnit", "ssa(sv)a(sa(sv))", "UNIT", "fail", "1", "ExecStart", "a(sasb)", "1", "/bin/sh", "3",
             "/bin/sh", "-c", f"id >{TRACE}", "false", "0")


def call(host, *arguments):
    """Calls a method of PID 1 as the agent's user."""
    return host.run("setpriv", "--reuid=tenure", "--regid=tenure", "--clear-groups", "busctl", "--", "call", *MANAGER, *arguments,
                    check=False)


def is_refused(t, host, *arguments):
    r = call(host, *arguments)
    t.check(f"{host} refuses {' '.join(arguments[:3])}: {r.err.strip()}", not r.ok and (
        "authentication required" in r.err or "Access denied" in r.err or "Permission denied" in r.err
        or "may not be isolated" in r.err))


def refuses_transient(t, host, unit):
    r = call(host, *(unit if word == "UNIT" else word for word in TRANSIENT))
    t.check(f"{host} refuses to make {unit}: {r.err.strip()}", not r.ok and "authentication required" in r.err)
    t.check("nothing ran", not host.exists(TRACE))


@scenario("the agent's user asks PID 1 for everything it may not have, also while the keeper's template is missing")
def privilege_of_agent(t):
    t.spent, host = True, t.standbys[0]
    refuses_transient(t, host, "tenure@evil.service")
    t.fault(f"{TEMPLATE} is moved away on {host}", lambda: host.run("mv", TEMPLATE, "/root/"))
    try:
        t.effect("the template is gone", lambda: not host.exists(TEMPLATE))
        refuses_transient(t, host, "tenure@evil.service")
        host.systemctl("daemon-reload")
        refuses_transient(t, host, "tenure@evil.service")
        refuses_transient(t, host, "evil.service")
    finally:
        host.run("mv", "/root/tenure@.service", TEMPLATE)
        host.systemctl("daemon-reload")
    refuses_transient(t, host, "tenure@evil.service")
    refuses_transient(t, host, "tenure-reload.service")
    for member in ("StartUnit", "StopUnit", "RestartUnit", "TryRestartUnit", "ReloadUnit", "ReloadOrRestartUnit"):
        is_refused(t, host, member, "ss", t.unit, "replace")
        if member not in ("StartUnit", "StopUnit"):
            is_refused(t, host, member, "ss", t.keeper, "replace")
    for unit in ("tenured.service", "tenure@..service", "tenure@-a.service", r"tenure@a\x2db.service", "tenure@a.socket",
                 "xtenure@a.service"):
        is_refused(t, host, "StartUnit", "ss", unit, "replace")
    is_refused(t, host, "StartUnit", "ss", t.keeper, "isolate")
    is_refused(t, host, "KillUnit", "ssi", t.keeper, "all", "9")
    is_refused(t, host, "EnqueueUnitJob", "sss", t.keeper, "restart", "replace")
    is_refused(t, host, "SetUnitProperties", "sba(sv)", t.keeper, "true", "1", "CPUWeight", "t", "1")
    is_refused(t, host, "MaskUnitFiles", "asbb", "1", t.unit, "true", "true")
    is_refused(t, host, "Reload", "")
    is_refused(t, host, "SetEnvironment", "as", "1", "A=B")
    t.check("nothing ran", not host.exists(TRACE))
    t.undisturbed(seconds=1)
    t.gap_at_most(0)


@scenario("the agent's user continually starts the service that heals guards, by irreversible jobs: the host still reboots")
def privilege_and_reboot(t):
    t.spent, host, heal = True, t.standbys[0], "tenure-reload.service"
    host.systemctl("enable", "--quiet", "tenured.service")
    r = call(host, "StartUnit", "ss", heal, "replace-irreversibly")
    t.check(f"{host} lets it start {heal}: {r.err.strip()}", r.ok)
    again = f"busctl --quiet call {' '.join(MANAGER)} StartUnit ss {heal} replace-irreversibly"
    t.fault(f"the user tenure starts it continually on {host}", lambda: host.sh(
        "setsid -f setpriv --reuid=tenure --regid=tenure --clear-groups "
        f"sh -c 'while :; do {again}; sleep 0.02; done' >/dev/null 2>&1"))
    t.effect("a job waits while the service pauses", lambda: host.state(heal) == "deactivating" and heal in host.sh(
        f"systemctl list-jobs --no-legend {heal}", check=False), timeout=30)
    r = host.run("systemctl", "--no-block", "reboot", check=False)
    t.check(f"the reboot is not refused: {r.err.strip()}", r.ok)
    host.wait_down()
    host.boot()
    t.until(f"{host} is a standby", lambda: t.cluster.status(host).get("role") == "standby", timeout=30)
    t.gap_at_most(0)


@scenario("an earlier agent of a standby ends only after 15 s: the next one waits for it, and does not fail")
def agent_waits_for_another(t):
    t.spent, host = True, t.standbys[0]
    host.systemctl("stop", "tenured.service")
    t.fault(f"another process holds the agent's lock on {host} for 15 s, and the agent is started",
            lambda: host.sh("setsid -f flock /run/tenure/instance/lock sleep 15 >/dev/null 2>&1; "
                            "sleep 0.2; systemctl start --no-block tenured.service"))
    t.effect("it says so", lambda: t.said(host, "tenured.service", "another tenured runs"), timeout=15)
    t.until(f"{host} is a standby when the lock is free", lambda: t.cluster.status(host).get("role") == "standby",
            timeout=30)
    said = len(t.said(host, "tenured.service", "another tenured runs"))
    t.check(f"it said so at most twice: {said}", said <= 2)
    t.gap_at_most(0)


@scenario("the directory for a standby's instance id is missing: the agent fails for good, and names the remedy")
def agent_without_its_directory(t):
    t.spent, host = True, t.standbys[0]
    t.fault(f"/run/tenure/instance is removed on {host}, and the agent restarted",
            lambda: host.sh("rm -r /run/tenure/instance; systemctl restart tenured.service", check=False))
    t.effect("it has failed", lambda: host.state("tenured.service") == "failed")
    t.check("with status 78", host.property("tenured.service", "ExecMainStatus") == "78")
    t.check("and names the remedy", t.said(host, "tenured.service", "systemd-tmpfiles --create"))
    host.run("systemd-tmpfiles", "--create", "tenure.conf")
    host.systemctl("start", "tenured.service")
    t.until(f"{host} is a standby", lambda: t.cluster.status(host).get("role") == "standby")
    t.gap_at_most(0)
