# SPDX-License-Identifier: Apache-2.0
"""Resources without a process: an address remains when its unit's stop fails, is cut short, or never runs. Then the record is
not released, an alert says so, and with fence = "reboot" the host restarts. The other cases only look like it."""

import contextlib
import os
import signal
import threading
import time

from lab import clock
from lab.scenario import scenario
from lab.shell import run

from .guards_overridden import mask
from .units import ETC, all_active, back_again, service, units_of_group

ADDRESS = "10.77.0.100"
EXAMPLE = "floating-address.service"
LEFT = "may be left on this node"
GOOD = f"ExecStop=/bin/ip address del {ADDRESS}/24 dev host0"


def has_address(host):
    """The network namespace of a host exists even while the host is down."""
    return ADDRESS in run(["ip", "-n", host.netns, "-o", "-4", "address", "show", "dev", "host0"]).out


def remove_address(host):
    """Removes the address, as an operator does by hand. On a real host a restart does it; a lab's network outlives its host."""
    run(["ip", "-n", host.netns, "address", "del", f"{ADDRESS}/24", "dev", "host0"], check=False)


class Holders:
    """Polls continually which hosts have the address."""

    def __init__(self, t):
        self.t, self.twice, self.over = t, [], threading.Event()
        self.thread = threading.Thread(target=self._poll, daemon=True)

    def _poll(self):
        while not self.over.is_set():
            at, found = clock.now(), [h.name for h in self.t.hosts if has_address(h)]
            if len(found) > 1:
                self.twice.append((at, found))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()

    def one_at_a_time(self):
        self.t.check(f"no two hosts had the address at once: {self.twice[:3]}", not self.twice)


def address(*stop):
    return service(f"/bin/ip address replace {ADDRESS}/24 dev host0", "Type=oneshot", "RemainAfterExit=yes", *stop)


def example(t):
    return t.leader.read_file(f"/usr/share/doc/tenure/examples/{EXAMPLE}")


def replace_stops(t, files):
    """Changes the units' stop commands. On the leader the new ones take effect at the next start."""
    if all("ip address del" in text for text in files.values()):
        return
    for host in t.hosts:
        for name in files:
            host.write_file(f"{ETC}/{name}", address(GOOD))
        host.systemctl("daemon-reload")
    t.leader.systemctl("restart", *files)
    all_active(t, t.leader, files)
    t.until("the status has nothing to say any more", lambda: not t.cluster.status(t.leader).get("reason"))


@contextlib.contextmanager
def addresses(t, files, **more):
    for host in t.hosts:
        host.write_file("/etc/default/floating-address", f"ADDRESS={ADDRESS}\nPREFIX=24\nINTERFACE=host0\n")
    with units_of_group(t, files, **more), Holders(t) as holders:
        all_active(t, t.leader, files)
        t.check("the leader alone has the address", [h for h in t.hosts if has_address(h)] == [t.leader])
        yield holders
        for host in t.hosts:
            if host is not t.leader:
                remove_address(host)
        replace_stops(t, files)
    for host in t.hosts:
        host.run("rm", "/etc/default/floating-address")


def freeze_pid1_for(t, host, seconds, meanwhile):
    """Freezes PID 1 for so many seconds, during which the term ends."""
    try:
        t.fault(f"SIGSTOP of PID 1 on {host}, and SIGINT to its agent", lambda: (
            os.kill(host.leader, signal.SIGSTOP), meanwhile()))
        t.effect("PID 1 is frozen", lambda: host.is_frozen(1))
        time.sleep(seconds)
    finally:
        os.kill(host.leader, signal.SIGCONT)


def end_agent(host):
    """Ends the agent by a signal, without asking PID 1."""
    pid = host.main_pid("tenured.service")
    return lambda: host.run("kill", "-INT", pid)


