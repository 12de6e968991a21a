"""What answers come to, for a community and a period."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from moderation.errors import InvalidFields
from moderation.models import BlindCheck, Community, Decision, Enforcement, GoldenItem
from moderation.pipeline.review.reversal import reverse_enforcement
from moderation.pipeline.review.undo import undo_decision
from moderation.policy.agreement import Share
from moderation.quality import figures
from moderation.quality.figures import Named, Period
from moderation.roles import MODERATOR
from moderation.vocabulary import Action, Category
from tests.admin.situations import queued
from tests.factories import CommunityFactory
from tests.quality.conftest import Decide, member

Answered = Callable[..., BlindCheck]


@pytest.fixture
def period(garden: Community) -> Period:
    now = timezone.now()
    return Period(garden.pk, now - timedelta(days=30), now + timedelta(minutes=5))


@pytest.fixture
def answered(decide: Decide, cy: User) -> Answered:
    """Return what lets Ada decide a post and Cy answer it."""

    def make(
        first: Action,
        second: Action,
        *,
        category: Category = Category.HARASSMENT,
        at: datetime | None = None,
        **fields: object,
    ) -> BlindCheck:
        decision = decide(first, category=category, **fields)
        return BlindCheck.objects.create(
            community_id=decision.post.community_id,
            decision=decision,
            category=category,
            moderator=cy,
            expected=first,
            answer=second,
            agrees=first == second,
            answered_at=at or timezone.now(),
        )

    return make


def test_agreement_is_told_for_each_category_and_over_all(
    period: Period, answered: Answered
) -> None:
    for first, second in (("block", "block"), ("allow", "allow"), ("block", "allow")):
        answered(Action(first), Action(second))
    answered(Action.WARN, Action.WARN, category=Category.SPAM)
    together, each = figures.agreements(period)
    assert together.same == Share(3, 4)
    assert [(row.category, row.same) for row in each] == [
        ("harassment", Share(2, 3)),
        ("spam", Share(1, 1)),
    ]
    # Of three: 2 agree; by chance 2·1/9 + 1·2/9 = 4/9; (6/9 - 4/9) / (5/9).
    assert each[0].kappa.value == pytest.approx(0.4)
    assert each[1].kappa.value is None


def test_only_the_community_and_the_period_count(
    period: Period, answered: Answered, garden: Community, ada: User
) -> None:
    elsewhere = CommunityFactory.create()
    answered(
        Action.BLOCK,
        Action.ALLOW,
        community=elsewhere,
        moderator=member("dan", MODERATOR, elsewhere),
    )
    answered(Action.BLOCK, Action.ALLOW, at=period.since - timedelta(seconds=1))
    answered(Action.BLOCK, Action.ALLOW, at=period.until)
    inside = answered(Action.BLOCK, Action.ALLOW, at=period.since)
    assert figures.agreements(period)[0].same == Share(0, 1)
    assert list(figures.disagreements(period)) == [inside]


def test_golden_answers_are_told_by_category_and_by_person(
    period: Period, golden: GoldenItem, ada: User, cy: User
) -> None:
    for who, right in ((ada, True), (cy, False)):
        BlindCheck.objects.create(
            community=golden.community,
            golden=golden,
            category=golden.category,
            moderator=who,
            expected=Action.ALLOW,
            answer=Action.ALLOW if right else Action.BLOCK,
            agrees=right,
            answered_at=timezone.now(),
        )
    found = figures.golden_answers(period)
    assert found.by_category == [Named("harassment", Share(1, 2))]
    assert found.by_moderator == [Named("ada", Share(1, 1)), Named("cy", Share(0, 1))]
    assert figures.agreements(period)[0].same == Share(0, 0)


def test_times_are_the_median_and_what_nine_of_ten_do_not_exceed(
    period: Period, decide: Decide
) -> None:
    for seconds in (*range(1, 11), None):
        decision = decide()
        Decision.objects.filter(pk=decision.pk).update(seconds_spent=seconds)
    found = figures.times_spent(period)
    [row] = found.by_category
    assert (row.name, row.count, row.median, row.ninetieth) == ("harassment", 10, 5.5, 9)
    assert [row.name for row in found.by_moderator] == ["ada"]
    assert not found.is_cut


def test_of_very_many_only_the_newest_are_read_and_it_is_said(
    period: Period, decide: Decide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "MOST_DECISIONS", 2)
    for days, seconds in ((3, 1000), (2, 10), (1, 20)):
        Decision.objects.filter(pk=decide().pk).update(
            seconds_spent=seconds, decided_at=timezone.now() - timedelta(days=days)
        )
    found = figures.times_spent(period)
    assert found.is_cut
    assert (found.by_category[0].count, found.by_category[0].median) == (2, 15)


def test_overturns_are_told_by_rule_by_provider_and_for_people(
    period: Period, decide: Decide, garden: Community, lea: User, ada: User
) -> None:
    machine = [queued(garden).verdict for _ in range(3)]
    for verdict in machine:
        assert verdict is not None
        Enforcement.objects.filter(verdict=verdict).update(action=Action.BLOCK)
    assert machine[0] is not None
    reverse(Enforcement.objects.get(verdict=machine[0]), lea)
    reverse(decide().enforcement, lea)
    decide(Action.WARN)
    # Nobody was restricted, and nobody told.
    decide(Action.ALLOW)
    undo_decision(decision_id=decide_now(decide).pk, moderator=ada)
    found = figures.overturned(period)
    assert found.by_rule == [Named("harassment.review", Share(1, 3))]
    assert found.by_provider == [Named("local_text", Share(1, 3))]
    assert found.people == Share(1, 2)
    assert found.by_moderator == [Named("ada", Share(1, 2))]


def test_what_its_own_decider_reverses_later_counts_as_overturned(
    period: Period, decide: Decide, ada: User, lea: User
) -> None:
    decision = decide(moderator=lea)
    Enforcement.objects.filter(decision=decision).update(
        created_at=timezone.now() - timedelta(hours=1)
    )
    reverse(decision.enforcement, lea)
    assert figures.overturned(period).people == Share(1, 1)


@pytest.mark.parametrize("days", [0, -1, 367])
def test_a_period_is_a_year_at_most_and_has_a_beginning(garden: Community, days: int) -> None:
    now = timezone.now()
    with pytest.raises(InvalidFields):
        Period(garden.pk, now - timedelta(days=days), now)


def reverse(enforcement: Enforcement, lead: User) -> None:
    reverse_enforcement(enforcement_id=enforcement.pk, moderator=lead, reason="It was a joke.")


def decide_now(decide: Decide) -> Decision:
    decision = decide()
    Decision.objects.filter(pk=decision.pk).update(decided_at=timezone.now())
    return decision
