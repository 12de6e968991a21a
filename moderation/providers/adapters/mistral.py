"""Mistral's moderation endpoint: texts by the array."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from moderation.errors import ProviderMalformed, ProviderRejected
from moderation.providers.base import Answer, AnyPart, Facts, Setting, TextPart
from moderation.providers.shared.moderations import Labels, results_of, scores_in
from moderation.providers.shared.service import ServiceAdapter, kept, raise_for_status, read_json
from moderation.vocabulary import Category, Outcome, Part

DEFAULT_URL = "https://api.mistral.ai"
DEFAULT_MODEL = "mistral-moderation-2603"

# The model of 2411 has one label where that of 2603 has two, and knows nothing of jailbreaking.
# Health, finance and law are no violation of ours: they stay in the answer as it is kept.
_LABELS: Labels = (
    (Category.SEXUAL, {"sexual": 1}),
    (Category.HATE, {"hate_and_discrimination": 1}),
    (Category.HARASSMENT, {"hate_and_discrimination": 0.5}),
    (Category.VIOLENCE, {"violence_and_threats": 1}),
    (Category.THREAT, {"violence_and_threats": 0.7}),
    (Category.ILLICIT, {"dangerous": 0.7, "criminal": 1}),
    (Category.ILLICIT, {"dangerous_and_criminal_content": 1}),
    (Category.SELF_HARM, {"selfharm": 1}),
    (Category.PERSONAL_INFO, {"pii": 1}),
    (Category.OTHER, {"jailbreaking": 0.7}),
)


class MistralAdapter(ServiceAdapter):
    facts: ClassVar[Facts] = Facts(
        label="Mistral",
        parts=frozenset({Part.TEXT}),
        doc="mistral",
        settings=(
            Setting("api_key", "API key", is_secret=True, required=True, env="MISTRAL_API_KEY"),
            Setting(
                "model",
                "Model",
                default=DEFAULT_MODEL,
                choices=(DEFAULT_MODEL, "mistral-moderation-latest", "mistral-moderation-2411"),
            ),
            Setting(
                "base_url",
                "Address",
                help="https://api.eu.mistral.ai and https://api.us.mistral.ai stay in a region.",
                default=DEFAULT_URL,
            ),
        ),
        batch_size=32,
        price="By the token, as Mistral's price list says.",
    )

    @property
    def model_version(self) -> str:
        return self.option("model") or DEFAULT_MODEL

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        answer = self._ask([_text(part) for part in parts])
        results = results_of(answer, len(parts))
        return [self._answer(answer, result) for result in results]

    def judge_one(self, part: AnyPart) -> Answer:
        return self.judge([part])[0]

    def _ask(self, texts: Sequence[str]) -> Mapping[str, Any]:
        reply = self.send(
            "POST",
            f"{(self.option('base_url') or DEFAULT_URL).rstrip('/')}/v1/moderations",
            headers={"Authorization": f"Bearer {self.secret('api_key')}"},
            json={"model": self.model_version, "input": texts},
        )
        raise_for_status(reply)
        if reply.status != 200:
            raise ProviderMalformed(f"Answered with {reply.status}.")
        return read_json(reply)

    def _answer(self, answer: Mapping[str, Any], result: Mapping[str, Any]) -> Answer:
        model = answer.get("model")
        return Answer(
            Outcome.JUDGED,
            scores=scores_in(result, _LABELS),
            raw=kept({"id": answer.get("id"), "model": model, "result": result}),
            model_version=model if isinstance(model, str) else self.model_version,
        )


def _text(part: AnyPart) -> str:
    if not isinstance(part, TextPart):
        raise ProviderRejected(f"Mistral judges no {part.kind}.")
    return part.text