def not_released(t, old, term, unit, words):
    """An alert names the unit and the fault, and other nodes wait for the lease to expire."""
    t.note(t.until("an alert says what may be left", lambda: t.said(old, "tenured.service", LEFT, "alert"), timeout=15)[-1])
    t.check("it names the unit, and what is wrong", [line for line in t.said(old, "tenured.service", LEFT, "alert")
                                                     if unit in line and words in line])
    row = t.db.lease(t.group)
    t.check(f"the row is not clean: {row}", row["term"] != term or not row["clean"])
    t.leader = new = t.next_leader()
    took = clock.ms(t.testimony.first_beat(new.name, t.fault_at) - t.fault_at)
    # The last renewal was at most one renewal interval earlier.
    least = t.lease_ms - t.duration_ms / 4 - 50
    t.figures["failover after"] = f"{took:.0f} ms"
    t.check(f"failover after {took:.0f} ms, not before {least:.0f} ms", took >= least)
    t.check("nothing was given back", not t.said(old, "tenured.service", "is given back"))
    t.gap_at_most(t.lease_ms + 2000)


def start_standby(t, old):
    if old.state("tenured.service") != "active":
        old.systemctl("start", "tenured.service")
    t.until(f"{old} is a standby", lambda: t.cluster.status(old).get("role") == "standby", timeout=20)


@scenario("an agent restart and a daemon-reload, then a switchover: one host at a time has the example's address")
def address_switchover(t):
    """Neither an agent restart nor a daemon-reload loses what proves that a stop was clean."""
    with addresses(t, {EXAMPLE: example(t)}, fence="reboot") as holders:
        old, boots = t.leader, [h.boots for h in t.hosts]
        old.systemctl("daemon-reload")
        old.systemctl("restart", "tenured.service")
        t.until("it leads on", lambda: t.cluster.status(old).get("role") == "leader"
                and not t.cluster.status(old)["reason"])
        t.stop_agent(old)
        t.leader = t.next_leader()
        t.gap_at_most(1000)
        t.until("the address is there", lambda: has_address(t.leader))
        t.check("it was given back", t.said(old, "tenured.service", "is given back"))
        t.check("there is no alert", not t.said(old, "tenured.service", "", "alert"))
        holders.one_at_a_time()
        back_again(t, old)
        old = t.leader
        t.kill_keeper(old)
        t.leader = t.cluster.wait_leader()
        t.gap_at_most(1500)
        t.until("the address is there", lambda: [h for h in t.hosts if has_address(h)] == [t.leader])
        holders.one_at_a_time()
        t.check("no host has restarted", boots == [h.boots for h in t.hosts] and all(h.up for h in t.hosts))


@scenario("PID 1 hangs for 2 s during a switchover of the example's address: no release, and an alert")
def address_pid1_hangs(t):
    with addresses(t, {EXAMPLE: example(t)}):
        old, term = t.leader, t.db.lease(t.group)["term"]
        freeze_pid1_for(t, old, 2, end_agent(old))
        not_released(t, old, term, EXAMPLE, "ExecStopPost= was killed by signal 9")
        start_standby(t, old)


@scenario("the stop of an address fails, or hangs: no release, an alert, and the status says so")
def address_stop_fails(t):
    for stop, words in (("ExecStop=/bin/false", "ExecStop= exited with 1"),
                        ("ExecStop=/bin/sleep 60", "ExecStop= was killed by signal"),
                        ("ExecStop=-/bin/false", "its stop was not clean: ExecStop= exited with 1")):
        with addresses(t, {"addr.service": address(stop)}):
            old, term = t.leader, t.db.lease(t.group)["term"]
            keeper = old.main_pid(t.keeper)
            t.fault(f"SIGTERM to the keeper of {old}; {stop}", lambda o=old, k=keeper: o.kill(k, "TERM"))
            t.effect("that keeper is gone", lambda o=old, k=keeper: o.main_pid(t.keeper) != k)
            not_released(t, old, term, "addr.service", words)
            t.note(t.until("the status says so", lambda o=old: (lambda s: s.get("role") == "standby" and
                           "may be left here: addr.service" in s["reason"] and s["reason"])(t.cluster.status(o))))
            t.check("so does tenurectl", "may be left here" in old.sh("tenurectl status"))
            t.check("and it is left", has_address(old))
            # The node may lead again, and then the address is its own.
            old.systemctl("restart", "tenured.service")


