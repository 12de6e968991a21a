"""4 · Apply the policy: what was answered becomes the verdict on each revision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from moderation import queries, tracing
from moderation.pipeline.judging.evidence import evidence_of
from moderation.pipeline.judging.screen import Screened, Trial
from moderation.policy.verdict import Verdict, reach_verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """A claim with its verdict; `trial_verdict` is that of a policy which only looks on."""

    screened: Screened
    verdict: Verdict
    trial_verdict: Verdict | None = None

    @property
    def is_for_appeal(self) -> bool:
        return self.screened.claim.is_for_appeal


def judge(screened: Sequence[Screened]) -> list[Judged]:
    """Return the verdict on each screened claim, in order. Reads the policy, writes nothing."""
    with tracing.span("judge"):
        judged = [
            Judged(
                item, _verdict_on(item), _trial_verdict(item, item.trial) if item.trial else None
            )
            for item in screened
        ]
    if tracing.is_on():
        _tell_of(judged)
    return judged


def _tell_of(judged: Sequence[Judged]) -> None:
    for item in judged:
        verdict = item.verdict
        tracing.tell(
            about=(str(item.screened.claim.post.pk),),
            action=str(verdict.action),
            rule=verdict.rule,
            category=str(verdict.category or ""),
            not_judged=len(verdict.not_judged),
        )


def _verdict_on(item: Screened) -> Verdict:
    return reach_verdict(
        policy=queries.policy_of(item.policy_id),
        parts=item.parts,
        evidence=[evidence_of(row) for row in item.results if not row.shadow],
        sample_key=str(item.claim.submission.pk),
        braked=queries.braked_in(item.claim.post.community_id),
    )


def _trial_verdict(item: Screened, trial: Trial) -> Verdict:
    return reach_verdict(
        policy=queries.policy_of(trial.policy_id),
        parts=trial.parts,
        evidence=[evidence_of(row) for row in trial.results],
        sample_key=str(item.claim.submission.pk),
    )
