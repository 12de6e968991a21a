"""Perspective, Jigsaw's toxicity scores. It ends on 31 December 2026.

Which attributes know which language is not documented in one place, and one that does not know a
text's language fails the whole call. So a refusal over language is answered by asking once more
for the attributes that know every language.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, ClassVar
from urllib.parse import quote

from moderation.errors import ProviderAuthFailed, ProviderMalformed, ProviderRejected
from moderation.outbound import Reply
from moderation.providers.base import Answer, AnyPart, Facts, Setting, Span, TextPart
from moderation.providers.shared.service import (
    ServiceAdapter,
    kept,
    not_judged,
    raise_for_status,
    read_json,
    score,
)
from moderation.vocabulary import Category, Outcome, Part

MAX_BYTES = 20_480
DEFAULT_ATTRIBUTES = "TOXICITY,SEVERE_TOXICITY,IDENTITY_ATTACK,INSULT,PROFANITY,THREAT"

# Attributes without an entry are asked for when an operator wants them, and kept as evidence.
CATEGORIES: Mapping[str, Mapping[Category, float]] = {
    "TOXICITY": {Category.TOXIC: 1.0},
    "SEVERE_TOXICITY": {Category.SEVERE_TOXIC: 1.0},
    "IDENTITY_ATTACK": {Category.HATE: 1.0},
    "INSULT": {Category.HARASSMENT: 0.8},
    "PROFANITY": {Category.PROFANITY: 1.0},
    "OBSCENE": {Category.PROFANITY: 1.0},
    "THREAT": {Category.THREAT: 1.0, Category.VIOLENCE: 0.5},
    "SEXUALLY_EXPLICIT": {Category.SEXUAL: 1.0},
    "SPAM": {Category.SPAM: 1.0},
}
# The production attributes; all others are English only.
_IN_EVERY_LANGUAGE = frozenset(DEFAULT_ATTRIBUTES.split(","))
_LANGUAGE_ERRORS = frozenset(
    {"LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE", "LANGUAGE_DETECTION_FAILED", "LANGUAGE_NOT_SUPPORTED"}
)
# The form of an error's details is not confirmed; its message is.
_LANGUAGE_MESSAGES = ("does not support request languages", "Unable to detect language")
_BAD_KEY = "API_KEY_INVALID"
# From here on a score may lead to an action, so people want to see what drove it.
_EXPLAINED_FROM = 0.5
_MAX_SPANS = 40


class PerspectiveAdapter(ServiceAdapter):
    facts: ClassVar[Facts] = Facts(
        label="Perspective (ends on 31 December 2026)",
        parts=frozenset({Part.TEXT}),
        doc="perspective",
        settings=(
            Setting("key", "API key", is_secret=True, required=True, env="PERSPECTIVE_API_KEY"),
            Setting(
                "attributes",
                "Attributes",
                help="What to ask for, separated by commas.",
                default=DEFAULT_ATTRIBUTES,
            ),
            Setting(
                "base_url",
                "Address",
                help="A service that speaks the same protocol may stand here.",
                default="https://commentanalyzer.googleapis.com/v1alpha1",
            ),
        ),
        price="Free.",
        # Swedish is not confirmed: refused, it is not judged.
        languages=frozenset(
            {"ar", "cs", "de", "en", "es", "fr", "hi", "id", "it"}
            | {"ja", "ko", "nl", "pl", "pt", "ru", "sv", "zh"}
        ),
        max_bytes=MAX_BYTES,
        per_second=1.0,
        concurrency=4,
        ends_on=date(2026, 12, 31),
    )

    @property
    def model_version(self) -> str:
        wanted = ",".join(sorted(self._attributes()))
        return f"{self.name}-{self.revision}:{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"

    def judge_one(self, part: AnyPart) -> Answer:
        if not isinstance(part, TextPart):
            raise ProviderRejected(f"{self.name} judges texts only.")
        if part.language and part.language not in (self.facts.languages or ()):
            return not_judged("language")
        if len(part.text.encode()) > MAX_BYTES:
            raise ProviderRejected(f"The text is longer than {MAX_BYTES} bytes.")
        attributes = self._attributes()
        if part.language not in ("", "en"):
            attributes = [name for name in attributes if name in _IN_EVERY_LANGUAGE]
        return self._judge(part, attributes)

    def _attributes(self) -> list[str]:
        given = self.option("attributes") or DEFAULT_ATTRIBUTES
        return [name for name in given.upper().replace(" ", "").split(",") if name]

    def _judge(self, part: TextPart, attributes: Sequence[str]) -> Answer:
        if not attributes:
            return not_judged("language")
        reply = self._ask(part, attributes)
        if _is_about_language(reply):
            fewer = [name for name in attributes if name in _IN_EVERY_LANGUAGE]
            return not_judged("language") if fewer == attributes else self._judge(part, fewer)
        raise_for_status(reply)
        return _read(reply, part, attributes)

    def _ask(self, part: TextPart, attributes: Sequence[str]) -> Reply:
        question: dict[str, object] = {
            "comment": {"text": part.text, "type": "PLAIN_TEXT"},
            "requestedAttributes": {name: {} for name in attributes},
            "doNotStore": True,
            "spanAnnotations": True,
            "clientToken": _token(part),
        }
        if part.language:
            question["languages"] = [part.language]
        # The key goes into the address because only that is documented.
        key = quote(self.secret("key"), safe="")
        reply = self.send(
            "POST", f"{self.option('base_url')}/comments:analyze?key={key}", json=question
        )
        if reply.status == 400 and _BAD_KEY.encode() in reply.content:
            raise ProviderAuthFailed("The key is not valid.")
        return reply


def _token(part: TextPart) -> str:
    return part.fingerprint[:32]


def _is_about_language(reply: Reply) -> bool:
    if reply.status != 400:
        return False
    error = read_json(reply).get("error")
    if not isinstance(error, dict):
        return False
    details = error.get("details")
    kinds = {
        detail.get("errorType")
        for detail in (details if isinstance(details, list) else ())
        if isinstance(detail, dict)
    }
    message = str(error.get("message", ""))
    return bool(kinds & _LANGUAGE_ERRORS) or any(said in message for said in _LANGUAGE_MESSAGES)


def _read(reply: Reply, part: TextPart, attributes: Sequence[str]) -> Answer:
    found = read_json(reply)
    judged = found.get("attributeScores")
    if not isinstance(judged, dict):
        raise ProviderMalformed("The answer has no attributeScores.")
    if found.get("clientToken", _token(part)) != _token(part):
        raise ProviderMalformed("The answer is to another question.")
    scores: dict[Category, float] = {}
    spans: list[Span] = []
    places = _places(part.text)
    for name in attributes:
        attribute = _mapping(judged.get(name, {}))
        if "summaryScore" in attribute:
            value = score(_mapping(attribute["summaryScore"]).get("value"))
            for category, weight in _categories(name).items():
                scores[category] = max(scores.get(category, 0.0), round(weight * value, 6))
            spans.extend(_spans(name, attribute, places))
    if not scores:
        return not_judged("no_known_attribute", raw=kept(found))
    return Answer(Outcome.JUDGED, scores=scores, spans=spans[:_MAX_SPANS], raw=kept(found))


def _categories(name: str) -> Mapping[Category, float]:
    return CATEGORIES.get(name.removesuffix("_EXPERIMENTAL"), {})


def _spans(name: str, attribute: Mapping[str, Any], places: Sequence[int]) -> Iterator[Span]:
    """Yield the stretches that drove a score, in the main category of their attribute."""
    category = next(iter(_categories(name)), None)
    stretches = attribute.get("spanScores", [])
    if category is None or not isinstance(stretches, list):
        return
    for stretch in map(_mapping, stretches):
        value = score(_mapping(stretch.get("score")).get("value"))
        begin, end = stretch.get("begin", 0), stretch.get("end")
        if not (isinstance(begin, int) and isinstance(end, int) and 0 <= begin < end):
            raise ProviderMalformed("A stretch of text has no proper place.")
        if value >= _EXPLAINED_FROM and end < len(places):
            yield Span(places[begin], places[end], category)


def _places(text: str) -> list[int]:
    """Return the character at every offset in UTF-16 code units, as the service counts."""
    places = [place for place, char in enumerate(text) for _ in range(1 + (char > "\uffff"))]
    return [*places, len(text)]


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ProviderMalformed("The answer lacks an object where one belongs.")
    return value
