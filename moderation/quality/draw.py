"""Draws the decisions that a second person answers: a stable share of each community's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final

from django.db import transaction
from django.db.models import Max
from django.db.models.functions import Now

from moderation import queries
from moderation.models import BlindCheck, Decision, DrawMark
from moderation.policy.route import is_in_share

# Longer than any transaction and than a decision can be undone: what is older stands, and all of
# it is committed in the order of its keys.
SETTLED: Final = timedelta(seconds=60)
# A question that nobody took for so long would compare people with how rules were a month ago.
KEPT: Final = timedelta(days=30)
# Of one run; the next one goes on.
MOST_DECISIONS: Final = 2_000


def draw_checks() -> int:
    """Draw among the decisions since the last run; return how many were drawn."""
    _forget_unanswered()
    with transaction.atomic():
        mark = _hold_mark()
        if mark is None:
            return 0
        settled = queries.database_now() - SETTLED
        rows = list(takewhile(lambda row: row.decided_at <= settled, _after(mark.last_decision)))
        if not rows:
            return 0
        drawn = [
            BlindCheck(community_id=row.community, decision_id=row.decision, category=row.category)
            for row in rows
            if row.is_drawn
        ]
        BlindCheck.objects.bulk_create(drawn, ignore_conflicts=True)
        DrawMark.objects.filter(pk=mark.pk).update(last_decision=rows[-1].decision)
    return len(drawn)


@dataclass(frozen=True, slots=True)
class _Decided:
    decision: int
    decided_at: datetime
    category: str | None
    community: int
    share: float
    reversed_at: datetime | None
    erased_at: datetime | None

    @property
    def is_drawn(self) -> bool:
        """Whether it stands, can still be shown, and falls into its community's share."""
        return (
            self.reversed_at is None
            and self.erased_at is None
            and is_in_share(f"second look:{self.decision}", self.share)
        )


def _after(last: int) -> Iterator[_Decided]:
    rows = Decision.objects.filter(pk__gt=last).order_by("pk")
    for row in rows.values_list(
        "pk",
        "decided_at",
        "category",
        "post__community_id",
        "post__community__second_look_share",
        "enforcement__reversed_at",
        "post__author__erased_at",
    )[:MOST_DECISIONS]:
        yield _Decided(*row)


def _hold_mark() -> DrawMark | None:
    """Return the mark, locked; None while another draws."""
    mark = DrawMark.objects.select_for_update(skip_locked=True).order_by("pk").first()
    if mark is None and not DrawMark.objects.exists():
        # Of what was decided before anyone drew, the latest is enough to begin with.
        newest = Decision.objects.aggregate(last=Max("pk"))["last"] or 0
        begin = max(newest - MOST_DECISIONS, 0)
        DrawMark.objects.get_or_create(pk=1, defaults={"last_decision": begin})
        mark = DrawMark.objects.select_for_update(skip_locked=True).filter(pk=1).first()
    return mark


def _forget_unanswered() -> None:
    old = BlindCheck.objects.filter(answered_at__isnull=True, created_at__lt=Now() - KEPT)
    ids = list(old.order_by("created_at").values_list("pk", flat=True)[:MOST_DECISIONS])
    BlindCheck.objects.filter(pk__in=ids, answered_at__isnull=True).delete()
