"""What the provider says of examples, and what the built-in policy makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from moderation.policy.document import DEFAULT_DOCUMENT, Policy, parse_policy
from moderation.policy.verdict import Evidence, PartRef, reach_verdict
from moderation.providers.base import Answer, Provider, TextPart
from moderation.providers.own.local_text.evaluation.metrics import Bools, Floats
from moderation.providers.own.local_text.evaluation.sets import Example
from moderation.vocabulary import SEVERITY_OF_ACTION, Action, Category, Outcome, Part

CATEGORIES = tuple(Category)
_BATCH = 256
_TEXT = PartRef("text", Part.TEXT)


@dataclass(frozen=True, slots=True)
class Answers:
    """Scores (examples, categories), NaN where a category was not judged, and actions.

    `detected` is the language that the provider read in each text.
    """

    examples: Sequence[Example]
    scores: Floats
    actions: Sequence[Action]
    detected: Sequence[str]
    model: str

    @property
    def judged(self) -> Bools:
        return np.asarray(~np.isnan(self.scores).all(axis=1), dtype=np.bool_)

    @property
    def worst(self) -> Floats:
        """The highest score of each text in any category, NaN where nothing was judged."""
        highest = np.where(np.isnan(self.scores), -1.0, self.scores).max(axis=1)
        return np.where(highest < 0, np.nan, highest)

    def at_least(self, action: Action) -> Bools:
        wanted = SEVERITY_OF_ACTION[action]
        return np.array([SEVERITY_OF_ACTION[one] >= wanted for one in self.actions], dtype=np.bool_)


def answer(provider: Provider, examples: Sequence[Example]) -> Answers:
    """Ask a provider about every example. No language is expected."""
    policy = parse_policy({**DEFAULT_DOCUMENT, "route": {"text": [provider.name]}})
    said = list(_judged(provider, examples))
    scores = np.full((len(examples), len(CATEGORIES)), np.nan)
    for row, one in enumerate(said):
        if one.outcome is Outcome.JUDGED:
            for category, score in one.scores.items():
                scores[row, CATEGORIES.index(category)] = score
    return Answers(
        examples=examples,
        scores=scores,
        actions=[_action(policy, provider.name, one) for one in said],
        detected=[str(one.raw.get("language", "")) for one in said],
        model=provider.model_version,
    )


def _judged(provider: Provider, examples: Sequence[Example]) -> Iterator[Answer]:
    for at in range(0, len(examples), _BATCH):
        yield from provider.judge(
            [TextPart("text", one.text) for one in examples[at : at + _BATCH]]
        )


def _action(policy: Policy, name: str, said: Answer) -> Action:
    evidence = Evidence(name, _TEXT, said.outcome, said.scores)
    verdict = reach_verdict(policy=policy, parts=[_TEXT], evidence=[evidence], sample_key="")
    return verdict.action
