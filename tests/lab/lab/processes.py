# SPDX-License-Identifier: Apache-2.0
"""Telling processes apart: a pid alone is reused, a pid with its start time is not."""

import os


PF_EXITING = 4      # include/linux/sched.h


def _stat(pid):
    """Of proc(5), from the state on, or None when there is none."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields


def start_time(pid):
    """When the process was started (clock ticks since boot), or None when there is none."""
    fields = _stat(pid)
    return fields and int(fields[19])


def mark(pid):
    """A mark of the process that can be written down and checked later."""
    return [pid, start_time(pid)]


def lives(marked):
    """Whether the very process of an earlier mark() is still there."""
    pid, started = marked
    return started is not None and start_time(pid) == started


def goes_on(marked):
    """It is there, and the kernel is not about to end it. Of the PID 1 of a host that ends with its restart, before the
    kernel has ended all else that ran there."""
    pid, started = marked
    fields = _stat(pid)
    return fields is not None and int(fields[19]) == started and not int(fields[6]) & PF_EXITING


def alive(pid):
    return os.path.isdir(f"/proc/{pid}") and start_time(pid) is not None
