# SPDX-License-Identifier: Apache-2.0
"""A host that exists twice, with one node name and one instance: which of the two owns the record?

The lab's hosts are containers, so it cannot clone a virtual machine with its memory. It copies by hand what makes a clone.
The twin gets the node name and the instance id of the other host, without the mark beside the id that would distinguish the
two (the PID namespace). The clone of a leader also gets a keeper with the deadline that the original's keeper has at that
moment, and therefore runs the units. The clone does not know the original agent's nonces: it adopts that keeper, as a
restarted agent does."""

from lab import clock
from lab.clock import logged_at
from lab.scenario import scenario

COPY = "a copy of this host"
ADOPTED = "a live keeper of it was found and adopted"
INSTANCE = "/run/tenure/instance"
# From a request to its reply, and the time in which a host acts on it.
ANSWER_MS = 100


def owner(host):
    return host.read_file(f"{INSTANCE}/id").strip()


def make_twin(t, twin, original):
    """The twin's agent is stopped meanwhile."""
    t.spent = True
    t.cluster.configure(twin, top=f'node = "{original.name}";')
    twin.systemctl("reload", "tenured.service")
    twin.systemctl("stop", "tenured.service")
    for name in original.sh(f"ls {INSTANCE}").split():
        if name == "id" or name.startswith("stops."):
            twin.write_file(f"{INSTANCE}/{name}", original.read_file(f"{INSTANCE}/{name}"), 0o644, "tenure")
    twin.run("rm", f"{INSTANCE}/host")


def clone_leader(t, twin, original):
    """All in one command, because the deadline is near."""
    state = original.read_file(f"/run/tenure/groups/{t.group}/live/state")
    ticket = f"/run/tenure/tickets/{t.group}"
    twin.run("sh", "-c", f"umask 077; cat >{ticket} && chown tenure {ticket} && systemctl start {t.keeper} && "
                         "systemctl start --no-block tenured.service", stdin=state)


def alarmed(t, hosts):
    """The hosts with an alert that there is a copy."""
    return [h for h in hosts if t.said(h, "tenured.service", COPY, "alert")]


def leads_alone(t, winner, loser, term):
    """One host leads on; the other has released nothing, and says why it does not lead."""
    t.until(f"the status of {loser} says so", lambda: COPY in t.cluster.status(loser).get("reason", ""), timeout=2 * t.lease_ms / 1000)
    pid = winner.main_pid(t.unit)
    t.stays(f"{winner} alone runs it", lambda: t.testimony.running(within=100 * clock.MS) == [winner.name], 2 * t.lease_ms / 1000)
    t.check("the same process runs all the time", winner.main_pid(t.unit) == pid)
    row = t.db.lease(t.group)
    t.check(f"{winner} leads in term {term}: {row}", row["term"] == term and not row["clean"])
    t.check(f"{loser} has given nothing back", not t.said(loser, "tenured.service", "is given back"))
    t.check(f"{loser} does not lead", not t.cluster.is_leader(loser))


def failover_from(t, winner, term):
    """The other one leads in a new term when the lease has expired."""
    t.leader = winner
    t.fault(f"the plug of {winner} is pulled", winner.pull_plug)
    t.effect("no process of it is left", lambda: not winner.up and not winner.cgroup.populated())
    t.leader = t.next_leader()
    t.check("in a later term", t.db.lease(t.group)["term"] > term)
    t.gap_at_most(t.lease_ms + 2000)


@scenario("the leader exists twice, as a machine cloned while it ran: one of the two steps down at once, and says why",
          dual_ms=5000, breaks="no machine is there twice")
def clone_of_leader(t):
    original, twin = t.leader, t.standbys[0]
    both, term = [original, twin], t.cluster.term(original)
    make_twin(t, twin, original)
    t.shared_terms.add(term)
    t.fault(f"{twin} is a copy of {original}, which leads", lambda: clone_leader(t, twin, original))
    t.effect("both run the unit", lambda: t.testimony.running(within=100 * clock.MS) == sorted(h.name for h in both))
    t.check("they are one owner", owner(original) == owner(twin))
    loser = t.until("one of the two steps down, with an alert", lambda: alarmed(t, both))[0]
    winner = next(h for h in both if h is not loser)
    t.until(f"{winner} alone runs it", lambda: t.testimony.running(within=100 * clock.MS) == [winner.name])
    # Counted from when both have reached the database.
    since = max([logged_at(line) for line in t.said(twin, "tenured.service", ADOPTED)] or [t.fault_at])
    t.dead_within(loser, t.duration_ms / 4 + ANSWER_MS + t.slack_ms + t.stop_ms + t.kill_ms, since)
    t.figures["both ran it for"] = f"{clock.ms(t.testimony.dual_active(t.fault_at)):.0f} ms"
    leads_alone(t, winner, loser, term)
    t.gap_at_most(0)
    failover_from(t, winner, term)


@scenario("a standby exists twice, as a machine cloned while it ran: one of the two leads, and the other says why it does not")
def clone_of_standby(t):
    one, other = t.standbys
    make_twin(t, other, one)
    other.systemctl("start", "tenured.service")
    t.until("both stand by", lambda: all(t.cluster.status(h).get("role") == "standby" and t.cluster.status(h)["connected"]
                                         for h in (one, other)))
    t.check("they are one owner", owner(one) == owner(other))
    old, before = t.leader, t.db.lease(t.group)["term"]
    t.fault(f"the plug of {old} is pulled", old.pull_plug)
    t.effect("no process of it is left", lambda: not old.up and not old.cgroup.populated())
    winner = t.next_leader()
    t.gap_at_most(t.lease_ms + 2000)
    loser = other if winner is one else one
    term = t.db.lease(t.group)["term"]
    t.check("in a later term", term > before)
    t.until(f"{loser} says that there is a copy", lambda: alarmed(t, [loser]), timeout=2 * t.lease_ms / 1000)
    t.check(f"{winner} does not", not alarmed(t, [winner]))
    leads_alone(t, winner, loser, term)
    failover_from(t, winner, term)
