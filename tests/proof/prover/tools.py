# SPDX-License-Identifier: Apache-2.0
"""Where the provers are, and running them: each in a root file system of the release of Debian that has it."""

import os
import subprocess
import sys
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__)))))
sys.path.insert(0, os.path.join(SOURCE, "tests", "lab"))

from lab.roots import find_proof_root                                   # noqa: E402

BUILD = os.path.join(os.environ.get("TENURE_BUILD", os.path.join(SOURCE, "build-tests")), "proof")
REMEDY = "run tests/setup --proof"
LIMIT_S = 1800
# In a mount namespace of its own: nothing of it is seen from outside, or left behind.
_ENTER = ('mount --bind "$2" "$1/src" && mount --bind "$3" "$1/build" && mount --rbind /dev "$1/dev" && '
          'root=$1 && shift 3 && exec chroot "$root" env -i -C /src '
          'PATH=/usr/bin:/bin HOME=/build LC_ALL=C.UTF-8 WHY3CONFIG=/build/why3.conf "$@"')


class ToolFailed(Exception):
    """A prover is missing, or could not do what it was asked to."""


def in_root(suite, argv, limit=LIMIT_S):
    """Runs a command in the root of a release, the sources at /src, BUILD at /build. Returns its exit status,
    what it said, and how long it took."""
    if os.geteuid() != 0:
        raise ToolFailed("needs root, to enter the provers' root file systems: sudo tests/proof/run")
    root = find_proof_root(suite)
    if root is None:
        raise ToolFailed(f"the provers of Debian {suite} are not there: {REMEDY}")
    if not os.path.exists(f"{root}/usr/bin/{argv[0]}"):
        raise ToolFailed(f"there is no {argv[0]} in {root}: remove it, and {REMEDY}")
    for folder in (f"{root}/src", f"{root}/build", BUILD):
        os.makedirs(folder, exist_ok=True)
    began = time.monotonic()
    try:
        p = subprocess.run(["unshare", "--mount", "--propagation", "private", "sh", "-c", _ENTER, "sh", root,
                            SOURCE, BUILD, *argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, errors="replace", timeout=limit, check=False)
    except subprocess.TimeoutExpired as e:
        raise ToolFailed(f"not done after {limit} s: {' '.join(argv)}") from e
    except FileNotFoundError as e:
        raise ToolFailed(f"there is no {e.filename}: run tests/setup") from e
    return p.returncode, p.stdout, time.monotonic() - began


def names_in(path, pattern):
    """Every name that the pattern finds in a file of the sources, once, in order."""
    with open(os.path.join(SOURCE, path), encoding="utf-8") as f:
        return list(dict.fromkeys(pattern.findall(f.read())))
