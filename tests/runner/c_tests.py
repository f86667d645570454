# SPDX-License-Identifier: Apache-2.0
"""The C tests: units, simulation, kept inputs of the fuzzers, arbiters against real servers."""

import json
import os
import shutil
import subprocess

from .commands import clean_environment, run, say
from .counting import Count, count_checks, read_results
from .places import BUILD, SOURCE

SLOWEST = 8
TESTS_FOR_A_PROCESSOR = 3
BUILD_LIMIT_S = 900
LIMIT_S, LIMIT_ALL_S = 3600, 8 * 3600
LIST_LIMIT_S = 20


def build(count):
    """Returns whether the build succeeded."""
    shutil.rmtree(BUILD, ignore_errors=True)
    os.makedirs(BUILD)
    for argv in (["meson", "setup", BUILD, SOURCE], ["ninja", "-C", BUILD]):
        say(f"$ {' '.join(argv)}")
        status, lines = run(argv, limit=BUILD_LIMIT_S, show=False, env=clean_environment(CC="gcc"))
        if status != 0:
            say("\n".join(lines[-60:]))
            count.fail("the build")
            return False
    return True


def known():
    """The tests that meson lists: [{name, suite, cmd, …}]."""
    return json.loads(subprocess.run(["meson", "introspect", "--tests", BUILD], check=True,
                                     env=clean_environment(), capture_output=True).stdout)


def suites(test):
    return [s.rpartition(":")[2] for s in test["suite"]]


def c_tests(options, times):
    count = Count()
    with times.step("c", "build"):
        if not build(count):
            return count
    due = [t["name"] for t in known() if options.all or "long" not in suites(t)]
    left_out = [] if options.all else ["--no-suite", "long"]
    with times.step("c", "tests"):
        run_tests(left_out, LIMIT_ALL_S if options.all else LIMIT_S)
    results = read_results(os.path.join(BUILD, "meson-logs", "testlog.json"))
    for name in due:
        if name not in results:
            count.fail(f"{name}: did not run")
        else:
            count.add(count_checks(name, results[name]))
    slow = sorted(results.items(), key=lambda r: -r[1].get("duration", 0))[:SLOWEST]
    say("the slowest: " + ", ".join(f"{name} {r.get('duration', 0):.0f} s" for name, r in slow))
    return count


def run_tests(which, limit):
    # Tests mostly wait. Their time limits are for an idle machine, and this one may be busy.
    side_by_side = TESTS_FOR_A_PROCESSOR * len(os.sched_getaffinity(0))
    return run(["meson", "test", "-C", BUILD, "--no-rebuild", "--print-errorlogs", "--num-processes", str(side_by_side),
                "--timeout-multiplier", "3", *which], limit=limit, env=clean_environment())


def programs(names):
    """{name: [(meson's test, arguments)]}: a name is that of a meson test, or of a test or case in one. Unknown names
    are missing in the result."""
    tests = known()
    found = {n: [(t, []) for t in tests if t["name"] == n] for n in names}
    for n in [n for n in names if not found[n]]:
        found[n] = [(t, [n]) for t in tests if n in listed(t)]
    return {n: hits for n, hits in found.items() if hits}


def listed(test):
    """The cases and tests of a program that can list them."""
    if not {"unit", "contract"} & set(suites(test)):
        return ()
    r = subprocess.run([*test["cmd"], "--list"], env=clean_environment(), capture_output=True, text=True, check=False,
                       timeout=LIST_LIMIT_S, cwd=BUILD)
    return r.stdout.split() if r.returncode == 0 else ()


def c_by_name(hits, times):
    """Runs what programs() found, each on its own, with all its output."""
    count = Count()
    for name, found in hits.items():
        for test, arguments in found:
            argv = [*test["cmd"], *arguments]
            say(f"$ {' '.join(argv)}")
            with times.step("c", name):
                status, lines = run(argv, limit=LIMIT_S, env=clean_environment(CK_VERBOSITY="verbose", **test.get("env", {})))
            count.add(count_checks(name, {"stdout": "\n".join(lines), "returncode": status,
                                          "result": "OK" if status == 0 else "FAIL"}))
    return count
