# SPDX-License-Identifier: Apache-2.0
"""One run of a scenario as a picture: a lane for each host over time, the faults, and for how long no host
ran the unit."""

from .clock import MS, SECOND
from .svg import Svg, text_width

WIDTH = 800
LEFT, RIGHT = 112, 782          # the x range of the time axis
DUSK = 100 * MS                 # samples end shortly before the recording
BARS_MAX = 120                  # in one track: with more, neighbours are drawn as one

INK, FAINT, RED, GREEN = "#1f2328", "#59636e", "#c4212c", "#1a7f37"
RUN, KEEPER, LEASE, LEASE_INK, AGENT = "#2da44e", "#a475f9", "#54aeff", "#0550ae", "#8c959f"

# From top to bottom, as leadership is passed on: name, height.
TRACKS = (("agent", 7), ("lease", 13), ("keeper", 8), ("unit", 16), ("answers", 8))
BETWEEN, AROUND = 4, 8

LEGEND = {
    "unit": (RUN, "the unit runs, by the witness's beats"),
    "lease": (LEASE, "leads by the record; a stroke: renewed"),
    "runout": ("url(#runout)", "not renewed any more: others wait until it expires"),
    "keeper": (KEEPER, "keeper: units may run"),
    "agent": (AGENT, "agent runs"),
    "answers": (AGENT, "PostgreSQL answers"),
    "stopped": ("url(#stopped)", "process stopped (SIGSTOP)"),
    "down": ("url(#down)", "no power"),
    "frozen": ("url(#frozen)", "frozen"),
    "cut": ("url(#cut)", "off the network"),
    "gap": ("#ffd7d5", "no host runs the unit"),
    "dual": (RED, "two hosts run the unit"),
}
STATES = {"down": "no power", "frozen": "frozen", "cut": "off the network"}


class Lane:
    """A host. states: [(from, to, kind of STATES)]; tracks: {name of TRACKS: [Bar]}."""

    def __init__(self, name, states=(), tracks=None):
        self.name, self.states, self.tracks = name, list(states), tracks or {}

    def shown(self):
        """Tracks with bars. A host without any has one empty track, its agent's or its server's."""
        some = [t for t in TRACKS if self.tracks.get(t[0])]
        return some or [t for t in TRACKS if t[0] in self.tracks][:1] or [TRACKS[0]]

    def seen(self, start, end):
        """False for a host that was never switched on."""
        return any(self.tracks.values()) or not any(
            kind == "down" and a <= start and b >= end - DUSK for a, b, kind in self.states)

    def within(self, start, end):
        """Without bars and states outside this window."""
        tracks = {name: [b for b in bars if b.start <= end and max(b.end, b.until or b.end) >= start]
                  for name, bars in self.tracks.items()}
        return Lane(self.name, [s for s in self.states if s[0] <= end and s[1] >= start], tracks)

    def height(self):
        shown = self.shown()
        return sum(h for _, h in shown) + BETWEEN * (len(shown) - 1) + 2 * AROUND


class Bar:
    """marks: strokes in it (renewals); until: where its weaker continuation ends; end: a word at its end."""

    def __init__(self, start, end, kind=None, text="", marks=(), until=None, word=""):
        self.start, self.end, self.kind, self.text = start, end, kind, text
        self.marks, self.until, self.word = tuple(marks), until, word


class Story:
    """All times are in ns, and 0 is when the first fault began."""

    def __init__(self, title, subtitle, foot, start, end, marks, lanes, gap=None, gap_ms=0.0, duals=(),
                 dual_ms=0.0):
        self.title, self.subtitle, self.foot = title, subtitle, foot
        self.start, self.end, self.marks, self.lanes = start, end, marks, lanes
        self.gap, self.gap_ms, self.duals, self.dual_ms = gap, gap_ms, list(duals), dual_ms

    def lacks(self):
        """Tracks that are empty before the first fault for the host that ran the unit then. That host rightly led,
        so the recorder missed something, and the picture is not complete."""
        def shows(lane, track):
            return any(b.start <= 0 and max(b.end, b.until or b.end) >= self.start for b in lane.tracks.get(track, ()))
        leading = [lane for lane in self.lanes if shows(lane, "unit")]
        return [t for t, _ in TRACKS if t not in ("unit", "answers") and not any(shows(lane, t) for lane in leading)]


