# SPDX-License-Identifier: Apache-2.0
"""The gates, which .ci/run requires in addition to the tests."""

import os
import re

from .commands import run
from .counting import Count
from .places import TESTS

LIMIT_S = 2400


def gates(_, times):
    count = Count()
    with times.step("gates", "all"):
        status, lines = run([os.path.join(TESTS, "lint", "run")], limit=LIMIT_S)
    m = re.match(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", lines[-1] if lines else "")
    if m:
        count = Count(*(int(n or 0) for n in m.groups()))
    if not m or (status != 0 and count.failed == 0):
        count.fail(f"tests/lint/run: exit status {status}")
    return count
