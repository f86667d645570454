# SPDX-License-Identifier: Apache-2.0
"""Running commands: their output is passed on, they have a time limit, and Ctrl-C ends them."""

import os
import select
import signal
import subprocess
import sys
import time

from .places import SOURCE

HEARTBEAT_S = 20            # how often a line says that a command still runs …
HEARTBEAT_TERMINAL_S = 1    # … or on a terminal, where the line is overwritten
TIME_TO_CLEAN_UP_S = 120


class Stopped(BaseException):
    """Ctrl-C or another signal has stopped the run."""


def say(text):
    if sys.stdout.isatty():
        text = "\r\033[K" + text
    print(text, flush=True)


def clean_environment(**more):
    """A clean environment: the caller's flags for compilers and settings of libpq or Check must not decide what
    is tested."""
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
            "LC_ALL": "C.UTF-8", **more}


def run(argv, *, limit, show=True, env=None, stop_by=signal.SIGTERM):
    """Runs a command to its end and passes on its output. Returns its exit status, -1 after `limit` seconds, and its lines."""
    began = time.monotonic()
    command = Command(argv, env)
    terminal = sys.stdout.isatty()
    try:
        while command.status is None:
            ready = select.select([command], [], [], HEARTBEAT_TERMINAL_S if terminal else HEARTBEAT_S)[0]
            if not ready:
                heartbeat(argv, time.monotonic() - began, terminal)
            # A process that it left behind may still hold the pipe.
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
    """A command in a session of its own, so that a Ctrl-C reaches this process alone. It passes the signal on once, as
    one after which the command cleans up, and waits until it has."""

    def __init__(self, argv, env):
        self.argv, self.lines, self.rest, self.status = argv, [], b"", None
        self.process = subprocess.Popen(argv, cwd=SOURCE, env=env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        start_new_session=True)

    def fileno(self):
        return self.process.stdout.fileno()

    def read(self, show):
        """Returns False at the end of the output."""
        chunk = os.read(self.fileno(), 1 << 16)
        *full, self.rest = (self.rest + chunk).split(b"\n")
        for line in full:
            self.lines.append(line.decode(errors="replace").rstrip("\r"))
            if show:
                say(self.lines[-1])
        return bool(chunk)


def stop(p, number):
    """Ends the command by force when it does not end by itself."""
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, signal.SIG_IGN)
    try:
        os.killpg(p.pid, number)
        p.communicate(timeout=TIME_TO_CLEAN_UP_S)     # reads on, because a full pipe would block the command
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
