"""Perspective's `comments:analyze`, and the discovery document that Google's client asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from moderation.sandbox.marks import scores_of
from moderation.sandbox.protocol import Desk, Reply, Request

MAX_BYTES = 20_480
PRODUCTION = {
    "TOXICITY": "toxic",
    "SEVERE_TOXICITY": "severe_toxic",
    "IDENTITY_ATTACK": "hate",
    "INSULT": "harassment",
    "PROFANITY": "profanity",
    "THREAT": "threat",
}
ENGLISH_ONLY = {
    **{f"{name}_EXPERIMENTAL": mark for name, mark in PRODUCTION.items()},
    "TOXICITY_FAST": "toxic",
    "SEXUALLY_EXPLICIT": "sexual",
    "FLIRTATION": "flirtation",
    "OBSCENE": "profanity",
    "SPAM": "spam",
    "INCOHERENT": "incoherent",
    "INFLAMMATORY": "inflammatory",
    "LIKELY_TO_REJECT": "likely_to_reject",
    "UNSUBSTANTIAL": "unsubstantial",
    "ATTACK_ON_AUTHOR": "attack_on_author",
    "ATTACK_ON_COMMENTER": "attack_on_commenter",
}
LANGUAGES = frozenset(
    {"ar", "cs", "de", "en", "es", "fr", "hi", "hi-Latn", "id", "it"}
    | {"ja", "ko", "nl", "pl", "pt", "ru", "sv", "zh"}
)
# The language that is detected in a text unless it says otherwise: `[[language=it]]`.
_SAYS_LANGUAGE = re.compile(r"\[\[language=([a-z]{2})\]\]")
_SENTENCE = re.compile(r"\S[^\n]*?(?:[.!?]+(?=\s)|(?=\n)|\Z)")
_ERROR = "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"


class PerspectiveService:
    prefix: ClassVar[str] = "perspective"

    def answer(self, request: Request, desk: Desk) -> Reply:
        if request.path.startswith("/$discovery/"):
            return Reply(body=_discovery(f"{desk.base_url}/{self.prefix}/"))
        # The version is part of the address that an account has, and not of the one printed.
        path = request.path.removeprefix("/v1alpha1")
        if (request.method, path) != ("POST", "/comments:analyze"):
            return self.failure(404, None)
        refused = _refused_key(request.first("key") or request.headers.get("x-goog-api-key", ""))
        if refused is not None:
            return refused
        try:
            asked = request.json()
            text, attributes = asked["comment"]["text"], list(asked["requestedAttributes"])
        except (ValueError, KeyError, TypeError):
            return _error(400, "Missing requested_attributes", "NO_REQUESTED_ATTRIBUTES")
        return _refused_comment(asked, text, attributes) or _analysed(asked, text, attributes)

    def failure(self, status: int, retry_after: str | None) -> Reply:
        if status == 429:
            return _quota()
        if status in (401, 403):
            return _error(status, "The caller does not have permission", reason="SERVICE_DISABLED")
        return _error(status, "The service is currently unavailable.")


def _refused_key(key: str) -> Reply | None:
    if not key:
        return _error(403, "The request is missing a valid API key.", reason="SERVICE_DISABLED")
    if key == "bad-key":
        return _error(
            400,
            "API key not valid. Please pass a valid API key.",
            reason="API_KEY_INVALID",
        )
    return None


def _refused_comment(
    asked: Mapping[str, Any], text: object, attributes: Sequence[str]
) -> Reply | None:
    if not isinstance(text, str) or not text.strip():
        return _error(400, "Comment must be non-empty.", "COMMENT_EMPTY")
    size = len(text.encode())
    if size > MAX_BYTES:
        message = f"Comment text was too many bytes. Value ({size}) exceeded limit ({MAX_BYTES})."
        return _error(400, message, "COMMENT_TOO_LONG")
    if asked["comment"].get("type", "PLAIN_TEXT") != "PLAIN_TEXT":
        return _error(400, "Currently, only 'PLAIN_TEXT' comments are supported")
    if not attributes:
        return _error(400, "Missing requested_attributes", "NO_REQUESTED_ATTRIBUTES")
    return _refused_attribute(_language(asked, text), attributes)


def _refused_attribute(language: str, attributes: Sequence[str]) -> Reply | None:
    for name in attributes:
        if name not in PRODUCTION and name not in ENGLISH_ONLY:
            return _error(400, f"Unknown requested attribute: {name}")
        if language not in LANGUAGES or (language != "en" and name in ENGLISH_ONLY):
            return _error(
                400,
                f"Attribute {name} does not support request languages: {language}",
                "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
                languageNotSupportedByAttributeError={
                    "detectedLanguages": [language],
                    "attribute": name,
                },
            )
    return None


def _language(asked: Mapping[str, Any], text: str) -> str:
    says = _SAYS_LANGUAGE.search(text)
    given = asked.get("languages") or [says[1] if says else "en"]
    return str(given[0])


def _analysed(asked: Mapping[str, Any], text: str, attributes: Sequence[str]) -> Reply:
    language = _language(asked, text)
    labels = {name: (PRODUCTION | ENGLISH_ONLY)[name] for name in attributes}
    pieces = list(_sentences(text)) if asked.get("spanAnnotations") else [(0, text)]
    judged = {
        name: {
            "spanScores": [
                {
                    "begin": begin,
                    "end": begin + _units(piece),
                    "score": _score(scores_of(piece, labels)[name]),
                }
                for begin, piece in pieces
            ],
            "summaryScore": _score(summary),
        }
        for name, summary in scores_of(text, labels).items()
    }
    found = {"attributeScores": judged, "languages": [language], "detectedLanguages": [language]}
    if "clientToken" in asked:
        found["clientToken"] = asked["clientToken"]
    return Reply(body=found)


def _score(value: float) -> dict[str, object]:
    return {"value": value, "type": "PROBABILITY"}


def _sentences(text: str) -> Iterator[tuple[int, str]]:
    """Yield the sentences of a text, each with where it begins in UTF-16 code units."""
    for found in _SENTENCE.finditer(text):
        yield _units(text[: found.start()]), found[0]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _quota() -> Reply:
    return _error(
        429,
        "Quota exceeded for quota metric 'Analysis requests (AnalyzeComment)' and limit "
        "'Analysis requests (AnalyzeComment) per minute' of service "
        "'commentanalyzer.googleapis.com' for consumer 'project_number:1'.",
        reason="RATE_LIMIT_EXCEEDED",
    )


_STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def _error(
    status: int,
    message: str,
    kind: str = "INVALID_REQUEST",
    *,
    reason: str = "",
    **more: object,
) -> Reply:
    """Return Google's envelope; the form of its `details` is not confirmed."""
    if reason:
        detail: dict[str, object] = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": "googleapis.com",
        }
    else:
        detail = {"@type": _ERROR, "errorType": kind, **more}
    error: dict[str, object] = {
        "code": status,
        "message": message,
        "status": _STATUS_NAMES.get(status, "UNKNOWN"),
    }
    if reason or status == 400:
        error["details"] = [detail]
    return Reply(status, {"error": error})


