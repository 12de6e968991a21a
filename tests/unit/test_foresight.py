"""What a decision would do is told as the fold of what then stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from moderation.policy.fold import Enforced, PostState
from moderation.policy.foresight import Now, foresee
from moderation.policy.sanctions import Asked, default_for
from moderation.vocabulary import Action, EffectKind, Sanction, Status, Visibility

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HELD = Now(
    enforced=(Enforced(Action.REVIEW, (EffectKind.HOLD, EffectKind.QUEUE)),),
    judged=True,
    shown_before_verdict=False,
    deleted=False,
    status=Status.IN_REVIEW,
    visibility=Visibility.HELD,
)

HIDDEN = (
    "It is hidden from readers, who do not see it now; its author still reads it, with the reason."
)


@pytest.mark.parametrize(
    ("action", "after"),
    [
        (Action.ALLOW, PostState(Status.APPROVED, Visibility.PUBLIC)),
        (Action.WARN, PostState(Status.APPROVED, Visibility.PUBLIC)),
        (Action.BLOCK, PostState(Status.REJECTED, Visibility.HIDDEN)),
    ],
)
def test_a_decision_makes_of_the_post_what_the_fold_says(action: Action, after: PostState) -> None:
    assert foresee(action, HELD, default_for(action), at=AT).after == after


@pytest.mark.parametrize(
    ("action", "now", "said"),
    [
        (Action.ALLOW, HELD, "It becomes readable by everyone."),
        (
            Action.ALLOW,
            replace(HELD, visibility=Visibility.PUBLIC),
            "It stays readable by everyone.",
        ),
        (Action.WARN, HELD, "It becomes readable by everyone, under a note that warns of it."),
        (
            Action.BLOCK,
            HELD,
            HIDDEN,
        ),
        (
            Action.ALLOW,
            replace(HELD, deleted=True),
            "The author has deleted it: nobody can read it, whatever is decided.",
        ),
    ],
)
def test_what_becomes_of_the_post_is_said_first(action: Action, now: Now, said: str) -> None:
    assert foresee(action, now, Asked(Sanction.NONE), at=AT).does[0] == said


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(Sanction.NONE), ()),
        (Asked(Sanction.WARNING), ("The author is warned. Nothing is limited.",)),
        (
            Asked(Sanction.SILENCE, timedelta(days=7)),
            (
                "The author can read but not write, until 8 March 2026, 12:00 UTC.",
                "It counts as a strike, too.",
            ),
        ),
        (
            Asked(Sanction.SUSPENSION),
            (
                "The author is suspended, until it is reversed.",
                "It counts as a strike, too.",
            ),
        ),
    ],
)
def test_a_sanction_is_told_with_its_end(asked: Asked, said: tuple[str, ...]) -> None:
    assert foresee(Action.BLOCK, HELD, asked, at=AT).does[1:-1] == said


@pytest.mark.parametrize(
    ("reports", "said"),
    [
        (1, "1 reader who reported it hears what came of it."),
        (3, "3 readers who reported it hear what came of it."),
    ],
)
def test_reporters_hear_back(reports: int, said: str) -> None:
    reported = replace(HELD, reports=reports)
    assert said in foresee(Action.BLOCK, reported, Asked(Sanction.NONE), at=AT).tells
