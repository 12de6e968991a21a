"""4 · Apply the policy: what was answered becomes the verdict on each revision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moderation import queries
from moderation.models import ProviderResult
from moderation.pipeline.screen import Screened
from moderation.policy.verdict import Evidence, PartRef, Verdict, reach_verdict
from moderation.vocabulary import Category, Outcome, Part


@dataclass(frozen=True, slots=True)
class Judged:
    screened: Screened
    verdict: Verdict


def judge(screened: Sequence[Screened]) -> list[Judged]:
    """Return the verdict on each screened claim, in order. Reads the policy, writes nothing."""
    return [Judged(item, _verdict_on(item)) for item in screened]


def _verdict_on(item: Screened) -> Verdict:
    return reach_verdict(
        policy=queries.policy_of(item.policy_id),
        parts=item.parts,
        evidence=[evidence_of(row) for row in item.results],
        sample_key=str(item.claim.submission.pk),
    )


def evidence_of(row: ProviderResult) -> Evidence:
    """Return a kept answer as the policy reads it; so a replay reads what the judge read."""
    return Evidence(
        provider=row.provider,
        part=PartRef(row.part_key, Part(row.part_kind)),
        outcome=Outcome(row.outcome),
        scores={Category(name): score for name, score in row.scores.items()},
        spans=[(start, end, category) for start, end, category in row.spans],
    )
