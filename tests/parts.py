# SPDX-License-Identifier: Apache-2.0
"""Runs the parts of the tests one after the other, counts test cases, and adds them up. Called by
tests/run, which makes sure that everything is installed.

A test that did not run has failed: a program that died before it printed its number of tests, a test
that meson lists and did not run, a cell that is listed and has no result.
"""

import argparse
import fcntl
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from runner.c_tests import build, c_by_name, c_tests, programs          # noqa: E402
from runner.commands import Stopped, catch_signals, say                  # noqa: E402
from runner.counting import Count, Times                                 # noqa: E402
from runner.gates import gates                                           # noqa: E402
from runner.lab_tests import lab, scenario_names, scenarios_by_name      # noqa: E402
from runner.packages import packages                                     # noqa: E402
from runner.places import BUILD                                          # noqa: E402

PARTS = {"c": c_tests, "lab": lab, "packages": packages, "gates": gates}


def by_name(options, times):
    """Runs scenarios and C tests by name. An unknown name is an error before anything runs."""
    count = Count()
    scenarios = [n for n in options.names if n in scenario_names()]
    others = [n for n in options.names if n not in scenarios]
    hits = {}
    if others:
        if not build(count):
            return count
        hits = programs(others)
    for name in others:
        if name not in hits:
            count.fail(f"{name}: no scenario (tests/lab/run --list), no C test (meson test -C {BUILD} --list), and no test "
                       "or case in one has this name")
    if count.failed:
        return count
    count.add(c_by_name(hits, times))
    if scenarios:
        count.add(scenarios_by_name(scenarios, times))
    return count


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--all", action="store_true")
    p.add_argument("--choice", nargs=1, default=[])
    p.add_argument("--part", action="append", default=[], choices=PARTS)
    p.add_argument("names", nargs="*")
    a = p.parse_args()
    catch_signals()
    steps = {"named": by_name} if a.names else {part: PARTS[part] for part in a.part}
    times, total, table, stopped = Times(), Count(), [], None
    for name, part in steps.items():
        say(f"==== {name} ====")
        try:
            count = part(a, times)
        except Stopped as e:
            stopped, count = e, Count()
            count.fail(f"{name}: stopped by {signal.Signals(e.args[0]).name}")
        except Exception as e:      # after any error, the other parts still run
            count = Count()
            count.fail(f"{name}: {type(e).__name__}: {e}")
        table.append(f"{name:8} {count}")
        total.add(count)
        if stopped:
            break
    say("==== where the time went ====")
    say("\n".join(times.table()))
    say("==== results ====")
    say("\n".join(table))
    say(str(total))
    if stopped:
        return 128 + stopped.args[0]
    return 1 if total.failed else 0


if __name__ == "__main__":
    os.makedirs(os.path.dirname(BUILD), exist_ok=True)
    # Two runs in one folder would overwrite each other's builds, and disturb each other's time limits.
    with open(os.path.join(os.path.dirname(BUILD), "lock"), "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another run in this folder to end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        sys.exit(main())
