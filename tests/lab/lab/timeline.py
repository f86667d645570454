# SPDX-License-Identifier: Apache-2.0
"""What happens, as it happens: one line each, with the seconds since the beginning."""

import sys
import threading

from . import clock


class Timeline:
    def __init__(self, out=None, quiet=False, colour=None):
        self.out = out or sys.stdout
        self.quiet = quiet
        self.colour = self.out.isatty() if colour is None else colour
        self.began = clock.now()
        self._lock = threading.Lock()
        self._watcher = None
        self._stop = threading.Event()
        self._waiting = None

    def restart(self):
        self.began = clock.now()

    def note(self, text, at=None, mark=" ", code=None):
        """at: when it happened (clock.now()), if that was not just now."""
        if self.quiet:
            return
        seconds = ((at or clock.now()) - self.began) / clock.SECOND
        line = f"{seconds:8.3f}  {mark} {text}"
        if self.colour and code:
            line = f"\033[{code}m{line}\033[0m"
        with self._lock:
            print(line, file=self.out, flush=True)

    def fault(self, text, at=None):
        self.note(text, at, mark="!", code="1;31")

    def good(self, text, at=None):
        self.note(text, at, mark="+", code="32")

    def bad(self, text, at=None):
        self.note(text, at, mark="-", code="33")

    def head(self, text):
        if not self.quiet:
            with self._lock:
                line = f"\n--- {text} " + "-" * max(0, 90 - len(text))
                print(f"\033[1m{line}\033[0m" if self.colour else line, file=self.out, flush=True)

    # Watching the witnesses

    def watch(self, lab, unit="worker.service", silence_ms=60):
        """Tell from the witness's own beats who starts and who stops running the unit."""
        self._stop.clear()
        self._watcher = threading.Thread(target=self._follow, args=(lab, unit, silence_ms), daemon=True)
        self._watcher.start()

    def stop(self):
        self._stop.set()
        if self._watcher and self._watcher is not threading.current_thread():
            self._watcher.join(timeout=2)
        self._watcher = None

    def _follow(self, lab, unit, silence_ms):
        testimony = lab.testimony(unit)
        running = {}                        # host -> the process that is told to run there
        said_silent = None
        while not self._stop.wait(0.02):
            try:
                testimony.read()
            except OSError:
                return                      # the lab is being taken down
            now = clock.now()
            latest = {}
            for p in testimony.processes.values():
                if p.host not in latest or p.last > latest[p.host].last:
                    latest[p.host] = p
            for host, p in latest.items():
                alive = now - p.last < silence_ms * clock.MS
                if alive and running.get(host) is not p:
                    if running.get(host) is None and said_silent:
                        said_silent = None
                    self.good(f"{host} runs the unit: pid {p.pid}, term {p.term}", p.first)
                    running[host] = p
                elif not alive and running.get(host) is not None:
                    how = "stopped in order" if p.ended else "was killed"
                    if lab[host].frozen_at is not None:
                        how = "stands still, frozen"
                    self.bad(f"{host}: the unit {how}", p.last)
                    running[host] = None
            if running and not any(running.values()):
                said_silent = said_silent or now
            if len([p for p in running.values() if p]) > 1:
                self.fault(f"TWO HOSTS RUN THE UNIT: {[h for h, p in running.items() if p]}")
