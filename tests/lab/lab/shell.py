# SPDX-License-Identifier: Apache-2.0
"""Running commands and waiting: everything has a time limit, and its error names what it waited for."""

import subprocess
import time


class LabError(Exception):
    """The lab itself failed."""


class Result:
    """What a command printed and how it ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def ok(self):
        return self.code == 0

    def __repr__(self):
        return f"Result(code={self.code}, out={self.out!r}, err={self.err!r})"


def run(argv, *, timeout=30, check=True, stdin=None, env=None, cwd=None):
    """Runs a command to its end. check: a failure is a LabError with the command's output."""
    argv = [str(a) for a in argv]
    try:
        p = subprocess.run(argv, timeout=timeout, input=stdin, env=env, cwd=cwd, text=True,
                           errors="replace", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           stdin=None if stdin is not None else subprocess.DEVNULL)
    except subprocess.TimeoutExpired as e:
        raise LabError(f"not done after {timeout} s: {' '.join(argv)}") from e
    except FileNotFoundError as e:
        raise LabError(f"{argv[0]} is not installed: run tests/setup") from e
    if check and p.returncode != 0:
        said = "\n".join((p.stdout + p.stderr).strip().splitlines()[-30:])
        raise LabError(f"exit status {p.returncode}: {' '.join(argv)}\n{said}")
    return Result(p.returncode, p.stdout, p.stderr)


def wait_for(what, condition, *, timeout=10.0, every=0.02, seen=lambda: ""):
    """Waits until condition() is true and returns its value. If it never is, the error names `what`, and the
    result of seen()."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            instead = seen()
            raise LabError(f"waited {timeout:g} s for: {what}" + (f"; {instead}" if instead else ""))
        time.sleep(every)
