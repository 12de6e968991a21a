"""What comes in by a stream becomes a post once, whoever of its readers is killed."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence

import pytest
from confluent_kafka import Producer
from redis import Redis

from tests.faults import processes, report
from tests.faults.stack import Part, Stack, running_stack

MESSAGES = 600
# So many come twice, as from a sender that did not hear that they were kept.
REPEATED_SHARE = 0.1
KILLS = 3
TAKEN_WITHIN_SECONDS = 90.0
TOPIC = "submissions"
SERVICES = ("redis", "kafka")


@pytest.fixture(scope="module")
def kafka_servers() -> Iterator[str]:
    cluster = Producer({"bootstrap.servers": "unused:1", "test.mock.num.brokers": 3})
    brokers = cluster.list_topics(timeout=10).brokers.values()
    yield ",".join(f"{one.host}:{one.port}" for one in brokers)
    del cluster


def test_no_message_is_lost_or_becomes_two_posts_while_readers_are_killed(
    chance: random.Random, kafka_servers: str
):
    with running_stack(GATEHOUSE_KAFKA_SERVERS=kafka_servers) as stack:
        stack.prepare()
        readers = {service: stack.add_readers(service, TOPIC, 2) for service in SERVICES}
        stack.add_workers(1)
        stack.add_sweepers(1)
        stack.start_parts()
        sent = {service: _messages(chance, service) for service in SERVICES}
        half = len(sent["redis"]) // 2
        for service in SERVICES:
            _put(stack, service, kafka_servers, sent[service][:half])
        for number in range(KILLS):
            for service in SERVICES:
                _kill_one(readers[service], chance)
                if number == KILLS // 2:
                    _put(stack, service, kafka_servers, sent[service][half:])
        last_kill = time.monotonic()
        processes.wait_until(
            lambda: _stored(stack) == MESSAGES * len(SERVICES),
            seconds=TAKEN_WITHIN_SECONDS,
            what="every message is a post",
        )
        processes.wait_until(
            lambda: stack.undecided() == 0, seconds=60, what="everything is decided"
        )
        found = {
            "messages": sum(len(messages) for messages in sent.values()),
            "posts": _stored(stack),
            "twice": _twice(stack),
            "kills": {
                service: sum(reader.deaths for reader in readers[service]) for service in SERVICES
            },
            "all_decided_seconds_after_last_kill": time.monotonic() - last_kill,
        }
        report.keep("streams", found)
        report.show("Readers of Redis Streams and Kafka killed", found)
        assert found["posts"] == MESSAGES * len(SERVICES)
        assert found["twice"] == 0
        assert all(kills >= KILLS for kills in found["kills"].values())


def _kill_one(readers: Sequence[Part], chance: random.Random) -> None:
    """Kill a reader that has begun to read, and wait until it is buried."""
    processes.wait_until(
        lambda: any(_reads(reader) for reader in readers), seconds=60, what="a reader reads"
    )
    time.sleep(chance.uniform(0, 0.5))
    victim = chance.choice([reader for reader in readers if _reads(reader)])
    before = victim.deaths
    victim.kill()
    processes.wait_until(lambda: victim.deaths > before, seconds=10, what="it has died")


def _reads(reader: Part) -> bool:
    starts = reader.log.read_text().count("Reading ") if reader.log.exists() else 0
    return bool(reader.pid) and starts > reader.deaths


def _messages(chance: random.Random, service: str) -> list[bytes]:
    texts = [
        json.dumps(
            {
                "id": f"{service}-{number}",
                "community": "faults",
                "author": {"id": f"bo-{number % 50}"},
                "body": f"Tomato number {number}.",
            }
        ).encode()
        for number in range(MESSAGES)
    ]
    repeats = chance.sample(texts, int(MESSAGES * REPEATED_SHARE))
    return texts + repeats


def _put(stack: Stack, service: str, kafka_servers: str, messages: list[bytes]) -> None:
    if service == "redis":
        with Redis.from_url(stack.redis.url) as server:
            for message in messages:
                server.xadd(TOPIC, {"data": message})
        return
    producer = Producer({"bootstrap.servers": kafka_servers})
    for message in messages:
        producer.produce(TOPIC, message)
    assert producer.flush(20) == 0


def _stored(stack: Stack) -> int:
    return _number(stack, "SELECT count(*) FROM moderation_post WHERE reference <> ''")


def _twice(stack: Stack) -> int:
    return _number(
        stack,
        "SELECT count(*) FROM (SELECT 1 FROM moderation_post GROUP BY reference"
        " HAVING count(*) > 1) AS twice",
    )


def _number(stack: Stack, query: str) -> int:
    with stack.postgres.connect() as connection:
        row = connection.execute(query).fetchone()
    return int(str(row[0])) if row else 0
