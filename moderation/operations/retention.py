"""Takes away what has been kept for its time, in small steps beside everything else.

Each rule walks over its table by key, from where it stopped: a step reads some rows, moves the
rule's mark, then removes what is old enough and what no open case needs. A sweeper takes the steps;
of two that come together one goes on elsewhere. Whatever a killed step has passed over and not
removed goes in the next round.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any, Final

from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, Model, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from moderation import queries
from moderation.conf import Conf, get_conf
from moderation.models import (
    Appeal,
    BlindCheck,
    CallbackMessage,
    Community,
    Enforcement,
    GoldenItem,
    IdempotencyRecord,
    MediaItem,
    OutboxMessage,
    ProviderCall,
    ProviderJob,
    ProviderResult,
    Report,
    RetentionMark,
    Review,
    Submission,
)
from moderation.vocabulary import (
    AppealState,
    DeliveryState,
    JobState,
    MediaState,
    ReportState,
    ReviewState,
    SubmissionState,
    Visibility,
)

logger = logging.getLogger(__name__)

# Half a year, in which authors may object by law (EU 2022/2065, Article 20), whatever is set.
LEAST_APPEAL_DAYS: Final = 184
# That one step looks at, and at most removes.
MOST_ROWS: Final = 2_000
# Files are removed one by one, and those of a bucket take tens of milliseconds each.
MOST_FILES: Final = 10
# A sweeper gives so much of each pause: with 0.2 s a step that is 800 rows a second.
EVERY_SECONDS: Final = 5.0
AT_MOST_SECONDS: Final = 0.5
# What a round left because a case was open is looked at again in the next.
ROUND_EVERY: Final = timedelta(hours=1)
# In the place of what an attachment was refused for.
NOT_KEPT: Final = "This attachment is no longer kept."

_last_look: float | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """What is kept for how long. `needed` says of rows that are old enough which must stay; only
    those `among` are looked at.

    `made_at` grows with the key; `aged_at` is when a row's time began, the same where it is None.
    `community` leads to the row's community where communities have times of their own.
    """

    name: str
    what: str
    model: type[Model]
    made_at: str
    days: Callable[[Conf], int]
    needed: Callable[[datetime], Q | Exists]
    among: Q = field(default_factory=Q)
    aged_at: Callable[[], Any] | None = None
    community: str = ""
    outlasts_appeals: bool = False
    remove: Callable[[QuerySet[Any]], None] | None = None
    most: int = MOST_ROWS

    def rows(self) -> QuerySet[Any]:
        return self.model._default_manager.all()


@dataclass(frozen=True, slots=True)
class Terms:
    """Before which moment a rule's rows are old enough, by community; None: never."""

    usual: datetime | None
    own: Mapping[int, datetime | None]
    # Younger decisions can still be objected to.
    appealable_since: datetime

    @property
    def latest(self) -> datetime | None:
        """Return before which moment any row may be old enough."""
        return max((at for at in (self.usual, *self.own.values()) if at), default=None)

    def is_old(self, at: datetime, community_id: int | None) -> bool:
        limit = self.usual if community_id is None else self.own.get(community_id, self.usual)
        return limit is not None and at < limit


def appeal_days() -> int:
    """Return for how many days a decision may be objected to, and the day on which that ends."""
    return max(LEAST_APPEAL_DAYS, get_conf().appeal_period_days) + 1


def days_of(rule: Rule, own: object = None) -> int:
    """Return how many days a rule's rows are kept, 0 for good; `own` is what a community says."""
    wanted = own if isinstance(own, int) else rule.days(get_conf())
    return max(wanted, appeal_days()) if wanted and rule.outlasts_appeals else wanted


def terms_of(rule: Rule) -> Terms:
    now = queries.database_now()
    own: dict[int, datetime | None] = {}
    if rule.community:
        said = Community.objects.exclude(keep_days={}).values_list("pk", "keep_days")
        own = {pk: _before(now, days_of(rule, days.get(rule.name))) for pk, days in said}
    usual = _before(now, days_of(rule))
    return Terms(usual, own, now - timedelta(days=appeal_days()))


def _before(now: datetime, days: int) -> datetime | None:
    return now - timedelta(days=days) if days else None


