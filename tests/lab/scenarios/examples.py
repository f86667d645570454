# SPDX-License-Identifier: Apache-2.0
"""The installed examples, applied unchanged: they do what they say."""

import json

from lab import clock
from lab.cluster import SHOWN
from lab.scenario import scenario

from .units import ETC, everywhere, reload

INSTALLED = "/usr/share/doc/tenure/examples"
UNITS = ["billing.service", "report.timer", "floating-address.service", "systemd-nspawn@web.service"]
GROUPS = ["billing", "report", "address", "container"]
ADDRESS = "10.77.0.100"

# What the examples leave to the administrator: programs, settings, an image.
PROGRAMS = {
    "billing": "exec /lab/witness /lab/beats/$(hostname).billing.service",
    "report": "timeout 0.1 /lab/witness /lab/beats/$(hostname).report.service || true",
}
CONTAINER = """[Exec]
Boot=yes
Hostname={host}
Parameters=/lab/beats/{host}.systemd-nspawn@web.service
KillSignal=SIGTERM
PrivateUsers=no
[Files]
Bind=/lab
[Network]
VirtualEthernet=no
"""


def prepare(t, host):
    for name, text in PROGRAMS.items():
        host.write_file(f"/usr/local/bin/{name}", f"#!/bin/sh\n{text}\n", 0o755)
    host.write_file("/etc/default/floating-address",
                    f"ADDRESS={ADDRESS}\nPREFIX=24\nINTERFACE=host0\n")
    # A container with one program in it: its init is the witness.
    image = "/var/lib/machines/web"
    host.sh(f"cd /; mkdir -p {image}/usr/lib {image}/etc {image}/sbin {image}/proc {image}/sys "
            f"{image}/dev {image}/run {image}/tmp {image}/lab {image}/var; "
            f"cp /etc/os-release {image}/usr/lib/; cp /lab/witness {image}/sbin/init")
    host.write_file("/etc/systemd/nspawn/web.nspawn", CONTAINER.format(host=host.name))
    # The timer elapses often, not only at night.
    host.write_file(f"{ETC}/report.timer.d/now.conf",
                    "[Timer]\nOnActiveSec=300ms\nOnUnitInactiveSec=100ms\nAccuracySec=1ms\n")
    host.write_file(f"{ETC}/report.service.d/often.conf", "[Unit]\nStartLimitIntervalSec=0\n")


def apply_examples(host):
    host.sh(f"cd {INSTALLED}; cp *.conf /etc/tenure/groups.d/; cp *.service *.timer {ETC}/")
    host.sh("tenurectl check; test $? -lt 2")  # no finding that would keep the host from leading
    reload(host)


def remove(host):
    host.sh(f"cd {INSTALLED}; for f in *.conf; do rm /etc/tenure/groups.d/$f; done")
    reload(host)
    host.run("tenurectl", "apply", *(f"--release={group}" for group in GROUPS))
    host.sh(f"cd {INSTALLED}; for f in *.service *.timer; do rm -f {ETC}/$f; done; "
            f"rm -rf {ETC}/report.*.d; systemctl daemon-reload")


def where(t):
    """{group: its leader}, for groups that exactly one host leads."""
    found = {}
    for host in t.hosts:
        said = host.run("tenurectl", "status", "--json", check=False)
        for g in json.loads(said.out)["groups"] if said.code in SHOWN else ():
            if g["role"] == "leader":
                found.setdefault(g["name"], []).append(host)
    return {n: h[0] for n, h in found.items() if len(h) == 1}


def mac(host):
    return host.sh("ip -o link show host0").partition("link/ether ")[2].split()[0]


def all_work(t, leaders):
    """Each example does its work on its leader, and nothing elsewhere."""
    for unit, group in zip(UNITS, GROUPS):
        t.until(f"{unit} is active on {leaders[group]} alone",
                lambda u=unit, g=group: [h for h in t.hosts if h.state(u) == "active"]
                == [leaders[g]])
    for unit, group in (("billing.service", "billing"), ("report.service", "report"),
                        ("systemd-nspawn@web.service", "container")):
        t.until(f"the witness of {unit} beats", lambda u=unit, g=group: t.lab.testimony(u).running(
            within=300 * clock.MS) == [leaders[g].name])
    holder = leaders["address"]
    has = [h for h in t.hosts if ADDRESS in h.sh("ip -o -4 address show dev host0")]
    t.check(f"{holder} alone has the address: {has}", has == [holder])
    # Without an ARP request: the new leader has announced the address.
    t.db.run("timeout", "1", "bash", "-c", f"exec 3<>/dev/tcp/{ADDRESS}/9", check=False)
    t.until("the neighbour knows where the address is",
            lambda: mac(holder) in t.db.sh(f"ip neigh show {ADDRESS}"))
    t.check("the container is in the group's slice",
            "/tenure.slice/tenure-container.slice/" in leaders["container"].property(
                "systemd-nspawn@web.service", "ControlGroup"))


@scenario("the examples as installed: a worker, a timer, a floating address and a container")
def examples(t):
    everywhere(t.hosts, lambda h: prepare(t, h))
    # The host that sees the new records first claims them first.
    apply_examples(t.leader)
    everywhere(t.standbys, apply_examples)
    leaders = t.until("all examples are led", lambda: len(
        {g: h for g, h in where(t).items() if g in GROUPS}) == len(GROUPS) and where(t), timeout=30)
    all_work(t, leaders)
    r = t.standbys[0].systemctl("start", "report.service", check=False)
    t.check("the report cannot be made elsewhere by hand", not r.ok)

    old = t.leader
    mine = [g for g in GROUPS if leaders[g] is old]
    t.check(f"{old} leads some of them: {mine}", mine)
    t.fault(f"systemctl stop tenured on {old}", lambda: old.systemctl("stop", "tenured.service"))
    t.effect("the agent is stopped", lambda: old.state("tenured.service") == "inactive")
    t.check(f"{old} has the address no more",
            ADDRESS not in old.sh("ip -o -4 address show dev host0"))
    leaders = t.until("all examples are led by others", lambda: (
        lambda w: all(g in w and w[g] is not old for g in GROUPS) and w)(where(t)))
    all_work(t, leaders)
    t.next_leader()
    for unit in ("billing.service", "report.service", "systemd-nspawn@web.service"):
        t.one_at_a_time(unit, terms=not unit.startswith("systemd-nspawn@"))    # a container does not know its term
    t.gap_at_most(1000)
    old.systemctl("start", "tenured.service")
    everywhere(t.hosts, remove)
