# SPDX-License-Identifier: Apache-2.0
"""Writes the findings of tests/lab/evidence to files."""

import os

from .picture import draw


def publish(folder, report, stories, names, shown=None):
    """Writes faults.md, and a picture of each story ({scenario's name: Story}) whose file is in shown (None: of all).
    names: of all scenarios that exist."""
    os.makedirs(folder, exist_ok=True)
    drawn = {f"{name}.svg": story for name, story in stories.items() if shown is None or f"{name}.svg" in shown}
    for file, story in drawn.items():
        _write(os.path.join(folder, file), draw(story))
    # No old picture may stay beside new figures.
    for old in {f"{name}.svg" for name in names} - set(drawn):
        if os.path.exists(os.path.join(folder, old)):
            os.unlink(os.path.join(folder, old))
    _write(os.path.join(folder, "faults.md"), report.markdown(drawn))


def _write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
