# SPDX-License-Identifier: Apache-2.0
"""tenurectl apply is interrupted, has no room, or finds files of another version: no applied unit loses its guards."""

import time

from lab import clock
from lab.cluster import APPLIED
from lab.scenario import scenario

from .guards_copies import FILE, WAYS, generators_copy, guarded, wait_standby
from .guards_missing import is_refused
from .units import BEAT, ETC, OTHERS, SERVICES, all_dead, everywhere, nothing_usable, reload, service, units_of_group

SECOND = "second.service"
KILLS = 10


def set_units(t, host, *units):
    t.cluster.configure(host, [{"name": t.group, "units": list(units), "lease": t.cluster.lease,
                                "stop_timeout": t.cluster.stop_timeout}])


def was_applied(host, unit):
    return any(host.exists(path) and f'"{unit}"' in host.read_file(path) for path in APPLIED)


def apply_completes(t, host):
    r = host.run("tenurectl", "apply", timeout=60)
    t.check(f"the next apply on {host} does it all: {r.err}", r.ok and not r.err)
    r = host.run("tenurectl", "check", check=False)
    t.check(f"nothing is left to do on {host}: {r.err}", not r.err)
    left = host.sh(f"ls {ETC}/*.d/~tenure.new 2>/dev/null", check=False)
    t.check(f"no temporary file is left on {host}: {left}", not left)


def killed_apply(t, host, ms):
    """Kills an apply after so many ms. Returns whether it was killed before its end."""
    r = t.fault_in_the_dark(f"tenurectl apply on {host} is killed after {ms:.0f} ms", lambda: host.run(
        "timeout", "-s", "KILL", f"{ms / 1000:.3f}", "tenurectl", "apply", check=False, timeout=60))
    t.effect("it is over", lambda: not host.sh("pgrep -x tenurectl", check=False))
    # As the installation of a package does.
    host.systemctl("daemon-reload")
    return not r.ok


@scenario("tenurectl apply is killed at random moments while a unit joins and leaves its group: what was applied stays guarded")
def guards_apply_killed(t):
    t.spent, killed, left = True, 0, False
    everywhere(t.hosts, lambda h: h.write_file(f"{ETC}/{SECOND}", service(BEAT, "Restart=always")))
    began = clock.now()
    t.standbys[0].run("tenurectl", "apply")
    takes = clock.ms(clock.now() - began)
    for i in range(KILLS):
        units = (t.unit,) if left else (t.unit, SECOND)
        for host in [*t.cluster.standbys(), t.cluster.leader()]:
            set_units(t, host, *units)
            moment = 1.25 * takes * (i + 0.5) / KILLS
            if killed_apply(t, host, moment):
                killed += 1
            else:
                # It had ended by then. Its duration was measured once, and the machine may have been busy.
                takes = min(takes, moment)
            if not t.cluster.is_leader(host):
                is_refused(t, host, t.unit)
                if left or was_applied(host, SECOND):
                    is_refused(t, host, SECOND)
            apply_completes(t, host)
            t.check(f"check says what is kept on {host}", left == ("Left" in host.run("tenurectl", "check", check=False).out))
        t.leader = t.cluster.wait_ready()
        t.until(f"{SECOND} runs where it should", lambda: t.leader.state(SECOND) == ("inactive" if left else "active"))
        left = not left
    t.check(f"most of them were killed: {killed}", killed >= KILLS * 3 / 2)
    t.figures["killed"] = killed
    t.check("it ran", t.lab.testimony(SECOND).beats(t.began, clock.now()))
    t.one_at_a_time(SECOND)
    t.gap_at_most(t.lease_ms + 2000)


