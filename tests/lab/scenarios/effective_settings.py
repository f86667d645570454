# SPDX-License-Identifier: Apache-2.0
"""Settings of units that PID 1 knows and that no unit file shows by itself: check and apply refuse them, or warn of them, with
a remedy that works."""

import json
import os
import time

from lab.cluster import GROUP, UNIT
from lab.scenario import scenario

from .units import BEAT, ETC, apply_everywhere, everywhere, reload, service

SLEEP = "/bin/sleep infinity"
MANY = "[Install]\nWantedBy=multi-user.target\n"
FSTAB = "tmpfs /srv/fstab tmpfs size=1m"
GENERATOR = "/etc/systemd/system-generators/lab-cron"
# For a unit that is enabled by the path of its file.
BY_PATH = ("[Service]\nExecStart=/bin/sleep infinity\n"
           "[Install]\nAlias=k-old.service\nWantedBy=multi-user.target\n")
INIT = ("#!/bin/sh\n### BEGIN INIT INFO\n# Provides: k\n# Required-Start:\n# Required-Stop:\n# Default-Start: 2 3 4 5\n"
        "# Default-Stop: 0 1 6\n# Short-Description: k\n### END INIT INFO\n"
        "[ $1 != start ] || sleep infinity &\n")

# name: (files below /etc/systemd/system, shell commands, units, words of a refusal, words of a warning). The group is named
# after the first unit. None: no such message; {platform: words}: on this platform only.
KNOWN = {
    "plain": ({"k.service": service(SLEEP), "k.socket": "[Socket]\nListenStream=/run/k.sock\n"}, "",
              ["k.service"], None, None),
    "masked": ({}, f"ln -s /dev/null {ETC}/k.service", ["k.service"], None, "systemctl unmask k.service"),
    "missing": ({}, "", ["k.service"], None, "install the unit on this host"),
    "of users": ({}, "mkdir -p /etc/systemd/user; echo '[Service]' >/etc/systemd/user/k.service", ["k.service"], None,
                 "managers of users"),
    "KillMode": ({"k.service": service(SLEEP, "KillMode=process")}, "", ["k.service"],
                 "write KillMode=mixed below [Service]", None),
    "KillMode, mended": ({"k.service": service(SLEEP, "KillMode=process"),
                          "k.service.d/override.conf": "[Service]\nKillMode=mixed\n"}, "", ["k.service"], None, None),
    "PAM": ({"k.service": service(SLEEP, "PAMName=login")}, "", ["k.service"], "PAMName is login", None),
    "PAM, mended": ({"k.service": service(SLEEP, "PAMName=login"),
                     "k.service.d/override.conf": "[Service]\nPAMName=\n"}, "", ["k.service"], None, None),
    "alias": ({"k-real.service": service(SLEEP)}, f"ln -s k-real.service {ETC}/k.service", ["k.service"],
              "another name of k-real.service", None),
    "socket": ({"k.service": service(SLEEP), "k-door.socket":
                "[Socket]\nListenStream=/run/k.sock\nService=k.service\n[Install]\nWantedBy=sockets.target\n"},
               "systemctl enable -q --now k-door.socket", ["k.service"], "TriggeredBy names k-door.socket", None),
    "path": ({"k.service": service(SLEEP), "k.path": "[Path]\nPathExists=/run/k-go\n" + MANY},
             "systemctl enable -q --now k.path", ["k.service"], "run systemctl disable --now k.path", None),
    "path, declared": ({"k.service": service(SLEEP), "k.path": "[Path]\nPathExists=/run/k-go\n" + MANY},
                       "systemctl enable -q k.path", ["k.service", "k.path"], None, None),
    "timer's specifier": ({"k@.timer": "[Timer]\nOnCalendar=03:17\nUnit=k-%b.service\n",
                           "k-x.service": service(SLEEP)}, f"cd {ETC} && cp k-x.service "
                          "k-$(tr -d - </proc/sys/kernel/random/boot_id).service", ["k@x.timer", "k-x.service"],
                          "Triggers names k-", None),
    "target": ({"k.target": "[Unit]\nWants=k.service\n", "k.service": service(SLEEP)}, "", ["k.target"],
               "Wants names k.service, which is not declared", None),
    "target, declared": ({"k.target": "[Unit]\nWants=k.service network.target\n", "k.service": service(SLEEP)}, "",
                         ["k.target", "k.service"], None, None),
    "helper": ({"k.service": "[Unit]\nBindsTo=k-pod.service\n" + service(SLEEP), "k-pod.service": service(SLEEP)}, "",
               ["k.service"], None, "BindsTo names k-pod.service"),
    "helper, everywhere": ({"k.service": "[Unit]\nWants=k-pod.service\n" + service(SLEEP),
                            "k-pod.service": service(SLEEP) + MANY}, "systemctl enable -q k-pod.service", ["k.service"],
                           None, None),
    "required": ({"k.service": service(SLEEP) + "[Install]\nRequiredBy=multi-user.target\n"},
                 "systemctl enable -q k.service", ["k.service"], "systemctl disable k.service", None),
    "fstab": ({}, f"mkdir -p /srv/fstab; echo '{FSTAB} 0 0' >>/etc/fstab", ["srv-fstab.mount"], "Add noauto", None),
    "fstab, noauto": ({}, f"mkdir -p /srv/fstab; echo '{FSTAB},noauto 0 0' >>/etc/fstab", ["srv-fstab.mount"],
                      None, None),
    "fstab, in it": ({}, f"mkdir -p /srv/fstab; echo '{FSTAB},noauto 0 0' >>/etc/fstab; "
                     "echo 'tmpfs /srv/fstab/in tmpfs size=1m 0 0' >>/etc/fstab", ["srv-fstab.mount"],
                     "requires it through srv-fstab-in.mount", None),
    "automount": ({}, f"mkdir -p /srv/fstab; echo '{FSTAB},x-systemd.automount 0 0' >>/etc/fstab", ["srv-fstab.mount"],
                  "x-systemd.automount by noauto", None),
    "docker": ({"k.service": "[Unit]\nWants=docker.service\n" + service(SLEEP)}, "", ["k.service"], None,
               "containers of a daemon"),
    "frozen": ({"k.service": service(SLEEP)}, "systemctl daemon-reload; systemctl start k; systemctl freeze k",
               ["k.service"], None, "systemctl thaw k.service"),
    "cron": ({}, f"mkdir -p /etc/systemd/system-generators; printf '#!/bin/sh\\n"
             "printf \"[Timer]\\\\nOnCalendar=03:17\\\\nUnit=k-job.service\\\\n\" >$1/k.timer\\n"
             "printf \"[Service]\\\\nExecStart=/bin/true\\\\n\" >$1/k-job.service\\n"
             f"' >{GENERATOR}; chmod +x {GENERATOR}", ["k.timer", "k-job.service"], None,
             "made by another generator"),
    "timer": ({"k.service": service(SLEEP), "k-night.timer":
               "[Timer]\nOnCalendar=03:17\nUnit=k.service\n[Install]\nWantedBy=timers.target\n"},
              "systemctl enable -q --now k-night.timer", ["k.service"], "run systemctl disable --now k-night.timer", None),
    "second name": ({"/opt/k.service": BY_PATH}, "systemctl enable -q /opt/k.service", ["k.service"], None,
                    {"252": f"ln -sfn {ETC}/k.service {ETC}/k-old.service"}),
    "second name, linked by hand": ({"/opt/k.service": BY_PATH}, f"ln -s /opt/k.service {ETC}/k.service; "
                                    f"ln -s /opt/k.service {ETC}/k-too.service", ["k.service"], None,
                                    f"ln -sfn {ETC}/k.service {ETC}/k-too.service"),
    "second name, of a template": ({"/opt/k@.service": BY_PATH}, f"ln -s /opt/k@.service {ETC}/k@.service; "
                                   f"ln -s /opt/k@.service {ETC}/k-too@.service", ["k@1.service"], None,
                                   f"ln -sfn {ETC}/k@.service {ETC}/k-too@.service"),
    "another group's": ({"k.service": f"[Unit]\nRequires={UNIT}\n" + service(SLEEP)}, "", ["k.service"], None,
                        f'Requires names {UNIT} of group "{GROUP}"'),
    "init script": ({"/etc/init.d/k": INIT}, "chmod +x /etc/init.d/k", ["k.service"],
                    "run systemctl edit k.service, and write KillMode=mixed below [Service]", None),
    "init script, mended": ({"/etc/init.d/k": INIT, "k.service.d/override.conf": "[Service]\nKillMode=mixed\n"},
                            "chmod +x /etc/init.d/k", ["k.service"], None, None),
}
# The remedies that the messages name: after them there is no finding.
REMEDIES = {
    "masked": f"systemctl unmask k.service; echo '[Service]\nExecStart={SLEEP}' >{ETC}/k.service; systemctl daemon-reload",
    "socket": "systemctl disable -q --now k-door.socket",
    "path": "systemctl disable -q --now k.path",
    "timer": "systemctl disable -q --now k-night.timer",
    "required": "systemctl disable -q k.service",
    "fstab": "sed -i '/srv.fstab/s/size=1m/&,noauto/' /etc/fstab; systemctl daemon-reload",
    # A container cannot start an automount unit, so there may be nothing to stop.
    "automount": "sed -i s/x-systemd.automount/noauto/ /etc/fstab; systemctl daemon-reload; "
                 "systemctl stop srv-fstab.automount || true",
    "frozen": "systemctl thaw k.service",
    "second name": f"ln -sfn {ETC}/k.service {ETC}/k-old.service; systemctl daemon-reload",
    "second name, linked by hand": f"ln -sfn {ETC}/k.service {ETC}/k-too.service; systemctl daemon-reload",
    "second name, of a template": f"ln -sfn {ETC}/k@.service {ETC}/k-too@.service; systemctl daemon-reload",
}
TIDY = (f"systemctl thaw k 2>/dev/null; systemctl stop 'k*.service' 'k*.path' 'k*.socket' srv-fstab.automount "
        f"srv-fstab-in.mount srv-fstab.mount 2>/dev/null; cd {ETC} && rm -rf k.* k-* k@* */k.* */k-* "
        f"/etc/systemd/user/k.service /opt/k.service /opt/k@.service /etc/init.d/k {GENERATOR}; sed -i /srv.fstab/d /etc/fstab; "
        "rm -f /etc/tenure/groups.d/k.conf; systemctl daemon-reload; systemctl reset-failed")


