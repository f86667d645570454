# SPDX-License-Identifier: Apache-2.0
"""Tells from the witness's own beats who starts and who stops running a unit, while it happens."""

from .clock import MS
from .witness import NEVER

SILENCE = 60 * MS           # without a beat for so long a process that did not say that it ends is told as gone


class Watcher:
    def __init__(self, timeline):
        self.timeline = timeline
        self.reported = {}      # host -> the process that is told to run there
        self.overlap = 0    # how long two hosts have run it, as far as it was told

    def look(self, testimony, now):
        """What has changed since the last look, in the order in which it happened."""
        changes = []
        for host, p in latest(testimony).items():
            alive = not p.ended and now - p.last < SILENCE
            if alive and self.reported.get(host) is not p:
                changes.append((p.first, self.timeline.good, f"{host} runs the unit: pid {p.pid}, term {p.term}"))
                self.reported[host] = p
            elif not alive and host in self.reported:
                changes.append((p.last, self.timeline.bad, f"{host}: the unit {how_it_went(testimony, p)}"))
                del self.reported[host]
        for at, tell, text in sorted(changes, key=lambda change: change[0]):
            tell(text, at)
        self.look_at_overlap(testimony)

    def look_at_overlap(self, testimony):
        """By the beats alone. Who is told to run here may have been killed in the last moment: a takeover can be
        quicker than the silence that tells so."""
        overlap = testimony.dual_active()
        if overlap > self.overlap:
            self.timeline.fault(f"TWO HOSTS RUN THE UNIT: {overlap / MS:.1f} ms until now")
            self.overlap = overlap


def latest(testimony):
    """{host: the process that beat last there}"""
    found = {}
    for p in testimony.processes.values():
        if p.host not in found or p.last > found[p.host].last:
            found[p.host] = p
    return found


def how_it_went(testimony, p):
    if any(end == NEVER for _, end in testimony.frozen.get(p.host, ())):
        return "stands still, frozen"
    return "stopped in order" if p.ended else "was killed"
