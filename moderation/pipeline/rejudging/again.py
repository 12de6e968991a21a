"""1c · Send revisions that were decided once for screening again, in batches.

What readers see stays as it is until the new verdict; a person's decision is not overruled by it
(see enforce).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef

from moderation import queries
from moderation.delivery import doorbell
from moderation.models import Post, Submission
from moderation.pipeline.audit.record import Actor, Event, record_events
from moderation.vocabulary import Lane, Reason, SubmissionState


def send_again(
    post_ids: Sequence[UUID],
    *,
    actor: Actor,
    facts: Mapping[str, object],
    unless_since: datetime | None = None,
) -> int:
    """Send posts for screening again; return how many were.

    Skips posts that wait for a verdict already and, given `unless_since`, those that were sent
    again at or after it. `facts` say why in each post's record.
    """
    try:
        sent = _send(post_ids, actor, facts, unless_since)
    except IntegrityError:
        # An author edited one of them in between, which sends it as well: look again who is left.
        sent = _send(post_ids, actor, facts, unless_since)
    if sent:
        transaction.on_commit(partial(doorbell.ring, {Lane.RESCAN}))
    return sent


@transaction.atomic
def _send(
    post_ids: Sequence[UUID],
    actor: Actor,
    facts: Mapping[str, object],
    unless_since: datetime | None,
) -> int:
    chosen = (
        Post.objects.select_for_update(of=("self",), no_key=True)
        .filter(pk__in=post_ids, deleted_at__isnull=True)
        .exclude(_has(state=SubmissionState.DUE))
        .order_by("pk")
    )
    if unless_since is not None:
        chosen = chosen.exclude(_has(reason=Reason.RESCAN, created_at__gte=unless_since))
    posts = list(chosen)
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
    record_events([_event(post, actor, facts) for post in posts])
    return len(posts)


def _has(**fields: object) -> Exists:
    return Exists(Submission.objects.filter(post=OuterRef("pk"), **fields))


def _event(post: Post, actor: Actor, facts: Mapping[str, object]) -> Event:
    return Event(
        kind="post.rescanned",
        subject_kind="post",
        subject_id=str(post.pk),
        actor=actor,
        community_id=post.community_id,
        revision=post.revision,
        facts=facts,
    )
