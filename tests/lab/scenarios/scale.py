# SPDX-License-Identifier: Apache-2.0
"""A hundred groups, all of them at once, repeatedly."""

import json
import time

from lab import clock
from lab.cluster import SHOWN
from lab.scenario import scenario

from .units import ETC, everywhere, reload

N = 100
LEASE, STOP = "6s", "1s"
LEASE_MS = 6000
LIMIT_S = 60    # after this it hangs; how long it took is a figure, because a slow machine has to run 300 processes
WATCHED = range(10, N, 20)      # groups with a witness, few enough not to disturb: only a witness shows what runs between two polls
LOOK_S = 0.5    # a poll asks all hosts for all groups: more often, it would be most of their work


def name(i):
    return f"m{i:03}"


def write_units(host):
    """One template, of which each group has an instance."""
    host.write_file(f"{ETC}/many@.service", "[Service]\nExecStart=/bin/sleep infinity\n")
    for i in WATCHED:
        host.write_file(f"{ETC}/many@{i}.service.d/witness.conf",
                        "[Service]\nExecStart=\nExecStart=/lab/witness /lab/beats/%H.%n\n")


def write_groups(t, host, numbers):
    groups = ",\n".join(f'  {{ name = "{name(i)}"; units = [ "many@{i}.service" ]; lease = "{LEASE}"; '
                        f'stop_timeout = "{STOP}"; method = "{t.method}"; }}' for i in numbers)
    host.write_file("/etc/tenure/groups.d/many.conf", f"groups = (\n{groups}\n);\n")


def roles(host):
    """{group: role} by this host's status; {} when its agent does not answer."""
    r = host.run("tenurectl", "status", "--json", check=False)
    return {g["name"]: g["role"] for g in json.loads(r.out)["groups"]
            if g["name"].startswith("m")} if r.code in SHOWN else {}


def leaders(t):
    """{group: [its leaders]}."""
    found = {}
    for host, said in zip(t.hosts, everywhere(t.hosts, roles)):
        for group, role in said.items():
            if role == "leader":
                found.setdefault(group, []).append(host)
    return found


def running(host):
    """The instances that run on this host, by PID 1 and its cgroups: {number: pid}."""
    said = host.sh("systemctl show -p Id -p MainPID 'many@*.service'", check=False)
    found = {}
    for block in said.split("\n\n"):
        p = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if int(p.get("MainPID", 0)):
            found[int(p["Id"][5:-8])] = int(p["MainPID"])
    return found


def on_one_host_each(t, numbers):
    """Every unit runs on exactly one host, where its group is led."""
    where = [running(h) for h in t.hosts]
    twice = [n for n in numbers if sum(n in w for w in where) > 1]
    t.check(f"no unit runs on two hosts: {twice}", not twice)
    return all(any(n in w for w in where) for n in numbers)


def all_led(t, numbers, what):
    began = clock.now()
    wanted = {name(i) for i in numbers}

    def done():
        found = leaders(t)
        return wanted <= set(found) and all(len(h) == 1 for h in found.values()) \
            and on_one_host_each(t, numbers) and found
    found = t.until(f"all {len(wanted)} groups are led", done, timeout=LIMIT_S, every=LOOK_S)
    took = clock.ms(clock.now() - began)
    t.figures[what] = f"{took / 1000:.1f} s"
    t.note(f"{what}: all are led after {took:.0f} ms: "
           + ", ".join(f"{h} {sum(x == [h] for x in found.values())}" for h in t.hosts))
    return found


def warnings_since(t, since):
    """Warnings in the agents' journals since then."""
    lines = []
    for host in t.hosts:
        if host.up:
            lines += [f"{host}: {line}" for line in host.sh(
                f"journalctl -q -b -o cat -u tenured -p warning --since '{since}'",
                check=False).splitlines()]
    return lines


def wall_clock(host):
    return host.sh("date '+%Y-%m-%d %H:%M:%S.%6N'")


@scenario("a hundred groups: claimed, changed, switched over and adopted all at once", heavy=True)
def many_groups(t):
    since, numbers = wall_clock(t.leader), range(N)

    everywhere(t.hosts, lambda h: (write_units(h), write_groups(t, h, numbers)))
    everywhere(t.hosts, reload)
    # Each new record is observed for a lease; then all of them are claimed.
    all_led(t, numbers, "first claims")

    # Some groups are removed, some added; the others are undisturbed.
    before = [running(h) for h in t.hosts]
    kept = range(10, N)
    numbers = range(10, N + 10)
    everywhere(t.hosts, lambda h: write_groups(t, h, numbers))
    began = clock.now()
    everywhere(t.hosts, reload)
    t.figures["reload"] = f"{clock.ms(clock.now() - began) / 1000:.1f} s"
    all_led(t, numbers, "ten others")
    after = [running(h) for h in t.hosts]
    moved = [n for n in kept for b, a in zip(before, after) if b.get(n) != a.get(n)]
    t.check(f"the {len(kept)} that stayed are the same processes: {moved}", not moved)
    t.check("the removed groups do not run", not any(n in a for n in range(10) for a in after))

    # An agent is killed: all terms go on.
    host = max(t.hosts, key=lambda h: len(running(h)))
    pid, mine = host.main_pid("tenured.service"), running(host)
    t.fault(f"kill -9 of the agent on {host}, which leads {len(mine)}",
            lambda: host.kill("tenured.service"))
    t.effect("another agent runs", lambda: host.main_pid("tenured.service") not in (0, pid))
    t.until("it has adopted them all", lambda: sum(
        r == "leader" for r in roles(host).values()) == len(mine), timeout=5)
    time.sleep(LEASE_MS / 1000)
    t.check("a lease later the same processes run", running(host) == mine)
    complaints = warnings_since(t, since)
    others = [c for c in complaints if "tenured.service:" not in c]
    t.check(f"no warning but that of PID 1 about the kill: {len(others)} others: {'; '.join(others[:3])}", not others)

    # The agent is stopped: a switchover of all its groups.
    t.leader = t.cluster.leader()
    began = clock.now()
    t.timeline.fault(f"systemctl stop tenured on {host}")
    host.systemctl("stop", "tenured.service")
    t.figures["stop"] = f"{clock.ms(clock.now() - began) / 1000:.1f} s"
    t.check("nothing runs there", not running(host))
    all_led(t, numbers, "switchover")
    for unit in (f"many@{i}.service" for i in WATCHED):
        t.check(f"{unit} beat", t.lab.testimony(unit).beats(t.fault_at, clock.now()))
        t.one_at_a_time(unit)
    more = warnings_since(t, since)
    since_then = [c for c in more if c not in complaints]
    t.check(f"nor any since: {'; '.join(since_then[:3])}", more == complaints)

    host.systemctl("start", "tenured.service")
    for h in t.hosts:
        h.run("rm", "/etc/tenure/groups.d/many.conf")
    everywhere(t.hosts, reload)
    t.check("nothing is left", not any(running(h) for h in t.hosts))
    everywhere(t.hosts, lambda h: h.run("tenurectl", "apply", *(f"--release={name(i)}" for i in range(N + 10))))
    for h in t.hosts:
        h.sh(f"rm -r {ETC}/many@*; systemctl daemon-reload")
    t.cluster.wait_leader(timeout=30)
