#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What pictures and tables of the evidence show, from invented data. Needs neither root nor hosts."""

import os
import re
import subprocess
import sys
import tempfile
import types
import unittest
import xml.etree.ElementTree as ET

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from lab import documents, picture, report, story           # noqa: E402
from lab.clock import MS, SECOND                            # noqa: E402
from lab.picture import Bar, Lane, Story, draw              # noqa: E402
from lab.publish import publish                             # noqa: E402
from lab.recorder import Row, Spans, leases, together       # noqa: E402
from lab.scenario import ALL                                # noqa: E402
import scenarios                                            # noqa: E402,F401

SVG = "{http://www.w3.org/2000/svg}"
START, END = -1 * SECOND, 5 * SECOND


def lanes(unit_ends=0, unit_begins=4000):
    """n1 runs until unit_ends, n2 from unit_begins on (ms)."""
    return [Lane("n1", [(0, END, "down")], {"unit": [Bar(START, unit_ends * MS, text="the unit runs")],
                                            "lease": [Bar(START, -200 * MS, text="term 4294967297", marks=[-600 * MS],
                                                          until=3800 * MS)]}),
            Lane("n2", [], {"unit": [Bar(unit_begins * MS, END, text="the unit runs")]}),
            Lane("db", [], {"answers": [Bar(START, END, "answers")]})]


def plug(**more):
    given = {"marks": [(0, "the plug of n1 is pulled")], "lanes": lanes(), "gap": (0, 4000 * MS), "gap_ms": 4000.0, **more}
    return Story("The leader's plug is pulled", "n1 leads, then n2.", "foot", START, END, **given)


class Drawn:
    """A picture, parsed."""

    def __init__(self, shown):
        self.text = draw(shown)
        self.root = ET.fromstring(self.text)
        self.words = ["".join(e.itertext()) for e in self.root.iter(f"{SVG}text")]
        self.rects = [e.attrib for e in self.root.iter(f"{SVG}rect")]

    def boxes(self, fill):
        """(from, to) in ms of the boxes in a colour, without the legend's squares."""
        def ms(x):
            return (x - picture.LEFT) / (picture.RIGHT - picture.LEFT) * (END - START) / MS + START / MS
        return [(ms(float(r["x"])), ms(float(r["x"]) + float(r["width"]))) for r in self.rects
                if r["fill"] == fill and float(r["x"]) >= picture.LEFT and r.get("stroke-width") != "0.5"]


