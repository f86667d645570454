# SPDX-License-Identifier: Apache-2.0
"""Scenarios: faults, and what must be true afterwards, in about ten lines each.

    @scenario("the keeper is killed")
    def keeper_killed(t):
        old = t.leader
        pid = old.main_pid(t.keeper)
        t.fault(f"kill -9 of the keeper on {old}", lambda: old.kill(t.keeper))
        t.effect("the keeper's process is gone", lambda: old.main_pid(t.keeper) != pid)
        t.next_leader()
        t.gap_at_most(500)

Every scenario must meet these demands without stating them: the witness beats before and after, the
fault is seen to take effect, no two hosts ever run the unit at once, and terms only grow.
"""

import os
import signal
import time
import traceback

from . import clock, counters, polkit, sanitizers
from .cluster import Cluster
from .lab import Lab, make_lowers
from .platforms import CACHE
from .processes import goes_on, mark
from .roots import locked
from .shell import LabError, wait_for
from .wholeness import Fingerprint

CELL_TIMEOUT = 180
FAILURES = f"{CACHE}/failures"
ALL = []
TWO_HOSTS = "TWO HOSTS RAN THE UNIT"


class Failed(Exception):
    """The product did not do what it must do."""


class TwoHosts(Failed):
    """The product did what it must never do. No second attempt can excuse that."""

    def __init__(self, text):
        super().__init__(f"{TWO_HOSTS}: {text}")


def scenario(title, *, dual_ms=0, breaks="", heavy=False, alone=False):
    """breaks: the assumption of the promise that is broken on purpose. dual_ms: for how long two hosts may then run the unit
    at most; without it, not at all. heavy: the scenario needs most of the machine, so only one of these runs at a time.
    alone: it pauses the machine itself for a moment, so no other lab runs beside it."""
    if dual_ms and not breaks:
        raise ValueError("two hosts may run the unit only where an assumption is broken")

    def declare(function):
        function.title, function.dual_ms, function.name = title, dual_ms, function.__name__
        function.breaks, function.heavy, function.alone = breaks, heavy, alone
        if any(other.name == function.name for other in ALL):
            raise ValueError(f"two scenarios are named {function.name}")
        ALL.append(function)
        return function
    return declare


