"""One item before a moderator: what readers saw, why it is here, what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.db.models.functions import Now as DatabaseNow

from moderation import queries
from moderation.admin import words
from moderation.admin.context import Tab
from moderation.admin.display import (
    Change,
    Piece,
    SeenText,
    changes_between,
    excerpt,
    pieces,
    seen_text,
    spans_of,
)
from moderation.admin.evidence import Attachment, attachments
from moderation.admin.notes import Note, notes_on
from moderation.admin.preferences import veils_for
from moderation.admin.queue import QueueFilters, open_items
from moderation.conf import get_conf
from moderation.errors import NotImpartial, ReviewTaken
from moderation.models import (
    Author,
    Decision,
    DeskPreferences,
    Enforcement,
    Post,
    Report,
    Review,
)
from moderation.pipeline.review import holding, noting
from moderation.policy.foresight import Foreseen, Now, foresee
from moderation.policy.sanctions import Asked, Recommendation, default_for, recommend
from moderation.vocabulary import (
    Action,
    Category,
    ReportState,
    ReviewLane,
    ReviewState,
    Status,
    Visibility,
)


@dataclass(frozen=True, slots=True)
class Lease:
    """Whether the reader may decide now. `why_not` says in words what keeps them from it.

    `is_new` says that the item came into their hands just now.
    """

    may_decide: bool
    why_not: str = ""
    is_new: bool = False


def take_lease(review: Review, reader: User, preferences: DeskPreferences) -> Lease:
    """Take the item for its reader, if they may decide and nobody else has it."""
    if review.state != ReviewState.OPEN:
        return Lease(False, _why_closed(review))
    if not reader.has_perm("moderation.decide_review"):
        return Lease(False, "You may look, not decide.")
    is_for_a_lead = review.lane == ReviewLane.ESCALATED
    if is_for_a_lead and not reader.has_perm("moderation.decide_escalated"):
        return Lease(False, "It was put before a lead. You can read along.")
    before = (review.holder_id, review.held_since)
    try:
        held = holding.hold_review(
            review_id=review.pk, moderator=reader, seconds=preferences.lease_minutes * 60
        )
    except NotImpartial as error:
        return Lease(False, str(error))
    except ReviewTaken:
        review.refresh_from_db()
        if review.state != ReviewState.OPEN:
            return Lease(False, _why_closed(review))
        holder = review.holder.get_username() if review.holder else "Someone else"
        return Lease(False, f"{holder} holds this item. You can read along.")
    return Lease(True, is_new=before != (reader.pk, held.held_since))


def _why_closed(review: Review) -> str:
    if review.state == ReviewState.SUPERSEDED:
        return "The post has changed since; this item is closed."
    decision = review.decisions.select_related("moderator").order_by("-pk").first()
    if decision is None:
        return "This item is closed."
    action = words.action_label(decision.action).lower()
    return f"{decision.moderator.get_username()} has decided: {action}."


@dataclass(frozen=True, slots=True)
class Edit:
    """What the author changed since the revision under review, word by word."""

    title: tuple[Change, ...]
    body: tuple[Change, ...]
    now_reads: SeenText
    newer_review: Review | None


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that the page of one item shows. `edit` is None while nothing was edited."""

    review: Review
    post: Post
    author: Author
    author_pieces: tuple[Piece, ...]
    channel_pieces: tuple[Piece, ...]
    why: str
    text: SeenText
    answers: tuple[Piece, ...]
    edit: Edit | None
    attachments: list[Attachment]
    notes: list[Note]
    decisions: list[Decision]
    enforcements: list[Enforcement]
    tab: Tab
    tab_shows: dict[str, Any]


def lay_out(review: Review, reader: User, preferences: DeskPreferences, tab: Tab) -> Desk:
    """Read everything about one item. The caller has checked that the reader may see it."""
    post, verdict = review.post, review.verdict
    results = list(queries.evidence_for(review))
    spans = [span for row in results if row.part_key == "text" for span in spans_of(row.spans)]
    title, body = queries.text_at(post, review.revision)
    return Desk(
        review=review,
        post=post,
        author=post.author,
        author_pieces=pieces(str(post.author)),
        channel_pieces=pieces(post.channel),
        why=words.why_here(review),
        text=seen_text(title, body, spans),
        answers=excerpt(post.parent.title, post.parent.body, limit=90) if post.parent else (),
        edit=_edit(post, title, body) if post.revision != review.revision else None,
        attachments=attachments(
            post, verdict, results=results, veils=veils_for(preferences, review.category)
        ),
        notes=notes_on(post) if reader.has_perm("moderation.decide_review") else [],
        decisions=list(
            Decision.objects.filter(post=post)
            .select_related("moderator", "enforcement")
            .order_by("-pk")[:10]
        ),
        enforcements=enforcements_on(post),
        tab=tab,
        tab_shows=tab.read(review, reader),
    )


