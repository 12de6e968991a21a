"""What a post is now: the fold of all unreversed enforcements, never a restored value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moderation.vocabulary import Action, EffectKind, Status, Visibility

_STATUS = {
    Action.ALLOW: Status.APPROVED,
    Action.WARN: Status.APPROVED,
    Action.REVIEW: Status.IN_REVIEW,
    Action.BLOCK: Status.REJECTED,
}
_VISIBILITY = {
    EffectKind.PUBLISH: Visibility.PUBLIC,
    EffectKind.HOLD: Visibility.HELD,
    EffectKind.HIDE: Visibility.HIDDEN,
}


@dataclass(frozen=True, slots=True)
class Enforced:
    """An unreversed enforcement on the post's current revision."""

    action: Action
    effects: tuple[EffectKind, ...]


@dataclass(frozen=True, slots=True)
class PostState:
    status: Status
    visibility: Visibility


def fold(
    enforced: Sequence[Enforced], *, judged: bool, shown_before_verdict: bool, deleted: bool
) -> PostState:
    """Return a post's status and visibility.

    `enforced` is in the order in which the enforcements were made: the last word counts, and
    when it is reversed the one before it counts again. `judged` says that the revision has a
    verdict.
    """
    status = Status.APPROVED if judged else Status.PENDING
    if enforced:
        status = _STATUS[enforced[-1].action]
    if deleted:
        return PostState(status, Visibility.DELETED)
    said = [_VISIBILITY[kind] for item in enforced for kind in item.effects if kind in _VISIBILITY]
    if said:
        return PostState(status, said[-1])
    shown = status is Status.APPROVED or (status is Status.PENDING and shown_before_verdict)
    return PostState(status, Visibility.PUBLIC if shown else Visibility.HELD)
