"""A process' sign of life: who it is, since when, and that it still goes round.

Written beside the work, at most every few seconds. A database that is away costs a beat and
nothing else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections
from django.db.models.functions import Now

from moderation import VERSION
from moderation.conf import get_conf
from moderation.coordination import own_process
from moderation.models import Heartbeat
from moderation.vocabulary import ProcessRole

logger = logging.getLogger(__name__)

# Long enough to see in the morning who fell silent at night.
KEPT: Final = timedelta(hours=24)
_MOST_FORGOTTEN: Final = 1_000


class Heart:
    """Tells of this process. `at_work` counts the tasks it holds; `on_drain` hears of changes."""

    def __init__(
        self,
        role: ProcessRole,
        *,
        lanes: Collection[str] = (),
        about: str = "",
        at_work: Callable[[], int] | None = None,
        on_drain: Callable[[bool], None] | None = None,
    ) -> None:
        self.name = own_process.take_name(role)
        self._role = role
        self._lanes = list(lanes)
        self._about = about[:160]
        self._at_work = at_work
        self._on_drain = on_drain
        self._is_draining = False
        self._is_known = False
        self._is_silent = False
        self._next = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def keep_beating(self) -> None:
        """Beat if it is time; for loops that call it each round. Never raises for the database."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + get_conf().heartbeat_seconds
        try:
            self.beat()
        except (DatabaseError, OSError) as error:
            # Told once: a database that is away for an hour is not news every five seconds.
            if not self._is_silent:
                logger.warning("heartbeat_failed", extra={"error": type(error).__name__})
            self._is_silent = True
            connection.close()
        else:
            self._is_silent = False

    def beat(self) -> None:
        """Write the row, and hear whether this process is asked to drain."""
        row = Heartbeat(
            name=self.name,
            role=self._role,
            lanes=self._lanes,
            about=self._about,
            host=own_process.host(),
            pid=int(self.name.rpartition(":")[2]),
            version=VERSION,
            seen_at=Now(),
            started_at=Now(),
            at_work=self._at_work() if self._at_work else None,
        )
        fresh = [] if self._is_known else ["started_at", "drain_asked_at", "lanes", "version"]
        Heartbeat.objects.bulk_create(
            [row],
            update_conflicts=True,
            unique_fields=["name"],
            update_fields=["seen_at", "at_work", *fresh],
        )
        if not self._is_known:
            self._forget_former_self()
        self._is_known = True
        self._hear()

    def start(self) -> None:
        """Beat in a thread of its own, for a process whose loop is not ours."""
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Say that this process ended in order. Never raises for the database."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=2)
        try:
            Heartbeat.objects.filter(name=self.name).delete()
        except (DatabaseError, OSError) as error:
            logger.warning("heartbeat_failed", extra={"error": type(error).__name__})
        own_process.drop_name()

    def _hear(self) -> None:
        asked = Heartbeat.objects.filter(name=self.name, drain_asked_at__isnull=False).exists()
        if asked != self._is_draining and self._on_drain is not None:
            self._on_drain(asked)
        self._is_draining = asked

    def _forget_former_self(self) -> None:
        """Who starts anew on a host takes the place of whom it had there before."""
        silent = timedelta(seconds=get_conf().silent_after_seconds)
        Heartbeat.objects.filter(
            role=self._role,
            host=own_process.host(),
            about=self._about,
            seen_at__lt=Now() - silent,
        ).delete()

    def _run(self) -> None:
        _leave_the_pool()
        while not self._stop.is_set():
            self.keep_beating()
            connection.close()
            self._stop.wait(get_conf().heartbeat_seconds)


def _leave_the_pool() -> None:
    """Give this thread a connection of its own.

    A worker's main process forks children at any time: a pool that it had opened would be theirs
    too, with the same sockets.
    """
    own: Any = connections.create_connection(DEFAULT_DB_ALIAS)
    options = {key: value for key, value in own.settings_dict["OPTIONS"].items() if key != "pool"}
    own.settings_dict = {**own.settings_dict, "OPTIONS": options}
    connections[DEFAULT_DB_ALIAS] = own


def forget_silent() -> int:
    """Forget processes that fell silent long ago; return how many."""
    old = Heartbeat.objects.filter(seen_at__lt=Now() - KEPT).order_by("seen_at")
    names = list(old.values_list("name", flat=True)[:_MOST_FORGOTTEN])
    Heartbeat.objects.filter(name__in=names).delete()
    return len(names)
