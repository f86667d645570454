# SPDX-License-Identifier: Apache-2.0
"""The Markdown documents of this repository: what they link to, and which pictures of the lab they show."""

import os
import posixpath
import re

from .build import SOURCE
from .shell import run

EVIDENCE = "tests/evidence"
PICTURE = re.compile(r"\.(svg|png)$")

_CODE = re.compile(r"`[^`]*`")
_FENCE = re.compile(r"\s*(```|~~~)")
# [text](target), ![text](target "title"), [name]: target, <img src="target">.
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)|^\s{0,3}\[[^\]]+\]:\s*<?([^\s>]+)|\b(?:src|href)=\"([^\"]+)\"")
_HEADING = re.compile(r"#{1,6}\s+(.*?)\s*#*$")
_ANCHOR = re.compile(r"<a\s+(?:name|id)=\"([^\"]+)\"")


def files(*patterns, source=SOURCE):
    """Every file that is or could be committed: new ones, too, but none that is ignored."""
    # safe.directory: root often runs this in another user's tree.
    r = run(["git", "-c", f"safe.directory={source}", "-C", source, "ls-files", "-z", "--cached", "--others",
             "--exclude-standard", "--", *patterns])
    return [f for f in dict.fromkeys(r.out.split("\0")) if f and os.path.isfile(os.path.join(source, f))]


def read(path, source=SOURCE):
    with open(os.path.join(source, path), encoding="utf-8") as f:
        return f.read()


def _prose(text):
    """(line number, line) of what is not code."""
    fenced = False
    for n, line in enumerate(text.splitlines(), 1):
        if _FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            yield n, line


def links(text):
    """[(line number, target)] of links to files of this repository, as they are written."""
    found = [(n, next(filter(None, m.groups()))) for n, line in _prose(text) for m in _LINK.finditer(_CODE.sub("", line))]
    return [(n, target) for n, target in found if not re.match(r"[a-z][a-z0-9+.-]*:", target)]


def target_of(document, target):
    """(path, anchor) of a link, from the top of the repository; a document's own path for "#anchor"."""
    path, _, anchor = target.partition("#")
    return posixpath.normpath(posixpath.join(posixpath.dirname(document), path)) if path else document, anchor


def anchors(text):
    """The anchors of a document: its headings, as forges name them, and named elements."""
    headings = (m[1] for m in (_HEADING.match(line) for _, line in _prose(text)) if m)
    names = {re.sub(r"[^\w\- ]", "", re.sub(r"<[^>]*>", "", h).lower()).replace(" ", "-") for h in headings}
    return names | {m[1] for m in _ANCHOR.finditer(text)}


def pictures_shown(source=SOURCE):
    """Paths of pictures that a document shows. The lab's own reports do not count, as they show every picture that exists."""
    return {target_of(document, target)[0]
            for document in files("*.md", source=source) if not document.startswith(EVIDENCE + "/")
            for _, target in links(read(document, source)) if PICTURE.search(target)}
