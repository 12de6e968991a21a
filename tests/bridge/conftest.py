"""Streams as they are: this stack's own Redis, and librdkafka's mock cluster as Kafka."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import pytest
from confluent_kafka import Consumer, Producer
from django.conf import settings as django_settings
from pytest_django.fixtures import Settings

from moderation.bridge.kafka import KafkaReader
from moderation.bridge.reader import Reader
from moderation.bridge.redis_streams import RedisReader
from moderation.delivery import streams
from moderation.models import Community
from tests.factories import CommunityFactory

_numbers = itertools.count()


class Broker(Protocol):
    """One kind of server, as the other side of a stream uses it."""

    service: str
    topic: str

    def put(self, *values: dict[str, Any] | bytes) -> None: ...

    def read(self, topic: str) -> list[Found]: ...

    def reader(self, name: str = "one") -> Reader: ...


@dataclass(frozen=True, slots=True)
class Found:
    """An entry of a stream as its reader sees it."""

    key: str
    headers: dict[str, str]
    value: str

    def json(self) -> Any:
        return json.loads(self.value)


def _bytes(value: dict[str, Any] | bytes) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


class RedisBroker:
    service = "redis"

    def __init__(self, topic: str) -> None:
        self.topic = topic

    def put(self, *values: dict[str, Any] | bytes) -> None:
        for value in values:
            streams.stream_redis().xadd(self.topic, {"data": _bytes(value)})

    def read(self, topic: str) -> list[Found]:
        entries: Any = streams.stream_redis().xrange(topic)
        found = []
        for _, fields in entries:
            texts = {
                name.decode(): value.decode("utf-8", "replace") for name, value in fields.items()
            }
            found.append(Found(texts.pop("key"), value=texts.pop("data"), headers=texts))
        return found

    def reader(self, name: str = "one") -> Reader:
        return RedisReader(self.topic, "gatehouse", name)


class KafkaBroker:
    service = "kafka"

    def __init__(self, topic: str, servers: str) -> None:
        self.topic, self._servers = topic, servers

    def put(self, *values: dict[str, Any] | bytes) -> None:
        producer = Producer({"bootstrap.servers": self._servers})
        for value in values:
            producer.produce(self.topic, _bytes(value))
        assert producer.flush(10) == 0

    def read(self, topic: str) -> list[Found]:
        consumer = Consumer(
            {
                "bootstrap.servers": self._servers,
                "group.id": f"onlooker-{next(_numbers)}",
                "auto.offset.reset": "earliest",
            }
        )
        consumer.subscribe([topic])
        found: list[Found] = []
        silent = 0
        while silent < (3 if found else 12):
            entries = [item for item in consumer.consume(500, timeout=0.5) if not item.error()]
            silent = 0 if entries else silent + 1
            for item in entries:
                headers = {name: value.decode() for name, value in item.headers() or ()}
                found.append(Found(item.key().decode(), headers, item.value().decode()))
        consumer.close()
        return found

    def reader(self, name: str = "one") -> Reader:
        # A group of its own: the cluster takes seconds to part topics among a group's readers.
        return KafkaReader(self.topic, f"readers of {self.topic}")


@pytest.fixture(scope="session")
def kafka_servers() -> Iterator[str]:
    """A cluster of three brokers within librdkafka, on ports of this machine."""
    cluster = Producer({"bootstrap.servers": "unused:1", "test.mock.num.brokers": 3})
    metadata = cluster.list_topics(timeout=10)
    yield ",".join(f"{one.host}:{one.port}" for one in metadata.brokers.values())
    del cluster


@pytest.fixture(params=["redis", "kafka"])
def broker(request: pytest.FixtureRequest, settings: Settings) -> Broker:
    topic = f"{django_settings.REDIS_PREFIX}.submissions-{next(_numbers)}"
    servers = request.getfixturevalue("kafka_servers") if request.param == "kafka" else ""
    settings.MODERATION = {
        **settings.MODERATION,
        "kafka_servers": servers,
        "stream_redis_url": django_settings.REDIS_LIMITS_URL,
        "delivery_timeout_seconds": 5.0,
    }
    return KafkaBroker(topic, servers) if servers else RedisBroker(topic)


@pytest.fixture
def garden(db: None) -> Community:
    community: Community = CommunityFactory(name="Garden", slug="garden")
    return community
