"""What of a service's answer may be believed and kept, whatever it sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from typing import Any, cast

from moderation.providers.base import Answer
from moderation.vocabulary import Outcome

# As much as the columns hold.
LONGEST_JOB_ID = 300
LONGEST_VERSION, LONGEST_ERROR = 100, 200
# What one part cannot cost: a thousand dollars.
MOST_COST_MICROS = 1_000_000_000


def sound(answer: Answer) -> Answer:
    """Return an answer that a verdict may rest on and every database keeps: a judgement without
    proper scores has failed.

    A score that is no number compares as low with every threshold, and none at all fires nothing.
    """
    answer = replace(
        answer,
        raw=_storable_raw(answer.raw),
        text=_storable(answer.text),
        model_version=_storable(answer.model_version)[:LONGEST_VERSION],
        error=_storable(answer.error)[:LONGEST_ERROR],
        spans=[span for span in answer.spans if 0 <= span.start < span.end],
        regions=[_storable(box) for box in answer.regions if all(map(isfinite, box[:4]))],
        cost_micros=answer.cost_micros if 0 <= answer.cost_micros <= MOST_COST_MICROS else 0,
    )
    scores = answer.scores.values()
    if answer.outcome is Outcome.JUDGED and not (
        scores and all(0.0 <= score <= 1.0 for score in scores)
    ):
        return replace(answer, outcome=Outcome.FAILED, scores={}, error="unsound_scores")
    return answer


def is_storable(text: str) -> bool:
    """Whether every database keeps this text as it is."""
    return bool(_storable(text) == text)


def begun(answer: Answer) -> Answer:
    """Return an answer that, if it is still to come, can be asked after."""
    job = answer.job
    if answer.outcome is not Outcome.PENDING or (
        job is not None and 0 < len(job.id) <= LONGEST_JOB_ID and is_storable(job.id)
    ):
        return answer
    return replace(answer, outcome=Outcome.FAILED, error="unsound_job", job=None)


def _storable_raw(raw: Mapping[str, object]) -> Mapping[str, object]:
    try:
        return cast(Mapping[str, object], _storable(raw))
    except RecursionError:
        # Evidence that nobody could read either.
        return {}


def _storable(value: Any) -> Any:
    """Return JSON that every database keeps: no NUL, half of a pair or number that is none."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {_storable(str(name)): _storable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(one) for one in value]
    return value
