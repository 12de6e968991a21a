"""What each child process of the embedded role runs."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from moderation.vocabulary import Lane

if TYPE_CHECKING:
    import uvicorn

# Judging is mostly waiting (database, providers), and the models release the interpreter's lock.
WORKER_THREADS = 4


def exec_command(argv: list[str]) -> Callable[[], None]:
    """Return a role that becomes another program."""

    def run() -> None:
        os.execv(argv[0], argv)

    return run


def web(listener: socket.socket) -> Callable[[], None]:
    """Return the role that serves HTTP and websockets on a socket that is already bound.

    The parent holds the socket, so while a dead server is replaced its visitors wait in line
    instead of being refused.
    """

    def run() -> None:
        import uvicorn

        asyncio.run(uvicorn.Server(web_config()).serve(sockets=[listener]))

    return run


def web_config() -> uvicorn.Config:
    import uvicorn
    from django.conf import settings

    return uvicorn.Config(
        "platform_site.asgi:application",
        log_config=None,  # the site's own logging
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="websockets-sansio",
        ws_max_size=64 * 1024,  # clients send hints, never content
        timeout_graceful_shutdown=2,
        # Otherwise anyone on this machine names the address that wrong passwords count for.
        proxy_headers=settings.BEHIND_PROXY,
    )


def worker() -> None:
    """Serve every lane from one process with a few threads (105 MB; with two forks 274 MB)."""
    from platform_site.celery import app

    app.worker_main(
        [
            "--quiet",
            "worker",
            "--pool=threads",
            f"--concurrency={WORKER_THREADS}",
            f"--queues={','.join(lane.value for lane in Lane)}",
            "--loglevel=INFO",
            "--without-gossip",
            "--without-mingle",
        ]
    )


def scheduler() -> None:
    """Start what is due at certain times: django-celery-beat's schedule in the database."""
    from platform_site.celery import app

    app.start(["--quiet", "beat", "--loglevel=INFO", "--pidfile="])


def sweeper() -> None:
    """Ring again for whatever is due. Not part of the scheduler, which needs the broker."""
    from django.core.management import call_command

    call_command("sweep")
