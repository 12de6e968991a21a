"""The threshold that is right often enough, from what people decided."""

from __future__ import annotations

from moderation.policy.agreement import Share
from moderation.policy.precision import Labelled, curve


def posts(number: int, score: float, *, down: bool, for_it: bool | None = None) -> list[Labelled]:
    return [Labelled(score, down, down if for_it is None else for_it)] * number


def test_the_lowest_threshold_with_the_wanted_precision_is_found() -> None:
    made = curve(
        [
            *posts(30, 0.9, down=True),
            *posts(8, 0.8, down=True),
            *posts(2, 0.8, down=False),
            *posts(40, 0.6, down=False),
        ]
    )
    assert made.reaching is not None
    assert made.reaching.threshold == 0.8
    assert made.reaching.precision == Share(38, 40)
    assert made.reaching.recall == Share(38, 38)


def test_it_says_so_when_none_reaches_it() -> None:
    made = curve([*posts(50, 0.9, down=True), *posts(50, 0.9, down=False)])
    assert made.is_enough
    assert made.reaching is None


def test_a_few_right_ones_at_the_top_are_no_threshold() -> None:
    assert curve([*posts(19, 0.99, down=True), *posts(60, 0.5, down=False)]).reaching is None


def test_too_few_decisions_say_nothing() -> None:
    made = curve(posts(19, 0.9, down=True))
    assert not made.is_enough
    assert made.reaching is None


def test_what_was_taken_down_for_something_else_was_rightly_blocked_but_is_not_recalled() -> None:
    made = curve(
        [
            *posts(10, 0.9, down=True),
            *posts(10, 0.9, down=True, for_it=False),
            *posts(5, 0.2, down=True),
        ]
    )
    assert made.reaching is not None
    point = next(one for one in made.points if one.threshold == 0.9)
    assert (point.precision, point.recall) == (Share(20, 20), Share(10, 15))


def test_a_threshold_is_written_short_where_the_same_posts_reach_it() -> None:
    made = curve([*posts(30, 0.87654321, down=True), *posts(30, 0.5, down=False)])
    assert made.reaching is not None
    assert made.reaching.threshold == 0.87
