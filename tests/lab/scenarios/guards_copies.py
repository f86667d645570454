# SPDX-License-Identifier: Apache-2.0
"""One of the two copies of the guards is lost, in every way and at any time: the other one suffices."""

import os
import threading
import time

from lab import clock
from lab.cluster import APPLIED
from lab.scenario import scenario

from .guards_missing import copy_alerts, is_refused, restarts_always
from .units import BEAT, ETC, everywhere, service, units_of_group

EARLY = "/run/systemd/generator.early"
FILE = "~tenure.conf"
GENERATORS = "/usr/lib/systemd/system-generators"
OURS = f"{GENERATORS}/tenure-generator"


def limit_tasks(host, text):
    folder = next(d for d in host.cgroup.dirs if os.path.exists(f"{d}/pids.max"))
    with open(f"{folder}/pids.current", encoding="ascii") as f:
        now = f.read().strip()
    with open(f"{folder}/pids.max", "w", encoding="ascii") as f:
        f.write(text or now)


def reload_without_tasks(host):
    """daemon-reload, as the installation of a package does, while no process can be forked."""
    limit_tasks(host, "")
    host.systemctl("daemon-reload")
    limit_tasks(host, "2000")


PARENT = "is killed with all others by one of them"
# How the next daemon-reload loses the generator's copy: the commands before it, and those that undo them.
WAYS = {
    "is masked": ("mkdir -p /etc/systemd/system-generators; ln -s /dev/null /etc/systemd/system-generators/tenure-generator",
                  "rm /etc/systemd/system-generators/tenure-generator"),
    "is not executable": (f"chmod -x {OURS}", f"chmod +x {OURS}"),
    "is missing": (f"mv {OURS} /root/", f"mv /root/tenure-generator {GENERATORS}/"),
    "is killed": (f"mv {OURS} /root/; printf '#!/bin/sh\\nkill -9 $$\\n' >{OURS}; chmod +x {OURS}",
                  f"mv /root/tenure-generator {GENERATORS}/"),
    PARENT: (
        # It kills its parent, PID 1's child that runs all generators.
        f"printf '#!/bin/sh\\nkill -9 $PPID\\n' >{GENERATORS}/a-killer; chmod +x {GENERATORS}/a-killer; "
        f"mv {OURS} /root/; printf '#!/bin/sh\\nsleep 0.3; exec /root/tenure-generator \"$@\"\\n' >{OURS}; chmod +x {OURS}",
        f"rm {GENERATORS}/a-killer; mv /root/tenure-generator {GENERATORS}/"),
    "is killed while it writes": (
        f"mv {OURS} /root/; printf '#!/bin/sh\\nexec prlimit --fsize=100 /root/tenure-generator \"$@\"\\n' >{OURS}; chmod +x {OURS}",
        f"mv /root/tenure-generator {GENERATORS}/"),
    "is half done": (f"mv {OURS} /root/; printf '#!/bin/sh\\nmkdir -p $2/worker.service.d; exit 1\\n' >{OURS}; chmod +x {OURS}",
                     f"mv /root/tenure-generator {GENERATORS}/"),
}


def generators_copy(t, host, unit=None):
    return host.exists(f"{EARLY}/{unit or t.unit}.d/{FILE}")


def lose_generators_copy(t, host, way):
    t.fault_in_the_dark(f"the generator of {host} {way}", lambda: host.sh(WAYS[way][0]))
    host.systemctl("daemon-reload", check=False)
    t.effect("the generator's copy is gone", lambda: not generators_copy(t, host))


def mend_generator(t, host, way):
    host.sh(WAYS[way][1])
    host.systemctl("daemon-reload")
    t.until("it has written its guards again", lambda: generators_copy(t, host))


def guarded(t, host):
    """By the settings that PID 1 uses."""
    t.check(f"{t.unit} is guarded on {host}", host.property(t.unit, "BindsTo") == t.keeper
            and host.property(t.unit, "Slice") == f"tenure-{t.group}.slice"
            and t.unit in host.property(t.keeper, "PropagatesStopTo"))


