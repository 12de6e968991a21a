"""PostgreSQL, Redis and RabbitMQ servers of the test's own, on free ports, made to be killed."""

from __future__ import annotations

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from platform_site.embedded import redis_server
from tests.faults import processes

START_SECONDS = 60.0


class Postgres:
    """One cluster in one folder. Must not run as root, so root starts it as another user."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "postgres"
        self.log = folder / "postgres.log"
        self.port = processes.free_port()
        self._user = _humble_user()
        self._bin = _postgres_bin()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgres://gatehouse@127.0.0.1:{self.port}/gatehouse"

    def make(self) -> None:
        """Make the cluster, start it and make the database."""
        self.folder.mkdir(mode=0o700)
        if self._user is not None:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        made = processes.start(
            [
                *(str(self._bin / "initdb"), "-D", str(self.folder), "-U", "gatehouse"),
                *("-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"),
            ],
            log=self.log,
            env={"PATH": os.environ["PATH"]},
            cwd=Path("/"),
            user=self._user,
        )
        if made.wait(START_SECONDS):
            raise RuntimeError(self.log.read_text())
        self.start()
        with self.connect("postgres") as connection:
            connection.execute("CREATE DATABASE gatehouse")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        self._process = processes.start(
            [
                *(str(self._bin / "postgres"), "-D", str(self.folder), "-p", str(self.port)),
                *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
                *("-c", "log_min_messages=log"),
            ],
            log=self.log,
            env={"PATH": os.environ["PATH"]},
            cwd=Path("/"),
            user=self._user,
        )
        processes.wait_until(self.answers, seconds=START_SECONDS, what="PostgreSQL answers")

    def connect(self, name: str = "gatehouse") -> psycopg.Connection[tuple[object, ...]]:
        """Return a connection that commits each statement."""
        return psycopg.connect(
            f"host=127.0.0.1 port={self.port} user=gatehouse dbname={name} connect_timeout=2",
            autocommit=True,
        )

    def answers(self) -> bool:
        try:
            with self.connect("postgres") as connection:
                connection.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def kill_backend(self, chance: random.Random) -> None:
        """Kill the process behind one client connection, a busy one if there is any."""
        with self.connect() as connection:
            rows = connection.execute(
                "SELECT pid, state <> 'idle' FROM pg_stat_activity "
                "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid"
            ).fetchall()
        busy = [pid for pid, is_busy in rows if is_busy]
        pids = busy or [pid for pid, _ in rows]
        if pids:
            processes.signal_all([int(str(chance.choice(pids)))], signal.SIGKILL)
        # The others notice within a moment; the server then recovers and answers again.
        processes.wait_until(self.answers, seconds=START_SECONDS, what="PostgreSQL answers again")

    def kill(self) -> None:
        """Kill the postmaster, and wait for its orphans: a restart among them would fail."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        with suppress(TimeoutError):
            processes.wait_until(
                lambda: not processes.living_in(self.folder), seconds=10, what="no orphan is left"
            )
        processes.signal_all(processes.living_in(self.folder), signal.SIGKILL)
        processes.wait_until(
            lambda: not processes.living_in(self.folder), seconds=10, what="no orphan is left"
        )


class Redis:
    """One server that keeps its data, as production's should."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "redis"
        self.log = folder / "redis.log"
        self.port = processes.free_port()
        system = shutil.which("redis-server") or shutil.which("valkey-server")
        self._binary = system or str(redis_server.find_binary())
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        self._process = processes.start(
            [self._binary, *(word for name, to in options.items() for word in (f"--{name}", to))],
            log=self.log,
            env={"PATH": os.environ["PATH"]},
            cwd=self.folder,
        )
        processes.wait_until(self.answers, seconds=START_SECONDS, what="Redis answers")

    def answers(self) -> bool:
        try:
            with self._client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def forget(self) -> None:
        """Remove what a dead server had kept."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def flush(self) -> None:
        with self._client() as client:
            client.flushall()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _client(self) -> redis.Redis:
        client: redis.Redis = redis.Redis(
            host="127.0.0.1",
            port=self.port,
            socket_timeout=2,
            socket_connect_timeout=2,
            retry=Retry(NoBackoff(), retries=0),
        )
        return client


class Rabbit:
    """One node with its own name service, so that it meets no other on this machine."""

    def __init__(self, folder: Path, *, token: str) -> None:
        self.folder = folder / "rabbit"
        self.log = folder / "rabbit.log"
        self.port = processes.free_port()
        self._names_port = processes.free_port()
        self._token = token
        self._names: subprocess.Popen[bytes] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GATEHOUSE_FAULT_RUN": self._token,
            "ERL_EPMD_PORT": str(self._names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"{self._token}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(processes.free_port()),
            "RABBITMQ_MNESIA_BASE": str(self.folder),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "none"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            # Where one core is shared, Erlang's threads must not wait by turning round and round.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }
        self._names = processes.start([_program("epmd")], log=self.log, env=env, cwd=self.folder)
        self._process = processes.start([_rabbit_server()], log=self.log, env=env, cwd=self.folder)
        processes.wait_until(self.answers, seconds=START_SECONDS, what="RabbitMQ answers")

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as client:
                client.settimeout(2)
                client.sendall(b"AMQP\0\0\x09\x01")
                return bool(client.recv(8))
        except OSError:
            return False

    def kill(self) -> None:
        """Kill the node with its helpers, and its name service."""
        for process in (self._process, self._names):
            if process is not None:
                processes.signal_all(processes.family(process.pid), signal.SIGKILL)
                process.wait()


def _rabbit_server() -> str:
    # Debian's own script in PATH insists on its service's user and folders.
    own = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    return str(own) if own.exists() else _program("rabbitmq-server")


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} was not found: this test needs a RabbitMQ server.")
    return found


def _humble_user() -> pwd.struct_passwd | None:
    """Return whom PostgreSQL runs as, None for the one who runs the test."""
    if os.getuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise RuntimeError("PostgreSQL refuses root, and there is neither postgres nor nobody.")


def _postgres_bin() -> Path:
    installed = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if installed:
        return max(installed, key=lambda path: int(path.parent.name.partition(".")[0]))
    found = shutil.which("initdb")
    if found is None:
        raise RuntimeError("PostgreSQL's programs (initdb, postgres) were not found.")
    return Path(found).resolve().parent
