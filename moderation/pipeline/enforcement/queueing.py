"""What an item of the queue is found, filtered and waited for by; filled in when it is opened."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from moderation.models import ProviderResult
from moderation.models.posts import TEXT_KEY
from moderation.policy.risk import review_minutes
from moderation.providers.base import TextPart
from moderation.providers.own.reposts import fingerprint
from moderation.text.likeness import near_marks
from moderation.vocabulary import ReviewLane

_LONGEST_CODE = 8


def queue_facts(
    *,
    title: str,
    body: str,
    lane: ReviewLane,
    minutes: Mapping[str, object],
    now: datetime,
    has_media: bool,
    language: str = "",
) -> dict[str, Any]:
    """Return the fields of a `Review` that say where and until when it is found.

    `minutes` are the community's own times, as `Community.review_minutes` has them.
    """
    text = "\n".join(part for part in (title, body) if part)
    marks = near_marks(text)
    return {
        "language": language[:_LONGEST_CODE],
        "has_media": has_media,
        "text_mark": fingerprint(TextPart(TEXT_KEY, text)),
        **{f"near_mark_{number}": mark for number, mark in enumerate(marks, start=1)},
        "due_at": due_at(lane, minutes, now),
    }


def due_at(lane: ReviewLane, minutes: Mapping[str, object], now: datetime) -> datetime:
    """Return until when an item that enters a lane now should be decided."""
    return now + timedelta(minutes=review_minutes(lane, minutes))


def language_found(results: Iterable[ProviderResult]) -> str:
    """Return the language of a post's text as providers have told it, "" where none did."""
    for row in results:
        told = row.raw.get("language") if row.part_key == TEXT_KEY else None
        if isinstance(told, str) and told:
            return told
    return ""
