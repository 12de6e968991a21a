"""The sandbox's Rekognition and S3, driven by Amazon's own library, which signs as we do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as TheirCredentials
from botocore.exceptions import ClientError

from moderation.providers.shared.aws import Credentials, signed_headers
from moderation.sandbox.aws_signature import EXPIRED_TOKEN, SECRET
from moderation.sandbox.server import Sandbox, running_sandbox

PNG = b"\x89PNG\r\n\x1a\n"
REGION = "eu-west-1"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:AmazonRekognitionModeration"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Iterator[Sandbox]:
    running.reset()
    yield running
    assert running.errors == []


def client_of(
    sandbox: Sandbox, service: str = "rekognition", key: str = "AKIDEXAMPLE", **how: str
) -> Any:
    path = "rekognition/s3" if service == "s3" else "rekognition"
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=f"{sandbox.base_url}/{path}",
        aws_access_key_id=key,
        aws_secret_access_key=how.get("secret", SECRET),
        aws_session_token=how.get("token"),
        config=Config(
            retries={"total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=5,
            s3={"addressing_style": "path"},
        ),
    )


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Any]:
    made = client_of(sandbox)
    yield made
    made.close()


def keep(sandbox: Sandbox, content: bytes, name: str = "v/1.mp4") -> dict[str, Any]:
    """Upload with Amazon's library, and return where that is."""
    store = client_of(sandbox, "s3")
    store.put_object(Bucket="ugc-media", Key=name, Body=content, ContentType="video/mp4")
    store.close()
    return {"S3Object": {"Bucket": "ugc-media", "Name": name}}


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


# --- pictures -----------------------------------------------------------------------------------


def test_a_picture_has_labels_and_those_above_them(client: Any) -> None:
    answer = client.detect_moderation_labels(
        Image={"Bytes": PNG + b"[[weapons=0.98]] [[graphic=0.61]]"}, MinConfidence=40
    )
    assert answer["ModerationModelVersion"] == "7.0"
    assert answer["ContentTypes"] == []
    assert answer["ResponseMetadata"]["RequestId"]
    found = {label["Name"]: label for label in answer["ModerationLabels"]}
    assert found["Violence"] == {
        "Confidence": 98.0,
        "Name": "Violence",
        "ParentName": "",
        "TaxonomyLevel": 1,
    }
    assert found["Blood & Gore"]["ParentName"] == "Graphic Violence"
    assert found["Blood & Gore"]["TaxonomyLevel"] == 3
    assert set(found) == {"Violence", "Weapons", "Graphic Violence", "Blood & Gore"}


def test_what_is_unsure_is_not_returned(client: Any) -> None:
    picture = {"Bytes": PNG + b"[[hate=0.49]]"}
    assert client.detect_moderation_labels(Image=picture)["ModerationLabels"] == []
    sure = client.detect_moderation_labels(Image=picture, MinConfidence=49)
    assert len(sure["ModerationLabels"]) == 2


def test_a_picture_may_lie_in_a_bucket(sandbox: Sandbox, client: Any) -> None:
    where = keep(sandbox, PNG + b"[[profanity=0.9]]", "p/1.png")
    names = [
        one["Name"] for one in client.detect_moderation_labels(Image=where)["ModerationLabels"]
    ]
    assert names == ["Rude Gestures", "Middle Finger"]


# --- videos -------------------------------------------------------------------------------------


def test_a_job_runs_and_is_read_page_by_page(sandbox: Sandbox, client: Any) -> None:
    started = client.start_content_moderation(
        Video=keep(sandbox, b"[[violence=0.91]]"),
        MinConfidence=40,
        ClientRequestToken="9f1a2c33-5f2a-4a12-b8d4-123456789abc",
        NotificationChannel={
            "SNSTopicArn": TOPIC,
            "RoleArn": "arn:aws:iam::123456789012:role/RekognitionSns",
        },
        JobTag="content:9f1a2c33-5f2a-4a12-b8d4-123456789abc",
    )
    job = started["JobId"]
    assert client.get_content_moderation(JobId=job)["JobStatus"] == "IN_PROGRESS"
    pages = [client.get_content_moderation(JobId=job, SortBy="TIMESTAMP")]
    while token := pages[-1].get("NextToken"):
        pages.append(client.get_content_moderation(JobId=job, NextToken=token))
    found = [finding for page in pages for finding in page["ModerationLabels"]]
    assert len(pages) == 2
    assert len(found) == 12 * 3
    assert max(one["ModerationLabel"]["Confidence"] for one in found) == 91.0
    assert found[-1]["Timestamp"] == 5_500
    assert pages[0]["JobStatus"] == "SUCCEEDED"
    assert pages[0]["VideoMetadata"]["Codec"] == "h264"
    assert pages[0]["JobTag"].startswith("content:")
    assert pages[0]["GetRequestMetadata"]["SortBy"] == "TIMESTAMP"


