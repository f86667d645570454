# SPDX-License-Identifier: Apache-2.0
"""What the witnesses recorded: when each host ran the unit, for how long none did, and for how long two did.

A process counts as alive from its first beat to its last, however long the pauses in between: a
process that was merely not scheduled could have gone on at any moment, so it counts as running. The
one exception is a host that the lab itself froze: nothing in it runs until it is thawed.
"""

import array
import bisect
import glob
import os
import struct

from . import clock
from .clock import MS

RECORD = struct.Struct("=24sqqQIIQ")
START, BEAT, TERM_SIGNAL, END = 1, 2, 3, 4

NEVER = 2 ** 62


class Process:
    """One process with all its beats, ordered by time."""

    def __init__(self, host, pid, started, term):
        self.host, self.pid, self.started, self.term = host, pid, started, term
        self.beats = array.array("q")
        self.ended = False          # it recorded its own end; otherwise it was killed

    @property
    def first(self):
        return self.beats[0]

    @property
    def last(self):
        return self.beats[-1]

    def alive(self, frozen=()):
        """The intervals in which it was alive. Needs to know when its host was frozen."""
        pieces = [(self.first, self.last)]
        for start, end in frozen:
            cut = []
            for a, b in pieces:
                if end <= a or start >= b:
                    cut.append((a, b))
                    continue
                # A beat after the thaw shows that it was alive, and then it was so from the thaw on.
                before = bisect.bisect_right(self.beats, start) - 1
                after = bisect.bisect_left(self.beats, end)
                lived_on = after < len(self.beats) and self.beats[after] <= b
                if before >= 0 and self.beats[before] >= a:
                    cut.append((a, start if lived_on else self.beats[before]))
                if lived_on:
                    cut.append((end, b))
            pieces = cut
        return pieces


class Testimony:
    """All processes of one unit on all hosts. read() adds new records."""

    def __init__(self, folder, unit):
        self.folder, self.unit = folder, unit
        self.processes = {}
        self.offsets = {}
        self.frozen = {}            # host -> [(from, to)], kept by the lab
        self.read_at = 0            # all records up to then were read

    def read(self):
        self.read_at = clock.now()  # set before, because reading may take a while
        for path in glob.glob(f"{glob.escape(self.folder)}/*.{glob.escape(self.unit)}"):
            offset = self.offsets.get(path, 0)
            size = (os.stat(path).st_size - offset) // RECORD.size * RECORD.size
            if size <= 0:
                continue
            with open(path, "rb") as f:
                f.seek(offset)
                data = f.read(size)
            data = data[:len(data) // RECORD.size * RECORD.size]
            self.offsets[path] = offset + len(data)
            self.take(RECORD.iter_unpack(data))
        return self

    def take(self, records):
        for host, when, started, term, pid, kind, _ in records:
            host = host.rstrip(b"\0").decode()
            key = (host, pid, started)
            p = self.processes.get(key)
            if p is None:
                p = self.processes[key] = Process(host, pid, started, term)
            p.beats.append(when)
            p.ended = p.ended or kind == END

    # Which host ran it, and when

    def intervals(self, start=0, end=NEVER):
        """{host: [(from, to), …]}: when each host ran it within a window, merged and sorted."""
        found = {}
        for p in self.processes.values():
            for a, b in p.alive(self.frozen.get(p.host, ())):
                a, b = max(a, start), min(b, end)
                if a <= b:
                    found.setdefault(p.host, []).append((a, b))
        return {host: merge(pieces) for host, pieces in found.items()}

    def dual_active(self, start=0, end=NEVER):
        """For how many nanoseconds more than one host ran it."""
        return overlap(self.intervals(start, end).values())

    def gap(self, start, end):
        """The longest time without any host running it between start and end, nanoseconds."""
        return max((b - a for a, b in self.gaps(start, end)), default=0)

    def gaps(self, start, end):
        pieces = merge([i for host in self.intervals(start, end).values() for i in host])
        points = [start] + [t for piece in pieces for t in piece] + [end]
        return [(a, b) for a, b in zip(points[::2], points[1::2]) if b > a]

    def beats(self, start, end, host=None):
        """The number of beats of one host or of all."""
        return sum(bisect.bisect_right(p.beats, end) - bisect.bisect_left(p.beats, start)
                   for p in self.processes.values() if host in (None, p.host))

    def running(self, at=None, within=20 * MS):
        """The hosts that beat within the last milliseconds before a time (default: the last read())."""
        at = self.read_at if at is None else at
        return sorted({p.host for p in self.processes.values()
                       if bisect.bisect_right(p.beats, at) - bisect.bisect_left(p.beats, at - within)})

    def last_beat(self, host=None, before=NEVER):
        """The last beat of a host, or of any, before a time; or None."""
        found = None
        for p in self.processes.values():
            i = bisect.bisect_left(p.beats, before)
            if host in (None, p.host) and i > 0:
                found = max(found or 0, p.beats[i - 1])
        return found

    def first_beat(self, host, after=0):
        """The first beat of a host after a time, or None."""
        found = [p.beats[i] for p in self.processes.values() if p.host == host
                 for i in [bisect.bisect_right(p.beats, after)] if i < len(p.beats)]
        return min(found, default=None)

    def started(self, start, end=NEVER, host=None):
        """The processes whose first beat was in a window."""
        return [p for p in self.processes.values()
                if start <= p.first <= end and host in (None, p.host)]

    def term_faults(self, shared=()):
        """Faults in the terms: two hosts with one term (unless it is shared by design), or a smaller term after a larger
        one."""
        faults, holder = [], {}
        seen = 0
        for p in sorted(self.processes.values(), key=lambda p: p.first):
            if p.term == 0:
                faults.append(f"{p.host} pid {p.pid} ran without a term")
                continue
            if holder.setdefault(p.term, p.host) != p.host and p.term not in shared:
                faults.append(f"term {p.term} was both {holder[p.term]}'s and {p.host}'s")
            if p.term < seen:
                faults.append(f"{p.host} started with term {p.term} after term {seen}")
            seen = max(seen, p.term)
        return faults


# The arithmetic, on plain lists of (from, to)

def merge(pieces):
    """Sorts intervals, and joins those that touch or overlap."""
    merged = []
    for a, b in sorted(pieces):
        if merged and a <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(b, merged[-1][1]))
        else:
            merged.append((a, b))
    return merged


def overlap(hosts):
    """For how long at least two of several merged lists of intervals were active together."""
    events = sorted((t, change) for pieces in hosts for a, b in pieces
                    for t, change in ((a, 1), (b, -1)))
    active, since, total = 0, 0, 0
    for t, change in events:
        if active >= 2:
            total += t - since
        active += change
        since = t
    return total
