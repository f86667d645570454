# SPDX-License-Identifier: Apache-2.0
"""Random groups of units of all types: check, apply, the generator and the agent agree on each group, and no event makes a
process of a declared unit run where its group is not led."""

import collections
import json
import random
import time

from lab.cluster import SHOWN
from lab.scenario import scenario

from .guards_copies import EARLY, FILE, WAYS
from .units import ETC, everywhere, reload

N = 60          # graphs of a run; each cell of the matrix has different ones
STEPS = 8       # events for the accepted graphs
AGREED_S = 40   # after this they disagree
STARTS = "/root/starts"
SEEDS = {("252", "lease"): 1, ("252", "advisory"): 2, ("257", "lease"): 3, ("257", "advisory"): 4}
REFUSED, WARNED = "refused", "warned"
# Each start is recorded with its term; a start without leadership has none.
NOTE = f'echo "%n $TENURE_TERM" >>{STARTS}'


class Graph:
    """Units that belong together: their files, those that are declared, and the expected findings."""

    def __init__(self, rng, number):
        self.rng, self.name = rng, f"g{number:02}"
        self.files = {}         # below /etc/systemd/system
        self.enabled = []
        self.after = []         # commands to run afterwards
        self.declared = []
        self.findings = []      # (verdict, words), by PID 1's replies
        self.in_files = []      # words, by the files alone: PID 1 is not asked then
        self.absent = set()     # declared, but PID 1 could not start it
        self.count = 0
        for shape in rng.sample(SHAPES, rng.choice((1, 1, 2, 3))):
            shape(self)

    def stem(self):
        self.count += 1
        form = self.rng.choice(("{0}-{1}", "{0}-a-b{1}", "{0}x{1}", "{0}-\\x2d{1}"))
        return form.format(self.name, self.count)

    def one_in(self, n):
        return self.rng.randrange(n) == 0

    def write(self, name, unit=(), body=(), section="Service", install=()):
        lines = [*(["[Unit]", *unit] if unit else []), f"[{section}]", *body, *(["[Install]", *install] if install else [])]
        self.files[name] = "\n".join([*lines, ""])
        if install:
            self.enabled.append(name.replace("@.", "@x."))

    def expect(self, verdict, words):
        self.findings.append((verdict, words))

    @property
    def refused(self):
        return bool(self.in_files) or any(verdict == REFUSED for verdict, _ in self.findings)


BODIES = (
    ("Restart=always", "RestartSec=0"), ("Restart=on-failure",), ("Type=exec",), ("KillMode=mixed",), (),
    # Settings that a guard overrides are no finding.
    ("Slice=custom.slice",), ("TimeoutStopSec=infinity", "SendSIGKILL=no"), ("FinalKillSignal=SIGTERM", "Restart=always"),
)
RUNS = f"ExecStart=/bin/sh -c '{NOTE.replace('$', '$$')}; exec sleep infinity'"
DONE = f"ExecStart=/bin/sh -c '{NOTE.replace('$', '$$')}'"


def plain_body(g):
    return [RUNS, *g.rng.choice(BODIES)]


def at_boot(g):
    return ("WantedBy=multi-user.target",) if g.one_in(2) else ()


def helper(g, enabled):
    name = f"{g.stem()}-helper.service"
    g.write(name, body=["ExecStart=/bin/sleep infinity"], install=("WantedBy=multi-user.target",) if enabled else ())
    return name


# Faults of one service, real or apparent. Each function writes the service and the expected finding.

def sound(g, unit):
    g.write(unit, body=plain_body(g), install=at_boot(g))


def kill_mode(g, unit):
    g.write(unit, body=[*plain_body(g), "KillMode=process"])
    g.expect(REFUSED, "KillMode=mixed")


def kill_mode_mended(g, unit):
    g.write(unit, body=[RUNS, "KillMode=none"])
    g.files[f"{unit}.d/override.conf"] = "[Service]\nKillMode=control-group\n"


def session(g, unit):
    g.write(unit, body=[RUNS, "PAMName=login"], install=at_boot(g))
    g.expect(REFUSED, "PAMName is login")


