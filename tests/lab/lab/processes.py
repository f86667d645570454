# SPDX-License-Identifier: Apache-2.0
"""Identifies processes: a pid can be reused, a pid with its start time cannot."""

import os


PF_EXITING = 4      # include/linux/sched.h


def _stat(pid):
    """The fields of /proc/PID/stat from the state on (see proc(5)), or None without such a process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields


def start_time(pid):
    """When the process was started (clock ticks since boot), or None without such a process."""
    fields = _stat(pid)
    return fields and int(fields[19])


def mark(pid):
    """A mark of the process that can be stored and checked later."""
    return [pid, start_time(pid)]


def lives(marked):
    """Whether the process of an earlier mark() still exists."""
    pid, started = marked
    return started is not None and start_time(pid) == started


def goes_on(marked):
    """Whether the process exists and is not exiting. The PID 1 of a host that restarts itself is exiting before the kernel
    has ended the host's other processes."""
    pid, started = marked
    fields = _stat(pid)
    return fields is not None and int(fields[19]) == started and not int(fields[6]) & PF_EXITING


def alive(pid):
    return os.path.isdir(f"/proc/{pid}") and start_time(pid) is not None
