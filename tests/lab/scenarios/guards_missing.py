# SPDX-License-Identifier: Apache-2.0
"""The applied configuration is deleted, as by a deployment that removes unknown files: missing does not mean empty.
No unit runs without guards, and no unit that was applied before is taken for a new one."""

import json
import time

from lab.cluster import APPLIED
from lab.scenario import scenario

from .units import ETC, OTHERS, SERVICES, all_dead, everywhere, nothing_usable, reload, units_of_group

OTHER = "other.service"
LOST = "guards of the group are not in effect"
MESSAGE_UNGUARDED = "d8f4c0e6a5e44d0db17b2d6c02b7a013"
MESSAGE_COPY_LOST = "d8f4c0e6a5e44d0db17b2d6c02b7a015"


def restarts_always(t, *hosts):
    """PID 1 restarts the unit always, as is common."""
    def write(host):
        host.write_file(f"{ETC}/{t.unit}.d/restart.conf", "[Unit]\nStartLimitIntervalSec=0\n"
                        "[Service]\nRestart=always\nRestartSec=100ms\n")
        host.systemctl("daemon-reload")
    everywhere(hosts or t.hosts, write)


def remove_applied(host):
    host.run("rm", "-f", *APPLIED)


def applied_is_gone(host):
    return not any(host.exists(path) for path in APPLIED)


def delete_applied(t, host):
    t.fault(f"what is applied is removed on {host}", lambda: remove_applied(host))
    t.effect("it is gone", lambda: applied_is_gone(host))


def other_units(t, host):
    """Deploys other units for the group."""
    host.write_file(f"{ETC}/{OTHER}", "[Service]\nExecStart=/bin/sleep infinity\n")
    t.cluster.configure(host, [{"name": t.group, "units": [OTHER], "lease": t.cluster.lease,
                                "stop_timeout": t.cluster.stop_timeout}])


def _reasons(host, message):
    lines = host.sh(f"journalctl -q -b -o json -p alert MESSAGE_ID={message}", check=False).splitlines()
    return [json.loads(line)["TENURE_REASON"] for line in lines]


def alerts(host):
    """The alerts about lost guards in a leader's journal."""
    return _reasons(host, MESSAGE_UNGUARDED)


def copy_alerts(host):
    """The alerts about lost copies of guards in a host's journal."""
    return _reasons(host, MESSAGE_COPY_LOST)


def is_refused(t, host, unit):
    r = host.systemctl("start", unit, check=False)
    t.check(f"{unit} cannot be started on {host}", not r.ok and host.state(unit) in ("inactive", "failed"))


@scenario("the leader's applied configuration is deleted, units are reloaded, it steps down: one host runs the unit")
def guards_missing_leader(t):
    t.spent, old = True, t.leader
    restarts_always(t)
    delete_applied(t, old)
    t.fault(f"daemon-reload on {old}", lambda: old.systemctl("daemon-reload"))
    t.effect("PID 1 has read the units again", lambda: old.property(t.unit, "NeedDaemonReload") == "no")
    time.sleep(1)
    t.note(f"reported: {alerts(old) or 'nothing'}")
    t.stop_agent(old)
    t.next_leader()
    time.sleep(3)
    t.check(f"{t.unit} does not run on {old}", old.state(t.unit) in ("inactive", "failed"))
    t.gap_at_most(2000)


@scenario("the leader's applied configuration is deleted and other units are deployed: it steps down before it applies them")
def guards_missing_units_changed(t):
    t.spent, old = True, t.leader
    restarts_always(t)
    delete_applied(t, old)
    t.fault(f"other units on {old}, systemctl reload tenured", lambda: (other_units(t, old), reload(old)))
    t.effect("they are applied", lambda: t.cluster.status(old).get("units", [{}])[0].get("name") == OTHER)
    t.next_leader()
    time.sleep(3)
    t.check(f"{t.unit} does not run on {old}", old.state(t.unit) in ("inactive", "failed"))
    t.gap_at_most(2000)


@scenario("the leader's applied configuration is deleted and its group removed: it steps down first")
def guards_missing_group_removed(t):
    t.spent, old = True, t.leader
    restarts_always(t)
    delete_applied(t, old)
    t.fault(f"the group is taken away on {old}, systemctl reload tenured",
            lambda: (old.run("rm", f"/etc/tenure/groups.d/{t.group}.conf"), reload(old)))
    t.effect("the group is gone from this host", lambda: not t.cluster.status(old).get("role"))
    t.next_leader()
    time.sleep(3)
    t.check(f"{t.unit} does not run on {old}", old.state(t.unit) in ("inactive", "failed"))
    t.gap_at_most(2000)


