"""A topic of Kafka, read through librdkafka: an optional extra."""

from __future__ import annotations

from typing import Any

from moderation.bridge.messages import Message
from moderation.bridge.reader import BATCH, WAIT_SECONDS, Unreachable
from moderation.conf import get_conf
from moderation.delivery import streams


class KafkaReader:
    def __init__(self, topic: str, group: str) -> None:
        from confluent_kafka import Consumer, TopicPartition  # an optional extra

        self._position_of = TopicPartition
        self._taken: list[Any] = []
        self._consumer = Consumer(
            {
                # What a reader held that was killed goes to others after this, not after 45 s.
                "session.timeout.ms": 10_000,
                **streams.kafka_options(),
                "bootstrap.servers": get_conf().kafka_servers,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                # Partitions move one by one when a reader comes or goes; the others go on.
                "partition.assignment.strategy": "cooperative-sticky",
            }
        )
        self._consumer.subscribe([topic])

    def take(self) -> list[Message]:
        found = self._consumer.consume(BATCH, timeout=WAIT_SECONDS)
        wrong = next((item.error() for item in found if item.error()), None)
        if wrong is not None and wrong.name() not in ("UNKNOWN_TOPIC_OR_PART", "_PARTITION_EOF"):
            self._taken = [item for item in found if not item.error()]
            self.take_again()
            raise Unreachable(wrong.name())
        self._taken = [item for item in found if not item.error()]
        return [_from_kafka(item) for item in self._taken]

    def confirm(self) -> None:
        from confluent_kafka import KafkaException

        ends = {(one.topic(), one.partition()): one.offset() + 1 for one in self._taken}
        offsets = [self._position_of(*where, end) for where, end in ends.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            raise Unreachable(error.args[0].name()) from error

    def take_again(self) -> None:
        starts: dict[tuple[str, int], int] = {}
        for one in self._taken:
            starts.setdefault((one.topic(), one.partition()), one.offset())
        for where, start in starts.items():
            self._consumer.seek(self._position_of(*where, start))

    def lag(self) -> int | None:
        positions = self._consumer.position(self._consumer.assignment())
        lag = 0
        for one in positions:
            start, end = self._consumer.get_watermark_offsets(one, cached=True)
            if end < 0:
                return None
            # A partition of which nothing has come has no position yet.
            lag += end - (one.offset if one.offset >= 0 else start)
        return lag

    def close(self) -> None:
        self._consumer.close()


def _from_kafka(item: Any) -> Message:
    headers = {
        name: (value or b"").decode("utf-8", "replace") for name, value in item.headers() or ()
    }
    place = f"{item.topic()}/{item.partition()}@{item.offset()}"
    return Message(item.topic(), place, item.value() or b"", headers)
