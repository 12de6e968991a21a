"""A person is forgotten: their words, pictures and name go; the posts' places and the record stay.

The key goes first, and with it all that the record says in their words: its chain covers what is
sealed, not what it said, so it still verifies. Then batch by batch, each in a transaction of its
own. Every step can be done twice: whoever is interrupted begins again and ends at the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce, Now
from django.dispatch import Signal

from moderation import queries
from moderation.asking.forgetting import forget_answers
from moderation.delivery import websocket
from moderation.delivery.hints import Hint
from moderation.errors import AppealClosed, Conflict, NotAllowed, NotFound
from moderation.models import (
    Appeal,
    AppealMessage,
    AuditEvent,
    Author,
    CallbackMessage,
    Decision,
    DecisionBatch,
    DeliveryAttempt,
    Enforcement,
    IdempotencyRecord,
    MediaItem,
    OutboxMessage,
    Post,
    PostRevision,
    ProviderJob,
    ProviderResult,
    RejectedContent,
    Report,
    Review,
    Statement,
    Submission,
    TrustedFlagger,
    VerdictRecord,
)
from moderation.models.enforcement import UNDONE
from moderation.models.posts import TEXT_KEY, visible_text
from moderation.pipeline.appeals.appeal import withdraw_appeal
from moderation.pipeline.audit.erasures import note_erasure
from moderation.pipeline.audit.record import SYSTEM, Actor, Event, record_change, record_events
from moderation.pipeline.review import reported
from moderation.providers.base import AnyPart, TextPart
from moderation.vocabulary import (
    ActorKind,
    AppealState,
    MediaState,
    ReportSource,
    ReviewState,
    SubmissionState,
    Visibility,
)

PERMISSION: Final = "moderation.erase_person"
BATCH: Final = 500
# In the place of what was said where something must stand.
ERASED: Final = "(erased)"
# No content has this hash: what was said cannot be guessed at.
_NO_HASH: Final = "0" * 64
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CHUNK = 5_000
_NOTICES: Final = (ReportSource.NOTICE, ReportSource.TRUSTED_FLAGGER)

# Sent with `user` before an account loses its name, for what the site's other apps know of it.
account_erased = Signal()

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Extent:
    """What an erasure takes away, for whoever confirms it."""

    names: tuple[str, ...]
    posts: int
    attachments: int
    reports: int
    appeals: int
    account: str = ""


@dataclass(frozen=True, slots=True)
class Erased:
    posts: int
    attachments: int


def extent_of(author: Author) -> Extent:
    authors = authors_of(author)
    return Extent(
        names=tuple(f"{one} ({one.community})" for one in authors),
        posts=Post.objects.filter(author__in=authors).count(),
        attachments=MediaItem.objects.filter(author__in=authors).count(),
        reports=Report.objects.filter(reporter__in=authors).count(),
        appeals=Appeal.objects.filter(_theirs(authors)).count(),
        account=author.user.get_username() if author.user else "",
    )


def authors_of(author: Author) -> list[Author]:
    """Return who the same person is: in every community if they have an account on this site."""
    same = Q(pk=author.pk)
    if author.user_id is not None:
        same |= Q(user=author.user_id)
    return list(Author.objects.filter(same).select_related("community", "user").order_by("pk"))


def erase_person(*, author_id: int, user: User | Actor | None) -> Erased:
    """Erase whoever an author is, in all communities; may be repeated.

    Raises `NotFound`, `NotAllowed`, and `Conflict` for an account of the staff: decisions name
    them, so their role is to be taken away first.
    """
    author = Author.objects.select_related("user").filter(pk=author_id).first()
    if author is None:
        raise NotFound(f"There is no author {author_id}.")
    authors = authors_of(author)
    if isinstance(user, User):
        _must(user, authors)
    if author.user is not None and (author.user.is_staff or author.user.is_superuser):
        raise Conflict("This is an account of the staff: take its role away first.")
    actor = Actor(ActorKind.MODERATOR, str(user.pk)) if isinstance(user, User) else user or SYSTEM
    if author.user is not None:
        _erase_notices(author.user, actor)
        _erase_account(author.user)
    for one in authors:
        _erase_identity(one, actor)
    posts = sum(_erase_posts(one, actor) for one in authors)
    attachments = sum(_erase_media(one) for one in authors)
    _withdraw_appeals(Q(appellant__in=authors), actor)
    _erase_what_they_told(authors)
    _erase_replies(authors)
    return Erased(posts, attachments)


def _must(user: User, authors: Sequence[Author]) -> None:
    """Whoever erases a person answers for every community that the person is in."""
    allowed = user.has_perm(PERMISSION)
    if not (allowed and all(queries.moderates(user, one.community_id) for one in authors)):
        raise NotAllowed("A person is erased by who may do so in all communities they are in.")


# --- who they are --------------------------------------------------------------------------------


def _erase_account(user: User) -> None:
    """End the account: nobody can sign in with it, and nothing on it names anybody."""
    with transaction.atomic():
        locked = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        account_erased.send(sender=User, user=locked)
        TrustedFlagger.objects.filter(user=locked).delete()
        locked.username = f"erased-{locked.pk}"
        locked.first_name = locked.last_name = locked.email = ""
        locked.is_active = False
        locked.set_unusable_password()
        locked.save()
        LogEntry.objects.filter(content_type__app_label="auth", object_id=str(user.pk)).update(
            object_repr=ERASED
        )
        LogEntry.objects.filter(user=user).delete()
    _end_sessions(user)


def _end_sessions(user: User) -> None:
    """Delete their sessions; none of them works since the account is not active."""
    mine = [
        session.pk
        for session in Session.objects.filter(expire_date__gt=Now()).iterator(chunk_size=_CHUNK)
        if session.get_decoded().get("_auth_user_id") == str(user.pk)
    ]
    Session.objects.filter(pk__in=mine).delete()


def _erase_identity(author: Author, actor: Actor) -> None:
    """Destroy the key and the name, and say so on the record; once."""
    with transaction.atomic():
        locked = Author.objects.select_for_update(no_key=True).get(pk=author.pk)
        note_erasure(locked)
        # Their own id with a client is known by nothing else: whoever it is may come again.
        TrustedFlagger.objects.filter(
            community=author.community_id, external_id=locked.external_id
        ).exclude(external_id="").delete()
        Author.objects.filter(pk=author.pk).update(
            name=ERASED,
            external_id=f"erased-{author.pk}",
            personal_key=None,
            erased_at=Coalesce(F("erased_at"), Now()),
        )
        LogEntry.objects.filter(
            content_type__app_label="moderation",
            content_type__model="author",
            object_id=str(author.pk),
        ).update(object_repr=ERASED)
        if locked.erased_at is None:
            record_change(
                "person.erased",
                subject=("author", str(author.pk)),
                community_id=author.community_id,
                user=actor,
                facts={"author": author.pk},
            )


# --- what they wrote -----------------------------------------------------------------------------


def _erase_posts(author: Author, actor: Actor) -> int:
    """Leave of every post the place where it stood, so that threads hold."""
    rows = Post.objects.filter(author=author).order_by("pk").values_list("pk", flat=True)
    erased, left = 0, rows
    while ids := list(left[:BATCH]):
        said = _said_in(ids, author)
        websocket.push(_erase_batch(ids, author, actor))
        forget_answers(said)
        erased, left = erased + len(ids), rows.filter(pk__gt=ids[-1])
    return erased


def _said_in(ids: Sequence[UUID], author: Author) -> list[AnyPart]:
    """Return the texts that services were asked about."""
    posts = list(Post.objects.filter(pk__in=ids))
    media = queries.media_of(posts)
    texts = [
        visible_text(post.title, post.body, [item.alt_text for item in media.get(post.pk, ())])
        for post in posts
    ]
    earlier = PostRevision.objects.filter(post__in=ids)
    texts += [visible_text(row.title, row.body, []) for row in earlier]
    language = author.community.language
    return [TextPart(TEXT_KEY, text, language) for text in texts if text]


def _erase_batch(ids: Sequence[UUID], author: Author, actor: Actor) -> list[Hint]:
    with transaction.atomic():
        posts = list(Post.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk"))
        gone_before = {post.pk for post in posts if post.deleted_at is not None}
        _end_what_is_under_way(posts, actor)
        Post.objects.filter(pk__in=ids).update(
            title="",
            body="",
            reference="",
            content_hash=_NO_HASH,
            visibility=Visibility.DELETED,
            deleted_at=Coalesce(F("deleted_at"), Now()),
        )
        PostRevision.objects.filter(post__in=ids).update(title="", body="", content_hash=_NO_HASH)
        _erase_evidence(ids)
        _erase_casework(ids)
        _erase_deliveries(ids)
        fresh = [post for post in posts if post.pk not in gone_before]
        for post in fresh:
            post.visibility, post.author = Visibility.DELETED, author
        events = record_events([_deleted(post, actor) for post in fresh])
    return [
        Hint.of(post, event, queue_changed=True) for post, event in zip(fresh, events, strict=True)
    ]


def _deleted(post: Post, actor: Actor) -> Event:
    return Event(
        kind="post.deleted",
        subject_kind="post",
        subject_id=str(post.pk),
        actor=actor,
        community_id=post.community_id,
        revision=post.revision,
        facts={"status": post.status, "visibility": post.visibility},
    )


def _end_what_is_under_way(posts: Sequence[Post], actor: Actor) -> None:
    Submission.objects.filter(post__in=posts, state=SubmissionState.DUE).update(
        state=SubmissionState.SUPERSEDED, lease_token=None, lease_until=None
    )
    waiting = Review.objects.filter(post__in=posts, state=ReviewState.OPEN)
    had_item = set(waiting.values_list("post_id", flat=True))
    waiting.update(state=ReviewState.SUPERSEDED, closed_at=Now(), holder=None, lease_until=None)
    for post in posts:
        if post.pk in had_item:
            reported.end_with_post(post, actor=actor)


def _erase_evidence(ids: Sequence[UUID]) -> None:
    """Scores stay: they say how providers judged, and nothing of what."""
    submissions = Submission.objects.filter(post__in=ids)
    tokens = ProviderJob.objects.filter(submission__post__in=ids).values_list("token", "job_id")
    jobs = list(tokens)
    CallbackMessage.objects.filter(
        Q(token__in=[token for token, _ in jobs if token])
        | Q(job_id__in=[job_id for _, job_id in jobs if job_id])
    ).update(answer=None)
    ProviderJob.objects.filter(submission__post__in=ids).update(answer={})
    ProviderResult.objects.filter(submission__post__in=ids).update(
        raw={}, spans=[], regions=[], error=""
    )
    VerdictRecord.objects.filter(post__in=ids).update(content_hash=_NO_HASH, spans=[])
    submissions.update(content_hash=_NO_HASH, last_error="")
    RejectedContent.objects.filter(enforcement__post__in=ids).delete()


def _erase_casework(ids: Sequence[UUID]) -> None:
    """What people said about the posts may quote them."""
    Review.objects.filter(post__in=ids).update(
        text_mark="", near_mark_1=None, near_mark_2=None, near_mark_3=None, near_mark_4=None
    )
    DecisionBatch.objects.filter(decisions__post__in=ids).update(reason=ERASED)
    Decision.objects.filter(post__in=ids).update(reason=ERASED)
    written = Enforcement.objects.filter(post__in=ids).exclude(reversal_reason__in=("", UNDONE))
    written.update(reversal_reason=ERASED)
    _erase_statements(Statement.objects.filter(enforcement__post__in=ids))
    Report.objects.filter(post__in=ids).update(explanation="", content_hash=_hash_of_report())
    _erase_appeals(Q(post__in=ids))


def _hash_of_report() -> Any:
    # A reader has one report of one content: each keeps another place that says nothing.
    return F("number")


def _erase_statements(statements: QuerySet[Statement]) -> None:
    """Keep of a statement its words of a vocabulary; what a person wrote for it goes.

    What was said is never said otherwise, its table sees to that: the row goes, and one that says
    less takes its place, number and time.
    """
    rows = list(statements)
    for statement in rows:
        document = dict(statement.document)
        document["said"] = [
            {**one, "text": ERASED} if one.get("key") == "why" else one
            for one in document.get("said", ())
        ]
        document["content"] = {"kinds": [], "language": None, "posted_on": None}
        statement.document = document
    # What points at it, as its entry in a register, is to point at the row in its place.
    statements.filter(pk__in=[row.pk for row in rows])._raw_delete(statements.db)
    Statement.objects.bulk_create(rows)


def _erase_appeals(which: Q) -> None:
    appeals = Appeal.objects.filter(which)
    AppealMessage.objects.filter(appeal__in=appeals).update(body=ERASED)
    appeals.exclude(answer="").update(answer=ERASED)
    appeals.filter(state=AppealState.OPEN).update(state=AppealState.WITHDRAWN, closed_at=Now())


def _erase_deliveries(ids: Sequence[UUID]) -> None:
    """What went out names a post as its client does, and what was answered may repeat it.

    What is still to go out goes out by our own id alone.
    """
    about = AuditEvent.objects.filter(subject_kind="post", subject_id__in=[str(pk) for pk in ids])
    messages = OutboxMessage.objects.filter(event__in=about)
    DeliveryAttempt.objects.filter(message__in=messages).update(
        request={}, response="", response_headers={}
    )
    rows = list(messages.exclude(payload="").only("pk", "payload"))
    named = [row for row in rows if _forget_reference(row)]
    OutboxMessage.objects.bulk_update(named, ["payload"], batch_size=BATCH)


def _forget_reference(message: OutboxMessage) -> bool:
    payload = json.loads(message.payload)
    data = payload.get("data", {})
    if not data.get("reference"):
        return False
    data["reference"] = None
    message.payload = json.dumps(payload, separators=(",", ":"))
    return True


# --- what they showed ----------------------------------------------------------------------------


def _erase_media(author: Author) -> int:
    """Delete the files, then what points at them: in this order it can be done again."""
    erased = 0
    left = MediaItem.objects.filter(author=author).exclude(_without_content())
    while batch := list(left.order_by("pk")[:BATCH]):
        for item in batch:
            for name in _files_of(item):
                default_storage.delete(name)
        MediaItem.objects.filter(pk__in=[item.pk for item in batch]).update(
            state=MediaState.REFUSED,
            refusal=ERASED,
            incoming="",
            file="",
            frames=[],
            audio="",
            alt_text="",
            source_url="",
            sha256="",
            perceptual_hash="",
        )
        erased += len(batch)
    return erased


def _without_content() -> Q:
    return Q(state=MediaState.REFUSED, refusal=ERASED, file="", incoming="", audio="")


def _files_of(item: MediaItem) -> list[str]:
    names = [str(item.incoming), str(item.file), str(item.audio), *map(str, item.frames)]
    return [name for name in names if name]


# --- what they told us ---------------------------------------------------------------------------


def _theirs(authors: Collection[Author]) -> Q:
    return Q(appellant__in=authors) | Q(post__author__in=authors)


def _erase_notices(user: User, actor: Actor) -> None:
    """Notices that are kept without an account name their sender by the address all the same."""
    if not user.email:
        return
    # Encrypted where they are kept: no database can look for an address.
    rows = Report.objects.filter(reporter=None, source__in=_NOTICES).only("notifier")
    given = [
        row.pk
        for row in rows.iterator(chunk_size=_CHUNK)
        if str(row.notifier.get("email", "")).lower() == user.email.lower()
    ]
    theirs = Q(report__in=given, appellant=None)
    _withdraw_appeals(theirs, actor)
    with transaction.atomic():
        _erase_appeals(theirs)
        Report.objects.filter(pk__in=given).update(explanation="", notifier={})


def _withdraw_appeals(which: Q, actor: Actor) -> None:
    """Nobody is there any more to be answered: an item that waited for nothing else closes."""
    theirs = Appeal.objects.filter(which, state=AppealState.OPEN)
    for appeal_id in list(theirs.order_by("pk").values_list("pk", flat=True)):
        # Somebody may have answered it at this moment.
        with suppress(AppealClosed):
            withdraw_appeal(appeal_id=appeal_id, actor=actor)


def _erase_what_they_told(authors: Sequence[Author]) -> None:
    with transaction.atomic():
        Report.objects.filter(reporter__in=authors).update(explanation="", notifier={})
        _erase_appeals(_theirs(authors))


def _erase_replies(authors: Sequence[Author]) -> None:
    """Answers that are kept for repeated requests name posts and appeals: say nothing of them."""
    since = min(author.created_at for author in authors)
    posts = set(Post.objects.filter(author__in=authors).values_list("pk", flat=True))
    appeals = set(Appeal.objects.filter(_theirs(authors)).values_list("number", flat=True))
    reports = set(Report.objects.filter(reporter__in=authors).values_list("number", flat=True))
    numbers = appeals | reports
    rows = IdempotencyRecord.objects.filter(created_at__gte=since).order_by("pk")
    for some in _batched(rows.iterator(chunk_size=_CHUNK), _CHUNK):
        mine = [row.pk for row in some if _is_about(row.body, posts, numbers)]
        IdempotencyRecord.objects.filter(pk__in=mine).update(body={})


def _is_about(body: object, posts: Collection[UUID], numbers: Collection[str]) -> bool:
    if isinstance(body, dict):
        return any(_is_about(part, posts, numbers) for part in body.values())
    if isinstance(body, list):
        return any(_is_about(part, posts, numbers) for part in body)
    if not isinstance(body, str):
        return False
    return body in numbers or any(UUID(found) in posts for found in _ID.findall(body))


def _batched(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    while some := list(islice(items, size)):
        yield some
