# SPDX-License-Identifier: Apache-2.0
"""The product on the hosts of a lab: configured and polled as an administrator would."""

import collections
import json

from . import clock
from .database import PASSWORD
from .shell import LabError, wait_for

# Exit statuses with which `tenurectl status` shows a status; the second: units of a led group do not run.
SHOWN = (0, 6)

GROUP = "work"
UNIT = "worker.service"
METHODS = ("lease", "advisory")
LEASE = "4s"
STOP_TIMEOUT = "1s"
# The two copies of the applied configuration, neither of them in the administrator's tree.
APPLIED = ("/etc/tenure.applied/applied.conf", "/etc/systemd/system/tenured.service.d/applied.conf.copy")


class Cluster:
    """One group, or several, elected among all hosts of a lab."""

    def __init__(self, lab, group=GROUP, unit=UNIT, lease=LEASE, stop_timeout=STOP_TIMEOUT,
                 method=METHODS[0]):
        self.lab, self.group, self.unit, self.method = lab, group, unit, method
        self.lease, self.stop_timeout = lease, stop_timeout
        self.worker_options = ()

    @property
    def keeper(self):
        return f"tenure@{self.group}.service"

    # Set-up

    def install(self, groups=None):
        """Schema, configuration and the witness unit on every host; nothing is started."""
        self.lab.db.prepare(schema=self.lab.hosts[0].run("tenurectl", "schema").out)
        for host in self.lab.hosts:
            self.configure(host, groups)
            self._write_worker(host)
            host.systemctl("daemon-reload")
        return self

    def configure(self, host, groups=None, conninfo="", top="", arbiter=""):
        """Write the configuration of one host. groups: a list of dicts with the keys of a group,
        with the cluster's method unless they name another; conninfo, top, arbiter: more of the connection string, more settings of
        tenure.conf and of its arbiter."""
        groups = groups or [{"name": self.group, "units": [self.unit], "lease": self.lease,
                             "stop_timeout": self.stop_timeout}]
        host.write_file("/etc/tenure/pgpass", f"*:*:*:*:{PASSWORD}\n", 0o600, "tenure")
        host.write_file("/etc/tenure/ca.pem", "".join(db.certificate for db in self.lab.databases()))
        host.write_file("/etc/tenure/tenure.conf", f"""{top}
arbiter = {{
  type = "postgresql";
  conninfo = "host={self.lab.db.address} dbname=tenure user=tenure passfile=/etc/tenure/pgpass sslmode=verify-full sslrootcert=/etc/tenure/ca.pem {conninfo}";
  {arbiter}
}};
""", 0o640, "root:tenure")
        for group in groups:
            self.write_group(host, group)

    def write_group(self, host, group):
        """Writes a group's file, with the cluster's method unless it names another."""
        host.write_file(f"/etc/tenure/groups.d/{group['name']}.conf",
                        f"groups = (\n{_libconfig({'method': self.method, **group})}\n);\n")

    def worker(self, *options, restart=True):
        """Sets the options of the witness (see witness.c) from now on, on every host."""
        self.worker_options = options
        for host in self.lab.hosts:
            self._write_worker(host)
            host.systemctl("daemon-reload")
        leader = self.leader()
        if restart and leader:
            leader.systemctl("restart", self.unit)
        return self

    def _write_worker(self, host, unit=None):
        options = " ".join(self.worker_options)
        host.write_file(f"/etc/systemd/system/{unit or self.unit}", f"""[Unit]
Description=A worker that must run exactly once
[Service]
Type=notify
NotifyAccess=all
ExecStart=/lab/witness /lab/beats/%H.%n {options}
[Install]
WantedBy=multi-user.target
""")

    def start(self, timeout=30):
        """Starts the agents on all hosts, and waits until one node leads and the others are standbys."""
        for host in self.lab.hosts:
            host.systemctl("enable", "--quiet", "tenured.service")
            host.systemctl("start", "--no-block", "tenured.service")
        return self.wait_ready(timeout)

    # Questions

    def is_leader(self, host):
        """By the command that a script would use. False for a host that cannot run it."""
        if not host.up or host.frozen_at is not None:
            return False
        return host.run("tenurectl", "is-leader", self.group, check=False).code == 0

    def leaders(self):
        return [h for h in self.lab.hosts if self.is_leader(h)]

    def leader(self):
        """The host that leads, or None."""
        leaders = self.leaders()
        return leaders[0] if leaders else None

    def standbys(self):
        return [h for h in self.lab.hosts if h.up and not self.is_leader(h)]

    def status(self, host):
        """`tenurectl status --json` of a host for the group, with the agent's own fields; or {}."""
        r = host.run("tenurectl", "status", "--json", check=False)
        if r.code not in SHOWN:
            return {}
        whole = json.loads(r.out)
        group = [g for g in whole["groups"] if g["name"] == self.group]
        return {**whole, **group[0]} if group else {}

    def term(self, host):
        return self.status(host).get("term")

    # Waiting

    def wait_ready(self, timeout=30):
        """Waits until one node leads and its unit beats, and all others are connected standbys. Returns the leader."""
        def ready():
            states = {h: self.status(h) for h in self.lab.hosts}
            roles = sorted(s.get("role", "none") for s in states.values())
            if roles != ["leader"] + ["standby"] * (len(roles) - 1):
                return None
            if not all(s["connected"] for s in states.values()):
                return None
            leader = next(h for h, s in states.items() if s["role"] == "leader")
            others = [s for h, s in states.items() if h is not leader]
            if not self.is_leader(leader) or any(s["leader"] != leader.name for s in others):
                return None
            return leader if self.lab.testimony(self.unit).running(within=100 * clock.MS) \
                == [leader.name] else None
        return wait_for("one leader, all others standbys", ready, timeout=timeout, every=0.1)

    def wait_leader(self, other_than=None, timeout=20):
        """Waits until a host, other than the given one, leads and its unit beats. Returns it."""
        polls = collections.Counter()

        def found():
            running = self.lab.testimony(self.unit).running(within=50 * clock.MS)
            leads = [n for n in running if self.lab[n] is not other_than and self.is_leader(self.lab[n])]
            polls[f"running on {' and '.join(running) or 'no host'}"] += 1
            return self.lab[leads[0]] if leads else None

        def seen():
            return ", ".join(f"{text}: {n} of {polls.total()} polls" for text, n in polls.most_common())
        but = f" other than {other_than}" if other_than else ""
        return wait_for(f"a leader{but}", found, timeout=timeout, every=0.05, seen=seen)

    def account(self, lines=4000):
        """What each host logged, for the report of a failure, including its bus and polkit, which every start needs."""
        units = ["tenured.service", "tenure@*.service", "tenure-stop@*.service", self.unit,
                 "dbus.service", "polkit.service"]
        said = []
        for host in self.lab.hosts:
            said.append(f"{host}: " + ("frozen" if host.frozen_at is not None
                                       else "up" if host.up else "down"))
            try:
                if host.up and host.frozen_at is None:
                    said += ["    " + line for line in host.sh(
                        "timeout 5 tenurectl status 2>&1", check=False).splitlines()]
                said += ["    " + line for line in host.journal(units, lines=lines).splitlines()]
            except LabError as e:
                said.append(f"    {e}")
        return "\n".join(said)


def _libconfig(group):
    """A group's settings in libconfig's own syntax."""
    def value(v):
        if isinstance(v, (list, tuple)):
            return "[ " + ", ".join(value(x) for x in v) + " ]"
        if isinstance(v, bool):
            return str(v).lower()
        if isinstance(v, int):
            return str(v)
        return '"' + str(v).replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "  { " + "\n    ".join(f"{k} = {value(v)};" for k, v in group.items()) + " }"