class Pictures(unittest.TestCase):
    def about(self, pair, expected, within=8):
        for a, b in zip(pair, expected):
            self.assertAlmostEqual(a, b, delta=within)

    def test_says_what_happened(self):
        d = Drawn(plug())
        for text in ("The leader's plug is pulled", "n1 leads, then n2.", "the plug of n1 is pulled", "n1", "n2", "db",
                     "no host runs the unit: 4000 ms", "no power", "term 4294967297", "0", "5.0 s", "foot"):
            self.assertIn(text, d.words)
        self.assertNotIn("no gap: the unit ran all the time", d.words)

    def test_stands_on_a_ground_of_its_own(self):
        d = Drawn(plug())
        ground = [e for e in d.root if e.tag == f"{SVG}rect"][0].attrib
        self.assertEqual((ground["width"], ground["height"], ground["fill"]), ("800", d.root.get("height"), "#ffffff"))

    def test_spans_are_where_they_were(self):
        d = Drawn(plug())
        first, second = d.boxes(picture.RUN)
        self.about(first, (-1000, 0))
        self.about(second, (4000, 5000))
        self.about(d.boxes("#ff8182")[0], (0, 4000))
        self.about(d.boxes("url(#down)")[0], (0, 5000))
        self.about(d.boxes("url(#runout)")[0], (-200, 3800))

    def test_a_short_gap_is_seen(self):
        d = Drawn(plug(lanes=lanes(unit_begins=1), gap=(0, 1 * MS), gap_ms=12.3))
        self.assertIn("no host runs the unit: 12 ms", d.words)
        (a, b), = d.boxes("#ff8182")
        self.assertGreater(b - a, 5)        # a pixel, not the eighth of one

    def test_no_gap(self):
        d = Drawn(plug(lanes=lanes(unit_ends=5000), gap=None, gap_ms=0.0))
        self.assertIn("no gap: the unit ran all the time", d.words)
        self.assertFalse([w for w in d.words if w.startswith("no host")])
        self.assertEqual(d.boxes("#ff8182"), [])

    def test_two_at_once(self):
        d = Drawn(plug(duals=[(4000 * MS, 4020 * MS)], dual_ms=20.0))
        self.assertIn("two hosts run the unit: 20 ms", d.words)
        self.assertEqual(len(d.boxes(picture.RED)), 1)

    def test_legend_names_what_is_there_alone(self):
        d = Drawn(plug())
        self.assertIn("no power", d.words)
        self.assertNotIn("frozen", d.words)
        self.assertNotIn("process stopped (SIGSTOP)", d.words)

    def test_same_data_same_bytes(self):
        self.assertEqual(draw(plug()), draw(plug()))

    def test_whatever_the_texts(self):
        d = Drawn(plug(marks=[(0, "a < b & \"c\" 'd'")]))
        self.assertIn("a < b & \"c\" 'd'", d.words)

    def test_thousands_of_spans_stay_small(self):
        many = [Bar(i * MS, i * MS + 300_000) for i in range(0, 4000)]
        sparse = [Bar(i * 4 * MS, i * 4 * MS + 100_000) for i in range(0, 1200)]
        d = Drawn(plug(lanes=[Lane("n1", [], {"unit": many, "agent": sparse})]))
        self.assertLess(len(d.text), 30_000)
        self.assertGreaterEqual(len(d.boxes(picture.RUN)), 1)

    def test_what_is_done_often_is_said_once(self):
        d = Drawn(plug(marks=[(i * 100 * MS, "kill -9 of PostgreSQL") for i in range(9)]))
        self.assertIn("kill -9 of PostgreSQL (9 times)", d.words)
        d = Drawn(plug(marks=[(i * 100 * MS, f"fault {i}") for i in range(30)]))
        self.assertIn("fault 5, and 24 more", d.words)

    def test_labels_keep_apart(self):
        d = Drawn(plug(marks=[(0, "a rather long fault"), (50 * MS, "another one"), (4900 * MS, "one at the very end")]))
        at = {"".join(e.itertext()): e.attrib for e in d.root.iter(f"{SVG}text")}
        self.assertNotEqual(at["a rather long fault"]["y"], at["another one"]["y"])
        self.assertEqual(at["one at the very end"]["text-anchor"], "end")

    def test_a_host_that_was_never_on_has_no_lane(self):
        off = [(START, END - 20 * MS, "down")]
        self.assertFalse(Lane("db2", off, {"answers": []}).seen(START, END))
        self.assertTrue(Lane("n1", [(0, END, "down")], {}).seen(START, END))
        self.assertTrue(Lane("n1", off, {"lease": [Bar(START, 0)]}).seen(START, END))
        self.assertTrue(Lane("db", [], {"answers": []}).seen(START, END))

    def test_what_was_not_seen_is_missed(self):
        self.assertEqual(plug().lacks(), ["agent", "keeper"])
        whole = lanes()
        whole[0].tracks.update(agent=[Bar(START, 0)], keeper=[Bar(START, 0)])
        self.assertEqual(plug(lanes=whole).lacks(), [])
        whole[0].tracks["keeper"] = [Bar(1, END)]
        self.assertEqual(plug(lanes=whole).lacks(), ["keeper"])

    def test_without(self):
        self.assertEqual(picture.without(0, 10, []), [(0, 10)])
        self.assertEqual(picture.without(0, 10, [(2, 4), (8, 12)]), [(0, 2), (4, 8)])
        self.assertEqual(picture.without(0, 10, [(-5, 20)]), [])
        self.assertEqual(picture.without(0, 10, [(20, 30)]), [(0, 10)])


