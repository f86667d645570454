# SPDX-License-Identifier: Apache-2.0
"""Clocks that are slewed: the accumulated error decides."""

import re
import threading

from lab.scenario import scenario

from .clocks import RAW, clocks_of_their_own, step

SLEWED = 0.05               # the maximum of chrony is 8 %, that of systemd-timesyncd 5 %
STEP = 0.05                 # seconds: a slew consists of such steps


class Slew:
    """A slew as a host's agent sees it: CLOCK_MONOTONIC runs slow, because its CLOCK_MONOTONIC_RAW runs fast."""

    def __init__(self, t, host):
        self._t, self._host, self._ahead = t, host, 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def add(self, seconds):
        self._ahead += seconds
        step(self._t, self._host, self._ahead, RAW)

    def _run(self):
        while not self._stop.wait(STEP):
            self.add(SLEWED * STEP)

    def __enter__(self):
        return self

    def begin(self):
        self._thread.start()

    def __exit__(self, *_):
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()


@scenario("the leader's clock is slewed: a past slew is tolerated, and a lasting one ends the term")
def clock_slewed(t):
    """Neither the kernel nor adjtimex knows of this slew: only the accumulated error shows it."""
    with clocks_of_their_own(t):
        old = t.leader

        def said(words):
            return t.said(old, "tenured.service", words)

        def note_rate(what):
            rate = re.search(r"(\d+ ppm) too slow", said("ppm too slow")[0])
            t.figures[f"measured, {what}"] = rate.group(1)
        with Slew(t, old) as slew:
            t.fault("its clock loses 25 ms at once", lambda: slew.add(0.025))
            t.effect("its agent has seen it", lambda: said("ppm too slow"))
            note_rate("25 ms at once")
            t.undisturbed(seconds=t.duration_ms / 1000)
            t.gap_at_most(0)
            t.until("it trusts its clock again", lambda: said("can be trusted again"), timeout=15)

            t.fault(f"its clock starts to lose {SLEWED:.0%}", slew.begin)
            t.effect("its agent has seen it", lambda: said("ppm too slow"))
            note_rate(f"{SLEWED:.0%}")
            t.leader = t.next_leader()
            t.check("it says that no renewal was acknowledged", said("no renewal was acknowledged before the deadline"))
            t.dead_within(old, t.duration_ms + t.duration_ms / 4 + t.slack_ms + t.stop_ms + t.kill_ms)
            t.gap_at_most(t.lease_ms + 2000)
            status = t.cluster.status(old)
            t.check(f"and could not lead again: {status['role']}, {status['reason']}",
                    status["role"] == "blocked" and "ppm too slow" in status["reason"])
        t.until("it is a standby when the slew has ended", lambda: t.cluster.status(old).get("role") == "standby", timeout=15)
