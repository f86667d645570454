# SPDX-License-Identifier: Apache-2.0
"""The matrix of scenarios, methods and platforms, and which of its cells a run has."""

import collections

from .cluster import METHODS
from .platforms import PLATFORMS
from .shell import run

KINDS = tuple((method, platform) for platform in PLATFORMS for method in METHODS)
# For a tree without a number of commits.
FIXED_CHOICE = 0

Cell = collections.namedtuple("Cell", "scenario method platform")     # by names


def every(scenarios, methods=METHODS, platforms=tuple(PLATFORMS)):
    """All cells of these scenarios, ordered by lab."""
    return [Cell(s.name, m, p) for m, p in KINDS if m in methods and p in platforms for s in scenarios]


def choice(scenarios, number):
    """One cell of each scenario. Four consecutive numbers choose every cell once. The kind of a scenario's cell depends on
    its place in the list, so that each run has about as many cells of each kind."""
    return sorted((Cell(s.name, *KINDS[(i + number) % len(KINDS)]) for i, s in enumerate(scenarios)),
                  key=lambda c: KINDS.index(c[1:]))


def number_of_commit(source):
    """The number of commits of the tree that is checked out; FIXED_CHOICE without git or with a part of the history only."""
    # safe.directory: root often runs this in another user's tree.
    git = ["git", "-c", f"safe.directory={source}", "-C", source]
    shallow = run([*git, "rev-parse", "--is-shallow-repository"], check=False)
    count = run([*git, "rev-list", "--count", "HEAD"], check=False)
    if not shallow.ok or shallow.out.strip() != "false" or not count.ok:
        return FIXED_CHOICE
    return int(count.out)