def dead(t, host):
    t.check(f"{t.unit} does not run on {host}: {host.state(t.unit)}", host.state(t.unit) in ("inactive", "failed"))


def wait_standby(t, host):
    t.until(f"{host} is a standby", lambda: t.cluster.status(host).get("role") == "standby")


@scenario("the generator fails in each way on a standby: its unit cannot be started")
def guards_generator_fails_standby(t):
    t.spent, host = True, t.standbys[0]
    for way in WAYS:
        lose_generators_copy(t, host, way)
        guarded(t, host)
        is_refused(t, host, t.unit)
        wait_standby(t, host)
        mend_generator(t, host, way)
    t.silent(host, since=t.first_fault_at)
    t.gap_at_most(0)


@scenario("the generator fails in each way while a standby boots with its unit enabled: the unit does not start")
def guards_generator_fails_boot(t):
    t.spent, host = True, t.standbys[0]
    host.systemctl("enable", "--quiet", t.unit)
    # (systemd 257 does not come up at all when all generators fail at boot.)
    for way in [w for w in WAYS if w != PARENT or t.lab.platform.name != "257"]:
        t.fault_in_the_dark(f"the generator of {host} {way}, and it is rebooted",
                            lambda way=way: (host.sh(WAYS[way][0]), host.reboot()))
        t.effect("it wrote nothing", lambda: host.up and not generators_copy(t, host))
        guarded(t, host)
        dead(t, host)
        wait_standby(t, host)
        is_refused(t, host, t.unit)
        mend_generator(t, host, way)
    t.silent(host, since=t.first_fault_at)
    t.gap_at_most(0)


@scenario("the generator fails in each way on the leader, its unit crashes, it steps down: one host runs the unit")
def guards_generator_fails_leading(t):
    t.spent = True
    restarts_always(t)
    for way in WAYS:
        old = t.leader
        lose_generators_copy(t, old, way)
        guarded(t, old)
        term, pid = t.cluster.term(old), old.main_pid(t.unit)
        old.kill(t.unit)
        t.until("PID 1 has started its unit again", lambda old=old, pid=pid: old.main_pid(t.unit) not in (0, pid))
        t.check("in its slice", f"/tenure-{t.group}.slice/" in old.property(t.unit, "ControlGroup"))
        t.check("in the same term", t.cluster.is_leader(old) and t.cluster.term(old) == term)
        t.stop_agent(old)
        t.leader = t.next_leader()
        dead(t, old)
        is_refused(t, old, t.unit)
        mend_generator(t, old, way)
        old.systemctl("start", "tenured.service")
        wait_standby(t, old)
        t.gap_at_most(2000)


def resists(t):
    """A unit that ignores SIGTERM, and that PID 1 always restarts."""
    t.spent = True
    restarts_always(t)
    t.cluster.worker("--ignore-term")
    t.leader = t.cluster.wait_ready()


def lose_while_ending(t, loss, lose):
    """The leader loses guards while it steps down, and its unit is started by hand then: it is stopped all the same."""
    old = t.leader
    stop = threading.Thread(target=old.systemctl, args=("stop", "tenured.service"))
    t.fault(f"systemctl stop tenured on {old}, and {loss}", stop.start)
    t.until("its unit is being stopped", lambda: old.state(t.unit) == "deactivating")
    lose()
    old.systemctl("start", "--no-block", t.unit, check=False)
    stop.join()
    t.effect("it does not run", lambda: old.state("tenured.service") == "inactive")
    t.leader = t.next_leader()
    dead(t, old)
    t.dead_within(old, t.stop_ms + t.kill_ms + t.slack_ms)


@scenario("the generator fails in each way while a term ends, and the unit is started by hand: it is still stopped")
def guards_generator_fails_ending(t):
    resists(t)
    for way in WAYS:
        old = t.leader
        old.sh(WAYS[way][0])

        def lose(old=old):
            old.systemctl("daemon-reload")
            t.check("the generator's copy is gone", not generators_copy(t, old))
        lose_while_ending(t, f"the generator {way}", lose)
        mend_generator(t, old, way)
        old.systemctl("start", "tenured.service")
        wait_standby(t, old)