def enforcements_on(post: Post) -> list[Enforcement]:
    return list(
        Enforcement.objects.filter(post=post)
        .select_related("verdict", "decision__moderator", "reversed_by")
        .prefetch_related("effects")
        .order_by("-pk")
    )


def _edit(post: Post, title: str, body: str) -> Edit:
    return Edit(
        title=changes_between(title, post.title),
        body=changes_between(body, post.body),
        now_reads=seen_text(post.title, post.body),
        newer_review=Review.objects.filter(post=post, state=ReviewState.OPEN).first(),
    )


# What deciding would do


def recommended(review: Review) -> Recommendation:
    """Return the sanction that fits another breach by this author. Applied by nobody."""
    now = queries.database_now()
    category = Category(review.category) if review.category else None
    return recommend(queries.conduct_of(review.post.author, now), category, now=now)


def foresee_each(review: Review) -> list[tuple[str, Foreseen]]:
    """Return what each decision would do as it usually does, by the name of its button."""
    now, at = _now_of(review), queries.database_now()
    return [
        (action.value, foresee(action, now, default_for(action), at=at))
        for action in (Action.ALLOW, Action.WARN, Action.BLOCK)
    ]


def foresee_one(review: Review, action: Action, asked: Asked) -> Foreseen:
    return foresee(action, _now_of(review), asked, at=queries.database_now())


def _now_of(review: Review) -> Now:
    post = review.post
    return Now(
        enforced=queries.enforced_on(post.pk, post.revision),
        judged=review.verdict_id is not None,
        shown_before_verdict=post.shown_before_verdict,
        deleted=post.deleted_at is not None,
        status=Status(post.status),
        visibility=Visibility(post.visibility),
        reports=Report.objects.filter(post=post, state=ReportState.OPEN).count(),
        has_media=review.has_media,
    )


# Where to go from here


def following_item(filters: QueueFilters, reader: User, *, besides: int) -> Review | None:
    """Return the most urgent item that nobody else holds; what the reader skipped comes last."""
    waiting = _free_for(filters, reader).exclude(pk=besides)
    return waiting.exclude(skipped_by__user=reader).first() or waiting.first()


def neighbour(filters: QueueFilters, reader: User, review: Review, *, back: bool) -> Review | None:
    """Return the item before or behind this one in the queue, passing over what others hold."""
    waiting = _free_for(filters, reader).exclude(pk=review.pk)
    if back:
        before = Q(rank_at__lt=review.rank_at) | Q(rank_at=review.rank_at, pk__lt=review.pk)
        return waiting.filter(before).order_by("-rank_at", "-pk").first()
    behind = Q(rank_at__gt=review.rank_at) | Q(rank_at=review.rank_at, pk__gt=review.pk)
    return waiting.filter(behind).first()


def _free_for(filters: QueueFilters, reader: User) -> QuerySet[Review]:
    return open_items(filters).filter(
        Q(holder__isnull=True) | Q(holder=reader) | Q(lease_until__lte=DatabaseNow())
    )


def undoable(reader: User) -> Decision | None:
    """Return the reader's latest decision if nobody outside has been told of it yet."""
    window = timedelta(seconds=get_conf().undo_seconds)
    return (
        Decision.objects.filter(
            moderator=reader,
            batch__isnull=True,
            decided_at__gt=DatabaseNow() - window,
            enforcement__reversed_at__isnull=True,
        )
        .select_related("post__author")
        .order_by("-pk")
        .first()
    )


@dataclass(frozen=True, slots=True)
class Break:
    """A suggestion to look away for a while: what was seen today, and what the lead set."""

    seen: int
    limit: int


def suggested_break(review: Review, reader: User, preferences: DeskPreferences) -> Break | None:
    limit = review.community.break_after
    if not limit or review.category not in noting.GRAPHIC:
        return None
    today = queries.database_now().date()
    seen = noting.seen_on(user=reader, day=today)
    already = preferences.went_on_after if preferences.went_on_day == today else 0
    return Break(seen, limit) if seen - already >= limit else None
