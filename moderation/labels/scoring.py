"""What our own model and the built-in policy say of texts, without a database or a community."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from moderation.asking import Question, ask
from moderation.asking.questions import Answered
from moderation.labels.lines import Line
from moderation.models.posts import TEXT_KEY
from moderation.policy.document import DEFAULT_DOCUMENT, Policy, parse_policy
from moderation.policy.verdict import PartRef, reach_verdict
from moderation.providers.base import TextPart
from moderation.vocabulary import Action, Category, Outcome, Part

# As many texts as the model gains from at once, and no more characters than memory should hold.
BATCH: Final = 256
_MOST_CHARS: Final = 1_000_000
_JUDGE = "local_text"


@dataclass(frozen=True, slots=True)
class ScoredLine:
    """A line with what was said of it, `action` None where the line was bad.

    A category that is absent from `scores` was not judged. A text of which nothing was judged
    says in `not_judged` in which language it is, or what the model failed with.
    """

    line: Line
    scores: Mapping[Category, float] = field(default_factory=dict)
    action: Action | None = None
    model: str = ""
    not_judged: Mapping[str, str] | None = None


def score_lines(lines: Iterable[Line], *, language: str = "") -> Iterator[list[ScoredLine]]:
    """Yield lines as they came, in batches, each with its scores and the verdict on it.

    They take the way of a post's text: the same questions to the same model, and the same judge.
    What rests on an instance's rows (its filters, its banks, what it took down) has no part in
    it, so that a file scores the same anywhere. `language` is the one that a community would
    expect, "" for none.
    """
    for batch in _batches(lines):
        asked = [
            Question(number, _policy(), TextPart(TEXT_KEY, line.text, language))
            for number, line in enumerate(batch)
            if not line.error
        ]
        answers = {answered.question.subject: answered for answered in ask(asked)}
        yield [
            ScoredLine(line) if line.error else _scored(line, answers.get(number))
            for number, line in enumerate(batch)
        ]


@cache
def _policy() -> Policy:
    """Return the built-in policy, which asks nobody but our model."""
    return parse_policy({**DEFAULT_DOCUMENT, "route": {"text": [_JUDGE]}})


def _batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    batch: list[Line] = []
    chars = 0
    for line in lines:
        batch.append(line)
        chars += len(line.text)
        if len(batch) == BATCH or chars >= _MOST_CHARS:
            yield batch
            batch, chars = [], 0
    if batch:
        yield batch


def _scored(line: Line, answered: Answered | None) -> ScoredLine:
    verdict = reach_verdict(
        policy=_policy(),
        parts=[PartRef(TEXT_KEY, Part.TEXT)],
        evidence=[answered.evidence()] if answered else [],
        sample_key=str(line.id),
    )
    return ScoredLine(
        line=line,
        scores=answered.answer.scores if answered else {},
        action=verdict.action,
        model=answered.model_version if answered else "",
        not_judged=_not_judged(answered),
    )


def _not_judged(answered: Answered | None) -> dict[str, str] | None:
    if answered is None:
        return {}
    answer = answered.answer
    if answer.outcome is Outcome.JUDGED:
        return None
    if answer.outcome is Outcome.FAILED:
        return {"error": answer.error}
    return {"language": str(answer.raw.get("language", ""))}
