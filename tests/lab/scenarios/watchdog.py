# SPDX-License-Identifier: Apache-2.0
"""A group requires a hardware watchdog. The lab's hosts have none, so only the refusal can be tested here. An armed watchdog,
and one that is lost, are tested with a stand-in for PID 1: tests/unit/test_watchdog.c."""

from lab.scenario import scenario

from .units import everywhere

SET = ("busctl", "set-property", "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
       "org.freedesktop.systemd1.Manager", "RuntimeWatchdogUSec", "t")


def apply(t, host, **more):
    t.cluster.configure(host, [{"name": t.group, "units": [t.unit], "lease": t.cluster.lease,
                                "stop_timeout": t.cluster.stop_timeout, **more}])
    return host.run("tenurectl", "apply").err


def reason(t, host):
    return t.cluster.status(host).get("reason") or ""


@scenario("a group requires a hardware watchdog that no host has: the leader leads on, and no other node leads after it")
def watchdog_required(t):
    t.spent, old, said = True, t.leader, {}
    t.fault('watchdog = "require" is applied on all hosts',
            lambda: everywhere(t.hosts, lambda h: said.update({h: apply(t, h, watchdog="require")})))
    t.effect("the leader says so", lambda: "the hardware watchdog, which the group requires, is not armed" in reason(t, old))
    for host in t.hosts:
        t.check(f"apply has warned on {host}: {said[host]}", "would not lead group" in said[host]
                and "RuntimeWatchdogSec=1s" in said[host])
        t.check("and so does check", "would not lead group" in host.run("tenurectl", "check", check=False).err)
    t.undisturbed(seconds=3)
    t.check("it is still the leader", t.cluster.is_leader(old))
    t.check("the journal of the leader has an alert", t.said(old, "tenured.service", "leads on, but could not begin to", "alert"))
    for host in t.standbys:
        t.until(f"{host} is blocked", lambda host=host: t.cluster.status(host).get("role") == "blocked")
        t.until("and says so in its journal", lambda host=host: t.said(host, "tenured.service", "could not take over"))

    t.fault(f"systemctl stop tenured.service on {old}", lambda: old.systemctl("stop", "tenured.service"))
    t.effect("it has stepped down", lambda: old.state(t.keeper) in ("inactive", "failed"))
    t.stays("no node leads", lambda: not t.cluster.leaders(), seconds=3 * t.lease_ms / 1000)

    new = t.standbys[0] if t.standbys[0] is not old else t.standbys[1]
    t.fault_in_the_dark(f"RuntimeWatchdogSec= is set on {new}, which has no device", lambda: new.run(*SET, "1000000"))
    t.effect("PID 1 has it", lambda: "1000000" in new.sh(
        "busctl get-property org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager "
        "RuntimeWatchdogUSec"))
    new.systemctl("restart", "tenured.service")
    t.until("its agent says that there is none", lambda: "but systemd speaks to no device" in reason(t, new))
    t.stays("no node leads", lambda: not t.cluster.leaders(), seconds=2 * t.lease_ms / 1000)

    new.run(*SET, "0")
    apply(t, new)
    t.until(f"{new} leads without the key", lambda: t.cluster.is_leader(new), timeout=20)
    apply(t, old)
    old.systemctl("start", "tenured.service")
    t.until(f"{old} is a standby", lambda: t.cluster.status(old).get("role") == "standby")
