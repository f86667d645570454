# SPDX-License-Identifier: Apache-2.0
"""Runs the parts of the tests one after the other, counts test cases, and adds them up. Called by
tests/run, which makes sure that all is installed.

What did not run has failed: a program that died before it could say how many tests it has, a test
that meson knows and did not run, a scenario that is listed and has no result.
"""

import argparse
import fcntl
import glob
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.realpath(__file__))
SOURCE = os.path.dirname(HERE)
BUILD = os.path.join(os.environ.get("TENURE_BUILD", os.path.join(SOURCE, "build-tests")), "c")
REPEAT_ALL = 3
HEARTBEAT = 20
TIME_TO_CLEAN_UP = 120


class Stopped(BaseException):
    """Ctrl-C or the like."""


class Count:
    """How many test cases did what. Failures that were not seen by name are named here."""

    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def fail(self, why, n=1):
        say(f"FAILED  {why}")
        self.failed += n

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed" + \
            (f", {self.skipped} skipped" if self.skipped else "")


def say(text):
    print(text, flush=True)


def clean_environment(**more):
    """Nothing of the caller's: neither flags for compilers nor settings of libpq or Check decide what
    is tested."""
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
            "LC_ALL": "C.UTF-8", **more}


def run(argv, **how):
    """Run a command and pass on what it says. Returns its exit status and its lines."""
    return run_together([argv], **how)[0]


class Command:
    """In a session of its own, so that a Ctrl-C reaches us alone: we hand it on once, as the signal
    that the command cleans up after, and wait until it has."""

    def __init__(self, argv, env):
        self.argv, self.lines, self.rest, self.status = argv, [], b"", None
        self.process = subprocess.Popen(argv, cwd=SOURCE, env=env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        start_new_session=True)

    def fileno(self):
        return self.process.stdout.fileno()

    def read(self, show):
        """False at the end."""
        chunk = os.read(self.fileno(), 1 << 16)
        *full, self.rest = (self.rest + chunk).split(b"\n")
        for line in full:
            self.lines.append(line.decode(errors="replace").rstrip("\r"))
            if show:
                say(self.lines[-1])
        return bool(chunk)


def run_together(argvs, *, limit, show=True, env=None, stop_by=signal.SIGTERM):
    """Run commands side by side and pass on what they say. Returns (exit status, lines) of each."""
    began = time.monotonic()
    commands = [Command(argv, env) for argv in argvs]
    try:
        while any(c.status is None for c in commands):
            going = [c for c in commands if c.status is None]
            ready = select.select(going, [], [], HEARTBEAT)[0]
            if not ready:
                say(f"    … {time.monotonic() - began:.0f} s")
            for c in going:
                # Something it left behind may hold the pipe.
                ended = not c.read(show) if c in ready else c.process.poll() is not None
                if ended:
                    c.status = c.process.wait()
            if time.monotonic() - began > limit:
                for c in (c for c in commands if c.status is None):
                    say(f"not done after {limit} s: {' '.join(c.argv)}")
                    stop(c.process, stop_by)
                    c.status = -1
        return [(c.status, c.lines) for c in commands]
    except BaseException:
        for c in (c for c in commands if c.status is None):
            stop(c.process, stop_by)
        raise


def stop(p, number):
    """By force when it does not end by itself."""
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, signal.SIG_IGN)
    try:
        os.killpg(p.pid, number)
        p.communicate(timeout=TIME_TO_CLEAN_UP)     # reads on: a full pipe would hold it up
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        p.wait()
    except ProcessLookupError:
        p.wait()
    catch_signals()


def catch_signals():
    def leave(number, _):
        raise Stopped(number)
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, leave)


# ---- C ----

def c_tests(everything):
    count = Count()
    shutil.rmtree(BUILD, ignore_errors=True)
    os.makedirs(BUILD)
    for argv in (["meson", "setup", BUILD, SOURCE], ["ninja", "-C", BUILD]):
        say(f"$ {' '.join(argv)}")
        status, lines = run(argv, limit=900, show=False, env=clean_environment(CC="gcc"))
        if status != 0:
            say("\n".join(lines[-60:]))
            count.fail("the build")
            return count

    known = json.loads(subprocess.run(["meson", "introspect", "--tests", BUILD], check=True,
                                      env=clean_environment(), capture_output=True).stdout)
    left_out = [] if everything else ["--no-suite", "long"]
    due = [t["name"] for t in known if everything or
           "long" not in [s.rpartition(":")[2] for s in t["suite"]]]
    # Time limits are for a machine that does nothing else. This one may.
    run(["meson", "test", "-C", BUILD, "--no-rebuild", "--print-errorlogs",
         "--timeout-multiplier", "3", *left_out], limit=3600 * (8 if everything else 1),
        env=clean_environment())
    results = read_results(os.path.join(BUILD, "meson-logs", "testlog.json"))
    for name in due:
        if name not in results:
            count.fail(f"{name}: did not run")
        else:
            count.add(count_checks(name, results[name]))
    return count


def read_results(path):
    """By name. meson writes one JSON object a line."""
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return {t["name"].rpartition(" / ")[2]: t for t in map(json.loads, f)}
    except (OSError, ValueError):
        return {}


