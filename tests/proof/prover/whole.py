# SPDX-License-Identifier: Apache-2.0
"""The whole: the statement of tests/proof/whole.py, a question for each step and each part of its invariant."""

import re

import whole

from .proof import Piece, Property
from .smt import Names, Things, ask, every
from .tools import ToolFailed

# What may stand for a guard without being proven here.
ASSUMED = re.compile(r"assumption [1-4]|daemon [1-5]|arbiter")
AT_ONCE = "one-host-at-a-time"
BEGINS = "together-from-the-beginning"
RESTS = "together-by-what-is-proven"


def holds(w):
    return [part(w, h) for part in whole.INVARIANT.values() for h in (w.a, w.b)]


def broken(name, w):
    part = whole.INVARIANT[name]
    return ~every([part(w, w.a), part(w, w.b)])


def some_broken(w):
    return ~every(holds(w))


def step_from_anywhere(f, breaks=None):
    names = Names()
    s = whole.Step(whole.any_world(names), names, breaks)
    f(s)
    return s


def after_each(s):
    """Can it break this part, or that?"""
    return [(s.names.lines, [*holds(s.w), *s.holds, broken(name, s.n)]) for name in whole.INVARIANT]


def after_all(s):
    """Can it happen? Can it break any part? That no is a no for each is quicker than to ask each."""
    before = [*holds(s.w), *s.holds]
    return [(s.names.lines, before), (s.names.lines, [*before, some_broken(s.n)])]


def name_of(f):
    return "together-" + f.__name__.replace("_", "-")


class WholeProof:
    name, about = "whole", "all of them together: one host at a time"

    def __init__(self, others):
        """others: the proofs whose properties it rests on."""
        self.proven = {p.name for proof in others for p in proof.all_properties()}
        names = [AT_ONCE, BEGINS, *map(name_of, whole.STEPS.values()), *whole.RUNS, RESTS]
        self.properties = {name: Property(name) for name in names}
        self.sources, self.seconds = set(), {}

    def all_properties(self):
        return list(self.properties.values())

    def pieces(self):
        return [Piece("whole: begin", "prove", self.prove_begin), Piece("whole: runs", "reach", self.reach_runs),
                *(Piece(f"whole: {group}", "prove", lambda g=group, f=steps: self.prove_steps(g, f))
                  for group, steps in whole.GROUPS.items())]

    def ask(self, what, questions):
        answers, self.seconds[what] = ask(whole.DECLARED, questions, f"whole-{what}.smt2")
        return answers

    def note(self, what, name, can_happen, failed, how="from within the invariant"):
        p = self.properties[name]
        p.proven(self.seconds[what])
        p.broken += failed
        p.happens += [how] if can_happen else []

    def prove_begin(self):
        names = Names()
        w = whole.any_world(names)
        begun = [whole.begins(w, h) for h in (w.a, w.b)]
        can, fails, runs, both = self.ask("begin", [(names.lines, formulas) for formulas in (
            begun, [*begun, some_broken(w)], [*holds(w), w.a.run.active], [*holds(w), ~whole.one_at_a_time(w)])])
        self.note("begin", BEGINS, can, ["it is not within the invariant"] if fails else [], "the beginning")
        self.note("begin", AT_ONCE, runs, ["two run within the invariant"] if both else [])
        return self.seconds["begin"]

    def prove_steps(self, group, steps):
        made = [step_from_anywhere(f) for f in steps]
        answers = self.ask(group, [q for s in made for q in after_all(s)])
        for f, s, can, fails in zip(steps, made, answers[::2], answers[1::2]):
            parts = []
            if fails:
                each = self.ask(f"{group}-each", after_each(s))
                parts = [f"it breaks {name}" for name, breaks in zip(whole.INVARIANT, each) if breaks]
            self.note(group, name_of(f), can, parts)
            self.sources.update(name for listed in s.sources for name in listed.split(", "))
        return self.seconds[group]

    def reach_runs(self):
        asked = []
        for turns in whole.RUNS.values():
            names = Names()
            first = w = whole.any_world(names)
            formulas = [whole.begins(w, h) for h in (w.a, w.b)]
            for who, steps in turns:
                for step in steps.split():
                    s = whole.Step(w if who == "a" else Things(now=w.now, row=w.row, a=w.b, b=w.a), names)
                    whole.STEPS[step](s)
                    formulas += s.holds
                    w = s.n if who == "a" else Things(now=s.n.now, row=s.n.row, a=s.n.b, b=s.n.a)
            asked.append((names.lines, [*formulas, w.b.run.active, first.now == 0]))
        for name, can in zip(whole.RUNS, self.ask("runs", asked)):
            self.note("runs", name, can, [] if can else ["there is no such run"], "from the beginning")
        return self.seconds["runs"]

    def judge(self):
        """A guard is as good as what stands for it."""
        p = self.properties[RESTS]
        missing = {name for name in self.sources if name not in self.proven and not ASSUMED.fullmatch(name)}
        p.asked, p.happens = len(self.sources), sorted(self.sources - missing)
        p.broken = [f"nothing stands for {name}" for name in sorted(missing)]

    def broken_by(self, name):
        """What of the invariant no longer holds with a guard broken, and the seconds it took."""
        made = [step_from_anywhere(f, name) for f in whole.STEPS.values()]
        each = [after_each(s) for s in made if name in s.breaks]
        if not each:
            raise ToolFailed(f"tests/proof/whole.py has no guard with the break {name}")
        answers = self.ask(f"break-{name}", [q for qs in each for q in qs])
        parts = list(whole.INVARIANT) * len(each)
        return {part for part, fails in zip(parts, answers) if fails}, self.seconds[f"break-{name}"]
