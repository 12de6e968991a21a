"""OpenAI's `/v1/moderations`: a text, an array of texts, or one array of parts.

Besides `bad-key`, the key `spent-key` is refused as one whose credit is used up.
"""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from moderation.sandbox.marks import scores_of
from moderation.sandbox.protocol import Desk, Reply, Request

LABELS = {
    "harassment": "harassment",
    "harassment/threatening": "threat",
    "hate": "hate",
    "hate/threatening": "hate/threatening",
    "illicit": "illicit",
    "illicit/violent": "weapons",
    "self-harm": "self_harm",
    "self-harm/intent": "self-harm/intent",
    "self-harm/instructions": "self-harm/instructions",
    "sexual": "sexual",
    "sexual/minors": "sexual_minors",
    "violence": "violence",
    "violence/graphic": "graphic",
}
SEEN_IN_IMAGES = frozenset(
    {
        "self-harm",
        "self-harm/intent",
        "self-harm/instructions",
        "sexual",
        "violence",
        "violence/graphic",
    }
)
OMNI_MODELS = ("omni-moderation-latest", "omni-moderation-2024-09-26")
TEXT_MODELS = ("text-moderation-latest", "text-moderation-stable")
_FLAGGED_FROM = 0.5
_INVALID = "invalid_request_error"
# Status: type, code and message.
_FAILURES = {
    401: (_INVALID, "invalid_api_key", "Incorrect API key provided: sk-***."),
    403: (_INVALID, "unsupported_country_region_territory", "Country not supported."),
    404: (_INVALID, "model_not_found", "The model does not exist or you may not use it."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests."),
    500: ("server_error", None, "The server had an error while processing your request."),
    503: ("service_unavailable_error", None, "The engine is overloaded, try again later."),
}


class _Invalid(Exception):
    """A request that is answered with 400. The message and the code are the answer's."""

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code


class OpenAIService:
    """Answers thirteen categories each time; an image alone is not judged in seven of them."""

    prefix: ClassVar[str] = "openai"

    def answer(self, request: Request, desk: Desk) -> Reply:
        refused = _refusal(request)
        if refused is not None:
            return refused
        try:
            model, given = _read(request)
            results = [_result(model, parts) for parts in _inputs(given)]
        except _Invalid as wrong:
            return _error(400, _INVALID, wrong.code, str(wrong), param="input")
        if model not in (*OMNI_MODELS, *TEXT_MODELS):
            return self.failure(404, None)
        body = {"id": f"modr-{_digest(request.body)}", "model": model, "results": results}
        return Reply(200, body, _headers(request.body))

    def failure(self, status: int, retry_after: str | None) -> Reply:
        kind, code, message = _FAILURES.get(status, ("server_error", None, "Something failed."))
        reply = _error(status, kind, code, message)
        if retry_after is None:
            return reply
        return Reply(status, reply.body, {**reply.headers, "retry-after": retry_after})


def _refusal(request: Request) -> Reply | None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not key:
        return _error(401, _INVALID, None, "You didn't provide an API key.")
    if key == "bad-key":
        return _error(401, _INVALID, "invalid_api_key", "Incorrect API key provided: bad-key.")
    if key == "spent-key":
        quota = "insufficient_quota"
        return _error(429, quota, quota, "You exceeded your current quota.")
    if (request.method, request.path) != ("POST", "/v1/moderations"):
        address = f"{request.method} {request.path}"
        return _error(404, _INVALID, None, f"Invalid URL ({address})")
    return None


def _read(request: Request) -> tuple[str, Any]:
    try:
        asked = request.json()
    except ValueError:
        raise _Invalid("We could not parse the JSON body of your request.") from None
    if not isinstance(asked, dict) or "input" not in asked:
        raise _Invalid("Missing required parameter: 'input'.", "missing_required_parameter")
    return asked.get("model") or OMNI_MODELS[0], asked["input"]


def _inputs(given: Any) -> list[list[tuple[str, bytes]]]:
    """Return the parts of each result that is asked for, each its kind and its content."""
    if isinstance(given, str):
        return [[("text", given.encode())]]
    if not isinstance(given, list) or not given:
        raise _Invalid("'input' must be a text or an array that is not empty.")
    if all(isinstance(one, str) for one in given):
        return [[("text", one.encode())] for one in given]
    parts = [_part(one) for one in given]
    images = sum(kind == "image" for kind, _ in parts)
    if images > 1:
        raise _Invalid(f"Number of images ({images}) exceeds maximum of 1", "too_many_images")
    return [parts]


def _part(given: Any) -> tuple[str, bytes]:
    match given:
        case {"type": "text", "text": str(text)}:
            return "text", text.encode()
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return "image", _image(url)
        case _:
            raise _Invalid("An element of 'input' is no part.")


def _image(url: str) -> bytes:
    if url.startswith("https://"):
        # Nothing is downloaded here: the address holds the marks.
        return url.encode()
    head, _, data = url.partition(",")
    if not head.startswith("data:image/") or not head.endswith(";base64"):
        raise _Invalid(f"Failed to download image from {url[:60]}.")
    try:
        return b64decode(data, validate=True)
    except binascii.Error:
        raise _Invalid("The image is not valid base64.", "invalid_base64") from None


def _result(model: str, parts: Sequence[tuple[str, bytes]]) -> dict[str, object]:
    if model in TEXT_MODELS and any(kind != "text" for kind, _ in parts):
        raise _Invalid(f"The model {model} takes texts only.")
    labels = [label for label in LABELS if model not in TEXT_MODELS or "illicit" not in label]
    applied = {
        label: sorted({kind for kind, _ in parts if kind == "text" or label in SEEN_IN_IMAGES})
        for label in labels
    }
    found = [(kind, scores_of(content, LABELS)) for kind, content in parts]
    scores = {label: _worst(label, applied[label], found) for label in labels}
    flags = {label: value >= _FLAGGED_FROM for label, value in scores.items()}
    result: dict[str, object] = {
        "flagged": any(flags.values()),
        "categories": flags,
        "category_scores": scores,
    }
    if model not in TEXT_MODELS:
        result["category_applied_input_types"] = applied
    return result


def _worst(
    label: str, kinds: Sequence[str], found: Sequence[tuple[str, Mapping[str, float]]]
) -> float:
    """Return 0 where the label applies to no part at all: an answer that is easily misread."""
    return max((scores[label] for kind, scores in found if kind in kinds), default=0.0)


def _error(
    status: int, kind: str, code: str | None, message: str, *, param: str | None = None
) -> Reply:
    error = {"message": message, "type": kind, "param": param, "code": code}
    return Reply(status, {"error": error}, _headers(message.encode()))


def _headers(content: bytes) -> dict[str, str]:
    return {
        "x-request-id": f"req_{_digest(content)}",
        "openai-processing-ms": "1",
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms",
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]
