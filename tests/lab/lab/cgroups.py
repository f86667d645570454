# SPDX-License-Identifier: Apache-2.0
"""Each host gets cgroups of its own, by which the lab freezes it, kills it and limits it.

Two kinds of machine: cgroup v2 alone, and "hybrid" (v2 in unified/, systemd's own v1 hierarchy and
the v1 controllers beside it). In a hybrid one a host must have a folder in each hierarchy that
systemd uses, or all hosts would share one tree and destroy each other's.
"""

import os
import time

from .shell import LabError, wait_for

MOUNT = "/sys/fs/cgroup"
ABOVE = "tenure-lab"            # everything of the lab is below this folder
PIDS_MAX = 2000                 # a fork bomb in a host must not take the machine down


def _hybrid():
    return not os.path.exists(f"{MOUNT}/cgroup.controllers")


def _write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def _oom_kills(lines):
    return int(next(line.split()[1] for line in lines if line.startswith("oom_kill ")))


class Cgroup:
    """The cgroups of one host, by the lab's and the host's name."""

    def __init__(self, lab, host):
        self.lab, self.host = lab, host
        if _hybrid():
            tops = [f"{MOUNT}/unified", f"{MOUNT}/systemd", f"{MOUNT}/pids", f"{MOUNT}/memory"]
            self.tops = [t for t in tops if os.path.isdir(t)]
        else:
            self.tops = [MOUNT]
        if not os.path.exists(f"{self.tops[0]}/cgroup.procs"):
            raise LabError("the lab needs cgroup v2, mounted on /sys/fs/cgroup or its unified/")

    @property
    def dirs(self):
        return [f"{t}/{ABOVE}/{self.lab}/{self.host}" for t in self.tops]

    @property
    def v2(self):
        return self.dirs[0]

    def create(self):
        for top, path in zip(self.tops, self.dirs):
            os.makedirs(path, exist_ok=True)
            if top == MOUNT:
                for above in (top, f"{top}/{ABOVE}", f"{top}/{ABOVE}/{self.lab}"):
                    try:
                        _write(f"{above}/cgroup.subtree_control", "+pids +memory")
                    except OSError:
                        pass    # then there is no limit, as on a machine without the controllers
            if os.path.exists(f"{path}/pids.max"):
                _write(f"{path}/pids.max", str(PIDS_MAX))

    def exists(self):
        return os.path.isdir(self.v2)

    def populated(self):
        return "populated 1" in self._events()

    def _events(self):
        try:
            with open(f"{self.v2}/cgroup.events", encoding="ascii") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def kill(self):
        """Kills everything in the host at once, so that no process sees the others die."""
        try:
            _write(f"{self.v2}/cgroup.kill", "1")
        except FileNotFoundError:
            return
        # On some kernels a killed process stays frozen until it is thawed.
        try:
            _write(f"{self.v2}/cgroup.freeze", "0")
        except FileNotFoundError:
            return
        wait_for(f"all of {self.host} to be dead", lambda: not self.populated(), every=0.002)

    def freeze(self):
        _write(f"{self.v2}/cgroup.freeze", "1")
        wait_for(f"{self.host} to be frozen", lambda: "frozen 1" in self._events(), every=0.001)

    def thaw(self):
        _write(f"{self.v2}/cgroup.freeze", "0")

    # Memory, of the host as a whole

    def _memory(self, v1, v2):
        for path in (f"{d}/{name}" for d in self.dirs for name in (v1, v2)):
            if os.path.exists(path):
                return path
        raise LabError("the lab needs the memory controller, of cgroup v1 or v2")

    def limit_memory(self, size):
        """In bytes; None: no limit. Swap counts as memory where the kernel can limit both together."""
        unlimited = "-1" if "limit_in" in self._memory("memory.limit_in_bytes", "memory.max") else "max"
        files = [self._memory("memory.limit_in_bytes", "memory.max")]
        for d in self.dirs:
            files += [f for f in (f"{d}/memory.memsw.limit_in_bytes",) if os.path.exists(f)]
        # The limit with swap is never the lower one.
        for file in files if size is not None else reversed(files):
            _write(file, unlimited if size is None else str(size))

    def out_of_memory_kills(self):
        """How many processes of the host the kernel has killed for want of memory."""
        with open(self._memory("memory.oom_control", "memory.events"), encoding="ascii") as f:
            return _oom_kills(f)

    # Memory, of one process alone: nothing else in the host stalls for want of it

    def _of_v1(self):
        return next((d for d in self.dirs if os.path.exists(f"{d}/memory.limit_in_bytes")), None)

    def can_starve_one(self):
        """Only with cgroup v1: in v2 a process has one cgroup, which is systemd's."""
        return self._of_v1() is not None

    def starve(self, pid):
        """Leaves a process, by its pid in the host, no memory beyond what it has: the kernel kills it when it
        next asks for more. Returns the folder, for starved() and feed()."""
        memory = self._of_v1()
        folder = f"{memory}/starved-{pid}"
        os.makedirs(folder)
        # The memory that the process has stays charged to the host. This cgroup begins with none, and gets none.
        _write(f"{folder}/cgroup.procs", str(self._outside(memory, pid)))
        _write(f"{folder}/memory.limit_in_bytes", "0")
        return folder

    @staticmethod
    def starved(folder):
        """Whether the kernel has killed the process in that folder for want of memory."""
        with open(f"{folder}/memory.oom_control", encoding="ascii") as f:
            return _oom_kills(f) > 0

    @staticmethod
    def feed(folder):
        """Ends the limit, whether the process was killed or not."""
        _write(f"{folder}/memory.limit_in_bytes", "-1")
        with open(f"{folder}/cgroup.procs", encoding="ascii") as f:
            left = f.read().split()
        for pid in left:
            try:
                _write(f"{os.path.dirname(folder)}/cgroup.procs", pid)
            except ProcessLookupError:
                pass        # it ended meanwhile
        wait_for(f"{folder} to be gone", lambda: not Cgroup._remove_tree(folder))

    @staticmethod
    def _outside(folder, pid):
        """The pid on the machine of a process that has this pid in the host."""
        with open(f"{folder}/cgroup.procs", encoding="ascii") as f:
            candidates = f.read().split()
        for outside in candidates:
            try:
                with open(f"/proc/{outside}/status", encoding="ascii", errors="replace") as f:
                    numbers = next((line.split()[1:] for line in f if line.startswith("NSpid:")), [])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if len(numbers) == 2 and int(numbers[1]) == pid:
                return int(outside)
        raise LabError(f"no process {pid} in {folder}")

    def remove(self):
        """The folder must be gone before its name is used again: a killed cgroup kills what enters it."""
        for path in self.dirs:
            for _ in range(200):
                left = self._remove_tree(path)
                if not left:
                    break
                time.sleep(0.01)
            else:
                raise LabError(f"cgroup {path} cannot be removed")
            for above in (os.path.dirname(path), os.path.dirname(os.path.dirname(path))):
                try:
                    os.rmdir(above)
                except OSError:
                    pass        # another host's, or another lab's

    @staticmethod
    def _remove_tree(path):
        for folder, _, _ in os.walk(path, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                pass
        return os.path.isdir(path)
