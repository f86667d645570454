# SPDX-License-Identifier: Apache-2.0
"""What was proven and what was refuted, as Markdown."""

import os
import time

from lab.build import described

from .tools import SOURCE


def write(path, proofs, results, seconds):
    text = "\n".join([*_head(seconds), *(line for p in proofs for line in _proof(p)), *_mutants(results), ""])
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def _head(seconds):
    return ["# Proofs", "", "Written by `tests/proof/run --mutants`; what it means, and what it rests on, is said in "
            "[tests/proof/README.md](../proof/README.md).", "",
            f"Revision {described(SOURCE)}, {time.strftime('%Y-%m-%d', time.gmtime())}; {seconds / 60:.0f} minutes on "
            f"{os.cpu_count()} processors that had other work, too.", ""]


def _proof(proof):
    yield f"## {proof.name}: {proof.about}"
    yield ""
    yield "| property | longest proof | not vacuous |"
    yield "|---|--:|---|"
    for p in proof.all_properties():
        yield f"| `{p.name}` | {p.seconds:.0f} s | {', '.join(p.happens) or 'of all the code'} |"
    yield ""


def _mutants(results):
    yield f"## {len(results)} deliberate breaks"
    yield ""
    yield "| break | in | refuted |"
    yield "|---|---|---|"
    for m, why, _, seconds in results:
        yield f"| {m.name} | `{m.place}` | {why}; {seconds:.0f} s |"
