# SPDX-License-Identifier: Apache-2.0
"""Formulas over whole numbers and reals, and asking CVC4 whether they can be true."""

import copy
import itertools
import os

from .tools import BUILD, ToolFailed, in_root


class Term:
    """A formula or a number. == makes a formula."""

    def __init__(self, text):
        self.text = text

    def _op(self, op, other):
        return Term(f"({op} {self.text} {lift(other).text})")

    def __add__(self, other):
        return self._op("+", other)

    def __sub__(self, other):
        return self._op("-", other)

    def __rmul__(self, number):
        return lift(number)._op("*", self)

    def __lt__(self, other):
        return self._op("<", other)

    def __le__(self, other):
        return self._op("<=", other)

    def __gt__(self, other):
        return self._op(">", other)

    def __ge__(self, other):
        return self._op(">=", other)

    def __eq__(self, other):
        return self._op("=", other)

    def __ne__(self, other):
        return ~(self == other)

    def __and__(self, other):
        return self._op("and", other)

    def __or__(self, other):
        return self._op("or", other)

    def __invert__(self):
        return Term(f"(not {self.text})")

    def __bool__(self):
        raise TypeError("a formula is neither true nor false; use &, |, ~, implies() and choose()")

    __hash__ = None


def lift(value):
    if isinstance(value, Term):
        return value
    if isinstance(value, bool):
        return Term("true" if value else "false")
    return Term(str(value))


TRUE, FALSE = lift(True), lift(False)


def apply(function, argument):
    return Term(f"({function} {argument.text})")


def every(formulas):
    return Term(f"(and true {' '.join(f.text for f in formulas)})")


def implies(when, then):
    return when._op("=>", then)


def choose(condition, yes, no):
    return Term(f"(ite {condition.text} {lift(yes).text} {lift(no).text})")


class Things:
    """A record of terms, or of others of its kind. later(): a copy, to change."""

    def __init__(self, **fields):
        self.__dict__.update(fields)

    def later(self, **changes):
        new = copy.copy(self)
        for name, value in vars(new).items():
            if isinstance(value, Things):
                setattr(new, name, value.later())
        new.__dict__.update({name: value if isinstance(value, Things) else lift(value)
                             for name, value in changes.items()})
        return new


def if_so(condition, yes, no):
    """The one or the other of two Things of a kind."""
    return Things(**{name: if_so(condition, value, getattr(no, name)) if isinstance(value, Things)
                     else choose(condition, value, getattr(no, name)) for name, value in vars(yes).items()})


class Names:
    """Values that may be anything."""

    def __init__(self):
        self.lines, self.numbers = [], itertools.count(1)

    def any(self, sort, word="any"):
        name = f"{word}!{next(self.numbers)}"
        self.lines.append(f"(declare-const {name} {sort})")
        return Term(name)

    def things(self, kind, word=""):
        """kind: {name: sort or kind}."""
        return Things(**{name: self.things(sort, f"{word}{name}.") if isinstance(sort, dict)
                         else self.any(sort, word + name) for name, sort in kind.items()})


def ask(script, questions, file):
    """script: declarations and what holds in all of them. questions: [(lines, formulas)]. Returns, for each, whether
    it can be true, and the seconds all took."""
    lines = ["(set-logic QF_UFLIRA)", *script]
    for declared, formulas in questions:
        lines += ["(push 1)", *declared, *(f"(assert {f.text})" for f in formulas), "(check-sat)", "(pop 1)"]
    os.makedirs(BUILD, exist_ok=True)
    with open(f"{BUILD}/{file}", "w", encoding="utf-8") as f:
        f.write("\n".join([*lines, ""]))
    status, said, seconds = in_root("bookworm", ["cvc4", "--lang=smt2", "--incremental", f"/build/{file}"])
    answers = said.split()
    if status != 0 or len(answers) != len(questions) or set(answers) - {"sat", "unsat"}:
        raise ToolFailed(f"cvc4 {file}: exit status {status}, {len(answers)} answers of {len(questions)}\n{said[-2000:]}")
    return [a == "sat" for a in answers], seconds
