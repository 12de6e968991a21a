"""What an author's conduct brings them is graduated, in proportion, and never without a warning."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from moderation.policy.fold import Imposed, Limits, fold_sanctions
from moderation.policy.sanctions import Asked, Conduct, Strike, effects_of, fits, recommend
from moderation.vocabulary import Action, Category, EffectKind, Sanction

NOW = datetime(2026, 3, 1, tzinfo=UTC)
NEVER_ENDS = datetime(9999, 1, 1, tzinfo=UTC)


def conduct(*strikes: tuple[int, Category], warned: bool = True, **fields: int) -> Conduct:
    """Return an author's record; each strike is (days ago, category)."""
    earlier = [Strike(NOW - timedelta(days=days), category) for days, category in strikes]
    return Conduct(strikes=earlier, was_warned=warned, **fields)


SPAM, HATE, MINORS = Category.SPAM, Category.HATE, Category.SEXUAL_MINORS


@pytest.mark.parametrize(
    ("record", "category", "sanction", "days"),
    [
        (conduct(warned=False), SPAM, Sanction.WARNING, None),
        # What is grave counts twice, today as well as then.
        (conduct(warned=False), HATE, Sanction.STRIKE, None),
        (conduct((3, SPAM)), SPAM, Sanction.STRIKE, None),
        (conduct((3, HATE)), SPAM, Sanction.POST_HOLD, 3),
        (conduct((3, HATE), (9, HATE)), SPAM, Sanction.SILENCE, 7),
        (conduct((3, HATE), (9, HATE), (20, HATE)), HATE, Sanction.SUSPENSION, 30),
        # What is three months old says nothing of today.
        (conduct((90, HATE), (91, HATE), (200, HATE)), SPAM, Sanction.WARNING, None),
        # Nobody is barred who was not warned.
        (conduct((3, HATE), (9, HATE), warned=False), SPAM, Sanction.POST_HOLD, 3),
        # What is evident to anyone and of the gravest kind needs no series.
        (conduct(warned=False), MINORS, Sanction.SUSPENSION, 30),
        # One bad post among many good ones, or hardly a good one.
        (conduct((3, SPAM), posts=50, rejected=2), SPAM, Sanction.WARNING, None),
        (conduct((3, SPAM), posts=20, rejected=10), SPAM, Sanction.POST_HOLD, 3),
        (conduct((3, SPAM), posts=4, rejected=4), SPAM, Sanction.STRIKE, None),
    ],
)
def test_sanction_fits_the_record(
    record: Conduct, category: Category, sanction: Sanction, days: int | None
) -> None:
    asked = recommend(record, category, now=NOW).asked
    assert asked == Asked(sanction, timedelta(days=days) if days else None)


def test_recommendation_says_why_and_what_comes_next() -> None:
    found = recommend(conduct((3, HATE), posts=20, rejected=3), SPAM, now=NOW)
    said = " ".join(found.because)
    assert "1 earlier strike stands" in said
    assert "3 of their latest 20 posts were rejected" in said
    assert found.next_step is not None
    assert (found.points, found.next_step.sanction) == (3, Sanction.SILENCE)


def test_whatever_is_severer_than_a_strike_is_one() -> None:
    assert effects_of(Asked(Sanction.NONE)) == ()
    assert effects_of(Asked(Sanction.WARNING)) == (EffectKind.WARNING,)
    assert effects_of(Asked(Sanction.STRIKE)) == (EffectKind.STRIKE,)
    assert effects_of(Asked(Sanction.SILENCE)) == (EffectKind.STRIKE, EffectKind.SILENCE)


@pytest.mark.parametrize(
    ("action", "allowed"),
    [
        (Action.ALLOW, {Sanction.NONE}),
        (Action.WARN, {Sanction.NONE, Sanction.WARNING}),
        (Action.BLOCK, set(Sanction)),
    ],
)
def test_only_what_is_blocked_brings_more_than_a_warning(
    action: Action, allowed: set[Sanction]
) -> None:
    assert {kind for kind in Sanction if fits(Asked(kind), action)} == allowed


def test_of_each_kind_the_sanction_counts_that_ends_last() -> None:
    day = timedelta(days=1)
    imposed = [
        Imposed(EffectKind.SILENCE, NOW + day),
        Imposed(EffectKind.SILENCE, NOW + 3 * day),
        Imposed(EffectKind.POST_HOLD, NOW - day),
        Imposed(EffectKind.SUSPENSION, None),
        Imposed(EffectKind.SUSPENSION, NOW + day),
    ]
    assert fold_sanctions(imposed, now=NOW, for_ever=NEVER_ENDS) == Limits(
        held_until=None, silenced_until=NOW + 3 * day, suspended_until=NEVER_ENDS
    )
