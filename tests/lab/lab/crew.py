# SPDX-License-Identifier: Apache-2.0
"""Several labs side by side. Each worker is a process with one lab; it is given the cells of that lab one after the
other, and then cells of the kind of which most are left. A cell during which the machine itself paused, or which failed
while polkitd hung by a fault of its own, is void: it is run once more at the end, with no other lab beside it, and that
result counts."""

import collections
import multiprocessing
import multiprocessing.connection
import os
import signal

from . import clock, pulse
from .cells import KINDS
from .scenario import TWO_HOSTS
from .shell import LabError

# Labs for each two processors: a cell mostly waits. tests/lab/README.md has measurements.
JOBS_FOR_TWO = 4
# PID 1 of a host has five inotify instances and logind one. They all belong to root, whose limit on the whole machine is
# 128 by default, and without one a host does not boot.
INOTIFY_LIMIT = "/proc/sys/fs/inotify/max_user_instances"
INOTIFY_FOR_A_LAB = 26
INOTIFY_FOR_OTHERS = 20
# A fresh lab costs about as much as a cell: fewer cells are left to the worker that has their lab.
WORTH_A_LAB = 2
READ_PULSE_S = 1.0
END_TIMEOUT_S = 90


def jobs_here():
    """The number of labs at the same time that processors and inotify instances allow."""
    with open(INOTIFY_LIMIT, encoding="ascii") as f:
        for_inotify = (int(f.read()) - INOTIFY_FOR_OTHERS) // INOTIFY_FOR_A_LAB
    return max(1, min(JOBS_FOR_TWO * len(os.sched_getaffinity(0)) // 2, for_inotify))


class Outcome:
    """The outcome of one run of a cell. story: how to draw it, if requested; versions: of the lab."""

    def __init__(self, passed, figures, why, began, ended, versions=None, story=None, excuse=""):
        self.passed, self.figures, self.why = passed, figures, why
        self.began, self.ended = began, ended           # clock.now()
        self.versions, self.story, self.excuse = versions or {}, story, excuse
        self.alone = False
        self.pause_ms = 0.0

    @property
    def seconds(self):
        return (self.ended - self.began) / clock.SECOND

    @property
    def two_hosts(self):
        return not self.passed and self.why.startswith(TWO_HOSTS)

    @property
    def void(self):
        """Why its result does not count, or "". The result of a second run always counts."""
        if self.alone:
            return ""
        if pulse.voids(self.pause_ms, self.two_hosts):
            return f"the machine stopped for {self.pause_ms:.0f} ms"
        return "" if self.passed or self.two_hosts else self.excuse


class Worker:
    """A process with one lab at a time."""

    def __init__(self, make_runner, scenarios, others):
        self.pipe, theirs = multiprocessing.Pipe()
        # A worker that kept the other ends open would hide from the others that this process is gone.
        ours = [self.pipe, *(w.pipe for w in others)]
        self.process = multiprocessing.get_context("fork").Process(target=_work, args=(theirs, ours, make_runner, scenarios))
        self.process.start()
        theirs.close()
        self.kind = self.turn = None

    def give(self, turn):
        self.kind, self.turn = turn.cell[1:], turn
        self.pipe.send(turn)

    def end(self):
        """After its lab is taken down, or kept."""
        try:
            self.pipe.send(None)
        except OSError:
            pass                    # it is gone
        self.process.join(END_TIMEOUT_S)

    def interrupt(self):
        """Runs in a session of its own, so that a Ctrl-C reaches it once, through this process."""
        if self.process.is_alive():
            os.kill(self.process.pid, signal.SIGINT)
        self.process.join(END_TIMEOUT_S)


# One run of a cell; number: which one of several.
Turn = collections.namedtuple("Turn", "cell number")


class Crew:
    """make_runner(method, platform): a Runner, made in the worker's process. done(turn, outcome): called when a run ends,
        for each cell at last with an outcome that is not void."""

    def __init__(self, jobs, make_runner, scenarios, done, say=print):
        self.jobs, self.make_runner, self.done, self.say = jobs, make_runner, done, say
        self.scenarios = {s.name: s for s in scenarios}
        self.left = collections.OrderedDict((kind, collections.deque()) for kind in KINDS)
        self.void = []
        self.workers = []

    def run(self, turns):
        """Runs all of them. On an interruption, every lab is taken down first."""
        for turn in turns:
            if not self._scenario(turn).alone:
                self.left[turn.cell[1:]].append(turn)
        with pulse.Pulse(self.say) as self.pulse:
            try:
                self._side_by_side(min(self.jobs, sum(map(len, self.left.values()))))
                self._alone([t for t in turns if self._scenario(t).alone])
            except BaseException:
                for w in self.workers:
                    w.interrupt()
                raise

    def _side_by_side(self, jobs):
        for _ in range(jobs):
            self._start()
        for w in list(self.workers):
            self._give_next(w)
        while self.workers:
            for w in self._answered():
                self._take(w)
                for other in [v for v in self.workers if v.turn is None]:
                    self._give_next(other)      # also to a worker that had to wait for this one's end

    def _alone(self, turns):
        """Runs these and the void ones, one after the other."""
        void, self.void = self.void, []
        if void:
            self.say(f"{len(void)} void: run again, alone")
        worker = None
        for turn in sorted([*turns, *void], key=lambda t: KINDS.index(t.cell[1:])):
            if worker is None or worker not in self.workers:
                worker = self._start()
            worker.give(turn)
            while worker.turn:
                for ready in self._answered():
                    self._take(ready, alone=True)
        if worker in self.workers:
            self._end(worker)

    def _answered(self):
        """The workers with a message. The pulse is read all the time, because its pipe must not fill up."""
        while True:
            ready = multiprocessing.connection.wait([w.pipe for w in self.workers], READ_PULSE_S)
            self.pulse.read()
            if ready:
                return [w for w in self.workers if w.pipe in ready]

    def _take(self, worker, alone=False):
        turn = worker.turn
        try:
            outcome = worker.pipe.recv()
        except EOFError:
            self.workers.remove(worker)
            worker.process.join(END_TIMEOUT_S)
            at = clock.now()
            outcome = Outcome(False, {}, f"its process ended with status {worker.process.exitcode}", at, at)
            if any(self.left.values()) and not self.workers and not alone:
                self._start()
        worker.turn = None
        outcome.alone = alone
        outcome.pause_ms = self.pulse.longest_ms(outcome.began, outcome.ended)
        if outcome.void:
            self.void.append(turn)
        self.done(turn, outcome)

    # Which worker runs what next

    def _start(self):
        worker = Worker(self.make_runner, self.scenarios, self.workers)
        self.workers.append(worker)
        return worker

    def _end(self, worker):
        self.workers.remove(worker)
        worker.end()

    def _give_next(self, worker):
        if not any(self.left.values()):
            return self._end(worker)
        kind = self._kind_for(worker)
        turn = kind and self._next_of(self.left[kind])
        if turn:
            return worker.give(turn)
        if kind is None:
            return self._end(worker)
        return None                 # until a heavy one elsewhere has ended

    def _kind_for(self, worker):
        """The worker's own kind while it has cells; then the kind with most cells left for each of its workers."""
        if worker.kind and self.left[worker.kind]:
            return worker.kind

        def share(kind):
            return len(self.left[kind]) / (1 + sum(w.kind == kind and w is not worker for w in self.workers))
        kind = max(self.left, key=share)
        begun = any(w.kind == kind for w in self.workers if w is not worker)
        return kind if self.left[kind] and (not begun or len(self.left[kind]) >= WORTH_A_LAB) else None

    def _next_of(self, turns):
        """The first cell that may run now: only one heavy cell runs at a time."""
        busy = any(w.turn and self._scenario(w.turn).heavy for w in self.workers)
        for turn in turns:
            if not (busy and self._scenario(turn).heavy):
                turns.remove(turn)
                return turn
        return None

    def _scenario(self, turn):
        return self.scenarios[turn.cell.scenario]


def _work(pipe, not_ours, make_runner, scenarios):
    """The process of a worker."""
    os.setsid()
    for other in not_ours:
        other.close()
    runner = kind = None
    try:
        while (turn := pipe.recv()) is not None:
            if turn.cell[1:] != kind:
                if runner:
                    runner.__exit__(None, None, None)
                kind = turn.cell[1:]
                runner = make_runner(*kind).__enter__()
            pipe.send(_attempt(runner, scenarios[turn.cell.scenario], turn))
    except (KeyboardInterrupt, EOFError):
        pass                        # EOFError: the parent process is gone
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if runner:
            runner.__exit__(None, None, None)


def _attempt(runner, scenario, turn):
    began = clock.now()
    try:
        passed, figures, why = runner.run(scenario)
    except LabError as e:
        passed, figures, why = False, {}, str(e)
    ended = clock.now()
    return Outcome(passed, figures, why, began, ended, runner.versions,
                   runner.details(scenario, turn) if passed else None, runner.excuse)
