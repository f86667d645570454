# SPDX-License-Identifier: Apache-2.0
"""What a lab leaves when its process is killed, and how the next one clears it away.

Every lab writes down who it is below /run/tenure-lab. Cleared are only things that bear a lab's
name, and only processes that a lab put into its own cgroups or that are, by pid and start time,
the very ones it wrote down.
"""

import json
import os
import shutil
import signal

from . import processes
from .cgroups import ABOVE, Cgroup
from .network import Network
from .shell import LabError, run

BASE = "/run/tenure-lab"


def record(lab_folder, name, kept, hosts):
    """hosts: {host: mark of its nspawn or None}. Replaced as a whole, never half written."""
    path = f"{lab_folder}.json"
    with open(path + ".new", "w", encoding="utf-8") as f:
        json.dump({"name": name, "owner": processes.mark(os.getpid()), "kept": kept, "hosts": hosts}, f)
    os.rename(path + ".new", path)


def labs():
    """The records of all labs there are."""
    found = []
    for entry in sorted(os.listdir(BASE)) if os.path.isdir(BASE) else []:
        if entry.endswith(".json"):
            try:
                with open(f"{BASE}/{entry}", encoding="utf-8") as f:
                    found.append(json.load(f))
            except (OSError, ValueError):
                continue
    return found


def clear_dead(say=print, kept=False, only=None):
    """Clear labs whose process is gone; kept=True: also those that were left up on purpose; only:
    none but the one of this name."""
    cleared = 0
    for lab in labs():
        if processes.lives(lab["owner"]) or (lab["kept"] and not kept) \
                or only not in (None, lab["name"]):
            continue
        say(f"clearing away lab {lab['name']}, which an earlier run left")
        clear(lab["name"], lab["hosts"])
        cleared += 1
    return cleared


def clear(name, hosts):
    """Take down everything of a lab, whatever state it is in. Goes on when a step fails."""
    troubles = []
    for host, marked in hosts.items():
        for step in (lambda h=host: Cgroup(name, h).kill(),
                     lambda m=marked: _kill(m),
                     lambda h=host: Cgroup(name, h).remove()):
            try:
                step()
            except (OSError, LabError) as e:
                troubles.append(str(e))
    folder = f"{BASE}/{name}"
    for mount in reversed(_mounts_below(folder)):
        if not run(["umount", mount], check=False).ok:
            run(["umount", "-l", mount], check=False)
    try:
        Network(name).remove()
    except LabError as e:
        troubles.append(str(e))
    if not _mounts_below(folder):
        shutil.rmtree(folder, ignore_errors=True)
        for path in (f"{folder}.json", f"{folder}.json.new"):
            if os.path.exists(path):
                os.unlink(path)
        try:
            os.rmdir(BASE)
        except OSError:
            pass            # other labs
    else:
        troubles.append(f"mounts left below {folder}")
    if troubles:
        raise LabError(f"lab {name} is not cleared away altogether:\n" + "\n".join(troubles))


def _kill(marked):
    """systemd-nspawn itself, should it be outside its cgroup."""
    if marked and processes.lives(marked):
        with open(f"/proc/{marked[0]}/cmdline", "rb") as f:
            if b"systemd-nspawn" in f.read():
                os.kill(marked[0], signal.SIGKILL)


def _mounts_below(folder):
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as f:
        points = [line.split()[1] for line in f]
    return [p for p in points if p == folder or p.startswith(folder + "/")]


__all__ = ["ABOVE", "BASE", "clear", "clear_dead", "labs", "record"]
