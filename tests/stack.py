"""A pytest plugin that gives the suite its stack: loaded by `-p tests.stack` before settings are.

Without DATABASE_URL and REDIS_URL each test process has a data folder, a SQLite file and a bundled
Redis server of its own, as an embedded instance has. With them the same tests run against those
services; test processes then share a server and differ by their prefix.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from redis import Redis

from platform_site import env
from platform_site.embedded import redis_server
from platform_site.embedded.processes import tie_to

REDIS_READY_SECONDS = 10.0


def pytest_configure() -> None:
    """Make the tests quick where nothing is tested by being slow."""
    from django.conf import settings

    # A password's hash is slow on purpose; no test is about that.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def forget_redis() -> None:
    """Delete what tests of this process left in the cache, the layer's database and the limits."""
    from django.conf import settings

    for client in _clients():
        keys = list(client.scan_iter(match=f"*{settings.REDIS_PREFIX}*", count=1000))
        if keys:
            client.delete(*keys)


@cache
def _clients() -> list[Redis]:
    from django.conf import settings

    urls = (settings.REDIS_CACHE_URL, settings.REDIS_LAYER_URL, settings.REDIS_LIMITS_URL)
    return [Redis.from_url(url) for url in urls]


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    for clean in reversed(_cleaners):
        clean()


_cleaners: list[Callable[[], None]] = []


def _make_stack() -> None:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    data = Path(tempfile.mkdtemp(prefix=f"gatehouse-test-{worker}-"))
    os.environ["GATEHOUSE_DATA"] = str(data)
    os.environ["REDIS_PREFIX"] = f"test-{worker}-{os.getpid()}"
    _cleaners.append(partial(shutil.rmtree, data, ignore_errors=True))
    if not os.environ.get("REDIS_URL"):
        _start_redis(data)


def _start_redis(data: Path) -> None:
    path, folder = env.socket_of(data), data / "redis"
    redis_server.make_folders(listen_on=path, folder=folder)
    argv = redis_server.command(binary=redis_server.find_binary(), listen_on=path, folder=folder)
    parent = os.getpid()
    with (data / "redis.log").open("wb") as log:
        server = subprocess.Popen(
            argv,
            stdout=log,
            stderr=log,
            # No thread runs yet: this is the first thing that the process does.
            preexec_fn=lambda: tie_to(parent, name="redis"),  # noqa: PLW1509
        )
    _cleaners.append(partial(_stop, server))
    deadline = time.monotonic() + REDIS_READY_SECONDS
    while not redis_server.answers(path):
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError((data / "redis.log").read_text())
        time.sleep(0.01)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGKILL)
    server.wait()


_make_stack()
