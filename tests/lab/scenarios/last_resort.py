# SPDX-License-Identifier: Apache-2.0
"""The last resort: the fence alone, and processes that not even SIGKILL ends."""

import glob
import os
import signal
import time

from lab import clock
from lab.scenario import scenario

from .clocks import clocks_of_their_own, step
from .keeper import freeze_with_pid1
from .units import (HOOKS, STUBBORN, all_active, all_dead, back_again, dead_within, never_twice, service, until_bomb_is_full,
                    units_of_group)


def end_by_fence(t, units, beating, **more):
    """The keeper is killed within a term, when the fence grants the units their stop timeout; then while they are stopped."""
    # One command, because on a busy machine several would take too long: the stop ends after S.
    mid_stop = (f"systemctl stop --no-block tenured.service; while [ -e /run/tenure/groups/{t.group}"
                "/live/state ]; do sleep 0.01; done; sleep 0.1; kill -9 ")
    for half, before in (("leading", "kill -9 "), ("stopping", mid_stop)):
        with units_of_group(t, units, **more):
            old, boots = t.leader, [h.boots for h in t.hosts]
            all_active(t, old, units)
            until_bomb_is_full(t, old)
            keeper = old.main_pid(t.keeper)
            t.check("it has a keeper", keeper > 1)
            t.fault(f"kill -9 of the keeper on {old}, {half}",
                    lambda: old.sh(f"{before}{keeper}"))
            t.effect("that keeper is gone", lambda: old.main_pid(t.keeper) != keeper)
            t.leader = t.cluster.wait_leader()
            dead_within(t, old, beating, t.stop_ms + t.kill_ms + t.slack_ms)
            t.check("the fence has killed them", t.said(old, t.keeper, "the fence kills what is left"))
            t.check("and not the keeper", not t.said(old, t.keeper, "the stop timeout is over"))
            t.until("the last of it is gone, or runs by a new term", lambda: t.leader is old or
                    old.state(t.keeper) in ("inactive", "failed"))
            if t.leader is not old:
                all_dead(t, old, units)
            t.check("no host has restarted", boots == [h.boots for h in t.hosts]
                    and all(h.up for h in t.hosts))
            if half == "stopping":
                back_again(t, old)
            never_twice(t, [u for u in units if u != "hook.service"])
            # The agent renews until the fence has ended, and from then on other nodes observe the unreleased record for a lease.
            t.gap_at_most(t.stop_ms + t.kill_ms + t.lease_ms + 1000)


@scenario("the keeper is killed, and its units resist their stop: the fence alone kills them")
def fence_alone(t):
    """Processes that SIGKILL ends are no reason to restart the host."""
    end_by_fence(t, STUBBORN, STUBBORN, fence="reboot")


@scenario("the same, and their stop commands hang, too: the fence alone kills them")
def fence_alone_hooks(t):
    units = {**STUBBORN, **HOOKS}
    end_by_fence(t, units, [*units, "post.service"])


# A process that waits for a FUSE server, which has read the request and does not reply, cannot be
# killed until it does: "state D", as with a disk that hangs. The server replies to the request of
# mount(2) (opcode 26 is FUSE_INIT), and to nothing else.
SERVER = r"""
$^F = 9;
open(my $fuse, "+<", "/dev/fuse") or die "fuse: $!";
system("mount -i -n -t fuse -o fd=" . fileno($fuse) . ",rootmode=40000,user_id=0,group_id=0"
       . " hang /run/hang") == 0 or die "mount";
while (sysread($fuse, my $question, 1 << 20)) {
    my ($length, $opcode, $unique) = unpack("LLQ", $question);
    syswrite($fuse, pack("LlQ LLLL SS LL x36", 80, 0, $unique, 7, 31, 0, 0, 0, 0, 4096, 1))
        if $opcode == 26;
}
"""
STUCK = {"stuck.service": service("/bin/sh -c 'while :; do [ -e /run/hang/x ]; sleep 0.05; done'")}


