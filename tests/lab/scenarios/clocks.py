# SPDX-License-Identifier: Apache-2.0
"""Wall clocks step by an hour, differently on each host. No decision depends on them."""

import contextlib
import os
import shutil
import struct
import time

from lab import clock
from lab.build import build_wallclock
from lab.scenario import scenario

LIBRARY = "/lab/wallclock.so"
UNITS = ["tenured.service", "tenure@.service"]
WALL, RAW = range(2)        # indices into the file, see wallclock.c


def settings(host):
    return {"LD_PRELOAD": LIBRARY, "WALLCLOCK_FILE": f"/lab/wallclock.{host}"}


def step(t, host, seconds, which=WALL):
    path = f"{t.lab.share}/wallclock.{host}"
    # The file is written in place, because the processes have it mapped.
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    os.pwrite(fd, struct.pack("=q", int(seconds * clock.SECOND)), 8 * which)
    os.close(fd)


@contextlib.contextmanager
def clocks_of_their_own(t):
    """PostgreSQL, agents and keepers get clocks of their own, process by process. The machine's clock is never set."""
    shutil.copy(build_wallclock(t.note), f"{t.lab.share}/wallclock.so")
    for host in (t.db, *t.hosts):
        step(t, host, 0)
        step(t, host, 0, RAW)
    environment = f"/etc/postgresql/{t.db.version}/main/environment"
    t.db.write_file(environment, "".join(f"{k} = '{v}'\n" for k, v in settings(t.db).items()))
    t.db.restart()
    for host in (*t.standbys, t.leader):
        for unit in UNITS:
            host.write_file(f"/etc/systemd/system/{unit}.d/clock.conf", "[Service]\n" + "".join(
                f"Environment={k}={v}\n" for k, v in settings(host).items()))
        host.systemctl("daemon-reload")
        host.systemctl("restart", "tenured.service")
    t.leader.systemctl("stop", t.keeper)        # so that the next one has a clock of its own, too
    t.leader = t.cluster.wait_ready()
    yield
    for host in t.hosts:
        host.sh("rm -r " + " ".join(f"/etc/systemd/system/{u}.d/clock.conf" for u in UNITS))
        host.systemctl("daemon-reload")
        host.systemctl("restart", "tenured.service")
    t.db.write_file(environment, "")
    t.db.restart()


def fakes(host, unit):
    return LIBRARY in host.read_file(f"/proc/{host.main_pid(unit)}/maps")


@scenario("the wall clocks of database, agents and keeper step by an hour, in different directions")
def wall_clocks_step(t):
    with clocks_of_their_own(t):
        old = t.leader
        t.check("agents and keeper have clocks of their own", fakes(old, t.keeper)
                and all(fakes(h, "tenured.service") for h in t.hosts))

        def step_all(sign):
            for i, host in enumerate([t.db, *t.hosts]):
                step(t, host, sign * 3600 * (1 if i % 2 else -1))

        def hours(sign):
            """The offsets of the database and of processes with an agent's clock: agent and keeper report no wall clock."""
            off = [float(t.db.psql("select extract(epoch from clock_timestamp())")) - time.time()]
            off += [float(h.run("env", *(f"{k}={v}" for k, v in settings(h).items()), "date", "+%s").out)
                    - time.time() for h in t.hosts]
            return all(abs(seconds - sign * 3600 * (1 if i % 2 else -1)) < 60
                       for i, seconds in enumerate(off))
        t.fault("an hour forward here, an hour back there", lambda: step_all(1))
        t.effect("each has a different hour", lambda: hours(1))
        t.undisturbed(seconds=t.lease_ms / 1000)
        t.gap_at_most(0)
        t.fault("the same in the other direction", lambda: step_all(-1))
        t.effect("each has a different hour", lambda: hours(-1))
        t.undisturbed(seconds=t.lease_ms / 1000)
        t.gap_at_most(0)

        t.fault(f"the plug of {old} is pulled", old.pull_plug)
        t.effect("it is off", lambda: not old.up)
        t.leader = t.next_leader()
        t.timeline.fault("back to the right time, within a term")
        step_all(0)
        t.gap_at_most(t.lease_ms + 2000)
        old.boot()
        t.cluster.wait_ready()
