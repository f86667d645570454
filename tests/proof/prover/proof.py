# SPDX-License-Identifier: Apache-2.0
"""What a proof is to those who run it, whichever tool it is by."""


class Property:
    """A statement with a name. It stands when it was proven wherever it was asked, and says something: what
    it speaks of can happen."""

    def __init__(self, name):
        self.name, self.asked, self.broken, self.happens = name, 0, [], []
        self.must_happen = True
        self.seconds = 0.0

    def proven(self, seconds, times=1):
        self.asked += times
        self.seconds = max(self.seconds, seconds)

    def fault(self):
        """Why it does not stand; None: it does."""
        if self.broken:
            return "not proven: " + "; ".join(self.broken)
        if not self.asked:
            return "it was not asked"
        if self.must_happen and not self.happens:
            return "vacuous: what it speaks of cannot happen"
        return None

    def __str__(self):
        happens = f"; can happen: {', '.join(self.happens)}" if self.happens else ""
        return f"{self.name} ({self.seconds:.1f} s{happens})"


class Piece:
    """A run of a tool. question: "prove", or "reach": can it happen? done: of the results it brought."""

    def __init__(self, name, question, run):
        self.name, self.question, self.run = name, question, run
