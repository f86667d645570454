# SPDX-License-Identifier: Apache-2.0
"""Units that end long before their term does."""

from lab.scenario import scenario

from .addresses import start_standby
from .units import service, units_of_group

JOB = "job.service"
FILES = {JOB: service("/bin/true", "Type=oneshot", "ExecStop=/bin/true", "ExecStopPost=/bin/true"),
         "by-hand.service": service("/bin/sleep infinity", "ExecStop=/bin/true", "ExecStopPost=/bin/true")}


def is_over(host, unit):
    """Whether the unit has run and ended."""
    return host.property(unit, "ActiveState") == "inactive" and host.property(unit, "InvocationID")


@scenario("a job finishes, a unit is stopped by hand, PID 1 reloads its files: the record is released at once")
def units_end_in_mid_term(t):
    """A daemon-reload makes PID 1 forget the results of stop commands; neither the agent nor the next agent forgets them."""
    with units_of_group(t, FILES, fence="reboot"):
        boots = [h.boots for h in t.hosts]
        for again in (False, True):
            old = t.leader
            t.until("the job has ended", lambda o=old: is_over(o, JOB))
            old.systemctl("stop", "by-hand.service")
            t.check("all have ended", all(is_over(old, unit) for unit in FILES))
            t.stays("the unit runs on", lambda o=old: o.state(t.unit) == "active", seconds=0.5)
            if again:
                old.systemctl("restart", "tenured.service")
                t.until("it leads on", lambda o=old: t.cluster.status(o).get("role") == "leader")
            t.fault(f"daemon-reload on {old}", lambda o=old: o.systemctl("daemon-reload"))
            t.effect("PID 1 has forgotten the results of the stop", lambda o=old: "code=(null)" in o.property(JOB, "ExecStopPost"))
            t.until("its guards are known", lambda o=old: "guards" not in t.cluster.status(o).get("reason", ""))
            t.stop_agent(old)
            t.leader = t.next_leader()
            t.gap_at_most(1000)
            t.check("it was given back", t.said(old, "tenured.service", "is given back"))
            t.check("nobody is alarmed", not t.said(old, "tenured.service", "", "alert"))
            start_standby(t, old)
        t.check("no host has restarted", boots == [h.boots for h in t.hosts] and all(h.up for h in t.hosts))