def try_remedy(t, host, name):
    host.sh(REMEDIES[name])
    r = host.run("tenurectl", "check", check=False)
    t.check(f"{name}: the remedy works: {r.err}", r.code < 2 and "/k.conf:" not in r.err)


def try_case(t, host, name):
    files, do, units, refusal, warning = KNOWN[name]
    if isinstance(warning, dict):
        warning = warning.get(t.lab.platform.name)
    for path, text in files.items():
        host.write_file(os.path.join(ETC, path), text)
    host.sh(f"systemctl daemon-reload; {do}\nsystemctl daemon-reload")
    t.cluster.write_group(host, {"name": "k", "units": units, "lease": "4s", "stop_timeout": "1s"})
    try:
        r = host.run("tenurectl", "check", check=False)
        said = [line for line in r.err.splitlines() if "/k.conf:" in line]
        t.note(f"{name}: {r.code} {' '.join(said) or 'nothing'}")
        t.check(f"{name}: it is {'refused' if refusal else 'accepted'}: {r.out}{r.err}", (r.code < 2) == (refusal is None))
        words = refusal or warning
        t.check(f"{name}: {words!r} is said, and nothing else: {said}",
                len(said) == (words is not None) and (not words or words in said[0]))
        t.check(f"{name}: a warning is called one: {said}", not said or ("warning: " in said[0]) == (refusal is None))
        if refusal:
            r = host.run("tenurectl", "apply", check=False)
            t.check(f"{name}: apply refuses it as well: {r.err}",
                    not r.ok and refusal in r.err and "nothing is changed" in r.err)
        if name in REMEDIES:
            try_remedy(t, host, name)
    finally:
        host.sh(TIDY, check=False)


