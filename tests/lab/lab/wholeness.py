# SPDX-License-Identifier: Apache-2.0
"""Whether a scenario left hosts and databases as the next one expects them: the contents of their disks, what runs, and
the server's settings. A fingerprint is taken when a lab is fresh, and compared before each reuse."""

import hashlib
import os

# Files that programs write in every run.
_VARIES = ("var", "run", "tmp", "root", "home")
_FILES_VARY = ("etc/.pwd.lock", "etc/machine-id", "etc/resolv.conf")
# Which of these units are active depends on the leader, or on the moment.
_UNITS_VARY = ("tenure@", "run-", "session-", "user-", "user@", "systemd-hostnamed", "systemd-timedated", "systemd-localed",
               "systemd-tmpfiles", "systemd-journal-flush")
_SHOWN = 3

_SETTINGS = """select name || '=' || setting from pg_settings where source in ('configuration file', 'override')
union all select 'role ' || rolname || ' ' || rolsuper::text || rolcanlogin::text || rolconnlimit || coalesce(rolconfig::text, '')
    from pg_roles where rolname !~ '^pg_'
union all select 'database ' || datname || datallowconn::text || datconnlimit from pg_database
union all select 'object ' || n.nspname || '.' || c.relname || c.relkind::text || coalesce(c.relacl::text, '')
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname !~ '^(pg_|information_schema)'
union all select 'prepared ' || gid from pg_prepared_xacts
union all select 'row of group ' || grp from tenure.lease
order by 1"""


class Fingerprint:
    """The fingerprint of all hosts of a lab that are up."""

    def __init__(self, lab, unit):
        self.facts = {}
        for host in lab.hosts:
            self.facts[host.name] = _disk(host) | _units(host, unit)
        if lab.db:
            self.facts[lab.db.name] = _disk(lab.db) | _units(lab.db, unit) | {
                f"PostgreSQL: {line}" for line in lab.db.psql(_SETTINGS).splitlines()}

    def differs(self, other):
        """The differences, human-readable, or ""."""
        found = []
        for host, facts in self.facts.items():
            now = other.facts.get(host, set())
            found += [f"{host} lacks {fact}" for fact in sorted(facts - now)]
            found += [f"{host} has {fact}" for fact in sorted(now - facts)]
        more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        return "; ".join(found[:_SHOWN]) + more


def _disk(host):
    """Every file in the host's own layer, by path, mode and content."""
    upper = f"{host.folder}/upper"
    found = set()
    for where, folders, files in os.walk(upper):
        below = os.path.relpath(where, upper)
        if below == ".":
            folders[:] = [f for f in folders if f not in _VARIES]
        for name in files + [f for f in folders if os.path.islink(os.path.join(where, f))]:
            path = os.path.normpath(os.path.join(below, name))
            if path not in _FILES_VARY:
                found.add(f"/{path} {_content(os.path.join(where, name))}")
    return found


def _content(path):
    stat = os.lstat(path)
    if os.path.islink(path):
        return "-> " + os.readlink(path)
    if not os.path.isfile(path):
        return "(removed)"          # the overlay's mark, a device
    with open(path, "rb") as f:
        return f"{stat.st_mode & 0o7777:o} {stat.st_uid} {hashlib.sha256(f.read()).hexdigest()[:12]}"


def _units(host, unit):
    """The active and the failed units."""
    lines = host.sh("systemctl list-units --all --plain --no-legend --no-pager --type=service,socket,timer,path,target").splitlines()
    states = [line.split()[:4] for line in lines]
    return {f"{name} {active}" for name, _, active, sub in states
            if active in ("active", "failed") and not name.startswith(_UNITS_VARY) and name != unit}
