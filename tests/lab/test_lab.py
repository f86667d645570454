#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the lab itself, without the product: its faults do what they say, the witness sees what
happened (two at once included), and nothing stays behind however a run ends. Needs root.

    tests/lab/test_lab.py [-v]              TENURE_LAB_PLATFORM=257 for the other platform
"""

import os
import signal
import subprocess
import sys
import time
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)

from lab import Lab, LabError, Timeline, clock, leftovers               # noqa: E402
from lab.cgroups import MOUNT                                           # noqa: E402

PLATFORM = os.environ.get("TENURE_LAB_PLATFORM", "252")
UNIT = """[Service]
Type=notify
NotifyAccess=all
Environment=TENURE_TERM={term}
ExecStart=/lab/witness /lab/beats/%H.%n {options}
"""


def left_behind(name):
    """Everything on the machine that has a lab's name."""
    def said(*argv):
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    found = [line for line in said("ip", "netns") if f"tenure-lab-{name}" in line]
    found += [line for line in said("cat", "/proc/mounts") if f"/{name}/" in line or f"/{name} " in line]
    found += [line for line in said("ps", "-e", "-o", "args") if f"tenure-{name}-" in line]
    found += [path for path in said("find", MOUNT, "-path", f"*/tenure-lab/{name}*")]
    found += [e for e in (os.listdir(leftovers.BASE) if os.path.isdir(leftovers.BASE) else [])
              if e.startswith(name)]
    return found


class OnHosts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.lab = Lab(PLATFORM, hosts=2, product=False, timeline=Timeline(quiet=True))
        cls.lab.__enter__()
        cls.addClassCleanup(cls.lab.__exit__, None, None, None)
        cls.lab.boot()
        cls.a, cls.b = cls.lab.hosts
        cls.term = 0

    def setUp(self):
        for host in self.lab.hosts:
            if not host.up:
                host.boot()
            host.systemctl("stop", "worker.service", check=False)
        self.since = clock.now()

    def work(self, host, options="", term=None):
        """Run the witness there, from now on."""
        type(self).term += 1
        host.write_file("/etc/systemd/system/worker.service",
                        UNIT.format(term=term or self.term, options=options))
        host.systemctl("daemon-reload")
        host.systemctl("start", "worker.service")

    def dual(self):
        return clock.ms(self.lab.testimony().dual_active(self.since))

    def reaches(self, host):
        return host.run("timeout", "1", "bash", "-c", f": </dev/tcp/{self.lab.db.address}/5432",
                        check=False).ok

    def test_boots_fast_and_clean(self):
        self.a.pull_plug()
        self.a.boot()
        self.assertLess(self.a.boot_ms, 5000)
        self.assertEqual(self.a.system_state(), "running")

    def test_versions(self):
        self.assertEqual(self.lab.versions()["systemd"], PLATFORM)

    def test_one_after_the_other(self):
        self.work(self.a)
        time.sleep(0.2)
        at = clock.now()
        self.a.systemctl("stop", "worker.service")
        time.sleep(0.3)
        self.work(self.b)
        time.sleep(0.2)
        t = self.lab.testimony()
        self.assertEqual(self.dual(), 0)
        self.assertGreaterEqual(t.gap(at, clock.now()), 300 * clock.MS)
        self.assertLess(t.gap(at, clock.now()), 1500 * clock.MS)
        self.assertEqual(t.running(), ["n2"])

    def test_two_at_once_are_seen(self):
        self.work(self.a)
        self.work(self.b)
        time.sleep(0.3)
        self.assertGreater(self.dual(), 250)

    def test_children_left_over_are_seen(self):
        self.work(self.a, "--children 1 --escape")
        self.a.kill("worker.service")           # the main process only
        time.sleep(0.05)
        self.assertTrue(self.lab.testimony().beats(self.since, clock.now()))

    def test_ignores_sigterm(self):
        self.work(self.a, "--ignore-term")
        self.a.kill("worker.service", "TERM")
        time.sleep(0.2)
        self.assertEqual(self.lab.testimony().running(), ["n1"])
        self.a.kill("worker.service", "KILL")

    def test_pulled_plug_is_at_once(self):
        self.work(self.a, "--children 5")
        self.a.pull_plug()
        at = clock.now()
        time.sleep(0.2)
        self.assertEqual(self.lab.testimony().beats(at, clock.now()), 0)
        self.assertFalse(self.a.cgroup.exists())
        self.a.boot()
        self.assertIn("worker.service", self.a.journal("worker.service", boot=False))

    def test_disk_survives(self):
        self.a.write_file("/etc/mark", "here\n")
        self.a.reboot()
        self.assertEqual(self.a.read_file("/etc/mark"), "here\n")
        self.a.power_off()
        self.a.boot()
        self.assertEqual(self.a.read_file("/etc/mark"), "here\n")

    def test_freeze(self):
        self.work(self.a)
        self.a.freeze()
        at = clock.now()
        time.sleep(0.3)
        self.assertEqual(self.lab.testimony().beats(at, clock.now()), 0)
        self.work(self.b)
        self.b.systemctl("stop", "worker.service")
        self.a.thaw()
        time.sleep(0.1)
        self.assertEqual(self.lab.testimony().running(), ["n1"])
        self.assertEqual(self.dual(), 0)

    def test_cut_clean_and_half_open(self):
        self.lab.db.wait_ready()
        for clean in (True, False):
            self.assertTrue(self.reaches(self.a))
            self.a.cut(clean=clean)
            self.assertTrue(self.lab.network.is_cut("n1"))
            self.assertFalse(self.reaches(self.a))
            self.assertEqual(self.a.has_link(), not clean)
            self.assertTrue(self.reaches(self.b))
            self.a.heal()
            self.assertFalse(self.lab.network.is_cut("n1"))
            for _ in range(20):
                if self.reaches(self.a):
                    break
        self.assertTrue(self.reaches(self.a))

    def test_database(self):
        db = self.lab.db
        db.wait_ready()
        self.assertEqual(db.psql("select 1 + 1", db="postgres"), "2")
        started = db.psql("select pg_postmaster_start_time()", db="postgres")
        db.crash()
        self.assertFalse(db.ready())
        db.start()
        self.assertNotEqual(db.psql("select pg_postmaster_start_time()", db="postgres"), started)
        db.restart()
        db.stop()
        self.assertFalse(db.ready())
        db.start()

    def test_errors_are_reported(self):
        with self.assertRaisesRegex(LabError, "exit status 3"):
            self.a.sh("exit 3")
        with self.assertRaisesRegex(LabError, "not done after 1 s"):
            self.a.sh("sleep 5", timeout=1)


