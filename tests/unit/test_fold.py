"""What a post is: the fold of its unreversed enforcements."""

from __future__ import annotations

import pytest

from moderation.policy.fold import Enforced, PostState, fold
from moderation.vocabulary import Action, EffectKind, Status, Visibility

BLOCK = Enforced(Action.BLOCK, (EffectKind.HIDE, EffectKind.STRIKE))
HOLD = Enforced(Action.REVIEW, (EffectKind.HOLD, EffectKind.QUEUE))
QUEUE = Enforced(Action.REVIEW, (EffectKind.PUBLISH, EffectKind.QUEUE))
APPROVE = Enforced(Action.ALLOW, (EffectKind.PUBLISH,))


@pytest.mark.parametrize(
    ("enforced", "judged", "shown", "state"),
    [
        ([], False, True, PostState(Status.PENDING, Visibility.PUBLIC)),
        ([], False, False, PostState(Status.PENDING, Visibility.HELD)),
        ([], True, False, PostState(Status.APPROVED, Visibility.PUBLIC)),
        ([BLOCK], True, True, PostState(Status.REJECTED, Visibility.HIDDEN)),
        ([HOLD], True, True, PostState(Status.IN_REVIEW, Visibility.HELD)),
        ([QUEUE], True, False, PostState(Status.IN_REVIEW, Visibility.PUBLIC)),
        ([BLOCK, APPROVE], True, True, PostState(Status.APPROVED, Visibility.PUBLIC)),
        ([APPROVE, BLOCK], True, True, PostState(Status.REJECTED, Visibility.HIDDEN)),
        ([HOLD, BLOCK], True, False, PostState(Status.REJECTED, Visibility.HIDDEN)),
    ],
)
def test_last_unreversed_word_counts(enforced, judged, shown, state):
    assert fold(enforced, judged=judged, shown_before_verdict=shown, deleted=False) == state


def test_reversing_an_approval_brings_the_block_back():
    both = fold([BLOCK, APPROVE], judged=True, shown_before_verdict=True, deleted=False)
    after = fold([BLOCK], judged=True, shown_before_verdict=True, deleted=False)
    assert both.visibility is Visibility.PUBLIC
    assert after.visibility is Visibility.HIDDEN


@pytest.mark.parametrize("enforced", [[], [APPROVE], [BLOCK]])
def test_deleted_post_is_seen_by_nobody(enforced):
    state = fold(enforced, judged=True, shown_before_verdict=True, deleted=True)
    assert state.visibility is Visibility.DELETED
