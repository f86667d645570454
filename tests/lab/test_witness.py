#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The arithmetic on which every figure of the lab rests. Needs neither root nor hosts."""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lab import witness                                     # noqa: E402
from lab.clock import MS                                    # noqa: E402
from lab.watcher import Watcher                             # noqa: E402


def testimony(*processes):
    """Processes as (host, pid, term, first ms, last ms), beating every 2 ms."""
    t = witness.Testimony("/nonexistent", "unit")
    for host, pid, term, first, last in processes:
        t.take((host.encode(), beat * MS, first * MS, term, pid, witness.BEAT, 0)
               for beat in range(first, last + 1, 2))
    return t


class Arithmetic(unittest.TestCase):
    def test_merge(self):
        self.assertEqual(witness.merge([(5, 9), (1, 3), (3, 4), (6, 7)]), [(1, 4), (5, 9)])
        self.assertEqual(witness.merge([]), [])

    def test_overlap(self):
        self.assertEqual(witness.overlap([[(0, 10)], [(20, 30)]]), 0)
        self.assertEqual(witness.overlap([[(0, 10)], [(10, 30)]]), 0)
        self.assertEqual(witness.overlap([[(0, 10)], [(4, 30)]]), 6)
        self.assertEqual(witness.overlap([[(0, 10)], [(2, 4), (8, 12)]]), 4)
        self.assertEqual(witness.overlap([[(0, 10)], [(0, 10)], [(0, 10)]]), 10)
        self.assertEqual(witness.overlap([]), 0)

    def test_failover(self):
        t = testimony(("n1", 10, 1, 0, 1000), ("n2", 11, 2, 4000, 6000))
        self.assertEqual(t.dual_active(), 0)
        self.assertEqual(t.gap(500 * MS, 6000 * MS), 3000 * MS)
        self.assertEqual(t.term_faults(), [])

    def test_two_at_once(self):
        t = testimony(("n1", 10, 1, 0, 1000), ("n2", 11, 2, 900, 2000))
        self.assertEqual(t.dual_active(), 100 * MS)
        self.assertEqual(t.dual_active(950 * MS), 50 * MS)
        self.assertEqual(t.dual_active(1500 * MS), 0)
        self.assertEqual(t.gap(0, 2000 * MS), 0)

    def test_processes_of_one_host_are_one(self):
        t = testimony(("n1", 10, 1, 0, 1000), ("n1", 11, 1, 0, 1500))
        self.assertEqual(t.dual_active(), 0)
        self.assertEqual(t.gap(0, 1500 * MS), 0)

    def test_child_left_behind_counts(self):
        t = testimony(("n1", 10, 1, 0, 1000), ("n1", 11, 1, 0, 1500), ("n2", 12, 2, 1200, 2000))
        self.assertEqual(t.dual_active(), 300 * MS)

    def test_stalled_process_is_not_dead(self):
        t = testimony(("n1", 10, 1, 0, 1000))
        t.take([(b"n1", 9000 * MS, 0, 1, 10, witness.BEAT, 0)])
        self.assertEqual(t.gap(0, 9000 * MS), 0)
        t.take([(b"n2", 5000 * MS, 5000 * MS, 2, 7, witness.BEAT, 0),
                (b"n2", 6000 * MS, 5000 * MS, 2, 7, witness.BEAT, 0)])
        self.assertEqual(t.dual_active(), 1000 * MS)

    def test_same_pid_after_a_reboot(self):
        t = testimony(("n1", 10, 1, 0, 1000), ("n1", 10, 2, 5000, 6000))
        self.assertEqual(t.gap(0, 6000 * MS), 4000 * MS)

    def test_frozen_host(self):
        t = testimony(("n1", 10, 1, 0, 1000), ("n2", 11, 2, 5000, 9000))
        t.take([(b"n1", (8000 + i) * MS, 0, 1, 10, witness.BEAT, 0) for i in range(0, 21, 2)])
        self.assertGreater(t.dual_active(), 3000 * MS)
        t.frozen["n1"] = [(1001 * MS, 7999 * MS)]
        self.assertEqual(t.dual_active(), 21 * MS)
        self.assertEqual(t.gap(0, 9000 * MS), 3999 * MS)

    def test_one_beat_after_the_thaw(self):
        t = testimony(("n1", 10, 1, 0, 1000), ("n2", 11, 2, 5000, 9000))
        t.take([(b"n1", 8002 * MS, 0, 1, 10, witness.BEAT, 0)])
        t.frozen["n1"] = [(1001 * MS, 7999 * MS)]
        self.assertEqual(t.dual_active(), 3 * MS)

    def test_frozen_for_good(self):
        t = testimony(("n1", 10, 1, 0, 1000))
        t.frozen["n1"] = [(1001 * MS, witness.NEVER)]
        self.assertEqual(t.intervals(), {"n1": [(0, 1000 * MS)]})

    def test_gap_at_the_edges(self):
        t = testimony(("n1", 10, 1, 1000, 2000))
        self.assertEqual(t.gap(0, 2500 * MS), 1000 * MS)
        self.assertEqual(testimony().gap(0, 700 * MS), 700 * MS)

    def test_terms(self):
        self.assertIn("both", testimony(("n1", 1, 5, 0, 10), ("n2", 2, 5, 20, 30)).term_faults()[0])
        self.assertIn("after", testimony(("n1", 1, 5, 0, 10), ("n2", 2, 4, 20, 30)).term_faults()[0])
        self.assertEqual(testimony(("n1", 1, 5, 0, 10), ("n2", 2, 5, 5, 30)).term_faults({5}), [])
        self.assertIn("both", testimony(("n1", 1, 5, 0, 10), ("n2", 2, 5, 5, 30)).term_faults({4})[0])
        self.assertIn("without", testimony(("n1", 1, 0, 0, 10)).term_faults()[0])

    def test_beats(self):
        t = testimony(("n1", 10, 1, 0, 1000), ("n2", 11, 2, 4000, 6000))
        self.assertEqual(t.beats(0, 100 * MS), 51)
        self.assertEqual(t.beats(0, 100 * MS, "n2"), 0)
        self.assertEqual(t.running(500 * MS), ["n1"])
        self.assertEqual(t.running(3000 * MS), [])
        self.assertEqual(t.last_beat("n1"), 1000 * MS)
        self.assertEqual(t.last_beat("n1", before=500 * MS), 498 * MS)
        self.assertEqual(t.first_beat("n2"), 4000 * MS)
        self.assertIsNone(t.last_beat("n3"))

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            t = witness.Testimony(folder, "worker.service")
            record = witness.RECORD.pack(b"n1", 5 * MS, 1, 7, 42, witness.START, 0)
            with open(f"{folder}/n1.worker.service", "wb") as f:
                f.write(record + record[:30])           # the second is still being written
                f.flush()
                self.assertEqual(len(t.read().processes), 1)
                f.write(record[30:])
            self.assertEqual(t.read().beats(0, 10 * MS), 2)
            self.assertEqual(t.read().beats(0, 10 * MS), 2)


