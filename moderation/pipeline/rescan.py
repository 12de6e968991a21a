"""1e · Look at old posts again: which they are, and the next of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from moderation.models import Post
from moderation.pipeline.again import send_again
from moderation.pipeline.record import Actor


@dataclass(frozen=True, slots=True)
class Selection:
    """Which posts: those of a community from `since` up to, not including, `until`.

    Posts that were sent again at or after `asked_at` are left out, so that a rescan which was
    interrupted goes on where it stopped.
    """

    community_id: int
    since: datetime
    until: datetime
    asked_at: datetime


def selected_posts(selection: Selection) -> QuerySet[Post]:
    """Return the posts that a rescan is about, in key order, whether it has reached them or not."""
    return Post.objects.filter(
        community_id=selection.community_id,
        created_at__gte=selection.since,
        created_at__lt=selection.until,
        deleted_at__isnull=True,
    ).order_by("pk")


def next_posts(selection: Selection, *, after: UUID | None, limit: int) -> list[UUID]:
    """Return the ids of the next posts in key order, done or not, so that progress is exact."""
    posts = selected_posts(selection)
    if after is not None:
        posts = posts.filter(pk__gt=after)
    return list(posts.values_list("pk", flat=True)[:limit])


def rescan_posts(
    post_ids: Sequence[UUID], *, selection: Selection, operation: str, actor: Actor
) -> int:
    """Send a batch of posts for screening again; return how many were.

    Posts that wait for a verdict already are skipped. `operation` names the rescan in each
    post's record.
    """
    return send_again(
        post_ids, actor=actor, facts={"operation": operation}, unless_since=selection.asked_at
    )
