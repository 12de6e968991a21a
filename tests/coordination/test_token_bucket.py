"""Limits: exact under concurrency, and still there without Redis."""

from __future__ import annotations

import threading
import time
from uuid import uuid4

import pytest
import redis

from moderation.coordination import connection, token_bucket
from moderation.coordination.connection import Bypassed, SharedRedis
from moderation.coordination.token_bucket import Limit, take

SLOW = Limit(burst=10, per_second=0.01)


def name() -> str:
    return f"test-{uuid4()}"


@pytest.fixture
def no_redis(monkeypatch):
    """Redis refuses connections: a client on a port where nobody listens."""
    dead = SharedRedis(redis.Redis(port=1, socket_timeout=0.2, socket_connect_timeout=0.2))
    monkeypatch.setattr(token_bucket, "shared_redis", lambda: dead)
    return dead


def take_from_threads(bucket: str, *, threads: int, each: int) -> int:
    taken: list[bool] = []

    def work() -> None:
        taken.extend(take(bucket, SLOW).allowed for _ in range(each))

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(taken)


def test_exactly_the_burst_passes_however_many_ask_at_once():
    assert take_from_threads(name(), threads=16, each=5) == 10


def test_refusal_says_when_to_come_back():
    bucket = name()
    limit = Limit(burst=2, per_second=10)
    assert [take(bucket, limit).remaining for _ in range(2)] == [1, 0]
    refused = take(bucket, limit)
    assert not refused.allowed
    assert 0 < refused.retry_after_seconds <= 0.1
    time.sleep(refused.retry_after_seconds + 0.02)
    assert take(bucket, limit).allowed


def test_request_larger_than_the_bucket_takes_all_of_it():
    bucket = name()
    assert take(bucket, SLOW, tokens=100).allowed
    assert not take(bucket, SLOW).allowed


def test_limit_holds_in_the_process_while_redis_is_away(no_redis):
    assert take_from_threads(name(), threads=8, each=5) == 10


def test_server_that_does_not_answer_is_asked_once_and_then_left_alone(no_redis):
    with pytest.raises(Bypassed):
        no_redis.use(lambda client: client.ping())
    started = time.perf_counter()
    for _ in range(100):
        with pytest.raises(Bypassed):
            no_redis.use(lambda client: client.ping())
    assert time.perf_counter() - started < 0.05


def test_server_is_asked_again_after_the_pause(monkeypatch):
    monkeypatch.setattr(connection, "BYPASS_SECONDS", 0.05)
    alive = connection.shared_redis()
    with pytest.raises(Bypassed):
        alive.use(lambda client: (_ for _ in ()).throw(redis.TimeoutError()))
    time.sleep(0.06)
    assert alive.use(lambda client: client.ping())
