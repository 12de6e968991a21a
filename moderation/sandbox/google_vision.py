"""Google Cloud Vision: SafeSearch and the reading of texts, up to 16 pictures a call.

What a picture's text is, its bytes say: `<<text:buy here>>`, any number of lines.
"""

from __future__ import annotations

import base64
import re
from typing import Any, ClassVar

from moderation.sandbox.google_token import google_error, google_failure, refusal
from moderation.sandbox.marks import scores_of
from moderation.sandbox.protocol import Desk, Reply, Request

MAX_IMAGES = 16
MAX_IMAGE_BYTES = 20 * 1024 * 1024
MAX_REQUEST_BYTES = 10 * 1024 * 1024
LABELS = {
    "adult": "sexual",
    "spoof": "spoof",
    "medical": "medical",
    "violence": "violence",
    "racy": "racy",
}
# The least score that is called so.
_LIKELIHOODS = (
    (0.9, "VERY_LIKELY"),
    (0.7, "LIKELY"),
    (0.4, "POSSIBLE"),
    (0.15, "UNLIKELY"),
    (0.0, "VERY_UNLIKELY"),
)
_TEXT = re.compile(rb"<<text:(.*?)>>", re.DOTALL)
# How a picture says that it cannot be judged: `<<error:3>>`, with a google.rpc.Code.
_ERROR = re.compile(rb"<<error:(\d+)>>")
_UNKNOWN = re.compile(rb"<<unknown:([a-z]+)>>")
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*")
# google.rpc.Code
_INVALID_ARGUMENT, _UNAVAILABLE = 3, 14


class GoogleVisionService:
    """`images:annotate` with inline pictures; it fetches none by address."""

    prefix: ClassVar[str] = "google_vision"

    def answer(self, request: Request, desk: Desk) -> Reply:
        if not re.fullmatch(r"/?v1/(?:projects/[^:]+/)?images:annotate", request.path):
            return google_error(404, "There is no such method.")
        refused = refusal(request)
        if refused is not None:
            return refused
        if len(request.body) > MAX_REQUEST_BYTES:
            return google_error(400, f"Request payload size exceeds {MAX_REQUEST_BYTES} bytes.")
        try:
            asked = [_read(one) for one in request.json()["requests"]]
        except (ValueError, KeyError, TypeError, AttributeError):
            return google_error(400, "Invalid JSON payload received.")
        if not 0 < len(asked) <= MAX_IMAGES:
            return google_error(400, f"Send 1 to {MAX_IMAGES} images.")
        if not all(features for _, features in asked):
            return google_error(400, "Each image needs a feature.")
        return Reply(body={"responses": [_annotated(*one) for one in asked]})

    def failure(self, status: int, retry_after: str | None) -> Reply:
        return google_failure(status, retry_after)


def _read(asked: dict[str, Any]) -> tuple[bytes | None, list[object]]:
    """Return a picture's bytes, None for one that is only named, and what is asked of it."""
    features = [feature["type"] for feature in asked["features"]]
    content = asked["image"].get("content")
    return (None if content is None else base64.b64decode(content, validate=True)), features


def _annotated(picture: bytes | None, features: list[object]) -> dict[str, object]:
    if picture is None:
        return _error(_UNAVAILABLE, "We can not access the URL currently.")
    found = _ERROR.search(picture)
    if found:
        return _error(int(found[1]), "This failure was asked for.")
    if len(picture) > MAX_IMAGE_BYTES or not picture.startswith(_SIGNATURES):
        return _error(_INVALID_ARGUMENT, "Bad image data.")
    annotated: dict[str, object] = {}
    for feature in features:
        if feature in (6, "SAFE_SEARCH_DETECTION"):
            annotated["safeSearchAnnotation"] = _safe_search(picture)
        elif feature in (5, 11, "TEXT_DETECTION", "DOCUMENT_TEXT_DETECTION"):
            annotated |= _read_text(picture)
    return annotated


def _safe_search(picture: bytes) -> dict[str, str]:
    found = {
        label: next(name for least, name in _LIKELIHOODS if score >= least)
        for label, score in scores_of(picture, LABELS).items()
    }
    unknown = {name.decode(): "UNKNOWN" for name in _UNKNOWN.findall(picture)}
    return {**found, **unknown}


def _read_text(picture: bytes) -> dict[str, object]:
    """Return nothing at all for a picture without text, as Google does."""
    text = "\n".join(line.decode(errors="replace") for line in _TEXT.findall(picture))
    if not text:
        return {}
    return {
        "textAnnotations": [
            {"locale": "en", "description": text},
            *({"description": word} for word in text.split()),
        ],
        "fullTextAnnotation": {"text": text},
    }


def _error(code: int, message: str) -> dict[str, object]:
    return {"error": {"code": code, "message": message}}