def restarts_in_time(t, old, limit_ms, boots):
    took = clock.ms(t.until_restart(old) - t.fault_at)
    t.check("no other node leads by then", not any(p.host != old.name for p in t.testimony.started(t.fault_at)))
    old.wait_down()
    remove_address(old)
    t.figures["restarted after"] = f"{took:.0f} ms"
    t.check(f"{old} restarted after {took:.0f} ms, within {limit_ms:.0f} ms", took <= limit_ms)
    t.timeline.good(f"{old} has restarted itself")
    t.leader = t.next_leader()
    old.boot()
    t.until(f"{old} is a standby", lambda: t.cluster.status(old).get("role") == "standby", timeout=20)
    t.check("no other host has restarted", boots == [h.boots for h in t.hosts if h is not old])
    # The agent renews until the restart, and other nodes observe the record for a lease from then on.
    t.gap_at_most(limit_ms + t.lease_ms + 700)


def host_restarts_after(t, files, fail):
    with addresses(t, files, fence="reboot") as holders:
        old = t.leader
        boots = [h.boots for h in t.hosts if h is not old]
        fail(old)
        restarts_in_time(t, old, t.stop_ms + t.kill_ms + t.slack_ms, boots)
        t.until("the address is there", lambda: [h for h in t.hosts if has_address(h)] == [t.leader])
        holders.one_at_a_time()


def end_keeper(t):
    def fail(old):
        keeper = old.main_pid(t.keeper)
        t.fault(f"SIGTERM to the keeper of {old}", lambda: old.kill(keeper, "TERM"))
        t.unseen = None     # the restart shows the effect
    return fail


@scenario("the stop of an address fails, with fence = \"reboot\": the host restarts in time")
def address_stop_fails_reboot(t):
    host_restarts_after(t, {"addr.service": address("ExecStop=/bin/false")}, end_keeper(t))


@scenario("the stop of an address hangs, with fence = \"reboot\": the host restarts in time")
def address_stop_hangs_reboot(t):
    host_restarts_after(t, {"addr.service": address("ExecStop=/bin/sleep 60")}, end_keeper(t))


@scenario("the keeper is killed and the stop of an address fails: the fence restarts the host in time")
def address_stop_fails_reboot_by_fence(t):
    host_restarts_after(t, {"addr.service": address("ExecStop=/bin/false")}, t.kill_keeper)


@scenario("PID 1 hangs during a switchover of the example's address, with fence = \"reboot\": the host restarts")
def address_pid1_hangs_reboot(t):
    def fail(old):
        # Longer than S, shorter than S + K: PID 1 is thawed before the host would restart because PID 1 hangs.
        end = end_agent(old)
        freeze_pid1_for(t, old, (t.stop_ms + t.kill_ms / 3) / 1000, end)
    host_restarts_after(t, {EXAMPLE: example(t)}, fail)


@scenario("an address is masked or replaced on the leader: an alert at once, and no release when the leader steps down")
def address_masked(t):
    t.spent = True
    for how, words, at_once in (("masked", "LoadState is masked", "LoadState is masked"),
                                ("replaced", "not those it was started with", "were changed while it was up")):
        with addresses(t, {"addr.service": address(GOOD)}):
            old, term = t.leader, t.db.lease(t.group)["term"]
            if how == "masked":
                t.fault(f"addr.service is masked on {old}, daemon-reload", lambda o=old: mask(o, "addr.service"))
            else:
                t.fault(f"addr.service is replaced on {old}, daemon-reload", lambda o=old: (
                    o.write_file(f"{ETC}/addr.service", address("ExecStop=/bin/true")), o.systemctl("daemon-reload")))
            t.effect("PID 1 has read it", lambda o=old: o.property("addr.service", "LoadState") == "masked"
                     or "/bin/true" in o.property("addr.service", "ExecStop"))
            t.note(t.until("an alert says so at once", lambda o=old, w=at_once: [
                line for line in t.said(o, "tenured.service", "may be left when it ends", "alert") if w in line])[-1])
            status = t.cluster.status(old)
            t.check(f"the status says so: {status['reason']}", "addr.service" in status["reason"])
            if status["role"] == "leader":
                t.stop_agent(old)
            not_released(t, old, term, "addr.service", words)
            t.check("the address is left", has_address(old))
            if how == "masked":
                old.sh(f"cd {ETC}; rm addr.service; mv /root/addr.service .; systemctl daemon-reload")
            back_again(t, old)