class Lines:
    """A timeline that keeps its lines."""

    def __init__(self):
        self.said = []

    def tell(self, text, at=None):
        self.said.append(text)

    good = bad = fault = tell


class Watched(unittest.TestCase):
    """What the demo prints while it happens."""

    def setUp(self):
        self.lines = Lines()
        self.watcher = Watcher(self.lines)

    def look(self, t, ms):
        self.lines.said.clear()
        self.watcher.look(t, ms * MS)
        return list(self.lines.said)

    def test_a_quick_switchover(self):
        t = testimony(("n1", 10, 1, 0, 1000))
        self.assertEqual(self.look(t, 1001), ["n1 runs the unit: pid 10, term 1"])
        t.take([(b"n1", 1001 * MS, 0, 1, 10, witness.END, 0)])
        t.take((b"n2", beat * MS, 1011 * MS, 2, 11, witness.BEAT, 0) for beat in (1011, 1013))
        self.assertEqual(self.look(t, 1014), ["n1: the unit stopped in order", "n2 runs the unit: pid 11, term 2"])
        self.assertEqual(self.look(t, 1015), [])

    def test_a_failover_quicker_than_the_silence(self):
        t = testimony(("n1", 10, 1, 0, 1000))
        self.look(t, 1001)
        t.take((b"n2", beat * MS, 1039 * MS, 2, 11, witness.BEAT, 0) for beat in range(1039, 1100, 2))
        self.assertEqual(self.look(t, 1041), ["n2 runs the unit: pid 11, term 2"])
        self.assertEqual(self.look(t, 1099), ["n1: the unit was killed"])

    def test_two_at_once(self):
        t = testimony(("n1", 10, 1, 0, 1000), ("n2", 11, 2, 900, 1000))
        self.assertEqual(self.look(t, 1001)[-1], "TWO HOSTS RUN THE UNIT: 100.0 ms until now")
        self.assertEqual(self.look(t, 1002), [])
        t.take([(host, 1002 * MS, first * MS, term, pid, witness.BEAT, 0)
                for host, first, term, pid in ((b"n1", 0, 1, 10), (b"n2", 900, 2, 11))])
        self.assertEqual(self.look(t, 1003), ["TWO HOSTS RUN THE UNIT: 102.0 ms until now"])

    def test_a_frozen_host(self):
        t = testimony(("n1", 10, 1, 0, 1000))
        self.look(t, 1001)
        t.frozen["n1"] = [(1001 * MS, witness.NEVER)]
        self.assertEqual(self.look(t, 1100), ["n1: the unit is frozen"])


if __name__ == "__main__":
    unittest.main()
