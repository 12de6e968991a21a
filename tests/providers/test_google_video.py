"""Google's adapter for videos against the sandbox, and the operations that are on record."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from moderation.errors import (
    CallbackRefused,
    ProviderAuthFailed,
    ProviderError,
    ProviderGone,
    ProviderMalformed,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.outbound import GuardedClient, Reply
from moderation.providers.adapters.google_video import MAX_BYTES, GoogleVideoAdapter
from moderation.providers.base import Answer, Callback, ImagePart, Job, VideoPart
from moderation.sandbox.server import Sandbox
from moderation.vocabulary import Category, Outcome, Part
from tests.providers.accounts import FAULTS, account_at

MP4 = b"\x00\x00\x00\x20ftypisom"
FACTS = GoogleVideoAdapter.facts


def adapter(sandbox: Sandbox, **given: str) -> GoogleVideoAdapter:
    given = {"service_account": "", **given}
    return GoogleVideoAdapter(account_at(sandbox, "google_video", FACTS, **given))


def a_video(folder: Path, content: bytes = b"") -> VideoPart:
    path = folder / "video.mp4"
    path.write_bytes(MP4 + content)
    return VideoPart("v", path)


def start(sandbox: Sandbox, folder: Path, content: bytes = b"", **given: str) -> Job:
    (answer,) = adapter(sandbox, **given).judge([a_video(folder, content)])
    assert answer.outcome is Outcome.PENDING
    assert answer.job is not None
    return answer.job


def finish(sandbox: Sandbox, folder: Path, content: bytes) -> Answer:
    job = start(sandbox, folder, content)
    made = adapter(sandbox)
    assert made.poll(job.id, Part.VIDEO).outcome is Outcome.PENDING
    return made.poll(job.id, Part.VIDEO)


def sent(sandbox: Sandbox) -> dict[str, Any]:
    question: dict[str, Any] = json.loads(sandbox.requests("google_video")[-1].request.body)
    return question


class Answering(GoogleVideoAdapter):
    """Reads an answer that was not made by the sandbox."""

    answer: object = None
    status = 200

    def send(self, method: str, url: str, **rest: object) -> Reply:  # type: ignore[override]
        return Reply(self.status, {}, json.dumps(self.answer).encode(), url)


NAME = "projects/123456789012/locations/europe-west1/operations/8412376419283746512"


def polled(sandbox: Sandbox, answer: object, status: int = 200) -> Answer:
    made = Answering(account_at(sandbox, "google_video", FACTS, service_account=""))
    made.answer, made.status = answer, status
    return made.poll(NAME, Part.VIDEO)


def done(*frames: object, **beside: object) -> dict[str, object]:
    result = {"explicitAnnotation": {"frames": list(frames)}, **beside}
    return {"name": NAME, "done": True, "response": {"annotationResults": [result]}}


def frame(likelihood: object, at: str = "1.5s") -> dict[str, object]:
    return {"timeOffset": at, "pornographyLikelihood": likelihood}


# --- jobs ---------------------------------------------------------------------------------------


def test_a_video_is_sent_along_and_asked_after(sandbox: Sandbox, tmp_path: Path) -> None:
    job = start(sandbox, tmp_path, b"[[sexual=0.9]]")
    assert job.token == ""
    assert base64.b64decode(sent(sandbox).pop("inputContent")) == MP4 + b"[[sexual=0.9]]"
    assert {name: value for name, value in sent(sandbox).items() if name != "inputContent"} == {
        "features": ["EXPLICIT_CONTENT_DETECTION"],
        "videoContext": {"explicitContentDetectionConfig": {"model": "builtin/stable"}},
    }
    made = adapter(sandbox)
    assert made.poll(job.id, Part.VIDEO).outcome is Outcome.PENDING
    answer = made.poll(job.id, Part.VIDEO)
    assert answer.outcome is Outcome.JUDGED
    assert answer.scores == {Category.SEXUAL: 0.95}
    assert answer.raw["frame_count"] == 3


def test_region_and_model_are_the_operators(sandbox: Sandbox, tmp_path: Path) -> None:
    job = start(sandbox, tmp_path, location="europe-west1", model="builtin/latest")
    assert "/locations/europe-west1/" in job.id
    assert sent(sandbox)["locationId"] == "europe-west1"
    assert "builtin/latest" in json.dumps(sent(sandbox)["videoContext"])
    versions = {adapter(sandbox, model=f"builtin/{name}").model_version for name in ("a", "b")}
    assert len(versions) == 2


@pytest.mark.parametrize(
    ("marked", "score"), [("0.9", 0.95), ("0.7", 0.8), ("0.5", 0.5), ("0.2", 0.2), ("0", 0.05)]
)
def test_likelihoods_become_scores(
    sandbox: Sandbox, tmp_path: Path, marked: str, score: float
) -> None:
    answer = finish(sandbox, tmp_path, f"[[sexual={marked}]]".encode())
    assert answer.scores == {Category.SEXUAL: score}


@pytest.mark.parametrize("mark", [b"[[unknown=1]]", b"[[frameless=1]]"])
def test_a_video_without_likelihoods_is_not_judged(
    sandbox: Sandbox, tmp_path: Path, mark: bytes
) -> None:
    answer = finish(sandbox, tmp_path, mark)
    assert (answer.outcome, answer.scores) == (Outcome.NOT_JUDGED, {})


def test_an_operation_that_failed_says_so(sandbox: Sandbox, tmp_path: Path) -> None:
    answer = finish(sandbox, tmp_path, b"[[fail=1]]")
    assert (answer.outcome, answer.error) == (Outcome.FAILED, "code 3")


def test_an_operation_that_nobody_knows_has_failed(sandbox: Sandbox) -> None:
    assert adapter(sandbox).poll(NAME, Part.VIDEO).outcome is Outcome.FAILED


@pytest.mark.parametrize(
    "name", ["", "operations/../x", "https://x.example/operations/1", "operations/1?x", f"{NAME}/x"]
)
def test_no_other_address_is_polled(sandbox: Sandbox, name: str) -> None:
    with pytest.raises(ProviderMalformed):
        adapter(sandbox).poll(name, Part.VIDEO)
    assert sandbox.requests("google_video") == []


def test_nobody_calls_back(sandbox: Sandbox) -> None:
    with pytest.raises(CallbackRefused):
        adapter(sandbox).read_callback(Callback("t0k3n", {}, b"{}"))


def test_a_service_account_asks_with_a_token(sandbox: Sandbox, tmp_path: Path) -> None:
    with GuardedClient(allow_private_hosts=frozenset({sandbox.address})) as client:
        file = client.request(
            "GET",
            f"{sandbox.base_url}/google_token/service-account.json",
            max_bytes=10_000,
            timeout_seconds=5,
        ).content.decode()
    start(sandbox, tmp_path, service_account=file)
    headers = sandbox.requests("google_video")[-1].request.headers
    assert headers["authorization"].startswith("Bearer ya29.")
    assert "x-goog-api-key" not in headers


# --- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "error"), FAULTS)
def test_a_failing_service_is_an_error(
    sandbox: Sandbox, tmp_path: Path, kind: str, error: type[ProviderError]
) -> None:
    job = start(sandbox, tmp_path)
    adapter(sandbox).poll(job.id, Part.VIDEO)
    sandbox.fail("google_video", kind)
    with pytest.raises(error):
        adapter(sandbox).judge([a_video(tmp_path)])
    if error is ProviderGone:
        assert adapter(sandbox).poll(job.id, Part.VIDEO).outcome is Outcome.FAILED
    elif kind == "wrong_schema":
        assert adapter(sandbox).poll(job.id, Part.VIDEO).outcome is Outcome.PENDING
    else:
        with pytest.raises(error):
            adapter(sandbox).poll(job.id, Part.VIDEO)


def test_how_long_to_wait_is_passed_on(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fail("google_video", 429, count=1, retry_after=7)
    sandbox.fail("google_video", 429, count=1)
    waits = []
    for _ in range(2):
        with pytest.raises(ProviderRateLimited) as caught:
            start(sandbox, tmp_path)
        waits.append(caught.value.retry_after_seconds)
    assert waits == [7, None]


def test_a_slow_service_is_given_up(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fail("google_video", "slow", delay_seconds=0.5)
    with pytest.raises(ProviderUnavailable):
        start(sandbox, tmp_path, timeout_seconds="0.1")


def test_a_bad_key_is_said_to_be_bad(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ProviderAuthFailed) as caught:
        start(sandbox, tmp_path, api_key="bad-key")
    assert "bad-key" not in str(caught.value)


def test_a_file_that_is_too_large_is_not_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "huge.mp4"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ProviderRejected):
        adapter(sandbox).judge([VideoPart("v", path)])
    assert sandbox.requests("google_video") == []


def test_a_picture_is_rejected(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        adapter(sandbox).judge([ImagePart("a", Path("never-read.jpg"))])


@pytest.mark.parametrize(
    "answer", [{}, {"name": 7}, {"name": "../../v2/x"}, {"name": f"operations/{'1' * 300}"}]
)
def test_a_start_without_an_operation_is_malformed(
    sandbox: Sandbox, tmp_path: Path, answer: object
) -> None:
    made = Answering(account_at(sandbox, "google_video", FACTS, service_account=""))
    made.answer = answer
    with pytest.raises(ProviderMalformed):
        made.judge_one(a_video(tmp_path))


# --- answers on record --------------------------------------------------------------------------


def test_a_running_operation_on_record_is_pending(sandbox: Sandbox) -> None:
    progress = {"inputUri": "/ugc-media/v/9f1a2c33.mp4", "progressPercent": 40}
    kind = "type.googleapis.com/google.cloud.videointelligence.v1.AnnotateVideoProgress"
    answer = polled(
        sandbox, {"name": NAME, "metadata": {"@type": kind, "annotationProgress": [progress]}}
    )
    assert (answer.outcome, answer.scores) == (Outcome.PENDING, {})


def test_a_finished_operation_on_record_is_read(sandbox: Sandbox) -> None:
    answer = polled(
        sandbox,
        done(
            frame("VERY_UNLIKELY", "0.056149s"),
            frame("VERY_LIKELY", "1.166841s"),
            inputUri="/ugc-media/v/9f1a2c33.mp4",
        ),
    )
    assert answer.scores == {Category.SEXUAL: 0.95}
    assert answer.raw["worst_frames"] == [
        ("VERY_LIKELY", "1.166841s"),
        ("VERY_UNLIKELY", "0.056149s"),
    ]


@pytest.mark.parametrize(
    ("likelihoods", "score"),
    [
        ([1, 4, 2], 0.8),
        ([0, 3], 0.5),
        (["LIKELIHOOD_UNSPECIFIED", "UNLIKELY"], 0.2),
    ],
)
def test_numbers_mean_the_same_as_names(
    sandbox: Sandbox, likelihoods: list[object], score: float
) -> None:
    answer = polled(sandbox, done(*map(frame, likelihoods)))
    assert answer.scores == {Category.SEXUAL: score}


def test_many_frames_leave_little_evidence(sandbox: Sandbox) -> None:
    answer = polled(sandbox, done(*[frame("POSSIBLE")] * 9_000, frame("LIKELY")))
    assert answer.scores == {Category.SEXUAL: 0.8}
    assert answer.raw["likelihoods"] == {"LIKELY": 1, "POSSIBLE": 9_000}
    assert len(json.dumps(answer.raw)) < 2_000


@pytest.mark.parametrize("code", [3, 8, 14])
def test_an_error_of_the_operation_or_of_its_video_is_a_failure(
    sandbox: Sandbox, code: int
) -> None:
    error = {"code": code, "message": "quoting the video"}
    for answer in ({"done": True, "error": error}, done(error=error)):
        found = polled(sandbox, answer)
        assert (found.outcome, found.error) == (Outcome.FAILED, f"code {code}")


@pytest.mark.parametrize(
    "answer",
    [
        {"done": True},
        {"done": True, "response": []},
        {"done": True, "response": {}},
        {"done": True, "response": {"annotationResults": {}}},
        {"done": True, "response": {"annotationResults": [{}]}},
        {"done": True, "response": {"annotationResults": [{"explicitAnnotation": 7}]}},
        {"done": True, "error": "failed"},
        done("frame"),
        done(frame("QUITE_LIKELY")),
        done(frame(6)),
        done(frame(-1)),
        done(frame(True)),
        done(frame(None)),
        done(frame(0.9)),
    ],
)
def test_an_odd_answer_is_no_score(sandbox: Sandbox, answer: object) -> None:
    with pytest.raises(ProviderMalformed):
        polled(sandbox, answer)


def test_no_videos_are_not_judged(sandbox: Sandbox) -> None:
    answer = polled(sandbox, {"done": True, "response": {"annotationResults": []}})
    assert answer.outcome is Outcome.NOT_JUDGED


def test_a_quota_on_record_is_a_wish_to_wait(sandbox: Sandbox) -> None:
    error = {
        "code": 429,
        "message": "Quota exceeded",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "RATE_LIMIT_EXCEEDED",
                "domain": "googleapis.com",
            }
        ],
    }
    with pytest.raises(ProviderRateLimited):
        polled(sandbox, {"error": error}, 429)
