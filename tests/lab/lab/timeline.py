# SPDX-License-Identifier: Apache-2.0
"""Prints events as they happen: one line each, with the seconds since the beginning."""

import sys
import threading

from . import clock
from .watcher import Watcher


class Timeline:
    def __init__(self, out=None, quiet=False, colour=None):
        self.out = out or sys.stdout
        self.quiet = quiet
        self.colour = self.out.isatty() if colour is None else colour
        self.began = clock.now()
        self._lock = threading.Lock()
        self._watcher = None
        self._stop = threading.Event()

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

    def watch(self, lab, unit="worker.service"):
        self._stop.clear()
        self._watcher = threading.Thread(target=self._follow, args=(lab, unit), daemon=True)
        self._watcher.start()

    def stop(self):
        self._stop.set()
        if self._watcher and self._watcher is not threading.current_thread():
            self._watcher.join(timeout=2)
        self._watcher = None

    def _follow(self, lab, unit):
        watcher = Watcher(self)
        while not self._stop.wait(0.02):
            try:
                testimony = lab.testimony(unit)
            except OSError:
                return                      # the lab is being taken down
            watcher.look(testimony, clock.now())