class Contents(unittest.TestCase):
    def test_samples_become_spans(self):
        s = Spans()
        for at, kind in ((0, None), (1, "runs"), (2, "runs"), (3, "stopped"), (4, None), (5, "runs"), (6, "runs")):
            s.see(at, kind)
        self.assertEqual(s.spans, [[1, 3, "runs"], [3, 4, "stopped"], [5, 6, "runs"]])

    def row(self, *changes):
        row = Row()
        for ms, line in changes:
            row.see(ms * MS, line)
        return row.changes

    def test_a_lease_that_expires(self):
        first, second = leases(self.row(
            (0, "n1|7|f|a|4000000"), (500, "n1|7|f|a|4000000"), (600, "n1|7|f|b|4000000"), (4700, "n2|8|f|c|4000000"),
            (5000, "n2|8|f|d|4000000")), 6000 * MS)
        self.assertEqual((first["host"], first["term"], first["renewed"]), ("n1", 7, [0, 600 * MS]))
        self.assertEqual((first["to"], first["expired"], first["released"]), (4600 * MS, True, False))
        self.assertEqual((second["from"], second["to"], second["expired"]), (4700 * MS, 6000 * MS, False))

    def test_a_lease_that_is_given_back(self):
        first, second = leases(self.row(
            (0, "n1|7|f|a|4000000"), (100, "n1|7|t|a|4000000"), (150, "n2|8|f|b|4000000")), 200 * MS)
        self.assertEqual((first["to"], first["released"], first["expired"]), (100 * MS, True, False))
        self.assertEqual((second["host"], second["from"]), ("n2", 150 * MS))

    def test_a_lease_that_no_node_claims(self):
        only, = leases(self.row((0, "n1|7|f|a|4000000")), 9000 * MS)
        self.assertEqual((only["to"], only["expired"]), (4000 * MS, True))

    def test_a_term_that_two_databases_know(self):
        primary = leases(self.row((0, "n1|7|f|a|4000000"), (600, "n1|7|f|b|4000000")), 9000 * MS)
        standby = leases(self.row((2, "n1|7|f|a|4000000"), (602, "n1|7|f|b|4000000"), (3000, "n1|7|f|c|4000000"),
                                  (4000, "n1|7|t|c|4000000"), (4100, "n2|8|f|d|4000000")), 9000 * MS)
        first, second = together(primary, standby)
        self.assertEqual((first["from"], first["renewed"]), (0, [0, 600 * MS, 3000 * MS]))
        # The primary died, and by its rows the term would have expired.
        self.assertEqual((second["host"], second["term"]), ("n2", 8))
        self.assertEqual(together(primary), primary)

    def test_no_row_and_a_clean_one(self):
        self.assertEqual(leases(self.row((0, "-"), (5, ""), (9, "|0|t|a|4000000")), 100 * MS), [])

    def test_both(self):
        self.assertEqual(story.both({"n1": [(0, 10)], "n2": [(8, 20)], "n3": [(9, 9)]}), [(8, 10)])
        self.assertEqual(story.both({"n1": [(0, 10)], "n2": [(10, 20)]}), [])
        self.assertEqual(story.both({"n1": [(0, 10), (12, 14)], "n2": [(5, 13)]}), [(5, 10), (12, 13)])

    def test_window(self):
        lanes = [Lane("n1", [], {"unit": [Bar(START, 0), Bar(3 * SECOND, 10 * SECOND)]})]
        start, end = story.window(lanes, [(0, "x")], 10 * SECOND, 0)
        self.assertEqual((start, end), (-story.BEFORE, 3 * SECOND + story.AFTER))
        self.assertEqual(story.window(lanes, [(0, "x")], 10 * SECOND, 5 * SECOND)[1], 5 * SECOND + story.AFTER)
        self.assertEqual(story.window(lanes, [(0, "x")], 3 * SECOND, 0)[1], story.AFTER)     # never beyond what was seen


def scenario(name, dual_ms=0, breaks=""):
    return types.SimpleNamespace(name=name, title=f"what {name} does", dual_ms=dual_ms, breaks=breaks)


