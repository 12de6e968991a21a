"""Answers whether this instance works. Every answer comes within a second."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from time import monotonic

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis import Redis, RedisError

OK, NOT_OK = "ok", "unavailable"
ANSWER_WITHIN_SECONDS = 0.8

# A part that hangs holds a thread: few of them, and whoever finds none free reports the same.
_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="health")


@never_cache
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Say which parts work; 503 without the database, which alone is needed to accept posts."""
    parts = _ask(database=_database_works, redis=_redis_works)
    if parts["database"] != OK:
        return _answer({"status": "unhealthy", **parts}, status=503)
    status = "healthy" if parts["redis"] == OK else "degraded"
    return _answer({"status": status, **parts})


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


def _redis_works() -> None:
    client = Redis.from_url(
        settings.REDIS_CACHE_URL, socket_timeout=ANSWER_WITHIN_SECONDS / 2, retry=None
    )
    try:
        if not client.ping():
            raise RedisError("No PONG.")
    finally:
        client.close()