@scenario("units for which PID 1's settings differ from their files, in groups of every type: refused, warned of or accepted")
def effective_settings(t):
    host = t.standbys[0]
    keeper = t.leader.main_pid(t.keeper)
    t.fault(f"one group after the other is configured on {host}",
            lambda: [try_case(t, host, name) for name in KNOWN])
    t.effect("everything is removed again", lambda: host.run("tenurectl", "check", check=False).code < 2)
    reload(host)
    t.check("the leader leads on", t.leader.main_pid(t.keeper) == keeper)
    t.undisturbed(seconds=0.5)
    t.gap_at_most(0)


@scenario("files of running units change without a reload: check says so, and apply uses the files as they are now")
def unit_files_changed(t):
    host, files = t.standbys[0], ("k.service", "k-b.service")
    keeper = t.leader.main_pid(t.keeper)

    def change():
        host.write_file(f"{ETC}/k.service", service(SLEEP, "Nice=1"))
        host.write_file(f"{ETC}/k-b.service", service(SLEEP, "KillMode=process"))
    for name in files:
        host.write_file(f"{ETC}/{name}", service(SLEEP))
    host.sh(f"systemctl daemon-reload; systemctl start {' '.join(files)}; sleep 1")
    t.cluster.write_group(host, {"name": "k", "units": list(files), "lease": "4s", "stop_timeout": "1s"})
    t.check("check has no finding about them", "/k.conf:" not in host.run("tenurectl", "check", check=False).err)
    t.fault(f"their files are changed on {host}", change)
    t.effect("PID 1 has not read them again", lambda: all(host.property(u, "NeedDaemonReload") == "yes" for u in files))
    said = host.run("tenurectl", "check", check=False).err
    t.check(f"check says so of both, and no more: {said}", said.count("/k.conf:") == 2
            and all(f"{u}: NeedDaemonReload is yes" in said for u in files))
    r = host.run("tenurectl", "apply", check=False)
    t.check(f"apply refuses what the files say now, of the second unit as well: {r.err}", not r.ok
            and r.err.count("/k.conf:") == 1 and "k-b.service: KillMode is process" in r.err
            and "nothing is changed" in r.err)
    t.check("nothing is guarded", not host.exists(f"{ETC}/k.service.d"))
    host.sh(TIDY, check=False)
    t.effect("everything is removed again", lambda: host.run("tenurectl", "check", check=False).code < 2)
    reload(host)
    t.check("the leader leads on", t.leader.main_pid(t.keeper) == keeper)
    t.undisturbed(seconds=0.5)
    t.gap_at_most(0)


