"""A server that is away, frozen, new or full costs each caller a moment, and then nothing."""

from __future__ import annotations

import socket
import time

import pytest
import redis

from moderation.coordination import connection
from moderation.coordination.answers import claim_many, get_many, put_many
from moderation.coordination.breaker import Breaker
from moderation.coordination.connection import Bypassed
from moderation.coordination.slots import Slots
from moderation.coordination.token_bucket import Limit, pause, take, take_many
from tests.coordination.conftest import in_threads

LIMIT = Limit(burst=5, per_second=0.01)


def ask_everything(name: str) -> None:
    take(name, LIMIT)
    take_many(name, LIMIT, 2)
    pause(name, 1)
    slots = Slots(name, 2)
    slots.give_back(slots.take(5) or "")
    breaker = Breaker(name)
    breaker.report(True, 0.1, probe=breaker.admit().probe)
    breaker.shut("quota")
    breaker.state()
    get_many([name])
    put_many({name: "1"}, ttl_seconds=5)
    claim_many([name], seconds=5)


def test_server_that_does_not_answer_is_asked_once_and_then_left_alone(no_redis):
    shared = connection.shared_redis()
    with pytest.raises(Bypassed):
        shared.use(lambda client: client.ping())
    started = time.perf_counter()
    for _ in range(100):
        with pytest.raises(Bypassed):
            shared.use(lambda client: client.ping())
    assert time.perf_counter() - started < 0.05


def test_server_is_asked_again_after_the_pause(monkeypatch):
    monkeypatch.setattr(connection, "BYPASS_SECONDS", 0.05)
    alive = connection.shared_redis()
    with pytest.raises(Bypassed):
        alive.use(lambda client: (_ for _ in ()).throw(redis.TimeoutError()))
    time.sleep(0.06)
    assert alive.use(lambda client: client.ping())


@pytest.mark.parametrize("connected", [True, False], ids=["known", "new"])
def test_frozen_server_holds_nobody_up(server, name, connected):
    if connected:
        ask_everything(name)
    server.freeze()

    def timed() -> float:
        started = time.perf_counter()
        ask_everything(name)
        return time.perf_counter() - started

    assert max(in_threads(8, timed)) < 0.5


def test_frozen_server_whose_queue_is_full_holds_nobody_up(server, name):
    server.freeze()
    waiting = []
    try:
        while True:
            waiting.append(socket.socket(socket.AF_UNIX))
            waiting[-1].setblocking(False)
            waiting[-1].connect(str(server.path))
    except BlockingIOError:
        started = time.perf_counter()
        ask_everything(name)
        assert time.perf_counter() - started < 0.5
    finally:
        for one in waiting:
            one.close()


def test_server_that_thaws_is_used_again(server, name, monkeypatch):
    monkeypatch.setattr(connection, "BYPASS_SECONDS", 0.05)
    server.freeze()
    put_many({name: "1"}, ttl_seconds=5)
    server.thaw()
    time.sleep(0.06)
    put_many({name: "2"}, ttl_seconds=5)
    assert get_many([name]) == {name: "2"}


def test_scripts_are_sent_again_to_a_server_that_forgot_them(server, name):
    take(name, LIMIT)
    connection.shared_redis().use(lambda client: client.script_flush())
    assert take(name, LIMIT).remaining == 3


def test_full_server_is_left_alone(server, name):
    connection.shared_redis().use(lambda client: client.config_set("maxmemory", "1mb"))
    ask_everything(name)
    with pytest.raises(Bypassed):
        connection.shared_redis().use(lambda client: client.ping())


def test_replica_is_left_alone(server, name):
    connection.shared_redis().use(lambda client: client.replicaof("127.0.0.1", "1"))
    ask_everything(name)
    with pytest.raises(Bypassed):
        connection.shared_redis().use(lambda client: client.ping())
