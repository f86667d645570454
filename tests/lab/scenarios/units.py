# SPDX-License-Identifier: Apache-2.0
"""Units of every type are led, and stopped properly, whatever they do and whichever drop-ins override their guards."""

import contextlib
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from lab import clock
from lab.cluster import SHOWN
from lab.scenario import scenario

ETC = "/etc/systemd/system"
BEAT = "/lab/witness /lab/beats/%H.%n"


def everywhere(hosts, do):
    """Calls do(host) for several hosts in parallel. Returns the results in the order of the hosts."""
    with ThreadPoolExecutor(len(hosts) or 1) as pool:
        return list(pool.map(do, hosts))


def service(exec_start, *lines):
    return "\n".join(["[Service]", f"ExecStart={exec_start}", *lines, ""])


def reload(host):
    host.systemctl("reload", "tenured.service")


@contextlib.contextmanager
def units_of_group(t, files, **more):
    """The group has these units beside the worker: {name: text of its file, for an instance that of its template}.
    more: other settings of the group. If the scenario passes, everything is as before."""
    def write(host):
        if any(f"User={BOMBER}" in text for text in files.values()):
            make_bomber(host)
        for name, text in files.items():
            at = name.find("@")
            path = name if at < 0 else name[:at + 1] + name[name.rindex("."):]
            host.write_file(f"{ETC}/{path}", text)
        t.cluster.configure(host, [{"name": t.group, "units": [t.unit, *files],
                                    "lease": t.cluster.lease, "stop_timeout": t.cluster.stop_timeout,
                                    **more}])
    everywhere(t.hosts, write)
    apply_everywhere(t)
    t.leader = t.cluster.wait_ready()
    yield
    for host in t.hosts:
        host.heal()

    def undo(host):
        t.cluster.configure(host)
        if host.state("tenured.service") != "active":
            host.systemctl("start", "tenured.service")
    everywhere(t.hosts, undo)
    t.leader = t.cluster.wait_leader(timeout=30)
    apply_everywhere(t)
    everywhere(t.hosts, lambda h: h.run("tenurectl", "apply", "--release", t.group))
    for host in t.hosts:
        host.run("sh", "-c", f"cd {ETC} && rm -rf " + " ".join(
            f"'{n}'" for n in {n[:n.find('@') + 1] + n[n.rindex('.'):] if "@" in n else n for n in files}))
    everywhere(t.hosts, lambda h: h.systemctl("daemon-reload"))
    t.leader = t.cluster.wait_leader(timeout=30)


def apply_everywhere(t):
    """Reloads the leader last: the standbys must be ready to lead when it steps down."""
    everywhere(t.standbys, reload)
    reload(t.leader)


def states(host, units):
    """{unit: ActiveState}, by one command."""
    said = host.run("systemctl", "show", "--value", "-p", "ActiveState", "--", *units).out.split()
    return dict(zip(units, said))


def all_dead(t, host, units):
    """Nothing of the group is left on a host, neither a unit nor a cgroup."""
    found = states(host, [t.keeper, t.unit, *units])
    t.check(f"all of the group is dead on {host}: {found}",
            all(s in ("inactive", "failed") for s in found.values()))
    left = host.sh(f"find /sys/fs/cgroup/tenure.slice/tenure-{t.group}.slice -mindepth 1 -type d",
                   check=False)
    t.check(f"no cgroup is left in its slice on {host}: {left}", not left)


def all_active(t, host, units):
    t.until(f"all of the group runs on {host}",
            lambda: set(states(host, [t.keeper, t.unit, *units]).values()) == {"active"})


def in_slice(t, host, units):
    inside = f"/tenure.slice/tenure-{t.group}.slice/"
    for unit in units:
        where = host.property(unit, "ControlGroup")
        t.check(f"{unit} is in {where}, below {inside}", where.startswith(inside))


def never_twice(t, units):
    """No two hosts ran any of these witnesses at once, and each ran."""
    for unit in units:
        t.check(f"{unit} ran", t.lab.testimony(unit).beats(t.began, clock.now()))
        t.one_at_a_time(unit)