RAN = "/root/ran"
JOB = f"[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo %n >>{RAN}'\n"
AT_NIGHT = "[Timer]\nOnCalendar=*-*-* 03:17:00\n"
# A generator that writes its timers only after tenure's generator has read the units.
LATE = ("#!/bin/sh\nsleep 0.3\n"
        f"printf '[Timer]\\nOnCalendar=*-*-* 03:17:00\\n' >$1/late.timer\n"
        f"printf '[Service]\\nType=oneshot\\nExecStart=/bin/sh -c \"echo late >>{RAN}\"\\n' >$1/late.service\n")
TIMED = ["nightly@books.timer", "job-books.service", "renamed.timer", "new-job.service", "late.timer", "late.service"]


@scenario("timers that name their services by a specifier or alias, or come from a generator: a failover runs none")
def timers_by_alias(t):
    t.spent = True

    def write(host):
        host.write_file(f"{ETC}/nightly@.timer", AT_NIGHT + "Unit=job-%i.service\n")
        host.write_file(f"{ETC}/job-books.service", JOB)
        host.write_file(f"{ETC}/renamed.timer", AT_NIGHT + "Unit=old-job.service\n")
        host.write_file(f"{ETC}/new-job.service", JOB)
        host.write_file(GENERATOR, LATE)
        host.sh(f"chmod +x {GENERATOR}; ln -s new-job.service {ETC}/old-job.service; systemctl daemon-reload")
        t.cluster.write_group(host, {"name": t.group, "units": [t.unit, *TIMED], "lease": t.cluster.lease,
                                     "stop_timeout": t.cluster.stop_timeout})
    everywhere(t.hosts, lambda h: h.sh("mkdir -p /etc/systemd/system-generators"))
    everywhere(t.hosts, write)
    apply_everywhere(t)
    t.leader = t.cluster.wait_ready()
    t.stop_agent(t.leader)
    new = t.next_leader()
    for unit in TIMED[::2]:
        t.until(f"{unit} waits", lambda u=unit: new.state(u) == "active")
    time.sleep(1)
    t.check("there is no finding", not t.cluster.status(new).get("reason"))
    for host in t.hosts:
        t.check(f"no job was run on {host}: {host.sh(f'cat {RAN}', check=False)}", not host.exists(RAN))


