"""Thresholds from decisions: moved where people's own are sure, left alone where they are not."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from moderation.errors import InvalidPolicy
from moderation.policy.document import DEFAULT_DOCUMENT, parse_policy
from moderation.policy.fitting import Fitted, Seen, Steps, Terms, _fold, fit_category, with_steps
from moderation.vocabulary import Action, Category

NOW = Steps(review=0.7, block=0.95)


def decided(
    number: int,
    chance: Callable[[float], float],
    *,
    low: float = 0.7,
    high: float = 0.95,
    asked: bool = True,
    seed: int = 1,
) -> list[Seen]:
    """Return posts with scores all over a range, each taken down with a chance by its score."""
    draws = random.Random(seed)
    found = []
    for place in range(number):
        score = round(draws.uniform(low, high), 4)
        down = draws.random() < chance(score)
        found.append(Seen(score, down, down, asked, f"author-{seed}-{place}"))
    return found


def fit(seen: list[Seen], now: Steps = NOW, **terms: float) -> Fitted:
    return fit_category(Category.TOXIC, seen, now, Terms(**terms))  # type: ignore[arg-type]


def step_at(score: float) -> Callable[[float], float]:
    """People take down whatever scores so much, and leave all else."""
    return lambda one: 1.0 if one >= score else 0.0


def test_it_blocks_from_where_people_always_took_down() -> None:
    found = fit(decided(600, step_at(0.85)))
    assert found.is_changed
    assert found.fitted.block == pytest.approx(0.85, abs=0.02)
    assert found.held_out is not None
    assert found.held_out.blocked.total > 150
    assert found.held_out.blocked.value == pytest.approx(1.0, abs=0.03)


def test_nobody_need_look_where_people_always_left() -> None:
    found = fit(decided(600, step_at(0.85)))
    assert found.fitted.review == pytest.approx(0.85, abs=0.03)
    assert found.fitted.review is not None
    assert found.fitted.block is not None
    assert found.fitted.review <= found.fitted.block
    assert found.held_out is not None
    assert found.held_out.let_through.total > 200
    assert found.held_out.looks.hits < 0.1 * found.held_out.looks.total


def test_decisions_that_scores_do_not_tell_move_nothing() -> None:
    found = fit(decided(2000, lambda _: 0.5))
    assert not found.is_changed
    assert found.fitted == NOW
    assert "sure enough" in found.refused


def test_a_doubtful_edge_is_left_to_people() -> None:
    def chance(score: float) -> float:
        return min(1.0, max(0.0, (score - 0.72) / 0.2))

    found = fit(decided(3000, chance))
    assert found.held_out is not None
    assert found.held_out.blocked.value is not None
    assert found.held_out.blocked.value >= 0.9
    if found.held_out.let_through.value is not None:
        assert found.held_out.let_through.value <= 0.05
    # In the middle people disagree with any machine.
    assert found.held_out.looks.hits > 0.3 * found.held_out.looks.total


def test_nothing_speaks_for_a_higher_threshold_to_block() -> None:
    """People took down little of what lies below; what lies above nobody saw."""
    found = fit(decided(600, lambda _: 0.5))
    assert found.fitted.block == NOW.block


@pytest.mark.parametrize(
    ("number", "chance", "said"),
    [
        (99, 0.5, "99 decisions; 100 are needed"),
        (0, 0.5, "0 decisions; 100 are needed"),
        (400, 0.0, "0 of 400 were taken down; 20 are needed"),
        (400, 1.0, "0 of 400 were left; 20 are needed"),
    ],
)
def test_too_few_decisions_are_refused_with_their_number(
    number: int, chance: float, said: str
) -> None:
    found = fit(decided(number, lambda _: chance))
    assert found.refused == said
    assert not found.is_changed


def test_samples_that_people_took_down_have_people_asked_sooner() -> None:
    asked = decided(300, lambda _: 0.5)
    missed = decided(200, step_at(0.5), low=0.0, high=0.7, asked=False, seed=2)
    found = fit([*asked, *missed])
    assert found.fitted.review is not None
    assert 0.4 < found.fitted.review < 0.7
    assert found.held_out is not None
    assert found.held_out.found.total > 20


def test_without_samples_nobody_is_asked_sooner() -> None:
    found = fit(decided(600, step_at(0.7)))
    assert found.fitted.review is not None
    assert found.fitted.review >= 0.7


@pytest.mark.parametrize("now", [Steps(0.7, None), Steps(0.7, 0.95)])
def test_a_category_that_never_blocks_goes_on_so(now: Steps) -> None:
    found = fit(decided(600, step_at(0.85)), now)
    assert (found.fitted.block is None) == (now.block is None)


def test_what_was_fitted_to_chance_does_not_hold_on_what_was_kept_back() -> None:
    """One author wrote all that looks sure: without them nothing does."""
    noise = decided(400, lambda _: 0.5, high=0.9)
    one_author = [Seen(0.94, True, True, True, "bo") for _ in range(60)]
    others = [Seen(0.94, place < 3, place < 3, True, f"cy-{place}") for place in range(8)]
    found = fit([*noise, *one_author, *others], precision=0.7)
    assert not found.is_changed


def test_the_same_decisions_give_the_same_thresholds_in_any_order() -> None:
    seen = decided(600, step_at(0.85))
    again = random.Random(4).sample(seen, len(seen))
    assert fit(seen) == fit(again)


def test_an_author_is_in_one_fold_only() -> None:
    """Else what one person repeats would vouch for itself."""
    folds = {_fold(Seen(score / 10, True, True, True, "bo"), Terms()) for score in range(10)}
    assert len(folds) == 1
    spread = {_fold(Seen(0.5, True, True, True, f"a{one}"), Terms()) for one in range(50)}
    assert spread == {0, 1, 2, 3, 4}


# The document


def changed(review: float, block: float | None, category: Category = Category.TOXIC) -> Fitted:
    found = fit(decided(10, step_at(0.85)))
    return Fitted(category, found.asked, found.sampled, NOW, Steps(review, block))


def test_a_draft_has_the_new_thresholds_and_everything_else_as_it_was() -> None:
    made = with_steps(DEFAULT_DOCUMENT, [changed(0.75, 0.9)])
    steps = parse_policy(made).thresholds[Category.TOXIC]
    assert steps == {Action.WARN: 0.6, Action.REVIEW: 0.75, Action.BLOCK: 0.9}
    before, after = parse_policy(DEFAULT_DOCUMENT), parse_policy(made)
    assert after.thresholds[Category.HATE] == before.thresholds[Category.HATE]
    assert {**made, "thresholds": None} == {**DEFAULT_DOCUMENT, "thresholds": None}


def test_a_milder_step_is_never_above() -> None:
    made = with_steps(DEFAULT_DOCUMENT, [changed(0.4, 0.9)])
    assert parse_policy(made).thresholds[Category.TOXIC][Action.WARN] == 0.4


def test_what_was_refused_changes_nothing() -> None:
    refused = fit(decided(10, step_at(0.85)))
    assert with_steps(DEFAULT_DOCUMENT, [refused]) == DEFAULT_DOCUMENT


def test_a_document_that_is_no_policy_is_refused() -> None:
    with pytest.raises(InvalidPolicy):
        with_steps({"version": 2}, [])
