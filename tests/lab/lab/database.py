# SPDX-License-Identifier: Apache-2.0
"""The database host: PostgreSQL as Debian ships it, a service among others."""

import os
import shlex
import subprocess

from . import clock
from .certificate import certify
from .host import Host
from .shell import LabError, wait_for

PASSWORD = "lab-only"
POOLER_PORT = 6432
STALLING_PORT = 6433
_STALLING_PROXY = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "stalling_proxy")


class Database(Host):
    def __init__(self, lab, name, number, lowers, start=True):
        super().__init__(lab, name, number, lowers)
        self.version = lab.platform.postgresql
        self.unit = f"postgresql@{self.version}-main.service"
        conf = f"/etc/postgresql/{self.version}/main"
        # TLS as in production, and clients verify the server.
        key, self.certificate = certify(name, self.address)
        self.write_file(f"{conf}/server.key", key, 0o600, "postgres")
        self.write_file(f"{conf}/server.crt", self.certificate)
        self.write_file(f"{conf}/conf.d/lab.conf", "listen_addresses = '*'\njit = off\n"
                        "max_connections = 200\nmax_prepared_transactions = 4\nlog_connections = on\nssl = on\n"
                        f"ssl_cert_file = '{conf}/server.crt'\nssl_key_file = '{conf}/server.key'\n")
        # A password as in production.
        hba = f"{self.root}{conf}/pg_hba.conf"
        with open(hba, "a", encoding="utf-8") as f:
            f.write("host all all 10.77.0.0/24 scram-sha-256\n"
                    "host replication all 10.77.0.0/24 scram-sha-256\n")
        if not start:
            return
        wants = f"{self.root}/etc/systemd/system/multi-user.target.wants"
        os.makedirs(wants, exist_ok=True)
        os.symlink("/lib/systemd/system/postgresql.service", f"{wants}/postgresql.service")

    def prepare(self, schema=None):
        """Database and role, and the product's schema when there is one."""
        self.wait_ready()
        self.psql("create database tenure", db="postgres")
        if schema:
            self.psql(schema)
        self.psql("do $$ begin if not exists (select from pg_roles where rolname = 'tenure') then "
                  f"create role tenure login; end if; end $$; alter role tenure password '{PASSWORD}'")

    def psql(self, sql, db="tenure", check=True, timeout=15):
        """Run SQL as the superuser; the result unaligned, columns separated by "|"."""
        return self.run("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups",
                        "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", db, "-f", "-",
                        stdin=sql, check=check, timeout=timeout).out.strip()

    def ready(self):
        return self.run("pg_isready", "-q", "-t", "1", check=False).ok

    def wait_ready(self, timeout=20):
        self.wait_for("PostgreSQL to answer", self.ready, timeout=timeout, every=0.05)

    def stop(self):
        self.systemctl("stop", self.unit)

    def start(self):
        self.systemctl("start", self.unit)
        self.wait_ready()

    def restart(self):
        """An orderly restart: sessions end, then it is back."""
        self.systemctl("restart", self.unit)
        self.wait_ready()

    def crash(self):
        """Kills all server processes at once; the server stays down until start()."""
        self.kill(self.unit, "KILL", everyone=True)
        wait_for("PostgreSQL to be down", lambda: self.state(self.unit) not in ("active", "deactivating"))
        self.systemctl("reset-failed", self.unit, check=False)

    # Two servers

    def follow(self, primary, synchronous):
        """Becomes a hot standby of another server, which waits for it with each commit or not."""
        data = f"/var/lib/postgresql/{self.version}/main"
        primary.psql(f"create role follower replication login password '{PASSWORD}'")
        self._as_postgres("sh", "-c", f"""rm -rf {data}
            PGPASSWORD={PASSWORD} pg_basebackup -h {primary.address} -U follower -D {data} \\
                -R -X stream -c fast""")
        self.systemctl("start", self.unit)
        self.wait_ready()
        primary.wait_for("the standby to stream", lambda: primary.psql(
            "select count(*) from pg_stat_replication where state = 'streaming'") == "1")
        if synchronous:
            primary.set("synchronous_standby_names", "*")
            primary.wait_for("it to be synchronous", lambda: primary.psql(
                "select count(*) from pg_stat_replication where sync_state = 'sync'") == "1")
        return self

    def promote(self):
        self.psql("select pg_promote()")

    def takes_writes(self):
        return self.psql("select pg_is_in_recovery()") == "f"

    def set(self, name, value):
        self.psql(f"alter system set {name} = '{value}'")
        self.psql("select pg_reload_conf()")

    def set_offline(self, name, value):
        """Takes effect with the next start."""
        self.write_file(f"/etc/postgresql/{self.version}/main/conf.d/{name}.conf", f"{name} = {value}\n")

    def _as_postgres(self, *command):
        return self.run("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *command,
                        timeout=60)

    # A pooler in front of it

    def pool(self, mode):
        """Starts PgBouncer, or changes its mode; connections through it break off. Its port is
        POOLER_PORT."""
        self.write_file("/etc/pgbouncer/userlist.txt", f'"tenure" "{PASSWORD}"\n', 0o640, "postgres")
        self.write_file("/etc/pgbouncer/pgbouncer.ini", f"""[databases]
tenure = host=127.0.0.1 port=5432 dbname=tenure
[pgbouncer]
listen_addr = *
listen_port = {POOLER_PORT}
auth_type = scram-sha-256
auth_file = /etc/pgbouncer/userlist.txt
pool_mode = {mode}
logfile = /var/log/postgresql/pgbouncer.log
pidfile = /run/postgresql/pgbouncer.pid
""", 0o640, "postgres")
        self.systemctl("restart", "pgbouncer.service")

    # A proxy that stalls, beside it

    def stalling_proxy(self, seed, longest_ms):
        """Starts it on STALLING_PORT; it ends with the host. Returns its StallingProxy."""
        return StallingProxy(self, seed, longest_ms)

    def server_version(self):
        return self.psql("show server_version", db="postgres").split()[0]

    def lease(self, group):
        """The row of a group: {"owner": …, "term": …, "clean": …, "lease_usec": …, "method": …}, or
        None."""
        row = self.psql("select owner, term, clean, lease_usec, method from tenure.lease where grp = "
                        f"'{group}'").partition("\n")[0]
        if not row:
            return None
        owner, term, clean, lease, method = row.split("|")
        return {"owner": owner.partition("/")[0], "term": int(term), "clean": clean == "t",
                "lease_usec": int(lease), "method": method}

    def nonce(self, group):
        """Each claim and each renewal writes another one."""
        return self.psql(f"select nonce from tenure.lease where grp = '{group}'")

    def claimed_at(self, group):
        """When the present term was claimed, by the lab's clock."""
        ago = self.psql("select extract(epoch from clock_timestamp() - claimed_at) from tenure.lease "
                        f"where grp = '{group}'")
        return clock.now() - float(ago) * clock.SECOND