def masked(g, unit):
    g.after.append(f"ln -s /dev/null '{ETC}/{unit}'")
    g.absent.add(unit)
    g.expect(WARNED, f"systemctl unmask {unit}")


def missing(g, unit):
    g.absent.add(unit)
    g.expect(WARNED, "install the unit on this host")


def second_name(g, unit):
    real = f"{g.stem()}-real.service"
    g.write(real, body=plain_body(g))
    g.after.append(f"ln -s '{real}' '{ETC}/{unit}'")
    g.expect(REFUSED, f"another name of {real}")


def door_in_use(g, unit):
    sound(g, unit)
    door = f"{g.stem()}-door.socket"
    g.write(door, body=[f"ListenStream=/run/{g.name}.{g.count}", f"Service={unit}"], section="Socket",
            install=("WantedBy=sockets.target",))
    g.after.append(f"systemctl start '{door}'")
    g.expect(REFUSED, f"TriggeredBy names {door}")


def door_of_a_package(g, unit):
    sound(g, unit)
    g.write(f"{g.stem()}-door.socket", body=[f"ListenStream=/run/{g.name}.{g.count}", f"Service={unit}"], section="Socket")


def path_in_use(g, unit):
    sound(g, unit)
    path = f"{g.stem()}-spool.path"
    g.write(path, body=[f"PathExists=/run/{g.name}.spool", f"Unit={unit}"], section="Path", install=("WantedBy=multi-user.target",))
    g.expect(REFUSED, f"TriggeredBy names {path}")


def needs_a_helper(g, unit):
    how, enabled = g.rng.choice(("Wants", "Requires", "BindsTo")), g.one_in(2)
    other = helper(g, enabled)
    g.write(unit, unit=[f"{how}={other}", f"After={other}"], body=plain_body(g))
    if not enabled:
        g.expect(WARNED, f"{how} names {other}")


def boot_requires_it(g, unit):
    g.write(unit, body=plain_body(g), install=("RequiredBy=multi-user.target",))
    g.expect(REFUSED, f"systemctl disable {unit}")


FLAWS = (kill_mode, kill_mode_mended, session, masked, missing, second_name, door_in_use, door_of_a_package, path_in_use,
         needs_a_helper, boot_requires_it)


# The parts of a group.

def a_service(g):
    unit = f"{g.stem()}.service"
    g.declared.append(unit)
    (g.rng.choice(FLAWS) if g.one_in(3) else sound)(g, unit)


def an_instance(g):
    stem = g.stem()
    g.write(f"{stem}@.service", body=plain_body(g), install=at_boot(g))
    g.declared.append(f"{stem}@x.service")


def an_address(g):
    """A unit without a process that still has something to stop."""
    unit = f"{g.stem()}.service"
    g.write(unit, body=["Type=oneshot", "RemainAfterExit=yes", DONE, "ExecStop=/bin/true"], install=at_boot(g))
    g.declared.append(unit)


def a_chain(g):
    first, second = f"{g.stem()}.service", f"{g.stem()}.service"
    g.write(first, body=plain_body(g))
    g.write(second, unit=[f"{g.rng.choice(('Requires', 'BindsTo', 'Wants'))}={first}", f"After={first}"], body=plain_body(g),
            install=at_boot(g))
    g.declared += [second, first]


def a_timer(g):
    stem, job = g.stem(), f"{g.stem()}-job.service"
    g.write(f"{stem}.timer", body=[*g.rng.choice((["OnActiveSec=100ms", "OnUnitInactiveSec=1s", "AccuracySec=1ms"],
                                                  ["OnCalendar=2099-01-01 03:00"])), f"Unit={job}"],
            section="Timer", install=("WantedBy=timers.target",) if g.one_in(2) else ())
    g.write(job, unit=["StartLimitIntervalSec=0"], body=["Type=oneshot", DONE])
    g.declared += [f"{stem}.timer"]
    if g.one_in(4):
        g.in_files.append(f'"{job}", which is not declared')
    else:
        g.declared.append(job)