def dead_within(t, host, units, limit_ms):
    for unit in units:
        last = t.lab.testimony(unit).last_beat(host.name) or 0
        took = clock.ms(last - t.fault_at)
        t.check(f"{unit} on {host}: last beat {took:.0f} ms after the fault, within {limit_ms:.0f} ms",
                took <= limit_ms)


def switch_over(t, meanwhile=None, times=5):
    """Stops the leader's agent. meanwhile: called with the old leader up to so many times while the agent ends."""
    old, done = t.leader, threading.Event()

    def stop():
        try:
            old.systemctl("stop", "tenured.service")
        finally:
            done.set()

    def interfere():
        done_times = 0
        while meanwhile and done_times < times and not done.is_set():
            meanwhile(old)
            done_times += 1
        return done_times
    with ThreadPoolExecutor(1) as pool:
        interfering = pool.submit(interfere)
        t.fault(f"systemctl stop tenured on {old}", stop)
        interfered = interfering.result()
    t.check("there was interference", interfered or not meanwhile)
    t.effect("the agent is stopped", lambda: old.state("tenured.service") == "inactive")
    t.leader = new = t.next_leader()
    return old, new


def back_again(t, host):
    host.systemctl("start", "tenured.service")
    t.until(f"{host} is a standby", lambda: t.cluster.status(host).get("role") == "standby")


def cut_off(t):
    old = t.leader
    t.fault(f"{old} is cut off, half open", lambda: old.cut(clean=False))
    t.effect("packets are dropped", lambda: t.lab.network.is_cut(old.name))
    t.leader = new = t.next_leader()
    return old, new


SERVICES = {
    "simple.service": service(BEAT),
    "forking.service": service(f"/bin/sh -c '{BEAT} &'", "Type=forking"),
    "notify.service": service(BEAT + " --slow-start 100", "Type=notify"),
    # ExecStart= ends at once, and the process that it leaves behind belongs to the unit.
    "once.service": service(f"/bin/sh -c '{BEAT} &'", "Type=oneshot", "RemainAfterExit=yes",
                            "ExecStop=/bin/true"),
    # The unit has no process and no cgroup, but its stop commands have something to do, and take a while.
    "quiet.service": service("/bin/true", "Type=oneshot", "RemainAfterExit=yes",
                             "ExecStop=/bin/sleep 0.2", "ExecStop=/bin/touch /run/quiet-is-done"),
    "w@1.service": service(BEAT, "Type=notify"),
    "sliced.service": service(BEAT, "Slice=custom.slice"),
}


