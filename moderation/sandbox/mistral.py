"""Mistral's `/v1/moderations` and `/v1/chat/moderations`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from moderation.sandbox.marks import scores_of
from moderation.sandbox.protocol import Desk, Reply, Request

_COMMON = {
    "sexual": "sexual",
    "hate_and_discrimination": "hate",
    "violence_and_threats": "violence",
    "selfharm": "self_harm",
    "health": "health",
    "financial": "financial",
    "law": "law",
    "pii": "personal_info",
}
LABELS_2411 = {**_COMMON, "dangerous_and_criminal_content": "illicit"}
LABELS_2603 = {**_COMMON, "dangerous": "dangerous", "criminal": "illicit", "jailbreaking": "other"}
MODELS = {
    "mistral-moderation-2603": LABELS_2603,
    "mistral-moderation-latest": LABELS_2603,
    "mistral-moderation-2411": LABELS_2411,
}
MAX_CHARS = 8_000 * 4
_FLAGGED_FROM = 0.5
_CHAT_KEYS = frozenset({"model", "input"})
# Status: type, code and message.
_FAILURES = {
    400: ("invalid_request_error", "3000", "Invalid request."),
    403: ("forbidden", None, "You may not use this model."),
    404: ("not_found", None, "no Route matched with those values"),
    429: ("rate_limited", "1300", "Requests rate limit exceeded"),
    503: ("unavailable", "3505", "Service unavailable."),
}


class _Invalid(Exception):
    """A request that is answered with 422; the place is that of what is wrong."""

    def __init__(self, kind: str, *place: str | int) -> None:
        super().__init__(kind)
        self.kind = kind
        self.place = place


class MistralService:
    """Answers the labels of the model that is asked for: 2411 has one where 2603 has two."""

    prefix: ClassVar[str] = "mistral"

    def answer(self, request: Request, desk: Desk) -> Reply:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            return Reply(401, {"detail": "Unauthorized"})
        if key == "bad-key":
            return self.failure(401, None)
        if request.method != "POST" or request.path not in ("/v1/moderations", _CHAT):
            return self.failure(404, None)
        try:
            model, texts = _read(request)
        except _Invalid as wrong:
            detail = {"type": wrong.kind, "loc": ["body", *wrong.place], "msg": str(wrong)}
            return Reply(422, {"detail": [detail]})
        if model not in MODELS:
            return _error(400, "invalid_model", "1500", f"Invalid model: {model}")
        if any(len(text) > MAX_CHARS for text in texts):
            return _error(400, "invalid_request_error", "3051", "Input is too long.")
        return Reply(200, _moderated(request.body, model, texts), {"X-RateLimit-Remaining": "59"})

    def failure(self, status: int, retry_after: str | None) -> Reply:
        kind, code, message = _FAILURES.get(status, ("unknown", None, f"Failed with {status}."))
        reply = _error(status, kind, code, message)
        if retry_after is None:
            return reply
        return Reply(status, reply.body, {"Retry-After": retry_after})


_CHAT = "/v1/chat/moderations"


def _read(request: Request) -> tuple[str, list[str]]:
    try:
        asked = request.json()
    except ValueError:
        raise _Invalid("json_invalid") from None
    if not isinstance(asked, dict):
        raise _Invalid("model_attributes_type")
    for key in ("model", "input"):
        if key not in asked:
            raise _Invalid("missing", key)
    if request.path == _CHAT:
        return asked["model"], _conversations(asked)
    return asked["model"], _texts(asked["input"])


def _texts(given: Any) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(one, str) for one in texts):
        raise _Invalid("string_type", "input")
    return texts


def _conversations(asked: Mapping[str, Any]) -> list[str]:
    """Return the last turn of each conversation: that one is judged."""
    unknown = sorted(asked.keys() - _CHAT_KEYS)
    if unknown:
        raise _Invalid("extra_forbidden", unknown[0])
    given = asked["input"]
    if not isinstance(given, list) or not given:
        raise _Invalid("list_type", "input")
    several = given if isinstance(given[0], list) else [given]
    return [_last_turn(conversation) for conversation in several]


def _last_turn(conversation: Sequence[Any]) -> str:
    match conversation:
        case [*_, {"role": str(), "content": str(content)}]:
            return content
        case _:
            raise _Invalid("missing", "input", 0, "content")


def _moderated(body: bytes, model: str, texts: Sequence[str]) -> Mapping[str, object]:
    tokens = sum(len(text) // 4 + 1 for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0}
    return {
        "id": hashlib.sha256(body).hexdigest()[:32],
        "model": model,
        "usage": {**usage, "request_count": len(texts)},
        "results": [_result(scores_of(text, MODELS[model])) for text in texts],
    }


def _result(scores: Mapping[str, float]) -> Mapping[str, object]:
    flags = {label: value >= _FLAGGED_FROM for label, value in scores.items()}
    return {"categories": flags, "category_scores": scores}


def _error(status: int, kind: str, code: str | None, message: str) -> Reply:
    return Reply(
        status, {"object": "error", "message": message, "type": kind, "param": None, "code": code}
    )
