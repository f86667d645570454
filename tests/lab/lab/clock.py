# SPDX-License-Identifier: Apache-2.0
"""CLOCK_MONOTONIC: all hosts of a lab share it, so times of different hosts can be compared."""

import time

MS = 1_000_000          # nanoseconds
SECOND = 1000 * MS


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def ms(nanoseconds):
    return nanoseconds / MS
