"""Starts the whole product on this machine: `python -m platform_site.embedded`.

Exit codes: 0 stopped on request, 1 could not be set up, 2 the port is taken, 3 the data folder
cannot be written, 4 no Redis-compatible server.
"""

from __future__ import annotations

import fcntl
import gc
import http.client
import os
import socket
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import IO, NoReturn

import django
from django.core.exceptions import ImproperlyConfigured

from platform_site import celery_app, env
from platform_site.embedded import redis_server, roles, screen
from platform_site.embedded.processes import Child, fork, wait
from platform_site.embedded.supervisor import Supervisor

BASE_DIR = Path(__file__).resolve().parent.parent.parent

NOT_SET_UP, PORT_TAKEN, NOT_WRITABLE, NO_REDIS = 1, 2, 3, 4
PREPARE_SECONDS = 600.0
READY_SECONDS = 60.0
REDIS_READY_SECONDS = 10.0
# Who cannot start at all is not reported each time.
TOLD_FAILURES = 3

# What the children would each import for themselves otherwise.
SHARED_MODULES = (
    "platform_site.asgi",
    "uvicorn.protocols.http.httptools_impl",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
    "celery.bin.worker",
    "celery.concurrency.thread",
    "celery.worker.worker",
    "platform_site.scheduler",
)


def main() -> int:
    """Run until asked to stop; return the exit code."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "platform_site.settings")
    # A demo on one's own machine is tried with curl before keys are made.
    os.environ.setdefault("GATEHOUSE_OPEN_CONTENT_SERVICE", "yes")
    try:
        data = env.read_folder("GATEHOUSE_DATA", default=BASE_DIR / "var")
        port = env.read_int("PORT", default=8000, low=1, high=65535)
        return run(data=data, host=env.read("HOST", "127.0.0.1"), port=port)
    except ImproperlyConfigured as error:
        leave(NOT_SET_UP, str(error))


def run(*, data: Path, host: str, port: int) -> int:
    began = time.monotonic()
    print("Gatehouse is starting.", flush=True)
    lock = own(data)
    listener = bind(host, port)
    django.setup()
    foundation = bundled_redis(data)
    supervisor = Supervisor(foundation=foundation, report=_tell_of_death)
    supervisor.take_signals()
    try:
        if foundation is not None:
            start_redis(foundation, socket_path=env.socket_of(data))
        prepare(data)
        preload()  # after the static files are there: the server lists them when it is loaded
        supervisor.start(*site_children(data, listener))
        greet(supervisor, port=port, data=data, began=began)
        watch(supervisor)
    finally:
        print("\nGatehouse is stopping.", flush=True)
        supervisor.stop()
        lock.close()
    return 0


def own(data: Path) -> IO[str]:
    """Make the data folder ours; the returned file holds the claim until it is closed."""
    try:
        for path in (data, data / "logs"):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (data / "lock").open("w")
    except OSError as error:
        leave(
            NOT_WRITABLE,
            f"{data} cannot be written ({error.strerror}). "
            "Set GATEHOUSE_DATA to a folder of yours.",
        )
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        leave(NOT_WRITABLE, f"Another Gatehouse runs in {data}. Stop it, or set GATEHOUSE_DATA.")
    return lock


def bind(host: str, port: int) -> socket.socket:
    """Take the port before anything else is done."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        leave(
            PORT_TAKEN,
            f"{host}:{port} cannot be used ({error.strerror}). "
            f"Choose another port, for example: make run PORT={min(port + 1, 65535)}",
        )
    listener.listen(1024)
    return listener


def preload() -> None:
    """Import what the children need, so that they start at once and share its memory."""
    for module in SHARED_MODULES:
        import_module(module)
    celery_app.loader.import_default_modules()
    import_module("platform_site.warm").load_text_models()
    gc.collect()
    # What is alive now stays: the collector would write to every shared page otherwise.
    gc.freeze()


def bundled_redis(data: Path) -> Child | None:
    """Return the server to run beside the site, or None where REDIS_URL names one."""
    if env.read("REDIS_URL"):
        return None
    path, folder = env.socket_of(data), data / "redis"
    try:
        binary = redis_server.find_binary()
    except redis_server.NoServerFound as error:
        leave(NO_REDIS, str(error))
    redis_server.make_folders(listen_on=path, folder=folder)
    run = roles.exec_command(redis_server.command(binary=binary, listen_on=path, folder=folder))
    return Child(name="redis", run=run, log=data / "logs" / "redis.log")