def without(a, b, taken):
    """What is left of a span without the others: [(from, to)]."""
    left = [(a, b)]
    for c, d in taken:
        left = [(x, y) for e, f in left for x, y in ((e, min(f, c)), (max(e, d), f)) if x < y] \
            if c < d else left
    return left


def figure(ms):
    return f"{ms:.0f} ms" if ms >= 10 or ms == 0 else f"{ms:.1f} ms"


def draw(story):
    return _Picture(story).draw()


class _Picture:
    def __init__(self, story):
        self.s = story
        self.used = set()
        said = (f"{story.subtitle} No host ran the unit for {figure(story.gap_ms)}, two hosts for "
                f"{figure(story.dual_ms)}.")
        self.svg = Svg(WIDTH, story.title, said)
        for name, ground, stroke in (("runout", "#ddf4ff", "#80ccff"), ("stopped", "#ffffff", RED),
                                     ("down", "#eaeef2", "#afb8c1"), ("frozen", "#ddf4ff", "#80ccff"),
                                     ("cut", "#fff1e5", "#fb8f44")):
            self.svg.hatch(name, ground, stroke, step=4 if name == "stopped" else 6)

    def x(self, t):
        t = min(max(t, self.s.start), self.s.end)
        return LEFT + (RIGHT - LEFT) * (t - self.s.start) / (self.s.end - self.s.start)

    def draw(self):
        s, svg = self.s, self.svg
        room = WIDTH - 36
        svg.text(18, 31, s.title, min(17, 17 * room / text_width(s.title, 17, True)), font_weight="bold")
        svg.text(18, 50, s.subtitle, 11.5, FAINT)
        labels, top = self._place_marks(68)
        bottom = top + sum(lane.height() + BETWEEN for lane in s.lanes)
        self._grounds(top)
        for x, _, y, *_ in labels:
            svg.line(x, y - 9, x, bottom, RED, stroke_width=1.3, stroke_dasharray="4 3")
        self._bars(top)
        for x, text, y, anchor, shift in labels:
            svg.element("circle", cx=x, cy=y - 4, r=3.2, fill=RED)
            svg.text(x + shift, y, text, 12, RED, text_anchor=anchor, font_weight="bold", **HALO)
        below = self._axis(bottom, bottom + 16 + 18 * (2 if s.duals else 1))
        self._spans(bottom + 16)
        y = self._legend(below + 20)
        svg.text(18, y + 18, s.foot, 10, FAINT)
        return svg.finish(y + 32)

    # The faults

    def _place_marks(self, y):
        """[(x, text, y, anchor, shift)], and where the lanes begin."""
        rows, placed = [], []
        for t, text in _joined(self.s.marks):
            x, width = self.x(t), text_width(text, 12, True) + 14
            left = x + width > WIDTH - 10
            a, b = (x - width, x + 6) if left else (x - 6, x + width)
            row = next((i for i, ends in enumerate(rows) if all(b < c or a > d for c, d in ends)), len(rows))
            if row == len(rows):
                rows.append([])
            rows[row].append((a, b))
            placed.append((x, text, y + 4 + 17 * row, "end" if left else None, -8 if left else 8))
        return placed, y + 17 * len(rows)

    # Lanes

    def _grounds(self, top):
        s, svg, y = self.s, self.svg, top
        for lane in s.lanes:
            svg.rect(8, y, WIDTH - 16, lane.height(), "#f6f8fa", rx=4)
            for a, b, kind in lane.states:
                self.used.add(kind)
                self._box(a, b, y, lane.height(), f"url(#{kind})")
            y += lane.height() + BETWEEN
        if s.gap:
            self.used.add("gap")
            self._box(*s.gap, top, y - BETWEEN - top, "#ff8182", fill_opacity=0.3)
        for a, b in s.duals:
            self.used.add("dual")
            self._box(a, b, top, y - BETWEEN - top, RED, fill_opacity=0.6)

    def _bars(self, top):
        y = top
        for lane in self.s.lanes:
            self.svg.text(18, y + min(AROUND + 13, lane.height() / 2 + 5), lane.name, 14, font_weight="bold")
            at = y + AROUND
            for track, height in lane.shown():
                self.svg.text(LEFT - 10, at + height / 2 + 3.5, track, 10, FAINT, text_anchor="end")
                self._track(track, lane.tracks.get(track, ()), at, height)
                at += height + BETWEEN
            self._say_states(lane, y)
            y += lane.height() + BETWEEN

    def _say_states(self, lane, y):
        """Names the states where there is room beside the bars of the lowest track."""
        track, height = lane.shown()[-1]
        bars = [(bar.start, bar.end) for bar in lane.tracks.get(track, ())]
        for a, b, kind in lane.states:
            free = without(max(a, self.s.start), min(b, self.s.end), bars)
            left, right = max(((self.x(c), self.x(d)) for c, d in free), key=lambda f: f[1] - f[0], default=(0, 0))
            if right - left > text_width(STATES[kind], 11) + 12:
                self.svg.text((left + right) / 2, y + lane.height() - AROUND - height / 2 + 4, STATES[kind], 11,
                              FAINT, text_anchor="middle", **HALO)

    def _track(self, track, bars, y, height):
        colour = {"unit": RUN, "keeper": KEEPER, "lease": LEASE}.get(track, AGENT)
        for bar in self._few(bars):
            stopped = bar.kind == "stopped"
            self.used.add("stopped" if stopped else track)
            self._box(bar.start, bar.end, y, height, "url(#stopped)" if stopped else colour, rx=2,
                      stroke=RED if stopped else None, stroke_width=1 if stopped else None)
            if bar.until is not None and bar.until > bar.end:
                self.used.add("runout")
                self._box(bar.end, bar.until, y, height, "url(#runout)", stroke=LEASE, stroke_width=0.8)
            for t in bar.marks:
                if self.s.start < t < self.s.end:
                    self.svg.line(self.x(t), y, self.x(t), y + height, LEASE_INK, stroke_width=1.2)
            end = bar.end if bar.until is None else max(bar.end, bar.until)
            self._say(bar, y, height, end)

    def _say(self, bar, y, height, end):
        """The bar's text where no stroke is in the way, and the word at its end."""
        size, light = min(11, height - 3), height >= 16
        points = [bar.start, *bar.marks, bar.end, end]
        parts = [(self.x(a), self.x(b)) for a, b in zip(points, points[1:])]
        room = text_width(bar.text, size, light) + 14
        fits = [(a, b) for a, b in parts if b - a > room]
        if bar.text and fits:
            a, b = fits[0]
            weak = not light and a >= self.x(bar.end)
            self.svg.text((a + b) / 2, y + height / 2 + size * 0.36, bar.text, size,
                          "#ffffff" if light else "#0a3069", font_weight="bold" if light else None,
                          text_anchor="middle", **(_halo("#ddf4ff", 3) if weak else {}))
        if bar.word and end < self.s.end:
            self.svg.text(self.x(end) + 4, y + height / 2 + 3.5, bar.word, 10, LEASE_INK, **HALO)

    def _few(self, bars):
        """Joins bars: no more than there are pixels for, and never more than BARS_MAX."""
        bars = [b for b in bars if b.end >= self.s.start and b.start <= self.s.end]
        near = (self.s.end - self.s.start) / (RIGHT - LEFT) / 2
        while True:
            few = []
            for b in bars:
                last = few[-1] if few else None
                if last and b.kind == last.kind and not b.marks and not last.marks and b.start - last.end < near:
                    few[-1] = Bar(last.start, max(last.end, b.end), last.kind, last.text)
                else:
                    few.append(b)
            if len(few) <= BARS_MAX or all(b.marks for b in few):
                return few
            near *= 2

    def _box(self, a, b, y, height, fill, **more):
        if b < self.s.start or a > self.s.end:
            return
        # Every event is visible, however short it was.
        self.svg.rect(self.x(a), y, max(self.x(b) - self.x(a), 1), height, fill, **more)

    # Below the lanes

    def _spans(self, y):
        """The figures, each below the span that it measures."""
        s = self.s
        if s.gap:
            self._span(*s.gap, y, f"no host runs the unit: {figure(s.gap_ms)}", RED)
        else:
            self.svg.text((LEFT + RIGHT) / 2, y + 4, "no gap: the unit ran all the time", 12, GREEN,
                          text_anchor="middle", font_weight="bold", **HALO)
        if s.duals:
            self._span(s.duals[0][0], s.duals[-1][1], y + 18,
                       f"two hosts run the unit: {figure(s.dual_ms)}", RED)

    def _span(self, a, b, y, text, colour):
        svg, left, right = self.svg, self.x(a), self.x(b)
        for x in (left, right):
            svg.line(x, y - 6, x, y + 6, colour, stroke_width=1.3)
        width = text_width(text, 12, True)
        if right - left > width + 20:
            middle = (left + right) / 2
            for x, end, tip in ((left, middle - width / 2 - 2, 5), (right, middle + width / 2 + 2, -5)):
                svg.line(x, y, end, y, colour, stroke_width=1.3)
                svg.element("path", d=f"M{x:.1f} {y:.1f}l{tip} -3v6z", fill=colour)
            svg.text(middle, y + 4, text, 12, colour, text_anchor="middle", font_weight="bold", **HALO)
        else:
            svg.line(left, y, right, y, colour, stroke_width=1.3)
            out = right + 8 + width > WIDTH - 10
            svg.text(left - 8 if out else right + 8, y + 4, text, 12, colour, font_weight="bold",
                     text_anchor="end" if out else None, **HALO)

    def _axis(self, lanes, y):
        s, svg = self.s, self.svg
        svg.line(LEFT, y, RIGHT, y, "#8c959f")
        step = _step(s.end - s.start)
        t = -(-s.start // step) * step
        while t <= s.end:
            x = self.x(t)
            svg.line(x, lanes - BETWEEN, x, y + 4, "#8c959f" if t == 0 else "#d8dee4", stroke_width=0.8)
            svg.text(x, y + 16, _time(t, step), 10.5, INK if t == 0 else FAINT, text_anchor="middle",
                     font_weight="bold" if t == 0 else None)
            t += step
        return y + 20

    def _legend(self, y):
        x = 18
        for kind, (fill, text) in LEGEND.items():
            if kind not in self.used:
                continue
            width = 18 + text_width(text, 10.5) + 16
            if x + width > WIDTH - 10 and x > 18:
                x, y = 18, y + 17
            self.svg.rect(x, y - 9, 13, 10, fill, rx=1.5, stroke="#d0d7de", stroke_width=0.5)
            if kind == "lease":
                self.svg.line(x + 9, y - 9, x + 9, y + 1, LEASE_INK, stroke_width=1.2)
            self.svg.text(x + 18, y, text, 10.5)
            x += width
        return y


def _halo(colour, width):
    return {"paint_order": "stroke", "stroke": colour, "stroke_width": width, "stroke_linejoin": "round"}


HALO = _halo("#ffffff", 3)


def _joined(marks, most=6):
    """Repeated faults have one label; of too many labels the last ones are counted."""
    seen = {}
    for t, text in sorted(marks):
        seen.setdefault(text, []).append(t)
    said = [(times[0], text if len(times) == 1 else f"{text} ({len(times)} times)")
            for text, times in seen.items()]
    if len(said) > most:
        t, text = said[most - 1]
        said = said[:most - 1] + [(t, f"{text}, and {len(said) - most} more")]
    return said


def _step(span):
    """A round step of the time axis with about ten steps in total."""
    for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 30_000, 60_000):
        if span / (step * MS) <= 12:
            return step * MS
    return 300 * SECOND


def _time(t, step):
    if t == 0:
        return "0"
    sign, t = ("−" if t < 0 else ""), abs(t)
    if step < 100 * MS:
        return f"{sign}{t // MS} ms"
    return f"{sign}{t / SECOND:.1f} s" if step < SECOND else f"{sign}{t // SECOND} s"
