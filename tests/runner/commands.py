# SPDX-License-Identifier: Apache-2.0
"""Running commands: what they say is passed on, all of them have a limit, and Ctrl-C takes them down."""

import os
import select
import signal
import subprocess
import sys
import time

from .places import SOURCE

HEARTBEAT_S = 20            # so often is said that something goes on …
HEARTBEAT_TERMINAL_S = 1    # … or on a terminal, in a line that is written over
TIME_TO_CLEAN_UP_S = 120


class Stopped(BaseException):
    """Ctrl-C or the like."""


def say(text):
    if sys.stdout.isatty():
        text = "\r\033[K" + text
    print(text, flush=True)


def clean_environment(**more):
    """Nothing of the caller's: neither flags for compilers nor settings of libpq or Check decide what
    is tested."""
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
            "LC_ALL": "C.UTF-8", **more}


def run(argv, *, limit, show=True, env=None, stop_by=signal.SIGTERM):
    """Run a command to its end and pass on what it says. Returns its exit status, -1 after so many seconds, and its lines."""
    began = time.monotonic()
    command = Command(argv, env)
    terminal = sys.stdout.isatty()
    try:
        while command.status is None:
            ready = select.select([command], [], [], HEARTBEAT_TERMINAL_S if terminal else HEARTBEAT_S)[0]
            if not ready:
                heartbeat(argv, time.monotonic() - began, terminal)
            # Something it left behind may hold the pipe.
            if not command.read(show) if ready else command.process.poll() is not None:
                command.status = command.process.wait()
            if time.monotonic() - began > limit and command.status is None:
                say(f"not done after {limit} s: {' '.join(argv)}")
                stop(command.process, stop_by)
                command.status = -1
        return command.status, command.lines
    except BaseException:
        if command.status is None:
            stop(command.process, stop_by)
        raise


def heartbeat(argv, seconds, terminal):
    if terminal:
        sys.stdout.write(f"\r\033[K… {os.path.basename(argv[0])}: {seconds:.0f} s")
        sys.stdout.flush()
    else:
        say(f"    … {seconds:.0f} s")


class Command:
    """In a session of its own, so that a Ctrl-C reaches us alone: we hand it on once, as the signal
    that the command cleans up after, and wait until it has."""

    def __init__(self, argv, env):
        self.argv, self.lines, self.rest, self.status = argv, [], b"", None
        self.process = subprocess.Popen(argv, cwd=SOURCE, env=env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        start_new_session=True)

    def fileno(self):
        return self.process.stdout.fileno()

    def read(self, show):
        """False at the end."""
        chunk = os.read(self.fileno(), 1 << 16)
        *full, self.rest = (self.rest + chunk).split(b"\n")
        for line in full:
            self.lines.append(line.decode(errors="replace").rstrip("\r"))
            if show:
                say(self.lines[-1])
        return bool(chunk)


def stop(p, number):
    """By force when it does not end by itself."""
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, signal.SIG_IGN)
    try:
        os.killpg(p.pid, number)
        p.communicate(timeout=TIME_TO_CLEAN_UP_S)     # reads on: a full pipe would hold it up
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        p.wait()
    except ProcessLookupError:
        p.wait()
    catch_signals()


def catch_signals():
    def leave(number, _):
        raise Stopped(number)
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, leave)