@scenario("the generator hangs until PID 1 gives up on it: a standby's unit cannot be started")
def guards_generator_hangs(t):
    t.spent, host = True, t.standbys[0]
    host.sh(f"mv {OURS} /root/; printf '#!/bin/sh\\nexec sleep 300\\n' >{OURS}; chmod +x {OURS}")
    began = clock.now()
    t.fault(f"daemon-reload on {host}, whose generator hangs", lambda: host.sh("systemctl daemon-reload", timeout=110))
    t.figures["patience"] = f"{clock.ms(clock.now() - began) / 1000:.0f} s"
    t.effect("it wrote nothing", lambda: not generators_copy(t, host))
    guarded(t, host)
    is_refused(t, host, t.unit)
    t.silent(host)
    t.gap_at_most(0)


@scenario("a standby reloads its units while it cannot fork: its unit still cannot be started")
def guards_standby_without_tasks(t):
    t.spent, host = True, t.standbys[0]
    t.fault(f"daemon-reload on {host}, which is out of tasks for a moment", lambda: reload_without_tasks(host))
    t.effect("the generators did not run", lambda: "Failed to fork" in host.journal(lines=400))
    is_refused(t, host, t.unit)
    guarded(t, host)
    time.sleep(2)
    t.silent(host)
    t.gap_at_most(0)


@scenario("the leader reloads its units while it cannot fork, its unit crashes, it is cut off: one host runs the unit")
def guards_leader_without_tasks(t):
    t.spent, old = True, t.leader
    restarts_always(t)
    t.fault(f"daemon-reload on {old}, which is out of tasks for a moment", lambda: reload_without_tasks(old))
    t.effect("the generators did not run", lambda: "Failed to fork" in old.journal(lines=400))
    pid = old.main_pid(t.unit)
    t.fault("its unit crashes", lambda: old.kill(t.unit))
    t.effect("PID 1 has started it again", lambda: old.main_pid(t.unit) not in (0, pid))
    t.check("in its slice", f"/tenure-{t.group}.slice/" in old.property(t.unit, "ControlGroup"))
    t.fault(f"{old} is cut off", lambda: old.cut(clean=False))
    t.effect("packets are dropped", lambda: t.lab.network.is_cut(old.name))
    t.next_leader()
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
    time.sleep(2)
    dead(t, old)
    t.gap_at_most(t.lease_ms + 2000)


LEAK = "i=0; while :; do true >/run/leak/%s.$i 2>/dev/null && i=$((i+1)); done"


@scenario("a standby reloads its units while /run has no free inode: its unit still cannot be started")
def guards_without_inodes(t):
    t.spent, host = True, t.standbys[0]

    def leak():
        host.sh("mkdir /run/leak; mount -o remount,nr_inodes=$(($(df --output=iused /run | tail -1) + 50)) /run")
        for n in range(3):
            host.write_file(f"/root/leak{n}", f"#!/bin/sh\n{LEAK % n}\n", 0o755)
            host.sh(f"setsid /root/leak{n} >/dev/null 2>&1 </dev/null &")
        t.until("no inode is left", lambda: host.sh("df --output=iavail /run | tail -1").strip() == "0")
    t.fault(f"inodes of /run are used up on {host}", leak)
    host.systemctl("daemon-reload", check=False)
    t.effect("its generator could not write", lambda: not generators_copy(t, host))
    is_refused(t, host, t.unit)
    guarded(t, host)
    host.sh("pkill -x -f '/bin/sh /root/leak.' ; rm -r /run/leak", check=False)
    t.silent(host)
    t.gap_at_most(0)


