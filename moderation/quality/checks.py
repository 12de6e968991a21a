"""A moderator answers what somebody else has decided, or what leads know the answer to.

What they say changes nothing on the post: a lead who sees a disagreement may reverse.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from moderation import queries
from moderation.errors import Conflict, InvalidSubmission, NotAllowed, NotFound
from moderation.models import BlindCheck, Decision, GoldenItem
from moderation.pipeline.audit.record import record_change
from moderation.pipeline.review import noting
from moderation.vocabulary import Action, Category

ANSWERS: Final = (Action.ALLOW, Action.WARN, Action.BLOCK)
# A closed browser leaves the question to others.
LEASE: Final = timedelta(minutes=20)
# Drawn by lot: whoever could foresee a golden item would take more care with it.
GOLDEN_ONE_IN: Final = 5
# Others may take what was found a moment ago.
_TRIES: Final = 5
_DECIDES: Final = "moderation.decide_review"
_KNOWS: Final = "moderation.view_goldenitem"


def next_check(*, moderator: User) -> BlindCheck | None:
    """Return the check in a moderator's hands, or take the next one; None when there is none.

    Only of communities and categories of theirs, and of no post that they decided themselves.
    Raises `NotAllowed`.
    """
    if not moderator.has_perm(_DECIDES):
        raise NotAllowed()
    held = _held(moderator)
    if held is not None:
        return held
    if secrets.randbelow(GOLDEN_ONE_IN) == 0:
        return _take_golden(moderator) or _take_decision(moderator)
    return _take_decision(moderator) or _take_golden(moderator)


def answer_check(
    *, check_id: int, moderator: User, action: Action, category: Category | None = None
) -> BlindCheck:
    """Keep what a moderator says, once.

    Raises `Conflict` when the check has passed to another or is answered, then nothing is written.
    """
    if action not in ANSWERS:
        raise InvalidSubmission("Answer with approve, approve with a warning, or reject.")
    with transaction.atomic():
        check = _open_to(moderator).filter(pk=check_id, moderator=moderator).first()
        if check is None:
            raise Conflict("This question is not in your hands any more. Take the next one.")
        expected = _expected(check)
        now = queries.database_now()
        said = BlindCheck.objects.filter(
            pk=check.pk, moderator=moderator, answered_at__isnull=True
        ).update(
            answered_at=now,
            lease_until=None,
            expected=expected,
            answer=action,
            answer_category=category,
            agrees=action == expected,
            seconds_spent=(now - check.opened_at).total_seconds() if check.opened_at else None,
        )
        if not said:
            raise Conflict("This question was answered already. Take the next one.")
        check.refresh_from_db()
        _record("quality.answered", check, moderator)
    return check


def pass_check(*, check_id: int, moderator: User) -> None:
    """Leave a check to others: it does not come back to this moderator."""
    with transaction.atomic():
        check = _open_to(moderator).filter(pk=check_id, moderator=moderator).first()
        if check is None:
            return
        check.passed_by.add(moderator)
        free = {"lease_until": None, "opened_at": None}
        if check.decision_id is not None:
            free["moderator"] = None
        BlindCheck.objects.filter(
            pk=check.pk, moderator=moderator, answered_at__isnull=True
        ).update(**free)
        _record("quality.passed", check, moderator)


def answered_golden(*, check_id: int, moderator: User) -> BlindCheck:
    """Return a golden item that this moderator has answered. Raises `NotFound`."""
    rows = BlindCheck.objects.select_related("golden__decision__post__parent", "community")
    check = rows.filter(
        pk=check_id, moderator=moderator, golden__isnull=False, answered_at__isnull=False
    ).first()
    if check is None or not queries.moderates(moderator, check.community_id):
        raise NotFound("You have answered no such item.")
    return check


def _open_to(moderator: User) -> QuerySet[BlindCheck]:
    """Return what is unanswered, this moderator's to work on, and can still be shown."""
    return (
        BlindCheck.objects.filter(
            queries.review_scope(moderator).condition(),
            answered_at__isnull=True,
            decision__post__author__erased_at__isnull=True,
            golden__decision__post__author__erased_at__isnull=True,
        )
        .exclude(
            golden__decision__enforcement__reversed_at__isnull=False,
            golden__action=F("golden__decision__action"),
        )
        .exclude(Exists(_passed_by(moderator)))
        .select_related("community", "decision__post__parent", "golden__decision__post__parent")
    )


