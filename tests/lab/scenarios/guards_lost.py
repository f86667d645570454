# SPDX-License-Identifier: Apache-2.0
"""A leader loses guards: the agent reports and heals them, or the node steps down in time."""

import os
import signal
import time

from lab import clock
from lab.cluster import APPLIED
from lab.scenario import scenario

from .guards_copies import FILE, WAYS, generators_copy, guarded, is_refused, reload_without_tasks, wait_standby
from .guards_missing import alerts, copy_alerts, restarts_always
from .units import ETC

HEAL = "tenure-reload.service"
MISSING = "is missing"


def persistent(host, unit):
    return host.exists(f"{ETC}/{unit}.d/{FILE}")


def healed(host):
    """How often PID 1 has run the service that heals guards."""
    return host.sh(f"journalctl -q -b -o cat -u {HEAL}", check=False).count("Finished")


def in_its_slice(t, host):
    return f"/tenure-{t.group}.slice/" in host.property(t.unit, "ControlGroup")


def unguarded(t, host):
    return host.property(t.unit, "BindsTo") == "" and host.property(t.unit, "Slice") != f"tenure-{t.group}.slice"


def leads_on(t, host, term):
    t.check(f"{host} leads on", t.cluster.is_leader(host) and t.cluster.term(host) == term)


@scenario("the generator is killed in a daemon-reload on the leader: an alert, the agent heals it, and the term goes on")
def guards_lost_generator_copy(t):
    t.spent, host = True, t.leader
    restarts_always(t)
    time.sleep(1)
    term, before = t.cluster.term(host), healed(host)
    way = WAYS["is killed"]
    t.fault(f"the generator of {host} is killed in a daemon-reload", lambda: host.sh(
        f"{way[0]}; systemctl daemon-reload; {way[1]}"))
    t.effect("an alert says so", lambda: any("generator.early" in r for r in copy_alerts(host)))
    t.until("its copy is back", lambda: generators_copy(t, host))
    t.until("the journal says so", lambda: t.said(host, "tenured", "both copies of the group's guards are there again"))
    t.figures["whole after"] = f"{clock.ms(clock.now() - t.fault_at):.0f} ms"
    t.until("the agent healed it", lambda: healed(host) > before)
    guarded(t, host)
    leads_on(t, host, term)
    t.undisturbed(seconds=1)
    t.until("its status has no finding any more", lambda: not t.cluster.status(host).get("reason"))
    t.check(f"it was healed once, and reported once: {copy_alerts(host)}",
            healed(host) == before + 1 and len(copy_alerts(host)) == 1)
    t.gap_at_most(0)


@scenario("the leader reloads its units while it cannot fork: the agent heals the guards, and the term goes on")
def guards_lost_without_tasks(t):
    t.spent, host = True, t.leader
    term = t.cluster.term(host)
    t.fault(f"daemon-reload on {host}, which is out of tasks for a moment", lambda: reload_without_tasks(host))
    t.effect("the generators did not run", lambda: "Failed to fork" in host.journal(lines=400))
    t.until("the generator's copy is back", lambda: generators_copy(t, host))
    leads_on(t, host, term)
    t.undisturbed(seconds=1)
    t.gap_at_most(0)


@scenario("the persistent copy of the unit or the keeper is lost on leader and standby: an alert, and the agent heals it")
def guards_lost_persistent_copy(t):
    t.spent, host, standby = True, t.leader, t.standbys[0]
    term = t.cluster.term(host)
    for unit in (t.unit, t.keeper):
        for h in (standby, host):
            n = len(copy_alerts(h))
            t.fault(f"systemctl revert {unit} on {h}", lambda h=h, unit=unit: h.systemctl("revert", unit))
            t.effect("an alert says so", lambda h=h, n=n: len(copy_alerts(h)) > n)
            t.check(f"it names the unit: {copy_alerts(h)[-1]}", copy_alerts(h)[-1].startswith(f"{unit}: "))
            t.until("it is there again", lambda h=h, unit=unit: persistent(h, unit))
            t.until("the journal says so", lambda h=h: t.said(
                h, "tenured", "both copies of the group's guards are there again"))
            guarded(t, h)
        t.check("nothing is left to do", "copy" not in host.run("tenurectl", "check", check=False).err)
    is_refused(t, standby, t.unit)
    wait_standby(t, standby)
    leads_on(t, host, term)
    t.undisturbed(seconds=1)
    t.gap_at_most(0)