@scenario("/etc/tenure is a link to a disk in fstab: a standby that boots does not start its enabled unit")
def guards_configuration_mounted_late(t):
    t.spent, host = True, t.standbys[0]
    host.systemctl("enable", "--quiet", t.unit)

    def move():
        host.sh("mkdir /disk /config; mv /etc/tenure /disk/; ln -s /config/tenure /etc/tenure; "
                "echo '/disk /config none bind' >>/etc/fstab; systemctl daemon-reload; systemctl start config.mount")
        host.systemctl("reload", "tenured.service")
    move()
    t.fault(f"{host} is rebooted, and mounts its configuration late", host.reboot)
    t.effect("its configuration is mounted", lambda: host.up and host.exists("/etc/tenure/tenure.conf"))
    wait_standby(t, host)
    t.check("its generator has written its guards", generators_copy(t, host))
    dead(t, host)
    t.silent(host)
    t.gap_at_most(0)


@scenario("the applied configuration is on a disk that is mounted late: apply says so, and the host boots safely")
def guards_applied_mounted_late(t):
    t.spent, host = True, t.standbys[0]
    host.systemctl("enable", "--quiet", t.unit)
    host.sh("mkdir /disk; mv /etc/tenure.applied /disk/; mkdir /etc/tenure.applied; systemctl stop tenured; "
            "echo '/disk/tenure.applied /etc/tenure.applied none bind' >>/etc/fstab; systemctl daemon-reload; "
            "systemctl start etc-tenure.applied.mount; systemctl start tenured")
    said = host.run("tenurectl", "apply").err
    t.check(f"apply says so: {said}", "lies on a file system of its own" in said)
    host.sh(f"rm {APPLIED[1]}")
    t.fault(f"{host} is rebooted, and mounts what is applied late", host.reboot)
    t.effect("it is mounted", lambda: host.up and host.exists(APPLIED[0]))
    wait_standby(t, host)
    guarded(t, host)
    dead(t, host)
    t.silent(host)
    t.gap_at_most(0)


# ---- the persistent copy ----

LOSSES = {
    "systemctl revert of the unit": lambda t: f"systemctl revert {t.unit}",
    "systemctl revert of the keeper": lambda t: f"systemctl revert '{t.keeper}'",
    "a deployment that removes what it does not know": lambda t:
        f"cd {ETC} && rm -rf *.d && systemctl daemon-reload",
    "an emptied drop-in": lambda t: f": >'{ETC}/{t.unit}.d/{FILE}'; systemctl daemon-reload",
    "a drop-in that is a link to nowhere": lambda t:
        f"ln -sf /dev/null '{ETC}/{t.unit}.d/{FILE}'; systemctl daemon-reload",
}


def lose_etc_copy(t, host, loss):
    before = len(copy_alerts(host))
    t.fault_in_the_dark(f"{loss} on {host}", lambda: host.sh(LOSSES[loss](t)))
    # Either can be seen late: the agent has the copy written again after half a second.
    t.effect("the persistent copy is gone or differs", lambda: "one copy only" in host.run(
        "tenurectl", "check", check=False).err or len(copy_alerts(host)) > before)


@scenario("the persistent copy is lost in each way, on standby and leader: the unit is guarded, and the next apply restores it")
def guards_copy_lost(t):
    t.spent = True
    restarts_always(t)
    for loss in LOSSES:
        old, host = t.leader, t.standbys[0]
        for h in (host, old):
            lose_etc_copy(t, h, loss)
            guarded(t, h)
        is_refused(t, host, t.unit)
        t.stop_agent(old)
        t.leader = t.next_leader()
        dead(t, old)
        # The agent writes lost copies when it starts.
        old.systemctl("start", "tenured.service")
        wait_standby(t, old)
        t.check("both copies exist again", "copy" not in old.run("tenurectl", "check", check=False).err)
        host.systemctl("reload", "tenured.service")
        t.check("there, too", "copy" not in host.run("tenurectl", "check", check=False).err)
        restarts_always(t)
        t.gap_at_most(2000)


@scenario("the persistent copy is lost in each way, and a standby boots with its unit enabled: the unit does not start")
def guards_copy_lost_boot(t):
    t.spent, host = True, t.standbys[0]
    for loss in LOSSES:
        host.systemctl("enable", "--quiet", t.unit)
        lose_etc_copy(t, host, loss)
        host.systemctl("enable", "--quiet", "tenured.service", t.unit)
        booted = host.boots
        t.fault_in_the_dark(f"{host} is rebooted", host.reboot)
        t.effect("it has booted", lambda booted=booted: host.up and host.boots == booted + 1)
        wait_standby(t, host)
        dead(t, host)
        is_refused(t, host, t.unit)
        t.check("both copies exist again", "copy" not in host.run("tenurectl", "check", check=False).err)
    t.silent(host, since=t.first_fault_at)
    t.gap_at_most(0)


