# SPDX-License-Identifier: Apache-2.0
"""Units whose run is over long before the term is."""

from lab.scenario import scenario

from .addresses import stands_by_again
from .units import service, units_of_group

JOB = "job.service"
FILES = {JOB: service("/bin/true", "Type=oneshot", "ExecStop=/bin/true", "ExecStopPost=/bin/true"),
         "by-hand.service": service("/bin/sleep infinity", "ExecStop=/bin/true", "ExecStopPost=/bin/true")}


def is_over(host, unit):
    """It has run, and does not any more."""
    return host.property(unit, "ActiveState") == "inactive" and host.property(unit, "InvocationID")


@scenario("a job finishes, a unit is stopped by hand, PID 1 reloads its files: the record is released at once")
def units_end_in_mid_term(t):
    """A daemon-reload has PID 1 forget how their commands went; the agent does not, nor the one that follows it."""
    with units_of_group(t, FILES, fence="reboot"):
        boots = [h.boots for h in t.hosts]
        for again in (False, True):
            old = t.leader
            t.until("the job is over", lambda o=old: is_over(o, JOB))
            old.systemctl("stop", "by-hand.service")
            t.check("all are over", all(is_over(old, unit) for unit in FILES))
            t.stays("the unit runs on", lambda o=old: o.state(t.unit) == "active", seconds=0.5)
            if again:
                old.systemctl("restart", "tenured.service")
                t.until("it leads on", lambda o=old: t.cluster.status(o).get("role") == "leader")
            t.fault(f"daemon-reload on {old}", lambda o=old: o.systemctl("daemon-reload"))
            t.effect("PID 1 has forgotten how the stop went", lambda o=old: "code=(null)" in o.property(JOB, "ExecStopPost"))
            t.until("its guards are known", lambda o=old: "guards" not in t.cluster.status(o).get("reason", ""))
            t.stop_agent(old)
            t.leader = t.next_leader()
            t.gap_at_most(1000)
            t.check("it was given back", t.said(old, "tenured.service", "is given back"))
            t.check("nobody is alarmed", not t.said(old, "tenured.service", "", "alert"))
            stands_by_again(t, old)
        t.check("no host has restarted", boots == [h.boots for h in t.hosts] and all(h.up for h in t.hosts))