@scenario("services of every type, an instance and one with its own slice: a switchover, then a failover after a cut")
def service_types(t):
    with units_of_group(t, SERVICES):
        beating = [u for u in SERVICES if u != "quiet.service"]
        all_active(t, t.leader, SERVICES)
        in_slice(t, t.leader, beating)
        old, new = switch_over(t)
        all_dead(t, old, SERVICES)
        all_active(t, new, SERVICES)
        dead_within(t, old, beating, 500)
        t.check("the stop commands of a service without a process ran to their end",
                old.exists("/run/quiet-is-done"))
        t.gap_at_most(1000)
        back_again(t, old)
        old, new = cut_off(t)
        dead_within(t, old, beating, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
        all_dead(t, old, SERVICES)
        t.check("also when it was cut off", old.exists("/run/quiet-is-done"))
        all_active(t, new, SERVICES)
        in_slice(t, new, beating)
        never_twice(t, beating)
        t.gap_at_most(t.lease_ms + 2000)


MOUNT = "srv-my\\x2ddata.mount"
WHERE = "/srv/my-data"
PORT = 7777
OTHERS = {
    "tick.timer": "[Timer]\nOnActiveSec=50ms\nOnUnitInactiveSec=50ms\nAccuracySec=1ms\n",
    "tick.service": "[Unit]\nStartLimitIntervalSec=0\n" + service(f"timeout -s TERM 0.05 {BEAT}", "SuccessExitStatus=124"),
    # A nightly job, which a failover by day must not run.
    "night.timer": "[Timer]\nOnCalendar=2099-01-01 03:00\n",
    "night.service": service(BEAT),
    "door.socket": f"[Socket]\nListenStream={PORT}\n",
    "door.service": service(BEAT),
    "spool.path": "[Path]\nPathExists=/run/spool/go\nUnit=reader.service\n",
    "reader.service": service(BEAT, "ExecStopPost=/bin/rm -f /run/spool/go"),
    MOUNT: f"[Mount]\nWhat=tmpfs\nWhere={WHERE}\nType=tmpfs\n",
    # This service keeps the mount busy until it ends.
    "inside.service": f"[Unit]\nRequiresMountsFor={WHERE}\n"
                      + service(BEAT, f"WorkingDirectory={WHERE}"),
    "all.target": "[Unit]\nDescription=Whatever else shall know\n",
}
WITNESSES = ["tick.service", "door.service", "reader.service", "inside.service"]


def answers(t, host, port):
    """Whether the port is open, as another host sees it."""
    other = next(h for h in t.hosts if h is not host and h.up)
    return other.run("timeout", "1", "bash", "-c", f"exec 3<>/dev/tcp/{host.address}/{port}",
                     check=False).ok


def use_everything(t, host):
    host.sh("mkdir -p /run/spool; touch /run/spool/go")
    t.check(f"the port of {host} is open", answers(t, host, PORT))
    active = ["tick.timer", "night.timer", "door.socket", "door.service", "spool.path",
              "reader.service", MOUNT, "inside.service", "all.target"]
    all_active(t, host, active)
    t.until("the timer has started its service", lambda: t.lab.testimony("tick.service").beats(
        clock.now() - 300 * clock.MS, clock.now(), host.name))
    t.check(f"{WHERE} is mounted on {host}", host.run("mountpoint", "-q", WHERE, check=False).ok)
    t.check("the nightly job was not started", host.state("night.service") == "inactive")
    status = t.cluster.status(host)
    t.check(f"an inactive service of a timer is no finding: {status['reason']}", not status["reason"])


def nothing_usable(t, host):
    host.sh("mkdir -p /run/spool; touch /run/spool/go")
    t.check(f"the port of {host} is closed", not answers(t, host, PORT))
    t.check(f"{WHERE} is not mounted on {host}",
            not host.run("mountpoint", "-q", WHERE, check=False).ok)
    all_dead(t, host, OTHERS)
    host.sh("rm -f /run/spool/go")


@scenario("timer, socket, path, mount and target are usable on the leader and refused elsewhere, even while a term ends")
def other_unit_types(t):
    with units_of_group(t, OTHERS):
        use_everything(t, t.leader)
        for host in t.standbys:
            nothing_usable(t, host)

        def everything_by_hand(host):
            # (The nightly job is left out: it would run, because the host still leads when this begins.)
            host.sh("mkdir -p /run/spool; touch /run/spool/go; systemctl start --no-block "
                    + " ".join(f"'{u}'" for u in OTHERS if u != "night.service"), check=False)
            answers(t, host, PORT)
        old, new = switch_over(t, everything_by_hand)
        nothing_usable(t, old)
        use_everything(t, new)
        never_twice(t, WITNESSES)
        t.gap_at_most(1000)
        back_again(t, old)
        old = t.leader
        t.kill_keeper(old)
        t.leader = t.cluster.wait_leader()
        use_everything(t, t.leader)
        for host in t.standbys:
            nothing_usable(t, host)
        never_twice(t, WITNESSES)
        t.check("the nightly job never ran",
                not t.lab.testimony("night.service").beats(0, clock.now()))
        t.gap_at_most(1500)


BOMBER = "bomber"


def make_bomber(host):
    """LimitNPROC= counts a user's processes on the whole machine, so each lab (one process) has a user of its own."""
    host.sh(f"id -u {BOMBER} >/dev/null 2>&1 || useradd -M -u {20000 + os.getpid() % 20000} {BOMBER}")


# Their stop commands are killed, so that their work is not done.
HOOKS = {
    # It asks for another minute repeatedly, and does not end.
    "extends.service": service(
        f"{BEAT} --ignore-term", "Type=notify", "NotifyAccess=all",
        "ExecStop=/bin/sh -c 'while :; do systemd-notify EXTEND_TIMEOUT_USEC=60000000; sleep 0.1; done'"),
    "slow-stop.service": service(f"{BEAT} --slow-stop 60000", "ExecStop=/bin/sleep 60",
                                 "ExecStop=/bin/sleep 60"),
    # Its ExecStopPost= beats on as another witness.
    "slow-post.service": service(BEAT, "ExecStopPost=/lab/witness /lab/beats/%H.post.service "
                                 "--ignore-term"),
    # It has no process until its stop, and neither of its two stop commands ends.
    "hook.service": service("/bin/true", "Type=oneshot", "RemainAfterExit=yes",
                            f"ExecStop={BEAT} --ignore-term", f"ExecStopPost={BEAT} --ignore-term"),
}
STUBBORN = {
    "bomb.service": service(f"{BEAT} --bomb --children 2 --escape --ignore-term", f"User={BOMBER}",
                            "LimitNPROC=60", "TasksMax=60"),
    "mixed.service": service(f"{BEAT} --ignore-term --children 2 --escape", "KillMode=mixed"),
    "returns.service": "[Unit]\nStartLimitIntervalSec=0\nAfter=mixed.service\n"
                       + service(BEAT, "Restart=always", "RestartSec=0"),
}


def until_bomb_is_full(t, host):
    t.until("the fork bomb has reached its limit", lambda: len(host.pids("bomb.service")) >= 40, timeout=30)


def resist(t, units, beating, gap_ms):
    """A switchover within that gap, then a failover after a cut; all units are dead in time."""
    all_active(t, t.leader, units)
    until_bomb_is_full(t, t.leader)
    old, new = switch_over(t, lambda h: h.sh(
        # (A pid of 0 would mean the process group that runs this lab.)
        "pid=$(systemctl show --value -p MainPID returns.service); "
        "[ \"$pid\" -gt 1 ] && kill -9 $pid; systemctl start --no-block returns.service",
        check=False))
    limit = t.stop_ms + t.kill_ms + t.slack_ms
    dead_within(t, old, beating, limit)
    all_dead(t, old, units)
    all_active(t, new, units)
    t.figures["switchover in"] = f"{t.gap_ms():.0f} ms"
    t.gap_at_most(gap_ms)
    left = t.said(old, "tenured.service", "may be left on this node", "alert")
    back_again(t, old)
    old, new = cut_off(t)
    dead_within(t, old, beating, t.duration_ms + limit)
    all_dead(t, old, units)
    never_twice(t, [u for u in units if u != "hook.service"])
    t.gap_at_most(t.lease_ms + 2000)
    return left


@scenario("units ignore their stop, fork endlessly or are restarted: they are killed in time, and the switchover is quick")
def units_resist_stop(t):
    with units_of_group(t, STUBBORN):
        left = resist(t, STUBBORN, STUBBORN, t.stop_ms + t.kill_ms + t.slack_ms + 700)
        t.check(f"they had nothing but processes, which are dead: {left}", not left)


@scenario("the same units, with stop commands that hang: they are killed, the record is not released, and an alert says why")
def stop_commands_hang(t):
    units = {**STUBBORN, **HOOKS}
    with units_of_group(t, units):
        left = resist(t, units, [*units, "post.service"], t.lease_ms + 2000)
        t.check(f"an alert names what may be left: {left}", left)
        t.check("the stop hooks beat", t.lab.testimony("hook.service").beats(t.began, clock.now()))
        t.one_at_a_time("hook.service")


UNWELL = {
    "cannot.service": service("/bin/false", "Type=oneshot", "RemainAfterExit=yes"),
    "missing-program.service": service("/no/such/program"),
    "dies.service": service(BEAT),
    "not-today.service": "[Unit]\nConditionPathExists=/no/such/file\n" + service(BEAT),
}


@scenario("units fail to start, or fail later: the node leads on and reports them")
def units_fail(t):
    with units_of_group(t, UNWELL):
        old, keeper = t.leader, t.leader.main_pid(t.keeper)

        def says(*words):
            reason = t.cluster.status(old).get("reason", "")
            return all(w in reason for w in words) and reason
        t.until("the status names what could not be started", lambda: says(
            "leads, but", "cannot.service is failed", "missing-program.service is failed",
            "not-today.service is inactive"))
        t.fault(f"kill -9 of dies.service on {old}", lambda: old.kill("dies.service"))
        t.effect("it has failed", lambda: old.state("dies.service") == "failed")
        t.note(t.until("the status names it", lambda: says("dies.service is failed", "1 more")))
        t.check("so does tenurectl status", "dies.service" in old.sh("tenurectl status", check=False))
        t.until("by its exit status, too", lambda: old.run("tenurectl", "status", t.group, check=False).code == SHOWN[1])
        t.until("and systemctl status tenured", lambda: "4 units are not running" in old.property(
            "tenured.service", "StatusText"))
        t.undisturbed(seconds=t.lease_ms / 1000)
        t.check("it leads on", t.cluster.status(old)["role"] == "leader")
        t.check("the keeper is the same", old.main_pid(t.keeper) == keeper)
        old.systemctl("start", "dies.service")
        t.until("started again, it is not named any more",
                lambda: "dies.service" not in t.cluster.status(old).get("reason", "dies.service"))
        t.gap_at_most(0)


# What an administrator may do, and what the status must say about it ("": it is harmless).
# name: (type, drop-in, words of the reason)
# The drop-in sorts after the guards' own file, which takes a name that is chosen on purpose.
LATER = "~~.conf"
FIGHTS = {
    "kill-none": ("service", "[Service]\nKillMode=none\n", "KillMode is none"),
    "kill-process": ("service", "[Service]\nKillMode=process\n", "KillMode is process"),
    "no-sigkill": ("service", "[Service]\nSendSIGKILL=no\n", "SendSIGKILL is no"),
    "final-signal": ("service", "[Service]\nFinalKillSignal=SIGHUP\n", "FinalKillSignal is 1"),
    "no-limit": ("service", "[Service]\nTimeoutStopSec=infinity\n", "TimeoutStopUSec is infinity"),
    "long-limit": ("service", "[Service]\nTimeoutStopSec=90s\n", "TimeoutStopUSec is 1min 30s"),
    "abort": ("service", "[Service]\nTimeoutStopFailureMode=abort\n",
              "TimeoutStopFailureMode is abort"),
    "other-slice": ("service", "[Service]\nSlice=mine.slice\n", "Slice is mine.slice"),
    "no-env": ("service", "[Service]\nEnvironmentFile=\n", "EnvironmentFiles does not name"),
    "no-assert": ("service", "[Unit]\nAssertPathExists=\n", "AssertPathExists does not name"),
    # A drop-in cannot reset dependencies.
    "no-binding": ("service", "[Unit]\nBindsTo=\nAfter=\nRequires=\n", ""),
    "direct": ("service", "[Service]\nRestart=always\nRestartMode=direct\n",
               "RestartMode is direct"),
    "fd-store": ("service", "[Service]\nFileDescriptorStoreMax=3\nFileDescriptorStorePreserve=yes\n",
                 "FileDescriptorStorePreserve is yes"),
    "sock": ("socket", "[Socket]\nTimeoutSec=infinity\n", "TimeoutUSec is infinity"),
    "accept": ("socket", "[Socket]\nAccept=yes\n", "Accept is yes"),
    "tim": ("timer", "[Timer]\nUnit=elsewhere.service\n", "Triggers names elsewhere.service"),
    "keep": ("keeper", "[Service]\nRestart=always\n", "Restart is always"),
    "keep-long": ("keeper", "[Service]\nTimeoutStopSec=infinity\n", "TimeoutStopUSec is infinity"),
    "masked": ("masked", "", "LoadState is masked: run systemctl unmask"),
    "missing": ("missing", "", "LoadState is not-found"),
    # By itself it would keep its group from being led, see unit_file_not_reloaded(). But the guards of other units are lost, so
    # the agent has PID 1 read all files again.
    "changed": ("changed", "", ""),
    "peace": ("service", "[Service]\nNice=5\n", ""),
}


def overridden_unit(name):
    kind = FIGHTS[name][0]
    return f"f-{name}.{kind if kind in ('socket', 'timer') else 'service'}"


def declare_overridden(t, host):
    for name, (kind, _, _) in FIGHTS.items():
        units = list(dict.fromkeys([overridden_unit(name), f"f-{name}.service"]))
        if kind not in ("missing",):
            host.write_file(f"{ETC}/f-{name}.service",
                            service(BEAT, "[Install]", "WantedBy=multi-user.target"))
        if kind == "socket":
            host.write_file(f"{ETC}/{units[0]}", f"[Socket]\nListenStream=/run/f-{name}.sock\n")
        if kind == "timer":
            host.write_file(f"{ETC}/{units[0]}", "[Timer]\nOnActiveSec=1h\n")
        t.cluster.write_group(host, {"name": f"f-{name}", "units": units, "lease": "4s",
                                     "stop_timeout": "1s"})
    # An active unit refers to it, so that PID 1 keeps the unit as it has read it.
    host.systemctl("enable", "--quiet", "f-changed.service")


def override_all(host):
    for name, (kind, text, _) in FIGHTS.items():
        unit = f"tenure@f-{name}.service" if kind == "keeper" else overridden_unit(name)
        if kind == "masked":
            host.run("ln", "-sf", "/dev/null", f"{ETC}/{unit}")
        elif text:
            host.write_file(f"{ETC}/{unit}.d/{LATER}", text)
    host.systemctl("daemon-reload")
    host.write_file(f"{ETC}/f-changed.service", service(BEAT, "Nice=3"))


def undo_overrides(host):
    host.run("sh", "-c", f"rm -f {ETC}/f-*.d/{LATER} {ETC}/tenure@f*.d/{LATER} {ETC}/f-masked.service")
    for name in ("masked", "missing"):
        host.write_file(f"{ETC}/f-{name}.service", service(BEAT))
    host.systemctl("daemon-reload")


@scenario("drop-ins override guards, units are masked, missing or changed: each is reported, and its group is never led")
def conflicting_drop_ins(t):
    host = t.standbys[0]
    keeper = t.leader.main_pid(t.keeper)
    expected = {n: w for n, (_, _, w) in FIGHTS.items()}
    if t.lab.platform.name == "252":
        expected["direct"] = expected["fd-store"] = ""      # systemd 252 does not have these settings
    harmless = sorted(n for n, w in expected.items() if not w)

    declare_overridden(t, host)
    # Before any of them can be claimed: each new record is observed for a lease first.
    reload(host)
    t.fault(f"drop-ins, masks and changes on {host}", lambda: override_all(host))

    def roles():
        groups = json.loads(host.run("tenurectl", "status", "--json", check=False).out)["groups"]
        return {g["name"][2:]: g for g in groups if g["name"].startswith("f-")}
    t.effect("the untouched group is led",
             lambda: sorted(n for n, g in roles().items() if g["role"] == "leader") == harmless,
             timeout=15)
    # The others could have been claimed as early.
    time.sleep(1)
    # A group has no role for the moment in which its units are polled again.
    found = t.until("all groups have been polled", lambda: (lambda now: all(
        "being checked" not in g["reason"] for g in now.values()) and now)(roles()))
    for name, words in expected.items():
        reason, role = found[name]["reason"], found[name]["role"]
        if not words:
            t.check(f"f-{name} is led: {role}, {reason}", role == "leader")
            continue
        t.check(f"f-{name} is not led, because of {words!r}: {role}, {reason}",
                role in ("blocked", "standby") and words in reason)
        unit = "tenure@f" if FIGHTS[name][0] == "keeper" else overridden_unit(name)
        t.check(f"the reason names {unit}: {reason}", unit in reason)
        t.check(f"f-{name} never ran", not t.lab.testimony(f"f-{name}.service").processes)
    t.check("the others lead on", t.leader.main_pid(t.keeper) == keeper)

    undo_overrides(host)
    t.until("without the drop-ins all are led", lambda: all(g["role"] == "leader" for g in roles().values()),
            timeout=30)
    host.run("sh", "-c", "rm -f /etc/tenure/groups.d/f-*.conf")
    reload(host)
    host.run("tenurectl", "apply", *(f"--release=f-{name}" for name in FIGHTS))
    host.systemctl("disable", "--quiet", "f-changed.service")
    host.sh(f"find {ETC} -maxdepth 1 -name 'f-*' ! -type d -delete")
    host.systemctl("daemon-reload")
    t.undisturbed(seconds=0.5)
    t.gap_at_most(0)