def _passed_by(moderator: User) -> QuerySet[BlindCheck]:
    return BlindCheck.objects.filter(pk=OuterRef("pk"), passed_by=moderator)


def _held(moderator: User) -> BlindCheck | None:
    check = _open_to(moderator).filter(moderator=moderator).order_by("pk").first()
    if check is None:
        return None
    now = queries.database_now()
    has_lapsed = check.lease_until is None or check.lease_until <= now
    kept = BlindCheck.objects.filter(
        pk=check.pk, moderator=moderator, answered_at__isnull=True
    ).update(
        lease_until=now + LEASE,
        # Whoever left it lying begins anew.
        opened_at=now if has_lapsed else check.opened_at,
    )
    return check if kept else None


def _take_decision(moderator: User) -> BlindCheck | None:
    free = Q(moderator__isnull=True) | Q(lease_until__lte=Now())
    known = Decision.objects.filter(post=OuterRef("decision__post"), moderator=moderator)
    waiting = (
        _open_to(moderator)
        .filter(free, decision__isnull=False)
        .exclude(Exists(known))
        .order_by("pk")
    )
    for check in waiting[:_TRIES]:
        taken = BlindCheck.objects.filter(free, pk=check.pk, answered_at__isnull=True).update(
            moderator=moderator, opened_at=Now(), lease_until=Now() + LEASE
        )
        if taken:
            _count_exposure(check.decision, moderator)
            return check
    return None


def _take_golden(moderator: User) -> BlindCheck | None:
    """Take a golden item that a moderator was not asked. Whoever can read the answers is not."""
    if moderator.has_perm(_KNOWS):
        return None
    asked = BlindCheck.objects.filter(golden=OuterRef("pk"), moderator=moderator)
    known = Decision.objects.filter(post=OuterRef("decision__post"), moderator=moderator)
    item = (
        GoldenItem.objects.filter(
            queries.review_scope(moderator).condition(),
            active=True,
            decision__post__author__erased_at__isnull=True,
        )
        .select_related("decision__review")
        .exclude(made_by=moderator)
        .exclude(contradicted())
        .exclude(Exists(asked))
        .exclude(Exists(known))
        .order_by("pk")
        .first()
    )
    if item is None:
        return None
    now = queries.database_now()
    check, is_new = BlindCheck.objects.get_or_create(
        golden=item,
        moderator=moderator,
        defaults={
            "community_id": item.community_id,
            "category": item.category,
            "opened_at": now,
            "lease_until": now + LEASE,
        },
    )
    if is_new:
        _count_exposure(item.decision, moderator)
    return _open_to(moderator).filter(pk=check.pk).first()


def contradicted() -> Q:
    """Match golden items that teach the answer of a decision which was reversed since."""
    return Q(decision__enforcement__reversed_at__isnull=False, action=F("decision__action"))


def _count_exposure(decision: Decision | None, moderator: User) -> None:
    """What is hard to look at is as hard the second time."""
    if decision is not None:
        today = queries.database_now().date()
        noting.count_exposure(user=moderator, review=decision.review, day=today)


def _expected(check: BlindCheck) -> str:
    if check.decision is not None:
        return check.decision.action
    assert check.golden is not None
    return check.golden.action


def _record(kind: str, check: BlindCheck, moderator: User) -> None:
    record_change(
        kind,
        subject=("blind_check", str(check.pk)),
        community_id=check.community_id,
        user=moderator,
        facts={
            "decision": check.decision_id,
            "golden": check.golden_id,
            "answer": check.answer,
            "category": check.answer_category,
            "agrees": check.agrees,
        },
    )
