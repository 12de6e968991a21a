"""1 · Accept once: check what was sent, store it, and stage its screening in one transaction.

Accepting needs the database only. A 2xx means that the rows are committed; the doorbell that
wakes the workers rings afterwards and may fail.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from moderation import queries
from moderation.conf import get_conf
from moderation.delivery import doorbell
from moderation.errors import (
    IdempotencyMismatch,
    IdempotencyRunning,
    InvalidSubmission,
    ModerationError,
    NotFound,
    StaleRevision,
)
from moderation.models import (
    Author,
    Community,
    IdempotencyRecord,
    MediaItem,
    Post,
    PostRevision,
    Review,
    Submission,
)
from moderation.pipeline.group_commit import GroupCommit
from moderation.pipeline.media import NewMedia, check_upload, keep_upload
from moderation.pipeline.record import Actor, Event, record_events
from moderation.policy import risk
from moderation.policy.fold import fold
from moderation.text.community_words import refuse_blocked_words
from moderation.vocabulary import (
    MediaKind,
    MediaState,
    PostKind,
    PublishingMode,
    Reason,
    ReviewState,
    Standing,
    SubmissionState,
    Visibility,
)


@dataclass(frozen=True, slots=True)
class Writer:
    """Whose post it is: the client's own id of a person, or `for_user` for a user of this site."""

    external_id: str
    user_id: int | None = None
    name: str = ""

    @classmethod
    def for_user(cls, user_id: int, name: str) -> Writer:
        return cls(external_id=f"user:{user_id}", user_id=user_id, name=name)


