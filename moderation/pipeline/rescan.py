"""1c · Look at old posts again: a batch of new submissions for revisions that were decided once.

What readers see stays as it is until the new verdict; a person's decision is not overruled by it
(see enforce).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet

from moderation import queries
from moderation.delivery import doorbell
from moderation.models import Post, Submission
from moderation.pipeline.record import Actor, Event, record_events
from moderation.vocabulary import Lane, Reason, SubmissionState


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
    try:
        sent = _send(post_ids, selection, operation, actor)
    except IntegrityError:
        # An author edited one of them in between, which sends it as well: look again who is left.
        sent = _send(post_ids, selection, operation, actor)
    if sent:
        doorbell.ring({Lane.RESCAN})
    return sent


@transaction.atomic
def _send(post_ids: Sequence[UUID], selection: Selection, operation: str, actor: Actor) -> int:
    posts = list(
        Post.objects.select_for_update(of=("self",), no_key=True)
        .filter(pk__in=post_ids, deleted_at__isnull=True)
        .exclude(_has(state=SubmissionState.DUE))
        .exclude(_has(reason=Reason.RESCAN, created_at__gte=selection.asked_at))
        .order_by("pk")
    )
    now = queries.database_now()
    Submission.objects.bulk_create(
        [
            Submission(
                post=post,
                revision=post.revision,
                content_hash=post.content_hash,
                reason=Reason.RESCAN,
                lane=Lane.RESCAN,
                rank_at=now,
                due_at=now,
                created_at=now,
            )
            for post in posts
        ]
    )
    record_events([_event(post, operation, actor) for post in posts])
    return len(posts)


def _has(**fields: object) -> Exists:
    return Exists(Submission.objects.filter(post=OuterRef("pk"), **fields))


def _event(post: Post, operation: str, actor: Actor) -> Event:
    return Event(
        kind="post.rescanned",
        subject_kind="post",
        subject_id=str(post.pk),
        actor=actor,
        community_id=post.community_id,
        revision=post.revision,
        facts={"operation": operation},
    )