class Tables(unittest.TestCase):
    def made(self, wanted=2):
        cells = {("plug", m, p): report.Cell(m, p) for p in ("252", "257") for m in ("lease", "advisory")}
        for c in cells.values():
            c.add(True, {"gap": 100.0, "dual": 0.0, "dead after": "12 ms"}, "")
            c.add(True, {"gap": 300.0, "dual": 0.5, "dead after": "20 ms"}, "")
        versions = {p: {"systemd": p, "postgresql": "15.1", "build": "abc (123)"} for p in ("252", "257")}
        return cells, report.Report([scenario("plug")], cells, wanted, [("date", "today")], versions, {"plug": ("plug.svg", [])})

    def test_all_passed(self):
        _, r = self.made()
        text = r.markdown()
        self.assertEqual(r.failed(), [])
        self.assertIn("**All 4 cells passed.**", text)
        self.assertIn("| lease | systemd 252, PostgreSQL 15.1 | 2 | 200 ms | 300 ms | 0.5 ms | 16 ms, at most 20 ms |", text)
        self.assertIn("| [plug](#plug) | what plug does | 200 ms | 300 ms | 0.5 ms | 4 of 4 |", text)
        self.assertIn("![Timeline of plug](plug.svg)", text)
        self.assertNotIn("not whole", text)
        self.assertIn("| date | today |", text)
        self.assertIn("| 257 | 15.1 | abc (123) |", text)

    def test_a_failure_is_shown(self):
        cells, r = self.made()
        cells["plug", "lease", "257"].runs.pop()
        cells["plug", "lease", "257"].add(False, {}, "TWO HOSTS\nfor 7 ms")
        text = r.markdown()
        self.assertEqual([(s.name, c.method, c.platform) for s, c in r.failed()], [("plug", "lease", "257")])
        self.assertIn("**1 of 4 cells failed or did not run.**", text)
        self.assertIn("**1 of 2 failed**", text)
        self.assertIn("    TWO HOSTS\n    for 7 ms", text)
        self.assertIn("**3 of 4**", text)

    def test_what_did_not_run_is_shown(self):
        cells, r = self.made()
        cells["plug", "advisory", "252"].runs.clear()
        text = r.markdown()
        self.assertEqual(len(r.failed()), 1)
        self.assertIn("| advisory | systemd 252, PostgreSQL 15.1 | **2 of 2 did not run** | – | – | – | – |", text)

    def test_nothing_ran(self):
        cells, r = self.made()
        for c in cells.values():
            c.runs.clear()
        r.versions, r.pictures = {}, {}
        text = r.markdown()
        self.assertEqual(len(r.failed()), 4)
        self.assertIn("| lease | systemd 257 | **2 of 2 did not run** |", text)
        self.assertNotIn("![", text)

    def test_a_broken_assumption_is_named(self):
        _, r = self.made()
        self.assertNotIn("on purpose", r.markdown())
        r.scenarios = [scenario("plug", breaks="plugs hold")]
        self.assertIn("on purpose, that plugs hold: even so no two hosts may run the unit.", r.markdown())
        r.scenarios = [scenario("plug", dual_ms=50, breaks="plugs hold")]
        self.assertIn("on purpose, that plugs hold: two hosts may run the unit for 50 ms.", r.markdown())

    def test_a_picture_that_is_not_whole_says_so(self):
        _, r = self.made()
        r.pictures = {"plug": ("plug.svg", ["keeper", "lease"])}
        self.assertIn("nothing was seen of keeper, lease", r.markdown())

    def test_figures_together(self):
        self.assertEqual(report.together(["12 ms", "15 ms", "13 ms"]), "13 ms, at most 15 ms")
        self.assertEqual(report.together(["1.5 ms", "1.5 ms"]), "1.5 ms")
        self.assertEqual(report.together(["7", "9"]), "8, at most 9")
        self.assertEqual(report.together(["yes", "no", "yes"]), "yes; no")
        self.assertEqual(report.together(["5 ms", "1 s"]), "5 ms; 1 s")

    def test_every_row_has_all_columns(self):
        _, r = self.made()
        widths = [len(re.findall(r"(?<!\\)\|", line)) for line in r.markdown().splitlines() if line.startswith("|")]
        self.assertEqual(sorted(set(widths)), [3, 4, 7, 8])



def contents(folder):
    """{file: text} of a folder."""
    found = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding="utf-8") as f:
            found[name] = f.read()
    return found


