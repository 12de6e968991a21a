"""What an author's conduct brings them: graduated, for a time, and in proportion to their record.

Whoever bars an author who "frequently" breaks the rules must have warned them, and must weigh how
often, in what share of all they wrote, how grave it was and what it did (Art. 23 of the EU's
Digital Services Act). A person decides; what is here recommends, and says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from moderation.policy import risk
from moderation.vocabulary import Action, Category, EffectKind, Sanction, Severity

# Strikes older than this say nothing of how an author behaves now.
WINDOW: Final = timedelta(days=90)
# How much one strike weighs. What is evident and grave to anyone needs no series.
_WEIGHT: Final = {Severity.LOW: 1, Severity.MEDIUM: 1, Severity.HIGH: 2, Severity.CRITICAL: 8}
# From how many posts on a share of them says anything.
_LEAST_POSTS: Final = 10
_RARELY, _MOSTLY = 0.05, 0.5
MOST_DAYS: Final = 3650

_STRIKES: Final = frozenset(
    {Sanction.STRIKE, Sanction.POST_HOLD, Sanction.SILENCE, Sanction.SUSPENSION}
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A sanction and how long it lasts; None: until it is reversed."""

    kind: Sanction
    duration: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One rung: from how many points on which sanction is due, for how long."""

    points: int
    sanction: Sanction
    duration: timedelta | None = None


LADDER: Final = (
    Step(1, Sanction.WARNING),
    Step(2, Sanction.STRIKE),
    Step(3, Sanction.POST_HOLD, timedelta(days=3)),
    Step(5, Sanction.SILENCE, timedelta(days=7)),
    Step(8, Sanction.SUSPENSION, timedelta(days=30)),
)


@dataclass(frozen=True, slots=True)
class Strike:
    """An earlier strike that stands: neither reversed nor expired."""

    at: datetime
    category: Category | None


@dataclass(frozen=True, slots=True)
class Conduct:
    """What is known of an author. `posts` and `rejected` are of their latest ones."""

    strikes: Sequence[Strike] = ()
    was_warned: bool = False
    posts: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The sanction that fits, why it does, and what comes next: `next_step` is None at the top."""

    asked: Asked
    points: int
    because: tuple[str, ...]
    next_step: Step | None


def effects_of(asked: Asked) -> tuple[EffectKind, ...]:
    """Return what a sanction does. Whatever is severer than a strike is one, too."""
    if asked.kind is Sanction.NONE:
        return ()
    own = EffectKind(asked.kind.value)
    return (EffectKind.STRIKE, own) if asked.kind in _STRIKES - {Sanction.STRIKE} else (own,)


def default_for(action: Action) -> Asked:
    """Return what a decision brings its author when nobody says otherwise."""
    return Asked(Sanction.STRIKE if action is Action.BLOCK else Sanction.NONE)


UNFITTING: Final = (
    "Only what is blocked brings its author a sanction; a post under a note at most a warning."
)


def fits(asked: Asked, action: Action) -> bool:
    """Whether a decision may bring this: who is let through gets at most a warning."""
    if action is Action.BLOCK:
        return True
    mildest = {Sanction.NONE} if action is Action.ALLOW else {Sanction.NONE, Sanction.WARNING}
    return asked.kind in mildest


def recommend(
    conduct: Conduct, category: Category | None, *, now: datetime, ladder: Sequence[Step] = LADDER
) -> Recommendation:
    """Return the sanction that fits another breach in `category`."""
    recent = [strike for strike in conduct.strikes if now - strike.at < WINDOW]
    gravity = _gravity(category)
    points = sum(_WEIGHT[_gravity(strike.category)] for strike in recent) + _WEIGHT[gravity]
    because = [_said_of_strikes(len(recent)), _said_of_gravity(gravity)]
    rung = max((n for n, step in enumerate(ladder) if step.points <= points), default=0)
    if gravity is not Severity.CRITICAL:
        rung = _in_proportion(conduct, rung, len(ladder) - 1, because)
        rung = _after_a_warning(conduct, rung, ladder, because)
    step = ladder[rung]
    above = ladder[rung + 1] if rung + 1 < len(ladder) else None
    return Recommendation(
        asked=Asked(step.sanction, step.duration),
        points=points,
        because=tuple(line for line in because if line),
        next_step=above,
    )


def _gravity(category: Category | None) -> Severity:
    return risk.severity_of(category, Action.BLOCK)


def _said_of_strikes(count: int) -> str:
    if not count:
        return f"No other strike stands from the last {WINDOW.days} days."
    plural = "strike stands" if count == 1 else "strikes stand"
    return f"{count} earlier {plural} from the last {WINDOW.days} days."


def _said_of_gravity(gravity: Severity) -> str:
    return {
        Severity.HIGH: "What was found is grave: it counts twice.",
        Severity.CRITICAL: "What was found is of the gravest kind: once is enough.",
    }.get(gravity, "")


def _in_proportion(conduct: Conduct, rung: int, top: int, because: list[str]) -> int:
    if conduct.posts < _LEAST_POSTS:
        return rung
    share = conduct.rejected / conduct.posts
    said = f"{conduct.rejected} of their latest {conduct.posts} posts were rejected"
    if share <= _RARELY and rung > 0:
        because.append(f"{said}: one step milder.")
        return rung - 1
    if share >= _MOSTLY and rung < top:
        because.append(f"{said}: one step severer.")
        return rung + 1
    because.append(f"{said}.")
    return rung


def _after_a_warning(
    conduct: Conduct, rung: int, ladder: Sequence[Step], because: list[str]
) -> int:
    """Nobody is barred who was not warned before."""
    barring = {Sanction.SILENCE, Sanction.SUSPENSION}
    if conduct.was_warned or ladder[rung].sanction not in barring:
        return rung
    because.append("They were never warned, and nobody is barred without a warning.")
    return max(n for n, step in enumerate(ladder) if step.sanction not in barring)
