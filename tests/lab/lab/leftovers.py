# SPDX-License-Identifier: Apache-2.0
"""What a lab leaves when its process is killed, and how the next one clears it away.

Every lab writes a note about itself below /run/tenure-lab. Only things with a lab's name are
cleared, and only processes that are in a lab's own cgroups, or whose pid and start time are in its
note.
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
    """hosts: {host: mark of its nspawn or None}. The note is replaced as a whole, never half written."""
    path = f"{lab_folder}.json"
    with open(path + ".new", "w", encoding="utf-8") as f:
        json.dump({"name": name, "owner": processes.mark(os.getpid()), "kept": kept, "hosts": hosts}, f)
    os.rename(path + ".new", path)


def labs():
    """The notes of all labs that exist."""
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
    """Clears labs whose process is gone; kept=True: also those that were kept on purpose; only: no lab
    but the one with this name."""
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
    """Takes down everything of a lab in any state, and goes on when a step fails."""
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
    """Kills systemd-nspawn itself, in case it is outside its cgroup."""
    if marked and processes.lives(marked):
        with open(f"/proc/{marked[0]}/cmdline", "rb") as f:
            if b"systemd-nspawn" in f.read():
                os.kill(marked[0], signal.SIGKILL)


def _mounts_below(folder):
    with open("/proc/self/mounts", encoding="utf-8", errors="replace") as f:
        points = [line.split()[1] for line in f]
    return [p for p in points if p == folder or p.startswith(folder + "/")]


__all__ = ["ABOVE", "BASE", "clear", "clear_dead", "labs", "record"]
