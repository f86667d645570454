# SPDX-License-Identifier: Apache-2.0
"""The Markdown of tests/lab/evidence: every cell of the matrix, including those that failed or did not run."""

import re
import statistics

PER_RUN = ("gap", "dual")


class Cell:
    """All runs of a scenario by one method on one platform."""

    def __init__(self, method, platform):
        self.method, self.platform = method, platform
        self.runs = []              # figures of those that passed, as Runner.run() returns them
        self.failures = []          # why the others did not
        self.void = []              # the reason for each run that was repeated

    def add(self, passed, figures, why):
        if passed:
            self.runs.append(figures)
        else:
            self.failures.append(why)

    def passed(self, wanted):
        return len(self.runs) == wanted and not self.failures

    def gaps(self):
        return [f["gap"] for f in self.runs]

    def duals(self):
        return [f["dual"] for f in self.runs]

    def others(self):
        """{name: text} of a scenario's figures beside gap and dual-active time."""
        names = dict.fromkeys(k for f in self.runs for k in f if k not in PER_RUN)
        return {name: together([f[name] for f in self.runs if name in f]) for name in names}


def together(values):
    """"12 ms", "15 ms", "13 ms" -> "13 ms, at most 15 ms"; other texts: each different one."""
    found = [re.fullmatch(r"(-?\d+(?:\.\d+)?) ?([a-zµ%]*)", str(v)) for v in values]
    if not all(found) or len({m[2] for m in found}) > 1:
        return "; ".join(dict.fromkeys(str(v) for v in values))
    numbers, unit = [float(m[1]) for m in found], found[0][2]
    digits = max(len(m[1].partition(".")[2]) for m in found)
    median, most = (f"{x:.{digits}f} {unit}".strip() for x in (statistics.median(numbers), max(numbers)))
    return median if median == most else f"{median}, at most {most}"


