"""The sandbox's Video Intelligence, driven by the official client over REST, without retries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.api_core import exceptions
from google.api_core.future.polling import DEFAULT_POLLING
from google.auth.credentials import AnonymousCredentials
from google.cloud.videointelligence_v1 import Feature, Likelihood
from google.cloud.videointelligence_v1.services.video_intelligence_service import (
    VideoIntelligenceServiceClient,
)
from google.cloud.videointelligence_v1.services.video_intelligence_service.transports.rest import (
    VideoIntelligenceServiceRestTransport,
)

from moderation.sandbox.server import Sandbox, running_sandbox

MP4 = b"\x00\x00\x00\x20ftypisom"
QUICKLY = DEFAULT_POLLING.with_delay(initial=0.01, maximum=0.01, multiplier=1.0)


class Key(AnonymousCredentials):
    """An API key: the client has no way to send one over plain HTTP."""

    def __init__(self, key: str) -> None:
        super().__init__()
        self.key = key

    def before_request(self, request: Any, method: str, url: str, headers: Any) -> None:
        headers["x-goog-api-key"] = self.key


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as made:
        yield made


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    return running


def annotate(sandbox: Sandbox, key: str = "good-key", **asked: object) -> Any:
    """Return the operation."""
    transport = VideoIntelligenceServiceRestTransport(
        host=f"{sandbox.address}/google_video", credentials=Key(key), url_scheme="http"
    )
    client = VideoIntelligenceServiceClient(transport=transport)
    request = {"features": [Feature.EXPLICIT_CONTENT_DETECTION], **asked}
    return client.annotate_video(request=request, retry=None, timeout=5)


def likelihoods(sandbox: Sandbox, **asked: object) -> list[Likelihood]:
    (result,) = annotate(sandbox, **asked).result(timeout=5, polling=QUICKLY).annotation_results
    return [frame.pornography_likelihood for frame in result.explicit_annotation.frames]


def test_a_video_is_sent_along(sandbox: Sandbox) -> None:
    found = likelihoods(sandbox, input_content=MP4 + b"[[sexual=0.9]]")
    assert found == [Likelihood.VERY_UNLIKELY, Likelihood.VERY_UNLIKELY, Likelihood.VERY_LIKELY]
    # The start, and two polls of which the first one found it running.
    assert [seen.request.method for seen in sandbox.requests()] == ["POST", "GET", "GET"]


def test_a_video_may_lie_in_a_bucket(sandbox: Sandbox) -> None:
    uri = "gs://ugc-media/v/[[sexual=0.5]].mp4"
    operation = annotate(sandbox, input_uri=uri, location_id="europe-west1")
    assert "/locations/europe-west1/" in operation.operation.name
    (result,) = operation.result(timeout=5, polling=QUICKLY).annotation_results
    assert result.input_uri == "/ugc-media/v/[[sexual=0.5]].mp4"
    assert result.explicit_annotation.frames[-1].pornography_likelihood == Likelihood.POSSIBLE


def test_progress_is_told(sandbox: Sandbox) -> None:
    operation = annotate(sandbox, input_content=MP4)
    assert not operation.done()
    assert operation.metadata.annotation_progress[0].progress_percent == 40


@pytest.mark.parametrize(
    ("mark", "found"),
    [(b"[[unknown=1]]", [Likelihood.LIKELIHOOD_UNSPECIFIED] * 3), (b"[[frameless=1]]", [])],
)
def test_what_is_left_out_is_unspecified(
    sandbox: Sandbox, mark: bytes, found: list[Likelihood]
) -> None:
    assert likelihoods(sandbox, input_content=MP4 + mark) == found


def test_an_operation_may_fail(sandbox: Sandbox) -> None:
    operation = annotate(sandbox, input_content=MP4 + b"[[fail=1]]")
    with pytest.raises(exceptions.InvalidArgument):
        operation.result(timeout=5, polling=QUICKLY)


@pytest.mark.parametrize(
    ("key", "asked"),
    [
        ("bad-key", {"input_content": MP4}),
        ("good-key", {}),
        ("good-key", {"input_content": MP4, "input_uri": "gs://a/b"}),
        ("good-key", {"input_content": MP4, "location_id": "mars-north1"}),
        ("good-key", {"input_content": MP4, "features": [Feature.LABEL_DETECTION]}),
    ],
)
def test_a_wrong_request_is_refused(sandbox: Sandbox, key: str, asked: dict[str, object]) -> None:
    with pytest.raises(exceptions.BadRequest):
        annotate(sandbox, key, **asked)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (403, exceptions.Forbidden),
        (404, exceptions.NotFound),
        (429, exceptions.TooManyRequests),
        (500, exceptions.InternalServerError),
        (503, exceptions.ServiceUnavailable),
    ],
)
def test_a_failure_is_known(
    sandbox: Sandbox, status: int, error: type[exceptions.GoogleAPICallError]
) -> None:
    sandbox.fail("google_video", status)
    with pytest.raises(error):
        annotate(sandbox, input_content=MP4)
    assert len(sandbox.requests()) == 1