def hang_on_fuse(t, host):
    """A process of the group gets stuck. Returns its pid on this machine."""
    host.sh("mknod -m 600 /dev/fuse c 10 229; mkdir -p /run/hang")
    host.write_file("/run/server.pl", SERVER)
    host.systemctl("reset-failed", "hang.service", check=False)
    host.run("systemd-run", "--quiet", "--collect", "--unit=hang", "perl", "/run/server.pl")
    t.until("a file system that does not answer is mounted",
            lambda: " /run/hang fuse" in host.read_file("/proc/self/mounts"))
    found = glob.glob(f"{host.cgroup.v2}/**/stuck.service/cgroup.procs", recursive=True)
    t.check(f"one cgroup of stuck.service: {found}", len(found) == 1)

    def only():
        with open(found[0], encoding="ascii") as f:
            pids = [int(line) for line in f]
        return pids[0] if len(pids) == 1 else None
    pid = t.until("one process of stuck.service", only)
    t.until("it waits for an answer", lambda: "fuse" in wchan(pid))
    return pid


def wchan(pid):
    with open(f"/proc/{pid}/stack", encoding="ascii") as f:
        return f.read()


def unkillable(pid):
    """Whether SIGKILL is pending for the process, and it is still there, uninterruptible."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            said = dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)
    except (FileNotFoundError, ProcessLookupError):
        return False
    pending = int(said["SigPnd"], 16) | int(said["ShdPnd"], 16)
    return said["State"].startswith("D") and bool(pending & 1 << signal.SIGKILL - 1)


def wait_restart(t, host, pid):
    """Waits until the host has restarted itself. Returns when, and whether the process was seen unkillable."""
    seen = []

    def look():
        if not seen and unkillable(pid):
            seen.append(pid)
    return t.until_restart(host, look), bool(seen)


def restarts_in_time(t, old, pid, limit_ms, cut=True):
    down, seen = wait_restart(t, old, pid)
    t.effect("SIGKILL did not end the process", lambda: seen)
    took = clock.ms(down - t.fault_at)
    t.figures["restarted after"] = f"{took:.0f} ms"
    t.check(f"{old} restarted after {took:.0f} ms, within {limit_ms:.0f} ms", took <= limit_ms)
    t.check("no other node leads by then",
            not any(p.host != old.name for p in t.testimony.started(t.fault_at)))
    old.wait_down()
    t.figures["on its disk"] = "the alert" if "SIGKILL has not ended the group" in old.journal(lines=400) else "nothing"
    t.timeline.good(f"{old} has restarted itself")
    t.leader = t.next_leader()
    if old.cut_how:
        old.heal()
    old.boot()
    t.until(f"{old} is a standby", lambda: t.cluster.status(old).get("role") == "standby", timeout=20)
    # Unless the host is cut off its agent renews until then, and other nodes observe the record for a lease from then on.
    t.gap_at_most(t.lease_ms + (2000 if cut else limit_ms + 700))


@scenario("SIGKILL does not end a process of the cut-off leader, with fence = \"reboot\": the host restarts",
          breaks="SIGKILL takes effect within K")
def unkillable_reboots(t):
    with units_of_group(t, STUCK, fence="reboot"):
        old = t.leader
        pid = hang_on_fuse(t, old)
        t.fault(f"{old} is cut off, half open", lambda: old.cut(clean=False))
        t.effect("packets are dropped", lambda: t.lab.network.is_cut(old.name))
        restarts_in_time(t, old, pid, t.duration_ms + t.stop_ms + t.kill_ms + t.slack_ms)


@scenario("the same while PID 1, agent and D-Bus are frozen: the keeper restarts the host itself",
          breaks="SIGKILL takes effect within K")
def unkillable_reboots_alone(t):
    with units_of_group(t, STUCK, fence="reboot"):
        old = t.leader
        pid = hang_on_fuse(t, old)
        freeze_with_pid1(t, old, "tenured, dbus-daemon", [old.main_pid("tenured.service"), old.main_pid("dbus.service")])
        restarts_in_time(t, old, pid, t.duration_ms + t.stop_ms + t.kill_ms + t.slack_ms)


@scenario("the same when the keeper is killed: the fence restarts the host in its stead",
          breaks="SIGKILL takes effect within K")
def unkillable_reboots_fence(t):
    with units_of_group(t, STUCK, fence="reboot"):
        old = t.leader
        pid = hang_on_fuse(t, old)
        t.kill_keeper(old)
        restarts_in_time(t, old, pid, t.stop_ms + t.kill_ms + t.slack_ms, cut=False)


@scenario("SIGKILL does not end a process, without a fence setting: an alert, and no release",
          dual_ms=5000, breaks="SIGKILL takes effect within K")
def unkillable_reported(t):
    with units_of_group(t, STUCK):
        old, term = t.leader, t.db.lease(t.group)["term"]
        pid = hang_on_fuse(t, old)
        keeper = old.main_pid(t.keeper)
        t.fault(f"SIGTERM to the keeper of {old}", lambda: old.kill(keeper, "TERM"))
        t.effect("SIGKILL did not end the process", lambda: unkillable(pid))
        t.until("the journal has an alert", lambda: t.said(
            old, t.keeper, "did not end the group", "alert"))
        row = t.db.lease(t.group)
        t.check(f"the record is not released: {row}", not row["clean"] and row["term"] == term)
        t.note(t.until("the status says so", lambda: (lambda s: s.get("role") == "stopping" and
                       "SIGKILL has not ended it" in s["reason"] and s["reason"])(
                           t.cluster.status(old))))
        t.until("so does an alert of the agent", lambda: t.said(
            old, "tenured.service", "does not end here", "alert"))
        t.leader = t.next_leader()
        t.check("the server has not replied yet", unkillable(pid))
        t.check(f"{old} does not lead again", t.cluster.status(old)["role"] == "stopping")
        # The process can only act inside the kernel: it never runs its own code again.
        first = t.testimony.first_beat(t.leader.name, t.fault_at)
        old.systemctl("stop", "hang.service")       # which ends its requests
        t.until("the process is gone", lambda: not os.path.exists(f"/proc/{pid}"))
        t.beside_ms = clock.ms(clock.now() - first)
        t.old_term_is_refused(term)
        t.until("the host is a standby again",
                lambda: t.cluster.status(old).get("role") == "standby", timeout=20)
        old.sh("umount /run/hang; rm -r /run/hang /dev/fuse")
        all_dead(t, old, STUCK)
        t.gap_at_most(t.lease_ms + 2000)


@scenario("the database's clock gains half a second, then three, as seen from a host that was paused")
def clocks_after_pause(t):
    """The lab cannot pause a host's clocks, because all hosts share the machine's. It steps the database's instead."""
    with clocks_of_their_own(t):
        old, wall = t.leader, time.time

        def ahead():
            return float(t.db.psql("select extract(epoch from clock_timestamp())")) - wall()
        t.fault("the database's clock gains half a second", lambda: step(t, t.db, 0.5))
        t.effect("the database's clock is ahead", lambda: ahead() > 0.4)
        t.undisturbed(seconds=t.duration_ms / 1000)
        t.fault("it gains three seconds more", lambda: step(t, t.db, 3.5))
        t.effect("the database's clock is ahead", lambda: ahead() > 3)
        t.leader = t.next_leader()
        why = t.said(old, "tenured.service", "seems to have been paused", "alert")
        t.check("an alert names both possible causes", why
                and all("or the database's clock was set forward" in line for line in why))
        t.gap_at_most(t.duration_ms / 4 + 1000)
        time.sleep(0.2)         # a unit that does not beat any more by then has ended
        t.fault("the database's clock is right again", lambda: step(t, t.db, 0))
        t.effect("it is", lambda: abs(ahead()) < 0.4)
        t.undisturbed(seconds=t.duration_ms / 1000)
