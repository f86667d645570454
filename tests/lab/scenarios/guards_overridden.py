# SPDX-License-Identifier: Apache-2.0
"""Administrators override guards by drop-ins and commands of systemd, with good intentions."""

import time

from lab.scenario import scenario

from .units import ETC, OTHERS, SERVICES, units_of_group

UNDO = """[Unit]
BindsTo=
After=
AssertPathExists=
[Service]
Slice=other.slice
TimeoutStopSec=90
TimeoutStopFailureMode=abort
SendSIGKILL=no
FinalKillSignal=SIGHUP
EnvironmentFile=
"""


@scenario("an administrator's drop-ins override every guard of a unit: they have no effect, on leader and standby")
def guards_survive_drop_ins(t):
    def override_guards(host):
        host.write_file(f"{ETC}/{t.unit}.d/zzzz.conf", UNDO)
        host.write_file(f"{ETC}/service.d/zzzz.conf", UNDO)
        host.systemctl("daemon-reload")
    old = t.leader
    t.fault("drop-ins that undo the guards, daemon-reload", lambda: [override_guards(h) for h in t.hosts])
    t.effect("PID 1 has read them", lambda: all("zzzz.conf" in h.property(t.unit, "DropInPaths") for h in t.hosts))
    slice_unit = f"tenure-{t.group}.slice"
    for host in t.hosts:
        t.check(f"the guards hold on {host}", host.property(t.unit, "Slice") == slice_unit
                and host.property(t.unit, "SendSIGKILL") == "yes"
                and host.property(t.unit, "TimeoutStopUSec") == "1s" and t.keeper in host.property(t.unit, "BindsTo"))
    time.sleep(1)
    t.check("the status has no finding", t.cluster.status(old)["reason"] == "")
    old.systemctl("restart", t.unit)
    t.check("it is started in its slice", f"/{slice_unit}/" in old.property(t.unit, "ControlGroup"))
    for host in t.standbys:
        t.check(f"{host} is a standby", t.cluster.status(host).get("role") == "standby")
        r = host.systemctl("start", t.unit, check=False)
        t.check(f"it cannot be started on {host}", not r.ok)
    t.stop_agent(old)
    t.next_leader()
    t.gap_at_most(2000)
    for host in t.hosts:
        host.run("rm", f"{ETC}/{t.unit}.d/zzzz.conf", f"{ETC}/service.d/zzzz.conf")
        host.systemctl("daemon-reload")
    old.systemctl("start", "tenured.service")


def mask(host, *units):
    """Replaces the file in /etc by a link: systemctl mask would refuse to."""
    for unit in units:
        host.sh(f"mv {ETC}/{unit} /root/; ln -s /dev/null {ETC}/{unit}")
    host.systemctl("daemon-reload")


QUIET = {**{name: OTHERS[name] for name in ("night.timer", "night.service")},
         "quiet.service": SERVICES["quiet.service"]}


@scenario("units are masked while they are active, some without a process, and the leader steps down: they are stopped")
def guards_units_masked(t):
    t.spent = True
    with units_of_group(t, QUIET):
        old, units = t.leader, (t.unit, *QUIET)
        t.fault(f"they are masked on {old}, daemon-reload", lambda: mask(old, *units))
        t.effect("PID 1 shows them as masked", lambda: all(old.property(u, "LoadState") == "masked" for u in units))
        t.note("bound to " + "; ".join(f"{old.property(u, 'BindsTo') or 'nothing'}" for u in units))
        t.stop_agent(old)
        t.next_leader()
        time.sleep(1)
        for unit in units:
            t.check(f"{unit} does not run on {old}: {old.state(unit)}", old.state(unit) in ("inactive", "failed"))
        t.gap_at_most(t.lease_ms + 2000)
        old.sh(f"cd {ETC}; for u in {' '.join(units)}; do rm $u; mv /root/$u .; done; systemctl daemon-reload")