def count_checks(name, result):
    """A program of Check's says at its end how many tests it had; another one that says something is
    one test. One that says nothing has not come to its end, whatever its exit status."""
    said = result.get("stdout", "")
    if result["result"] == "SKIP":
        say(f"skipped  {name}: {said.strip() or 'it does not say why'}")
        return Count(skipped=1)
    count = Count()
    summaries = re.findall(r"^\d+%: Checks: (\d+), Failures: (\d+), Errors: (\d+)", said, re.M)
    for checks, failures, errors in summaries:
        bad = int(failures) + int(errors)
        count.add(Count(int(checks) - bad, bad))
    if result["result"] != "OK" and count.failed == 0:
        count.fail(f"{name}: {result['result']}, exit status {result.get('returncode')}")
    elif not summaries and (not said.strip() or "Running suite(s)" in said):
        count.fail(f"{name}: it ended with 0, and not at its end")
    elif not summaries:
        count.passed += 1
    elif count.passed + count.failed == 0:
        count.fail(f"{name}: there is no test in it")
    return count


# ---- lab ----

def lab(everything):
    count = Count()
    # When this fails the tests below say what is missing.
    run([os.path.join(HERE, "setup"), "--lab"], limit=1800)
    for path in sorted(glob.glob(os.path.join(HERE, "lab", "test_*.py"))):
        name = os.path.relpath(path, SOURCE)
        say(f"$ {name}")
        count.add(count_unittest(name, *run([path, "-v"], limit=900, stop_by=signal.SIGINT)))
    for _ in range(REPEAT_ALL if everything else 1):
        count.add(scenarios(everything))
    return count


def count_unittest(name, status, lines):
    said = "\n".join(lines)
    count = Count()
    ran = re.findall(r"^Ran (\d+) tests? in", said, re.M)
    if not ran or ran[-1] == "0":
        count.fail(f"{name}: no test ran")
        return count
    end = re.findall(r"^(?:OK|FAILED)(?: \((.*)\))?$", said, re.M)
    marks = dict(mark.rsplit("=", 1) for mark in end[-1].split(", ") if mark) if end else {}
    count.skipped = int(marks.get("skipped", 0))
    count.failed = sum(int(marks.get(k, 0)) for k in ("failures", "errors", "unexpected successes"))
    count.passed = max(0, int(ran[-1]) - count.failed - count.skipped)
    if status != 0 and count.failed == 0:
        count.fail(f"{name}: exit status {status}")
    return count


def scenarios(everything):
    """Several labs side by side; which cells, tests/lab/run knows."""
    runner = [os.path.join(HERE, "lab", "run"), *([] if everything else ["--choice"])]
    count = Count()
    status, listed = run([*runner, "--list"], limit=60, show=False)
    cells = [tuple(line.split()[:3]) for line in listed if len(line.split()) > 3]
    if status != 0 or not cells:
        say("\n".join(listed))
        count.fail("tests/lab/run --list: no scenarios")
        return count
    say(f"$ {' '.join(runner)}: {len(cells)} cells")
    status, lines = run([*runner, "--quiet"], limit=5400, stop_by=signal.SIGINT)
    passed = {m.groups() for m in (re.match(r"ok +(\S+) +(\S+) +(\S+) ", line) for line in lines) if m}
    for method, platform, name in cells:
        if (method, platform, name) in passed:
            count.passed += 1
        else:
            count.fail(f"{name} by {method} on platform {platform}")
    if status != 0 and count.failed == 0:
        count.fail(f"tests/lab/run: exit status {status}")
    return count


# ---- gates ----

def gates(_):
    count = Count()
    status, lines = run([os.path.join(HERE, "lint", "run")], limit=2400)
    m = re.match(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", lines[-1] if lines else "")
    if m:
        count = Count(*(int(n or 0) for n in m.groups()))
    if not m or (status != 0 and count.failed == 0):
        count.fail(f"tests/lint/run: exit status {status}")
    return count


PARTS = {"c": c_tests, "lab": lab, "gates": gates}


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--all", action="store_true")
    p.add_argument("parts", nargs="+", choices=PARTS)
    a = p.parse_args()
    catch_signals()
    total, table, stopped = Count(), [], None
    for name in a.parts:
        say(f"==== {name} ====")
        began = time.monotonic()
        try:
            count = PARTS[name](a.all)
        except Stopped as e:
            stopped, count = e, Count()
            count.fail(f"{name}: stopped by {signal.Signals(e.args[0]).name}")
        except Exception as e:      # whatever it is, the other parts are still to run
            count = Count()
            count.fail(f"{name}: {type(e).__name__}: {e}")
        table.append(f"{name:6} {time.monotonic() - began:5.0f} s  {count}")
        total.add(count)
        if stopped:
            break
    say("====")
    say("\n".join(table))
    say(str(total))
    if stopped:
        return 128 + stopped.args[0]
    return 1 if total.failed else 0


if __name__ == "__main__":
    os.makedirs(os.path.dirname(BUILD), exist_ok=True)
    # Two at once in one folder would build over each other, and spoil each other's time limits.
    with open(os.path.join(os.path.dirname(BUILD), "lock"), "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another run in this folder to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        sys.exit(main())
