# SPDX-License-Identifier: Apache-2.0
"""The leader has no memory left, and the kernel's out-of-memory killer chooses its victims."""

import contextlib
import time

from lab.scenario import scenario

LIMIT = 256 << 20
HOGS = 6                # together they take more than there is, but none of them half of it
HOG = "(head -c 64M /dev/zero; sleep 60) | tail -n 1"


@contextlib.contextmanager
def short_of_memory(host):
    """Runs the host out of memory as soon as more is requested."""
    host.cgroup.limit_memory(LIMIT)
    yield
    host.systemctl("stop", "hog.service", check=False)
    host.cgroup.limit_memory(None)


def exhaust_memory(t, host):
    before = host.cgroup.out_of_memory_kills()
    t.fault(f"{HOGS} processes on {host} ask for more memory than it has",
            lambda: host.run("systemd-run", "--quiet", "--collect", "--unit=hog", "sh", "-c",
                             f"for i in $(seq {HOGS}); do {HOG} & done; wait"))
    t.effect("the kernel has killed for want of memory",
             lambda: host.cgroup.out_of_memory_kills() > before)


@contextlib.contextmanager
def no_memory_for(t, host, unit):
    """The kernel kills the unit's process for want of memory: of that process alone where possible. If the whole host were
    short of memory, PID 1 would stall, too."""
    pid, cgroup = host.main_pid(unit), host.cgroup
    # As if an administrator had overridden the unit's setting: a process with -1000 is never killed.
    host.sh(f"echo 1000 >/proc/{pid}/oom_score_adj")
    if not cgroup.can_starve_one():
        with short_of_memory(host):
            exhaust_memory(t, host)
            yield
        return
    folder = t.fault(f"{unit} on {host} gets no more memory", lambda: cgroup.starve(pid))
    try:
        t.effect("the kernel has killed it for want of memory", lambda: cgroup.starved(folder))
        yield
    finally:
        cgroup.feed(folder)


@scenario("the leader is out of memory: the kernel kills other processes than agent and keeper", alone=True)
def out_of_memory(t):
    """What is left of the host may be too slow to lead: then it steps down in time, or its watchdog expires."""
    old = t.leader
    def kills(unit):
        """Kills of a unit, except those by its watchdog, which rightly kills what is too slow."""
        said = old.journal(unit, lines=100000)
        return said.count("status=9/KILL") - said.count("Watchdog timeout")
    ours = {unit: kills(unit) for unit in ("tenured.service", t.keeper)}
    with short_of_memory(old):
        exhaust_memory(t, old)
        time.sleep(t.lease_ms / 1000)
        t.cluster.wait_leader()
        for unit, before in ours.items():
            t.check(f"{unit} was not killed", kills(unit) == before)
        t.gap_at_most(t.lease_ms + 2000)


@scenario("the out-of-memory killer kills the agent: the term goes on undisturbed")
def out_of_memory_agent(t):
    old, term = t.leader, t.cluster.term(t.leader)
    agent, keeper = old.main_pid("tenured.service"), old.main_pid(t.keeper)
    with no_memory_for(t, old, "tenured.service"):
        t.effect("another agent runs", lambda: old.main_pid("tenured.service") not in (0, agent))
        t.undisturbed(seconds=2 * t.lease_ms / 1000)
        t.check("the keeper is the same", old.main_pid(t.keeper) == keeper)
        t.check("the lease was adopted, in the same term", t.cluster.term(old) == term)
        t.gap_at_most(0)


@scenario("the out-of-memory killer kills the keeper")
def out_of_memory_keeper(t):
    old, keeper = t.leader, t.leader.main_pid(t.keeper)
    with no_memory_for(t, old, t.keeper):
        t.effect("that keeper is gone", lambda: old.main_pid(t.keeper) != keeper)
        t.cluster.wait_leader()
        # The unit stops and starts at once: the gap is much shorter than a lease.
        t.gap_at_most(500)
