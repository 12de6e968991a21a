"""Google Cloud Natural Language: `moderateText`, one text a call.

Google finds out itself which language a text is in: what a community expects, its posts need not
be written in.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, ClassVar

from moderation.errors import ProviderMalformed, ProviderRejected
from moderation.providers.base import Answer, AnyPart, Facts, Setting, TextPart
from moderation.providers.shared.google_auth import GOOGLE_SETTINGS, GoogleAdapter
from moderation.providers.shared.scores import Weights, scores_by_category
from moderation.providers.shared.service import kept, not_judged, score
from moderation.vocabulary import Category, Outcome, Part

BASE_URL = "https://language.googleapis.com"
# Google reads 100,000 tokens and ignores the rest; a token has at least one character.
MAX_CHARS = 100_000
_UNIT_CHARS, _UNIT_MICROS = 100, 500
_MODEL = "MODEL_VERSION_2"

# Labels that only name a topic (Health, Politics, Legal, …) are evidence, never a score.
_WEIGHTS: Weights = {
    Category.TOXIC: {"Toxic": 1.0},
    Category.HARASSMENT: {"Insult": 1.0, "Toxic": 0.8},
    Category.PROFANITY: {"Profanity": 1.0},
    Category.HATE: {"Derogatory": 1.0},
    Category.SEXUAL: {"Sexual": 1.0},
    Category.VIOLENCE: {
        "Violent": 1.0,
        "Death, Harm & Tragedy": 0.4,
        "War & Conflict": 0.3,
    },
    Category.SELF_HARM: {"Death, Harm & Tragedy": 0.3},
    Category.WEAPONS: {"Firearms & Weapons": 0.7},
    Category.DRUGS: {"Illicit Drugs": 0.8},
}


class GoogleLanguageAdapter(GoogleAdapter):
    facts: ClassVar[Facts] = Facts(
        label="Google Cloud Natural Language",
        parts=frozenset({Part.TEXT}),
        doc="google_language",
        settings=(*GOOGLE_SETTINGS, Setting("base_url", "Address", default=BASE_URL)),
        cost_micros=_UNIT_MICROS,
        price="0.0005 USD per 100 characters after 50,000 times 100 characters a month.",
        languages=frozenset(
            {"ar", "de", "en", "es", "fr", "hi", "id", "it", "ja", "ko", "nl", "pt", "ru", "zh"}
        ),
        max_chars=MAX_CHARS,
        per_second=10.0,
    )

    @property
    def model_version(self) -> str:
        return f"google-language-v2-{_MODEL.lower()}"

    def judge_one(self, part: AnyPart) -> Answer:
        if not isinstance(part, TextPart):
            raise ProviderRejected(f"Google Natural Language judges no {part.kind}.")
        if len(part.text) > MAX_CHARS:
            raise ProviderRejected("The text is too long.")
        if part.language and part.language not in (self.facts.languages or ()):
            return not_judged("language")
        base = (self.option("base_url") or BASE_URL).rstrip("/")
        answer = self.call(
            "POST",
            f"{base}/v2/documents:moderateText",
            json={
                "document": {"type": "PLAIN_TEXT", "content": part.text},
                "modelVersion": _MODEL,
            },
        )
        return self._read(answer, cost_micros=ceil(len(part.text) / _UNIT_CHARS) * _UNIT_MICROS)

    def _read(self, answer: Mapping[str, Any], *, cost_micros: int) -> Answer:
        found = _confidences(answer)
        # Google leaves out what is false: a language is supported only where it says so.
        is_supported = answer.get("languageSupported") is True
        return Answer(
            Outcome.JUDGED if is_supported else Outcome.NOT_JUDGED,
            scores=scores_by_category(found, _WEIGHTS) if is_supported else {},
            error="" if is_supported else "language",
            raw=kept(answer),
            model_version=self.model_version,
            cost_micros=cost_micros,
        )


def _confidences(answer: Mapping[str, Any]) -> dict[str, float]:
    categories = answer.get("moderationCategories")
    if not isinstance(categories, list) or not categories:
        raise ProviderMalformed("The answer has no categories.")
    found: dict[str, float] = {}
    for one in categories:
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise ProviderMalformed("A category has no name.")
        if one.get("confidence") is not None:
            found[one["name"]] = score(one["confidence"])
    return found