def test_a_job_may_fail(sandbox: Sandbox, client: Any) -> None:
    job = client.start_content_moderation(Video=keep(sandbox, b"[[failing=1]]"))["JobId"]
    client.get_content_moderation(JobId=job)
    answer = client.get_content_moderation(JobId=job)
    assert (answer["JobStatus"], answer["StatusMessage"]) == (
        "FAILED",
        "The video cannot be read.",
    )


def test_a_token_names_one_job(sandbox: Sandbox, client: Any) -> None:
    asked = {"Video": keep(sandbox, b"a video"), "ClientRequestToken": "once"}
    first = client.start_content_moderation(**asked)["JobId"]
    assert client.start_content_moderation(**asked)["JobId"] == first
    with pytest.raises(client.exceptions.IdempotentParameterMismatchException):
        client.start_content_moderation(**asked, JobTag="another")


def test_an_upload_can_be_deleted(sandbox: Sandbox, client: Any) -> None:
    where = keep(sandbox, b"a video")
    store = client_of(sandbox, "s3")
    store.delete_object(Bucket="ugc-media", Key="v/1.mp4")
    store.close()
    with pytest.raises(client.exceptions.InvalidS3ObjectException):
        client.start_content_moderation(Video=where)


# --- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "AccessDeniedException",
        "HumanLoopQuotaExceededException",
        "ImageTooLargeException",
        "InternalServerError",
        "InvalidImageFormatException",
        "InvalidParameterException",
        "ProvisionedThroughputExceededException",
        "ResourceNotFoundException",
        "ResourceNotReadyException",
        "ThrottlingException",
    ],
)
def test_each_error_of_a_picture_is_known(client: Any, code: str) -> None:
    with pytest.raises(getattr(client.exceptions, code)) as raised:
        client.detect_moderation_labels(Image={"Bytes": PNG + f"[[error {code}=1]]".encode()})
    assert code_of(raised) == code
    assert raised.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    "code",
    [
        "AccessDeniedException",
        "IdempotentParameterMismatchException",
        "InternalServerError",
        "InvalidParameterException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "VideoTooLargeException",
    ],
)
def test_each_error_of_a_video_is_known(sandbox: Sandbox, client: Any, code: str) -> None:
    where = keep(sandbox, f"[[error {code}=1]]".encode())
    with pytest.raises(getattr(client.exceptions, code)):
        client.start_content_moderation(Video=where)


@pytest.mark.parametrize(
    ("image", "code"),
    [
        ({}, "InvalidParameterException"),
        ({"Bytes": b"GIF89a"}, "InvalidImageFormatException"),
        ({"Bytes": PNG + b"x" * 5_300_000}, "ImageTooLargeException"),
        ({"S3Object": {"Bucket": "ugc-media", "Name": "none"}}, "InvalidS3ObjectException"),
    ],
)
def test_a_picture_that_is_not_taken_is_refused(
    client: Any, image: dict[str, object], code: str
) -> None:
    with pytest.raises(getattr(client.exceptions, code)):
        client.detect_moderation_labels(Image=image)


def test_a_job_or_a_page_that_nobody_knows_is_refused(sandbox: Sandbox, client: Any) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_content_moderation(JobId="0" * 64)
    job = client.start_content_moderation(Video=keep(sandbox, b"a video"))["JobId"]
    client.get_content_moderation(JobId=job)
    with pytest.raises(client.exceptions.InvalidPaginationTokenException):
        client.get_content_moderation(JobId=job, NextToken="another")


