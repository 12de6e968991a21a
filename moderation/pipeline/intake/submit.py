"""1 · Accept once: check what was sent, store it, and stage its screening in one transaction.

Accepting needs the database only. A 2xx means that the rows are committed; the doorbell that
wakes the workers rings afterwards and may fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from django.db import DatabaseError, IntegrityError, InterfaceError, OperationalError, transaction

from moderation import queries, tracing
from moderation.delivery import doorbell
from moderation.errors import AuthorBarred, InvalidSubmission, ModerationError, NotFound
from moderation.models import Author, MediaItem, Post, Submission
from moderation.pipeline.audit.record import Actor, Event, record_events
from moderation.pipeline.enforcement.sanctions import why_barred
from moderation.pipeline.intake.draft import NewPost, Writer, check_draft
from moderation.pipeline.intake.group_commit import GroupCommit
from moderation.pipeline.intake.idempotency import (
    Idempotency,
    Reply,
    find_replies,
    keep_replies,
    running,
)
from moderation.pipeline.intake.revision import (
    content_hash,
    new_media_rows,
    new_submission,
    post_event,
    shows_before_verdict,
)
from moderation.pipeline.media import put_away
from moderation.vocabulary import PostKind, Priority, Reason, Visibility

__all__ = [
    "Accepted",
    "Call",
    "Idempotency",
    "NewPost",
    "Reply",
    "Result",
    "Writer",
    "submit",
    "submit_all",
]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A post that is stored and due for screening."""

    post: Post


Result = Accepted | ModerationError


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its posts, who sends them, and how its results are answered.

    `priority` says how soon they are looked at while many wait.
    """

    posts: tuple[NewPost, ...]
    actor: Actor
    answer: Callable[[Sequence[Result]], Reply]
    idempotency: Idempotency | None = None
    priority: Priority = Priority.NORMAL


def submit(call: Call) -> Reply:
    """Store a call's posts and return its answer.

    Each post has its own result; one that is refused does not touch the others. A call of a
    single post raises what refused it. Raises `IdempotencyRunning` while the first call with
    the same key runs, `IdempotencyMismatch` when the key came with another payload.
    """
    checked = tuple(_checked(post) for post in call.posts)
    lone = checked[0] if len(checked) == 1 else None
    if isinstance(lone, ModerationError):
        raise lone
    with tracing.span("submit", posts=len(checked)):
        # Whoever leads the commit stores it in another thread.
        prepared = _Prepared(call, checked, tracing.traceparent())
        with running(call.idempotency):
            reply = _commits.submit(prepared)
    if isinstance(reply, ModerationError):
        raise reply
    if not reply.replayed:
        doorbell.ring(prepared.lanes)
    return reply


def submit_all(calls: Sequence[Call]) -> list[Reply | ModerationError]:
    """Store the calls of one caller, who waits for all of them, and return what came of each.

    One transaction for all; what the database cannot keep of one is refused alone. Raises
    `OperationalError` or `InterfaceError` when the database is away: then nothing is stored.
    """
    prepared = [_Prepared(call, tuple(_checked(post) for post in call.posts)) for call in calls]
    try:
        answers = _store_calls(prepared)
    except (OperationalError, InterfaceError):
        raise
    except DatabaseError:
        answers = [_store_alone(item) for item in prepared]
    fresh = [
        item
        for item, answer in zip(prepared, answers, strict=True)
        if isinstance(answer, Reply) and not answer.replayed
    ]
    doorbell.ring({lane for item in fresh for lane in item.lanes})
    return answers


def _store_alone(item: _Prepared) -> Reply | ModerationError:
    try:
        return _store_calls([item])[0]
    except (OperationalError, InterfaceError):
        raise
    except DatabaseError:
        return InvalidSubmission("The database cannot keep this post.")


def _checked(post: NewPost) -> NewPost | InvalidSubmission:
    try:
        checked = check_draft(post)
        return replace(checked, media=put_away(checked.media))
    except InvalidSubmission as error:
        return error


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A call after its checks: `checked` holds a clean post or its refusal, in order.

    `trace` is the one that the call came in, "" for none.
    """

    call: Call
    checked: tuple[NewPost | InvalidSubmission, ...]
    trace: str = ""
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
        known = find_replies([item.call.idempotency for item in prepared if item.call.idempotency])
        fresh = [item for item in prepared if item.call.idempotency not in known]
        rows = _Rows(now=queries.database_now())
        context = _read_context(fresh, rows.now)
        answers = {id(item): _stage_call(rows, item, context) for item in fresh}
        keep_replies(
            [
                (item.call.idempotency, reply)
                for item in fresh
                if item.call.idempotency and isinstance(reply := answers[id(item)], Reply)
            ]
        )
        _insert(rows)
    return [
        known[item.call.idempotency] if item.call.idempotency in known else answers[id(item)]
        for item in prepared
    ]


