"""What the appeal pages show, and what they ask of the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import QuerySet

from moderation import queries
from moderation.coordination.appeal_limit import take_appeal_turn
from moderation.errors import NotFound
from moderation.models import Appeal, Author, Enforcement, Post, PostRevision, Report
from moderation.pipeline.appeals import appeal as stage
from moderation.pipeline.appeals.link import read_token
from moderation.pipeline.audit.record import SYSTEM, Actor
from moderation.queries import AnyUser
from moderation.queries import appeals as known
from moderation.vocabulary import ActorKind, AppealState, Visibility
from platform_site.forum.report_forms import what_was_said

APPEALS_PER_PAGE = 20
# Of the statement of reasons, what somebody who objects to it must have before them.
_SHOWN = ("what", "why", "rule", "who")
_BADGES = {
    AppealState.OPEN: "with_person",
    AppealState.UPHELD: "noted",
    AppealState.OVERTURNED: "live",
    AppealState.WITHDRAWN: "checking",
}


@dataclass(frozen=True, slots=True)
class Ground:
    """What somebody objects to, as they may see it: nothing of it need be typed again.

    `said` holds headings with what was said under each. The text is "" where it is gone, or not
    theirs to read.
    """

    community: str
    said: Sequence[tuple[str, str]]
    until: datetime
    title: str = ""
    body: str = ""
    is_report: bool = False


@dataclass(frozen=True, slots=True)
class Whole:
    """An appeal with its conversation, and what it is about."""

    appeal: Appeal
    ground: Ground
    messages: Sequence[tuple[bool, str, datetime]]
    is_public: bool

    @property
    def is_open(self) -> bool:
        return self.appeal.state == AppealState.OPEN

    @property
    def badge(self) -> str:
        return _BADGES[AppealState(self.appeal.state)]


# What is objected to


def own_enforcement(user: User, number: str) -> Enforcement:
    """Return what was decided against a user. Raises `NotFound`, also for what was not."""
    found = known.find_enforcement(number)
    if found.author.user_id != user.pk:
        raise NotFound("There is no such decision.")
    return found


def enforcement_of(token: str) -> Enforcement:
    """Return what a mail's link is about. Raises `NotFound`."""
    return known.find_enforcement(str(read_token(token).pk))


def reported_by(user: AnyUser, number: str) -> Report:
    """Return a report to whoever made it; one without an account, to whoever knows its number."""
    report = queries.get_report(number)
    if report.reporter is not None and not _is(user, report.reporter):
        raise NotFound("There is no such report.")
    return report


def _is(user: AnyUser, author: Author) -> bool:
    """Whether an author is this very user: who is not signed in is nobody, as is a client's own."""
    return user.is_authenticated and author.user_id == user.pk


def ground_of(enforcement: Enforcement) -> Ground:
    """Return what was decided, for the author alone."""
    post = enforcement.post
    statement = getattr(enforcement, "statement", None)
    said = statement.document.get("said", []) if statement is not None else []
    shown = [(one["title"], one["text"]) for one in said if one["key"] in _SHOWN]
    if not shown:
        shown = [("What was decided", queries.explanation_of(enforcement).text)]
    title, body = _text_of(post, enforcement.revision)
    return Ground(
        community=post.community.name,
        said=shown,
        until=known.appeal_until(known.told_at(enforcement)),
        title=title,
        body=body,
    )


def ground_of_report(user: AnyUser, report: Report) -> Ground:
    """Return what was reported and answered, for whoever reported it."""
    post = report.post
    is_readable = queries.posts_for(user).filter(pk=post.pk).exists()
    return Ground(
        community=report.community.name,
        said=[
            ("You reported", what_was_said(report.category, is_notice=report.is_notice)),
            ("You were answered", queries.answer_of(report).text),
        ],
        until=known.appeal_until(report.settled_at or report.created_at),
        title=post.title if is_readable else "",
        body=post.body if is_readable else "",
        is_report=True,
    )


