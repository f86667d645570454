#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tenure on three real hosts and a PostgreSQL server, with one fault of each kind.

Called by tests/lab/demo, which makes sure that everything is installed.

Every host has a systemd, a network and a disk of its own. The group's unit is a witness: it records
every 2 ms that it is alive, on the one clock that all hosts share. The figures come from these
records, and from nothing that the product reports: for how long no host ran the unit (gap), and for
how long two hosts did (dual-active).
"""

import argparse
import os
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, HERE)

from lab import PLATFORMS, Lab, LabError, Timeline, clock, wait_for     # noqa: E402
from lab.cluster import Cluster                                         # noqa: E402


class Demo:
    def __init__(self, lab, cluster):
        self.lab, self.cluster, self.timeline = lab, cluster, lab.timeline
        self.table = []

    def fault(self, title, do, after, expect):
        """One fault: cause it, wait for the outcome, measure, and repair it.

        after(leader): waits for the product's reaction. expect: the expected outcome, for the
        table."""
        self.timeline.head(title)
        leader = self.cluster.wait_ready()
        began = clock.now()
        self.timeline.fault(f"{title}: {leader}")
        do(leader)
        after(leader)
        time.sleep(0.3)
        end = clock.now()
        t = self.lab.testimony()
        gap = clock.ms(t.gap(began, t.last_beat()))
        dual = clock.ms(t.dual_active(began, end))
        # The interval of the beats is no gap.
        gap = 0 if gap < 10 else gap
        self.table.append((title, expect, gap, dual))
        self.timeline.note(f"gap {gap:.0f} ms, dual-active {dual:.1f} ms")
        self.repair(leader)
        return dual == 0 and not t.term_faults()

    def repair(self, host):
        if host.cut_how:
            self.timeline.note(f"{host} gets its network back")
            host.heal()
        if not host.up:
            self.timeline.note(f"{host} is powered on again")
            host.boot()
        if host.state("tenured.service") != "active":
            self.timeline.note(f"the agent on {host} is started again")
            host.systemctl("start", "tenured.service")

    def another_leads(self, old):
        new = self.cluster.wait_leader(old)
        self.timeline.note(f"{new} leads now")

    def nothing_happens(self, leader):
        agent = wait_for("another agent", lambda: leader.main_pid("tenured.service"))
        self.timeline.note(f"systemd has started another agent, pid {agent}; waiting for a lease …")
        time.sleep(5)
        if not self.cluster.is_leader(leader):
            raise LabError(f"{leader} has lost the group, though its agent came back in time")

    def anyone(self, _):
        time.sleep(0.3)
        self.timeline.note(f"{self.cluster.wait_leader()} leads now")

    def run(self):
        lease = self.cluster.lease
        ok = [
            self.fault("switchover: the leader's agent is stopped",
                       lambda h: h.systemctl("stop", "tenured.service"), self.another_leads,
                       "units stopped, record released"),
            self.fault("kill -9 of the leader's agent", lambda h: h.kill("tenured.service"),
                       self.nothing_happens, "nothing: the units run on"),
            self.fault("kill -9 of the leader's keeper", lambda h: h.kill(self.cluster.keeper),
                       self.anyone, "units stopped at once, not a lease"),
            self.fault("the leader's plug is pulled", lambda h: h.pull_plug(), self.another_leads,
                       f"the lease ({lease}) expires"),
            self.fault("the leader is cut from the network", lambda h: h.cut(clean=False),
                       self.another_leads, "it stops by itself before others start"),
        ]
        self.cluster.wait_ready()
        return all(ok)

    def summary(self):
        self.timeline.head("what the witness saw")
        print(f"  {'':42} {'gap':>9} {'dual-active':>12}   expected")
        for title, expect, gap, dual in self.table:
            print(f"  {title:42} {gap:6.0f} ms {dual:9.1f} ms   {expect}", flush=True)


def main():
    p = argparse.ArgumentParser(description="tenure on three real hosts.")
    p.add_argument("--keep", action="store_true", help="leave the hosts up")
    p.add_argument("--platform", choices=list(PLATFORMS), default="252",
                   help="systemd of the hosts (default 252, Debian 12)")
    a = p.parse_args()
    timeline = Timeline()
    timeline.head("set-up")
    # It has a name, so that a lab that is kept can be found, and there is only one.
    with Lab(a.platform, name="demo", timeline=timeline) as lab:
        timeline.note("booting three hosts and a database host")
        lab.boot()
        cluster = Cluster(lab).install()
        v = lab.versions()
        timeline.note(f"systemd {v['systemd']}, PostgreSQL {v['postgresql']}, tenure {v['build']}")
        timeline.head("election")
        timeline.restart()
        timeline.watch(lab)
        leader = cluster.start()
        timeline.note(f"elected: {leader}. On it, `systemctl status {cluster.keeper}`:")
        print(leader.systemctl("status", "--no-pager", "-n0", cluster.keeper, check=False).out)
        demo = Demo(lab, cluster)
        ok = demo.run()
        timeline.stop()
        demo.summary()
        print(f"\n  dual-active time {'0 ms in every case' if ok else 'NOT 0: this is a bug'}\n",
              flush=True)
        if a.keep:
            lab.keep = True
            lab.record()
            look_around(lab, cluster)
    return 0 if ok else 1


def look_around(lab, cluster):
    print(f"""The hosts stay up: {', '.join(h.name for h in lab.all_hosts())}.
    sudo tests/lab/enter n1                                a shell on n1
    sudo tests/lab/enter n1 tenurectl status
    sudo tests/lab/enter n1 systemctl status {cluster.keeper}
    sudo tests/lab/enter n1 journalctl -fu tenured
    sudo tests/lab/enter n1 systemctl stop tenured         a switchover
    sudo tests/lab/enter db setpriv --reuid=postgres --regid=postgres --clear-groups psql -c 'table tenure.lease' tenure
    sudo tests/lab/cleanup                                 the end""", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted; everything is taken down")
    except LabError as e:
        sys.exit(f"demo: {e}")