def lose_both(host, also=""):
    """Removes the generator and all drop-ins: PID 1 has no guards."""
    host.sh(f"{WAYS[MISSING][0]}; cd {ETC} && rm -rf *.d; {also or 'true'}; systemctl daemon-reload")


@scenario("both copies of all guards are lost on the leader: an alert, the agent heals them, and the term goes on")
def guards_lost_both_healed(t):
    t.spent, host = True, t.leader
    term = t.cluster.term(host)
    t.fault(f"the generator and all drop-ins are away on {host}, daemon-reload", lambda: lose_both(host))
    t.effect("an alert says that a guard is not in effect", lambda: alerts(host))
    t.until("it is guarded again", lambda: not unguarded(t, host))
    t.figures["unguarded for"] = f"{clock.ms(clock.now() - t.fault_at):.0f} ms"
    guarded(t, host)
    t.until("the journal says so", lambda: t.said(host, "tenured", "all guards of the group are in effect again"))
    t.check("by the copy that could be written", persistent(host, t.unit) and persistent(host, t.keeper))
    leads_on(t, host, term)
    t.undisturbed(seconds=t.lease_ms / 1000)
    t.gap_at_most(0)
    # The generator's copy is still lost: the agent tries to heal it at growing intervals.
    before = healed(host)
    time.sleep(5)
    t.check(f"it is not tried all the time: {healed(host) - before} in 5 s", healed(host) - before <= 2)
    leads_on(t, host, term)


@scenario("both copies are lost on the leader and cannot be healed: the leader steps down before a unit escapes")
def guards_lost_permanently(t):
    t.spent, old = True, t.leader
    gone = " ".join(APPLIED)
    t.fault(f"the generator, all drop-ins and what is applied are away on {old}, daemon-reload",
            lambda: lose_both(old, f"rm -f {gone}"))
    t.effect("nothing guards its unit", lambda: unguarded(t, old))
    new = t.next_leader()
    t.check(f"it was released: {new} did not wait for the lease",
            t.until("the journal says so", lambda: t.said(old, "tenured", "is given back")))
    said = t.said(old, "tenured", "giving up term", "alert")
    t.check(f"it says why: {said}", any("could not be brought to read them again" in line for line in said))
    t.check("two heals were tried", len(t.said(old, "tenured", "restoring lost guards")) >= 2)
    t.dead_within(old, 10000)
    t.gap_at_most(t.stop_ms + t.kill_ms + 1500)
    t.until(f"{old} says what it lacks", lambda: t.cluster.status(old).get("role") == "blocked")
    time.sleep(3)
    t.silent(old, since=clock.now() - 2 * clock.SECOND)


@scenario("a unit with Restart=always loses its own guards for good: the leader steps down, and it is stopped by its name")
def guards_lost_permanently_of_unit(t):
    t.spent, old = True, t.leader
    restarts_always(t)
    time.sleep(1)

    def lose():
        old.systemctl("mask", HEAL)
        old.sh(f"{WAYS[MISSING][0]}; rm -r {ETC}/{t.unit}.d; systemctl daemon-reload")
        old.write_file(f"{ETC}/{t.unit}.d/restart.conf", "[Service]\nRestart=always\nRestartSec=100ms\n")
        old.systemctl("daemon-reload")
    t.fault(f"the generator and the unit's own drop-in are away on {old}, and so is what heals", lose)
    t.effect("nothing guards it", lambda: unguarded(t, old))
    t.next_leader()
    t.check("it was given back", t.until("the journal says so", lambda: t.said(old, "tenured", "is given back")))
    t.gap_at_most(t.stop_ms + t.kill_ms + 1500)
    t.until(f"{t.unit} does not run on {old}", lambda: old.state(t.unit) in ("inactive", "failed"))
    t.stays("and stays stopped", lambda: old.state(t.unit) in ("inactive", "failed"), seconds=2)
    # Once the healing service exists again, the host recovers without help.
    old.systemctl("unmask", HEAL)
    t.until("it heals itself", lambda: persistent(old, t.unit), timeout=30)
    wait_standby(t, old)