def _text_of(post: Post, revision: int) -> tuple[str, str]:
    if post.visibility == Visibility.DELETED:
        return "", ""
    if revision != post.revision:
        kept = PostRevision.objects.filter(post=post, revision=revision).first()
        return (kept.title, kept.body) if kept is not None else ("", "")
    return post.title, post.body


# What was objected


def appeal_about(
    *, enforcement: Enforcement | None = None, report: Report | None = None
) -> Appeal | None:
    return known.latest_appeal(enforcement=enforcement, report=report)


def get_appeal(user: AnyUser, number: str) -> Appeal:
    """Return an appeal to whoever made it. Raises `NotFound`."""
    rows = Appeal.objects.select_related(
        "post__community",
        "community",
        "appellant",
        "enforcement__statement",
        "enforcement__post__community",
        "enforcement__author",
        "enforcement__verdict",
        "enforcement__decision",
        "report__post",
        "report__community",
        "report__reporter",
    )
    appeal = rows.filter(number=number[:33]).first()
    # Whoever gave notice without an account has nothing but the number, which nobody can guess.
    if appeal is None or (appeal.appellant is not None and not _is(user, appeal.appellant)):
        raise NotFound("There is no such appeal.")
    if appeal.appellant is None and (appeal.report is None or appeal.report.reporter is not None):
        raise NotFound("There is no such appeal.")
    return appeal


def whole(user: AnyUser, appeal: Appeal) -> Whole:
    if appeal.enforcement is not None:
        ground = ground_of(appeal.enforcement)
    else:
        assert appeal.report is not None  # a constraint: it is about the one or the other
        ground = ground_of_report(user, appeal.report)
    return Whole(
        appeal=appeal,
        ground=ground,
        messages=[
            (row.written_by == ActorKind.MODERATOR, row.body, row.created_at)
            for row in appeal.messages.all()
        ],
        is_public=appeal.post.visibility == Visibility.PUBLIC,
    )


def own_appeals(user: User, before: int | None) -> tuple[list[Appeal], int | None]:
    """Return a page of a user's appeals, the newest first, and where the next one begins."""
    rows: QuerySet[Appeal] = known.appeals_of(user)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    found = list(rows[: APPEALS_PER_PAGE + 1])
    page = found[:APPEALS_PER_PAGE]
    return page, page[-1].pk if len(found) > APPEALS_PER_PAGE else None


def badge_of(appeal: Appeal) -> str:
    return _BADGES[AppealState(appeal.state)]


# Acts


def object_to(enforcement: Enforcement, words: str) -> Appeal:
    """Object in the author's name; the caller has seen that it is theirs."""
    take_appeal_turn(f"author:{enforcement.author_id}")
    return stage.open_appeal(
        enforcement_id=enforcement.pk,
        author_id=enforcement.author_id,
        words=words,
        actor=_author(enforcement),
    )


def object_to_refusal(report: Report, words: str) -> Appeal:
    take_appeal_turn(f"report:{report.pk}")
    return stage.open_report_appeal(
        report_id=report.pk, reporter_id=report.reporter_id, words=words, actor=SYSTEM
    )


def reply(appeal: Appeal, words: str) -> None:
    take_appeal_turn(f"appeal:{appeal.pk}")
    stage.write_as_appellant(appeal_id=appeal.pk, words=words, actor=_actor(appeal))


def withdraw(appeal: Appeal) -> None:
    stage.withdraw_appeal(appeal_id=appeal.pk, actor=_actor(appeal))


def _actor(appeal: Appeal) -> Actor:
    """The record of a post names nobody who reported it."""
    return _author(appeal.enforcement) if appeal.enforcement is not None else SYSTEM


def _author(enforcement: Enforcement) -> Actor:
    user_id = enforcement.author.user_id
    return Actor(ActorKind.AUTHOR, str(user_id) if user_id is not None else "")