@scenario("a unit is frozen when its term ends: a host that cannot start it again does not lead, and says why")
def unit_frozen_at_end_of_term(t):
    t.spent, old = True, t.leader
    for_ever = t.lab.platform.name != "252"
    t.fault(f"the unit is frozen on {old}", lambda: old.systemctl("freeze", t.unit))
    t.effect("it is", lambda: old.property(t.unit, "FreezerState") == "frozen")
    t.stop_agent(old)
    new = t.next_leader()
    old.systemctl("start", "tenured.service")
    frozen = old.property(t.unit, "FreezerState") == "frozen"
    t.note(f"on {old} it is {old.state(t.unit)}, {old.property(t.unit, 'FreezerState')}")
    if frozen and for_ever:
        t.until("its status says why it does not lead",
                lambda: "this host is restarted" in t.cluster.status(old).get("reason", ""))
    t.leader = new
    for host in t.hosts:
        if host not in (old, new):
            t.stop_agent(host)
    t.stop_agent(new)
    time.sleep(t.lease_ms / 1000 + 2)
    t.note(f"{old}: {t.cluster.status(old).get('role')}, {t.cluster.status(old).get('reason')}")
    t.check(f"{old} leads only if it can start it", t.cluster.is_leader(old) != (frozen and for_ever))
    if not t.cluster.is_leader(old):
        new.systemctl("start", "tenured.service")
        t.until(f"{new} leads again", lambda: t.cluster.is_leader(new), timeout=t.lease_ms / 1000 + 10)


CHANGED = "f-changed.service"


@scenario("a unit's file changes on a standby, and PID 1 has not read it yet: the standby does not lead until it has")
def unit_file_not_reloaded(t):
    host = t.standbys[0]
    host.write_file(f"{ETC}/{CHANGED}", service(BEAT, "[Install]", "WantedBy=multi-user.target"))
    t.cluster.write_group(host, {"name": "f-changed", "units": [CHANGED], "lease": "4s", "stop_timeout": "1s"})
    # An active unit refers to it, so that PID 1 keeps the unit as it has read it.
    host.systemctl("enable", "--quiet", CHANGED)
    # Before the group can be claimed: a new record is observed for a lease first.
    reload(host)
    t.fault(f"its file is changed on {host}", lambda: host.write_file(f"{ETC}/{CHANGED}", service(BEAT, "Nice=3")))
    t.effect("PID 1 has not read it", lambda: host.property(CHANGED, "NeedDaemonReload") == "yes")

    def shown():
        groups = json.loads(host.run("tenurectl", "status", "--json", check=False).out)["groups"]
        return next(g for g in groups if g["name"] == "f-changed")
    t.until("the status says why it is not led", lambda: "NeedDaemonReload is yes" in shown()["reason"])
    t.stays("it is not led", lambda: shown()["role"] != "leader", seconds=t.lease_ms / 1000 + 1)
    t.check("it never ran", not t.lab.testimony(CHANGED).processes)
    host.systemctl("daemon-reload")
    t.until("it is led once PID 1 has", lambda: shown()["role"] == "leader")
    host.sh("rm /etc/tenure/groups.d/f-changed.conf")
    reload(host)
    host.run("tenurectl", "apply", "--release=f-changed")
    host.systemctl("disable", "--quiet", CHANGED)
    host.sh(f"rm {ETC}/{CHANGED}; systemctl daemon-reload")
    t.undisturbed(seconds=0.5)
    t.gap_at_most(0)
