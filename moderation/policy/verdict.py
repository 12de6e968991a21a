"""Evidence in, verdict out. Pure: no clock, no database, no network, so it can replay history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from moderation.policy.document import Policy
from moderation.policy.route import is_in_share
from moderation.vocabulary import SEVERITY_OF_ACTION, Action, Category, Outcome, Part

NOT_JUDGED = "not_judged"
NOTHING_FIRED = "nothing_fired"
# A policy found nothing in a revision whose predecessor a person had rejected.
EDITED_AFTER_REJECTION = "edited_after_rejection"


@dataclass(frozen=True, slots=True)
class PartRef:
    """One part that the verdict must rest on: the text, or one attachment."""

    key: str
    kind: Part


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one provider said of one part. `spans` are [start, end, category] in the text."""

    provider: str
    part: PartRef
    outcome: Outcome
    scores: Mapping[Category, float] = field(default_factory=dict)
    spans: Sequence[tuple[int, int, str]] = ()
    # Who judged the part in its place when it failed, "" for nobody.
    stood_in: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy concludes of one revision, and what led there.

    `category`, `score`, `threshold` and `provider` are None when no score decided.
    `not_judged` names the parts that nobody judged, or on which a provider failed. `holds` says
    whether the post is kept from readers while a person looks at it. `sampled` asks for a
    person's look at an allowed post.
    """

    action: Action
    rule: str
    category: Category | None = None
    score: float | None = None
    threshold: float | None = None
    provider: str | None = None
    part: str | None = None
    spans: tuple[tuple[int, int, str], ...] = ()
    not_judged: tuple[str, ...] = ()
    holds: bool = False
    sampled: bool = False


@dataclass(frozen=True, slots=True)
class _Hit:
    action: Action
    category: Category
    score: float
    threshold: float
    evidence: Evidence

    @property
    def weight(self) -> tuple[int, float]:
        return SEVERITY_OF_ACTION[self.action], self.score


def reach_verdict(
    *, policy: Policy, parts: Sequence[PartRef], evidence: Sequence[Evidence], sample_key: str
) -> Verdict:
    """Return the verdict on one revision.

    The severest rule that fires wins, then the higher score. A part that no provider judged, or
    that one of them failed on, makes the verdict at least `review`: a missing score is never a
    low one, and what one provider finds clean another may know. `sample_key` (any
    stable text, as the submission's id) decides sampling, so that a replay samples the same.
    """
    hits = [hit for item in evidence for hit in _hits(policy, item)]
    worst = max(hits, key=lambda hit: hit.weight, default=None)
    not_judged = _not_judged(parts, evidence)
    if not_judged and (worst is None or worst.action is not Action.BLOCK):
        return _resting_on(
            worst,
            action=Action.REVIEW,
            rule=NOT_JUDGED,
            not_judged=not_judged,
            holds=_holds_without_judgement(policy, worst),
        )
    if worst is None:
        return Verdict(
            action=Action.ALLOW,
            rule=NOTHING_FIRED,
            sampled=is_in_share(sample_key, policy.sampling_share),
        )
    return _resting_on(
        worst,
        action=worst.action,
        rule=f"{worst.category}.{worst.action}",
        not_judged=not_judged,
        holds=worst.action is Action.REVIEW and policy.review_visibility == "held",
    )


def asks_for(policy: Policy, evidence: Sequence[Evidence], action: Action) -> bool:
    """Whether a score asks for this action already, or for a severer one."""
    return any(
        SEVERITY_OF_ACTION[hit.action] >= SEVERITY_OF_ACTION[action]
        for item in evidence
        for hit in _hits(policy, item)
    )


def _hits(policy: Policy, item: Evidence) -> list[_Hit]:
    if item.outcome is not Outcome.JUDGED:
        return []
    hits = []
    for category, score in item.scores.items():
        reached = [
            (action, threshold)
            for action, threshold in policy.thresholds[category].items()
            if score >= threshold
        ]
        if reached:
            action, threshold = max(reached, key=lambda step: SEVERITY_OF_ACTION[step[0]])
            hits.append(_Hit(action, category, score, threshold, item))
    return hits


def _not_judged(parts: Sequence[PartRef], evidence: Sequence[Evidence]) -> tuple[str, ...]:
    judged = {item.part.key for item in evidence if item.outcome is Outcome.JUDGED}
    failed = {
        item.part.key for item in evidence if item.outcome is Outcome.FAILED and not item.stood_in
    }
    return tuple(part.key for part in parts if part.key not in judged - failed)


def _holds_without_judgement(policy: Policy, worst: _Hit | None) -> bool:
    if policy.on_failure == "hold":
        return True
    return (
        worst is not None and worst.action is Action.REVIEW and policy.review_visibility == "held"
    )


def _resting_on(
    hit: _Hit | None, *, action: Action, rule: str, not_judged: tuple[str, ...], holds: bool
) -> Verdict:
    if hit is None:
        return Verdict(action=action, rule=rule, not_judged=not_judged, holds=holds)
    return Verdict(
        action=action,
        rule=rule,
        category=hit.category,
        score=hit.score,
        threshold=hit.threshold,
        provider=hit.evidence.provider,
        part=hit.evidence.part.key,
        spans=tuple(span for span in hit.evidence.spans if span[2] == hit.category),
        not_judged=not_judged,
        holds=holds,
    )
