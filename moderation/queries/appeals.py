"""What can be appealed, by whom and until when; what was appealed, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet

from moderation.conf import get_conf
from moderation.errors import NotFound
from moderation.models import (
    Appeal,
    Community,
    Effect,
    Enforcement,
    Organisation,
    Post,
    ProviderResult,
    Report,
    Statement,
    VerdictRecord,
)
from moderation.queries.people import AnyUser
from moderation.vocabulary import (
    Action,
    AppealState,
    EffectKind,
    Outcome,
    ReportState,
    ReviewLane,
    SubmissionState,
    Visibility,
)

_OF_THE_POST = frozenset({EffectKind.HIDE, EffectKind.HOLD})
_OF_THE_AUTHOR = frozenset(
    {
        EffectKind.WARNING,
        EffectKind.STRIKE,
        EffectKind.POST_HOLD,
        EffectKind.SILENCE,
        EffectKind.SUSPENSION,
    }
)
REFUSED = (ReportState.REFUSED, ReportState.MUTED)
_ANSWERED = (AppealState.UPHELD, AppealState.OVERTURNED)


@dataclass(frozen=True, slots=True)
class Appealable:
    """A restriction as its author may object to it. `appeal` is the one that was made, if any."""

    enforcement: Enforcement
    number: str
    until: datetime
    appeal: Appeal | None

    @property
    def action(self) -> Action:
        return Action(self.enforcement.action)


# --- what can be appealed ------------------------------------------------------------------------


def restricts(enforcement: Enforcement, kinds: Collection[str], post: Post) -> bool:
    """Whether an enforcement with these effects takes something from its author now.

    What hid or held a post that everyone can read again takes nothing, unless it came with more.
    """
    if enforcement.action == Action.WARN or _OF_THE_AUTHOR.intersection(kinds):
        return True
    return bool(_OF_THE_POST.intersection(kinds)) and post.visibility != Visibility.PUBLIC


def appeal_until(told_at: datetime) -> datetime:
    """Return until when somebody who was told at this moment may object."""
    return told_at + timedelta(days=get_conf().appeal_period_days)


def find_enforcement(number: str) -> Enforcement:
    """Return the enforcement of a statement's number, or of its own. Raises `NotFound`."""
    rows = Enforcement.objects.select_related(
        "post__community", "author", "verdict", "decision", "statement"
    )
    found = rows.filter(statement__number=number).first()
    if found is None and number.isascii() and number.isdecimal() and len(number) < 19:
        found = rows.filter(pk=int(number)).first()
    if found is None:
        raise NotFound("There is no such decision.")
    return found


def told_at(enforcement: Enforcement) -> datetime:
    """Return when its author was told of an enforcement."""
    statement = Statement.objects.filter(enforcement=enforcement).first()
    return statement.issued_at if statement is not None else enforcement.created_at


def number_of(enforcement: Enforcement) -> str:
    """Return what an enforcement is called outside: its statement's number, else its own."""
    statement = Statement.objects.filter(enforcement=enforcement).first()
    return statement.number if statement is not None else str(enforcement.pk)


def appealable_on(posts: Iterable[Post]) -> dict[UUID, list[Appealable]]:
    """Return the restrictions that stand on each post, the newest first, one query a table."""
    by_id = {post.pk: post for post in posts}
    rows = list(
        Enforcement.objects.filter(post_id__in=by_id, reversed_at__isnull=True)
        .prefetch_related("effects", "appeals")
        .select_related("statement")
        .order_by("-pk")
    )
    found: dict[UUID, list[Appealable]] = {}
    for row in rows:
        if restricts(row, [effect.kind for effect in row.effects.all()], by_id[row.post_id]):
            found.setdefault(row.post_id, []).append(_appealable(row))
    return found


def _appealable(row: Enforcement) -> Appealable:
    statement: Statement | None = getattr(row, "statement", None)
    made = [appeal for appeal in row.appeals.all() if appeal.state != AppealState.WITHDRAWN]
    return Appealable(
        enforcement=row,
        number=statement.number if statement else str(row.pk),
        until=appeal_until(statement.issued_at if statement else row.created_at),
        appeal=made[0] if made else None,
    )