class Trial:
    """One run of one scenario on one platform: what a scenario is given."""

    def __init__(self, cluster, timeline):
        self.cluster, self.lab, self.timeline = cluster, cluster.lab, timeline
        self.db, self.hosts = self.lab.db, self.lab.hosts
        self.group, self.unit, self.keeper = cluster.group, cluster.unit, cluster.keeper
        self.method = cluster.method
        self.measure_lease()
        self.leader = cluster.wait_ready()
        self.check(f"the group is led by the method {self.method}",
                   self.db.lease(self.group)["method"] == self.method)
        self.began = clock.now()    # from here on the witness must have seen it on one host at a time
        self.fault_at = self.first_fault_at = None
        self.unseen = None          # the fault whose effect was not seen yet
        self.beside_ms = 0.0        # dual-active time that no witness shows, measured by the scenario
        self.figures = {}
        self.spent = False          # the next scenario needs a lab of its own
        self.shared_terms = set()   # terms of a host that exists twice

    def measure_lease(self):
        """The spans of agent/base/budget.h, for the cluster's lease."""
        self.lease_ms, self.stop_ms = _ms(self.cluster.lease), _ms(self.cluster.stop_timeout)
        self.kill_ms = min(1000, self.lease_ms / 10)
        self.slack_ms = 300
        self.duration_ms = self.lease_ms * 0.998 - self.slack_ms - self.stop_ms - self.kill_ms

    @property
    def standbys(self):
        return [h for h in self.hosts if h is not self.leader]

    def note(self, text):
        self.timeline.note(text)

    # The fault

    def fault(self, text, do):
        """Causes a fault, and remembers when. Its effect must be seen before the next one."""
        self._beat("before the fault", clock.now())
        return self.fault_in_the_dark(text, do)

    def fault_in_the_dark(self, text, do):
        """The same while no host runs the unit."""
        self._all_seen()
        self.unseen = text
        self.fault_at = clock.now()
        self.first_fault_at = self.first_fault_at or self.fault_at
        self.timeline.fault(text, self.fault_at)
        return do()

    def stop_agent(self, host, why=""):
        """Stops an agent as an operator would, and with it what it leads."""
        self.fault(f"systemctl stop tenured on {host}{why}", lambda: host.systemctl("stop", "tenured.service"))
        self.effect("it does not run", lambda: host.state("tenured.service") == "inactive")

    def kill_keeper(self, host):
        keeper = host.main_pid(self.keeper)
        self.fault(f"kill -9 of the keeper on {host}", lambda: host.kill(keeper))
        self.effect("that keeper is gone", lambda: host.main_pid(self.keeper) != keeper)

    def until_restart(self, host, meanwhile=None):
        """Waits until the host has restarted itself. Returns when. meanwhile: called repeatedly."""
        end, init = clock.now() + 20 * clock.SECOND, mark(host.leader)
        while goes_on(init):
            if meanwhile:
                meanwhile()
            self.check("the host has restarted itself within 20 s", clock.now() < end)
            time.sleep(0.002)
        return clock.now()

    def effect(self, text, condition, timeout=10):
        """Waits for the effect of a fault, without which the scenario would prove nothing."""
        try:
            value = wait_for(text, condition, timeout=timeout)
        except LabError:
            raise Failed(f"the fault did not take effect: not seen in {timeout} s: {text}") from None
        self.timeline.note(f"seen: {text}")
        self.unseen = None
        return value

    def _all_seen(self):
        if self.unseen:
            raise Failed(f"the scenario has shown no effect of a fault: {self.unseen}")

    # The outcome

    def next_leader(self, timeout=None):
        """Waits until another host than the former leader runs the unit. Returns it."""
        try:
            new = self.cluster.wait_leader(self.leader, timeout or self.lease_ms / 1000 + 10)
        except LabError as e:
            raise Failed(str(e)) from None
        self.timeline.good(f"{new} leads")
        return new

    def until(self, text, condition, timeout=10, every=0.02):
        try:
            return wait_for(text, condition, timeout=timeout, every=every)
        except LabError as e:
            raise Failed(str(e)) from None

    def stays(self, text, condition, seconds):
        """The condition is true now, and stays so for so many seconds."""
        end = clock.now() + seconds * clock.SECOND
        while clock.now() < end:
            self.check(text, condition())
            time.sleep(0.1)

    def said(self, host, unit, words, priority="debug"):
        """The lines with these words in the journal of a host, of this priority or a higher one, since the fault."""
        lines = host.sh(f"journalctl -q -b -o short-monotonic -p {priority} -u {unit}", check=False).splitlines()
        return [line for line in lines if words in line and clock.logged_at(line) >= self.fault_at]

    def old_term_is_refused(self, term):
        """The database refuses the old term, as it would for an application."""
        try:
            self.db.psql(f"select tenure.assert_leader('{self.group}', {term})")
        except LabError as e:
            self.check(f"it is the term that is refused: {e}", f'"{self.group}" is not led with term {term}' in str(e))
            return
        raise Failed(f"term {term} is not refused")

    def check(self, text, value):
        if not value:
            raise Failed(f"not so: {text}")

    # The witness

    @property
    def testimony(self):
        return self.lab.testimony(self.unit)

    def gap_ms(self, since=None):
        """The gap since the last fault, up to the last beat of all hosts, which must be recent or the scenario fails."""
        t, since = self.testimony, since or self.fault_at
        gap = clock.ms(t.gap(since, t.last_beat() or since))
        return 0.0 if gap < 10 else gap     # the interval of the beats is no gap

    def gap_at_most(self, limit):
        """The gap since the last fault."""
        gap = self.gap_ms()
        self.check(f"gap of {gap:.0f} ms is at most {limit:.0f} ms", gap <= limit)

    def undisturbed(self, seconds):
        """The same processes beat all that time."""
        before = {p.pid for p in self.testimony.processes.values()
                  if p.last > self.fault_at - 100 * clock.MS}
        time.sleep(seconds)
        t = self.testimony
        after = {p.pid for p in t.processes.values() if p.last > t.read_at - 100 * clock.MS}
        self.check(f"the same processes run: {sorted(before)} before, {sorted(after)} after",
                   before and before == after)
        self.check("none was started since", not t.started(self.fault_at))

    def dead_within(self, host, limit_ms, since=None):
        """The unit's last beat on a host came at most limit_ms after the fault."""
        last = self.testimony.last_beat(host.name)
        took = clock.ms(last - (since or self.fault_at))
        self.figures["dead after"] = f"{max(took, 0):.0f} ms"
        self.check(f"{host}'s last beat, {took:.0f} ms after the fault, within {limit_ms:.0f} ms",
                   took <= limit_ms)

    def silent(self, host, since=None):
        """There is no beat of a host since the fault."""
        n = self.testimony.beats(since or self.fault_at, clock.now(), host.name)
        self.check(f"no beat of {host} ({n} seen)", n == 0)

    def one_at_a_time(self, unit, allowed_ms=0, terms=True):
        """No two hosts ran this witness at once for longer than allowed, and its terms, if it has any, only grew.
        Returns for how long two hosts did, in ms."""
        seen = self.lab.testimony(unit)
        dual = clock.ms(seen.dual_active(self.began, clock.now()))
        if dual > allowed_ms:
            raise TwoHosts(f"{unit}, for {dual:.1f} ms:\n" + _spans(seen, self.began))
        if terms and (faults := seen.term_faults(self.shared_terms)):
            raise TwoHosts(f"{unit}, by its terms: " + "; ".join(faults[:5]))
        return dual

    def verdict(self, dual_ms):
        """Must hold for every scenario, even a failed one. Returns the dual-active time of the whole scenario, in ms."""
        return self.one_at_a_time(self.unit, allowed_ms=dual_ms - self.beside_ms) + self.beside_ms

    def _beat(self, when, at, within_ms=100):
        wait_for(f"a beat {when}", lambda: self.testimony.beats(at - within_ms * clock.MS, clock.now()),
                 timeout=2)

    # The verdict

    def finish(self, dual_ms):
        """Checks of every scenario. Returns (gap, dual-active) in ms: the longest gap since the first fault, and the total
        dual-active time of the scenario."""
        if self.fault_at is None:
            raise Failed("the scenario has shown no fault")
        self._all_seen()
        try:
            self._beat("after the fault", clock.now())
        except LabError as e:
            raise Failed(str(e)) from None
        return self.gap_ms(self.first_fault_at), self.verdict(dual_ms)