class Published(unittest.TestCase):
    """Which files are written, and which of them are kept."""

    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.folder = place.name

    def published(self, stories, shown=None):
        three = [scenario(name) for name in ("plug", "cut", "frozen")]
        cells = {(s.name, "lease", "252"): report.Cell("lease", "252") for s in three}
        pictures = {name: (f"{name}.svg", each.lacks()) for name, each in stories.items()}
        r = report.Report(three, cells, 1, [], {}, pictures)
        publish(self.folder, r, stories, [s.name for s in three], shown)
        files = contents(self.folder)
        images = re.findall(r"!\[[^]]*\]\(([^)]*)\)", files.pop("faults.md"))
        self.assertEqual(sorted(images), sorted(files))         # a report shows exactly the pictures beside it
        return sorted(files)

    def report(self):
        return contents(self.folder)["faults.md"]

    def test_all_pictures_are_made(self):
        self.assertEqual(self.published({"plug": plug(), "cut": plug()}), ["cut.svg", "plug.svg"])
        self.assertNotIn("build-tests", self.report())
        self.assertEqual(contents(self.folder)["plug.svg"], draw(plug()))

    def test_those_that_are_shown_are_kept(self):
        self.assertEqual(self.published({"plug": plug(), "cut": plug()}, {"plug.svg"}), ["plug.svg"])
        self.assertIn("draws one of every scenario to `build-tests/evidence/`", self.report())
        # Remarks about a picture are written wherever the picture is kept.
        self.assertEqual(self.report().count("nothing was seen of agent, keeper"), 2)

    def test_no_picture_of_an_earlier_time_stays(self):
        self.published({"plug": plug(), "cut": plug()})
        for other in ("frozen.svg", "mine.svg"):
            with open(os.path.join(self.folder, other), "w", encoding="utf-8") as f:
                f.write("<svg/>")
        publish(self.folder, report.Report([], {}, 1, [], {}, {}), {"plug": plug()}, ["plug", "cut", "frozen"], {"plug.svg", "cut.svg"})
        self.assertEqual(sorted(contents(self.folder)), ["faults.md", "mine.svg", "plug.svg"])

    def test_what_is_shown_is_a_scenario(self):
        shown = {path for path in documents.pictures_shown() if path.startswith(documents.EVIDENCE + "/")}
        self.assertTrue(shown)
        self.assertLessEqual(shown, {f"{documents.EVIDENCE}/{s.name}.svg" for s in ALL})

    def test_what_is_shown_is_kept_and_nothing_else(self):
        kept = {path for path in documents.files() if documents.PICTURE.search(path)}
        self.assertEqual(kept, documents.pictures_shown())


class Documents(unittest.TestCase):
    def test_links(self):
        text = "[a](x.md) ![b](p/y.svg \"a title\"), [![c](z.png)](q.md#here)\n\n[d]: ../r.md\n" \
               '<img src="i.svg"> `[e](code)` <https://e.org> [f](https://e.org/x)\n```\n[g](code)\n```\n[h](#there)\n'
        self.assertEqual([target for _, target in documents.links(text)],
                         ["x.md", "p/y.svg", "z.png", "q.md#here", "../r.md", "i.svg", "#there"])
        self.assertEqual(documents.links(text)[-1], (8, "#there"))

    def test_where_they_lead(self):
        self.assertEqual(documents.target_of("a/b.md", "../c/d.md#e"), ("c/d.md", "e"))
        self.assertEqual(documents.target_of("a/b.md", "#e"), ("a/b.md", "e"))
        self.assertEqual(documents.target_of("b.md", "c/"), ("c", ""))

    def test_anchors(self):
        text = '# What is `it`, then?\n```\n# no heading\n```\n## <a name="x_y"></a>x_y\n'
        self.assertEqual(documents.anchors(text), {"what-is-it-then", "x_y"})

    def test_pictures_that_documents_show(self):
        with tempfile.TemporaryDirectory() as tree:
            subprocess.run(["git", "init", "-q", tree], check=True)
            os.makedirs(f"{tree}/{documents.EVIDENCE}")
            os.mkdir(f"{tree}/docs")
            for path, text in (("docs/a.md", "![x](../tests/evidence/x.svg)"), (f"{documents.EVIDENCE}/faults.md", "![y](y.svg)"),
                               ("ignored.md", "![z](tests/evidence/z.svg)"), (".gitignore", "/ignored.md"),
                               ("b.md", "![gone](tests/evidence/gone.svg) [no picture](docs/a.md)")):
                with open(f"{tree}/{path}", "w", encoding="utf-8") as f:
                    f.write(text)
            self.assertEqual(documents.pictures_shown(tree), {"tests/evidence/x.svg", "tests/evidence/gone.svg"})


if __name__ == "__main__":
    unittest.main()
