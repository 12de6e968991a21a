"""Azure AI Content Safety: texts with blocklists and prompt shields, and pictures.

Texts have severities 0 to 7, pictures 0, 2, 4 and 6.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any, ClassVar

from moderation.errors import ProviderMalformed, ProviderRejected
from moderation.providers.base import (
    Answer,
    AnyPart,
    Facts,
    ImagePart,
    Setting,
    Span,
    TextPart,
)
from moderation.providers.shared.pictures import read_fitting, stills_of
from moderation.providers.shared.scores import Weights, scores_by_category, worst_by_category
from moderation.providers.shared.service import ServiceAdapter, kept, raise_for_status, read_json
from moderation.vocabulary import Category, Outcome, Part

API_VERSION = "2024-09-01"
# What one call takes; longer texts are asked about in pieces.
MAX_CHARS = 10_000
# A phrase at a seam stands whole in one of the pieces.
_OVERLAP_CHARS = 200
MAX_PIECES = 10
MAX_IMAGE_BYTES = 4_000_000
_LEAST_SIDE, _MOST_SIDE = 50, 7_200

_TEXT_LEVELS, _IMAGE_LEVELS = 7, 6
_RECORD_CHARS = 1_000
_RECORD_MICROS, _IMAGE_MICROS = 380, 750

_LABELS = ("Hate", "SelfHarm", "Sexual", "Violence")
_WEIGHTS: Weights = {
    Category.HATE: {"Hate": 1.0},
    # Bullying is part of what Azure calls hate.
    Category.HARASSMENT: {"Hate": 0.7},
    Category.SELF_HARM: {"SelfHarm": 1.0},
    Category.SEXUAL: {"Sexual": 1.0},
    Category.VIOLENCE: {"Violence": 1.0},
    Category.WEAPONS: {"Violence": 0.3},
    Category.EXTREMISM: {"Violence": 0.3},
}
_YES_NO = ("no", "yes")


class AzureAdapter(ServiceAdapter):
    """Judges a text in one call and a picture in one for each frame."""

    facts: ClassVar[Facts] = Facts(
        label="Azure AI Content Safety",
        parts=frozenset({Part.TEXT, Part.IMAGE, Part.GIF}),
        doc="azure",
        settings=(
            Setting(
                "base_url",
                "Endpoint",
                help="Your resource's address: https://<resource>.cognitiveservices.azure.com",
                required=True,
                env="AZURE_CONTENT_SAFETY_ENDPOINT",
            ),
            Setting(
                "api_key", "Key", is_secret=True, required=True, env="AZURE_CONTENT_SAFETY_KEY"
            ),
            Setting(
                "blocklists",
                "Blocklists",
                help="Names, divided by commas. A hit counts as `other`, or as you say: "
                "`slurs=hate, shops=spam`.",
            ),
            Setting(
                "halt_on_blocklist_hit",
                "Stop at a blocklist's hit",
                help="The text is then judged by nothing else.",
                default="no",
                choices=_YES_NO,
            ),
            Setting(
                "shield_prompts",
                "Look for attacks on language models",
                help="A second call for each text; a hit counts as `other`.",
                default="no",
                choices=_YES_NO,
            ),
            Setting("api_version", "API version", default=API_VERSION),
        ),
        cost_micros=_RECORD_MICROS,
        price="0.38 USD per 1,000 records of 1,000 characters; pictures cost about twice as much.",
        max_chars=MAX_PIECES * (MAX_CHARS - _OVERLAP_CHARS),
        per_second=100.0,
    )

    @property
    def model_version(self) -> str:
        return f"azure-{self._version}"

    def judge_one(self, part: AnyPart) -> Answer:
        match part:
            case TextPart():
                return self._judge_text(part)
            case ImagePart():
                return self._judge_picture(part)
            case _:
                raise ProviderRejected(f"Azure judges no {part.kind}.")

    @property
    def _version(self) -> str:
        return self.option("api_version") or API_VERSION

    def _call(self, act: str, asked: Mapping[str, object]) -> dict[str, Any]:
        base = self.option("base_url").rstrip("/")
        reply = self.send(
            "POST",
            f"{base}/contentsafety/{act}?api-version={self._version}",
            headers={"Ocp-Apim-Subscription-Key": self.secret("api_key")},
            json=asked,
        )
        raise_for_status(reply)
        return read_json(reply)

    # --- texts ---------------------------------------------------------------------------------

    def _judge_text(self, part: TextPart) -> Answer:
        if len(part.text) > (self.facts.max_chars or 0):
            raise ProviderRejected("The text is too long.")
        lists = _blocklists(self.option("blocklists"))
        answers = [self._analyze(piece, lists) for piece in _pieces(part.text)]
        hits = [hit for answer in answers for hit in _hits(answer)]
        scores = worst_by_category([_scores_of_text(answer) for answer in answers])
        for hit in hits:
            scores[lists.get(hit["blocklistName"], Category.OTHER)] = 1.0
        raw: dict[str, object] = {"text": answers}
        if self.option("shield_prompts") == "yes":
            raw["shield"] = shields = [self._shield(piece) for piece in _pieces(part.text)]
            attacked = float(any(map(_is_attacked, shields)))
            scores[Category.OTHER] = max(scores.get(Category.OTHER, 0.0), attacked)
        return Answer(
            Outcome.JUDGED,
            scores=scores,
            spans=[span for hit in hits for span in _spans(part.text, hit, lists)],
            raw=kept(raw),
            model_version=self.model_version,
            cost_micros=len(raw) * ceil(len(part.text) / _RECORD_CHARS) * _RECORD_MICROS,
        )

    def _analyze(self, text: str, lists: Mapping[str, Category]) -> dict[str, Any]:
        asked: dict[str, object] = {"text": text, "outputType": "EightSeverityLevels"}
        if lists:
            asked["blocklistNames"] = list(lists)
            asked["haltOnBlocklistHit"] = self.option("halt_on_blocklist_hit") == "yes"
        return self._call("text:analyze", asked)

    def _shield(self, text: str) -> dict[str, Any]:
        return self._call("text:shieldPrompt", {"userPrompt": text, "documents": []})

    # --- pictures ------------------------------------------------------------------------------

    def _judge_picture(self, part: ImagePart) -> Answer:
        pictures = [
            read_fitting(
                path, max_bytes=MAX_IMAGE_BYTES, least_side=_LEAST_SIDE, most_side=_MOST_SIDE
            )
            for path in stills_of(part)
        ]
        answers = [
            self._call("image:analyze", {"image": {"content": b64encode(data).decode()}})
            for data in pictures
        ]
        found = [scores_by_category(_severities(one, _IMAGE_LEVELS), _WEIGHTS) for one in answers]
        return Answer(
            Outcome.JUDGED,
            scores=worst_by_category(found),
            raw=kept({"frames": answers}),
            model_version=self.model_version,
            cost_micros=len(answers) * _IMAGE_MICROS,
        )


def _pieces(text: str) -> Iterator[str]:
    yield text[:MAX_CHARS]
    for start in range(MAX_CHARS, len(text), MAX_CHARS - _OVERLAP_CHARS):
        yield text[start - _OVERLAP_CHARS : start - _OVERLAP_CHARS + MAX_CHARS]


def _blocklists(option: str) -> dict[str, Category]:
    """Return what a hit of each list counts as."""
    found: dict[str, Category] = {}
    for entry in filter(None, map(str.strip, option.split(","))):
        name, _, category = entry.partition("=")
        try:
            found[name.strip()] = Category(category.strip() or Category.OTHER)
        except ValueError:
            raise ProviderRejected("A blocklist counts as a category that there is not.") from None
    return found


# --- reading an answer -------------------------------------------------------------------------


def _scores_of_text(answer: Mapping[str, Any]) -> dict[Category, float]:
    if _hits(answer) and not answer.get("categoriesAnalysis"):
        # Halted at the hit: nothing else was judged.
        return {}
    return scores_by_category(_severities(answer, _TEXT_LEVELS), _WEIGHTS)


def _severities(answer: Mapping[str, Any], most: int) -> dict[str, float]:
    """Return each label's severity as a share of the highest."""
    found: dict[str, float] = {}
    for one in _objects(answer.get("categoriesAnalysis")):
        if one.get("category") in _LABELS and one.get("severity") is not None:
            found[one["category"]] = _level(one["severity"], most) / most
    if not found:
        raise ProviderMalformed("The answer tells no severity.")
    return found


def _level(value: object, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ProviderMalformed(f"A severity is no number from 0 to {most}.")
    return value


def _hits(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    hits = _objects(answer.get("blocklistsMatch") or [])
    if not all(isinstance(hit.get("blocklistName"), str) for hit in hits):
        raise ProviderMalformed("A blocklist's hit has no name.")
    return hits


def _spans(text: str, hit: Mapping[str, Any], lists: Mapping[str, Category]) -> Iterator[Span]:
    term = hit.get("blocklistItemText")
    if not isinstance(term, str) or not term:
        return
    category = lists.get(hit["blocklistName"], Category.OTHER)
    for found in re.finditer(re.escape(term), text, re.IGNORECASE):
        yield Span(found.start(), found.end(), category)


def _is_attacked(answer: Mapping[str, Any]) -> bool:
    analysis = answer.get("userPromptAnalysis")
    detected = analysis.get("attackDetected") if isinstance(analysis, dict) else None
    if not isinstance(detected, bool):
        raise ProviderMalformed("The shield does not say whether there is an attack.")
    return detected


def _objects(value: object) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ProviderMalformed("The answer holds no list of objects.")
    return value
