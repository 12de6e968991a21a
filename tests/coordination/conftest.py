"""Redis as it is on bad days: gone, frozen, restarted, full. And many processes at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis

from moderation.coordination import connection
from platform_site.embedded import redis_server
from platform_site.embedded.processes import tie_to


@pytest.fixture
def name() -> str:
    """Name something that no other test knows."""
    return f"test-{uuid4()}"


def use_client(monkeypatch, client: redis.Redis) -> None:
    """Let everything that processes share go to another server."""
    shared = connection.shared_redis()
    monkeypatch.setattr(shared, "_client", client)
    monkeypatch.setattr(shared, "_bypassed_until", 0.0)


def nobody() -> redis.Redis:
    """Return a client of a server that is not there."""
    return connection._client("redis://127.0.0.1:1")


@pytest.fixture
def no_redis(monkeypatch) -> None:
    """Redis refuses connections."""
    use_client(monkeypatch, nobody())


@pytest.fixture(params=["shared", "alone"])
def either(request) -> None:
    """The rule is one, whether Redis is there or not."""
    if request.param == "alone":
        request.getfixturevalue("no_redis")


class Server:
    """A Redis server of a test's own, which it may freeze, kill and fill."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / "redis.sock"
        self.start()

    def start(self) -> None:
        redis_server.make_folders(listen_on=self.path, folder=self._folder / "data")
        binary = redis_server.find_binary()
        argv = redis_server.command(
            binary=binary, listen_on=self.path, folder=self._folder / "data"
        )
        parent = os.getpid()
        self._process = subprocess.Popen(
            argv,
            stdout=subprocess.DEVNULL,
            preexec_fn=lambda: tie_to(parent, name="redis"),  # noqa: PLW1509
        )
        deadline = time.monotonic() + 10
        while not redis_server.answers(self.path):
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def server(monkeypatch) -> Iterator[Server]:
    # A socket's path may have a hundred letters; pytest's own folders take most of them.
    with tempfile.TemporaryDirectory(prefix="gatehouse-") as folder:
        server = Server(Path(folder))
        use_client(monkeypatch, connection._client(f"unix://{server.path}"))
        yield server
        server.kill()


def in_processes(count: int, work: Callable[[float], object]) -> list[object]:
    """Return what `work` returns in each of several processes, told when all of them began."""
    fork = multiprocessing.get_context("fork")
    began, answers = fork.Value("d"), fork.SimpleQueue()

    def set_off() -> None:
        began.value = time.monotonic()

    barrier = fork.Barrier(count, set_off)

    def run() -> None:
        # On a machine that is too busy to answer in time, each process would go on alone.
        shared = connection.shared_redis()
        shared._client.connection_pool.connection_kwargs["socket_timeout"] = 10.0
        barrier.wait()
        answers.put(work(began.value))

    workers = [fork.Process(target=run, daemon=True) for _ in range(count)]
    for worker in workers:
        worker.start()
    found = [answers.get() for _ in workers]
    for worker in workers:
        worker.join()
    return found


def in_threads(count: int, work: Callable[[], object]) -> list[object]:
    """Return what `work` returns in each of several threads that begin at the same moment."""
    begin, found = threading.Barrier(count), []

    def run() -> None:
        begin.wait()
        found.append(work())

    workers = [threading.Thread(target=run) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return found
