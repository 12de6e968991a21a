"""6d · What a moderator does with an item besides deciding it: note, skip, look at hard things."""

from __future__ import annotations

from datetime import date

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F, Sum

from moderation.delivery import websocket
from moderation.errors import InvalidSubmission
from moderation.models import (
    CannedReason,
    Community,
    DeskPreferences,
    ExposureDay,
    Review,
    SkippedReview,
)
from moderation.pipeline.audit.record import record_change
from moderation.pipeline.casework import lock, must, record
from moderation.pipeline.review.holding import free_review
from moderation.vocabulary import Category

MAX_NOTE_CHARS = 2000


def add_note(*, review_id: int, moderator: User, text: str) -> None:
    """Leave a note for other moderators on the post's record. Its author never reads it."""
    must(moderator, "moderation.decide_review", review_id)
    text = text.strip()
    if not text or len(text) > MAX_NOTE_CHARS:
        raise InvalidSubmission(f"A note has 1 to {MAX_NOTE_CHARS} characters.")
    with transaction.atomic():
        post, review = lock(review_id)
        hint = record("review.noted", post, moderator, {"review": review.pk}, note=text)
    websocket.push([hint])


def skip_review(*, review_id: int, moderator: User) -> None:
    """Leave an item to others: it comes back to this moderator when nothing else waits."""
    must(moderator, "moderation.decide_review", review_id)
    with transaction.atomic():
        post, review = lock(review_id)
        SkippedReview.objects.get_or_create(review=review, user=moderator)
        record("review.skipped", post, moderator, {"review": review.pk})
    free_review(review_id=review_id, moderator=moderator)


def count_exposure(*, user: User, review: Review, day: date) -> None:
    """Count that somebody opened an item of a graphic category; others are not counted."""
    if review.category not in GRAPHIC:
        return
    seen, _ = ExposureDay.objects.get_or_create(user=user, day=day, category=review.category)
    ExposureDay.objects.filter(pk=seen.pk).update(seen=F("seen") + 1)


def seen_on(*, user: User, day: date) -> int:
    """Return how many items of graphic categories somebody opened on a day."""
    total = ExposureDay.objects.filter(user=user, day=day).aggregate(seen=Sum("seen"))["seen"]
    return int(total or 0)


def go_on(*, user: User, day: date) -> None:
    """Wave the suggestion of a break aside, until as much again was seen."""
    DeskPreferences.objects.update_or_create(
        user=user,
        defaults={"went_on_day": day, "went_on_after": seen_on(user=user, day=day)},
    )


def set_reason(*, reason: CannedReason, user: User) -> None:
    """Keep a sentence that moderators pick from, new or changed."""
    with transaction.atomic():
        Community.objects.select_for_update(no_key=True).get(pk=reason.community_id)
        reason.save()
        _record_reason("reason.changed", reason, user)


def drop_reason(*, reason: CannedReason, user: User) -> None:
    with transaction.atomic():
        Community.objects.select_for_update(no_key=True).get(pk=reason.community_id)
        _record_reason("reason.removed", reason, user)
        reason.delete()


def _record_reason(kind: str, reason: CannedReason, user: User) -> None:
    record_change(
        kind,
        subject=("reasons", str(reason.community_id)),
        community_id=reason.community_id,
        user=user,
        facts={
            "reason": reason.pk,
            "action": reason.action,
            "category": reason.category,
            "text": reason.text,
            "active": reason.active,
        },
    )


# What people find hard to look at, again and again.
GRAPHIC = frozenset(
    {
        Category.VIOLENCE,
        Category.GRAPHIC,
        Category.SEXUAL,
        Category.SEXUAL_MINORS,
        Category.SELF_HARM,
        Category.EXTREMISM,
        Category.HATE,
        Category.THREAT,
    }
)
