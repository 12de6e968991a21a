"""Wakes the workers: "look at this lane". Rings behind the request, coalesced, and may fail.

Nobody's post depends on it: the sweeper rings again for whatever is due.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable

from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

from moderation.coordination.connection import Bypassed, shared_redis
from moderation.vocabulary import Lane

logger = logging.getLogger(__name__)

LOOK_TASK = "moderation.look"
# One bell a lane waits in the broker at a time; the flag fades should that bell be lost.
_FLAG_MS = 1_000
# A burst of submits rings once: long enough to gather, far below what a person notices.
_GATHER_SECONDS = 0.004


def ring(lanes: Iterable[str]) -> None:
    """Ask for a look at lanes, soon. Returns at once, whatever the state of the broker."""
    _ringer.add(lanes)


def ring_now(lanes: Iterable[str], *, always: bool = True) -> None:
    """Ring from this thread; may wait for the broker's short timeout. Never raises for it.

    With `always` off, a lane whose bell has not been answered yet is not rung again.
    """
    for lane in lanes:
        if not (always or _raise_flag(lane)):
            continue
        try:
            current_app.send_task(
                LOOK_TASK, kwargs={"lane": str(lane)}, queue=str(lane), retry=False
            )
        except (OperationalError, OSError) as error:
            logger.warning("doorbell_failed", extra={"lane": lane, "error": type(error).__name__})


def answer(lane: Lane) -> None:
    """Take the flag down before looking, so that what comes from now on rings again."""
    try:
        shared_redis().use(lambda client: client.delete(_flag(lane)))
    except Bypassed:
        return


def _raise_flag(lane: str) -> bool:
    try:
        return bool(
            shared_redis().use(lambda client: client.set(_flag(lane), "1", nx=True, px=_FLAG_MS))
        )
    except Bypassed:
        return True


def _flag(lane: str) -> str:
    return f"{settings.REDIS_PREFIX}:bell:{lane}"


class _Ringer:
    """A thread of this process that rings for all requests that came while it slept."""

    def __init__(self) -> None:
        self._lanes: set[str] = set()
        self._guard = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, lanes: Iterable[str]) -> None:
        with self._guard:
            self._lanes.update(str(lane) for lane in lanes)
            # A fork leaves the thread behind in the parent: start one where it is needed.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
                self._thread.start()
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            with self._guard:
                lanes, self._lanes = self._lanes, set()
            try:
                ring_now(sorted(lanes), always=False)
            except Exception:
                logger.exception("doorbell_crashed")
            # Whoever comes meanwhile is rung for together.
            threading.Event().wait(_GATHER_SECONDS)


_ringer = _Ringer()
