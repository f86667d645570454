# SPDX-License-Identifier: Apache-2.0
"""The Debian packages: built and tried on minimal hosts of one release, or with --all of both."""

import os
import re
import signal

from .commands import run, say
from .counting import Count
from .places import SOURCE, TESTS

LIMIT_S = 1800


def packages(options, times):
    count = Count()
    argv = [os.path.join(TESTS, "packages", "run"), *([] if options.all else ["--choice", *options.choice])]
    say(f"$ {os.path.relpath(argv[0], SOURCE)} {' '.join(argv[1:])}")
    with times.step("packages", "all"):
        status, lines = run(argv, limit=LIMIT_S, stop_by=signal.SIGINT)
    m = re.match(r"(\d+) passed, (\d+) failed$", lines[-1] if lines else "")
    if m:
        count = Count(*map(int, m.groups()))
    if not m or (status != 0 and count.failed == 0):
        count.fail(f"tests/packages/run: exit status {status}")
    return count