class Leftovers(unittest.TestCase):
    """A lab in a process of its own, which is ended in one way or another."""

    def start(self, name):
        code = ("import sys, time; sys.path.insert(0, sys.argv[1]); from lab import Lab, Timeline\n"
                "with Lab(sys.argv[2], hosts=1, database=False, product=False, name=sys.argv[3],\n"
                "         timeline=Timeline(quiet=True)) as lab:\n"
                "    lab.boot(); print('up', flush=True); time.sleep(60)\n")
        p = subprocess.Popen([sys.executable, "-B", "-c", code, HERE, PLATFORM, name],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(p.stdout.close)
        self.assertEqual(p.stdout.readline(), "up\n")
        self.assertTrue(left_behind(name))
        return p

    def test_signals(self):
        for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(s.name):
                name = f"self{s.value}x{os.getpid()}"
                p = self.start(name)
                p.send_signal(s)
                self.assertNotEqual(p.wait(timeout=20), 0)
                self.assertEqual(left_behind(name), [])

    def test_killed(self):
        name = f"self9x{os.getpid()}"
        p = self.start(name)
        p.kill()
        p.wait(timeout=20)
        self.assertTrue(left_behind(name))
        leftovers.clear_dead(lambda text: None, only=name)
        self.assertEqual(left_behind(name), [])

    def test_one_in_use_is_left_alone(self):
        name = f"self0x{os.getpid()}"
        p = self.start(name)
        leftovers.clear_dead(lambda text: None, kept=True, only=name)
        with self.assertRaisesRegex(LabError, "already"):
            with Lab(PLATFORM, product=False, name=name, timeline=Timeline(quiet=True)):
                pass
        self.assertTrue(left_behind(name))
        p.terminate()
        p.wait(timeout=20)


if __name__ == "__main__":
    unittest.main()
