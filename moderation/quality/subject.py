"""What a check shows: the post as it was when it was decided, or a golden item's own text."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, QuerySet

from moderation import queries
from moderation.models import BlindCheck, Decision, GoldenItem, MediaItem, Post


@dataclass(frozen=True, slots=True)
class Subject:
    """`media` is None for a text of its own. Nothing tells what was decided, or by whom."""

    title: str
    body: str
    parent: Post | None = None
    media: QuerySet[MediaItem] | None = None


def subject_of(check: BlindCheck) -> Subject:
    if check.decision is not None:
        return _decided(check.decision)
    assert check.golden is not None
    return subject_of_golden(check.golden)


def subject_of_golden(item: GoldenItem) -> Subject:
    if item.decision is not None:
        return _decided(item.decision)
    return Subject(item.title, item.body)


def _decided(decision: Decision) -> Subject:
    post, revision = decision.post, decision.revision
    title, body = queries.text_at(post, revision)
    return Subject(title, body, post.parent, media_at(post, revision))


def media_at(post: Post, revision: int) -> QuerySet[MediaItem]:
    """Return what a revision of a post shows beside its text."""
    return post.media.filter(
        Q(removed_in_revision__isnull=True) | Q(removed_in_revision__gt=revision),
        added_in_revision__lte=revision,
    ).order_by("position", "pk")