_commits = GroupCommit(_store_calls, max_batch=64, common_faults=(OperationalError, InterfaceError))


@dataclass(frozen=True, slots=True)
class _Context:
    """Who writes and what is replied to, read once for all calls of a transaction.

    `barred` holds what to tell authors whom a sanction keeps from writing.
    """

    authors: Mapping[tuple[int, str], Author]
    parents: Mapping[UUID, Post]
    barred: Mapping[int, AuthorBarred]


def _read_context(prepared: Sequence[_Prepared], now: datetime) -> _Context:
    drafts = [post for item in prepared for post in item.checked if isinstance(post, NewPost)]
    authors = _authors_of(drafts)
    return _Context(authors, _parents_of(drafts), why_barred(authors.values(), now))


def _stage_call(rows: _Rows, item: _Prepared, context: _Context) -> Reply | ModerationError:
    results: list[Result] = [
        _stage(rows, draft, item, context) if isinstance(draft, NewPost) else draft
        for draft in item.checked
    ]
    if len(results) == 1 and isinstance(results[0], ModerationError):
        return results[0]
    return item.call.answer(results)


def _stage(rows: _Rows, draft: NewPost, item: _Prepared, context: _Context) -> Result:
    author = context.authors[draft.community.pk, draft.writer.external_id]
    if author.pk in context.barred:
        return context.barred[author.pk]
    parent = context.parents.get(draft.parent_id) if draft.parent_id else None
    if draft.parent_id and (parent is None or not _may_reply(draft, author, parent)):
        return NotFound(f"There is no topic {draft.parent_id} to reply to.")
    post = Post(
        community=draft.community,
        author=author,
        kind=PostKind.REPLY if parent else PostKind.TOPIC,
        parent=parent,
        channel=draft.channel or (parent.channel if parent else ""),
        reference=draft.reference,
        title=draft.title,
        body=draft.body,
        created_at=rows.now,
    )
    media = new_media_rows(draft.media, post, first_position=0)
    post.content_hash = content_hash(draft.title, draft.body, media)
    post.shown_before_verdict = shows_before_verdict(
        draft.community,
        author,
        now=rows.now,
        has_text=draft.has_text,
        media=media,
    )
    post.visibility = Visibility.PUBLIC if post.shown_before_verdict else Visibility.HELD
    submission = new_submission(
        post,
        author,
        Reason.NEW,
        now=rows.now,
        has_media=bool(media),
        priority=item.call.priority,
    )
    rows.posts.append(post)
    rows.media.extend(media)
    rows.submissions.append(submission)
    rows.events.append(
        post_event(
            "post.submitted",
            post,
            item.call.actor,
            author=author,
            is_first=True,
            trace=_trace_of(post, item),
        )
    )
    item.lanes.add(submission.lane)
    return Accepted(post)


def _trace_of(post: Post, item: _Prepared) -> str:
    """Return the trace of a submission: that of its request, or where that brings several posts or
    is none, one of its own.
    """
    if not tracing.is_on() or (item.trace and len(item.checked) == 1):
        return item.trace
    return tracing.begun("submit", links=(item.trace,), post=str(post.pk))


def _may_reply(draft: NewPost, author: Author, parent: Post) -> bool:
    """A user of this site answers what they can read; a client knows what its people see."""
    if parent.community_id != draft.community.pk:
        return False
    return draft.writer.user_id is None or queries.may_read_as(author.pk, parent)


def _insert(rows: _Rows) -> None:
    Post.objects.bulk_create(rows.posts)
    MediaItem.objects.bulk_create(rows.media)
    Submission.objects.bulk_create(rows.submissions)
    record_events(rows.events)


def _authors_of(drafts: Sequence[NewPost]) -> dict[tuple[int, str], Author]:
    """Return each draft's author, creating those who post for the first time."""
    wanted = {(draft.community.pk, draft.writer.external_id): draft for draft in drafts}
    if not wanted:
        return {}
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
        for author in Author.objects.filter(community_id=community_id, external_id__in=external_ids)
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
