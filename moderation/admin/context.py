"""The tabs beside an item: each is read only when somebody opens it, and each is bounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from moderation import queries
from moderation.admin import words
from moderation.admin.display import Piece, excerpt, pieces
from moderation.admin.evidence import answers
from moderation.admin.report_panel import reports_panel
from moderation.admin.timeline import post_timeline
from moderation.models import (
    INDEFINITELY,
    Author,
    Decision,
    Enforcement,
    Post,
    Review,
)
from moderation.vocabulary import Action, Category

_AROUND = 6
_AUTHORS_POSTS = 12
_AUTHORS_ENFORCEMENTS = 20
_SIMILAR = 8
# Of so many decisions on posts of this category the likest are shown.
_COMPARED = 150
_COMPARED_CHARS = 2000
_TIMELINE_STEPS = 200


@dataclass(frozen=True, slots=True)
class Tab:
    """`template` shows what `read` returns."""

    name: str
    title: str
    read: Callable[[Review, User], dict[str, Any]]

    @property
    def template(self) -> str:
        return f"moderation/admin/context/{self.name}.html"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A post of the same thread; `is_this` marks the one under review."""

    post: Post
    author: tuple[Piece, ...]
    excerpt: tuple[Piece, ...]
    is_this: bool = False


@dataclass(frozen=True, slots=True)
class Enforced:
    row: Enforcement
    excerpt: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Likeness:
    """An earlier decision on a post that says much the same. `share` is from 0.0 to 1.0."""

    decision: Decision
    excerpt: tuple[Piece, ...]
    share: float


def _scores(review: Review, reader: User) -> dict[str, Any]:
    verdict = review.verdict
    return {
        "verdict": verdict,
        "answers": answers(queries.evidence_for(review)),
        "not_judged": sorted(
            {words.part_label(key) for key in (verdict.not_judged if verdict else [])}
        ),
    }


def _thread(review: Review, reader: User) -> dict[str, Any]:
    post = review.post
    posts = Post.objects.select_related("author")
    beside = posts.filter(parent=post.parent_id) if post.parent_id else posts.none()
    before = list(beside.filter(pk__lt=post.pk).order_by("-pk")[:_AROUND])
    after = list(beside.filter(pk__gt=post.pk).order_by("pk")[:_AROUND])
    return {
        "topic": _neighbour(post.parent) if post.parent else None,
        "before": [_neighbour(one) for one in reversed(before)],
        "this": _neighbour(post, is_this=True),
        "after": [_neighbour(one) for one in after],
        "answers": [_neighbour(one) for one in posts.filter(parent=post).order_by("pk")[:_AROUND]],
        "most": _AROUND,
    }


def _neighbour(post: Post, *, is_this: bool = False) -> Neighbour:
    return Neighbour(
        post, pieces(str(post.author)), excerpt(post.title, post.body, limit=400), is_this
    )


def _author(review: Review, reader: User) -> dict[str, Any]:
    author = review.post.author
    return {
        "author": author,
        "author_pieces": pieces(str(author)),
        "limits": _limits(author),
        "enforcements": [
            Enforced(row, excerpt(row.post.title, row.post.body, limit=80))
            for row in Enforcement.objects.filter(author=author)
            .exclude(action=Action.ALLOW)
            .select_related("verdict", "decision__moderator", "reversed_by", "post")
            .prefetch_related("effects")
            .order_by("-pk")[:_AUTHORS_ENFORCEMENTS]
        ],
        "posts": [
            _neighbour(one)
            for one in Post.objects.filter(author=author)
            .exclude(pk=review.post_id)
            .select_related("author")
            .order_by("-pk")[:_AUTHORS_POSTS]
        ],
        "reported": author.reports_upheld + author.reports_refused,
    }


def _limits(author: Author) -> list[str]:
    """Say which sanctions run, in words."""
    now = queries.database_now()
    return [
        f"{label}, {_until(until)}"
        for until, label in (
            (author.held_until, "Their posts are held until judged"),
            (author.silenced_until, "They can read, not write"),
            (author.suspended_until, "They are suspended"),
        )
        if until is not None and until > now
    ]


def _until(moment: datetime) -> str:
    return (
        "until it is reversed" if moment == INDEFINITELY else f"until {moment:%Y-%m-%d %H:%M} UTC"
    )


def _reports(review: Review, reader: User) -> dict[str, Any]:
    return {"panel": reports_panel(review)}


def _similar(review: Review, reader: User) -> dict[str, Any]:
    return {"similar": similar_decided(review), "compared": _COMPARED}


def similar_decided(review: Review) -> list[Likeness]:
    """Return how posts that say much the same were decided in this community, the likest first."""
    mine = _words_of(review.post)
    ranked = sorted(
        ((_share(mine, _words_of(one.post)), one) for one in _comparable(review)),
        key=lambda pair: (-pair[0], -pair[1].pk),
    )
    return [
        Likeness(one, excerpt(one.post.title, one.post.body, limit=200), share)
        for share, one in ranked[:_SIMILAR]
        if share > 0
    ]


def _comparable(review: Review) -> QuerySet[Decision]:
    """Return the newest decisions on posts of the same category, or on the very same content."""
    same = Q(category=review.category) if review.category else Q(category__isnull=True)
    return (
        Decision.objects.filter(same, post__community=review.community_id)
        .exclude(post=review.post_id)
        .select_related("post__author", "moderator", "enforcement")
        .order_by("-pk")[:_COMPARED]
    )


def _words_of(post: Post) -> frozenset[str]:
    text = f"{post.title} {post.body}"[:_COMPARED_CHARS].lower()
    return frozenset(text.split())


def _share(one: frozenset[str], other: frozenset[str]) -> float:
    both = len(one & other)
    return both / (len(one) + len(other) - both) if both else 0.0


def _timeline(review: Review, reader: User) -> dict[str, Any]:
    steps = post_timeline(review.post, opens_notes=reader.has_perm("moderation.decide_review"))
    return {"timeline": steps[:_TIMELINE_STEPS], "most": _TIMELINE_STEPS}


@dataclass(frozen=True, slots=True)
class Threshold:
    does: str
    score: float


def _rule(review: Review, reader: User) -> dict[str, Any]:
    revision = (review.verdict.policy if review.verdict else None) or review.community.policy
    if revision is None:
        return {"revision": None}
    policy = revision.parsed()
    category = Category(review.category) if review.category else None
    steps = policy.thresholds.get(category, {}) if category else {}
    return {
        "revision": revision,
        "category": words.category_label(review.category),
        "thresholds": [
            Threshold(words.policy_does(action), score) for action, score in steps.items()
        ],
        "on_failure": policy.on_failure,
        "review_visibility": policy.review_visibility,
        "providers": sorted(policy.providers()),
        "in_force": review.community.policy_id == revision.pk,
    }


TABS: Final = (
    Tab("scores", "Scores", _scores),
    Tab("thread", "Thread", _thread),
    Tab("author", "Author", _author),
    Tab("reports", "Reports", _reports),
    Tab("similar", "Similar", _similar),
    Tab("timeline", "Timeline", _timeline),
    Tab("rule", "Rule", _rule),
)
_BY_NAME: Final[Mapping[str, Tab]] = {tab.name: tab for tab in TABS}


def tab_named(name: str) -> Tab:
    """Return the tab of a name; the first one for a name that means nothing."""
    return _BY_NAME.get(name, TABS[0])
