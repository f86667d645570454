# SPDX-License-Identifier: Apache-2.0
"""Makes the contents of a picture from one run of a scenario: all faults and observations, with times since the
first fault."""

import time

from . import clock
from .clock import MS, SECOND
from .database import Database
from .picture import Bar, Lane, Story, without
from .recorder import Recorder, leases, together
from .scenario import Runner
from .timeline import Timeline

BEFORE = 600 * MS           # shown before the first fault …
AFTER = 800 * MS            # … and after the last event
SETTLED = 100 * MS          # a span that ends so near the end of the recording was cut off by it


class Marks(Timeline):
    """Remembers every fault."""

    def __init__(self, **more):
        super().__init__(**more)
        self.marks = []

    def fault(self, text, at=None):
        at = at or clock.now()
        self.marks.append((at, text))
        super().fault(text, at)


class ObservedRunner(Runner):
    """A Runner whose runs can be drawn: details() of the last one, if it passed."""

    def __init__(self, method, platform, timeline, runs=1, **more):
        """runs: the number of runs of each cell, for the picture's foot."""
        super().__init__(method, platform, timeline, **more)
        self.runs = runs
        self.recorder = None
        self.seen = None            # the recorder of the last run
        self.testimony = None       # what the witnesses wrote, also when the lab is down by now
        self.judged_at = self.ended_at = 0  # when the figures of the last run, and when its recording ended

    def ready(self):
        super().ready()
        self.timeline.marks.clear()
        self.trial = None
        self.recorder = Recorder(self.lab, self.cluster.group).start()
        time.sleep(BEFORE / SECOND)

    def _drop(self, keep=False):
        self._end()             # some scenarios leave a lab that cannot be used again
        super()._drop(keep)

    def _end(self):
        """Records for a moment longer, then stops, and keeps what was recorded."""
        recorder, self.recorder = self.recorder, None
        if not recorder:
            return
        self.judged_at = clock.now()
        if self.trial and self.timeline.marks:
            time.sleep(AFTER / SECOND)
        self.seen = recorder.stop()
        self.ended_at = clock.now()
        self.testimony = self.trial.testimony if self.trial else None

    def run(self, function):
        try:
            return super().run(function)
        finally:
            self._end()

    def details(self, function, turn):
        v, cluster = self.versions, self.trial.cluster
        subtitle = (f"Lease {cluster.lease.removesuffix('s')} s, method {self.method}; "
                    f"systemd {v['systemd']}, PostgreSQL {v['postgresql']}.")
        foot = (f"tests/lab/evidence --only {function.name}   ·   run {turn.number + 1} of {self.runs}"
                f"{', the one with the median gap' if self.runs > 1 else ''}   ·   build {v['build'].split()[0]}")
        return tell(self, function, subtitle, foot)


def tell(run, function, subtitle, foot):
    """The Story of an ObservedRunner's last run, with the figures by which the run was judged."""
    trial, recorder, testimony, judged_at = run.trial, run.seen, run.testimony, run.judged_at
    marks = run.timeline.marks
    zero, end = marks[0][0], run.ended_at
    first = trial.first_fault_at
    last = testimony.last_beat(before=judged_at) or first
    gap = max(testimony.gaps(first, last), key=lambda g: g[1] - g[0], default=None)
    gap_ms = clock.ms(gap[1] - gap[0]) if gap else 0.0
    if gap_ms < 10:                     # as in Trial: the interval of the beats is no gap
        gap, gap_ms = None, 0.0

    held = together(*(leases(row.changes, end) for row in recorder.rows.values()))
    lanes = [_lane(h, recorder, testimony, held, zero) for h in trial.hosts]
    lanes += [_database(h, recorder, zero) for h in trial.lab.all_hosts()
              if isinstance(h, Database) and h.name in recorder.hosts]
    lanes = [lane for lane in lanes if lane.seen(-BEFORE, end - zero)]
    lanes = [lane.within(-BEFORE, end - zero) for lane in lanes]
    duals = [(a - zero, b - zero) for a, b in both(testimony.intervals(trial.began, judged_at))]
    marks = [(t - zero, text) for t, text in marks]
    subtitle = f"{_who(testimony, zero, end)} {subtitle}"
    gap = gap and (gap[0] - zero, gap[1] - zero)
    start, stop = window(lanes, marks, end - zero, gap[1] if gap else trial.lease_ms * MS)
    return Story(function.title[0].upper() + function.title[1:], subtitle, foot, start, stop, marks, lanes,
                 gap, gap_ms, duals, clock.ms(sum(b - a for a, b in duals)))


def _who(testimony, zero, end):
    """A sentence with the leaders before and after."""
    before, after = (testimony.running(t, 100 * MS) for t in (zero, testimony.last_beat(before=end) or end))
    if not before or not after:
        return ""
    if before[-1] == after[-1]:
        return f"{before[-1]} leads, before and after."
    return f"{before[-1]} leads, then {after[-1]}."


def _lane(host, recorder, testimony, held, zero):
    seen = recorder.hosts[host.name]
    states = _states(seen, zero)
    frozen = [(a, b) for a, b, kind in states if kind == "frozen"]
    tracks = {name: [Bar(c, d, kind) for a, b, kind in seen[name].spans
                     for c, d in without(a - zero, b - zero, frozen)] for name in ("agent", "keeper")}
    tracks["lease"] = [_term(f, zero) for f in held if f["host"] == host.name]
    tracks["unit"] = [Bar(a - zero, b - zero, text="the unit runs") for a, b in
                      testimony.intervals().get(host.name, ())]
    return Lane(host.name, states, tracks)


def _term(held, zero):
    """A bar for one of leases(). If it expired, the part after the last renewal is the weaker one."""
    out = held["expired"]
    return Bar(held["from"] - zero, (held["renewed"][-1] if out else held["to"]) - zero, text=f"term {held['term']}",
               marks=[t - zero for t in held["renewed"][1:]], until=held["to"] - zero if out else None,
               word="released" if held["released"] else "")


def _database(host, recorder, zero):
    seen = recorder.hosts[host.name]
    answers = recorder.rows[host.name].answers.spans
    return Lane(host.name, _states(seen, zero),
                {"answers": [Bar(a - zero, b - zero, kind) for a, b, kind in answers]})


def _states(seen, zero):
    return [(a - zero, b - zero, kind) for a, b, kind in seen["state"].spans]


def both(intervals):
    """When at least two hosts ran the unit: [(from, to)]."""
    events = sorted((t, change) for pieces in intervals.values() for a, b in pieces if a < b
                    for t, change in ((a, 1), (b, -1)))
    active, since, found = 0, 0, []
    for t, change in events:
        if active == 2 and change < 0 and t > since:
            found.append((since, t))
        if active == 1 and change > 0:
            since = t
        active += change
    return found


def window(lanes, marks, end, least):
    """The window of the picture: at least until then, and until after the last event."""
    events = [t for t, _ in marks]
    for lane in lanes:
        events += [t for a, b, _ in lane.states for t in (a, b)]
        for name, bars in lane.tracks.items():
            for bar in bars:
                events.append(bar.start)
                events.append(bar.end if bar.until is None or name != "lease" else bar.until)
    # A span that lasts until the end of the recording has not ended.
    happened = [t for t in events if t < end - SETTLED]
    return -BEFORE, min(end, max([least, *happened]) + AFTER)
