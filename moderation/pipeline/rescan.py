"""1e · Look at old posts again: which they are, and the next of them.

A rescan walks through a community's posts in the order of their keys, so many at a time. What is
asked of evidence is asked of these few only: however rare such posts are, each step reads the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db.models import F, Q, QuerySet

from moderation.models import Post, ProviderResult, VerdictRecord
from moderation.pipeline.again import send_again
from moderation.pipeline.record import Actor
from moderation.vocabulary import Category, Outcome, Status, Visibility


@dataclass(frozen=True, slots=True)
class Selection:
    """Which posts: those of a community made from `since` up to, not including, `until`.

    What is None or "" does not matter. Category, scores and providers are of the evidence under
    the newest verdict on the current revision: the highest score of the category, or of any, is
    from `at_least` to `at_most`. `judged_before` chooses what readers see and nobody looked at
    since: whatever waits longest comes first.
    """

    community_id: int
    since: datetime
    until: datetime
    status: Status | None = None
    category: Category | None = None
    at_least: float | None = None
    at_most: float | None = None
    judged_by: str = ""
    not_judged_by: str = ""
    judged_before: datetime | None = None

    def to_facts(self) -> dict[str, Any]:
        """Return what the record keeps of a selection besides its community, JSON-serialisable."""
        said = {one.name: getattr(self, one.name) for one in fields(self)[1:]}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in said.items()
            if value not in (None, "")
        }

    @classmethod
    def from_facts(cls, community_id: int, facts: Mapping[str, Any]) -> Self:
        """Return the selection of which `to_facts` said this, among other things."""
        before = facts.get("judged_before")
        return cls(
            community_id=community_id,
            since=datetime.fromisoformat(facts["since"]),
            until=datetime.fromisoformat(facts["until"]),
            status=Status(facts["status"]) if "status" in facts else None,
            category=Category(facts["category"]) if "category" in facts else None,
            at_least=facts.get("at_least"),
            at_most=facts.get("at_most"),
            judged_by=facts.get("judged_by", ""),
            not_judged_by=facts.get("not_judged_by", ""),
            judged_before=datetime.fromisoformat(before) if before else None,
        )

    @property
    def asks_for_evidence(self) -> bool:
        return bool(
            self.category
            or self.at_least is not None
            or self.at_most is not None
            or self.judged_by
            or self.not_judged_by
        )


def walked_posts(selection: Selection) -> QuerySet[Post]:
    """Return the posts that a rescan walks through, in its order, whatever their evidence says."""
    posts = Post.objects.filter(
        community_id=selection.community_id,
        created_at__gte=selection.since,
        created_at__lt=selection.until,
        deleted_at__isnull=True,
    )
    if selection.status is not None:
        posts = posts.filter(status=selection.status)
    if selection.judged_before is not None:
        return posts.filter(
            visibility=Visibility.PUBLIC, decided_at__lt=selection.judged_before
        ).order_by("decided_at", "pk")
    return posts.order_by("pk")


def next_posts(selection: Selection, *, after: str, limit: int) -> tuple[list[UUID], str]:
    """Return the next posts to walk through, and the place after them; `after` is "" at first."""
    walked = walked_posts(selection)
    if after:
        walked = walked.filter(_beyond(selection, after))
    found = list(walked.values_list("pk", "decided_at")[:limit])
    if not found:
        return [], after
    last, decided_at = found[-1]
    posts = [pk for pk, _ in found]
    if selection.judged_before is None or decided_at is None:
        return posts, str(last)
    return posts, f"{decided_at.isoformat()} {last}"


def _beyond(selection: Selection, place: str) -> Q:
    if selection.judged_before is None:
        return Q(pk__gt=UUID(place))
    time, _, last = place.partition(" ")
    decided_at = datetime.fromisoformat(time)
    # The first condition follows from the others; databases find their place in an index by it.
    return Q(decided_at__gte=decided_at) & (
        Q(decided_at__gt=decided_at) | Q(decided_at=decided_at, pk__gt=UUID(last))
    )


# --- what the newest verdicts rest on ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """Who judged a post for its newest verdict, and the highest score of each category."""

    providers: set[str] = field(default_factory=set)
    scores: dict[str, float] = field(default_factory=dict)


def matching_posts(selection: Selection, post_ids: Sequence[UUID]) -> list[UUID]:
    """Return those of these posts whose evidence is as the selection asks, in the same order."""
    if not selection.asks_for_evidence:
        return list(post_ids)
    evidence = _newest_evidence(post_ids)
    return [pk for pk in post_ids if _fits(selection, evidence.get(pk, _Found()))]


def _newest_evidence(post_ids: Sequence[UUID]) -> dict[UUID, _Found]:
    verdicts = VerdictRecord.objects.filter(post_id__in=post_ids, revision=F("post__revision"))
    newest = dict(verdicts.order_by("pk").values_list("post_id", "submission_id"))
    posts = {submission: post for post, submission in newest.items()}
    rows = ProviderResult.objects.filter(
        submission_id__in=posts, outcome=Outcome.JUDGED, shadow=False
    ).values_list("submission_id", "provider", "scores")
    evidence: dict[UUID, _Found] = defaultdict(_Found)
    for submission, provider, scores in rows:
        found = evidence[posts[submission]]
        found.providers.add(provider)
        for category, score in scores.items():
            found.scores[category] = max(score, found.scores.get(category, 0.0))
    return evidence


def _fits(selection: Selection, found: _Found) -> bool:
    if selection.judged_by and selection.judged_by not in found.providers:
        return False
    if selection.not_judged_by and selection.not_judged_by in found.providers:
        return False
    return _score_fits(selection, found.scores)


def _score_fits(selection: Selection, scores: Mapping[str, float]) -> bool:
    if selection.category is None and selection.at_least is None and selection.at_most is None:
        return True
    if selection.category is None:
        score = max(scores.values(), default=None)
    else:
        score = scores.get(selection.category)
    # Nobody judged it: that is no score, not a low one.
    if score is None:
        return False
    return (selection.at_least is None or score >= selection.at_least) and (
        selection.at_most is None or score <= selection.at_most
    )


# --- sending them --------------------------------------------------------------------------------


def rescan_posts(
    post_ids: Sequence[UUID], *, asked_at: datetime, operation: str, actor: Actor
) -> int:
    """Send a batch of posts for screening again; return how many were.

    Skipped are posts that wait for a verdict already, and those that were sent again at or after
    `asked_at`. `operation` names the rescan in each post's record.
    """
    if not post_ids:
        return 0
    return send_again(post_ids, actor=actor, facts={"operation": operation}, unless_since=asked_at)
