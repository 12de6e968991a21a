"""Google Cloud Natural Language, `moderateText` only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from moderation.sandbox.google_token import google_error, google_failure, refusal
from moderation.sandbox.marks import scores_of
from moderation.sandbox.protocol import Desk, Reply, Request

MAX_BYTES = 1_000_000
LABELS = {
    "Toxic": "toxic",
    "Insult": "harassment",
    "Profanity": "profanity",
    "Derogatory": "hate",
    "Sexual": "sexual",
    "Death, Harm & Tragedy": "self_harm",
    "Violent": "violence",
    "Firearms & Weapons": "weapons",
    "Public Safety": "public_safety",
    "Health": "health",
    "Religion & Belief": "religion",
    "Illicit Drugs": "drugs",
    "War & Conflict": "war",
    "Finance": "finance",
    "Politics": "politics",
    "Legal": "legal",
}
LANGUAGES = frozenset(
    ["ar", "de", "en", "es", "fr", "hi", "id", "it", "ja", "ko", "nl", "pt", "ru", "zh"]
)
# The language that a text is in unless it says otherwise: `[[language=sv]]`.
_SAYS_LANGUAGE = re.compile(r"\[\[language=([a-z]{2})\]\]")
_PLAIN, _HTML = (1, "PLAIN_TEXT"), (2, "HTML")
_MODELS = (None, 0, 1, 2, "MODEL_VERSION_UNSPECIFIED", "MODEL_VERSION_1", "MODEL_VERSION_2")
_WITH_SEVERITY = (2, "MODEL_VERSION_2")


class GoogleLanguageService:
    """Both versions of the method; the answer is that of version 2."""

    prefix: ClassVar[str] = "google_language"

    def answer(self, request: Request, desk: Desk) -> Reply:
        if not re.fullmatch(r"/?v[12]/documents:moderateText", request.path):
            return google_error(404, "There is no such method.")
        refused = refusal(request)
        if refused is not None:
            return refused
        try:
            asked = request.json()
            text, language, model = _read(asked)
        except (ValueError, KeyError, TypeError, AttributeError):
            return google_error(400, "Invalid JSON payload received.")
        if not text:
            return google_error(400, "The document is empty.")
        if len(text.encode()) > MAX_BYTES:
            return google_error(400, f"The document is longer than {MAX_BYTES} bytes.")
        if asked["document"].get("type") not in (*_PLAIN, *_HTML) or model not in _MODELS:
            return google_error(400, "The type or the model is not known.")
        return Reply(body=_moderated(text, language, with_severity=model in _WITH_SEVERITY))

    def failure(self, status: int, retry_after: str | None) -> Reply:
        return google_failure(status, retry_after)


def _read(asked: Mapping[str, Any]) -> tuple[str, str, object]:
    document = asked["document"]
    text = document["content"]
    if not isinstance(text, str):
        raise TypeError("The content is no text.")
    says = _SAYS_LANGUAGE.search(text)
    language = document.get("languageCode") or (says[1] if says else "en")
    return text, str(language), asked.get("modelVersion")


def _moderated(text: str, language: str, *, with_severity: bool) -> dict[str, object]:
    categories: list[dict[str, object]] = []
    for name, confidence in scores_of(text, LABELS).items():
        category: dict[str, object] = {"name": name, "confidence": confidence}
        if with_severity:
            category["severity"] = round(confidence / 2, 6)
        categories.append(category)
    return {
        "moderationCategories": categories,
        "languageCode": language,
        "languageSupported": language in LANGUAGES,
    }