@scenario("the persistent copy is lost in each way while a term ends, and the unit is started by hand: it is still stopped")
def guards_copy_lost_ending(t):
    resists(t)
    for loss in LOSSES:
        old = t.leader

        def lose(old=old, loss=loss):
            old.sh(LOSSES[loss](t))
            t.check("that copy is gone", "one copy only" in old.run("tenurectl", "check", check=False).err)
        lose_while_ending(t, loss, lose)
        old.systemctl("start", "tenured.service")
        wait_standby(t, old)


@scenario("/etc/systemd/system is read-only: apply and check say so, and the generator's copy guards the unit")
def guards_copy_read_only(t):
    t.spent, host = True, t.standbys[0]

    def make():
        host.systemctl("stop", "tenured.service")
        host.sh(f"cd {ETC} && rm -rf *.d && mount --bind {ETC} {ETC} && mount -o remount,bind,ro {ETC}")
    t.fault(f"it is read-only on {host}, and the persistent copy is gone", make)
    t.effect("nothing can be written", lambda: not host.run("touch", f"{ETC}/x", check=False).ok)
    host.systemctl("start", "tenured.service")
    r = host.run("tenurectl", "apply")
    t.check(f"apply says so: {r.err}", "there is one copy of them only" in r.err and "Read-only file system" in r.err)
    r = host.run("tenurectl", "check", check=False)
    t.check(f"so does check: {r.err}", "there is one copy only" in r.err)
    wait_standby(t, host)
    guarded(t, host)
    is_refused(t, host, t.unit)
    old = t.leader
    t.stop_agent(old)
    t.next_leader()
    t.gap_at_most(2000)


ETC_IS_READ_ONLY = """[Unit]
Before=tenured.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c "mount --bind /etc /etc && mount -o remount,bind,ro /etc"
[Install]
WantedBy=multi-user.target
"""


@scenario("/etc is read-only and nothing is applied yet: the host boots without its unit, then leads with one copy")
def guards_etc_read_only(t):
    t.spent, host, old = True, t.standbys[0], t.leader
    host.systemctl("stop", "tenured.service")
    host.sh(f"rm -rf /etc/tenure.applied {ETC}/*.d")
    host.write_file(f"{ETC}/etc-is-read-only.service", ETC_IS_READ_ONLY)
    host.systemctl("enable", "--quiet", t.unit, "tenured.service", "etc-is-read-only.service")
    booted = host.boots
    t.fault(f"{host} boots with a read-only /etc", host.reboot)
    t.effect("it has booted, and nothing can be written", lambda: host.up and host.boots == booted + 1
             and not host.run("touch", "/etc/x", check=False).ok)
    wait_standby(t, host)
    t.silent(host)
    guarded(t, host)
    is_refused(t, host, t.unit)
    t.check("the configuration is applied until the next boot", host.exists("/run/tenure.applied/applied.conf") and not host.exists(APPLIED[0]))
    r = host.run("tenurectl", "apply")
    t.check(f"apply says so: {r.err}", "Read-only file system" in r.err and "until this host boots" in r.err)
    r = host.run("tenurectl", "check", check=False)
    t.check(f"so does check: {r.err}", "there is one copy only" in r.err and "until this host boots" in r.err)
    host.systemctl("daemon-reload")
    guarded(t, host)
    for other in t.standbys[1:]:
        t.stop_agent(other)
    t.stop_agent(old)
    t.leader = t.next_leader()
    t.check(f"{host} leads", t.leader is host)
    t.gap_at_most(2000)
    host.sh("umount /etc")
    r = host.run("tenurectl", "apply")
    t.check(f"once /etc can be written, apply has no finding: {r.err}", not r.err and host.exists(APPLIED[0])
            and host.exists(f"{ETC}/{t.unit}.d/{FILE}") and not host.exists("/run/tenure.applied/applied.conf"))


