"""What people decided on, why they saw it, and what one model had said: to learn from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final
from uuid import UUID

from django.db.models import Count

from moderation.models import (
    Decision,
    Enforcement,
    Post,
    PostRevision,
    ProviderResult,
    VerdictRecord,
)
from moderation.models.enforcement import UNDONE
from moderation.models.posts import TEXT_KEY, visible_text
from moderation.vocabulary import Action, Category, Outcome, Reason, ReviewLane

# The newest of a period; more would not move a threshold.
MOST_DECISIONS: Final = 100_000
_CHUNK = 1_000
# They came before people because somebody complained, not for their scores.
_COMPLAINED = (Reason.REPORT, Reason.APPEAL)


class Why(Enum):
    """Why a person saw a post."""

    ASKED = "its score asked for a person"
    SAMPLED = "drawn by lot among what was allowed"
    OTHERWISE = "reported, appealed, not judged or found otherwise"


@dataclass(frozen=True, slots=True)
class SeenPost:
    """One revision with the last word of a person, as it stands, and the scores of one model.

    `policy_id` is whose thresholds it met. `for_what` is what it was taken down for, "" where
    nobody said.
    """

    why: Why
    taken_down: bool
    for_what: str
    author_id: int
    policy_id: int | None
    scores: Mapping[str, float]
    model: str


@dataclass(frozen=True, slots=True)
class DecidedText:
    """A revision's own words with the last word of a person; `why` says how fair a sample it is."""

    text: str
    why: Why
    taken_down: bool
    for_what: str


@dataclass(frozen=True, slots=True)
class Unseen:
    """What a machine decided alone; `restored` were blocked so and given back by a person."""

    allowed: int
    blocked: int
    restored: int


def seen_by_people(community_id: int, *, provider: str, since: datetime) -> list[SeenPost]:
    """Return the revisions of which a provider judged the text and then a person decided.

    The last decision counts. One that was reversed counts as reversed: what was taken down was
    then left. One that its own moderator took back at once was never made.
    """
    rows = list(_decided(community_id, since))
    found: list[SeenPost] = []
    for at in range(0, len(rows), _CHUNK):
        some = rows[at : at + _CHUNK]
        said = _said(provider, [row.submission_id for row in some])
        for row in some:
            if row.submission_id in said:
                model, scores = said[row.submission_id]
                found.append(
                    SeenPost(
                        row.why,
                        row.taken_down,
                        row.for_what,
                        row.author_id,
                        row.policy_id,
                        scores,
                        model,
                    )
                )
    return found


def decided_texts(community_id: int, *, since: datetime) -> Iterator[DecidedText]:
    """Yield what people decided on, as it was written; nothing of what has been erased."""
    rows = list(_decided(community_id, since))
    for at in range(0, len(rows), _CHUNK):
        some = rows[at : at + _CHUNK]
        posts = Post.objects.in_bulk([row.post_id for row in some])
        older = {
            (one.post_id, one.revision): one
            for one in PostRevision.objects.filter(post_id__in=posts)
        }
        for row in some:
            post = posts[row.post_id]
            kept = older.get((row.post_id, row.revision), post)
            text = visible_text(kept.title, kept.body, [])
            if text.strip() and (kept is not post or post.revision == row.revision):
                yield DecidedText(text, row.why, row.taken_down, row.for_what)


@dataclass(slots=True)
class _Row:
    post_id: UUID
    revision: int
    why: Why
    taken_down: bool
    for_what: str
    author_id: int
    policy_id: int | None
    submission_id: int


_FIELDS = (
    "post_id",
    "revision",
    "action",
    "category",
    "post__author_id",
    "review__lane",
    "review__verdict__submission_id",
    "review__verdict__submission__reason",
    "review__verdict__policy_id",
    "review__verdict__action",
    "review__verdict__category",
    "enforcement__reversed_at",
)


def _decided(community_id: int, since: datetime) -> Iterator[_Row]:
    rows = (
        Decision.objects.filter(post__community_id=community_id, decided_at__gte=since)
        .exclude(enforcement__reversal_reason=UNDONE)
        .order_by("-pk")
        .values(*_FIELDS)[:MOST_DECISIONS]
    )
    found: dict[tuple[UUID, int], _Row] = {}
    for row in rows:
        place = row["post_id"], row["revision"]
        last = found.get(place)
        if last is None:
            found[place] = _Row(
                post_id=row["post_id"],
                revision=row["revision"],
                why=_why(row),
                taken_down=row["action"] == Action.BLOCK and not row["enforcement__reversed_at"],
                for_what=row["category"] or "",
                author_id=row["post__author_id"],
                policy_id=row["review__verdict__policy_id"],
                submission_id=row["review__verdict__submission_id"] or 0,
            )
        elif (why := _why(row)) is not Why.OTHERWISE:
            # Looked at again on appeal, it had come before people for its score all the same.
            last.why = why
            last.policy_id = row["review__verdict__policy_id"]
            last.submission_id = row["review__verdict__submission_id"]
    return (row for row in found.values() if row.submission_id)


def _why(row: Mapping[str, Any]) -> Why:
    if row["review__verdict__submission__reason"] in _COMPLAINED:
        return Why.OTHERWISE
    action = row["review__verdict__action"]
    if action == Action.REVIEW and row["review__verdict__category"]:
        return Why.ASKED
    if action == Action.ALLOW and row["review__lane"] == ReviewLane.SAMPLE:
        return Why.SAMPLED
    return Why.OTHERWISE


def _said(provider: str, submissions: list[int]) -> dict[int, tuple[str, dict[str, float]]]:
    rows = ProviderResult.objects.filter(
        submission_id__in=submissions,
        provider=provider,
        part_key=TEXT_KEY,
        outcome=Outcome.JUDGED,
        shadow=False,
    ).values_list("submission_id", "model_version", "scores")
    return {
        pk: (model, {name: score for name, score in scores.items() if name in Category.values})
        for pk, model, scores in rows
    }


def unseen_by_people(community_id: int, *, since: datetime) -> Unseen:
    """Count what was decided without a person."""
    counts = dict(
        VerdictRecord.objects.filter(post__community_id=community_id, judged_at__gte=since)
        .filter(reviews__isnull=True, action__in=(Action.ALLOW, Action.BLOCK))
        .values_list("action")
        .annotate(count=Count("pk"))
        .order_by()
    )
    restored = Enforcement.objects.filter(
        post__community_id=community_id,
        created_at__gte=since,
        verdict__isnull=False,
        action=Action.BLOCK,
        reversed_by__isnull=False,
    )
    return Unseen(
        allowed=counts.get(Action.ALLOW, 0),
        blocked=counts.get(Action.BLOCK, 0),
        restored=restored.count(),
    )
