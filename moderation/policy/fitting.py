"""Thresholds that fit what people decided, and how they would have done on decisions kept back.

Pure. Only posts that people saw say anything. So a threshold is moved only inside what they saw:
what a policy put before them for its score, and what was drawn by lot among what it allowed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import accumulate
from math import ceil, floor
from typing import Any, Final

from moderation.policy.agreement import Share
from moderation.policy.document import parse_policy
from moderation.vocabulary import Action, Category

LEAST_DECISIONS: Final = 100
LEAST_OF_A_KIND: Final = 20


@dataclass(frozen=True, slots=True)
class Seen:
    """A post that people decided on, with its score in one category.

    `asked`: the policy put it before them for its score; otherwise it was drawn by lot among what
    was allowed. `author` is any stable name of who wrote it.
    """

    score: float
    taken_down: bool
    for_it: bool
    asked: bool
    author: str


@dataclass(frozen=True, slots=True)
class Steps:
    """From which scores a category asks people and blocks, None for never."""

    review: float | None
    block: float | None


@dataclass(frozen=True, slots=True)
class Terms:
    """When a threshold may move. Shares are meant with their intervals, never bare.

    It may block from where people took down at least `precision`; nobody need look where they
    took down at most `harm`; people should look where, of what was drawn by lot, they took down
    at least `worth`. Each must hold over the whole range that changes hands, and again for the
    posts at its edge: what is sure above must not vouch for what is not.
    """

    precision: float = 0.9
    harm: float = 0.05
    worth: float = 0.2
    folds: int = 5
    seed: int = 7


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What thresholds did to posts that had no part in fitting them.

    `blocked`: how many of those blocked without a person people took down. `let_through`: how
    many of those that nobody would have looked at. `found`: how many of those drawn by lot that
    people would now be asked about. `looks`: how many of what people were asked about still
    come before them.
    """

    blocked: Share
    let_through: Share
    found: Share
    looks: Share


@dataclass(frozen=True, slots=True)
class Fitted:
    """What was found for one category. With `refused` the thresholds stay: it says why."""

    category: Category
    asked: Share
    sampled: Share
    now: Steps
    fitted: Steps
    held_out: HeldOut | None = None
    refused: str = ""

    @property
    def is_changed(self) -> bool:
        return not self.refused and self.fitted != self.now


def fit_category(
    category: Category, seen: Sequence[Seen], now: Steps, terms: Terms | None = None
) -> Fitted:
    """Return thresholds for one category, tried on decisions that they were not fitted to."""
    terms = terms or Terms()
    asked = [one for one in seen if one.asked]
    found = Fitted(
        category=category,
        asked=Share(sum(one.taken_down for one in asked), len(asked)),
        sampled=Share(sum(one.for_it for one in seen if not one.asked), len(seen) - len(asked)),
        now=now,
        fitted=now,
    )
    if refused := _too_few(found):
        return replace(found, refused=refused)
    fitted = _fit(seen, now, terms)
    if fitted == now:
        return replace(found, refused="no other thresholds are sure enough to be better")
    held_out = _cross_validate(seen, now, terms)
    if refused := _failed(held_out, terms):
        return replace(found, held_out=held_out, refused=refused)
    return replace(found, fitted=fitted, held_out=held_out)


def _too_few(found: Fitted) -> str:
    down, total = found.asked.hits, found.asked.total
    if total < LEAST_DECISIONS:
        return f"{total} decisions; {LEAST_DECISIONS} are needed"
    if min(down, total - down) < LEAST_OF_A_KIND:
        kind = "taken down" if down < LEAST_OF_A_KIND else "left"
        number = min(down, total - down)
        return f"{number} of {total} were {kind}; {LEAST_OF_A_KIND} are needed"
    return ""


def _failed(held_out: HeldOut, terms: Terms) -> str:
    """Say why thresholds did not hold on what was kept back, "" where they did."""
    blocked, let_through = held_out.blocked.value, held_out.let_through.value
    found = held_out.found.value
    if blocked is not None and blocked < terms.precision:
        return f"on held-out decisions people took down only {blocked:.0%} of what it blocked"
    if let_through is not None and let_through > terms.harm:
        return f"on held-out decisions people took down {let_through:.0%} of what it let through"
    if found is not None and found < terms.worth:
        return f"on held-out samples people took down only {found:.0%} of what it asked about"
    return ""


# --- fitting -----------------------------------------------------------------------------------


def _fit(seen: Sequence[Seen], now: Steps, terms: Terms) -> Steps:
    asked = sorted((one for one in seen if one.asked), key=lambda one: one.score)
    sampled = sorted((one for one in seen if not one.asked), key=lambda one: one.score)
    block, review = now.block, now.review
    if block is not None:
        sure = _lowest(asked, terms.precision, [one.taken_down for one in asked])
        # What lies above was blocked unseen: nothing speaks for a higher threshold.
        block = block if sure is None else min(block, sure)
    if review is not None:
        harmless = _highest_harmless(asked, terms.harm)
        worth = _lowest(sampled, terms.worth, [one.for_it for one in sampled])
        if harmless is not None:
            review = harmless
        elif worth is not None:
            review = min(review, worth)
        if block is not None:
            review = min(review, block)
    return Steps(review, block)