def start_redis(child: Child, *, socket_path: Path) -> None:
    """Start the bundled server and wait until it answers."""
    child.start(time.monotonic())
    deadline = time.monotonic() + REDIS_READY_SECONDS
    while not redis_server.answers(socket_path):
        if wait_is_over(child, deadline):
            tail = screen.LogFile(child.name, child.log).tail()
            leave(NO_REDIS, "The bundled Redis server does not start:\n" + "\n".join(tail))
        time.sleep(0.02)


def wait_is_over(child: Child, deadline: float) -> bool:
    if wait(child.pid, seconds=0) is not None:
        child.pid = 0
        return True
    return time.monotonic() > deadline


def prepare(data: Path) -> None:
    """Migrate, seed and collect in a child: this process keeps no connection of its own."""
    from platform_site.embedded.prepare import prepare as bring_up_to_date

    terminal = os.dup(1)

    def show(line: str) -> None:
        os.write(terminal, f"{screen.step(line)}\n".encode())

    log = data / "logs" / "setup.log"
    pid = fork(lambda: bring_up_to_date(show), name="setup", log=log)
    os.close(terminal)
    status = wait(pid, seconds=PREPARE_SECONDS)
    if status != 0:
        tail = screen.LogFile("setup", log).tail(8)
        leave(NOT_SET_UP, f"Setting up failed; {log} has the whole story:\n" + "\n".join(tail))


def site_children(data: Path, listener: socket.socket) -> list[Child]:
    runs = {
        "web": roles.web(listener),
        "worker": roles.worker,
        "sweeper": roles.sweeper,
        "scheduler": roles.scheduler,
    }
    return [
        Child(name=name, run=run, log=data / "logs" / f"{name}.log") for name, run in runs.items()
    ]


def greet(supervisor: Supervisor, *, port: int, data: Path, began: float) -> None:
    """Wait for the first good answer, then say where to go."""
    deadline = time.monotonic() + READY_SECONDS
    while not supervisor.stopping and not is_ready(port):
        supervisor.tick()
        if time.monotonic() > deadline:
            screen.complain(f"The web server does not answer yet; see {data / 'logs'}.")
            return
        time.sleep(0.1)
    if supervisor.stopping:
        return
    home = f"http://localhost:{port}"
    print(
        screen.box(
            [
                f"Gatehouse is ready ({time.monotonic() - began:.1f} s).",
                "",
                f"Forum        {home}/",
                f"Moderation   {home}/admin/",
                f"API          {home}/api/v1/docs",
                "",
                *demo_accounts(),
                "",
                f"Data and logs: {data}",
                "Ctrl-C stops everything.",
            ]
        ),
        flush=True,
    )


def demo_accounts() -> list[str]:
    """Return who can log in, by role. Imports models, so late."""
    from platform_site.forum.demo.people import PASSWORD, PEOPLE

    names: dict[str, list[str]] = {}
    for person in PEOPLE:
        names.setdefault(person.role or "Member", []).append(person.username)
    lines = [f"  {role:<12} {', '.join(members)}" for role, members in names.items()]
    return [f"Demo accounts, all with the password {PASSWORD}", *lines]


def is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def watch(supervisor: Supervisor) -> None:
    """Stay until asked to stop; show the children's errors meanwhile."""
    logs = [screen.LogFile(child.name, child.log) for child in supervisor.everyone()]
    for log in logs:
        log.skip_old()

    def each_second() -> None:
        for log in logs:
            for line in log.errors():
                screen.complain(f"{log.name} | {line}")
            log.trim()

    supervisor.run(each_second)


def leave(code: int, message: str) -> NoReturn:
    print(message, file=sys.stderr, flush=True)
    raise SystemExit(code)


def _tell_of_death(child: Child, status: int, delay: float) -> None:
    if child.failures <= TOLD_FAILURES or child.failures % TOLD_FAILURES == 0:
        screen.complain(
            f"{child.name} ended with {status}; starting it again in {delay:.1f} s. See {child.log}"
        )


if __name__ == "__main__":
    sys.exit(main())
