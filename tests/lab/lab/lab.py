# SPDX-License-Identifier: Apache-2.0
"""The lab: hosts, a database and a network, which are always taken down completely.

    with Lab("252") as lab:
        lab.boot()
        print(lab.n1.sh("systemctl is-system-running"))
"""

import os
import shutil
import signal
import sys
import threading

from . import counters, leftovers, sanitizers
from .build import build as build_product
from .build import build_witness, install
from .database import Database
from .host import Host
from .network import PREFIX, Network
from .platforms import platform as platform_named
from .roots import runtime_root
from .shell import LabError, run
from .timeline import Timeline
from .witness import Testimony

_DISK_SIZE = "4g"
_DATABASE_NUMBER = 2
_SECOND_DATABASE_NUMBER = 3
_FIRST_HOST_NUMBER = 11


def make_lowers(platform, say, product=True, sanitize=False, counted=None):
    """What the hosts of a platform share, made if it is missing: the lower folders of their disks, the uppermost first,
    and the stage."""
    root = runtime_root(platform, say)
    if not product:
        return [root], "none"
    stage = install(platform, counted, say) if counted else build_product(platform, say, sanitize=sanitize)
    return [stage.path, root], stage.build_id


class Lab:
    """hosts: how many run the product. product=False: bare hosts. base: the folder that hosts, but for databases, stand on,
    instead of the platform's. keep: stays up when left.
    sanitize: all of the product is built with sanitizers. counted: the folder where it was built with gcc's
    counters."""

    def __init__(self, platform="252", hosts=3, database=True, product=True, name=None, keep=False,
                 timeline=None, sanitize=False, counted=None, base=None):
        if os.geteuid() != 0:
            raise LabError("the lab needs root")
        self.platform = platform_named(platform)
        self.name = name or f"lab{os.getpid()}"
        if not (self.name.isascii() and self.name.isalnum() and self.name.islower()):
            raise LabError(f"{self.name!r}: a lab's name has small letters and digits")
        self.keep = keep
        self.timeline = timeline or Timeline()
        self.note = self.timeline.note
        self.folder = f"{leftovers.BASE}/{self.name}"
        self.share = f"{self.folder}/share"
        self.frozen = {}            # host -> [(from, to)]: when the lab had it frozen
        self.network = Network(self.name)
        self.hosts, self.db, self.db2 = [], None, None
        self._wanted = [f"n{i + 1}" for i in range(hosts)]
        self._database, self._product, self.sanitize, self.counted = database, product, sanitize, counted
        self._base = base
        self.addresses = {"db": f"{PREFIX}.{_DATABASE_NUMBER}"} if database else {}
        for i, host in enumerate(self._wanted):
            self.addresses[host] = f"{PREFIX}.{_FIRST_HOST_NUMBER + i}"
        self._recording = threading.Lock()
        self._testimonies = {}      # (unit, thread) -> Testimony
        self._old_handlers = {}
        self._ours = False          # until then there is nothing to take down

    # Set-up and take-down

    def __enter__(self):
        self._catch_signals()
        try:
            self._make()
        except BaseException:
            self.keep = False
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, error, trace):
        # A second Ctrl-C must not interrupt the clean-up.
        for s in self._old_handlers:
            signal.signal(s, signal.SIG_IGN)
        try:
            if self._ours and not self.keep:
                self.timeline.stop()
                leftovers.clear(self.name, {h.name: h.marks() for h in self.all_hosts()}
                                or dict.fromkeys([*self._wanted, "db", "db2"]))
                self._reap()
        finally:
            for s, handler in self._old_handlers.items():
                signal.signal(s, handler)
        return False

    def _catch_signals(self):
        """SIGTERM and a lost terminal end the lab as Ctrl-C does: through __exit__."""
        def leave(number, _):
            raise SystemExit(128 + number)
        if threading.current_thread() is threading.main_thread():
            for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                self._old_handlers[s] = signal.getsignal(s)
                if s != signal.SIGINT:
                    signal.signal(s, leave)

    def _reap(self):
        for host in self.all_hosts():
            if host.nspawn is not None:
                host.nspawn.wait(timeout=10)

    def _make(self):
        leftovers.clear_dead(self.note)
        lowers, self.build_id = make_lowers(self.platform, self.note, product=self._product,
                                            sanitize=self.sanitize, counted=self.counted)
        self._lowers = lowers
        witness = build_witness(self.note)
        os.makedirs(leftovers.BASE, exist_ok=True)
        try:
            os.mkdir(self.folder, 0o755)
        except FileExistsError:
            raise LabError(f"there is a lab {self.name} already: if it was kept, tests/lab/cleanup "
                           "takes it down") from None
        self._ours = True
        self.record()
        run(["mount", "-t", "tmpfs", "-o", f"size={_DISK_SIZE},mode=755", "tenure-lab", self.folder])
        os.makedirs(f"{self.share}/beats")
        os.chmod(f"{self.share}/beats", 0o1777)
        shutil.copy(witness, f"{self.share}/witness")
        self.network.create()
        if self._database:
            self.db = Database(self, "db", _DATABASE_NUMBER, lowers)
        for i, name in enumerate(self._wanted):
            host = Host(self, name, _FIRST_HOST_NUMBER + i, [self._base] if self._base else lowers)
            self.hosts.append(host)
            setattr(self, name, host)
            if self.sanitize:
                sanitizers.prepare(host)
            if self.counted:
                counters.prepare(host, self.counted)

    def databases(self):
        return [db for db in (self.db, self.db2) if db]

    def second_database(self):
        """Another database host, booted; its PostgreSQL does not run."""
        self.db2 = Database(self, "db2", _SECOND_DATABASE_NUMBER, self._lowers, start=False)
        self.record()
        return self.db2.boot()

    def record(self):
        with self._recording:        # threads boot and stop hosts at the same time
            self._record()

    def _record(self):
        leftovers.record(self.folder, self.name, self.keep,
                         {**dict.fromkeys([*self._wanted, "db", "db2"]),
                          **{h.name: h.marks() for h in self.all_hosts()}})

    # Contents

    def all_hosts(self):
        return self.databases() + self.hosts

    def __getitem__(self, name):
        for host in self.all_hosts():
            if host.name == name:
                return host
        raise KeyError(name)

    def boot(self, *hosts):
        """Boot these hosts, or all, side by side."""
        hosts = hosts or [h for h in self.all_hosts() if not h.up]
        for host in hosts:
            host.boot(wait=False)
        # The database boots first, because it takes longest.
        for host in sorted(hosts, key=lambda h: h is self.db):
            host.boot_done()
        return self

    def testimony(self, unit="worker.service"):
        """What the witnesses of a unit have written on all hosts up to now. Only new records are read: after an hour all
        of them would take seconds to read, and callers need the last moment. (Threads do not share a Testimony.)"""
        key = unit, threading.get_ident()
        if key not in self._testimonies:
            self._testimonies[key] = Testimony(f"{self.share}/beats", unit)
            self._testimonies[key].frozen = self.frozen
        return self._testimonies[key].read()

    def versions(self):
        """The versions that run here, from the hosts themselves."""
        first = self.hosts[0]
        return {"systemd": first.sh("systemctl --version").split()[1],
                "postgresql": self.db.server_version() if self.db and self.db.up else "none",
                "build": self.build_id}
