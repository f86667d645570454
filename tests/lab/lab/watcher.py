# SPDX-License-Identifier: Apache-2.0
"""Reports live, by the witness's beats, which host starts and which host stops running a unit."""

from .clock import MS
from .witness import NEVER

SILENCE = 60 * MS           # a process without a beat for so long, and without a record of its end, is reported as killed


class Watcher:
    def __init__(self, timeline):
        self.timeline = timeline
        self.reported = {}      # host -> the process that was reported to run there
        self.overlap = 0        # for how long two hosts have run it, as far as it was reported

    def look(self, testimony, now):
        """Reports what has changed since the last call, in the order in which it happened."""
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
        """By the beats alone. A process that was reported to run may have just been killed: a failover can be quicker than
        the silence that shows it."""
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
        return "is frozen"
    return "stopped in order" if p.ended else "was killed"