def _spans(testimony, since):
    lines = []
    for host, pieces in sorted(testimony.intervals(since).items()):
        for a, b in pieces:
            lines.append(f"    {host}: {clock.ms(a - since):.1f} … {clock.ms(b - since):.1f} ms")
    return "\n".join(lines)


def _ms(text):
    """"4s" or "1500ms"."""
    return float(text[:-2]) if text.endswith("ms") else float(text.rstrip("s")) * 1000


class Runner:
    """One lab for all scenarios of a method and platform, and a new one when the old is not whole: when it cannot be
    restored, or differs from a fresh one."""

    def __init__(self, method, platform, timeline, keep=False, sanitize=False, counted=None):
        self.method, self.platform, self.timeline, self.keep = method, platform, timeline, keep
        self.sanitize, self.counted = sanitize, counted
        self.lab = self.cluster = self.trial = self.whole = None
        self.labs = 0               # the number of labs made so far
        self.prepared = False
        self.versions = {}
        self.excuse = ""            # what other than the product may have failed in the last cell

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._drop(keep=self.keep)

    def _drop(self, keep=False):
        lab, self.lab, self.cluster = self.lab, None, None
        if lab:
            lab.keep = keep
            try:
                lab.record()
                if self.counted:
                    counters.finish(lab)
            finally:
                lab.__exit__(None, None, None)

    def _prepare(self):
        """The first time this takes minutes, and is not part of a cell."""
        if not self.prepared:
            make_lowers(self.platform, self.timeline.note, sanitize=self.sanitize, counted=self.counted)
            self.prepared = True

    def _fresh(self):
        self._drop()
        # One at a time: two processors cannot boot four hosts beside labs in which times are measured.
        with locked("boot"):
            lab = Lab(self.platform, timeline=self.timeline, sanitize=self.sanitize, counted=self.counted)
            lab.__enter__()
            self.lab = lab
            self.labs += 1
            lab.boot()
            if self.sanitize:
                sanitizers.check_build(lab.hosts[0])
            self.cluster = Cluster(lab, method=self.method).install()
        self.cluster.start()
        self.versions = lab.versions()
        self.whole = Fingerprint(lab, self.cluster.unit)
        self.timeline.note(f"{lab.platform}: systemd {self.versions['systemd']}, PostgreSQL "
                           f"{self.versions['postgresql']}, build {self.versions['build']}")

    def ready(self):
        """Provides a lab in which one node leads and all others are standbys."""
        if self.lab:
            try:
                self._reset()
                return
            except LabError as e:
                self.timeline.note(f"a fresh lab, because: {str(e).splitlines()[0]}")
        self._fresh()

    def _reset(self):
        lab, cluster = self.lab, self.cluster
        for host in lab.all_hosts():
            if host.cut_how:
                host.heal()
            if host.frozen_at is not None:
                host.thaw()
            if host.nspawn is not None and host.nspawn.poll() is not None:
                host.pull_plug()
        lab.boot()
        if not lab.db.ready():
            lab.db.start()
        for host in lab.hosts:
            if host.exists("/usr/sbin/tenured.away"):
                host.run("mv", "/usr/sbin/tenured.away", "/usr/sbin/tenured")
            if host.state("tenured.service") != "active":
                host.systemctl("start", "tenured.service")
            else:
                host.sh("kill -CONT $(systemctl show --value -p MainPID tenured)", check=False)
            # Units that were killed are rightly left failed; the next scenario starts without any.
            host.systemctl("reset-failed")
            if host.exists(f"/etc/systemd/system/multi-user.target.wants/{cluster.unit}"):
                host.systemctl("disable", "--quiet", cluster.unit)
        # A former leader waits for a while before it claims again: two leases, and a reserve.
        cluster.wait_ready(timeout=30)
        if cluster.worker_options:
            cluster.worker()
            cluster.wait_ready()
        if lab.network.is_divided() or (left := self.whole.differs(Fingerprint(lab, cluster.unit))):
            raise LabError("the network is divided" if lab.network.is_divided() else left)

    def _account(self, function):
        """Writes the hosts' journals to a file that outlives them."""
        if not self.cluster:
            return ""
        os.makedirs(FAILURES, exist_ok=True)
        path = f"{FAILURES}/{function.name}-{self.method}-{self.platform}.log"
        with open(path, "w", encoding="utf-8") as f:
            f.write(self.cluster.account())
        return f"\nthe journals of all hosts: {path}"

    def _worse(self, failure, function):
        """Even for a failed run the lab must know whether two hosts ran the unit."""
        try:
            if self.trial and not isinstance(failure, TwoHosts):
                self.trial.verdict(function.dual_ms)
        except TwoHosts as worse:
            return f"{worse}\nafter: {failure}"
        return str(failure)

    def _excuse(self, began):
        host = polkit.hung(self.lab.hosts, began) if self.lab else None
        return f"polkitd of {host} hung for 15 s by a fault of its own" if host else ""

    def details(self, _function, _turn):
        """More about the last run, by a runner that keeps more."""
        return None

    def run(self, function):
        """Runs one cell of the matrix. Returns (passed, figures, reason)."""
        self.timeline.head(f"{function.name}, {self.method} on {self.platform}: {function.title}")

        def overdue(*_):
            raise LabError(f"not done after {CELL_TIMEOUT} s")
        before = signal.signal(signal.SIGALRM, overdue)
        began, self.excuse = clock.now(), ""
        try:
            self._prepare()
            signal.alarm(CELL_TIMEOUT)
            self.trial = None
            self.ready()
            trial = self.trial = Trial(self.cluster, self.timeline)
            function(trial)
            gap, dual = trial.finish(function.dual_ms)
            if self.sanitize:
                sanitizers.check(self.lab)
            if trial.spent and not self.keep:
                self._drop()
            return True, {"gap": gap, "dual": dual, **trial.figures}, ""
        except Exception as e:          # a mistake in a scenario fails that one alone
            said = str(e) if isinstance(e, (Failed, LabError)) else traceback.format_exc()
            signal.alarm(60)
            try:
                said = self._worse(e, function) + self._account(function)
                self.excuse = self._excuse(began)
            except (LabError, OSError) as more:
                said += f"\n{more}"
            if not self.keep:
                signal.alarm(60)
                self._drop()        # the remains of a failure must not affect the next cell
            return False, {}, said
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
