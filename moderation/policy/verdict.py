"""Evidence in, verdict out. Pure: no clock, no database, no network, so it can replay history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from moderation.policy.brake import NOT_BRAKED, Braked
from moderation.policy.document import Policy
from moderation.policy.route import is_in_share
from moderation.vocabulary import SEVERITY_OF_ACTION, Action, Category, Outcome, Part

NOT_JUDGED = "not_judged"
NOTHING_FIRED = "nothing_fired"
# A policy found nothing in a revision whose predecessor a person had rejected.
EDITED_AFTER_REJECTION = "edited_after_rejection"
# Ends the name of a rule that would have blocked, while its brake makes it ask a person.
BRAKED = "braked"
# It is known again by what may have been banked by mistake.
IN_DOUBT = "in_doubt"


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
    # What it would be by an entry of a bank that is in doubt; then only a person can tell.
    in_doubt: Category | None = None


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
    # Its block only asks a person while the brake is pulled.
    braked: bool = False

    @property
    def rule(self) -> str:
        return f"{self.category}.{BRAKED if self.braked else self.action}"

    @property
    def weight(self) -> tuple[int, float]:
        return SEVERITY_OF_ACTION[self.action], self.score


def reach_verdict(
    *,
    policy: Policy,
    parts: Sequence[PartRef],
    evidence: Sequence[Evidence],
    sample_key: str,
    braked: Braked = NOT_BRAKED,
) -> Verdict:
    """Return the verdict on one revision.

    The severest rule that fires wins, then the higher score. A part that no provider judged, or
    that one of them failed on, makes the verdict at least `review`: a missing score is never a
    low one, and what one provider finds clean another may know. `sample_key` (any
    stable text, as the submission's id) decides sampling, so that a replay samples the same.
    What is `braked` keeps a post from readers until a person has looked, instead of blocking it.
    """
    hits = [_brake(hit, braked) for item in evidence for hit in _hits(policy, item)]
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
    doubted = next((item for item in evidence if item.in_doubt is not None), None)
    if doubted is not None and (worst is None or not _asks_for_a_person(worst)):
        return Verdict(
            action=Action.REVIEW,
            rule=IN_DOUBT,
            category=doubted.in_doubt,
            provider=doubted.provider,
            part=doubted.part.key,
            holds=policy.review_visibility == "held",
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
        rule=worst.rule,
        not_judged=not_judged,
        holds=worst.braked
        or (worst.action is Action.REVIEW and policy.review_visibility == "held"),
    )


def asks_for(policy: Policy, evidence: Sequence[Evidence], action: Action) -> bool:
    """Whether a score asks for this action already, or for a severer one."""
    return any(
        SEVERITY_OF_ACTION[hit.action] >= SEVERITY_OF_ACTION[action]
        for item in evidence
        for hit in _hits(policy, item)
    )


def _asks_for_a_person(hit: _Hit) -> bool:
    return SEVERITY_OF_ACTION[hit.action] >= SEVERITY_OF_ACTION[Action.REVIEW]


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


def _brake(hit: _Hit, braked: Braked) -> _Hit:
    if hit.action is not Action.BLOCK or not braked.holds(hit.rule, hit.evidence.provider):
        return hit
    return replace(hit, action=Action.REVIEW, braked=True)


def _not_judged(parts: Sequence[PartRef], evidence: Sequence[Evidence]) -> tuple[str, ...]:
    judged = {item.part.key for item in evidence if item.outcome is Outcome.JUDGED}
    failed = {
        item.part.key for item in evidence if item.outcome is Outcome.FAILED and not item.stood_in
    }
    return tuple(part.key for part in parts if part.key not in judged - failed)


def _holds_without_judgement(policy: Policy, worst: _Hit | None) -> bool:
    if policy.on_failure == "hold" or (worst is not None and worst.braked):
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