@scenario("/etc/systemd/system is full: apply says so and changes nothing, and succeeds once there is room")
def guards_disk_full(t):
    t.spent, host = True, t.standbys[0]
    host.write_file(f"{ETC}/{SECOND}", service(BEAT))
    before = host.read_file(APPLIED[0])

    def fill():
        host.sh(f"cp -a {ETC} /root/units; mount -t tmpfs -o size=1m tmpfs {ETC}; cp -a /root/units/. {ETC}/; "
                f"dd if=/dev/zero of={ETC}/full bs=4k 2>/dev/null", check=False)
    t.fault(f"it is full on {host}", fill)
    t.effect("nothing can be written", lambda: not host.sh(f"echo x 2>/dev/null >{ETC}/x && cat {ETC}/x", check=False))
    host.run("rm", "-f", f"{ETC}/x")
    set_units(t, host, t.unit, SECOND)
    r = host.run("tenurectl", "apply", check=False)
    t.check(f"apply says so: {r.err}", not r.ok and "No space left" in r.err and "stays in force" in r.err)
    t.check("what is applied is as before", host.read_file(APPLIED[0]) == before)
    t.check("no file is left half written", not host.sh(f"ls -d {ETC}/{SECOND}.d {ETC}/*.d/~tenure.new 2>/dev/null", check=False))
    host.systemctl("daemon-reload")
    guarded(t, host)
    is_refused(t, host, t.unit)
    wait_standby(t, host)
    host.run("rm", f"{ETC}/full")
    r = host.run("tenurectl", "apply")
    t.check(f"with room it succeeds, with a warning: {r.err}", "lies on a file system of its own" in r.err)
    is_refused(t, host, SECOND)
    t.silent(host)
    t.gap_at_most(0)


@scenario("a host is downgraded for a while and applies another group: after the upgrade that group's unit cannot start")
def guards_downgraded(t):
    t.spent, host, older = True, t.standbys[0], "/etc/tenure/applied.conf"
    host.write_file(f"{ETC}/{SECOND}", service(BEAT))
    host.systemctl("add-wants", "--quiet", "multi-user.target", SECOND, t.unit)
    host.systemctl("enable", "--quiet", "tenured.service")
    text = host.read_file(APPLIED[0]).replace(t.unit, SECOND).replace(f'"{t.group}"', '"older"')
    booted = host.boots
    t.fault(f"an earlier version applies {SECOND} on {host}, which boots with this one", lambda: (
        host.write_file(older, text, 0o640, "root:tenure"), host.reboot()))
    t.effect("it has booted", lambda: host.up and host.boots == booted + 1)
    wait_standby(t, host)
    guarded(t, host)
    for unit in (t.unit, SECOND):
        is_refused(t, host, unit)
    said = host.run("tenurectl", "apply").out
    t.check(f"apply keeps it: {said}", f"--release older: {SECOND}" in said and not host.exists(older))
    is_refused(t, host, SECOND)
    t.check("it never ran", not t.lab.testimony(SECOND).beats(t.began, clock.now()))
    host.run("tenurectl", "apply", "--release", "older")
    t.check("until it is released", host.systemctl("start", SECOND, check=False).ok)
    t.silent(host)
    t.gap_at_most(0)


KINDS = {**OTHERS, **{name: SERVICES[name] for name in ("w@1.service", "quiet.service", "forking.service")}}
COPIES = {
    "the persistent copy": WAYS["is masked"],
    "the generator's copy": (f"rm -rf {ETC}/*.d; systemctl disable --quiet tenured.service",
                             "systemctl enable --quiet --now tenured.service"),
}


@scenario("units of every type with one copy of their guards: none starts on a standby, by hand or at boot")
def guards_one_copy_left(t):
    t.spent = True
    with units_of_group(t, KINDS):
        host = t.standbys[0]
        host.systemctl("enable", "--quiet", "tenured.service")
        for copy, (lose, mend) in COPIES.items():
            host.systemctl("add-wants", "--quiet", "multi-user.target", t.unit, *KINDS)
            booted = host.boots
            t.fault_in_the_dark(f"{host} boots with {copy} alone", lambda lose=lose: (host.sh(lose), host.reboot()))
            t.effect("it has booted", lambda booted=booted: host.up and host.boots == booted + 1)
            t.until("all of it has started", lambda: host.system_state() in ("running", "degraded"), timeout=30)
            t.check("there is one copy only", generators_copy(t, host) != host.exists(f"{ETC}/{t.unit}.d/{FILE}"))
            t.check("PID 1 found no cycle", "ordering cycle" not in host.journal(lines=2000))
            all_dead(t, host, KINDS)
            for unit in (t.unit, *KINDS):
                is_refused(t, host, unit)
            nothing_usable(t, host)
            host.sh(mend)
            host.systemctl("daemon-reload")
            host.run("tenurectl", "apply", timeout=60)
            wait_standby(t, host)
            time.sleep(0.5)
            t.silent(host)
        t.gap_at_most(0)


