"""1e · Look at old posts again: which they are, and the next of them.

A rescan walks through a community's posts in the order of their keys, so many at a time. What is
asked of evidence is asked of these few only: however rare such posts are, each step reads the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from django.db.models import F, Q, QuerySet

from moderation.identifiers import first_id_at, made_at
from moderation.models import Post, ProviderResult, VerdictRecord
from moderation.pipeline.audit.record import Actor
from moderation.pipeline.rejudging.again import send_again
from moderation.vocabulary import Category, Outcome, Reason, Status, Visibility


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


# --- in which order ------------------------------------------------------------------------------

# Rows that one step reads at most: what no step finds costs further steps, never a longer one.
WINDOW = 1_000
_COUNTING_WINDOW = 10_000
# Somebody waits for the number: what more rows there are is worked out from the time of these.
MOST_COUNTED = 50_000
# Ids are made by the clocks of web servers, times by the database's.
_CLOCKS_APART = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Walk:
    """The next posts, and the place after them. `is_end` says that nothing comes after it."""

    posts: list[UUID]
    place: str
    is_end: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """How many posts a rescan walks through; `counted` are the first of them, or all."""

    number: int
    counted: Sequence[UUID]

    @property
    def is_exact(self) -> bool:
        return self.number == len(self.counted)


def next_posts(selection: Selection, *, after: str, limit: int) -> Walk:
    """Walk on from a place, "" for the beginning; there may be no post in a step."""
    if selection.judged_before is not None:
        return _walk_by_age(selection, selection.judged_before, after, limit)
    return _walk_by_key(selection, after, limit, WINDOW)


def tally(selection: Selection, *, now: datetime) -> Tally:
    """Count the posts that a rescan walks through."""
    counted: list[UUID] = []
    place = str(first_id_at(selection.since))
    for _ in range(MOST_COUNTED // _COUNTING_WINDOW):
        walk = _walk_by_key(selection, place, _COUNTING_WINDOW, _COUNTING_WINDOW)
        counted += walk.posts
        place = walk.place
        if walk.is_end:
            return Tally(len(counted), counted)
    whole, done = (
        min(selection.until, now) - selection.since,
        made_at(UUID(place)) - selection.since,
    )
    share = max(1.0, whole / done) if done else 1.0
    return Tally(max(len(counted) + 1, round(len(counted) * share)), counted)


def some_posts(selection: Selection, *, number: int, now: datetime) -> list[UUID]:
    """Return about so many posts, from moments that lie evenly between the first and the last."""
    moments, at_each = number // 20, 20
    step = (min(selection.until, now) - selection.since) / moments
    places = [first_id_at(selection.since + place * step) for place in range(moments)]
    walks = [_walk_by_key(selection, str(place), at_each, WINDOW) for place in places]
    return list(dict.fromkeys(pk for walk in walks for pk in walk.posts))


def _walk_by_key(selection: Selection, after: str, limit: int, window: int) -> Walk:
    # An id is never older than the post's time, unless clocks differ.
    place = UUID(after) if after else first_id_at(selection.since - _CLOCKS_APART)
    rows = list(
        Post.objects.filter(community_id=selection.community_id, pk__gt=place)
        .order_by("pk")
        .values_list("pk", "created_at", "status", "deleted_at")[:window]
    )
    found: list[UUID] = []
    for pk, created_at, status, deleted_at in rows:
        if len(found) == limit:
            return Walk(found, str(place), is_end=False)
        place = pk
        if (
            deleted_at is None
            and selection.since <= created_at < selection.until
            and selection.status in (None, status)
        ):
            found.append(pk)
    return Walk(found, str(place), is_end=len(rows) < window)


def _walk_by_age(selection: Selection, before: datetime, after: str, limit: int) -> Walk:
    posts = unseen_posts(selection, before)
    if after:
        time, _, last = after.partition(" ")
        decided_at = datetime.fromisoformat(time)
        posts = posts.filter(
            Q(decided_at__gt=decided_at) | Q(decided_at=decided_at, pk__gt=UUID(last)),
            decided_at__gte=decided_at,
        )
    rows = list(posts.values_list("pk", "decided_at")[:limit])
    place = f"{rows[-1][1]:%Y-%m-%dT%H:%M:%S.%f%z} {rows[-1][0]}" if rows else after
    return Walk([pk for pk, _ in rows], place, is_end=len(rows) < limit)


def unseen_posts(selection: Selection, before: datetime) -> QuerySet[Post]:
    """Return what readers see and nobody looked at since `before`, the longest unseen first."""
    return Post.objects.filter(
        community_id=selection.community_id,
        visibility=Visibility.PUBLIC,
        # Follows from the next condition; an index of these times is then read from there on.
        decided_at__gte=selection.since,
        created_at__gte=selection.since,
        created_at__lt=selection.until,
        decided_at__lt=before,
    ).order_by("decided_at", "pk")


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
    # A second opinion on an appeal was asked of others, and nothing rests on it.
    verdicts = VerdictRecord.objects.filter(
        post_id__in=post_ids, revision=F("post__revision")
    ).exclude(submission__reason=Reason.APPEAL)
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
