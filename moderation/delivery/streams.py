"""Events as entries of a stream: a topic of Kafka, or a Redis Stream.

An entry is keyed by its subject, so that all that happens to one post stays in order, and carries
the id that repeats keep: readers drop what they know. Which servers there are is the operator's
to say (`GATEHOUSE_KAFKA_SERVERS`, `GATEHOUSE_STREAM_REDIS_URL`); an endpoint names one and a topic.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from threading import Lock
from typing import Any, Final, Protocol

import redis

from moderation.conf import get_conf
from moderation.delivery.handover import TIMEOUT, Handover
from moderation.models import Endpoint, OutboxMessage

NOT_SET_UP: Final = "not_set_up"
UNREACHABLE: Final = "unreachable"
REFUSED: Final = "refused"
# What Kafka takes as a topic's name; Redis takes any key.
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,200}")
# A Redis Stream would grow for ever; about as many entries as a busy day.
KEPT_ENTRIES: Final = 1_000_000
# What the first documents of this project call it when content comes in.
SUBMITTED: Final = "ContentSubmitted"
_ALIASES: Final = {"post.submitted": SUBMITTED}


@dataclass(frozen=True, slots=True)
class Entry:
    """One event on its way into a stream. `headers` go beside the JSON of `value`."""

    key: str
    value: str
    headers: Mapping[str, str]


class Log(Protocol):
    """A kind of server that keeps streams."""

    label: str

    def is_set_up(self) -> bool:
        """Whether the operator has said where it is."""
        ...

    def append(self, topic: str, entries: Sequence[Entry]) -> str:
        """Append all in order and wait until they are kept; return what went wrong, or ""."""
        ...


class Kafka:
    label = "Kafka topic"

    def is_set_up(self) -> bool:
        return bool(get_conf().kafka_servers) and has_kafka()

    def append(self, topic: str, entries: Sequence[Entry]) -> str:
        # One answer an entry; what comes after the flush has given up is not kept.
        wrong: list[str] = []

        def settled(error: Any, _: Any) -> None:
            wrong.append(error.name() if error else "")

        producer = _producer(get_conf().kafka_servers)
        with _producing:
            for entry in entries:
                producer.produce(
                    topic,
                    key=entry.key.encode(),
                    value=entry.value.encode(),
                    headers=[(name, value.encode()) for name, value in entry.headers.items()],
                    on_delivery=settled,
                )
            producer.flush(get_conf().delivery_timeout_seconds)
            if len(wrong) < len(entries):
                producer.purge()
                producer.flush(1)
                return TIMEOUT
        return next((name for name in wrong if name), "")


class RedisStreams:
    label = "Redis Stream"

    def is_set_up(self) -> bool:
        return bool(get_conf().stream_redis_url)

    def append(self, topic: str, entries: Sequence[Entry]) -> str:
        try:
            with stream_redis().pipeline(transaction=True) as pipeline:
                for entry in entries:
                    fields = {**entry.headers, "key": entry.key, "data": entry.value}
                    pipeline.xadd(topic, fields, maxlen=KEPT_ENTRIES, approximate=True)  # type: ignore[arg-type]
                pipeline.execute()
        except redis.TimeoutError:
            return TIMEOUT
        except redis.ConnectionError:
            return UNREACHABLE
        except redis.RedisError:
            return REFUSED
        return ""


LOGS: Final[dict[str, Log]] = {"kafka": Kafka(), "redis": RedisStreams()}


def has_kafka() -> bool:
    """Whether the optional library is installed."""
    return find_spec("confluent_kafka") is not None


def is_topic(name: str) -> bool:
    return _TOPIC.fullmatch(name) is not None and name not in (".", "..")


def prepare(endpoint: Endpoint, messages: Sequence[OutboxMessage]) -> Callable[[], Handover]:
    """Return what hands messages over together, in their order."""
    log = LOGS.get(endpoint.options.get("service", ""))
    topic = endpoint.options.get("topic", "")
    entries = [_entry(message) for message in messages]

    def send() -> Handover:
        request = {"method": "APPEND", "topic": topic, "entries": len(entries)}
        if log is None or not log.is_set_up():
            return Handover(error=NOT_SET_UP, request=request)
        began = time.monotonic()
        error = log.append(topic, entries)
        took = (time.monotonic() - began) * 1000
        return Handover(delivered=not error, error=error, latency_ms=took, request=request)

    return send


def _entry(message: OutboxMessage) -> Entry:
    headers = {"id": message.message_id, "type": message.event_type}
    if message.event_type in _ALIASES:
        headers["event"] = _ALIASES[message.event_type]
    key = message.event.subject_id if message.event is not None else message.message_id
    return Entry(key=key, value=message.payload, headers=headers)


# Connections, one a process


_producing = Lock()


@cache
def _producer(servers: str) -> Any:
    from confluent_kafka import Producer  # an optional extra

    return Producer(
        {
            **kafka_options(),
            "bootstrap.servers": servers,
            # Kept by all replicas, in order, and once in spite of the library's own repeats.
            "enable.idempotence": True,
            "linger.ms": 5,
            "message.timeout.ms": int(get_conf().delivery_timeout_seconds * 1000),
        }
    )


def kafka_options() -> dict[str, Any]:
    """Return the operator's own settings for the library: how to log in, which certificates."""
    found: dict[str, Any] = json.loads(get_conf().kafka_options or "{}")
    return {"log_level": 3, **found}


@cache
def _redis(url: str) -> redis.Redis:
    timeout = get_conf().delivery_timeout_seconds
    return redis.Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=2.0)


def stream_redis() -> redis.Redis:
    return _redis(get_conf().stream_redis_url)


def json_of(fields: Mapping[str, str]) -> bytes:
    """Return an entry's fields as the JSON that says the same."""
    return json.dumps(fields).encode()
