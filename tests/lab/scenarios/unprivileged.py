# SPDX-License-Identifier: Apache-2.0
"""Hosts that may not even read the rate of their clock."""

from lab.scenario import scenario

# Calls adjtimex() (on amd64), which fails with EPERM where it is refused.
ASK = """my $all_zero = "\\0" x 512;
my $r = syscall(159, $all_zero);
print $r < 0 ? "adjtimex: $!\\n" : "adjtimex: may be read\\n";
"""
MAY, MAY_NOT = "adjtimex: may be read", "adjtimex: Operation not permitted"
DROP_IN = "/etc/systemd/system/tenured.service.d/ask.conf"


def log_at_start(t, host, more=""):
    """The agent's unit logs at each start, under its confinement, whether it may read the clock's rate."""
    with open(f"{t.lab.share}/ask", "w", encoding="ascii") as f:
        f.write(ASK)
    host.write_file(DROP_IN, f"[Service]\nExecStartPre=/usr/bin/perl /lab/ask\n{more}")
    host.systemctl("daemon-reload")
    host.systemctl("restart", "tenured.service")


def answer(host):
    """What the latest start in this boot logged."""
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
    """The agent's confinement as the kernel reports it."""
    return host.sh(CONFINEMENT).splitlines()


def wait_standby(t, host):
    t.until(f"{host} is a standby", lambda: t.cluster.status(host).get("role") == "standby", timeout=20)


def leads_next(t, host, how):
    """The host leads next, for longer than a lease, hence by renewals, and does not doubt its clock."""
    t.leader = t.next_leader()
    t.check(f"it is {host}", t.leader is host)
    nonces = set()

    def renews():
        nonces.add(t.db.nonce(t.group))
        return t.cluster.is_leader(host)
    t.stays(f"{host} leads", renews, 1.5 * t.lease_ms / 1000)
    t.gap_at_most(2500)
    t.figures[f"renewals, {how}"] = f"{len(nonces) - 1}"
    t.check(f"{len(nonces) - 1} renewals", len(nonces) - 1 >= 6)        # one every quarter of D, or a little earlier
    t.check("it logs nothing about its clock", not t.said(host, "tenured.service", "this host's clock"))


@scenario("hosts that may not read their clock's rate, an unprivileged container and one with ProtectClock=, lead in turn")
def unprivileged_hosts(t):
    t.spent = True
    first, (container, other) = t.leader, t.standbys
    log_at_start(t, first)
    t.until(f"the agent of {first} may ask", lambda: answer(first) == MAY)
    t.cluster.wait_ready()
    log_at_start(t, container)
    container.power_off()
    container.make_unprivileged()
    container.boot()
    t.check(f"root of {container} has no privileges outside", container.read_file("/proc/self/uid_map").split()[1] != "0")
    t.check(f"its agent may not ask: {answer(container)}", answer(container) == MAY_NOT)
    wait_standby(t, container)
    confined = confinement(container)
    t.check(f"it is confined as on other hosts: {confined}", OWN_USERS in confined and confined == confinement(first))
    other.systemctl("stop", "tenured.service")
    t.stop_agent(first)
    leads_next(t, container, "unprivileged")

    log_at_start(t, first, "ProtectClock=yes\n")
    t.check(f"now that of {first} may not either: {answer(first)}", answer(first) == MAY_NOT)
    wait_standby(t, first)
    t.stop_agent(container)
    leads_next(t, first, "ProtectClock=")
    for host in (container, other):
        host.systemctl("start", "tenured.service")
    t.cluster.wait_ready()