@scenario("the leader's unit is restarted outside its slice: an alert, the leader steps down at once, and the unit is stopped")
def guards_lost_outside_slice(t):
    t.spent, old = True, t.leader
    restarts_always(t)
    time.sleep(1)

    def get_out():
        old.write_file(f"{ETC}/{t.unit}.d/~~.conf", "[Service]\nSlice=other.slice\n")
        old.systemctl("daemon-reload")
        old.kill(t.unit)
    t.fault(f"Slice=other.slice for the unit on {old}, daemon-reload, and it crashes", get_out)
    t.effect("it was started outside", lambda: t.said(old, "tenured", "ControlGroup is /other.slice"))
    t.next_leader()
    said = t.said(old, "tenured", "giving up term", "alert")
    t.check(f"it says why: {said}", any("outside the group's slice" in line for line in said))
    t.check("it was given back", t.until("the journal says so", lambda: t.said(old, "tenured", "is given back")))
    t.until(f"{t.unit} does not run on {old}", lambda: old.state(t.unit) in ("inactive", "failed"))
    t.stays("and stays stopped", lambda: old.state(t.unit) in ("inactive", "failed"), seconds=2)
    t.gap_at_most(t.stop_ms + t.kill_ms + 1500)
    old.run("rm", f"{ETC}/{t.unit}.d/~~.conf")
    old.systemctl("daemon-reload")
    wait_standby(t, old)


@scenario("PID 1 hangs on leader and standby, in the middle of a reload: no guard is reported as lost")
def guards_not_lost_when_pid1_hangs(t):
    hosts = (t.leader, t.standbys[0])
    term = t.cluster.term(t.leader)
    n = {h: (len(alerts(h)), len(copy_alerts(h)), healed(h)) for h in hosts}

    def stop():
        for h in hosts:
            h.run("sh", "-c", "systemctl daemon-reload >/dev/null 2>&1 &")
            os.kill(h.leader, signal.SIGSTOP)
    t.fault("daemon-reload, and SIGSTOP of PID 1", stop)
    try:
        t.effect("they are frozen", lambda: all(h.is_frozen(1) for h in hosts))
        t.undisturbed(seconds=12)
    finally:
        for h in hosts:
            os.kill(h.leader, signal.SIGCONT)
    t.undisturbed(seconds=t.lease_ms / 1000)
    leads_on(t, t.leader, term)
    for h in hosts:
        t.check(f"nothing was reported lost on {h}, nor healed",
                (len(alerts(h)), len(copy_alerts(h)), healed(h)) == n[h])
    t.gap_at_most(0)


@scenario("the service that heals guards cannot be misused: the agent's user may start it, and nothing else")
def guards_heal_privilege(t):
    host = t.standbys[0]
    before = healed(host)

    def as_agent(*command):
        return host.run("runuser", "-u", "tenure", "--", "systemctl", "--no-ask-password", *command, check=False)
    t.fault(f"tenure asks for it on {host}", lambda: as_agent("start", HEAL))
    t.effect("it has run", lambda: healed(host) == before + 1)
    for command in (("stop", HEAL), ("restart", HEAL), ("start", "tenure-reload@x.service"), ("daemon-reload",),
                    ("daemon-reexec",), ("set-property", "--runtime", HEAL, "CPUWeight=1"), ("kill", HEAL)):
        t.check(f"{' '.join(command)} is refused", not as_agent(*command).ok)
    # An attacker who controls the agent cannot use it to keep PID 1 busy all the time.
    before, began = healed(host), clock.now()
    for _ in range(4):
        as_agent("start", HEAL)
    took = clock.ms(clock.now() - began)
    t.check(f"there is a pause before each: {healed(host) - before} in {took:.0f} ms", took >= 3 * 3000)
    t.figures["one in"] = f"{took / 4:.0f} ms"
    guarded(t, host)
    t.gap_at_most(0)
