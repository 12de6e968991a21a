"""Who may see what, and what waits. Reads only; every surface asks here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Generic, TypeVar
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db import connection
from django.db.models import Min, Q, QuerySet

from moderation.errors import NotFound
from moderation.models import (
    Author,
    Community,
    CommunityWord,
    Enforcement,
    MediaItem,
    Organisation,
    PolicyRevision,
    Post,
    ProviderResult,
    Review,
    Submission,
)
from moderation.policy.document import DEFAULT_DOCUMENT, Policy, parse_policy
from moderation.policy.explanation import Explanation, explain_decision, explain_verdict
from moderation.policy.fold import Enforced
from moderation.text.matcher import WordMatcher
from moderation.vocabulary import (
    Action,
    EffectKind,
    ReviewState,
    Status,
    SubmissionState,
    Visibility,
    WordAction,
)

# How long a process may go on with a community, a key or a load figure it has read.
FRESH_SECONDS = 1.0

Value = TypeVar("Value")
AnyUser = AbstractBaseUser | AnonymousUser


class ShortMemory(Generic[Value]):
    """Remembers what a reader returned for a second, so that hot rows are read once a second.

    Errors are not remembered. Bounded: forgets everything when it holds too much.
    """

    def __init__(self, *, seconds: float = FRESH_SECONDS, most: int = 10_000) -> None:
        self._seconds = seconds
        self._most = most
        self._kept: dict[object, tuple[float, Value]] = {}
        self._guard = threading.Lock()

    def get(self, key: object, read: Callable[[], Value]) -> Value:
        now = time.monotonic()
        kept = self._kept.get(key)
        if kept is not None and kept[0] > now:
            return kept[1]
        value = read()
        with self._guard:
            if len(self._kept) >= self._most:
                self._kept.clear()
            self._kept[key] = (now + self._seconds, value)
        return value

    def clear(self) -> None:
        with self._guard:
            self._kept.clear()


# Time and load

# The same clock as Django's `Now()` uses in updates, on either database.
_NOW_SQL = {
    "postgresql": "SELECT STATEMENT_TIMESTAMP()",
    "sqlite": "SELECT STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')",
}


def database_now() -> datetime:
    """Return the database's own time: the only clock that due times and leases know."""
    with connection.cursor() as cursor:
        cursor.execute(_NOW_SQL[connection.vendor])
        value = cursor.fetchone()[0]
    if isinstance(value, datetime):
        return value
    return datetime.fromisoformat(f"{value}+00:00")


_load: ShortMemory[float] = ShortMemory()
_words: ShortMemory[WordMatcher[WordAction] | None] = ShortMemory(seconds=3600)


def oldest_due_seconds() -> float:
    """Return the age of the oldest submission that waits for its verdict, 0.0 when none does."""

    def read() -> float:
        oldest = Submission.objects.filter(state=SubmissionState.DUE).aggregate(
            at=Min("created_at")
        )["at"]
        return (database_now() - oldest).total_seconds() if oldest else 0.0

    return _load.get("oldest", read)


def is_holding_for_overload(community: Community) -> bool:
    """Whether new posts wait for their verdict because verdicts come too late."""
    policy = policy_of(community.policy_id)
    return (
        policy.overload_then == "hold"
        and policy.overload_seconds is not None
        and oldest_due_seconds() > policy.overload_seconds
    )


# Communities


@lru_cache(maxsize=1024)
def policy_of(policy_id: int | None) -> Policy:
    """Return a policy revision's rules; revisions never change, so they are kept for good."""
    if policy_id is None:
        return parse_policy(DEFAULT_DOCUMENT)
    return PolicyRevision.objects.get(pk=policy_id).parsed()


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """What screening must know of a community; `language` is "" when it expects none."""

    policy_id: int | None
    language: str


def rules_in_force(community_ids: Collection[int]) -> dict[int, RulesInForce]:
    """Return each community's rules as they are now."""
    rows = Community.objects.filter(pk__in=community_ids)
    return {
        pk: RulesInForce(policy_id, language)
        for pk, policy_id, language in rows.values_list("pk", "policy_id", "language")
    }


_communities: ShortMemory[Community] = ShortMemory()


def get_community(slug: str) -> Community:
    """Raises `NotFound`. May be up to a second old."""

    def read() -> Community:
        community = Community.objects.filter(slug=slug).first()
        if community is None:
            raise NotFound(f"There is no community {slug!r}.")
        return community

    return _communities.get(slug, read)


def community_matcher(community: Community) -> WordMatcher[WordAction] | None:
    """Return the matcher of a community's own words (payload: `WordAction`), None without any."""

    def read() -> WordMatcher[WordAction] | None:
        words = list(CommunityWord.objects.filter(community_id=community.pk))
        if not words:
            return None
        return WordMatcher.build([(word.term, WordAction(word.action)) for word in words])

    return _words.get((community.pk, community.words_version), read)


def forget_everything() -> None:
    """Drop what this process remembers; for tests and for commands that change rows wholesale."""
    for memory in (_load, _words, _communities):
        memory.clear()
    policy_of.cache_clear()


# Posts


def public_posts() -> QuerySet[Post]:
    return Post.objects.filter(visibility=Visibility.PUBLIC)


def posts_for(user: AnyUser) -> QuerySet[Post]:
    """Return the posts that a user of this site may read: public ones and their own."""
    allowed = Q(visibility=Visibility.PUBLIC)
    if user.is_authenticated:
        allowed |= Q(author__user=user.pk) & ~Q(visibility=Visibility.DELETED)
    return Post.objects.filter(allowed)