@scenario("a standby's applied configuration is deleted and it boots with its unit enabled: the unit does not start")
def guards_missing_boot(t):
    t.spent, host = True, t.standbys[0]
    host.systemctl("enable", "--quiet", t.unit)
    delete_applied(t, host)
    booted = host.boots
    t.fault(f"{host} is rebooted", host.reboot)
    t.effect("it has booted again", lambda: host.up and host.boots == booted + 1)
    t.until(f"{host} is a standby", lambda: t.cluster.status(host).get("role") == "standby")
    t.silent(host)
    t.check(f"{t.unit} did not run on {host}", host.state(t.unit) == "inactive")
    t.gap_at_most(0)


@scenario("a standby's applied configuration is deleted and units are reloaded: its unit cannot be started")
def guards_missing_standby(t):
    t.spent, host = True, t.standbys[0]
    delete_applied(t, host)
    t.fault(f"daemon-reload on {host}", lambda: host.systemctl("daemon-reload"))
    t.effect("PID 1 has read the units again", lambda: host.property(t.unit, "NeedDaemonReload") == "no")
    is_refused(t, host, t.unit)
    time.sleep(1)
    t.silent(host)
    t.gap_at_most(0)


@scenario("the leader's applied configuration is deleted, other units are deployed, the agent dies: the keeper keeps its units")
def guards_missing_agent_killed(t):
    t.spent, old = True, t.leader
    restarts_always(t)
    delete_applied(t, old)
    other_units(t, old)
    agent = old.main_pid("tenured.service")
    t.fault(f"kill -9 of the agent on {old}", lambda: old.kill("tenured.service"))
    t.effect("there is another agent", lambda: old.main_pid("tenured.service") not in (0, agent))
    t.check("the live keeper keeps its units", old.property(t.unit, "BindsTo") == t.keeper)
    t.check("no other unit was started", old.state(OTHER) == "inactive")
    t.next_leader()
    time.sleep(2)
    t.check(f"{t.unit} does not run on {old}", old.state(t.unit) in ("inactive", "failed"))
    t.gap_at_most(t.lease_ms + 2000)


@scenario("a drop-in overrides a guard on the leader: an alert reports it, and a notice when it is repaired")
def guards_overridden_on_leader(t):
    host = t.leader
    drop_in = f"{ETC}/{t.unit}.d/~~.conf"
    t.check("nothing was reported yet", not alerts(host))
    t.fault(f"Slice=other.slice for the unit on {host}, daemon-reload", lambda: (
        host.write_file(drop_in, "[Service]\nSlice=other.slice\n"), host.systemctl("daemon-reload")))
    t.effect("PID 1 uses it", lambda: host.property(t.unit, "Slice") == "other.slice")
    t.until("an alert names the unit and what is wrong", lambda: any(
        reason.startswith(f"{t.unit}: Slice is other.slice") for reason in alerts(host)))
    t.until("so does its status", lambda: (lambda s: s.get("role") == "leader" and "not in effect" in s["reason"]
                                           and "other.slice" in s["reason"])(t.cluster.status(host)))
    host.run("rm", drop_in)
    host.systemctl("daemon-reload")
    t.until("the journal says when it is mended", lambda: t.said(host, "tenured", "are in effect again"))
    t.check(f"it was reported once: {alerts(host)}", len(alerts(host)) == 1)
    t.undisturbed(seconds=0.5)
    t.gap_at_most(0)


ALL = {**OTHERS, "quiet.service": SERVICES["quiet.service"]}


@scenario("all files with guards are deleted on the leader, and it steps down: units of every type are stopped")
def guards_missing_all(t):
    t.spent = True
    with units_of_group(t, ALL):
        restarts_always(t)
        old = t.leader
        t.fault(f"/etc is deployed as a whole on {old}, daemon-reload", lambda: (
            remove_applied(old), old.sh(f"cd {ETC} && rm -rf /etc/tenure.applied *.d"), old.systemctl("daemon-reload")))
        t.effect("no file is left", lambda: applied_is_gone(old) and not old.sh(f"ls -d {ETC}/*.d 2>/dev/null", check=False))
        t.check("it leads on", t.cluster.is_leader(old))
        t.check("running units are still bound to the keeper", all(t.keeper in old.property(u, "BindsTo") for u in (t.unit, *ALL)))
        t.stop_agent(old)
        t.leader = t.next_leader()
        all_dead(t, old, ALL)
        nothing_usable(t, old)
        for unit in (t.unit, *ALL):
            is_refused(t, old, unit)
        t.one_at_a_time("tick.service")
        # No file names the units any more, so PID 1 may unload one before the agent has seen how it stopped.
        unproven = t.said(old, "tenured.service", "systemd has unloaded it, and does not say how it stopped")
        t.gap_at_most(t.lease_ms + 2000 if unproven else 2000)
        t.check("it is given back, or the agent says why not",
                unproven or t.said(old, "tenured.service", "is given back"))
        old.systemctl("start", "tenured.service")
        t.until("all its guards exist again", lambda: t.cluster.status(old).get("role") == "standby"
                and old.exists(f"{ETC}/night.timer.d/~tenure.conf"))