def _lowest(ranked: Sequence[Seen], least: float, hits: Sequence[bool]) -> float | None:
    """Return the lowest score from which on at least this share are hits, at its edge too."""
    found = None
    before = list(accumulate(hits, initial=0))
    for at in range(len(ranked) - LEAST_OF_A_KIND, -1, -1):
        if at and ranked[at - 1].score == ranked[at].score:
            # Equal scores are never parted.
            continue
        share = Share(before[-1] - before[at], len(ranked) - at)
        edge = (before[at + LEAST_OF_A_KIND] - before[at]) / LEAST_OF_A_KIND
        if share.interval[0] >= least and edge >= least:
            found = ranked[at].score
    return None if found is None else _short(found, ranked, ceil)


def _highest_harmless(ranked: Sequence[Seen], harm: float) -> float | None:
    """Return the highest score below which people took down at most this share, near it too."""
    found = None
    before = list(accumulate((one.taken_down for one in ranked), initial=0))
    for at in range(LEAST_OF_A_KIND, len(ranked)):
        if ranked[at - 1].score == ranked[at].score:
            continue
        edge = (before[at] - before[at - LEAST_OF_A_KIND]) / LEAST_OF_A_KIND
        if Share(before[at], at).interval[1] <= harm and edge <= harm:
            found = ranked[at].score
    return None if found is None else _short(found, ranked, floor)


def _short(threshold: float, ranked: Sequence[Seen], rounded: Callable[[float], int]) -> float:
    """Return a threshold that people can read: of two digits if the same posts reach it.

    Otherwise of three, `rounded` to where it changes less.
    """
    short = int(threshold * 100) / 100
    if any(short <= one.score < threshold for one in ranked):
        # A score of three digits is itself, whatever binary fractions make of it.
        short = rounded(round(threshold * 1000, 6)) / 1000
    return short


# --- trying on what was kept back ----------------------------------------------------------------


def _cross_validate(seen: Sequence[Seen], now: Steps, terms: Terms) -> HeldOut:
    """Fit to all but one fold and count on that one, for each; an author is in one fold only."""
    total = HeldOut(Share(0, 0), Share(0, 0), Share(0, 0), Share(0, 0))
    for fold in range(terms.folds):
        kept_back = [one for one in seen if _fold(one, terms) == fold]
        rest = [one for one in seen if _fold(one, terms) != fold]
        total = _add(total, _count(kept_back, now, _fit(rest, now, terms)))
    return total


def _fold(one: Seen, terms: Terms) -> int:
    digest = hashlib.sha256(f"{terms.seed}:{one.author}".encode()).hexdigest()
    return int(digest[:8], 16) % terms.folds


def _count(seen: Sequence[Seen], now: Steps, steps: Steps) -> HeldOut:
    asked = [one for one in seen if one.asked]
    is_new_block = steps.block is not None and steps.block != now.block
    blocked = [one for one in asked if is_new_block and _reaches(one, steps.block)]
    let_through = [one for one in asked if not _reaches(one, steps.review)]
    found = [one for one in seen if not one.asked and _reaches(one, steps.review)]
    return HeldOut(
        blocked=Share(sum(one.taken_down for one in blocked), len(blocked)),
        let_through=Share(sum(one.taken_down for one in let_through), len(let_through)),
        found=Share(sum(one.for_it for one in found), len(found)),
        looks=Share(len(asked) - len(blocked) - len(let_through), len(asked)),
    )


def _reaches(one: Seen, threshold: float | None) -> bool:
    return threshold is not None and one.score >= threshold


def _add(one: HeldOut, other: HeldOut) -> HeldOut:
    def both(first: Share, second: Share) -> Share:
        return Share(first.hits + second.hits, first.total + second.total)

    return HeldOut(
        blocked=both(one.blocked, other.blocked),
        let_through=both(one.let_through, other.let_through),
        found=both(one.found, other.found),
        looks=both(one.looks, other.looks),
    )


# --- the policy that has them --------------------------------------------------------------------


def with_steps(document: Mapping[str, Any], fitted: Sequence[Fitted]) -> dict[str, Any]:
    """Return a policy's document with the thresholds that changed; a milder step is never above."""
    changed: dict[str, Any] = deepcopy(dict(document))
    thresholds = parse_policy(document).thresholds
    for one in fitted:
        if not one.is_changed:
            continue
        own = changed.setdefault("thresholds", {}).setdefault("categories", {})
        given = own.setdefault(one.category.value, {})
        steps = {Action.REVIEW: one.fitted.review, Action.BLOCK: one.fitted.block}
        given |= {action.value: score for action, score in steps.items() if score is not None}
        warn = thresholds[one.category].get(Action.WARN)
        lowest = min((score for score in steps.values() if score is not None), default=None)
        if warn is not None and lowest is not None and warn > lowest:
            given[Action.WARN.value] = lowest
    return changed