def get_post_for(user: AnyUser, post_id: UUID) -> Post:
    """Raises `NotFound` for what is not there and for what this user may not read alike."""
    post = posts_for(user).select_related("author", "community", "parent").filter(pk=post_id)
    found = post.first()
    if found is None:
        raise NotFound("There is no such post.")
    return found


def own_posts(user: User) -> QuerySet[Post]:
    return (
        Post.objects.filter(author__user=user)
        .exclude(visibility=Visibility.DELETED)
        .select_related("community", "author", "parent")
    )


def posts_of(owner: Community | Organisation) -> QuerySet[Post]:
    """Return what an API client reads: every post of its community or communities.

    All but the deleted ones, which nobody reads.
    """
    mine = Q(community=owner) if isinstance(owner, Community) else Q(community__organisation=owner)
    return (
        Post.objects.filter(mine)
        .exclude(visibility=Visibility.DELETED)
        .select_related("community", "author", "parent")
    )


def explanations_of(posts: Collection[Post]) -> dict[UUID, Explanation]:
    """Return why each post's current revision is what it is, in words for its author.

    A post that is still being checked, or was approved without remark, is absent.
    """
    wanted = {post.pk: post.revision for post in posts if post.status != Status.PENDING}
    if not wanted:
        return {}
    standing = (
        Enforcement.objects.filter(post_id__in=wanted, reversed_at__isnull=True)
        .select_related("verdict", "decision")
        .order_by("pk")
    )
    # The last word on a post counts, as in the fold of its state.
    latest = {row.post_id: row for row in standing if row.revision == wanted[row.post_id]}
    return {
        post_id: _explanation_of(row)
        for post_id, row in latest.items()
        if row.action != Action.ALLOW
    }


def _explanation_of(enforcement: Enforcement) -> Explanation:
    decision, verdict = enforcement.decision, enforcement.verdict
    if decision is not None:
        return explain_decision(Action(decision.action), decision.category, decision.reason)
    assert verdict is not None  # a constraint: an enforcement has one cause
    return explain_verdict(Action(verdict.action), verdict.rule, verdict.category)


def current_media(post: Post) -> QuerySet[MediaItem]:
    return post.media.filter(
        Q(removed_in_revision__isnull=True) | Q(removed_in_revision__gt=post.revision),
        added_in_revision__lte=post.revision,
    )


def media_of(posts: Collection[Post]) -> dict[UUID, list[MediaItem]]:
    """Return what the current revision of each post shows; a post without attachments is absent."""
    revisions = {post.pk: post.revision for post in posts}
    found: dict[UUID, list[MediaItem]] = {}
    for item in MediaItem.objects.filter(post_id__in=revisions):
        if item.post_id is not None and item.shows_in(revisions[item.post_id]):
            found.setdefault(item.post_id, []).append(item)
    return found


def get_media_for(user: AnyUser, media_id: UUID) -> MediaItem:
    """Return an attachment whose bytes a user may read now. Raises `NotFound`.

    Readers get what the current revision of a public post shows; authors their own; moderators
    what belongs to a community of theirs.
    """
    item = MediaItem.objects.select_related("post", "author").filter(pk=media_id).first()
    if item is None or not _may_read_media(user, item):
        raise NotFound("There is no such file.")
    return item


def _may_read_media(user: AnyUser, item: MediaItem) -> bool:
    if moderates(user, item.community_id):
        return True
    if item.post is None or item.post.visibility == Visibility.DELETED:
        return False
    if user.is_authenticated and item.author.user_id == user.pk:
        return True
    return item.post.visibility == Visibility.PUBLIC and item.shows_in(item.post.revision)


def enforced_on(post_id: UUID, revision: int, *, without: int = 0) -> list[Enforced]:
    """Return a revision's unreversed enforcements in the order they were made.

    `without` leaves one out by its id, to see what its reversal would bring.
    """
    return [
        Enforced(
            action=Action(row.action),
            effects=tuple(EffectKind(effect.kind) for effect in row.effects.all()),
        )
        for row in Enforcement.objects.filter(
            post_id=post_id, revision=revision, reversed_at__isnull=True
        )
        .exclude(pk=without)
        .prefetch_related("effects")
        .order_by("pk")
    ]


# People


def moderates(user: AnyUser, community_id: int) -> bool:
    """Whether a user may see what is hidden in a community."""
    if not (user.is_authenticated and isinstance(user, User) and user.is_active and user.is_staff):
        return False
    if not user.has_perm("moderation.view_review"):
        return False
    return user.is_superuser or user.moderates.filter(community_id=community_id).exists()


def communities_moderated_by(user: User) -> QuerySet[Community]:
    if user.is_superuser:
        return Community.objects.all()
    return Community.objects.filter(staff__user=user)


def author_of(user: User, community: Community) -> Author | None:
    return Author.objects.filter(user=user, community=community).first()


# Reviews


def review_queue(user: User) -> QuerySet[Review]:
    """Return the open items of a moderator's communities, the most urgent first."""
    reviews = Review.objects.filter(state=ReviewState.OPEN)
    if not user.is_superuser:
        # Ids rather than a subquery: the index by rank then gives a page without sorting the rest.
        own = communities_moderated_by(user).values_list("pk", flat=True)
        reviews = reviews.filter(community__in=list(own))
    return reviews.select_related(
        "post", "post__author", "community", "holder", "verdict"
    ).order_by("rank_at")


def evidence_for(review: Review) -> QuerySet[ProviderResult]:
    """Return what providers said of the revision under review."""
    return ProviderResult.objects.filter(
        submission__post_id=review.post_id, submission__revision=review.revision
    ).order_by("pk")
