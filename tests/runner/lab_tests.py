# SPDX-License-Identifier: Apache-2.0
"""The lab: tests of the lab itself, and scenarios on real hosts."""

import glob
import os
import re
import signal

from .commands import run, say
from .counting import Count, count_unittest
from .places import LAB, SOURCE, TESTS

REPEAT_ALL = 3
ROOTS_LIMIT_S, UNITTEST_LIMIT_S, LIST_LIMIT_S, LIMIT_S = 1800, 900, 60, 5400


def lab(options, times):
    count = Count()
    with times.step("lab", "set-up"):
        # If this fails, the tests below report what is missing.
        run([os.path.join(TESTS, "setup"), "--lab"], limit=ROOTS_LIMIT_S)
    for path in sorted(glob.glob(os.path.join(LAB, "test_*.py"))):
        name = os.path.relpath(path, SOURCE)
        say(f"$ {name}")
        with times.step("lab", os.path.basename(path)):
            count.add(count_unittest(name, *run([path, "-v"], limit=UNITTEST_LIMIT_S, stop_by=signal.SIGINT)))
    for _ in range(REPEAT_ALL if options.all else 1):
        with times.step("lab", "scenarios"):
            count.add(cells([] if options.all else ["--choice", *options.choice]))
    return count


def scenario_names():
    status, listed = run([os.path.join(LAB, "run"), "--list"], limit=LIST_LIMIT_S, show=False)
    return {line.split()[2] for line in listed if len(line.split()) > 3} if status == 0 else set()


def scenarios_by_name(names, times):
    """Runs every cell of these scenarios."""
    run([os.path.join(TESTS, "setup"), "--lab"], limit=ROOTS_LIMIT_S)
    with times.step("lab", "scenarios"):
        return cells([word for n in names for word in ("--only", n)])


def cells(which):
    """Runs cells in several labs side by side. tests/lab/run knows which cells there are."""
    runner = [os.path.join(LAB, "run"), *which]
    count = Count()
    status, listed = run([*runner, "--list"], limit=LIST_LIMIT_S, show=False)
    due = [tuple(line.split()[:3]) for line in listed if len(line.split()) > 3]
    if status != 0 or not due:
        say("\n".join(listed))
        count.fail("tests/lab/run --list: no scenarios")
        return count
    say(f"$ {os.path.relpath(runner[0], SOURCE)} {' '.join(which)}: {len(due)} cells")
    status, lines = run([*runner, "--quiet"], limit=LIMIT_S, stop_by=signal.SIGINT)
    passed = {m.groups() for m in (re.match(r"ok +(\S+) +(\S+) +(\S+) ", line) for line in lines) if m}
    for method, platform, name in due:
        if (method, platform, name) in passed:
            count.passed += 1
        else:
            count.fail(f"{name} by {method} on platform {platform}")
    if status != 0 and count.failed == 0:
        count.fail(f"tests/lab/run: exit status {status}")
    return count
