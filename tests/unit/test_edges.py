#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The picture of the election in documents and comments is the one that the program prints from its table: test_edges.py
PROGRAM FILE…"""

import re
import subprocess
import sys

program, *files = sys.argv[1:]
picture = [line.rstrip() for line in subprocess.run([program, "--edges"], check=True, capture_output=True,
                                                     text=True).stdout.splitlines()]
EDGE = re.compile(r"^(\w+ +| +)--> \w+  ")


def shown(path):
    """Lines that look like an edge, without what makes them a part of a comment."""
    with open(path, encoding="utf-8") as f:
        lines = [line.rstrip() for line in f]
    if path.endswith(".h"):
        lines = [line.removeprefix(" *     ") for line in lines]
    return [line for line in lines if EDGE.match(line)]


wrong = [path for path in files if shown(path) != picture]
for path in wrong:
    print(f"{path}: does not show what {program} --edges prints:", *picture, sep="\n")
print(f"edges: {len(picture)}, {len(files)} files, {len(wrong)} faults")
sys.exit(1 if wrong or not picture or not files else 0)
