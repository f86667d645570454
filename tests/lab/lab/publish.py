# SPDX-License-Identifier: Apache-2.0
"""What tests/lab/evidence found, as files."""

import os

from .picture import draw


def publish(folder, report, stories, names, shown=None):
    """Writes faults.md, and a picture of each of stories ({scenario's name: Story}) that is one of shown (names of
    files), None: of all. names: of every scenario that there is."""
    os.makedirs(folder, exist_ok=True)
    drawn = {f"{name}.svg": story for name, story in stories.items() if shown is None or f"{name}.svg" in shown}
    for file, story in drawn.items():
        _write(os.path.join(folder, file), draw(story))
    # No picture of an earlier time beside figures of this one.
    for old in {f"{name}.svg" for name in names} - set(drawn):
        if os.path.exists(os.path.join(folder, old)):
            os.unlink(os.path.join(folder, old))
    _write(os.path.join(folder, "faults.md"), report.markdown(drawn))


def _write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