@scenario("a host boots with its unit enabled before the first apply: the unit does not start")
def guards_before_first_apply(t):
    t.spent, host = True, t.standbys[0]

    def provision():
        host.systemctl("stop", "tenured.service")
        host.sh(f"rm -rf /etc/tenure.applied {ETC}/*.d")
        host.systemctl("enable", "--quiet", t.unit)
    provision()
    t.check("nothing of what was applied is left", not host.sh(f"ls {ETC}/*/{FILE} {' '.join(APPLIED)} 2>/dev/null", check=False))
    booted = host.boots
    t.fault(f"{host} boots as it was provisioned", host.reboot)
    t.effect("it has booted", lambda: host.up and host.boots == booted + 1)
    wait_standby(t, host)
    t.check("the agent has applied it by now", generators_copy(t, host) and host.exists(f"{ETC}/{t.unit}.d/{FILE}"))
    dead(t, host)
    t.silent(host)
    t.gap_at_most(0)


PROGRAMS = ("/usr/sbin/tenured", "/usr/bin/tenurectl", "/usr/lib/tenure", OURS, "/usr/lib/systemd/system/tenured.service",
            "/usr/lib/systemd/system/tenure@.service", "/usr/lib/systemd/system/tenure-stop@.service",
            "/usr/lib/systemd/system/tenure-reload.service", "/usr/share/polkit-1/rules.d/50-tenure.rules",
            "/usr/share/polkit-1/actions/org.tenure1.policy",
            "/usr/share/dbus-1/system.d/org.tenure1.conf", "/usr/lib/tmpfiles.d/tenure.conf")


@scenario("the programs are removed from a host, which boots with its unit enabled: the unit does not start")
def guards_package_removed(t):
    t.spent, host = True, t.standbys[0]
    host.systemctl("enable", "--quiet", t.unit)

    def remove():
        host.systemctl("disable", "--now", "--quiet", "tenured.service")
        host.run("rm", "-r", *PROGRAMS)
        host.systemctl("daemon-reload")
    t.fault(f"tenure is removed from {host}", remove)
    t.effect("it is gone", lambda: not host.exists("/usr/sbin/tenured"))
    is_refused(t, host, t.unit)
    booted = host.boots
    t.fault(f"{host} is rebooted", host.reboot)
    t.effect("it has booted", lambda: host.up and host.boots == booted + 1)
    time.sleep(2)
    dead(t, host)
    is_refused(t, host, t.unit)
    # The operator vouches that no other host runs it.
    host.sh(f"rm {ETC}/*/{FILE}; systemctl daemon-reload")
    t.check("without them it is an ordinary unit", host.property(t.unit, "BindsTo") == "")
    t.silent(host, since=t.first_fault_at)
    t.gap_at_most(0)


@scenario("the applied configuration is where the previous version kept it: the unit is guarded, and the agent moves it")
def guards_upgraded(t):
    t.spent, old, host = True, t.leader, t.standbys[0]
    keeper, term = old.main_pid(t.keeper), t.cluster.term(old)
    before = ("/etc/tenure/applied.conf", "/etc/tenure/applied.conf.copy")

    def as_earlier_version(h):
        h.sh(f"mv {APPLIED[0]} {before[0]}; mv {APPLIED[1]} {before[1]}; rm -r /etc/tenure.applied {ETC}/*.d; "
             "systemctl daemon-reload")

    def is_moved(h):
        t.check(f"the files are moved on {h}, and none is left", all(h.exists(p) for p in APPLIED)
                and not any(h.exists(p) for p in before) and h.exists(f"{ETC}/{t.unit}.d/{FILE}"))
        guarded(t, h)
    t.fault(f"{old} and {host} are as the version before left them", lambda: [as_earlier_version(h) for h in (old, host)])
    t.effect("there is one copy only", lambda: not old.exists(f"{ETC}/{t.unit}.d") and generators_copy(t, old))
    guarded(t, old)
    is_refused(t, host, t.unit)
    old.systemctl("restart", "tenured.service")
    is_moved(old)
    t.undisturbed(seconds=1)
    t.check("the keeper and the term are the same", old.main_pid(t.keeper) == keeper and t.cluster.term(old) == term)
    host.systemctl("enable", "--quiet", t.unit, "tenured.service")
    booted = host.boots
    t.fault(f"{host} boots", host.reboot)
    t.effect("it has booted", lambda: host.up and host.boots == booted + 1)
    wait_standby(t, host)
    dead(t, host)
    is_moved(host)
    t.silent(host)
    t.gap_at_most(0)