class Report:
    """scenarios: functions with name, title, dual_ms, breaks. cells: {(scenario's name, method, platform): Cell}.
    pictures: {scenario's name: (file, what it lacks)}."""

    def __init__(self, scenarios, cells, wanted, about, versions, pictures):
        self.scenarios, self.cells, self.wanted = scenarios, cells, wanted
        self.about, self.versions, self.pictures = about, versions, pictures

    def failed(self):
        """Cells that are missing or did not pass, as (scenario, Cell)."""
        return [(s, c) for s in self.scenarios for c in self._of(s) if not c.passed(self.wanted)]

    def _of(self, scenario):
        return [c for (name, *_), c in self.cells.items() if name == scenario.name]

    def markdown(self, here=None):
        """here: files of the pictures beside the report; None: of all of them."""
        here = {file for file, _ in self.pictures.values()} if here is None else set(here)
        parts = [self._head(here), self._summary()]
        parts += [self._scenario(s, here) for s in self.scenarios]
        return "\n\n".join(parts) + "\n"

    def _head(self, here):
        bad = len(self.failed())
        verdict = f"**All {len(self.cells)} cells passed.**" if not bad else \
            f"**{bad} of {len(self.cells)} cells failed or did not run.**"
        void = sum(len(c.void) for c in self.cells.values())
        if void:
            verdict += f" In {len(self.cells) * self.wanted} runs it happened {times(void)} that the machine itself stopped for " \
                       "more than 100 ms, or that polkitd hung by a fault of its own: such a run is void, and was made again with " \
                       "no other lab beside it. Each is named below."
        lines = ["<!-- Written by tests/lab/evidence. Not edited by hand. -->",
                 "# Faults, and what the witness saw", "",
                 f"{verdict} A cell is a scenario by one method on one platform, run {times(self.wanted)}, on real "
                 "hosts (systemd as PID 1). *Gap*: the longest time since the first fault within which no host ran the unit, up to 10 ms "
                 "counted as none. *Two at once*: how long two hosts or more ran it, in total. Both come from the "
                 "unit's own beats, every 2 ms (what outlives SIGKILL does not beat, and is counted by its process); see [the lab](../lab/README.md). A scenario's other figures: the "
                 "median, and the largest.", "", *_table(("", ""), self.about), ""]
        lines += _table(("systemd", "PostgreSQL", "build"), [(v["systemd"], v["postgresql"], v["build"])
                                                             for v in self.versions.values()])
        if here < {file for file, _ in self.pictures.values()}:
            lines += ["", "The pictures here are those that the documents show. The same command draws one of every scenario to "
                      "`build-tests/evidence/`, beside a copy of this report that shows them all; with `--only NAME` it draws "
                      "that scenario's alone."]
        return "\n".join(lines)

    def _summary(self):
        rows = []
        for s in self.scenarios:
            cells = self._of(s)
            gaps, duals = [g for c in cells for g in c.gaps()], [d for c in cells for d in c.duals()]
            good = sum(c.passed(self.wanted) for c in cells)
            passed = f"{good} of {len(cells)}"
            rows.append((f"[{s.name}](#{s.name})", s.title, _ms(gaps and statistics.median(gaps)),
                         _ms(gaps and max(gaps)), _fine(duals and max(duals)),
                         passed if good == len(cells) else f"**{passed}**"))
        head = ("scenario", "what happens", "gap, median", "gap, longest", "two at once, longest", "cells passed")
        return "## All of them\n\n" + "\n".join(_table(head, rows, "llrrrr"))

    def _scenario(self, s, here):
        lines = [f'## <a name="{s.name}"></a>{s.name}', "", s.title[0].upper() + s.title[1:] + ".", ""]
        if s.breaks:
            then = f"two hosts may run the unit for {s.dual_ms:g} ms" if s.dual_ms else "even so no two hosts may run the unit"
            lines += [f"An assumption is broken on purpose, that {s.breaks}: {then}.", ""]
        if s.name in self.pictures:
            file, lacks = self.pictures[s.name]
            lines += [f"![Timeline of {s.name}]({file})", ""] if file in here else []
            if lacks:
                lines += [f"**The picture is not whole**: nothing was seen of {', '.join(lacks)}.", ""]
        cells = self._of(s)
        others = list(dict.fromkeys(name for c in cells for name in c.others()))
        rows = [(c.method, self._where(c.platform), self._result(c),
                 _ms(c.gaps() and statistics.median(c.gaps())), _ms(c.gaps() and max(c.gaps())),
                 _fine(c.duals() and max(c.duals())), *(c.others().get(name, "–") for name in others)) for c in cells]
        head = ("method", "platform", "runs", "gap, median", "gap, longest", "two at once, longest", *others)
        lines += _table(head, rows, "lllrrr" + "r" * len(others))
        for c in cells:
            lines += [line for why in c.void for line in (
                "", f"{c.method}, {self._where(c.platform)}: run again, because {why}.")]
            for why in dict.fromkeys(c.failures):
                lines += ["", f"{c.method}, {self._where(c.platform)}:", "", *("    " + line for line in why.splitlines())]
        return "\n".join(lines)

    def _where(self, name):
        v = self.versions.get(name)
        return f"systemd {v['systemd']}, PostgreSQL {v['postgresql']}" if v else f"systemd {name}"

    def _result(self, c):
        if c.failures:
            return f"**{len(c.failures)} of {self.wanted} failed**"
        if len(c.runs) != self.wanted:
            return f"**{self.wanted - len(c.runs)} of {self.wanted} did not run**"
        return f"{self.wanted}"


def times(n):
    return "once" if n == 1 else f"{n} times"


def _ms(value):
    return f"{value:.0f} ms" if isinstance(value, (int, float)) else "–"


def _fine(value):
    return f"{value:.1f} ms" if isinstance(value, (int, float)) else "–"


def _table(head, rows, align=""):
    line = "|".join({"r": "--:", "l": "---"}[a] for a in align.ljust(len(head), "l"))
    return [_row(head), f"|{line}|", *(_row(r) for r in rows)]


def _row(cells):
    return "| " + " | ".join(str(c).replace("|", "\\|").replace("\n", " ") for c in cells) + " |"
