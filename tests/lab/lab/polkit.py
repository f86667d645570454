# SPDX-License-Identifier: Apache-2.0
"""A fault of polkit 122, which Debian 12 has, and which is mended in 123: its main thread now and then misses that the
script of the rules has ended, and then waits 15 s for it while it answers nobody. It happens once in some thousand
starts on a busy machine. What was measured meanwhile is polkit, not the product."""

import time

from . import clock
from .shell import LabError

UNIT = "polkit.service"
SAYS = "Terminating runaway script"
WAIT_S = 17         # it says so at the end
ASKED_S = 0.5


def hung(hosts, began):
    """The host whose polkitd did that since then, by clock.now(); None. Waits for as long as it may take."""
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
    """Whether its agent had no answer to a call: without, nobody waits for anything."""
    return _lines(host, "tenured.service", "Method call timed out", began)


def _lines(host, unit, words, began):
    try:
        lines = host.sh(f"journalctl -q -b -o short-monotonic -u {unit}", check=False, timeout=10).splitlines()
    except LabError:
        return []
    return [line for line in lines if words in line and clock.logged_at(line) >= began]
