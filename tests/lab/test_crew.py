#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Which cells a run has, which worker runs them, and which are void because the machine paused. With invented scenarios:
needs no hosts, but a compiler for the pulse."""

import collections
import os
import signal
import subprocess
import sys
import tempfile
import time
import types
import unittest
import unittest.mock

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lab import cells, clock, crew, polkit, pulse           # noqa: E402
from lab.cells import KINDS, Cell                           # noqa: E402
from lab.crew import Crew, Turn                             # noqa: E402
from lab.scenario import TWO_HOSTS                          # noqa: E402


def scenario(name, heavy=False, alone=False, seconds=0.0, **more):
    return types.SimpleNamespace(name=name, heavy=heavy, alone=alone, seconds=seconds, **more)


def named(n):
    return [scenario(f"s{i}") for i in range(n)]


class Cells(unittest.TestCase):
    def test_every_cell(self):
        self.assertEqual(len(set(cells.every(named(5)))), 20)
        self.assertEqual({c[1:] for c in cells.every(named(2), methods=("lease",))}, {("lease", "252"), ("lease", "257")})

    def test_one_of_each_scenario(self):
        for number in (0, 7, 1234):
            chosen = cells.choice(named(91), number)
            self.assertEqual(len(chosen), 91)
            self.assertEqual(len({c.scenario for c in chosen}), 91)
            counts = collections.Counter(c[1:] for c in chosen)
            self.assertEqual(set(counts), set(KINDS))
            self.assertLessEqual(max(counts.values()) - min(counts.values()), 1)

    def test_four_in_a_row_are_all(self):
        four = [c for number in range(17, 21) for c in cells.choice(named(91), number)]
        self.assertEqual(sorted(four), sorted(cells.every(named(91))))

    def commit(self, folder, *command):
        subprocess.run(["git", "-C", folder, "-c", "user.name=x", "-c", "user.email=x@localhost", *command], check=True,
                       capture_output=True)

    def test_number_of_the_commit(self):
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual(cells.number_of_commit(folder), cells.FIXED_CHOICE)
            whole, part = f"{folder}/whole", f"{folder}/part"
            os.mkdir(whole)
            self.commit(whole, "init", "-q")
            for _ in range(3):
                self.commit(whole, "commit", "-q", "--allow-empty", "-m", "x")
            self.assertEqual(cells.number_of_commit(whole), 3)
            self.commit(folder, "clone", "-q", "--depth", "1", f"file://{whole}", part)
            self.assertEqual(cells.number_of_commit(part), cells.FIXED_CHOICE)


class Runner:
    """In place of a lab: records which worker began and ended which cell."""

    def __init__(self, log, kind):
        self.log, self.kind, self.versions, self.excuse = log, kind, {}, ""

    def say(self, *words):
        with open(self.log, "a", encoding="ascii") as f:
            f.write(" ".join(map(str, [clock.now(), os.getpid(), *words])) + "\n")

    def __enter__(self):
        self.say("lab", *self.kind)
        return self

    def __exit__(self, *_):
        self.say("down", *self.kind)

    def run(self, s):
        self.say("begin", s.name, *self.kind)
        if getattr(s, "dies", False):
            os._exit(9)
        time.sleep(s.seconds)
        self.excuse = getattr(s, "excuse", "")
        self.say("end", s.name, *self.kind)
        return getattr(s, "passes", True), {"gap": 0.0, "dual": 0.0}, getattr(s, "why", "")

    def details(self, *_):
        return None


class Crews(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.log = f"{folder.name}/log"
        self.outcomes = []

    def crew(self, jobs, scenarios):
        return Crew(jobs, lambda *kind: Runner(self.log, kind), scenarios, lambda *o: self.outcomes.append(o),
                    say=lambda _: None)

    def work(self, jobs, scenarios, wanted=None):
        made = self.crew(jobs, scenarios)
        made.run([Turn(c, 0) for c in wanted or cells.every(scenarios)])
        with open(self.log, encoding="ascii") as f:
            return [line.split() for line in f]

    def test_each_cell_once(self):
        for jobs in (1, 3, 4, 7):
            with self.subTest(jobs=jobs):
                self.outcomes.clear()
                self.work(jobs, named(6))
                self.assertEqual(sorted(t.cell for t, _ in self.outcomes), sorted(cells.every(named(6))))
                self.assertTrue(all(o.passed and not o.void for _, o in self.outcomes))

    def test_every_lab_is_taken_down(self):
        lines = self.work(5, named(6))
        self.assertEqual(sum(w[2] == "lab" for w in lines), sum(w[2] == "down" for w in lines))

    def test_side_by_side(self):
        lines = self.work(4, [scenario(f"s{i}", seconds=0.05) for i in range(4)])
        self.assertEqual(len({w[1] for w in lines}), 4)
        # Each worker keeps its lab, because another one costs as much as a cell.
        self.assertEqual(sum(w[2] == "lab" for w in lines), 4)

    def test_a_kind_alone_is_shared(self):
        wanted = cells.every(named(8), methods=("lease",), platforms=("252",))
        lines = self.work(2, [scenario(f"s{i}", seconds=0.02) for i in range(8)], wanted)
        self.assertEqual(len({w[1] for w in lines if w[2] == "begin"}), 2)

    def test_heavy_ones_do_not_meet(self):
        lines = self.work(4, [scenario("a", heavy=True, seconds=0.1), scenario("b", seconds=0.02),
                              scenario("c", heavy=True, seconds=0.05)])
        self.assertEqual(len(self.outcomes), 12)
        busy = 0
        for words in lines:
            if words[2] in ("begin", "end") and words[3] in "ac":
                busy += 1 if words[2] == "begin" else -1
                self.assertLessEqual(busy, 1)

    def test_alone_is_alone(self):
        lines = self.work(4, [scenario("a", alone=True, seconds=0.02), *[scenario(f"s{i}", seconds=0.02) for i in range(4)]])
        self.assertEqual(len(self.outcomes), 20)
        self.assertEqual([t.cell.scenario for t, _ in self.outcomes[-4:]], ["a"] * 4)
        self.assertFalse(any(o.void for _, o in self.outcomes))
        at = next(i for i, w in enumerate(lines) if w[2] == "begin" and w[3] == "a")
        self.assertEqual(len({w[1] for w in lines[at:]}), 1)

    def test_a_process_that_dies_costs_its_cell(self):
        self.work(2, [*named(4), scenario("bad", dies=True)], [
            Cell(name, "lease", "252") for name in ("s0", "bad", "s1", "s2", "s3")])
        failed = [(t.cell.scenario, o.why) for t, o in self.outcomes if not o.passed]
        self.assertEqual(failed, [("bad", "its process ended with status 9")])
        self.assertEqual(len(self.outcomes), 5)

    def test_the_only_process_dies(self):
        self.work(1, [scenario("bad", dies=True), *named(2)],
                  [Cell(name, "lease", "252") for name in ("bad", "s0", "s1")])
        self.assertEqual([o.passed for _, o in self.outcomes], [False, True, True])

    def paused(self, scenarios, ms):
        """Runs with a machine that pauses for so long in each first run."""
        made = self.crew(2, scenarios)
        made._side_by_side, inner = lambda jobs: self.with_pause(made, inner, jobs, ms), made._side_by_side
        made.run([Turn(c, 0) for c in cells.every(scenarios, methods=("lease",), platforms=("252",))])

    @staticmethod
    def with_pause(made, inner, jobs, ms):
        now = clock.now()
        made.pulse.pauses.append((now, now + int(ms * clock.MS)))
        inner(jobs)
        made.pulse.pauses.clear()

    def test_void_is_run_again_alone(self):
        self.paused([scenario("a", seconds=0.05)], 150)
        first, second = [o for _, o in self.outcomes]
        self.assertTrue(first.void and not second.void and second.alone and second.passed)

    def test_void_also_where_it_failed(self):
        self.paused([scenario("a", seconds=0.05, passes=False, why="too late")], 150)
        self.assertEqual([(bool(o.void), o.passed) for _, o in self.outcomes], [(True, False), (False, False)])

    def test_void_by_an_excuse_once(self):
        self.work(1, [scenario("a", passes=False, why="too late", excuse="polkitd hung")], [Cell("a", "lease", "252")])
        self.assertEqual([(o.void, o.passed) for _, o in self.outcomes], [("polkitd hung", False), ("", False)])

    def test_two_hosts_are_never_excused_by_anything_else(self):
        bad = scenario("a", passes=False, why=f"{TWO_HOSTS}: for 7 ms", excuse="polkitd hung")
        self.work(1, [bad], [Cell("a", "lease", "252")])
        self.assertEqual([(o.void, o.passed) for _, o in self.outcomes], [("", False)])

    def test_what_passed_needs_no_excuse(self):
        self.work(1, [scenario("a", excuse="polkitd hung")], [Cell("a", "lease", "252")])
        self.assertEqual([(o.void, o.passed) for _, o in self.outcomes], [("", True)])

    def test_two_hosts_are_never_excused_by_a_short_pause(self):
        bad = scenario("a", seconds=0.05, passes=False, why=f"{TWO_HOSTS}: for 7 ms")
        self.paused([bad], 250)
        self.assertEqual([(bool(o.void), o.passed) for _, o in self.outcomes], [(False, False)])

    def test_what_fails_is_not_run_again(self):
        self.work(2, [scenario("a", passes=False, why="no")], [Cell("a", "lease", "252")])
        self.assertEqual([(bool(o.void), o.passed) for _, o in self.outcomes], [(False, False)])

    def test_interrupted(self):
        child = os.fork()
        if child == 0:
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                self.work(3, [scenario(f"s{i}", seconds=60) for i in range(3)])
            except KeyboardInterrupt:
                os._exit(7)
            os._exit(1)
        end = time.monotonic() + 10
        while time.monotonic() < end and self.count("begin") < 3:
            time.sleep(0.02)
        os.kill(child, signal.SIGINT)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 7)
        self.assertEqual((self.count("lab"), self.count("down"), self.count("end")), (3, 3, 0))

    def count(self, word):
        try:
            with open(self.log, encoding="ascii") as f:
                return sum(line.split()[2] == word for line in f)
        except FileNotFoundError:
            return 0


class Host:
    """In place of a host of a lab: it has the given journals."""
    up, frozen_at = True, None

    def __init__(self, **journals):
        self.journals = journals

    def sh(self, command, **_):
        return self.journals.get(command.split()[-1].removesuffix(".service"), "")


class Polkit(unittest.TestCase):
    TIMED_OUT = "[ 105.000000] n1 tenured[106]: work: its keeper was not started: Method call timed out"
    HUNG = "[ 112.000000] n1 polkitd[79]: Terminating runaway script after 15 seconds"

    def hung(self, *hosts, began=100):
        with unittest.mock.patch.object(polkit, "WAIT_S", 0.1), unittest.mock.patch.object(polkit, "ASKED_S", 0.02):
            return polkit.hung(hosts, began * clock.SECOND)

    def test_who_says_so(self):
        well, ill = Host(tenured="[ 105.000000] n2 tenured[106]: work: claimed"), Host(tenured=self.TIMED_OUT, polkit=self.HUNG)
        self.assertIs(self.hung(well, ill), ill)

    def test_who_does_not(self):
        self.assertIsNone(self.hung(Host(tenured=self.TIMED_OUT)))
        self.assertIsNone(self.hung(Host(polkit=self.HUNG)))

    def test_nothing_of_before(self):
        self.assertIsNone(self.hung(Host(tenured=self.TIMED_OUT, polkit=self.HUNG), began=108))


class Jobs(unittest.TestCase):
    def test_inotify(self):
        with tempfile.NamedTemporaryFile("w") as f, unittest.mock.patch.object(crew, "INOTIFY_LIMIT", f.name), \
                unittest.mock.patch.object(os, "sched_getaffinity", lambda _: range(16)):
            for limit, jobs in ((10, 1), (128, 4), (1024, 32)):
                f.seek(0)
                f.write(f"{limit}\n")
                f.flush()
                self.assertEqual(crew.jobs_here(), jobs)


class Pulses(unittest.TestCase):
    def test_longest(self):
        pauses = [(10, 20), (50, 90)]
        self.assertEqual(pulse.longest(pauses, 0, 100), 40)
        self.assertEqual(pulse.longest(pauses, 0, 30), 10)
        self.assertEqual(pulse.longest(pauses, 60, 70), 40)
        self.assertEqual(pulse.longest(pauses, 20, 50), 0)

    def test_limits(self):
        self.assertFalse(pulse.voids(100, two_hosts=False))
        self.assertTrue(pulse.voids(101, two_hosts=False))
        self.assertFalse(pulse.voids(300, two_hosts=True))
        self.assertTrue(pulse.voids(301, two_hosts=True))

    def test_a_machine_that_stops_is_seen(self):
        with pulse.Pulse(lambda _: None) as p:
            began = clock.now()
            time.sleep(0.2)
            # Each process that beats represents a processor of the machine.
            beating = [int(pid) for pid in subprocess.run(
                ["pgrep", "-P", str(p._process.pid)], capture_output=True, text=True, check=True).stdout.split()]
            self.assertEqual(len(beating), len(os.sched_getaffinity(0)))
            for pid in beating:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(0.3)
            for pid in beating:
                os.kill(pid, signal.SIGCONT)
            time.sleep(0.1)
            p.read()
            self.assertGreaterEqual(p.longest_ms(began, clock.now()), 290)

    def test_it_ends_with_who_started_it(self):
        with pulse.Pulse(lambda _: None) as p:
            pid = p._process.pid
        self.assertEqual(subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, check=False).stdout, b"")

    def test_a_pulse_that_has_died_is_no_proof(self):
        with pulse.Pulse(lambda _: None) as p:
            p._process.kill()
            p._process.wait()
            with self.assertRaises(pulse.LabError):
                p.read()


if __name__ == "__main__":
    unittest.main()
