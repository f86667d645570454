# SPDX-License-Identifier: Apache-2.0
"""Counts test cases by the output of their programs, and the time that each step took."""

import json
import re
import time

from .commands import say


class Count:
    """The numbers of passed and failed test cases. Failures that no output names are named here."""

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


class Times:
    """How long each step took: [(part, step, seconds)], in order."""

    def __init__(self):
        self.steps = []

    def step(self, part, name):
        return _Step(self, part, name)

    def table(self):
        lines, parts = [], {}
        for part, _, seconds in self.steps:
            parts[part] = parts.get(part, 0) + seconds
        for part, total in parts.items():
            lines.append(f"{part:8} {total:5.0f} s   " + ", ".join(
                f"{name} {seconds:.0f}" for p, name, seconds in self.steps if p == part))
        return lines


class _Step:
    def __init__(self, times, part, name):
        self.times, self.part, self.name = times, part, name

    def __enter__(self):
        self.began = time.monotonic()

    def __exit__(self, *_):
        self.times.steps.append((self.part, self.name, time.monotonic() - self.began))


def read_results(path):
    """Results by name. meson writes one JSON object per line."""
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return {t["name"].rpartition(" / ")[2]: t for t in map(json.loads, f)}
    except (OSError, ValueError):
        return {}


def count_checks(name, result):
    """A program that uses Check prints its number of tests at its end; another program counts as one test if it prints
    anything. A program without output did not reach its end, whatever its exit status."""
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
