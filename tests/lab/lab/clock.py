# SPDX-License-Identifier: Apache-2.0
"""CLOCK_MONOTONIC: all hosts of a lab share it, so times of different hosts can be compared."""

import time

MS = 1_000_000          # nanoseconds
SECOND = 1000 * MS


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def ms(nanoseconds):
    return nanoseconds / MS


def logged_at(line):
    """When a line like "[ 1234.567890] n1 tenured[144]: …" was logged, by now(); 0 for a message's second line."""
    try:
        return float(line.split("]")[0].strip("[ ")) * SECOND
    except ValueError:
        return 0
