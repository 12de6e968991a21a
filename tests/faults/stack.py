"""The real roles as separate processes, each restarted soon after its death.

As a service manager does it: when a role's main process dies, what it had started dies with it.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, LiteralString

from moderation.vocabulary import Lane
from tests.faults import processes
from tests.faults.servers import Postgres, Rabbit, Redis

ROOT = Path(__file__).resolve().parents[2]
FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 1.0
HEALTHY_SECONDS = 10.0
READY_SECONDS = 90.0
LOG_TAIL_LINES = 25
# Sweeper and scheduler say nothing when they have come up; they take less than this.
QUIET_START_SECONDS = 4.0
ENTRYPOINT = ROOT / "docker" / "entrypoint.sh"


class Part:
    """One role. Only the stack's keeper starts it; anyone may kill it."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        env: dict[str, str],
        works: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = name
        self.log = log
        self.deaths = 0
        self.is_frozen = False
        self.is_wanted = True
        self._argv = argv
        # What it is started with the next time; each part has its own.
        self.env = dict(env)
        self._works = works
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._start_at = 0.0
        self._delay = FIRST_DELAY_SECONDS

    @property
    def pid(self) -> int:
        """The main process, 0 while there is none."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else 0

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._started_at

    @property
    def works(self) -> bool:
        """Whether it runs and does what it is for."""
        return bool(self.pid) and self._works()

    def tick(self) -> None:
        """Start it when it is due; bury it when it has died."""
        now = time.monotonic()
        if self._process is None:
            if self.is_wanted and now >= self._start_at:
                self._started_at = now
                self._process = processes.start(self._argv, log=self.log, env=self.env, cwd=ROOT)
        elif self._process.poll() is not None:
            self.deaths += 1
            self._end_group()
            if now - self._started_at > HEALTHY_SECONDS:
                self._delay = FIRST_DELAY_SECONDS
            self._start_at = now + self._delay
            self._delay = min(self._delay * 2, LONGEST_DELAY_SECONDS)
            self.is_frozen = False
            self._process = None

    def kill(self) -> None:
        """Kill the main process only, as a crash or the kernel would."""
        self._signal(signal.SIGKILL)

    def send_home(self) -> None:
        """Kill it and start no successor until `call_back`."""
        self.is_wanted = False
        self.kill()
        processes.wait_until(lambda: not self.pid, seconds=10, what=f"{self.name} is dead")

    def call_back(self) -> None:
        self.is_wanted = True

    def ask_to_end(self) -> None:
        """Tell the main process to end in order, as a service manager does."""
        self._signal(signal.SIGTERM)

    def kill_child(self, chance: random.Random) -> bool:
        """Kill one of the processes that it started; return whether there was any."""
        pid = self.pid
        children = processes.family(pid)[1:] if pid else []
        if children:
            processes.signal_all([chance.choice(sorted(children))], signal.SIGKILL)
        return bool(children)

    def freeze(self) -> None:
        """Stop it with all that it started, until `thaw`."""
        if pid := self.pid:
            self.is_frozen = True
            processes.signal_all(processes.family(pid), signal.SIGSTOP)

    def thaw(self) -> None:
        self.is_frozen = False
        if pid := self.pid:
            processes.signal_all(processes.family(pid), signal.SIGCONT)

    def stop(self) -> None:
        if self._process is None:
            return
        self._end_group()
        self._process.wait()
        self._process = None

    def _signal(self, number: signal.Signals) -> None:
        if pid := self.pid:
            processes.signal_all([pid], number)

    def _end_group(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)


class Stack:
    """A database, a broker and the roles that a test asks for, in a folder of their own."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.folder = folder
        self.postgres = Postgres(folder)
        self.redis = Redis(folder)
        self.rabbit: Rabbit | None = None
        self.token = f"gatehouse-faults-{secrets.token_hex(8)}"
        self.webs: list[Part] = []
        self.workers: list[Part] = []
        self.sweepers: list[Part] = []
        self.outside: list[Part] = []
        self.roles: list[Part] = []
        self.web_ports: list[int] = []
        self.socket_ports: list[int] = []
        self._env = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "GATEHOUSE_FAULT_RUN": self.token,
            "DJANGO_SETTINGS_MODULE": "platform_site.settings",
            "DATABASE_URL": self.postgres.url,
            "REDIS_URL": self.redis.url,
            "GATEHOUSE_DATA": str(folder / "data"),
            "SECRET_KEY": secrets.token_urlsafe(64),
            "PYTHONUNBUFFERED": "1",
            "GATEHOUSE_STREAM_REDIS_URL": self.redis.url,
            **settings,
        }
        self._stopping = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def parts(self) -> list[Part]:
        return [*self.outside, *self.webs, *self.workers, *self.sweepers, *self.roles]

    # Roles, each as production runs it

    def add_role(self, *words: str, port: int = 0) -> Part:
        """A role by the image's own entrypoint; `port` for those who serve."""
        number = 1 + sum(part.name.startswith(f"{words[0]}-") for part in self.roles)
        name = f"{words[0]}-{number}"
        part = Part(
            name,
            ["sh", str(ENTRYPOINT), *words],
            log=self.folder / f"{name}.log",
            env=self._env | ({"PORT": str(port)} if port else {}),
            works=(lambda: _answers(port)) if port else (lambda: _says_ready(part)),
        )
        self.roles.append(part)
        return part

    def add_balancer(self, port: int, doors: dict[str, Sequence[int]]) -> None:
        """What stands in front of the servers: it tries another one where one does not open."""
        self.outside.append(
            self._part(
                "balancer",
                *("python", "-m", "tests.faults.balancer", str(port), json.dumps(doors)),
            )
        )

    def use_rabbit(self) -> None:
        """Let RabbitMQ carry the messages, not Redis."""
        self.rabbit = Rabbit(self.folder, token=self.token)
        self._env["CELERY_BROKER_URL"] = self.rabbit.url
        self._env["CELERY_QUEUE_TYPE"] = "quorum"

    def add_webs(self, count: int, *, application: str = "platform_site.wsgi:application") -> None:
        for port in (processes.free_port() for _ in range(count)):
            self.web_ports.append(port)
            self.webs.append(
                self._part(
                    f"web-{len(self.webs) + 1}",
                    *("granian", "--interface", "wsgi", "--host", "127.0.0.1"),
                    *("--port", str(port), "--workers", "1", "--blocking-threads", "8"),
                    *("--respawn-failed-workers", "--no-ws", application),
                )
            )

    def add_workers(self, count: int, *, application: str = "platform_site") -> None:
        for number in range(count):
            self.workers.append(
                self._part(
                    f"worker-{number + 1}",
                    *("celery", "-A", application, "worker", "--pool=prefork", "-c", "2"),
                    *("-n", f"worker{number + 1}@%h", "--loglevel=INFO"),
                    f"--queues={','.join(lane.value for lane in Lane)}",
                    *("--without-gossip", "--without-mingle"),
                )
            )

    def add_sweepers(self, count: int) -> None:
        for number in range(count):
            self.sweepers.append(
                self._part(f"sweeper-{number + 1}", "python", "manage.py", "sweep")
            )

    def add_sandbox(self, port: int) -> None:
        """All services of the outside world, as one process."""
        self.outside.append(
            self._part("sandbox", "python", "manage.py", "providersim", "--port", str(port))
        )

    def add_readers(self, service: str, topic: str, count: int) -> list[Part]:
        """Let what comes in by a stream be read, by so many of one group."""
        made = [
            self._part(
                f"reader-{service}-{number + 1}",
                *("python", "manage.py", "stream_in", service, topic),
                *("--name", f"reader-{number + 1}"),
            )
            for number in range(count)
        ]
        self.outside += made
        return made

    # Life

    def prepare(self) -> str:
        """Start the servers and make the database; return a key that may submit and read."""
        self.redis.start()
        if self.rabbit is not None:
            self.rabbit.start()
        self.postgres.make()
        key: str = self.ask_inside("prepare")["key"]
        return key

    def start_parts(self) -> None:
        """Start the roles and wait until each can work."""
        self._keeper.start()
        began = time.monotonic()
        for port in self.web_ports:
            processes.wait_until(
                lambda port=port: _answers(port),  # type: ignore[misc]
                seconds=READY_SECONDS,
                what="the web servers answer",
            )
        for worker in self.workers:
            processes.wait_until(
                lambda worker=worker: (
                    worker.log.exists()  # type: ignore[misc]
                    and "ready" in worker.log.read_text(errors="replace")
                ),
                seconds=max(1.0, READY_SECONDS - (time.monotonic() - began)),
                what=f"{worker.name} is ready",
            )
        for role in self.roles:
            self.wait_for(role)

    def wait_for(self, part: Part) -> float:
        """Wait until a part does what it is for; return the seconds it took."""
        return processes.wait_until(
            lambda: part.works, seconds=READY_SECONDS, what=f"{part.name} works"
        )

    def ask_inside(
        self, *words: str, seconds: float = 300.0, module: str = "inside"
    ) -> dict[str, Any]:
        """Run one act of `tests.faults.inside` as one more process; return what it answers.

        Another `module` of this folder may hold the act.
        """
        done = subprocess.run(
            [sys.executable, "-m", f"tests.faults.{module}", *words],
            env=self._env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"inside {words} failed:\n{done.stderr.decode()[-3000:]}")
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer

    def judge_outcome(self, expected: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Compare what clients were told with what is stored."""
        file = self.folder / "expected.json"
        file.write_text(json.dumps(expected))
        return self.ask_inside("judge_outcome", str(file))

    def start_inside(self, *words: str, log: Path) -> subprocess.Popen[bytes]:
        """Start one act that goes on by itself; its answer is the last line of `log`."""
        argv = [sys.executable, "-m", "tests.faults.inside", *words]
        return processes.start(argv, log=log, env=self._env, cwd=ROOT)

    def undecided(self) -> int:
        return int(self.number("SELECT count(*) FROM moderation_submission WHERE state = 'due'"))

    def number(self, query: LiteralString) -> float:
        """Return the one number that a query yields, 0 for none."""
        with self.postgres.connect() as connection:
            row = connection.execute(query).fetchone()
        return float(str(row[0])) if row and row[0] is not None else 0.0

    def waits(self, run: str) -> list[float]:
        """Return how long each post of a run waited for its verdict, by the order of verdicts."""
        with self.postgres.connect() as connection:
            rows = connection.execute(
                "SELECT extract(epoch FROM submission.decided_at - submission.created_at)::float8"
                " FROM moderation_submission submission"
                " JOIN moderation_post post ON post.id = submission.post_id"
                " WHERE starts_with(post.channel, %s) AND submission.decided_at IS NOT NULL"
                " ORDER BY submission.decided_at",
                [run],
            ).fetchall()
        return [float(str(row[0])) for row in rows]

    def decided_a_second(self, run: str) -> float:
        """Return how many posts of a run were decided a second, from its first verdict to its last.

        Those that came with the first verdict do not count: when they were begun is not known.
        """
        with self.postgres.connect() as connection:
            rows = connection.execute(
                "SELECT extract(epoch FROM submission.decided_at)::float8, count(*)"
                " FROM moderation_submission submission"
                " JOIN moderation_post post ON post.id = submission.post_id"
                " WHERE starts_with(post.channel, %s) GROUP BY 1 ORDER BY 1",
                [run],
            ).fetchall()
        batches = [(float(str(at)), int(str(count))) for at, count in rows]
        return sum(count for _, count in batches[1:]) / (batches[-1][0] - batches[0][0])

    def stop(self) -> list[int]:
        """End everything; return the processes that had to be ended one by one."""
        self._stopping.set()
        if self._keeper.is_alive():
            self._keeper.join()
        for part in self.parts():
            part.stop()
        self.redis.kill()
        self.postgres.kill()
        if self.rabbit is not None:
            self.rabbit.kill()
        left = [pid for pid in processes.living_in(self.folder, self.token) if pid != os.getpid()]
        processes.signal_all(left, signal.SIGKILL)
        return left

    def log_lines(self, parts: Sequence[Part]) -> Iterator[dict[str, Any]]:
        """Yield what roles logged."""
        for part in parts:
            if part.log.exists():
                yield from json_lines(part.log)

    def tails(self) -> str:
        logs = [part.log for part in self.parts()] + [self.postgres.log, self.redis.log]
        return "\n".join(f"--- {log.name}\n{_tail(log)}" for log in logs if log.exists())

    def _part(self, name: str, program: str, *words: str) -> Part:
        argv = [str(Path(sys.executable).with_name(program)), *words]
        return Part(name, argv, log=self.folder / f"{name}.log", env=self._env)

    def _keep(self) -> None:
        # Whatever this thread starts dies with it, so it lives as long as the stack.
        while not self._stopping.is_set():
            for part in self.parts():
                part.tick()
            self._stopping.wait(0.1)


@contextmanager
def running_stack(**settings: str) -> Iterator[Stack]:
    """Yield a stack whose roles are not started yet; leave nothing of it behind."""
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-faults-"))
    # PostgreSQL's user must be able to enter, no more.
    folder.chmod(0o711)
    stack = Stack(folder, settings)
    guard = _start_guard(folder, stack.token)
    try:
        yield stack
    except BaseException:
        print(stack.tails())
        raise
    finally:
        left = stack.stop()
        guard.communicate()
    if left:
        raise AssertionError(f"Processes outlived their role: {left}")


def _start_guard(folder: Path, token: str) -> subprocess.Popen[bytes]:
    """Start what ends the run's processes and removes its folder, even if we are killed."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.guard", str(folder), token],
        stdin=subprocess.PIPE,
        cwd=ROOT,
        # Ctrl-C in the terminal is for the test alone.
        start_new_session=True,
    )


def json_lines(log: Path) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects that stand on lines of a log, whatever else stands between them."""
    for line in log.read_text(errors="replace").splitlines():
        with suppress(ValueError):
            record = json.loads(line)
            if isinstance(record, dict):
                yield record


def _answers(port: int) -> bool:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _says_ready(part: Part) -> bool:
    """Whether a process without a port has come up since its last death, by its log."""
    log = part.log.read_text(errors="replace") if part.log.exists() else ""
    if part.name.startswith("worker"):
        return log.count(" ready.") > part.deaths
    return part.age > QUIET_START_SECONDS


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])