@pytest.mark.parametrize(
    ("status", "code", "seen"),
    [
        (429, "ProvisionedThroughputExceededException", 400),
        (500, "InternalServerError", 500),
        (503, "ServiceUnavailableException", 503),
    ],
)
def test_a_scripted_failure_is_said_as_amazon_does(
    sandbox: Sandbox, client: Any, status: int, code: str, seen: int
) -> None:
    sandbox.fail("rekognition", status)
    with pytest.raises(ClientError) as raised:
        client.detect_moderation_labels(Image={"Bytes": PNG})
    assert code_of(raised) == code
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == seen
    assert len(sandbox.requests("rekognition")) == 1


# --- signatures ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"key": "bad-key"}, "UnrecognizedClientException"),
        ({"secret": "another-secret"}, "InvalidSignatureException"),
        ({"token": EXPIRED_TOKEN}, "ExpiredTokenException"),
    ],
)
def test_keys_are_checked(sandbox: Sandbox, given: dict[str, str], code: str) -> None:
    made = client_of(sandbox, **given)
    with pytest.raises(ClientError) as raised:
        made.detect_moderation_labels(Image={"Bytes": PNG})
    made.close()
    assert code_of(raised) == code


def test_temporary_keys_are_accepted(sandbox: Sandbox) -> None:
    made = client_of(sandbox, token="a-token")
    assert made.detect_moderation_labels(Image={"Bytes": PNG})["ModerationLabels"] == []
    made.close()


@pytest.mark.parametrize(
    ("given", "code"),
    [({"key": "bad-key"}, "InvalidAccessKeyId"), ({"secret": "x"}, "SignatureDoesNotMatch")],
)
def test_keys_of_uploads_are_checked(sandbox: Sandbox, given: dict[str, str], code: str) -> None:
    made = client_of(sandbox, "s3", **given)
    with pytest.raises(ClientError) as raised:
        made.put_object(Bucket="ugc-media", Key="v/1.mp4", Body=b"a video")
    made.close()
    assert code_of(raised) == code


@pytest.mark.parametrize("token", ["", "a-token/with+signs=="])
@pytest.mark.parametrize(
    ("service", "method", "url", "headers", "content"),
    [
        (
            "rekognition",
            "POST",
            "https://rekognition.eu-west-1.amazonaws.com/",
            {
                "Content-Type": "application/x-amz-json-1.1",
                "X-Amz-Target": "RekognitionService.DetectModerationLabels",
            },
            b'{"Image": {"Bytes": "iVBORw0KGgo="}, "MinConfidence": 40}',
        ),
        (
            "rekognition",
            "POST",
            "http://127.0.0.1:9911/re%20kognition/",
            {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "  two   blanks "},
            b"{}",
        ),
        (
            "s3",
            "PUT",
            "https://ugc-media.s3.eu-west-1.amazonaws.com/gatehouse/20261120T05/9f1a.mp4",
            {"Content-Type": "video/mp4"},
            b"a video",
        ),
        ("s3", "PUT", "https://s3.example.org:9000/ugc/a%20b%2Bc~d.mp4", {}, b"a video"),
        ("s3", "DELETE", "https://ugc-media.s3.eu-west-1.amazonaws.com/gatehouse/1.mp4", {}, b""),
    ],
)
def test_we_sign_as_amazons_library_does(
    service: str, method: str, url: str, headers: dict[str, str], content: bytes, token: str
) -> None:
    request = AWSRequest(method=method, url=url, headers=headers, data=content)
    theirs = TheirCredentials("AKIDEXAMPLE", SECRET, token or None)
    (S3SigV4Auth if service == "s3" else SigV4Auth)(theirs, service, REGION).add_auth(request)
    at = datetime.strptime(request.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    ours = signed_headers(
        method,
        url,
        headers=headers,
        content=content,
        service=service,
        region=REGION,
        credentials=Credentials("AKIDEXAMPLE", SECRET, token),
        now=at,
    )
    assert ours["authorization"] == request.headers["Authorization"]
    assert ours["x-amz-date"] == request.headers["X-Amz-Date"]
    assert ours.get("x-amz-security-token", "") == token