def a_socket(g):
    stem = g.stem()
    g.write(f"{stem}.socket", body=[f"ListenStream=/run/{g.name}.{g.count}.socket"], section="Socket",
            install=("WantedBy=sockets.target",) if g.one_in(2) else ())
    g.write(f"{stem}.service", body=plain_body(g))
    g.declared += [f"{stem}.socket", f"{stem}.service"]


def a_path(g):
    stem = g.stem()
    g.write(f"{stem}.path", body=["PathExists=/etc/hostname"], section="Path", install=at_boot(g))
    g.write(f"{stem}.service", body=plain_body(g))
    g.declared += [f"{stem}.path", f"{stem}.service"]


def a_target(g):
    stem, inside = g.stem(), f"{g.stem()}.service"
    g.write(inside, body=plain_body(g))
    wants = [inside, "network.target"]
    if g.one_in(4):
        wants.append(helper(g, True))
        g.expect(REFUSED, f"Wants names {wants[-1]}")
    g.files[f"{stem}.target"] = f"[Unit]\nWants={' '.join(wants)}\n"
    g.declared += [f"{stem}.target", inside]


SHAPES = [a_service, an_instance, an_address, a_chain, a_timer, a_socket, a_path, a_target]


def write_units(host, graphs):
    for g in graphs:
        for name, text in g.files.items():
            host.write_file(f"{ETC}/{name}", text)
    host.systemctl("daemon-reload")
    host.systemctl("enable", "--quiet", *(name for g in graphs for name in g.enabled))
    host.sh("\n".join(line for g in graphs for line in g.after))
    host.systemctl("daemon-reload")


def write_groups(t, host, graphs):
    for g in graphs:
        t.cluster.write_group(host, {"name": g.name, "units": g.declared, "lease": t.cluster.lease,
                                     "stop_timeout": t.cluster.stop_timeout})


# What the programs report

def said_by_check(host, graphs):
    """{group: findings of tenurectl check}, and its exit status."""
    r = host.run("tenurectl", "check", check=False, timeout=60)
    lines = r.err.splitlines()
    return {g.name: [line for line in lines if f"/{g.name}.conf:" in line] for g in graphs}, r.code < 2


def must_find(t, host, graphs, expected):
    """expected(graph): the findings that check must have, and no others."""
    found, fine = said_by_check(host, graphs)
    wrong = []
    for g in graphs:
        lines, findings = found[g.name], expected(g)
        silent = [words for verdict, words in findings
                  if not any(words in line and ("warning: " in line) == (verdict == WARNED) for line in lines)]
        if silent or len(lines) != len(findings):
            wrong.append(f"{g.name} {g.declared}: {findings} expected, not {lines}")
    t.check(f"check finds what is wrong, and nothing else: {' | '.join(wrong)}", not wrong)
    t.check("it refuses it all because of some", not fine)
    r = host.run("tenurectl", "apply", check=False, timeout=60)
    t.check(f"so does apply: {r.err}", not r.ok and "nothing is changed" in r.err)
    t.check("and nothing is changed", not host.sh(f"ls -d {ETC}/g*/{FILE} 2>/dev/null", check=False))


def remove_groups(host, graphs):
    host.sh("cd /etc/tenure/groups.d && rm " + " ".join(f"{g.name}.conf" for g in graphs))


def groups_of(host):
    r = host.run("tenurectl", "status", "--json", check=False)
    return {g["name"]: g for g in json.loads(r.out)["groups"]} if r.code in SHOWN else {}


def properties(host, units, *names):
    """[{property: value}] of units, in their order."""
    said = host.run("systemctl", "show", *(f"-p{n}" for n in names), "--", *units).out
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in said.strip().split("\n\n")]
    assert len(blocks) == len(units), (units, said)
    return blocks