# --- steps ---------------------------------------------------------------------------------------


def keep_retaining() -> None:
    """Take some steps, now and then; a sweeper calls each round."""
    global _last_look  # noqa: PLW0603  # a process's own rhythm
    began = time.monotonic()
    if _last_look is not None and began - _last_look < EVERY_SECONDS:
        return
    _last_look = began
    waiting = list(RULES)
    while waiting and time.monotonic() - began < AT_MOST_SECONDS:
        waiting = [rule for rule in waiting if take_step(rule)]


def finish_rounds() -> dict[str, int]:
    """Take all steps that there are; return how many rows each rule removed."""
    RetentionMark.objects.update(finished_at=None)
    before = _removed()
    for rule in RULES:
        while take_step(rule):
            pass
    after = _removed()
    return {rule.name: after.get(rule.name, 0) - before.get(rule.name, 0) for rule in RULES}


def _removed() -> dict[str, int]:
    return dict(RetentionMark.objects.values_list("rule", "removed"))


def take_step(rule: Rule) -> bool:
    """Look at a rule's next rows and remove what is to go; return whether more may follow."""
    terms = terms_of(rule)
    if terms.latest is None:
        return False
    with transaction.atomic():
        mark = _hold_mark(rule)
        if mark is None or not _is_due(mark):
            return False
        old, place = _look(rule, terms, mark.place)
        RetentionMark.objects.filter(pk=mark.pk).update(
            place=place, finished_at=None if place else queries.database_now()
        )
    _remove(rule, _unneeded(rule, terms, old))
    return bool(place)


def _hold_mark(rule: Rule) -> RetentionMark | None:
    """Return the rule's mark, held; None when another sweeper has it."""
    marks = RetentionMark.objects.filter(pk=rule.name)
    mark = marks.select_for_update(skip_locked=True).first()
    if mark is None and not marks.exists():
        try:
            with transaction.atomic():
                marks.create(rule=rule.name)
        except IntegrityError:
            return None
        mark = marks.select_for_update(skip_locked=True).first()
    return mark


def _is_due(mark: RetentionMark) -> bool:
    return mark.finished_at is None or queries.database_now() - mark.finished_at >= ROUND_EVERY


def _look(rule: Rule, terms: Terms, place: str) -> tuple[list[Any], str]:
    """Return the next keys that are old enough, and where to go on; "" at the end of the round."""
    assert terms.latest is not None
    ahead = rule.rows().filter(pk__gt=place) if place else rule.rows()
    # By key, which is nearly by age: the first young row ends the round.
    first = list(ahead.order_by("pk").values_list("pk", rule.made_at)[:MOST_ROWS])
    seen = [pk for pk, _ in takewhile(lambda row: row[1] < terms.latest, first)]
    old = _old_enough(rule, terms, seen)
    if len(old) > rule.most:
        return old[: rule.most], str(old[rule.most - 1])
    return old, str(seen[-1]) if len(seen) == MOST_ROWS else ""


def _old_enough(rule: Rule, terms: Terms, seen: Sequence[Any]) -> list[Any]:
    aged = rule.aged_at() if rule.aged_at else F(rule.made_at)
    fields = ["pk", "aged", *([rule.community] if rule.community else [])]
    rows = rule.rows().filter(rule.among, pk__in=seen).annotate(aged=aged).order_by("pk")
    return [
        pk
        for pk, at, *community in rows.values_list(*fields)
        if terms.is_old(at, community[0] if community else None)
    ]


def _unneeded(rule: Rule, terms: Terms, old: Collection[Any]) -> list[Any]:
    if not old:
        return []
    rows = rule.rows().filter(pk__in=old).exclude(rule.needed(terms.appealable_since))
    return list(rows.order_by("pk").values_list("pk", flat=True))


def _remove(rule: Rule, keys: Sequence[Any]) -> None:
    if not keys:
        return
    rows = rule.model._default_manager.filter(pk__in=keys)
    if rule.remove is None:
        rows.delete()
    else:
        rule.remove(rows)
    RetentionMark.objects.filter(pk=rule.name).update(removed=F("removed") + len(keys))
    logger.info("retention", extra={"rule": rule.name, "removed": len(keys)})


