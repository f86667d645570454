# SPDX-License-Identifier: Apache-2.0
"""The matrix of scenarios, methods and platforms, and which of its cells a run has."""

import collections

from .cluster import METHODS
from .platforms import PLATFORMS
from .shell import run

KINDS = tuple((method, platform) for platform in PLATFORMS for method in METHODS)
# Of a tree that cannot say how many commits it has.
FIXED_CHOICE = 0

Cell = collections.namedtuple("Cell", "scenario method platform")     # by names


def every(scenarios, methods=METHODS, platforms=tuple(PLATFORMS)):
    """All cells of these scenarios, those of one lab one after the other."""
    return [Cell(s.name, m, p) for m, p in KINDS if m in methods and p in platforms for s in scenarios]


def choice(scenarios, number):
    """One cell of each scenario. Of four numbers in a row each cell comes with one; which kind a scenario has depends on
    its place, so that each run has about as many cells of each kind."""
    return sorted((Cell(s.name, *KINDS[(i + number) % len(KINDS)]) for i, s in enumerate(scenarios)),
                  key=lambda c: KINDS.index(c[1:]))


def number_of_commit(source):
    """How many commits the tree has that is checked out; FIXED_CHOICE without git or with a part of the history only."""
    # safe.directory: root often looks at a tree that belongs to somebody else.
    git = ["git", "-c", f"safe.directory={source}", "-C", source]
    shallow = run([*git, "rev-parse", "--is-shallow-repository"], check=False)
    count = run([*git, "rev-list", "--count", "HEAD"], check=False)
    if not shallow.ok or shallow.out.strip() != "false" or not count.ok:
        return FIXED_CHOICE
    return int(count.out)
