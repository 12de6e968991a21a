"""What a draft would have changed: counts of two policies' verdicts on the same posts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moderation.policy.agreement import Share
from moderation.vocabulary import Action

# A person decides between leaving a post and taking it down; so are verdicts read.
KEPT = (Action.ALLOW, Action.WARN)
_SIDES = ("was", "now")


@dataclass(frozen=True, slots=True)
class Pair:
    """One revision's verdict as it was and as the draft would have it, and what a person said."""

    day: str
    was: Action
    now: Action
    was_category: str | None
    now_category: str | None
    person: Action | None = None


@dataclass(frozen=True, slots=True)
class AgainstPeople:
    """One side against people. `agreed` counts where it decided at all, and did not ask them."""

    agreed: Share
    wrongly_down: int
    wrongly_up: int
    left_to_people: int


@dataclass(slots=True)
class Tally:
    """Counts that grow pair by pair and can be kept as JSON in between.

    `missing` counts verdicts that cannot be judged anew, by whose answers they lack.
    """

    looked_at: int = 0
    judged: int = 0
    cannot: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    pairs: Counter[str] = field(default_factory=Counter)
    queue: Counter[str] = field(default_factory=Counter)
    days: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    people: Counter[str] = field(default_factory=Counter)

    def add(self, pair: Pair) -> None:
        self.looked_at += 1
        self.judged += 1
        self.pairs[f"{pair.was}>{pair.now}"] += 1
        self.days[pair.day] += 1
        for side, action, category in zip(
            _SIDES, (pair.was, pair.now), (pair.was_category, pair.now_category), strict=True
        ):
            if action is Action.REVIEW:
                self.queue[f"{side}:{pair.day}"] += 1
            if category and action is not Action.ALLOW:
                self.categories[f"{side}:{category}:{action}"] += 1
            if pair.person is not None:
                self.people[f"{side}:{_told(action, pair.person)}"] += 1

    def add_unjudged(self, missing: frozenset[str]) -> None:
        self.looked_at += 1
        self.cannot += 1
        self.missing.update(missing)

    @property
    def flips(self) -> int:
        return sum(count for pair, count in self.pairs.items() if len(set(pair.split(">"))) == 2)

    def count(self, was: Action, now: Action) -> int:
        return self.pairs[f"{was}>{now}"]

    def in_queue(self, side: str, day: str) -> int:
        return self.queue[f"{side}:{day}"]

    def in_category(self, side: str, category: str, action: Action) -> int:
        return self.categories[f"{side}:{category}:{action}"]

    def against_people(self, side: str) -> AgainstPeople:
        agreed, down, up, left = (
            self.people[f"{side}:{told}"] for told in ("agreed", "down", "up", "left")
        )
        return AgainstPeople(Share(agreed, agreed + down + up), down, up, left)

    def to_json(self) -> dict[str, Any]:
        return {
            name: dict(value) if isinstance(value, Counter) else value
            for name in self.__slots__
            for value in [getattr(self, name)]
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Tally:
        read: dict[str, Any] = {
            name: Counter(value) if isinstance(value, dict) else value
            for name, value in said.items()
        }
        return cls(**read)


def _told(machine: Action, person: Action) -> str:
    if machine is Action.REVIEW:
        return "left"
    if (machine in KEPT) == (person in KEPT):
        return "agreed"
    return "down" if person in KEPT else "up"