# --- what would go -------------------------------------------------------------------------------


def foresee(rule: Rule) -> int:
    """Return how many rows would go now. Reads all that are old enough, and removes nothing."""
    terms = terms_of(rule)
    if terms.latest is None:
        return 0
    return sum(len(_unneeded(rule, terms, old)) for old in _walk(rule, terms))


def _walk(rule: Rule, terms: Terms) -> Iterator[list[Any]]:
    old, place = _look(rule, terms, "")
    yield old
    while place:
        old, place = _look(rule, terms, place)
        yield old


# --- the rules -----------------------------------------------------------------------------------


def _nothing(_: datetime) -> Q:
    return Q(pk__in=())


def _cases_about(post: str) -> Callable[[datetime], Q]:
    """Say which rows belong to a post that somebody decides about, or may still object to."""

    def needed(since: datetime) -> Q:
        about = {"post": OuterRef(post)}
        decided = {"decision__post": OuterRef(post)}
        return (
            Q(Exists(Submission.objects.filter(**about, state=SubmissionState.DUE)))
            | Q(Exists(Review.objects.filter(**about, state=ReviewState.OPEN)))
            | Q(Exists(Appeal.objects.filter(**about, state=AppealState.OPEN)))
            | Q(Exists(Report.objects.filter(**about, state=ReportState.OPEN)))
            | Q(Exists(Report.objects.filter(**about, settled_at__gte=since)))
            | Q(Exists(Enforcement.objects.filter(**about, created_at__gte=since)))
            | Q(Exists(BlindCheck.objects.filter(**decided, answered_at=None)))
            | Q(Exists(GoldenItem.objects.filter(**decided)))
        )

    return needed


def _drop_media(rows: QuerySet[MediaItem]) -> None:
    """Remove the files, then what points at them: in this order it can be done again."""
    for item in rows:
        for name in (item.incoming.name, item.file.name, item.audio.name, *item.frames):
            if name:
                default_storage.delete(name)
    rows.update(
        state=MediaState.REFUSED, refusal=NOT_KEPT, incoming="", file="", audio="", frames=[]
    )


RULES: Final = (
    Rule(
        "evidence",
        "what providers answered about posts",
        ProviderResult,
        "created_at",
        lambda conf: conf.keep_evidence_days,
        _cases_about("submission__post"),
        community="submission__post__community_id",
        outlasts_appeals=True,
    ),
    Rule(
        "removed_media",
        "attachments of posts that were removed",
        MediaItem,
        "created_at",
        lambda conf: conf.keep_removed_media_days,
        _cases_about("post"),
        among=~Q(file="", incoming="", audio="")
        & Q(post__visibility__in=(Visibility.HIDDEN, Visibility.DELETED)),
        aged_at=lambda: Coalesce("post__deleted_at", "post__decided_at", "created_at"),
        community="community_id",
        outlasts_appeals=True,
        remove=_drop_media,
        most=MOST_FILES,
    ),
    Rule(
        "deliveries",
        "what went out, with its attempts",
        OutboxMessage,
        "created_at",
        lambda conf: conf.keep_deliveries_days,
        # Somebody has replayed it.
        lambda _: Q(state=DeliveryState.DUE),
    ),
    Rule(
        "calls",
        "single calls to services",
        ProviderCall,
        "started_at",
        lambda conf: conf.keep_calls_days,
        _nothing,
    ),
    Rule(
        "jobs",
        "what services answered later",
        ProviderJob,
        "created_at",
        # A day longer than messages about them, which an erasure finds by them.
        lambda conf: conf.keep_jobs_days and conf.keep_jobs_days + 1,
        lambda _: Q(state=JobState.WAITING) | Q(submission__state=SubmissionState.DUE),
    ),
    Rule(
        "callbacks",
        "messages by which services called back",
        CallbackMessage,
        "received_at",
        lambda conf: conf.keep_jobs_days,
        lambda _: Q(handled_at=None),
    ),
    Rule(
        "replies",
        "answers kept for repeated requests",
        IdempotencyRecord,
        "created_at",
        lambda conf: conf.idempotency_days,
        _nothing,
    ),
)
