"""Answers whether this instance works. Every answer comes within a second."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from time import monotonic

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis import Redis, RedisError

from moderation import queries

OK, NOT_OK, LATE = "ok", "unavailable", "late"
ANSWER_WITHIN_SECONDS = 0.8

# A part that hangs holds a thread: few of them, and whoever finds none free reports the same.
_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="health")


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Say which parts work; 503 without the database, which alone is needed to accept posts.

    `work` is named only when it is late: somebody should look at the workers then.
    """
    parts = _ask(database=_database_works, redis=_redis_works, work=_work_is_done)
    if parts["database"] != OK:
        return _answer({"status": "unhealthy", **_told(parts)}, status=503)
    is_well = all(state == OK for state in parts.values())
    return _answer({"status": "healthy" if is_well else "degraded", **_told(parts)})


@never_cache
@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """Say that the process answers: whoever gets no answer should restart it."""
    return _answer({"status": "alive"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Say whether posts can be accepted: the database decides."""
    if _ask(database=_database_works)["database"] == OK:
        return _answer({"status": "ready"})
    return _answer({"status": "not ready"}, status=503)


def _told(parts: dict[str, str]) -> dict[str, str]:
    told = {name: parts[name] for name in ("database", "redis")}
    # A database that is away says nothing of the work.
    if parts["database"] == OK and parts["work"] != OK:
        told["work"] = LATE
    return told


def _answer(body: dict[str, str], status: int = 200) -> JsonResponse:
    return JsonResponse(body, status=status, json_dumps_params={"separators": (",", ":")})


def _ask(**checks: Callable[[], None]) -> dict[str, str]:
    deadline = monotonic() + ANSWER_WITHIN_SECONDS
    running = {name: _threads.submit(check) for name, check in checks.items()}
    return {name: _result(future, deadline) for name, future in running.items()}


def _result(future: Future[None], deadline: float) -> str:
    try:
        error = future.exception(timeout=max(0.0, deadline - monotonic()))
    except StillRunning:
        future.cancel()
        return NOT_OK
    return NOT_OK if error else OK


def _database_works() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def _work_is_done() -> None:
    """Raise when the oldest due row has waited for too long, however many processes live."""
    try:
        if queries.is_late():
            raise TimeoutError
    except DatabaseError:
        # Tables that are not made yet: nothing was accepted that could be late.
        return
    finally:
        connection.close()


def _redis_works() -> None:
    client = Redis.from_url(
        settings.REDIS_CACHE_URL, socket_timeout=ANSWER_WITHIN_SECONDS / 2, retry=None
    )
    try:
        if not client.ping():
            raise RedisError("No PONG.")
    finally:
        client.close()
