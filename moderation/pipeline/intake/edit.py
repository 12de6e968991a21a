"""1b · The author changes a post or takes it away. Each visible change is a new revision."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from moderation import queries
from moderation.delivery import doorbell, websocket
from moderation.delivery.hints import Hint
from moderation.errors import NotFound, StaleRevision
from moderation.models import (
    Appeal,
    AuditEvent,
    MediaItem,
    Post,
    PostRevision,
    Review,
    Submission,
)
from moderation.pipeline.audit.record import Actor, record_events
from moderation.pipeline.enforcement.sanctions import refuse_if_barred
from moderation.pipeline.intake.draft import NewPost, Writer, check_draft
from moderation.pipeline.intake.revision import (
    content_hash,
    new_media_rows,
    new_submission,
    post_event,
    shows_before_verdict,
)
from moderation.pipeline.media import NewMedia, put_away
from moderation.pipeline.review import reported
from moderation.policy.fold import fold
from moderation.vocabulary import (
    AppealState,
    Priority,
    Reason,
    ReviewState,
    SubmissionState,
    Visibility,
)


def edit_post(
    *,
    post_id: UUID,
    base_revision: int | None,
    actor: Actor,
    title: str | None = None,
    body: str | None = None,
    media: Sequence[NewMedia] | None = None,
    keep_media_ids: Iterable[UUID] | None = None,
    priority: Priority = Priority.NORMAL,
) -> Post:
    """Store a new revision; it must be judged before it is trusted.

    None leaves a field as it is; `keep_media_ids` names the attachments that stay. Raises
    `StaleRevision` when `base_revision` is no longer the current one, `NotFound` for a deleted
    post. An edit that changes nothing returns the post as it is.
    """
    media = put_away(media or ())
    with transaction.atomic():
        post = _lock_post(post_id)
        if post.author.silenced_until is not None or post.author.suspended_until is not None:
            refuse_if_barred(post.author, queries.database_now())
        if base_revision is not None and base_revision != post.revision:
            raise StaleRevision(f"Post {post.pk} is at revision {post.revision}.")
        kept, dropped = _split_media(post, keep_media_ids)
        draft = check_draft(
            NewPost(
                community=post.community,
                writer=Writer(post.author.external_id),
                title=post.title if title is None else title,
                body=post.body if body is None else body,
                channel=post.channel,
                media=media,
            ),
            kept_media=len(kept),
        )
        if (draft.title, draft.body) == (post.title, post.body) and not dropped and not media:
            return post
        submission = _store_revision(post, draft, kept, dropped, priority)
        event = _record("post.edited", post, actor)
    doorbell.ring({submission.lane})
    websocket.push([Hint.of(post, event)])
    return post


def delete_post(*, post_id: UUID, actor: Actor) -> None:
    """Take a post away from every reader. Its evidence and record stay."""
    with transaction.atomic():
        post = _lock_post(post_id)
        had_item = _supersede(post)
        Post.objects.filter(pk=post.pk).update(deleted_at=Now(), visibility=Visibility.DELETED)
        post.visibility = Visibility.DELETED
        event = _record("post.deleted", post, actor)
        if had_item:
            reported.end_with_post(post, actor=actor)
    websocket.push([Hint.of(post, event)])


def _lock_post(post_id: UUID) -> Post:
    post = (
        Post.objects.select_for_update(of=("self",), no_key=True)
        .select_related("community", "author")
        .filter(pk=post_id, deleted_at__isnull=True)
        .first()
    )
    if post is None:
        raise NotFound(f"There is no post {post_id}.")
    return post


def _split_media(
    post: Post, keep_media_ids: Iterable[UUID] | None
) -> tuple[list[MediaItem], list[MediaItem]]:
    """Return the attachments that stay and those that go."""
    current = list(post.media.filter(removed_in_revision__isnull=True))
    if keep_media_ids is None:
        return current, []
    keep = set(keep_media_ids)
    return (
        [item for item in current if item.pk in keep],
        [item for item in current if item.pk not in keep],
    )


def _store_revision(
    post: Post,
    draft: NewPost,
    kept: list[MediaItem],
    dropped: list[MediaItem],
    priority: Priority,
) -> Submission:
    now = queries.database_now()
    PostRevision.objects.create(
        post=post,
        revision=post.revision,
        title=post.title,
        body=post.body,
        content_hash=post.content_hash,
        replaced_at=now,
    )
    had_item = _supersede(post)
    post.revision += 1
    added = new_media_rows(draft.media, post, first_position=len(kept))
    MediaItem.objects.filter(pk__in=[item.pk for item in dropped]).update(
        removed_in_revision=post.revision
    )
    MediaItem.objects.bulk_create(added)
    shown_media = [*kept, *added]
    post.title, post.body = draft.title, draft.body
    post.content_hash = content_hash(post.title, post.body, shown_media)
    # What readers could not see a moment ago does not come back by being edited.
    post.shown_before_verdict = post.visibility == Visibility.PUBLIC and shows_before_verdict(
        post.community,
        post.author,
        now=now,
        has_text=draft.has_text,
        media=shown_media,
    )
    state = fold([], judged=False, shown_before_verdict=post.shown_before_verdict, deleted=False)
    post.status, post.visibility = state.status, state.visibility
    post.edited_at, post.decided_at = now, None
    post.save()
    if had_item:
        reported.follow_edit(post)
    submission = new_submission(
        post,
        post.author,
        Reason.EDIT,
        now=now,
        has_media=bool(shown_media),
        priority=priority,
    )
    submission.save()
    return submission


def _supersede(post: Post) -> bool:
    """Close what was under way for the revision that ends: its screening and its review.

    Returns whether there was an item to close.

    An appeal goes on: what it is about is not undone by a newer text.
    """
    Submission.objects.filter(post=post, state=SubmissionState.DUE).exclude(
        reason=Reason.APPEAL
    ).update(state=SubmissionState.SUPERSEDED, lease_token=None, lease_until=None)
    reviews = Review.objects.filter(post=post, state=ReviewState.OPEN)
    appealed = Exists(Appeal.objects.filter(review=OuterRef("pk"), state=AppealState.OPEN))
    closed = reviews.exclude(appealed).update(
        state=ReviewState.SUPERSEDED, closed_at=Now(), holder=None, lease_until=None
    )
    return closed > 0


def _record(kind: str, post: Post, actor: Actor) -> AuditEvent:
    return record_events([post_event(kind, post, actor, author=post.author)])[0]