SNEAK = {"sneak.service": service(
    "/bin/sh -c 'mkdir -p /sys/fs/cgroup/tenure.slice/tenure-work.slice/sneak/deep'", "Type=oneshot", "RemainAfterExit=yes")}


@scenario("a unit leaves an empty cgroup in the group's slice: no alert, no restart, and an immediate release")
def empty_cgroup(t):
    with units_of_group(t, SNEAK, fence="reboot"):
        old, boots = t.leader, [h.boots for h in t.hosts]
        all_active(t, old, SNEAK)
        where = f"/sys/fs/cgroup/tenure.slice/tenure-{t.group}.slice/sneak"
        t.check("the cgroup is there", old.exists(where))
        for killed in (False, True):
            if killed:
                t.kill_keeper(old)
            else:
                t.stop_agent(old)
            t.leader = t.cluster.wait_leader(None if killed else old)
            t.gap_at_most(1500)
            t.until("it was given back, or led again", lambda o=old: t.said(o, "tenured.service", "is given back"))
            t.check("there is no alert", not t.said(old, "tenured.service", "", "alert")
                    and not t.said(old, t.keeper, "", "alert"))
            if not killed:
                t.check("the cgroup is still there", old.exists(where))
                back_again(t, old)
                old = t.leader
        t.check("no host has restarted", boots == [h.boots for h in t.hosts] and all(h.up for h in t.hosts))
        for host in t.hosts:
            host.sh(f"rmdir {where}/deep {where}", check=False)


@scenario("PID 1 is busy when a term ends and all processes are gone, with fence = \"reboot\": no restart, no alert, a release")
def pid1_busy_at_end_of_term(t):
    with units_of_group(t, {"second.service": service("/lab/witness /lab/beats/%H.%n")}, fence="reboot"):
        old, boots = t.leader, [h.boots for h in t.hosts]
        all_active(t, old, ["second.service"])
        freeze_pid1_for(t, old, (t.stop_ms + t.kill_ms) / 1000 + 0.5, end_agent(old))
        t.dead_within(old, t.stop_ms + t.kill_ms + t.slack_ms)
        t.until("it is given back", lambda: t.said(old, "tenured.service", "is given back"))
        t.leader = t.next_leader()
        t.check("no host has restarted", boots == [h.boots for h in t.hosts] and all(h.up for h in t.hosts))
        t.check("there is no alert", not t.said(old, "tenured.service", "", "alert") and not t.said(old, t.keeper, "", "alert"))
        t.gap_at_most(t.lease_ms)
        if old.state("tenured.service") != "active":
            old.systemctl("start", "tenured.service")
        t.until(f"{old} is a standby", lambda: t.cluster.status(old).get("role") == "standby", timeout=20)


LONG = "a" * 242 + ".service"


@scenario("an address unit with a name of 250 characters: a switchover; then its stop fails, and there is no release")
def address_with_long_name(t):
    with addresses(t, {LONG: address(GOOD)}, fence="reboot") as holders:
        old, boots = t.leader, [h.boots for h in t.hosts]
        t.check("systemd has no link for it", not old.exists(f"/run/systemd/units/invocation:{LONG}"))
        t.stop_agent(old)
        t.leader = t.next_leader()
        t.gap_at_most(1000)
        t.until("the address is there", lambda: [h for h in t.hosts if has_address(h)] == [t.leader])
        holders.one_at_a_time()
        t.check("no host has restarted", boots == [h.boots for h in t.hosts] and all(h.up for h in t.hosts))
        back_again(t, old)
    with addresses(t, {LONG: address("ExecStop=/bin/false")}):
        old, term = t.leader, t.db.lease(t.group)["term"]
        t.stop_agent(old)
        not_released(t, old, term, LONG[:100], "ExecStop= exited with 1")
        t.check("the address is left", has_address(old))
        remove_address(old)
        back_again(t, old)
