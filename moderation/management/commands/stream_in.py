"""The reader of a stream: what comes in by a topic goes to be checked. Any number may run."""

from __future__ import annotations

import logging
import platform
import signal
import threading
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, close_old_connections

from moderation.bridge import intake, status
from moderation.bridge.kafka import KafkaReader
from moderation.bridge.reader import Reader, Unreachable, put_aside
from moderation.bridge.redis_streams import RedisReader
from moderation.bridge.status import ReaderStatus
from moderation.delivery.streams import LOGS, is_topic
from moderation.operations.heartbeat import Heart
from moderation.vocabulary import ProcessRole

logger = logging.getLogger(__name__)

# How long a reader rests when the database or the stream is away.
REST_SECONDS = 1.0


class Command(BaseCommand):
    help = "Read posts from a Kafka topic or a Redis Stream until stopped. See docs/streams.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("service", choices=sorted(LOGS))
        parser.add_argument("topic")
        parser.add_argument("--group", default="gatehouse", help="readers that share the work")
        parser.add_argument(
            "--name", default=platform.node() or "reader", help="this reader's name in its group"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        service, topic = options["service"], options["topic"]
        if not is_topic(topic):
            raise CommandError("A topic has letters, digits, dots, dashes and underscores.")
        if not is_topic(options["name"]):
            raise CommandError("A reader's name is made as a topic's: choose one by --name.")
        if not LOGS[service].is_set_up():
            raise CommandError(_HOW_TO[service])
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        own = ReaderStatus(service, topic, options["name"])
        reader: Reader = (
            KafkaReader(topic, options["group"])
            if service == "kafka"
            else RedisReader(topic, options["group"], options["name"])
        )
        heart = Heart(ProcessRole.READER, about=f"{LOGS[service].label} {topic} as {own.reader}")
        self.stdout.write(f"Reading {LOGS[service].label} {topic} as {own.reader}.")
        self.stdout.flush()
        try:
            while not stop.is_set():
                if not _round(reader, own):
                    stop.wait(REST_SECONDS)
                heart.keep_beating()
        finally:
            heart.stop()
            reader.close()


_HOW_TO = {
    "kafka": "Set GATEHOUSE_KAFKA_SERVERS, and install requirements-kafka.txt.",
    "redis": "Set GATEHOUSE_STREAM_REDIS_URL.",
}


def _round(reader: Reader, own: ReaderStatus) -> bool:
    """Take in one batch; return False when it is better to rest."""
    try:
        messages = reader.take()
        if messages:
            taken = intake.take_in(messages)
            _put_aside(own, taken)
            reader.confirm()
            own.accepted += taken.accepted
            own.repeated += taken.repeated
            own.refused += len(taken.refused)
        own.lag, own.last_error = reader.lag(), ""
    except (OperationalError, InterfaceError):
        close_old_connections()
        reader.take_again()
        own.last_error = "database_away"
    except Unreachable as error:
        reader.take_again()
        own.last_error = str(error)
    status.tell(own)
    if own.last_error:
        own.failures += 1
        logger.warning("stream_not_read", extra={"topic": own.topic, "error": own.last_error})
    return not own.last_error


def _put_aside(own: ReaderStatus, taken: intake.Taken) -> None:
    """Keep what was refused where its sender finds it. Raises `Unreachable`."""
    for one in taken.refused:
        extra = {"place": one.message.place, "code": one.code}
        logger.warning("stream_message_refused", extra=extra)
        put_aside(own.service, one.message, code=one.code, detail=one.detail)