def all_guarded(t, host, graphs):
    units = [(g, u) for g in graphs for u in g.declared if u not in g.absent]
    shown = properties(host, [u for _, u in units], "BindsTo", "Slice")
    free = [u for (g, u), p in zip(units, shown) if f"tenure@{g.name}.service" not in p["BindsTo"].split()
            or "Slice" in p and u.endswith((".service", ".socket")) and p["Slice"] != f"tenure-{g.name}.slice"]
    t.check(f"every declared unit is guarded on {host}: {free}", not free)
    others = [name for g in graphs for name in g.files if "/" not in name and "@." not in name and name not in g.declared]
    bound = [u for u, p in zip(others, properties(host, others, "BindsTo")) if "tenure@" in p["BindsTo"]] if others else []
    t.check(f"and no other on {host}: {bound}", not bound)


def agent_agrees(t, hosts, graphs):
    """A group without a finding is led, or could be; one with a warning that prevents it says so."""
    def agreed():
        wrong = []
        for host in hosts:
            groups = groups_of(host)
            for g in graphs:
                shown = groups.get(g.name, {"role": "missing", "reason": ""})
                unfit = [u for u in g.absent if u in shown["reason"]]
                fine = (shown["role"], shown["reason"]) in [("leader", ""), *(("standby", f"{h} leads") for h in hosts)]
                if (not unfit if g.absent else not fine):
                    wrong.append(f"{host} {g.name}: {shown['role']} {shown['reason']}")
        led = {g.name for host in hosts for g in graphs if groups_of(host).get(g.name, {}).get("role") == "leader"}
        return wrong + [f"{g.name} is not led" for g in graphs if not g.absent and g.name not in led]
    until, wrong = time.monotonic() + AGREED_S, agreed()
    while wrong and time.monotonic() < until:
        time.sleep(1)
        wrong = agreed()
    t.check(f"agents and check agree, and every group that can be is led: {' | '.join(wrong)}", not wrong)


# Events

def declared_of(graphs):
    return [f"'{u}'" for g in graphs for u in g.declared]


def start_all(t, host, graphs):
    host.sh("systemctl start --no-block " + " ".join(declared_of(graphs)), check=False)


def crash(t, host, graphs):
    host.sh("systemctl kill -s KILL " + " ".join(u for u in declared_of(graphs) if u.endswith(".service'")), check=False)


def lose_generators(t, host, graphs):
    host.sh(WAYS["is masked"][0], check=False)
    host.systemctl("daemon-reload")
    t.check(f"the generator's copies are gone on {host}", not host.sh(f"ls {EARLY}/*/{FILE} 2>/dev/null", check=False))
    all_guarded(t, host, graphs)
    start_all(t, host, graphs)
    crash(t, host, graphs)
    no_unit_without_leadership(t, host, graphs)
    host.sh(WAYS["is masked"][1])
    host.systemctl("daemon-reload")


def lose_persistent(t, host, graphs):
    host.sh(f"rm -f {ETC}/g*.d/{FILE}; systemctl daemon-reload")
    all_guarded(t, host, graphs)
    start_all(t, host, graphs)
    crash(t, host, graphs)
    no_unit_without_leadership(t, host, graphs)
    host.run("tenurectl", "apply", timeout=60)


def step_down(t, host, graphs):
    host.sh("systemctl stop tenured.service", timeout=60)
    start_all(t, host, graphs)
    time.sleep(1)
    units = declared_of(graphs)
    up = host.sh(f"systemctl show -p ActiveState --value {' '.join(units)} | sort | uniq -c", check=False)
    t.check(f"nothing runs on {host}, whose agent is stopped: {up}", "active" not in up.replace("inactive", ""))
    host.systemctl("start", "tenured.service")


def cut_off(t, host, graphs):
    host.cut(clean=False)
    time.sleep(t.lease_ms / 1000)
    start_all(t, host, graphs)
    time.sleep(1)
    host.heal()


def kill_keepers(t, host, graphs):
    host.sh("pkill -KILL -x tenure-keeper", check=False)
    start_all(t, host, graphs)


def boot(t, host, graphs):
    host.systemctl("enable", "--quiet", "tenured.service")
    host.reboot()
    t.until(f"{host} is up", lambda: host.up and groups_of(host))