class StallingProxy:
    """tests/lab/stalling_proxy, in the host's network and cgroups, but not in its root file system."""

    def __init__(self, db, seed, longest_ms):
        self._switch, self._count = f"{db.folder}/stall", f"{db.folder}/stalls"
        argv = ["ip", "netns", "exec", db.netns, "/usr/bin/python3", "-B", _STALLING_PROXY,
                str(STALLING_PORT), "5432", str(seed), str(round(longest_ms)), self._switch, self._count]
        move = "".join(f"echo $$ >{d}/cgroup.procs; " for d in db.cgroup.dirs)
        with open(f"{db.folder}/stalling_proxy.log", "ab") as log:
            self._process = subprocess.Popen(["sh", "-c", f"set -e; {move}exec {shlex.join(argv)}"],
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for("the proxy to listen", lambda: os.path.exists(self._count))

    def stall(self, on):
        if on:
            with open(self._switch, "w", encoding="ascii"):
                return
        os.unlink(self._switch)

    def stalls(self):
        with open(self._count, encoding="ascii") as f:
            return int(f.read())

    def stop(self):
        self._process.kill()
        self._process.wait()
        os.unlink(self._count)


__all__ = ["Database", "LabError", "PASSWORD", "POOLER_PORT", "STALLING_PORT"]
