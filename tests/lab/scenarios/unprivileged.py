# SPDX-License-Identifier: Apache-2.0
"""Hosts that may not even ask for the rate of their clock."""

from lab.scenario import scenario

# A process that adjtimex() (on amd64) is refused to ends with EPERM, one that may read ends with 0.
ASK = """my $all_zero = "\\0" x 512;
my $r = syscall(159, $all_zero);
print $r < 0 ? "adjtimex: $!\\n" : "adjtimex: may be read\\n";
"""
MAY, MAY_NOT = "adjtimex: may be read", "adjtimex: Operation not permitted"
DROP_IN = "/etc/systemd/system/tenured.service.d/ask.conf"


def ask(t, host, more=""):
    """Has the agent's unit, with all that it is denied, say at each start what it may do."""
    with open(f"{t.lab.share}/ask", "w", encoding="ascii") as f:
        f.write(ASK)
    host.write_file(DROP_IN, f"[Service]\nExecStartPre=/usr/bin/perl /lab/ask\n{more}")
    host.systemctl("daemon-reload")
    host.systemctl("restart", "tenured.service")


def answer(host):
    """At the latest start in this boot."""
    said = [line for line in host.journal("tenured.service").splitlines() if "adjtimex: " in line]
    return said[-1].partition("]: ")[2] if said else "nothing"


CONFINEMENT = """
set -e
cd "/proc/$(systemctl show --value -p MainPID tenured)"
grep -E "^(CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):" status
for n in mnt user uts; do
    [ "$(readlink ns/$n)" = "$(readlink /proc/1/ns/$n)" ] || echo "a namespace of its own: $n"
done
echo "users: $(tr -s ' \n' ' ' <uid_map)"
awk '$5 ~ "^/(|home|proc|root|tmp)$" { print $5, $6 ($5 == "/proc" ? " " $NF : "") }' mountinfo | sort -u
ls root/dev
"""
OWN_USERS = "a namespace of its own: user"


def confinement(host):
    """What the kernel says that the agent is denied."""
    return host.sh(CONFINEMENT).splitlines()


def stands_by(t, host):
    t.until(f"{host} stands by", lambda: t.cluster.status(host).get("role") == "standby", timeout=20)


def leads_next(t, host, how):
    """It takes over, leads for longer than a lease, so by renewals, and has no doubt of its clock."""
    t.leader = t.next_leader()
    t.check(f"it is {host}", t.leader is host)
    nonces = set()

    def renews():
        nonces.add(t.db.nonce(t.group))
        return t.cluster.is_leader(host)
    t.stays(f"{host} leads", renews, 1.5 * t.lease_ms / 1000)
    t.gap_at_most(2500)
    t.figures[f"renewals, {how}"] = f"{len(nonces) - 1}"
    t.check(f"{len(nonces) - 1} renewals", len(nonces) - 1 >= 6)        # one each quarter of D, or a little earlier
    t.check("nothing is said of its clock", not t.said(host, "tenured.service", "this host's clock"))


@scenario("hosts that may not read their clock's rate, an unprivileged container and one with ProtectClock=, lead in turn")
def unprivileged_hosts(t):
    t.spent = True
    first, (container, other) = t.leader, t.standbys
    ask(t, first)
    t.until(f"the agent of {first} may ask", lambda: answer(first) == MAY)
    t.cluster.wait_ready()
    ask(t, container)
    container.power_off()
    container.make_unprivileged()
    container.boot()
    t.check(f"root of {container} is nobody outside", container.read_file("/proc/self/uid_map").split()[1] != "0")
    t.check(f"its agent may not ask: {answer(container)}", answer(container) == MAY_NOT)
    stands_by(t, container)
    confined = confinement(container)
    t.check(f"it is confined as on other hosts: {confined}", OWN_USERS in confined and confined == confinement(first))
    other.systemctl("stop", "tenured.service")
    t.stop_agent(first)
    leads_next(t, container, "unprivileged")

    ask(t, first, "ProtectClock=yes\n")
    t.check(f"nor may now the one of {first}: {answer(first)}", answer(first) == MAY_NOT)
    stands_by(t, first)
    t.stop_agent(container)
    leads_next(t, first, "ProtectClock=")
    for host in (container, other):
        host.systemctl("start", "tenured.service")
    t.cluster.wait_ready()
