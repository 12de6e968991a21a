"""A worker's heartbeat, and what it does when it is asked to drain."""

from __future__ import annotations

from typing import Any

from celery.worker import state

from moderation.operations.heartbeat import Heart
from moderation.vocabulary import Lane, ProcessRole

_hearts: list[Heart] = []


def start(consumer: Any) -> None:
    """Tell of a Celery worker that is ready: `consumer` is what takes its messages."""
    lanes = [lane.value for lane in Lane if lane.value in consumer.app.amqp.queues.consume_from]

    def take_or_leave(drain: bool) -> None:
        # As Celery's own remote control does it: the consumer's loop makes the change.
        change = consumer.cancel_task_queue if drain else consumer.add_task_queue
        for lane in lanes:
            consumer.call_soon(change, lane)

    heart = Heart(
        ProcessRole.WORKER,
        lanes=lanes,
        at_work=lambda: len(state.active_requests),
        on_drain=take_or_leave,
    )
    _hearts.append(heart)
    heart.start()


def stop() -> None:
    while _hearts:
        _hearts.pop().stop()
