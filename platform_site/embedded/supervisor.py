"""Keeps the children of an embedded instance running, and stops them in order."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from types import FrameType

from platform_site.embedded.processes import Child, wait

Report = Callable[[Child, int, float], None]

# Five seconds in all: the worker's soft shutdown takes three, what is left over is swept later.
STOP_SECONDS = 4.0
LAST_STOP_SECONDS = 1.0
TICK_SECONDS = 0.1


class Supervisor:
    """Starts children, restarts the dead with backoff, stops all on request.

    `foundation` is what the others lean on (the bundled Redis server, where there is one): the
    caller starts it first, and it is stopped last.
    """

    def __init__(self, *, foundation: Child | None, report: Report) -> None:
        self.foundation = foundation
        self.children: list[Child] = []
        self.report = report
        self.stopping = False

    def take_signals(self) -> None:
        """Let Ctrl-C, `kill` and a closed terminal ask for an orderly stop."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)

    def start(self, *children: Child) -> None:
        self.children.extend(children)
        for child in children:
            child.start(time.monotonic())

    def everyone(self) -> list[Child]:
        return [self.foundation, *self.children] if self.foundation else self.children

    def tick(self) -> None:
        """Restart who died and is due."""
        self._reap()
        now = time.monotonic()
        for child in self.everyone():
            if not child.is_running and now >= child.start_at:
                child.start(now)

    def run(self, each_second: Callable[[], None]) -> None:
        """Tick until asked to stop."""
        last = 0.0
        while not self.stopping:
            self.tick()
            if time.monotonic() - last >= 1:
                last = time.monotonic()
                each_second()
            time.sleep(TICK_SECONDS)

    def stop(self) -> None:
        """Stop the children, the foundation last; force whoever does not follow."""
        self.stopping = True
        _stop_all([child for child in self.children if child.is_running], STOP_SECONDS)
        if self.foundation is not None and self.foundation.is_running:
            _stop_all([self.foundation], LAST_STOP_SECONDS)

    def _reap(self) -> None:
        for child in self.everyone():
            if not child.is_running:
                continue
            status = wait(child.pid, seconds=0)
            if status is not None:
                # Whatever it had started goes with it.
                child.signal(signal.SIGKILL)
                delay = child.ended(time.monotonic())
                self.report(child, status, delay)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True


def _stop_all(children: list[Child], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    for child in children:
        child.signal(signal.SIGTERM)
    for child in children:
        if wait(child.pid, seconds=max(0.0, deadline - time.monotonic())) is None:
            child.signal(signal.SIGKILL)
            os.waitpid(child.pid, 0)
        else:
            child.signal(signal.SIGKILL)  # what it left behind in its group
        child.pid = 0