def last_restriction(post: Post) -> Enforcement:
    """Return the newest restriction that stands on a post. Raises `NotFound`."""
    found = appealable_on([post]).get(post.pk)
    if not found:
        raise NotFound("Nothing was decided against this post that still stands.")
    return found[0].enforcement


def kinds_of(enforcement: Enforcement) -> list[str]:
    return list(Effect.objects.filter(enforcement=enforcement).values_list("kind", flat=True))


# --- what was appealed ---------------------------------------------------------------------------


def appeals_of(user: AnyUser) -> QuerySet[Appeal]:
    """Return the appeals of a user of this site."""
    if not user.is_authenticated:
        return Appeal.objects.none()
    return _read(Appeal.objects.filter(appellant__user=user.pk))


def appeals_in(owner: Community | Organisation) -> QuerySet[Appeal]:
    """Return what an API client reads: every appeal of its community or communities."""
    mine = Q(community=owner) if isinstance(owner, Community) else Q(community__organisation=owner)
    return _read(Appeal.objects.filter(mine))


def _read(rows: QuerySet[Appeal]) -> QuerySet[Appeal]:
    return rows.select_related(
        "community", "post", "appellant", "enforcement__statement", "report"
    ).order_by("-pk")


def open_appeals(review_id: int) -> list[Appeal]:
    """Return the appeals that an item waits for, the oldest first."""
    return list(
        Appeal.objects.filter(review=review_id, state=AppealState.OPEN)
        .select_related(
            "appellant",
            "enforcement__decision__moderator",
            "enforcement__post",
            "enforcement__statement",
            "enforcement__verdict__policy",
            "post",
            "report__decision__moderator",
            "review",
            "second_opinion",
        )
        .order_by("pk")
    )


def answered_appeals(review_id: int) -> list[Appeal]:
    """Return the appeals that were answered in an item, the newest first."""
    rows = Appeal.objects.filter(review=review_id, state__in=_ANSWERED)
    return list(rows.select_related("answered_by").order_by("-pk"))


def latest_appeal(*, enforcement: Enforcement | None, report: Report | None) -> Appeal | None:
    """Return the appeal that was made about something and not withdrawn."""
    rows = Appeal.objects.filter(enforcement=enforcement, report=report)
    return rows.exclude(state=AppealState.WITHDRAWN).order_by("-pk").first()


# --- who answers ---------------------------------------------------------------------------------


def _not_theirs(user: User) -> Q:
    return Q(state=AppealState.OPEN) & (Q(first_decider=user) | Q(appellant__user=user))


def is_partial(user: User, review_id: int) -> bool:
    """Whether somebody decided, or objects to, what an item's appeals are about."""
    return Appeal.objects.filter(_not_theirs(user), review=review_id).exists()


def partial_items(user: User) -> Q:
    """Return which items are kept from somebody, as they had a part in what is appealed there."""
    theirs = Appeal.objects.filter(_not_theirs(user), review=OuterRef("pk"))
    # Only these lanes hold appeals: of other items nothing more is read.
    return Q(lane__in=(ReviewLane.APPEAL, ReviewLane.ESCALATED)) & Q(Exists(theirs))


# --- the second opinion --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """What judging again brought. `verdict` None: not yet, or never; `why_none` then says which.

    `is_judged` says that somebody did judge: without an answer there is no opinion.
    """

    verdict: VerdictRecord | None = None
    results: tuple[ProviderResult, ...] = ()
    why_none: str = ""
    is_waiting: bool = False

    @property
    def is_judged(self) -> bool:
        return any(row.outcome == Outcome.JUDGED for row in self.results)


def second_opinion(appeal: Appeal) -> SecondOpinion:
    """Return what was found when the appealed revision was judged again."""
    submission = appeal.second_opinion
    if submission is None:
        return SecondOpinion(why_none="The text that this is about is no longer kept.")
    if submission.state == SubmissionState.DUE:
        return SecondOpinion(why_none="It is being judged again.", is_waiting=True)
    verdict = VerdictRecord.objects.filter(submission=submission).select_related("policy").first()
    if verdict is None:
        return SecondOpinion(why_none="It could not be judged again.")
    results = tuple(ProviderResult.objects.filter(submission=submission).order_by("pk"))
    found = SecondOpinion(verdict, results)
    if not found.is_judged:
        return SecondOpinion(
            verdict, results, "None of those asked gave an answer: there is no second opinion."
        )
    return found
