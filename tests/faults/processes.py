"""Processes: started so that none outlives the test, frozen, killed, and looked for."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: Path,
    user: pwd.struct_passwd | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a group of its own that dies when the calling thread ends."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise RuntimeError("setpriv (of util-linux) is needed.")
    prefix = [setpriv, "--pdeathsig", "KILL"]
    if user is not None:
        prefix += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*prefix, *argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )


def signal_all(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def family(pid: int) -> list[int]:
    """Return a process and everything that it started, the process itself first."""
    children: dict[int, list[int]] = {}
    for other, parent in _parents():
        children.setdefault(parent, []).append(other)
    found = [pid]
    for member in found:
        found.extend(children.get(member, ()))
    return found


def living_in(folder: Path, token: str = "") -> list[int]:
    """Return the processes that work in a folder or carry `token` in their environment."""
    return [
        pid for pid, _ in _parents() if _works_in(pid, folder) or (token and _carries(pid, token))
    ]


def wait_until(true: Callable[[], object], *, seconds: float, what: str) -> float:
    """Wait for something; return how long it took. Raises `TimeoutError` naming it."""
    began = time.monotonic()
    while not true():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"After {seconds:.0f} s still not: {what}.")
        time.sleep(0.05)
    return time.monotonic() - began


def _parents() -> Iterator[tuple[int, int]]:
    """Yield every living process with its parent; the dead that nobody collected do not count."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):
            # The name in brackets may hold anything: what counts stands after the last bracket.
            state, parent, *_ = (entry / "stat").read_text().rpartition(")")[2].split()
            if state not in "ZX":
                yield int(entry.name), int(parent)


def _works_in(pid: int, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(folder)
    except OSError:
        return False


def _carries(pid: int, token: str) -> bool:
    try:
        return token.encode() in Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return False
