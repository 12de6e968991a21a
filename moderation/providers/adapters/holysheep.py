"""HolySheep, as the one published client speaks to it; the vendor has no reference.

That client calls a text safe whenever the service fails. This one never does: no answer is an
error, and a category without a score was not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from moderation.errors import ProviderMalformed, ProviderQuotaExhausted, ProviderRejected
from moderation.providers.base import Answer, AnyPart, Facts, Setting, TextPart
from moderation.providers.shared.service import (
    ServiceAdapter,
    kept,
    not_judged,
    raise_for_status,
    read_json,
    score,
)
from moderation.vocabulary import Category, Outcome, Part

CATEGORIES: Mapping[str, tuple[Category, float]] = {
    "hate_speech": (Category.HATE, 1.0),
    "violence": (Category.VIOLENCE, 1.0),
    "sexual_content": (Category.SEXUAL, 1.0),
    "self_harm": (Category.SELF_HARM, 1.0),
    "harassment": (Category.HARASSMENT, 1.0),
    "spam": (Category.SPAM, 1.0),
    "sensitive_topics": (Category.OTHER, 0.5),
}


class HolySheepAdapter(ServiceAdapter):
    facts: ClassVar[Facts] = Facts(
        label="HolySheep",
        parts=frozenset({Part.TEXT}),
        doc="holysheep",
        settings=(
            Setting("key", "API key", is_secret=True, required=True, env="HOLYSHEEP_API_KEY"),
            Setting("base_url", "Address", default="https://api.holysheep.ai/v1"),
        ),
        # A post of 100 tokens at the price below.
        cost_micros=42,
        price="0.42 US dollars per million tokens, by its own account.",
        concurrency=10,
        timeout_seconds=5.0,
    )

    def judge_one(self, part: AnyPart) -> Answer:
        if not isinstance(part, TextPart):
            raise ProviderRejected(f"{self.name} judges texts only.")
        reply = self.send(
            "POST",
            f"{self.option('base_url')}/moderation/text",
            headers={"Authorization": f"Bearer {self.secret('key')}"},
            json={
                "input": part.text,
                "categories": None,
                "metadata": {"content_id": part.fingerprint[:32]},
            },
        )
        if reply.status == 402:
            raise ProviderQuotaExhausted("The credit is used up.")
        raise_for_status(reply)
        found = read_json(reply)
        scores = _scores(found.get("categories"))
        if not scores:
            return not_judged("no_known_category", raw=kept(found))
        return Answer(Outcome.JUDGED, scores=scores, raw=kept(found))


def _scores(categories: object) -> dict[Category, float]:
    """Return what was scored. A name that is new to us, or has no score, says nothing."""
    if not isinstance(categories, list):
        raise ProviderMalformed("The answer has no list of categories.")
    scores: dict[Category, float] = {}
    for entry in categories:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise ProviderMalformed("A category has no name.")
        if entry["name"] in CATEGORIES and entry.get("score") is not None:
            category, weight = CATEGORIES[entry["name"]]
            scores[category] = max(
                scores.get(category, 0.0), round(weight * score(entry["score"]), 6)
            )
    return scores
