# SPDX-License-Identifier: Apache-2.0
"""Frama-C/WP: the contracts of budget.acsl.h, for the shipped budget.c."""

import os
import re

from .proof import Piece, Property
from .tools import BUILD, ToolFailed, in_root, names_in

CONTRACTS = "tests/proof/budget.acsl.h"
CLAUSE = re.compile(r"(?:ensures|lemma) (\w+):")
GOAL = re.compile(r"^\[wp\] \[([^\]]+)\] Goal typed_(\w+?) : (\w+)", re.M)
SMOKE = re.compile(r"^\[wp\] \[(\w+)\] Smoke-test typed_(\w+)", re.M)
TOTAL = re.compile(r"^\[wp\] Proved goals: +(\d+) / (\d+)", re.M)
PROVER = "cvc4"
SECONDS, SMOKE_SECONDS = "10", "1"


def run(folder="agent"):
    """What Frama-C said, and the seconds it took."""
    if not os.path.exists(f"{BUILD}/why3.conf"):
        status, said, _ = in_root("bookworm", ["why3", "config", "detect"])
        if status != 0:
            raise ToolFailed(f"why3 config detect: exit status {status}\n{said}")
    status, said, seconds = in_root("bookworm", [
        "frama-c", f"-cpp-extra-args=-Iagent -include {CONTRACTS}".replace("-Iagent", f"-I{folder}"),
        f"{folder}/base/budget.c", "-wp", "-wp-rte", "-warn-unsigned-overflow", "-warn-unsigned-downcast",
        "-wp-smoke-tests", "-wp-smoke-timeout", SMOKE_SECONDS, "-wp-prover", PROVER, "-wp-timeout", SECONDS,
        "-wp-par", "2", "-wp-cache", "none"])
    if status != 0 or not TOTAL.search(said):
        raise ToolFailed(f"frama-c: exit status {status}\n{said[-2000:]}")
    return said, seconds


class BudgetProof:
    name, about = "budget", "the budget, in unbounded integers"
    parts = [("budget", [])]

    def __init__(self):
        names = names_in(CONTRACTS, CLAUSE)
        self.properties = {n.replace("_", "-"): Property(n.replace("_", "-")) for n in names}
        self.code = Property("budget-no-undefined-behaviour-no-wrap")
        self.frame = Property("budget-changes-nothing-else")
        self.loop = Property("budget-loop-ends")
        self.assertions = Property("budget-assertions-hold")

    def all_properties(self):
        return [*self.properties.values(), self.code, self.frame, self.loop, self.assertions]

    def pieces(self):
        return [Piece("budget: all of it", "prove", self.prove)]

    def property_of(self, goal):
        """Goals are named by function, kind and label."""
        for name, p in self.properties.items():
            if re.search(rf"(ensures|lemma)_{name.replace('-', '_')}(_\d+)?(_part\d+)?$", goal):
                return p
        if "_assert_rte_" in goal:
            return self.code
        if "_assigns" in goal or "_terminates" in goal:
            return self.frame
        if "_loop_" in goal:
            return self.loop
        return self.assertions

    def prove(self):
        said, seconds = run()
        for _, goal, verdict in GOAL.findall(said):
            p = self.property_of(goal)
            p.proven(seconds)
            if verdict != "Valid":
                p.broken.append(f"{goal}: {verdict}")
        smoke = SMOKE.findall(said)
        for verdict, goal in smoke:
            if verdict != "Passed":
                self.assertions.broken.append(f"a contradiction: {goal}")
        proven, goals = TOTAL.search(said).groups()
        if proven != goals:
            self.assertions.broken.append(f"{proven} of {goals} goals proven")
        for line in re.findall(r"^\[[\w:-]+\] (?:User )?(?:Warning|Error).*$", said, re.M):
            self.assertions.broken.append(line)
        # No contract and no path of the code contradicts itself: each was looked at.
        for p in self.all_properties():
            p.happens = [f"{len(smoke)} smoke tests"] if smoke else []
        return seconds

    def judge(self):
        pass

    def refuted(self, folder, *_):
        said, seconds = run(f"/build/{folder}")
        return {self.property_of(goal).name for _, goal, verdict in GOAL.findall(said) if verdict != "Valid"}, seconds
