"""Google Video Intelligence: `videos:annotate` starts an operation, which has to be polled.

A video's frames are all harmless but the last, which shows what its marks ask for. Beside
`[[sexual=0.9]]` a video may say `[[fail=1]]` for an operation that fails, `[[unknown=1]]` for
frames that nothing is said of, `[[frameless=1]]` for none.
"""

from __future__ import annotations

import base64
import re
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from moderation.sandbox.google_token import google_error, google_failure, refusal
from moderation.sandbox.marks import marked_scores, scores_of
from moderation.sandbox.protocol import Desk, Reply, Request

# A google.cloud.videointelligence.v1.Feature, as a number or by its name.
_EXPLICIT_CONTENT = (3, "EXPLICIT_CONTENT_DETECTION")
# The least score that is called so.
LIKELIHOODS = (
    (0.9, "VERY_LIKELY"),
    (0.7, "LIKELY"),
    (0.4, "POSSIBLE"),
    (0.15, "UNLIKELY"),
    (0.0, "VERY_UNLIKELY"),
)
LOCATIONS = ("us-east1", "us-west1", "europe-west1", "asia-east1")
_TYPE = "type.googleapis.com/google.cloud.videointelligence.v1."
_NAME = re.compile(r"/v1/(projects/\d+/locations/[\w-]+/operations/\d+)")


@dataclass(slots=True)
class _Operation:
    content: bytes
    uri: str
    polls: int = 0


class GoogleVideoService:
    prefix: ClassVar[str] = "google_video"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._operations: dict[str, _Operation] = {}

    def answer(self, request: Request, desk: Desk) -> Reply:
        refused = refusal(request)
        if refused is not None:
            return refused
        if request.method == "POST" and request.path == "/v1/videos:annotate":
            return self._start(request)
        named = _NAME.fullmatch(request.path)
        if request.method == "GET" and named:
            return self._read(named[1])
        return google_error(404, "There is no such method.")

    def failure(self, status: int, retry_after: str | None) -> Reply:
        return google_failure(status, retry_after)

    def _start(self, request: Request) -> Reply:
        try:
            asked = request.json()
            features = asked["features"]
            uri = str(asked.get("inputUri", ""))
            inline = base64.b64decode(asked.get("inputContent", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            return google_error(400, "Invalid JSON payload received.")
        if bool(uri) == bool(inline):
            return google_error(400, "Send either input_uri or input_content.")
        if not isinstance(features, list) or not any(one in _EXPLICIT_CONTENT for one in features):
            return google_error(400, "This sandbox knows EXPLICIT_CONTENT_DETECTION only.")
        location = asked.get("locationId") or LOCATIONS[0]
        if location not in LOCATIONS:
            return google_error(400, "Unsupported location.")
        number = secrets.randbelow(10**18)
        name = f"projects/123456789012/locations/{location}/operations/{number}"
        with self._lock:
            # Nothing is fetched: an address holds its own marks.
            self._operations[name] = _Operation(inline or uri.encode(), uri.removeprefix("gs:/"))
        return Reply(body={"name": name})

    def _read(self, name: str) -> Reply:
        """Still running when it is first asked about."""
        with self._lock:
            operation = self._operations.get(name)
            if operation is None:
                return google_error(404, "Operation not found.")
            operation.polls += 1
        if operation.polls == 1:
            return Reply(body={"name": name, "metadata": _progress(operation, 40)})
        found = {"name": name, "metadata": _progress(operation, 100), "done": True}
        if marked_scores(operation.content).get("fail"):
            return Reply(body={**found, "error": {"code": 3, "message": "Bad video data."}})
        return Reply(body={**found, "response": _response(operation)})


def _progress(operation: _Operation, percent: int) -> dict[str, object]:
    about: dict[str, object] = {"progressPercent": percent}
    if operation.uri:
        about["inputUri"] = operation.uri
    return {"@type": f"{_TYPE}AnnotateVideoProgress", "annotationProgress": [about]}


def _response(operation: _Operation) -> dict[str, object]:
    marks = marked_scores(operation.content)
    shown = () if marks.get("frameless") else (b"plain", b"plain.", operation.content)
    frames = [{"timeOffset": f"{at}.5s", **_likelihood(one, marks)} for at, one in enumerate(shown)]
    result: dict[str, object] = {"explicitAnnotation": {"frames": frames} if frames else {}}
    if operation.uri:
        result["inputUri"] = operation.uri
    return {"@type": f"{_TYPE}AnnotateVideoResponse", "annotationResults": [result]}


def _likelihood(content: bytes, marks: Mapping[str, float]) -> dict[str, str]:
    # Unspecified is zero, and zeros are left out.
    if marks.get("unknown"):
        return {}
    value = scores_of(content, {"sexual": "sexual"})["sexual"]
    return {"pornographyLikelihood": next(name for least, name in LIKELIHOODS if value >= least)}
