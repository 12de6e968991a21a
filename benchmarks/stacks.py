"""The two products under test, each a set of processes that start, answer and stop.

Both get the same machine, PostgreSQL and Redis servers, the same web server and as many processes
that do the work: two web workers and two Celery pool children. Only one of them runs at a time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

import psycopg

from benchmarks.database import PREFIX, Services, connect, drop_database, make_database, remove_keys
from benchmarks.processes import (
    Program,
    cpu_seconds,
    free_port,
    stop,
    tree,
    wait_for_port,
)

BASE = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
# The peer's own text (naive_peer/submit.lua), for both.
TEXT = (
    "Hello there number %(n)d, this is a perfectly ordinary forum post about gardening"
    " and the weather in spring."
)
WEB_WORKERS = 2
POOL_CHILDREN = 2
DECIDED_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Flow:
    """What became of the posts that were accepted since a moment."""

    posts: int
    undecided: int
    accepted_seconds: float
    decided_seconds: float

    @property
    def accepted_per_second(self) -> float:
        return self.posts / self.accepted_seconds

    @property
    def decided_per_second(self) -> float:
        """Posts over the time from the first accepted to the last decided."""
        return self.posts / self.decided_seconds


class Stack(ABC):
    """A running product. A context: entering starts it, leaving stops it."""

    name: ClassVar[str]
    table: ClassVar[str]
    undecided: ClassVar[str]
    path: ClassVar[str]
    item: ClassVar[str]

    def __init__(self, services: Services, *, database: str = "") -> None:
        self.services = services
        self.database = database or f"{PREFIX}_{self.name}"
        self.port = 0
        self._programs: list[Program] = []
        self._folder = Path(tempfile.mkdtemp(prefix=f"gh-bench-{self.name}-"))

    @abstractmethod
    def prepare(self) -> None:
        """Make the product's database."""

    @abstractmethod
    def start(self) -> None:
        """Start the product's programs."""

    @abstractmethod
    def clean_keys(self) -> None:
        """Remove what a leg left in Redis."""

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Type": "application/json"}

    @property
    def pids(self) -> dict[str, int]:
        return {program.log.stem: program.pid for program in self._programs}

    def cpu(self) -> dict[int, float]:
        """Return the processor time of each process of the product, its database sessions
        included where the server runs on this machine.
        """
        with self.connect() as database:
            sessions = database.execute(
                "SELECT pid FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            ).fetchall()
        own = [pid for program in self._programs for pid in tree(program.pid)]
        return {pid: cpu_seconds(pid) for pid in [*own, *(row[0] for row in sessions)]}

    def plan(self, **given: Any) -> dict[str, Any]:
        """Return a plan for the load driver, one post a request unless it says otherwise."""
        return {
            "port": self.port,
            "path": self.path,
            "item": self.item,
            "headers": self.headers,
            **given,
        }

    def __enter__(self) -> Self:
        self.port = free_port()
        try:
            self.start()
            wait_for_port(self.port, self._programs)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        stop(self._programs)
        self._programs.clear()
        self.clean_keys()

    def remove(self) -> None:
        """Remove the product's database and files."""
        drop_database(self.services, self.database)
        shutil.rmtree(self._folder, ignore_errors=True)

    def connect(self) -> psycopg.Connection[Any]:
        return connect(self.services.database_url(self.database))

    def flow_since(self, moment: object) -> Flow:
        """Wait until all posts since a moment of the database's clock are decided."""
        with self.connect() as database:
            deadline = time.monotonic() + DECIDED_SECONDS
            while database.execute(
                f"SELECT EXISTS (SELECT FROM {self.table} WHERE {self.undecided})"
            ).fetchone() != (False,):
                if time.monotonic() > deadline:
                    break
                time.sleep(0.1)
            row = database.execute(
                f"SELECT count(*), count(*) FILTER (WHERE {self.undecided}),"
                " extract(epoch FROM max(created_at) - min(created_at))::float,"
                " extract(epoch FROM max(decided_at) - min(created_at))::float"
                f" FROM {self.table} WHERE created_at >= %s",
                [moment],
            ).fetchone()
        assert row is not None
        return Flow(row[0], row[1], row[2] or 0.0, row[3] or 0.0)

    def database_time(self) -> object:
        with self.connect() as database:
            row = database.execute("SELECT clock_timestamp()").fetchone()
        assert row is not None
        return row[0]

    def launch(self, name: str, *argv: str, env: Mapping[str, str], cwd: Path = BASE) -> None:
        log = self._folder / f"{name}.log"
        self._programs.append(Program(argv, env=env, cwd=cwd, log=log))


class NaivePeer(Stack):
    """`benchmarks/naive_peer`, started exactly as its README says."""

    name = "naive"
    table = "naive_post"
    undecided = "status = 'PENDING'"
    path = "/posts/"
    item = f'{{"author":"user-%(author)d","text":"{TEXT}"}}'
    # Its messages have no prefix of their own: a Redis database for itself.
    redis_database = 7

    def prepare(self) -> None:
        make_database(self.services, self.database)
        subprocess.run(
            [sys.executable, "app.py", "init"], check=True, env=self._env(), cwd=self._home
        )

    def start(self) -> None:
        self.launch(
            "web", str(BIN / "granian"), "--interface", "wsgi", "--workers", str(WEB_WORKERS),
            "--blocking-threads", "2", "--port", str(self.port), "--no-ws", "app:application",
            env=self._env(), cwd=self._home,
        )  # fmt: skip
        self.launch(
            "worker", str(BIN / "celery"), "-A", "app:celery", "worker", "-c", str(POOL_CHILDREN),
            "-l", "warning", "--prefetch-multiplier", "16",
            env=self._env(), cwd=self._home,
        )  # fmt: skip

    def clean_keys(self) -> None:
        url = self.services.redis_url(further=self.redis_database)
        for pattern in ("celery", "_kombu.binding.*", "unacked*"):
            remove_keys(url, pattern)

    @property
    def _home(self) -> Path:
        return BASE / "benchmarks" / "naive_peer"

    def _env(self) -> dict[str, str]:
        parts = urlsplit(self.services.postgres)
        given = {
            "PGDATABASE": self.database,
            "PGUSER": parts.username or "",
            "PGPASSWORD": parts.password or "",
            "PGHOST": parts.hostname or "",
            "PGPORT": str(parts.port or ""),
            "REDIS_URL": self.services.redis_url(further=self.redis_database),
            "POOL": "1",
        }
        return {**_plain_environment(), **{name: value for name, value in given.items() if value}}


@dataclass(frozen=True, slots=True)
class Shape:
    """How Gatehouse is run. The defaults are what the figures in docs/performance.md were
    measured with; `--web-threads` and the like try others.
    """

    web_workers: int = WEB_WORKERS
    web_threads: int = 8
    settings: tuple[tuple[str, str], ...] = ()


class Gatehouse(Stack):
    """Gatehouse in its production shape: granian, Celery prefork, one sweeper."""

    name = "gatehouse"
    table = "moderation_post"
    undecided = "status = 'pending'"
    path = "/api/v1/posts"
    bulk_path = "/api/v1/posts/bulk"
    item = f'{{"author":{{"id":"user-%(author)d"}},"text":"{TEXT}"}}'
    check_path = "/api/v1/check"
    check_item = f'{{"text":"{TEXT}"}}'
    key = ""

    def __init__(
        self,
        services: Services,
        *,
        database: str = "",
        shape: Shape | None = None,
        asks_outside: bool = False,
    ) -> None:
        super().__init__(services, database=database)
        self.shape = shape or Shape()
        # Of the sandbox that judges texts instead of the local model.
        self.sandbox_port = free_port() if asks_outside else 0

    @property
    def headers(self) -> dict[str, str]:
        return {
            **super().headers,
            "Authorization": f"Bearer {self.key}",
            # Another run's numbers are other requests.
            "Idempotency-Key": f"{time.time_ns():x}-%(n)d",
        }

    def repeating_item(self, name: str) -> str:
        """Return an item whose text is the same wherever its author is."""
        text = f"Hello from {name}, %(author)d, where it is spring in every garden."
        return f'{{"author":{{"id":"user-%(author)d"}},"text":"{text}"}}'

    def prepare(self) -> None:
        make_database(self.services, self.database)
        self._run(str(BASE / "manage.py"), "migrate", "-v", "0")
        sandbox = [str(self.sandbox_port)] if self.sandbox_port else []
        self.key = self.ask_inside("benchmarks.seed", *sandbox)

    def start(self) -> None:
        if self.sandbox_port:
            self.launch(
                "sandbox", sys.executable, str(BASE / "manage.py"), "providersim",
                "--port", str(self.sandbox_port),
                env=self._env(),
            )  # fmt: skip
        lanes = "screen.high,screen,screen.low,media,deliver,rescan"
        self.launch(
            "web", str(BIN / "granian"), "--interface", "wsgi",
            "--workers", str(self.shape.web_workers),
            "--blocking-threads", str(self.shape.web_threads), "--port", str(self.port), "--no-ws",
            "--log-level", "warning", "platform_site.wsgi:application",
            env=self._env(),
        )  # fmt: skip
        self.launch(
            "worker", str(BIN / "celery"), "-A", "platform_site", "worker", "-c",
            str(POOL_CHILDREN), "-Q", lanes, "-l", "warning", "--without-gossip",
            "--without-mingle",
            env=self._env(),
        )  # fmt: skip
        self.launch("sweeper", sys.executable, str(BASE / "manage.py"), "sweep", env=self._env())

    def clean_keys(self) -> None:
        for further in range(4):
            remove_keys(self.services.redis_url(further=further), f"{PREFIX}*")

    def ask_inside(self, module: str, *argv: str) -> str:
        """Run a program of ours as one more process of the product; return its last line."""
        return self._run("-m", module, *argv).strip().splitlines()[-1]

    def _run(self, *argv: str) -> str:
        done = subprocess.run(
            [sys.executable, *argv],
            check=False,
            env=self._env(),
            cwd=BASE,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip()[-1_000:]}")
        return done.stdout

    def _env(self) -> dict[str, str]:
        return {
            **_plain_environment(),
            "DATABASE_URL": self.services.database_url(self.database),
            "REDIS_URL": self.services.redis_url(),
            "REDIS_PREFIX": PREFIX,
            "GATEHOUSE_DATA": str(self._folder),
            "GATEHOUSE_URL": f"http://localhost:{self.port or 8000}",
            "GATEHOUSE_PROVIDER_ALLOWED_HOSTS": f"127.0.0.1:{self.sandbox_port}",
            # The limits work, and let one client with 500 authors through.
            "GATEHOUSE_RATE_BURST": "1000000",
            "GATEHOUSE_RATE_PER_SECOND": "1000000",
            "GATEHOUSE_KEY_RATE_BURST": "1000000",
            "GATEHOUSE_KEY_RATE_PER_SECOND": "1000000",
            **dict(self.shape.settings),
        }


def _plain_environment() -> dict[str, str]:
    """Return the environment without what would lead either product to another database."""
    ours = ("DATABASE_", "REDIS_", "CELERY_", "GATEHOUSE_", "PG", "DJANGO_", "PORT")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
