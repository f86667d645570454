# SPDX-License-Identifier: Apache-2.0
"""A host: systemd as PID 1, with a network and a disk of its own, and faults of its own."""

import os
import secrets
import shlex
import signal
import socket
import subprocess

from . import clock, processes, witness
from .cgroups import Cgroup
from .shell import LabError, run, wait_for

BOOT_TIMEOUT = 30
DOWN_TIMEOUT = 60
_REEXEC_TIMEOUT = 5
_CONNECTION_LOST = ("Connection reset", "Connection terminated", "Connection refused",
                    "Transport endpoint", "Connection timed out", "Broken pipe")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# In an unprivileged host, root is this user of the machine; the others count from there.
_PRIVATE_USERS = 0x7A000000
# Folders that a host's PID 1 mounts itself; the rest of the disk can be written from outside as well.
_NOT_ON_DISK = ("/run/", "/tmp/", "/dev/", "/proc/", "/sys/", "/lab/")


class Host:
    """The lab makes a host powered off. Its disk survives reboots and pulled plugs."""

    def __init__(self, lab, name, number, lowers):
        self.lab, self.name = lab, name
        self.lowers = lowers
        self.cgroup = Cgroup(lab.name, name)
        self.address = lab.network.attach(name, number)
        self.netns = lab.network.namespace(name)
        self.folder = f"{lab.folder}/hosts/{name}"
        self.root = f"{self.folder}/root"
        self.nspawn = None          # the running host: Popen of systemd-nspawn
        self.leader = None          # the pid of its PID 1 on this machine
        self.boots = 0
        self.private = False        # it has users of its own, and no privileges beyond them
        self.frozen_at = None
        self.cut_how = None
        self._make_disk()

    def __repr__(self):
        return self.name

    # The disk

    def _make_disk(self):
        for part in ("upper", "work", "root"):
            os.makedirs(f"{self.folder}/{part}")
        self._mount_disk()
        self.write_file("/etc/hostname", f"{self.name}\n")
        self.write_file("/etc/machine-id", f"{secrets.token_hex(16)}\n")
        names = "".join(f"{a} {n}\n" for n, a in self.lab.addresses.items())
        self.write_file("/etc/hosts", f"127.0.0.1 localhost\n{names}")
        self._after_install()

    def _mount_disk(self, more=""):
        run(["mount", "-t", "overlay", f"tenure-lab-{self.name}", "-o",
             f"lowerdir={':'.join(self.lowers)},upperdir={self.folder}/upper,"
             f"workdir={self.folder}/work{more}", self.root])

    def make_unprivileged(self):
        """From the next boot on, permanently: a container whose root has no privileges outside, and which may not even read the
        rate of its clock (adjtimex). Its disk belongs to its own users then: nothing can be written to it from outside."""
        run(["umount", self.root])
        # All files change their owner, which must not copy them.
        self._mount_disk(",metacopy=on")
        # The host's root must be able to go on writing the files that it wrote for the lab.
        beats = f"{self.lab.share}/beats"
        for name in os.listdir(beats):
            if name.startswith(f"{self.name}."):
                os.chown(f"{beats}/{name}", _PRIVATE_USERS, _PRIVATE_USERS)
        self.private = True

    def _container(self):
        """The command that boots it, without the paths."""
        namespace = f"/run/netns/{self.netns}"
        if self.private:
            # Its users could not join the network namespace, so nspawn joins it before it changes users.
            return ["nsenter", f"--net={namespace}", "systemd-nspawn", f"--private-users={_PRIVATE_USERS}:65536",
                    "--private-users-ownership=chown"]
        # As on a real host, programs may lock memory, read the clock's rate (but not set it), and change addresses of the
        # host's network namespace.
        return ["systemd-nspawn", f"--network-namespace-path={namespace}",
                "--capability=CAP_IPC_LOCK,CAP_NET_ADMIN", "--system-call-filter=adjtimex clock_adjtime"]

    def _after_install(self):
        """What the installation of a package does after it has copied the files. The rest is done at boot."""
        run(["systemd-sysusers", f"--root={self.root}"])

    def write_file(self, path, text, mode=0o644, owner=None):
        """owner: a user of the host."""
        if path.startswith(_NOT_ON_DISK):
            self.run("sh", "-c", 'mkdir -p "$(dirname "$1")"; cat >"$1"', "sh", path, stdin=text)
            self.run("chmod", f"{mode:o}", path)
        else:
            where = self.root + path
            os.makedirs(os.path.dirname(where), exist_ok=True)
            # The file is replaced, not rewritten: no process in the host ever reads half of it.
            with open(where + ".new", "w", encoding="utf-8") as f:
                f.write(text)
            os.chmod(where + ".new", mode)
            os.rename(where + ".new", where)
        if owner:
            run(["chroot", self.root, "chown", owner, path]) if not path.startswith(_NOT_ON_DISK) \
                else self.run("chown", owner, path)

    def read_file(self, path):
        return self.run("cat", path).out

    def is_frozen(self, pid):
        """Whether a process is stopped by a signal. False for a process that is gone."""
        return "State:\tT" in self.run("cat", f"/proc/{pid}/status", check=False).out

    def exists(self, path):
        return self.run("test", "-e", path, check=False).ok

    # Boot and power

    @property
    def up(self):
        return self.nspawn is not None and self.nspawn.poll() is None and self.leader is not None

    def boot(self, wait=True):
        """Powers the host on. wait=False: only starts it; boot_done() waits."""
        if self.nspawn is not None:
            raise LabError(f"{self.name} is powered on already")
        self.cgroup.remove()
        self.cgroup.create()
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        path = f"{self.folder}/notify"
        if os.path.exists(path):
            os.unlink(path)
        self._notify.bind(path)
        self.booted_at = clock.now()
        self.boots += 1
        # The shell moves itself before it becomes nspawn: no other cgroup is ever touched.
        move = "".join(f"echo $$ >{d}/cgroup.procs; " for d in self.cgroup.dirs)
        argv = [*self._container(), "--quiet", "--boot", f"--directory={self.root}",
                "--register=no", "--keep-unit", "--console=pipe", "--notify-ready=yes",
                f"--machine=tenure-{self.lab.name}-{self.name}", f"--hostname={self.name}",
                f"--bind={self.lab.share}:/lab", "--link-journal=no", "--resolv-conf=off",
                "--timezone=off",
                *([f"--bind={self.lab.counted}"] if self.lab.counted else [])]
        with open(f"{self.folder}/console", "ab") as console:
            self.nspawn = subprocess.Popen(
                ["sh", "-c", f"set -e; {move}exec {shlex.join(argv)}"],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
                env={"PATH": _PATH, "NOTIFY_SOCKET": path, "LC_ALL": "C.UTF-8",
                     "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})
        self.lab.record()
        if wait:
            self.boot_done()
        return self

    def boot_done(self):
        """Waits until PID 1 has started everything that is enabled."""
        end = clock.now() + BOOT_TIMEOUT * clock.SECOND
        ready = False
        while not ready:
            if self.nspawn.poll() is not None:
                raise self._trouble(f"{self.name} died while it booted")
            if clock.now() > end:
                raise self._trouble(f"{self.name} is not up after {BOOT_TIMEOUT} s")
            self._notify.settimeout(0.2)
            try:
                lines = self._notify.recv(4096).decode(errors="replace").splitlines()
            except TimeoutError:
                continue
            for line in lines:
                if line.startswith("X_NSPAWN_LEADER_PID="):
                    self.leader = int(line.partition("=")[2])
                ready = ready or line == "READY=1"
        self._notify.close()
        if self.leader is None:
            raise self._trouble(f"{self.name}: systemd-nspawn did not say which process is PID 1")
        self.boot_ms = clock.ms(clock.now() - self.booted_at)
        self.lab.record()

    def power_off(self, wait=True):
        """An orderly shutdown, as by the power button."""
        if not self.up:
            raise LabError(f"{self.name} is not powered on")
        # SIGRTMIN+4 is PID 1's poweroff.target.
        os.kill(self.leader, signal.SIGRTMIN + 4)
        if wait:
            self.wait_down()

    def wait_down(self, timeout=DOWN_TIMEOUT):
        try:
            self.nspawn.wait(timeout=timeout)
        except subprocess.TimeoutExpired:
            raise self._trouble(f"{self.name} has not shut down after {timeout} s") from None
        self._is_down()

    def pull_plug(self):
        """Kills all processes of the host at once."""
        if self.nspawn is None:
            return
        self.cgroup.kill()
        try:
            self.nspawn.wait(timeout=10)
        except subprocess.TimeoutExpired:
            raise LabError(f"systemd-nspawn of {self.name} does not die") from None
        self._is_down()

    def reboot(self, wait=True):
        """An orderly reboot: comes up with whatever is enabled."""
        self.run("systemctl", "--no-block", "reboot", check=False)
        self.wait_down()
        self.boot(wait=wait)

    def _is_down(self):
        if self.frozen_at is not None:
            self._note_thaw()
        self.nspawn = self.leader = None
        self.cgroup.remove()
        self.lab.record()

    # Freeze and cut

    def freeze(self):
        """Freezes the whole host, PID 1 included, like a paused virtual machine."""
        self.cgroup.freeze()
        self.frozen_at = clock.now()
        self.lab.frozen.setdefault(self.name, []).append((self.frozen_at, witness.NEVER))

    def thaw(self):
        self._note_thaw()
        self.cgroup.thaw()

    def _note_thaw(self):
        if self.frozen_at is not None:
            self.lab.frozen[self.name][-1] = (self.frozen_at, clock.now())
        self.frozen_at = None

    def cut(self, clean=True):
        """Cuts the host from the network. clean: the link goes down. Otherwise packets silently vanish."""
        (self.lab.network.cut_clean if clean else self.lab.network.cut_half_open)(self.name)
        self.cut_how = "clean" if clean else "half open"

    def cut_one_way(self, direction):
        """Packets from the host ("from") vanish, or those to it ("to")."""
        self.lab.network.cut_one_way(self.name, direction)
        self.cut_how = direction

    def heal(self):
        self.lab.network.heal(self.name)
        self.cut_how = None

    def has_link(self):
        """Whether the host itself sees a link."""
        return "LOWER_UP" in self.sh("ip -o link show host0")

    # Commands

    def argv(self, *command):
        if not self.up:
            raise LabError(f"{self.name} is not powered on")
        users = ["-U"] if self.private else []
        return ["nsenter", "-t", str(self.leader), *users, "-m", "-u", "-i", "-n", "-p", "--", "env", "-i",
                f"PATH={_PATH}", "HOME=/root", "LC_ALL=C.UTF-8", "SYSTEMD_PAGER=", *map(str, command)]

    def run(self, *command, check=True, timeout=15, stdin=None):
        """Run a command in the host, as root. Returns a Result with code, out and err."""
        return run(self.argv(*command), check=check, timeout=timeout, stdin=stdin, cwd="/")

    def sh(self, script, check=True, timeout=15):
        """Run a line of shell and return what it printed."""
        return self.run("sh", "-c", script, check=check, timeout=timeout).out.strip()

    def systemctl(self, *arguments, check=True, timeout=30):
        return self.run("systemctl", *arguments, check=check, timeout=timeout)

    def property(self, unit, name):
        """A property of a unit, as `systemctl show` prints it. The request is repeated while PID 1 is
        re-executing itself."""
        argv = ["systemctl", "show", "--value", "-p", name, "--", unit]
        end = clock.now() + _REEXEC_TIMEOUT * clock.SECOND
        r = self.run(*argv, check=False)
        while not r.ok and clock.now() < end and any(w in r.err for w in _CONNECTION_LOST):
            r = self.run(*argv, check=False)
        return (r if r.ok else self.run(*argv)).out.strip()

    def state(self, unit):
        """active, inactive, failed, activating, deactivating …"""
        return self.property(unit, "ActiveState")

    def main_pid(self, unit):
        """The pid in the host; 0 when it does not run."""
        return int(self.property(unit, "MainPID") or 0)

    def kill(self, what, sig="KILL", everyone=False):
        """Send a signal to a unit's main process, to all its processes, or to a pid of the host.

        The signal goes straight to the process, without PID 1. Returns the time just before."""
        if everyone:
            cgroup = self.property(what, "ControlGroup")
            pids = self.sh(f"cat /sys/fs/cgroup{cgroup}/cgroup.procs").split()
        else:
            pid = what if isinstance(what, int) else self.main_pid(what)
            pids = [pid] if pid else []
        if not pids:
            raise LabError(f"{self.name}: {what} has no process to send SIG{sig} to")
        at = clock.now()
        # When all processes are meant, some may end with their parent before they get the signal.
        self.run("kill", f"-{sig}", *pids, check=not everyone)
        return at

    def pids(self, unit):
        """The pids in the host of all processes of a unit."""
        cgroup = self.property(unit, "ControlGroup")
        if not cgroup:
            return []
        return sorted(int(p) for p in self.sh(
            f"cat $(find /sys/fs/cgroup{cgroup} -name cgroup.procs) 2>/dev/null", check=False).split())

    def system_state(self):
        """What `systemctl is-system-running` says: running, degraded, starting …"""
        return self.run("systemctl", "is-system-running", check=False).out.strip()

    def journal(self, unit=None, lines=200, output="short-monotonic", boot=True):
        """The journal (of one unit or several), also of a host that is off."""
        args = ["journalctl", "-q", "--no-pager", "-o", output, "-n", str(lines)]
        for u in [unit] if isinstance(unit, str) else unit or ():
            args += ["-u", u]
        if self.up and self.frozen_at is None:
            args += ["-b"] if boot else []
            return self.run(*args, check=False, timeout=20).out
        return run([*args, "-D", f"{self.root}/var/log/journal"], check=False, timeout=20).out

    def _trouble(self, what):
        """An error with the last lines of the host's console."""
        said = [f"{what}. Its console:"]
        try:
            with open(f"{self.folder}/console", encoding="utf-8", errors="replace") as f:
                said += ["    " + line.rstrip() for line in f.readlines()[-15:]]
            said.append("Its journal:")
            said += ["    " + line for line in self.journal(lines=40).splitlines()]
        except (OSError, LabError):
            pass
        return LabError("\n".join(said))

    def marks(self):
        """For the note by which a later run can clean up after this one."""
        return processes.mark(self.nspawn.pid) if self.nspawn else None

    def wait_for(self, what, condition, timeout=10.0, every=0.02):
        try:
            return wait_for(f"{self.name}: {what}", condition, timeout=timeout, every=every)
        except LabError as e:
            raise self._trouble(str(e)) from None
