"""Google Video Intelligence: pornography in videos, found by a job that has to be asked after."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from moderation.errors import (
    CallbackRefused,
    ProviderGone,
    ProviderMalformed,
)
from moderation.providers.base import (
    Answer,
    AnyPart,
    Callback,
    Facts,
    Job,
    Notice,
    Setting,
    VideoPart,
)
from moderation.providers.shared.google_auth import GOOGLE_SETTINGS, GoogleAdapter
from moderation.providers.shared.multipart import read_file
from moderation.providers.shared.reading import as_object, as_objects
from moderation.providers.shared.service import kept, not_judged
from moderation.vocabulary import Category, Outcome, Part

# Not documented for videos that are sent along; larger ones belong into a bucket of Google's.
MAX_BYTES = 20_000_000
# A minute of video takes them about a minute, and they work on few at once.
_POLL_SECONDS, _GIVE_UP_SECONDS = 20.0, 3600.0
_JOB = re.compile(r"(projects/[\w.:-]+/locations/[\w-]+/)?operations/[\w-]+")
_MAX_JOB_CHARS = 300
_KEPT_FRAMES = 20

_LIKELIHOODS = (
    "LIKELIHOOD_UNSPECIFIED",
    "VERY_UNLIKELY",
    "UNLIKELY",
    "POSSIBLE",
    "LIKELY",
    "VERY_LIKELY",
)
# What is unspecified was not judged, and has no score.
_SCORES = dict(zip(_LIKELIHOODS[1:], (0.05, 0.2, 0.5, 0.8, 0.95), strict=True))


class GoogleVideoAdapter(GoogleAdapter):
    facts: ClassVar[Facts] = Facts(
        label="Google Video Intelligence",
        parts=frozenset({Part.VIDEO}),
        doc="google_video",
        settings=(
            *GOOGLE_SETTINGS,
            Setting(
                "model",
                "Model",
                default="builtin/stable",
                choices=("builtin/stable", "builtin/latest"),
            ),
            Setting(
                "location",
                "Region",
                help="Where videos are looked at; empty: Google decides.",
                choices=("", "us-east1", "us-west1", "europe-west1", "asia-east1"),
            ),
            Setting("base_url", "Address", default="https://videointelligence.googleapis.com"),
        ),
        price="By the minute of video, with a free part each month; amounts are not confirmed.",
        max_bytes=MAX_BYTES,
        per_second=1.0,
        concurrency=3,
        timeout_seconds=30.0,
        answers_later=True,
    )

    def judge_one(self, part: AnyPart) -> Answer:
        if not isinstance(part, VideoPart):
            return super().judge_one(part)
        content = base64.b64encode(read_file(part.path, max_bytes=MAX_BYTES)).decode("ascii")
        asked: dict[str, object] = {
            "inputContent": content,
            "features": ["EXPLICIT_CONTENT_DETECTION"],
            "videoContext": {"explicitContentDetectionConfig": {"model": self.option("model")}},
        }
        if self.option("location"):
            asked["locationId"] = self.option("location")
        name = self.call("POST", self._address("videos:annotate"), json=asked).get("name")
        if not isinstance(name, str) or not _is_job(name):
            raise ProviderMalformed("The answer names no operation.")
        job = Job(name, poll_after_seconds=_POLL_SECONDS, give_up_after_seconds=_GIVE_UP_SECONDS)
        return Answer(
            Outcome.PENDING, raw={"name": name}, model_version=self.model_version, job=job
        )

    def poll(self, job_id: str, kind: Part) -> Answer:
        """Return what became of an operation, `PENDING` while it runs."""
        if not _is_job(job_id):
            raise ProviderMalformed("This is no operation's name.")
        try:
            found = self.call("GET", self._address(job_id))
        except ProviderGone:
            return self._failed("job unknown", {})
        if found.get("done") is not True:
            return Answer(Outcome.PENDING, raw=kept(found), model_version=self.model_version)
        if "error" in found:
            return self._failed(_code(found["error"]), found)
        results = as_objects(as_object(found.get("response")).get("annotationResults"))
        failed = next((one["error"] for one in results if "error" in one), None)
        if failed is not None:
            return self._failed(_code(failed), found)
        return self._judged(job_id, results)

    def read_callback(self, callback: Callback) -> Notice:
        """Google calls nobody back."""
        raise CallbackRefused("Google sends no messages about videos.")

    def _judged(self, name: str, results: Sequence[Mapping[str, Any]]) -> Answer:
        frames = [
            (_likelihood(frame), str(frame.get("timeOffset", "")))
            for result in results
            for frame in as_objects(as_object(result.get("explicitAnnotation")).get("frames", []))
        ]
        frames.sort(key=lambda frame: -_LIKELIHOODS.index(frame[0]))
        raw = {
            "name": name,
            "frame_count": len(frames),
            "likelihoods": dict(Counter(likelihood for likelihood, _ in frames)),
            "worst_frames": frames[:_KEPT_FRAMES],
        }
        known = [_SCORES[likelihood] for likelihood, _ in frames if likelihood in _SCORES]
        if not known:
            return not_judged("no likelihoods", raw=raw)
        return Answer(
            Outcome.JUDGED,
            scores={Category.SEXUAL: max(known)},
            raw=kept(raw),
            model_version=self.model_version,
        )

    def _failed(self, error: str, raw: Mapping[str, object]) -> Answer:
        return Answer(Outcome.FAILED, error=error, raw=kept(raw), model_version=self.model_version)

    def _address(self, path: str) -> str:
        return f"{self.option('base_url').rstrip('/')}/v1/{path}"


def _is_job(name: str) -> bool:
    return len(name) <= _MAX_JOB_CHARS and _JOB.fullmatch(name) is not None


def _likelihood(frame: Mapping[str, Any]) -> str:
    """Names and numbers mean the same, and the first of them may be left out."""
    said = frame.get("pornographyLikelihood", 0)
    if isinstance(said, int) and not isinstance(said, bool) and 0 <= said < len(_LIKELIHOODS):
        return _LIKELIHOODS[said]
    if said not in _LIKELIHOODS:
        raise ProviderMalformed("A likelihood is none of theirs.")
    return str(said)


def _code(error: object) -> str:
    """A google.rpc.Status; its message may quote what was sent."""
    return f"code {as_object(error).get('code', 'unknown')!s:.20}"