@dataclass(frozen=True, slots=True)
class NewPost:
    """What was sent. `parent_id` makes it a reply."""

    community: Community
    writer: Writer
    title: str = ""
    body: str = ""
    channel: str = ""
    parent_id: UUID | None = None
    media: tuple[NewMedia, ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """A post that is stored and due for screening."""

    post: Post


Result = Accepted | ModerationError


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a client, as kept for a repeated request. `replayed` when it was one."""

    status_code: int
    body: dict[str, Any]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A client's key for one call. `client` makes it private; `request_digest` tells payloads apart."""

    client: str
    key: str
    request_digest: str


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its posts, who sends them, and how its results are answered."""

    posts: tuple[NewPost, ...]
    actor: Actor
    answer: Callable[[Sequence[Result]], Reply]
    idempotency: Idempotency | None = None


def submit(call: Call) -> Reply:
    """Store a call's posts and return its answer.

    Each post has its own result; one that is refused does not touch the others. A call of a
    single post raises what refused it. Raises `IdempotencyRunning` while the first call with
    the same key runs, `IdempotencyMismatch` when the key came with another payload.
    """
    checked = tuple(_check(post) for post in call.posts)
    _raise_lone_error(checked)
    prepared = _Prepared(call, checked)
    with _running(call.idempotency):
        reply = _commits.submit(prepared)
    if isinstance(reply, ModerationError):
        raise reply
    if not reply.replayed:
        doorbell.ring(prepared.lanes)
    return reply


def edit_post(
    *,
    post_id: UUID,
    base_revision: int | None,
    actor: Actor,
    title: str | None = None,
    body: str | None = None,
    media: Sequence[NewMedia] | None = None,
    keep_media_ids: Iterable[UUID] | None = None,
) -> Post:
    """Store a new revision; it must be judged before it is trusted.

    None leaves a field as it is; `keep_media_ids` names the attachments that stay. Raises
    `StaleRevision` when `base_revision` is no longer the current one, `NotFound` for a deleted
    post. An edit that changes nothing returns the post as it is.
    """
    with transaction.atomic():
        post = _lock_post(post_id)
        if base_revision is not None and base_revision != post.revision:
            raise StaleRevision(f"Post {post.pk} is at revision {post.revision}.")
        kept, dropped = _split_media(post, keep_media_ids)
        draft = _check(
            NewPost(
                community=post.community,
                writer=Writer(post.author.external_id),
                title=post.title if title is None else title,
                body=post.body if body is None else body,
                channel=post.channel,
                media=tuple(media or ()),
            ),
            kept_media=len(kept),
        )
        if isinstance(draft, ModerationError):
            raise draft
        if (draft.title, draft.body) == (post.title, post.body) and not dropped and not media:
            return post
        submission = _store_revision(post, draft, kept, dropped, actor)
    doorbell.ring({submission.lane})
    return post


def delete_post(*, post_id: UUID, actor: Actor) -> None:
    """Take a post away from every reader. Its evidence and record stay."""
    with transaction.atomic():
        post = _lock_post(post_id)
        _supersede(post)
        Post.objects.filter(pk=post.pk).update(
            deleted_at=Now(), visibility=Visibility.DELETED
        )
        record_events([_post_event("post.deleted", post, actor)])


# Checking


def _check(post: NewPost, *, kept_media: int = 0) -> NewPost | InvalidSubmission:
    conf = get_conf()
    try:
        clean = replace(
            post,
            title=_clean_text(post.title, "title", conf.max_title_chars),
            body=_clean_text(post.body, "body", conf.max_body_chars),
        )
        if not (clean.title or clean.body or clean.media or kept_media):
            raise InvalidSubmission("A post needs a text or an attachment.")
        if len(clean.media) + kept_media > conf.max_media_per_post:
            raise InvalidSubmission(f"At most {conf.max_media_per_post} attachments a post.")
        for media in clean.media:
            check_upload(media)
        refuse_blocked_words(
            f"{clean.title}\n{clean.body}", queries.community_matcher(clean.community)
        )
    except InvalidSubmission as error:
        return error
    return clean


def _clean_text(text: str, field_name: str, limit: int) -> str:
    if "\x00" in text:
        raise InvalidSubmission(f"{field_name}: remove the NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidSubmission(
            f"{field_name}: holds half of a surrogate pair; send valid Unicode."
        ) from None
    text = text.strip()
    if len(text) > limit:
        raise InvalidSubmission(f"{field_name}: at most {limit} characters, this has {len(text)}.")
    return text


def _raise_lone_error(checked: Sequence[NewPost | InvalidSubmission]) -> None:
    if len(checked) == 1 and isinstance(checked[0], ModerationError):
        raise checked[0]


# Storing


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A call after its checks: `checked` holds a clean post or its refusal, in order."""

    call: Call
    checked: tuple[NewPost | InvalidSubmission, ...]
    lanes: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Rows:
    """Everything that one transaction stores, table by table, at one time of the database."""

    now: datetime
    posts: list[Post] = field(default_factory=list)
    submissions: list[Submission] = field(default_factory=list)
    media: list[MediaItem] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


def _store_calls(prepared: Sequence[_Prepared]) -> list[Reply | ModerationError]:
    """Store several calls in one transaction; the answer of each is kept with it."""
    try:
        return _store_once(prepared)
    except IntegrityError:
        # Another process committed the same key or author first: read again, then replay or store.
        return _store_once(prepared)


def _store_once(prepared: Sequence[_Prepared]) -> list[Reply | ModerationError]:
    with transaction.atomic():
        replies = _replay(prepared)
        fresh = [item for item in prepared if id(item) not in replies]
        drafts = [post for item in fresh for post in item.checked if isinstance(post, NewPost)]
        if drafts:
            authors = _authors_of(drafts)
            parents = _parents_of(drafts)
        rows = _Rows(now=queries.database_now())
        records = []
        for item in fresh:
            results: list[Result] = [
                _stage(rows, draft, authors, parents, item)
                if isinstance(draft, NewPost)
                else draft
                for draft in item.checked
            ]
            reply = _answer(item.call, results)
            replies[id(item)] = reply
            if item.call.idempotency and isinstance(reply, Reply):
                records.append(_idempotency_record(item.call.idempotency, reply))
        # Records first and sorted: two batches that meet on keys wait in one order.
        IdempotencyRecord.objects.bulk_create(
            sorted(records, key=lambda record: (record.client, record.key))
        )
        _insert(rows)
    return [replies[id(item)] for item in prepared]


_commits = GroupCommit(_store_calls, max_batch=64)


def _stage(
    rows: _Rows,
    draft: NewPost,
    authors: Mapping[tuple[int, str], Author],
    parents: Mapping[UUID, Post],
    item: _Prepared,
) -> Result:
    parent = parents.get(draft.parent_id) if draft.parent_id else None
    if draft.parent_id and (parent is None or parent.community_id != draft.community.pk):
        return NotFound(f"There is no topic {draft.parent_id} to reply to.")
    author = authors[draft.community.pk, draft.writer.external_id]
    media = [_media_row(new, position) for position, new in enumerate(draft.media)]
    shown = _shows_before_verdict(draft.community, author, has_text=_has_text(draft), media=media)
    post = Post(
        community=draft.community,
        author=author,
        kind=PostKind.REPLY if parent else PostKind.TOPIC,
        parent=parent,
        channel=draft.channel or (parent.channel if parent else ""),
        title=draft.title,
        body=draft.body,
        content_hash=_content_hash(draft.title, draft.body, media),
        visibility=Visibility.PUBLIC if shown else Visibility.HELD,
        shown_before_verdict=shown,
        created_at=rows.now,
    )
    for row in media:
        row.community, row.author, row.post = draft.community, author, post
        row.created_at = rows.now
    submission = _submission_for(post, author, Reason.NEW, now=rows.now, has_media=bool(media))
    rows.posts.append(post)
    rows.media.extend(media)
    rows.submissions.append(submission)
    rows.events.append(
        _post_event("post.submitted", post, item.call.actor, author=author, is_first=True)
    )
    item.lanes.add(submission.lane)
    return Accepted(post)


def _insert(rows: _Rows) -> None:
    Post.objects.bulk_create(rows.posts)
    MediaItem.objects.bulk_create(rows.media)
    Submission.objects.bulk_create(rows.submissions)
    record_events(rows.events)


def _answer(call: Call, results: Sequence[Result]) -> Reply | ModerationError:
    if len(results) == 1 and isinstance(results[0], ModerationError):
        return results[0]
    return call.answer(results)


def _authors_of(drafts: Sequence[NewPost]) -> dict[tuple[int, str], Author]:
    """Return each draft's author, creating those who post for the first time."""
    wanted = {(draft.community.pk, draft.writer.external_id): draft for draft in drafts}
    found = _find_authors(wanted)
    missing = sorted(wanted.keys() - found.keys())
    if missing:
        Author.objects.bulk_create(
            [
                Author(
                    community_id=community_id,
                    external_id=external_id,
                    user_id=wanted[community_id, external_id].writer.user_id,
                    name=wanted[community_id, external_id].writer.name,
                )
                for community_id, external_id in missing
            ],
            ignore_conflicts=True,
        )
        found = _find_authors(wanted)
    return found


def _find_authors(wanted: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Author]:
    by_community: dict[int, list[str]] = {}
    for community_id, external_id in wanted:
        by_community.setdefault(community_id, []).append(external_id)
    return {
        (community_id, author.external_id): author
        for community_id, external_ids in by_community.items()
        for author in Author.objects.filter(
            community_id=community_id, external_id__in=external_ids
        )
    }


def _parents_of(drafts: Sequence[NewPost]) -> dict[UUID, Post]:
    wanted = {draft.parent_id for draft in drafts if draft.parent_id}
    if not wanted:
        return {}
    return {
        post.pk: post
        for post in Post.objects.filter(
            pk__in=wanted, kind=PostKind.TOPIC, deleted_at__isnull=True
        ).exclude(visibility=Visibility.HIDDEN)
    }


def _media_row(new: NewMedia, position: int) -> MediaItem:
    return MediaItem(
        kind=new.kind,
        state=MediaState.WAITING,
        position=position,
        source_url=new.url,
        alt_text=new.alt_text,
        sha256=new.sha256,
        incoming=keep_upload(new),
    )


def _submission_for(
    post: Post, author: Author, reason: Reason, *, now: datetime, has_media: bool
) -> Submission:
    standing = Standing(author.standing)
    return Submission(
        post=post,
        revision=post.revision,
        content_hash=post.content_hash,
        reason=reason,
        lane=risk.lane_for(standing, has_media=has_media),
        rank_at=now - timedelta(seconds=risk.RANK_BONUS_SECONDS[standing]),
        due_at=now,
        created_at=now,
    )


def _shows_before_verdict(
    community: Community, author: Author, *, has_text: bool, media: Sequence[MediaItem]
) -> bool:
    if queries.is_holding_for_overload(community):
        return False
    modes = {community.text_mode} if has_text else set()
    for item in media:
        modes |= _modes_of(community, item)
    return risk.shows_before_verdict(
        {PublishingMode(mode) for mode in modes}, Standing(author.standing)
    )


def _modes_of(community: Community, item: MediaItem) -> set[str]:
    """An address may turn out to be a still or an animated image: the stricter mode counts."""
    if item.kind == MediaKind.VIDEO:
        return {community.video_mode}
    if item.source_url:
        return {community.image_mode, community.gif_mode}
    return {community.gif_mode if item.kind == MediaKind.GIF else community.image_mode}


def _has_text(draft: NewPost) -> bool:
    return bool(draft.title or draft.body)


def _content_hash(title: str, body: str, media: Iterable[MediaItem]) -> str:
    """Return the SHA-256 (hex) of everything that readers see of a revision."""
    seen = [title, body, [[item.sha256 or item.source_url, item.alt_text] for item in media]]
    return hashlib.sha256(json.dumps(seen).encode()).hexdigest()


def _post_event(
    kind: str, post: Post, actor: Actor, *, author: Author | None = None, is_first: bool = False
) -> Event:
    return Event(
        kind=kind,
        subject_kind="post",
        subject_id=str(post.pk),
        actor=actor,
        community_id=post.community_id,
        revision=post.revision,
        facts={"visibility": str(post.visibility)},
        personal={"author": post.author_id, "content_hash": post.content_hash},
        author=author or post.author,
        is_first=is_first,
    )


# Idempotency


def _replay(prepared: Sequence[_Prepared]) -> dict[int, Reply | ModerationError]:
    keyed = [item for item in prepared if item.call.idempotency]
    if not keyed:
        return {}
    wanted = {(item.call.idempotency.client, item.call.idempotency.key) for item in keyed}  # type: ignore[union-attr]
    kept = {
        (record.client, record.key): record
        for record in IdempotencyRecord.objects.filter(
            client__in={client for client, _ in wanted}, key__in={key for _, key in wanted}
        )
    }
    replies: dict[int, Reply | ModerationError] = {}
    for item in keyed:
        idempotency = item.call.idempotency
        assert idempotency is not None
        record = kept.get((idempotency.client, idempotency.key))
        if record is None:
            continue
        if record.request_digest != idempotency.request_digest:
            replies[id(item)] = IdempotencyMismatch()
        else:
            replies[id(item)] = Reply(record.status_code, record.body, replayed=True)
    return replies


def _idempotency_record(idempotency: Idempotency, reply: Reply) -> IdempotencyRecord:
    return IdempotencyRecord(
        client=idempotency.client,
        key=idempotency.key,
        request_digest=idempotency.request_digest,
        status_code=reply.status_code,
        body=reply.body,
    )


_in_flight: set[tuple[str, str]] = set()
_in_flight_guard = Lock()


@contextmanager
def _running(idempotency: Idempotency | None) -> Iterator[None]:
    """Refuse a second call with a key whose first call is running in this process.

    In another process the second call waits for the first one's commit and is then replayed.
    """
    if idempotency is None:
        yield
        return
    mine = (idempotency.client, idempotency.key)
    with _in_flight_guard:
        if mine in _in_flight:
            raise IdempotencyRunning()
        _in_flight.add(mine)
    try:
        yield
    finally:
        with _in_flight_guard:
            _in_flight.discard(mine)


# Editing


def _lock_post(post_id: UUID) -> Post:
    post = (
        Post.objects.select_for_update(of=("self",))
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
    post: Post, draft: NewPost, kept: list[MediaItem], dropped: list[MediaItem], actor: Actor
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
    _supersede(post)
    post.revision += 1
    added = [
        _media_row(new, len(kept) + position) for position, new in enumerate(draft.media)
    ]
    for row in added:
        row.community, row.author, row.post = post.community, post.author, post
        row.added_in_revision = post.revision
    MediaItem.objects.filter(pk__in=[item.pk for item in dropped]).update(
        removed_in_revision=post.revision
    )
    MediaItem.objects.bulk_create(added)
    shown_media = [*kept, *added]
    post.title, post.body = draft.title, draft.body
    post.content_hash = _content_hash(post.title, post.body, shown_media)
    post.shown_before_verdict = post.visibility == Visibility.PUBLIC and _shows_before_verdict(
        post.community, post.author, has_text=_has_text(draft), media=shown_media
    )
    state = fold(
        [], judged=False, shown_before_verdict=post.shown_before_verdict, deleted=False
    )
    post.status, post.visibility = state.status, state.visibility
    post.edited_at, post.decided_at = now, None
    post.save()
    submission = _submission_for(
        post, post.author, Reason.EDIT, now=now, has_media=bool(shown_media)
    )
    submission.save()
    record_events([_post_event("post.edited", post, actor)])
    return submission


def _supersede(post: Post) -> None:
    """Close what was under way for the revision that ends: its screening and its review."""
    Submission.objects.filter(post=post, state=SubmissionState.DUE).update(
        state=SubmissionState.SUPERSEDED, lease_token=None, lease_until=None
    )
    Review.objects.filter(post=post, state=ReviewState.OPEN).update(
        state=ReviewState.SUPERSEDED, closed_at=Now(), holder=None, lease_until=None
    )
