"""Celery entry points: each translates a message into one pipeline call."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from moderation.delivery import doorbell
from moderation.pipeline import dispatch
from moderation.vocabulary import Lane


@shared_task(name=doorbell.LOOK_TASK)
def look(*, lane: str, **_: Any) -> None:
    """Someone rang for a lane. Unknown keywords are tolerated: an older web server may ring."""
    doorbell.answer(Lane(lane))
    dispatch.drain(Lane(lane))
