"""What is banked may have been posted long ago: it is put before people, never hidden unseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from moderation import queries
from moderation.delivery.hints import Hint
from moderation.identifiers import first_id_at
from moderation.models import Community, MediaItem, Post, Review
from moderation.models.posts import visible_text
from moderation.pipeline.audit.record import Actor, Event, record_events
from moderation.pipeline.enforcement.queueing import queue_facts
from moderation.policy import risk
from moderation.providers.shared.bank import Match, Stock
from moderation.vocabulary import Action, Category, ReviewLane, ReviewState, Visibility

# The rule of items that a search of the past has found.
KNOWN_AGAIN: Final = "known_again"
# Taken down, or taken away: nobody reads it any more.
_READABLE = (Visibility.PUBLIC, Visibility.HELD)


@dataclass(frozen=True, slots=True)
class Walk:
    """Posts that were looked through, the place after them, and what was known again."""

    number: int
    place: str
    found: Mapping[UUID, Match]
    is_end: bool


def look_through(
    stock: Stock, *, community_id: int, after: str, before: datetime, limit: int
) -> Walk:
    """Look for what is banked among a community's next posts that anybody can read.

    They are looked through by age, up to those posted at `before`; what is posted later is
    screened with the bank. Of what moves, only the first frame's hash is kept.
    """
    rows = Post.objects.filter(
        community_id=community_id, visibility__in=_READABLE, pk__lt=first_id_at(before)
    ).order_by("pk")
    if after:
        rows = rows.filter(pk__gt=UUID(after))
    posts = list(rows.only("pk", "revision", "title", "body")[:limit])
    media = queries.media_of(posts) if posts else {}
    found = {}
    for post in posts:
        match = _nearest(stock, post, media.get(post.pk, ()), str(community_id))
        if match is not None:
            found[post.pk] = match
    place = str(posts[-1].pk) if posts else after
    return Walk(len(posts), place, found, is_end=len(posts) < limit)


def _nearest(stock: Stock, post: Post, media: Sequence[MediaItem], scope: str) -> Match | None:
    text = visible_text(post.title, post.body, [item.alt_text for item in media])
    matches = stock.like_text(text, scope)
    for item in media:
        if item.perceptual_hash:
            matches += stock.like_picture(item.perceptual_hash, scope)
    return min(matches, key=lambda match: match.distance, default=None)


def put_before_people(
    found: Mapping[UUID, Match], *, community: Community, operation: str, actor: Actor
) -> list[Hint]:
    """Open an item for every post that was known again and has none; say what changed.

    Readers go on seeing what they see. A post that was taken down meanwhile is left. The caller's
    transaction holds the posts' rows until it ends.
    """
    with transaction.atomic():
        locked = Post.objects.select_for_update(no_key=True).filter(
            pk__in=found, visibility__in=_READABLE
        )
        posts = list(locked.order_by("pk"))
        waiting = set(
            Review.objects.filter(post__in=posts, state=ReviewState.OPEN).values_list(
                "post_id", flat=True
            )
        )
        fresh = [post for post in posts if post.pk not in waiting]
        media = queries.media_of(fresh) if fresh else {}
        now = queries.database_now()
        Review.objects.bulk_create(
            [_item(post, found[post.pk], community, post.pk in media, now) for post in fresh]
        )
        events = record_events(
            [_event(post, found[post.pk], operation=operation, actor=actor) for post in fresh]
        )
    return [
        Hint.of(post, event, queue_changed=True) for post, event in zip(fresh, events, strict=True)
    ]


def _item(post: Post, match: Match, community: Community, has_media: bool, now: datetime) -> Review:
    category = Category(match.category)
    severity = risk.severity_of(category, Action.REVIEW)
    reach = 1 if post.visibility == Visibility.PUBLIC else 0
    return Review(
        post=post,
        community=community,
        revision=post.revision,
        lane=ReviewLane.NEW,
        rule=KNOWN_AGAIN,
        category=category,
        severity=severity,
        reach=reach,
        **queue_facts(
            title=post.title,
            body=post.body,
            lane=ReviewLane.NEW,
            minutes=community.review_minutes,
            now=now,
            has_media=has_media,
        ),
        rank_at=now - timedelta(seconds=risk.review_bonus_seconds(severity, reach)),
        created_at=now,
    )


def _event(post: Post, match: Match, *, operation: str, actor: Actor) -> Event:
    return Event(
        kind="bank.matched",
        subject_kind="post",
        subject_id=str(post.pk),
        actor=actor,
        community_id=post.community_id,
        revision=post.revision,
        facts={
            "entry": match.entry,
            "category": str(match.category),
            "distance": match.distance,
            "operation": operation,
        },
    )
