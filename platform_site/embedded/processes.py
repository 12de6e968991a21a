"""One child process: forked from a process that has the site loaded, and never outliving it.

Forking after the imports makes children start in a moment and share most of their memory. For
that, the parent must stay free of threads and of open database or Redis connections.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

# From <linux/prctl.h>; ctypes is the only way to it in the standard library.
PR_SET_PDEATHSIG = 1
PR_SET_NAME = 15

FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 30.0
# Who lived this long is healthy again: its next death is a first one.
HEALTHY_SECONDS = 30.0


@dataclass
class Child:
    """A named process, its log file, and when it may be started again."""

    name: str
    run: Callable[[], None]
    log: Path
    pid: int = 0
    started_at: float = 0.0
    failures: int = 0
    start_at: float = field(default=0.0)

    @property
    def is_running(self) -> bool:
        return self.pid != 0

    def start(self, now: float) -> None:
        """Fork. Times are monotonic seconds."""
        self.started_at = now
        self.pid = fork(self.run, name=self.name, log=self.log)

    def ended(self, now: float) -> float:
        """Note the end of the process; return the seconds until it is due again."""
        self.pid = 0
        self.failures = 1 if now - self.started_at >= HEALTHY_SECONDS else self.failures + 1
        delay = min(FIRST_DELAY_SECONDS * 2.0 ** (self.failures - 1), LONGEST_DELAY_SECONDS)
        self.start_at = now + delay
        return delay

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child and to all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)


def fork(run: Callable[[], None], *, name: str, log: Path) -> int:
    """Run a function in a child of its own group, writing to `log`; return its process id."""
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        with suppress(OSError):  # the child does the same; whoever comes first
            os.setpgid(pid, pid)
        return pid
    status = 1
    try:
        _settle(parent=parent, name=name, log=log)
        run()
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except KeyboardInterrupt:
        status = 130
    except BaseException:  # noqa: BLE001  the last frame of a process: nobody else will report it
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        # The parent's exit handlers are not this process's business.
        os._exit(status)


def wait(pid: int, *, seconds: float) -> int | None:
    """Return the exit status of a child, or None when it still runs after that time."""
    deadline = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.02)


def _settle(*, parent: int, name: str, log: Path) -> None:
    with suppress(OSError):
        os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    tie_to(parent, name=name)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(target, 1)
    os.dup2(target, 2)


def tie_to(parent: int, *, name: str) -> None:
    """Die with the parent, even if that is killed; show the role in the process list."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(PR_SET_NAME, f"gatehouse-{name}".encode()[:15])
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