@scenario("a unit that was enabled by its path has an alias: it cannot be started by either name, nor be left running")
def guards_unit_alias(t):
    t.spent = True
    unit = "[Service]\nExecStart=/lab/witness /lab/beats/%H.pay.service\n[Install]\nAlias=payments.service\nWantedBy=multi-user.target\n"

    def prepare(host):
        host.write_file("/opt/app/pay.service", unit)
        host.systemctl("enable", "--quiet", "/opt/app/pay.service")
        # Newer versions of systemd make one unit of the first two names, but not of this one.
        host.sh("ln -s /opt/app/pay.service /etc/systemd/system/wages.service")
        t.cluster.write_group(host, {"name": "pay", "units": ["pay.service"], "lease": t.cluster.lease,
                                     "stop_timeout": t.cluster.stop_timeout})
        host.systemctl("reload", "tenured.service")
    everywhere(t.hosts, prepare)
    for host in t.hosts:
        said = host.run("tenurectl", "apply").out
        t.check(f"nothing has left its group on {host}: {said}", "Left" not in said)
    t.until("it is led", lambda: any(h.state("tenure@pay.service") == "active" for h in t.hosts))
    leads = next(h for h in t.hosts if h.state("tenure@pay.service") == "active")
    t.until("it runs", lambda: leads.state("pay.service") == "active")
    for host in (h for h in t.hosts if h is not leads):
        for copy in ("both copies", "the persistent copy"):
            if copy != "both copies":
                host.sh(WAYS["is masked"][0])
                host.systemctl("daemon-reload")
            for name in ("pay.service", "payments.service", "wages.service"):
                t.check(f"{name} cannot be started on {host} with {copy}",
                        not host.systemctl("start", name, check=False).ok)
    t.stop_agent(leads)
    t.until("another host runs it", lambda: any(h.state("pay.service") == "active" for h in t.hosts if h is not leads))
    for name in ("pay.service", "payments.service", "wages.service"):
        t.check(f"{name} does not run on {leads}", leads.state(name) in ("inactive", "failed"))
    time.sleep(0.5)
    t.one_at_a_time("pay.service")
    t.until("the group is led", lambda: t.cluster.leader())
    t.check("it beat", t.lab.testimony("pay.service").beats(t.began, clock.now()))


STRAY = "stray.service"


@scenario("both copies of a unit's guards are lost on a standby, and it is started: it is stopped by its name for good")
def guards_stray_stopped_by_name(t):
    t.spent = True
    with units_of_group(t, {STRAY: service(BEAT, "Restart=always", "RestartSec=0")}):
        host = t.standbys[0]
        t.fault(f"the generator of {host} is masked, and its units reverted", lambda: (
            host.sh(WAYS["is masked"][0]), host.systemctl("revert", STRAY)))
        t.effect("nothing guards it", lambda: host.property(STRAY, "BindsTo") == "")
        began = clock.now()
        host.systemctl("start", STRAY)
        t.until("it is stopped", lambda: host.state(STRAY) in ("inactive", "failed"), timeout=5)
        t.figures["stopped after"] = f"{clock.ms(clock.now() - began):.0f} ms"
        t.stays("it stays stopped", lambda: host.state(STRAY) in ("inactive", "failed"), seconds=2)
        host.sh(WAYS["is masked"][1])
        host.systemctl("reload", "tenured.service")
        wait_standby(t, host)
        is_refused(t, host, STRAY)
        t.gap_at_most(0)
