"""What a post and its author are now: the fold of what stands, never a restored value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

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


@dataclass(frozen=True, slots=True)
class Imposed:
    """One sanction of an unreversed enforcement; `until` None: it has no end."""

    kind: EffectKind
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Limits:
    """Until when an author's posts are held, refused, or the author is kept out. None: not."""

    held_until: datetime | None = None
    silenced_until: datetime | None = None
    suspended_until: datetime | None = None


def fold_sanctions(imposed: Iterable[Imposed], *, now: datetime, for_ever: datetime) -> Limits:
    """Return what an author's sanctions come to: of each kind the one that ends last.

    What has expired counts as little as what was reversed. `for_ever` stands for no end.
    """
    ends: dict[EffectKind, datetime] = {}
    for one in imposed:
        until = one.until or for_ever
        if until > now:
            ends[one.kind] = max(until, ends.get(one.kind, until))
    return Limits(
        held_until=ends.get(EffectKind.POST_HOLD),
        silenced_until=ends.get(EffectKind.SILENCE),
        suspended_until=ends.get(EffectKind.SUSPENSION),
    )
