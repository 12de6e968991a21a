"""What a revision consists of: content hash, attachments, screening and audit event."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from moderation import queries
from moderation.models import Author, Community, MediaItem, Post, Submission
from moderation.pipeline.audit.record import Actor, Event
from moderation.pipeline.enforcement.sanctions import standing_at
from moderation.pipeline.media import NewMedia, keep_upload
from moderation.policy import risk
from moderation.vocabulary import MediaKind, MediaState, Priority, PublishingMode, Reason


def new_media_rows(
    media: Sequence[NewMedia], post: Post, *, first_position: int
) -> list[MediaItem]:
    """Return the rows of attachments that a post's current revision adds; not saved."""
    return [
        MediaItem(
            community_id=post.community_id,
            author_id=post.author_id,
            post=post,
            added_in_revision=post.revision,
            kind=new.kind,
            state=MediaState.WAITING,
            position=first_position + number,
            source_url=new.url,
            alt_text=new.alt_text,
            sha256=new.sha256,
            incoming=keep_upload(new),
        )
        for number, new in enumerate(media)
    ]


def new_submission(
    post: Post,
    author: Author,
    reason: Reason,
    *,
    now: datetime,
    has_media: bool,
    priority: Priority = Priority.NORMAL,
) -> Submission:
    """Return the row that sends a post's current revision for screening; not saved."""
    standing = standing_at(author, now)
    return Submission(
        post=post,
        revision=post.revision,
        content_hash=post.content_hash,
        reason=reason,
        lane=risk.lane_for(standing, has_media=has_media),
        rank_at=now - timedelta(seconds=risk.rank_bonus_seconds(standing, priority)),
        due_at=now,
        created_at=now,
    )


def shows_before_verdict(
    community: Community,
    author: Author,
    *,
    now: datetime,
    has_text: bool,
    media: Sequence[MediaItem],
) -> bool:
    """Whether readers may see a revision now: every part's mode and the load must let them."""
    if queries.is_holding_for_overload(community):
        return False
    modes = {community.text_mode} if has_text else set()
    for item in media:
        modes |= _modes_of(community, item)
    return risk.shows_before_verdict(
        {PublishingMode(mode) for mode in modes}, standing_at(author, now)
    )


def _modes_of(community: Community, item: MediaItem) -> set[str]:
    """An address may turn out to be anything: the strictest mode counts."""
    if item.source_url:
        return {community.image_mode, community.gif_mode, community.video_mode}
    if item.kind in (MediaKind.VIDEO, MediaKind.AUDIO):
        return {community.video_mode}
    return {community.gif_mode if item.kind == MediaKind.GIF else community.image_mode}


def content_hash(title: str, body: str, media: Iterable[MediaItem]) -> str:
    """Return the SHA-256 (hex) of everything that readers see of a revision."""
    seen = [title, body, [[item.sha256 or item.source_url, item.alt_text] for item in media]]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


def post_event(
    kind: str,
    post: Post,
    actor: Actor,
    *,
    author: Author,
    is_first: bool = False,
    trace: str | None = None,
) -> Event:
    """Return the audit event of a step that an author took with a post."""
    return Event(
        kind=kind,
        subject_kind="post",
        subject_id=str(post.pk),
        actor=actor,
        community_id=post.community_id,
        revision=post.revision,
        facts={"visibility": str(post.visibility)},
        personal={"author": author.pk, "content_hash": post.content_hash},
        author=author,
        is_first=is_first,
        trace=trace,
    )
