# SPDX-License-Identifier: Apache-2.0
"""Pauses of the machine itself, measured by an ordinary process on each processor (tests/lab/pulse.c). A cell that ran
during such a pause is void: it measured the machine, not the product."""

import os
import subprocess

from . import clock
from .build import build_pulse
from .shell import LabError, wait_for

LONGEST_MS = 100        # a longer pause makes a cell void
# The promise assumes that keeper or PID 1 gets to run within 0.3 s. If the machine breaks that assumption, even two hosts
# that ran the unit prove nothing about the product.
SLACK_MS = 300


class Pulse:
    """A context manager that measures while it is active."""

    def __init__(self, say=print):
        self.say = say
        self.pauses = []            # (from, to), nanoseconds
        self._process, self._rest = None, b""

    def __enter__(self):
        self._process = subprocess.Popen([build_pulse(self.say), str(LONGEST_MS)], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.PIPE, start_new_session=True)
        os.set_blocking(self._process.stdout.fileno(), False)
        try:
            wait_for("the pulse of the machine", self._is_ready)
        except LabError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def _lines(self):
        try:
            chunk = os.read(self._process.stdout.fileno(), 1 << 16)
        except BlockingIOError:
            chunk = b""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return lines

    def _is_ready(self):
        return b"ready" in self._lines()

    def read(self):
        """Reads what was measured by now. A pulse that has ended proves nothing."""
        if self._process.poll() is not None:
            raise LabError("the pulse of the machine has ended")
        self.pauses += [tuple(map(int, line.split()[:2])) for line in self._lines()]

    def longest_ms(self, start, end):
        """The longest pause that touches a span, as far as it was read; 0.0 without one."""
        return clock.ms(longest(self.pauses, start, end))


def longest(pauses, start, end):
    """In nanoseconds. A pause counts as a whole, also if it began before the span or ended after it."""
    return max((b - a for a, b in pauses if a < end and b > start), default=0)


def voids(longest_ms, two_hosts):
    """Whether a pause of this length makes a cell void. two_hosts: the result is that two hosts ran the unit."""
    return longest_ms > (SLACK_MS if two_hosts else LONGEST_MS)
