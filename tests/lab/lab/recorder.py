# SPDX-License-Identifier: Apache-2.0
"""What a picture of a scenario needs beside the witness's beats: the record, which processes existed, and which
were frozen.

Processes and files of the hosts are read from outside every 10 ms, through /proc and cgroups: nothing runs in a
host for it, and a frozen host can be read like any other. The record is read every 25 ms by a session of its own,
over the socket of the database's host: it waits for no lock, takes none, and sees every renewal without a trigger.
"""

import os
import select
import subprocess
import threading

from . import clock
from .database import Database
from .shell import LabError

LOOK_SECONDS = 0.01
ROW_SECONDS = 0.025
ROW_PATIENCE = 0.5          # a slower reply does not show when the record was so
ROW_AGAIN_SECONDS = 0.2     # between two tries to reach the database
READING = 50 * clock.MS     # more than the precision of the time of a change
AGENT = "system.slice/tenured.service"


class Spans:
    """Samples of one object as spans [from, to, kind]. Kind None: there is nothing to see."""

    def __init__(self):
        self.spans = []
        self._kind = None

    def see(self, at, kind):
        if self._kind is not None:
            self.spans[-1][1] = at
        if kind != self._kind:
            if kind is not None:
                self.spans.append([at, at, kind])
            self._kind = kind


class Row:
    """The record as it was read: [(when, owner, term, clean, nonce, lease)], only the changes."""

    def __init__(self):
        self.changes = []
        self.answers = Spans()

    def see(self, at, line):
        self.answers.see(at, "answers")
        if not line or line == "-":
            return
        owner, term, clean, nonce, lease = line.split("|")
        row = (owner, int(term), clean == "t", nonce, int(lease) * 1000)
        if not self.changes or self.changes[-1][1:] != row:
            self.changes.append((at, *row))


class Recorder:
    """Records one group of a lab until stop(). Times are clock.now()."""

    def __init__(self, lab, group):
        self.lab, self.group = lab, group
        self.hosts, self.rows = {}, {}          # by the host's name; rows only of databases
        self._end = threading.Event()
        self._threads = []

    def start(self):
        self._do(self._watch_hosts)
        return self

    def _do(self, what, *arguments):
        thread = threading.Thread(target=what, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self):
        self._end.set()
        for t in list(self._threads):
            t.join(timeout=5)
        return self

    def _meet(self, host):
        """Hosts can join a lab during a scenario."""
        if host.name not in self.hosts:
            self.hosts[host.name] = {"state": Spans(), "agent": Spans(), "keeper": Spans()}
            if isinstance(host, Database):
                self.rows[host.name] = Row()
                self._do(self._watch_row, host)
        return self.hosts[host.name]

    # Hosts

    def _watch_hosts(self):
        while not self._end.wait(LOOK_SECONDS):
            for host in self.lab.all_hosts():
                seen, at = self._meet(host), clock.now()
                seen["state"].see(at, state(host))
                seen["agent"].see(at, life(host, AGENT))
                keeper = life(host, f"system.slice/system-tenure.slice/tenure@{self.group}.service")
                seen["keeper"].see(at, keeper if self._live(host) else None)

    def _live(self, host):
        """Whether the keeper lets its units run: the file that their AssertPathExists= checks."""
        leader = host.leader
        return leader is not None and os.path.exists(
            f"/proc/{leader}/root/run/tenure/groups/{self.group}/live/state")

    # The row

    def _watch_row(self, db):
        row = self.rows[db.name]
        while not self._end.is_set():
            try:
                with Session(db) as session:
                    self._ask(session, row)
            except (OSError, LabError, AttributeError):
                pass                    # the database is down, or going down
            row.answers.see(clock.now(), None)
            self._end.wait(ROW_AGAIN_SECONDS)

    def _ask(self, session, row):
        question = ("select coalesce((select concat_ws('|', split_part(owner, '/', 1), term, clean, nonce, "
                    f"lease_usec) from tenure.lease where grp = '{self.group}'), '-');\n")
        while not self._end.wait(ROW_SECONDS):
            asked = clock.now()
            line = session.ask(question)
            if line is None:
                return
            # The record was so at some time between the two; the exact time is unknown.
            row.see((asked + clock.now()) // 2, line)


class Session:
    """psql, as the superuser, over the socket."""

    def __init__(self, db):
        self._p = subprocess.Popen(
            db.argv("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "psql", "-X", "-q",
                    "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", "tenure", "-f", "-"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._p.kill()
        for f in (self._p.stdin, self._p.stdout):
            try:
                f.close()
            except OSError:
                pass
        self._p.wait()
        return False

    def ask(self, question):
        """One line, or None without a reply."""
        self._p.stdin.write(question.encode())
        self._p.stdin.flush()
        if not select.select([self._p.stdout], [], [], ROW_PATIENCE)[0]:
            return None
        line = self._p.stdout.readline()
        return line.decode().strip() if line.endswith(b"\n") else None


def state(host):
    """down, frozen, cut, or None for a host without a fault."""
    if not host.up:
        return "down"
    if host.frozen_at is not None:
        return "frozen"
    return "cut" if host.cut_how else None


def life(host, unit):
    """runs or stopped (SIGSTOP), of the oldest process of a unit; None without one."""
    try:
        with open(f"{host.cgroup.v2}/payload/{unit}/cgroup.procs", encoding="ascii") as f:
            pid = f.readline().strip()
        if not pid:
            return None
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            how = f.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return None
    return {"T": "stopped", "t": "stopped", "Z": None, "X": None}.get(how, "runs")


def leases(changes, end):
    """The terms in a record's history, from Row.changes: dicts with host, term, from, to, renewed (when), until (the
    end of the lease by its last renewal), released (the release was seen), expired.

    to: when the record was released, claimed by another node, or could be claimed; end: the end of the recording."""
    found = []
    for at, owner, term, clean, _, lease in changes:
        last = found[-1] if found else None
        if last is not None and last["open"]:
            if term != last["term"]:
                last.update(to=min(at, last["until"]), expired=at >= last["until"] - READING, open=False)
            elif clean:
                last.update(to=at, until=at, released=True, open=False)
            else:
                last["renewed"].append(at)
                last["until"] = at + lease
        if not clean and owner and (last is None or term != last["term"]):
            found.append({"host": owner, "term": term, "from": at, "to": end, "renewed": [at],
                          "until": at + lease, "released": False, "expired": False, "open": True})
    for f in found:
        if f.pop("open"):
            f.update(to=min(end, f["until"]), expired=f["until"] < end)
    return found


def together(*histories):
    """Joins what several databases have of the same terms: how a term ended is taken from the database that had it last,
    because a standby server repeats its primary a moment later."""
    terms = {}
    for f in (f for history in histories for f in history):
        other = terms.setdefault((f["host"], f["term"]), f)
        if other is not f:
            first, last = sorted((other, f), key=lambda g: g["to"])
            renewed = sorted(first["renewed"] + last["renewed"])
            apart = [b for a, b in zip(renewed, renewed[1:]) if b - a > READING]
            terms[f["host"], f["term"]] = {**last, "from": min(f["from"], other["from"]),
                                           "renewed": [renewed[0], *apart]}
    return sorted(terms.values(), key=lambda f: f["from"])
