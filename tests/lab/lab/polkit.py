# SPDX-License-Identifier: Apache-2.0
"""A fault of polkit 122, the version of Debian 12, which was fixed in 123: now and then its main thread does not notice
that the script of the rules has ended, waits 15 s for it, and replies to no request meanwhile. On a busy machine that
happens once in some thousand starts. What is measured at that time is polkit, not the product."""

import time

from . import clock
from .shell import LabError

UNIT = "polkit.service"
SAYS = "Terminating runaway script"
WAIT_S = 17         # polkit logs the fault at its end
ASKED_S = 0.5


def hung(hosts, began):
    """The host whose polkitd has hung since then (clock.now()), or None. Waits until the fault would be logged."""
    until = clock.now() + WAIT_S * clock.SECOND
    waits = [h for h in hosts if h.up and h.frozen_at is None and _unanswered(h, began)]
    while waits:
        for host in waits:
            if _lines(host, UNIT, SAYS, began):
                return host
        if clock.now() > until:
            return None
        time.sleep(ASKED_S)
    return None


def _unanswered(host, began):
    """Whether a call of its agent timed out: otherwise there is nothing to wait for."""
    return _lines(host, "tenured.service", "Method call timed out", began)


def _lines(host, unit, words, began):
    try:
        lines = host.sh(f"journalctl -q -b -o short-monotonic -u {unit}", check=False, timeout=10).splitlines()
    except LabError:
        return []
    return [line for line in lines if words in line and clock.logged_at(line) >= began]
