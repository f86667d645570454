# SPDX-License-Identifier: Apache-2.0
"""The agent stops, dies or hangs, and comes back or not."""

from lab.scenario import scenario


@scenario("the leader's agent is stopped: a switchover")
def switchover(t):
    old = t.leader
    t.stop_agent(old)
    t.check("keeper and unit are stopped",
            old.state(t.keeper) == "inactive" and old.state(t.unit) == "inactive")
    t.next_leader()
    t.gap_at_most(1000)


@scenario("the agent is killed and restarted: the term goes on undisturbed")
def agent_killed(t):
    old, term = t.leader, t.cluster.term(t.leader)
    agent, keeper = old.main_pid("tenured.service"), old.main_pid(t.keeper)
    t.fault(f"kill -9 of the agent on {old}", lambda: old.kill("tenured.service"))
    t.effect("another agent runs", lambda: old.main_pid("tenured.service") not in (0, agent))
    t.undisturbed(seconds=2 * t.lease_ms / 1000)
    t.check("the keeper is the same", old.main_pid(t.keeper) == keeper)
    t.check("the lease was adopted, in the same term", t.cluster.term(old) == term)
    t.gap_at_most(0)


@scenario("the agent is restarted: the term goes on undisturbed")
def agent_restarted(t):
    old, term = t.leader, t.cluster.term(t.leader)
    agent, keeper = old.main_pid("tenured.service"), old.main_pid(t.keeper)
    t.fault(f"systemctl restart tenured on {old}",
            lambda: old.systemctl("restart", "tenured.service"))
    t.effect("another agent runs", lambda: old.main_pid("tenured.service") not in (0, agent))
    t.undisturbed(seconds=2 * t.lease_ms / 1000)
    t.check("the keeper is the same", old.main_pid(t.keeper) == keeper)
    t.check("the lease was adopted, in the same term", t.cluster.term(old) == term)
    t.gap_at_most(0)


@scenario("the agent is killed and never comes back")
def agent_gone(t):
    old = t.leader
    old.run("mv", "/usr/sbin/tenured", "/usr/sbin/tenured.away")
    t.fault(f"kill -9 of the agent on {old}, its binary is gone", lambda: old.kill("tenured.service"))
    t.effect("no agent runs", lambda: old.main_pid("tenured.service") == 0)
    t.next_leader()
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
    t.gap_at_most(t.lease_ms + 2000)


@scenario("the agent is frozen (SIGSTOP)")
def agent_hangs(t):
    old, agent = t.leader, t.leader.main_pid("tenured.service")
    t.fault(f"the agent on {old} is stopped", lambda: old.kill("tenured.service", "STOP"))
    t.effect("the agent is frozen",
             lambda: old.is_frozen(agent))
    t.next_leader()
    t.dead_within(old, t.duration_ms + t.slack_ms + t.stop_ms + t.kill_ms)
    t.gap_at_most(t.lease_ms + 2000)