STEPS_OF = (start_all, crash, lose_generators, lose_persistent, step_down, cut_off, kill_keepers,
            lambda t, host, graphs: host.systemctl("daemon-reload"))


def no_unit_without_leadership(t, host, graphs):
    """A group that is not led here before and after the poll has no active unit here."""
    before = groups_of(host)
    units = [(g, u) for g in graphs for u in g.declared if u not in g.absent]
    shown = properties(host, [u for _, u in units], "ActiveState", "MainPID", "ControlGroup")
    after = groups_of(host)

    def is_standby(name):
        return all(s.get(name, {}).get("role") == "standby" for s in (before, after))
    up = [f"{u}: {p['ActiveState']}" for (g, u), p in zip(units, shown)
          if is_standby(g.name) and p["ActiveState"] not in ("inactive", "failed")]
    if up:      # PID 1 may be about to refuse a start, or a term may be ending
        time.sleep(t.stop_ms / 1000 + 1)
        again = properties(host, [u for _, u in units], "ActiveState")
        last = groups_of(host)
        up = [f"{u}: {p['ActiveState']}" for (g, u), p in zip(units, again) if is_standby(g.name)
              and last.get(g.name, {}).get("role") == "standby" and p["ActiveState"] not in ("inactive", "failed")
              and any(u in line for line in up)]
    t.check(f"no unit of a group that {host} does not lead is active there: {up}", not up)


def starts_in_terms(t, host, graphs):
    declared = {u for g in graphs for u in g.declared}
    starts = [line.split() for line in host.sh(f"cat {STARTS}", check=False).splitlines()]
    ours = [s for s in starts if s and s[0] in declared]
    free = collections.Counter(s[0] for s in ours if len(s) < 2)
    t.check(f"nothing was started on {host} without a term: {free}", not free)
    return len(ours)


@scenario("sixty groups of random units, and a random sequence of events: what runs is led", heavy=True)
def unit_graphs(t):
    t.spent = True
    seed = SEEDS[t.lab.platform.name, t.method]
    rng = random.Random(seed)
    graphs = [Graph(rng, i) for i in range(N)]
    a, b = t.standbys[0], t.leader
    t.figures["seed"] = seed
    everywhere((a, b), lambda h: write_units(h, graphs))

    def write_down():
        write_groups(t, a, graphs)
        must_find(t, a, graphs, lambda g: [(REFUSED, words) for words in g.in_files])
        remove_groups(a, [g for g in graphs if g.in_files])
        others = [g for g in graphs if not g.in_files]
        must_find(t, a, others, lambda g: g.findings)
        remove_groups(a, [g for g in others if g.refused])
    t.fault(f"{N} groups are configured on {a}", write_down)
    graphs = [g for g in graphs if not g.refused]
    t.effect("those that were refused are gone", lambda: a.run("tenurectl", "check", check=False).code < 2)
    t.figures["groups"] = len(graphs)
    everywhere((a, b), lambda h: (h.sh(f"rm -f {STARTS}"), write_groups(t, h, graphs)))
    reload(a)
    reload(b)
    for host in (a, b):
        all_guarded(t, host, graphs)
    agent_agrees(t, (a, b), graphs)
    course = [rng.choice(STEPS_OF) for _ in range(STEPS - 1)] + [boot]
    rng.shuffle(course)
    for step in course:
        host = rng.choice((a, b))
        t.fault_in_the_dark(f"{step.__name__.strip('<>')} on {host}", lambda s=step, h=host: s(t, h, graphs))
        t.effect("it is over", lambda: all(groups_of(h) for h in (a, b)), timeout=30)
        for h in (a, b):
            no_unit_without_leadership(t, h, graphs)
    # A unit that crashed and is not restarted is rightly shown as failed.
    for host in (a, b):
        start_all(t, host, graphs)
    agent_agrees(t, (a, b), graphs)
    t.figures["starts"] = sum(starts_in_terms(t, h, graphs) for h in (a, b))
    t.check("they were started", t.figures["starts"] > len(graphs))