def _discovery(root_url: str) -> dict[str, object]:
    """Return what Google's client must know of the one method. The real document says more."""
    any_object = {"type": "object", "additionalProperties": {"type": "any"}}
    return {
        "kind": "discovery#restDescription",
        "discoveryVersion": "v1",
        "id": "commentanalyzer:v1alpha1",
        "name": "commentanalyzer",
        "version": "v1alpha1",
        "rootUrl": root_url,
        "servicePath": "",
        "batchPath": "batch",
        "protocol": "rest",
        "parameters": {"key": {"type": "string", "location": "query"}},
        "schemas": {
            "AnalyzeCommentRequest": {"id": "AnalyzeCommentRequest", **any_object},
            "AnalyzeCommentResponse": {"id": "AnalyzeCommentResponse", **any_object},
        },
        "resources": {
            "comments": {
                "methods": {
                    "analyze": {
                        "id": "commentanalyzer.comments.analyze",
                        "path": "v1alpha1/comments:analyze",
                        "flatPath": "v1alpha1/comments:analyze",
                        "httpMethod": "POST",
                        "parameters": {},
                        "parameterOrder": [],
                        "request": {"$ref": "AnalyzeCommentRequest"},
                        "response": {"$ref": "AnalyzeCommentResponse"},
                    }
                }
            }
        },
    }