@scenario("a group is renamed on all hosts: refused with the remedy, which works; its unit never runs twice")
def group_renamed(t):
    t.spent, before, after = True, "before", "after"

    def write(host, name):
        t.cluster.write_group(host, {"name": name, "units": [SECOND], "lease": t.cluster.lease,
                                     "stop_timeout": t.cluster.stop_timeout})

    def remove(host, name):
        host.run("rm", f"/etc/tenure/groups.d/{name}.conf")

    def runs():
        return [h for h in t.hosts if h.state(SECOND) == "active"]

    def declare(host):
        host.write_file(f"{ETC}/{SECOND}", service(BEAT, "Restart=always"))
        write(host, before)
        reload(host)
    everywhere(t.hosts, declare)
    t.until("it is led", runs)
    where, pid = runs()[0], runs()[0].main_pid(SECOND)
    t.fault("the group gets another name", lambda: everywhere(t.hosts, lambda h: (remove(h, before), write(h, after))))
    t.effect("no reload takes it", lambda: not any(r.ok for r in everywhere(
        t.hosts, lambda h: h.systemctl("reload", "tenured.service", check=False))))
    said = where.run("tenurectl", "apply", check=False).err
    t.check(f"it says what to do: {said}", f"tenurectl apply --release {before}" in said)
    t.check("it runs on", where.main_pid(SECOND) == pid)
    # The way that the message names.
    everywhere(t.hosts, lambda h: remove(h, after))
    everywhere([h for h in t.hosts if h is not where], reload)
    reload(where)
    t.check("it is stopped", not runs())
    everywhere(t.hosts, lambda h: is_refused(t, h, SECOND))
    everywhere(t.hosts, lambda h: (write(h, after), h.run("tenurectl", "apply", "--release", before)))
    t.until("it is led by its new name", lambda: any(h.state(f"tenure@{after}.service") == "active" for h in runs()))
    for host in t.hosts:
        t.check(f"nothing of the old one is left on {host}", not host.exists(f"{ETC}/tenure@{before}.service.d")
                and host.property(SECOND, "BindsTo") == f"tenure@{after}.service")
    time.sleep(0.5)
    t.one_at_a_time(SECOND, terms=False)
    t.gap_at_most(0)


@scenario("a group is removed from one host's files, which boots with its unit enabled and either copy lost: it does not start")
def guards_removed_group_boot(t):
    t.spent, host = True, t.standbys[0]
    host.systemctl("enable", "--quiet", "tenured.service", t.unit)
    t.fault(f"the group leaves the files of {host}", lambda: (
        host.run("rm", f"/etc/tenure/groups.d/{t.group}.conf"), reload(host)))
    t.effect("the group is gone from this host", lambda: not t.cluster.status(host).get("role"))
    for lose, mend in (("true", "true"), WAYS["is masked"], (f"rm -rf {ETC}/*.d", "true")):
        booted = host.boots
        t.fault_in_the_dark(f"{lose}; {host} boots", lambda lose=lose: (host.sh(lose), host.reboot()))
        t.effect("it has booted", lambda booted=booted: host.up and host.boots == booted + 1)
        t.until("its agent runs", lambda: host.state("tenured.service") == "active", timeout=30)
        is_refused(t, host, t.unit)
        host.sh(mend)
        host.systemctl("daemon-reload")
        is_refused(t, host, t.unit)
    t.check("it is written again", host.exists(f"{ETC}/{t.unit}.d/{FILE}"))
    t.silent(host, since=t.first_fault_at)
    t.gap_at_most(0)
