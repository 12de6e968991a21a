"""Amazon Rekognition's content moderation, with the S3 and the SNS that videos need.

/                 the operations: detect in a picture, start and get a video's job
/s3/BUCKET/KEY    uploads
/sns/             the certificate of notifications, and the confirming of subscriptions
/_subscribe       {"TopicArn", "Endpoint"}: whom a topic's notifications go to; add "Confirmed"
                  to be asked nothing, "SignatureVersion": "1" for the older signature
/_unsubscribe     {"Endpoint"}

A picture or a video that holds `[[error throttlingexception=1]]` gets that error. One more mark
for videos: `[[failing=1]]`, whose job fails. A job is done when it was asked about once, or when
its notification is sent.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar
from uuid import uuid4

from moderation.sandbox.aws_signature import Refused, check_signature
from moderation.sandbox.marks import marked_scores, scores_of
from moderation.sandbox.protocol import Desk, Outgoing, Reply, Request
from moderation.sandbox.sns import ROOT as SNS
from moderation.sandbox.sns import Sns, Subscription

MAX_IMAGE_BYTES = 5 * 1024 * 1024
MODEL_VERSION = "7.0"
# Amazon's is 1,000; a page may always hold fewer than were asked for.
PAGE = 20
MOMENTS, MOMENT_MS = 12, 500
# All of a video but its end is this much less bad.
_ELSEWHERE = 0.6
_DEFAULT_CONFIDENCE = 50.0
_S3 = "/s3/"
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n")
_OPEN_JOBS = "20 open Jobs for User arn:aws:iam::123456789012:user/sandbox Maximum limit: 20"
_TARGET = "RekognitionService."

# A label, the labels above it from the next to the top, and the mark that asks for it.
_LABELS = (
    ("Exposed Female Nipple", ("Explicit Nudity", "Explicit"), "sexual"),
    ("Kissing on the Lips", ("Non-Explicit Nudity of Intimate parts and Kissing",), "kissing"),
    ("Female Swimwear or Underwear", ("Swimwear or Underwear",), "swimwear"),
    ("Weapons", ("Violence",), "weapons"),
    ("Weapon Violence", ("Graphic Violence", "Violence"), "weapon violence"),
    ("Physical Violence", ("Graphic Violence", "Violence"), "violence"),
    ("Self-Harm", ("Graphic Violence", "Violence"), "self_harm"),
    ("Blood & Gore", ("Graphic Violence", "Violence"), "graphic"),
    ("Corpses", ("Death and Emaciation", "Visually Disturbing"), "corpses"),
    ("Pills", ("Products", "Drugs & Tobacco"), "drugs"),
    ("Smoking", ("Drugs & Tobacco Paraphernalia & Use", "Drugs & Tobacco"), "smoking"),
    ("Drinking", ("Alcohol Use", "Alcohol"), "alcohol"),
    ("Middle Finger", ("Rude Gestures",), "profanity"),
    ("Gambling", (), "gambling"),
    ("White Supremacy", ("Hate Symbols",), "hate"),
    ("Extremist", ("Hate Symbols",), "extremism"),
    ("Thing of Tomorrow", (), "unheard_of"),
)
_MARKS = {name: mark for name, _, mark in _LABELS}

# Every other code has 400.
_STATUSES = {"InternalServerError": 500, "ServiceUnavailableException": 503}
_MESSAGES = {
    "InvalidParameterException": "Request has invalid parameters.",
    "InvalidImageFormatException": "Request has invalid image format.",
    "ImageTooLargeException": "Image size is too large.",
    "InvalidS3ObjectException": "The object cannot be read from the bucket.",
    "ProvisionedThroughputExceededException": "Provisioned Rate exceeded.",
    "LimitExceededException": _OPEN_JOBS,
}
_CODES = (
    *_MESSAGES,
    *_STATUSES,
    "AccessDeniedException",
    "ExpiredTokenException",
    "HumanLoopQuotaExceededException",
    "IdempotentParameterMismatchException",
    "InvalidPaginationTokenException",
    "InvalidSignatureException",
    "ResourceNotFoundException",
    "ResourceNotReadyException",
    "ThrottlingException",
    "UnrecognizedClientException",
    "VideoTooLargeException",
)
_CODE_BY_NAME = {code.lower(): code for code in _CODES}
_CODE_OF_FAILURE = {
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    429: "ProvisionedThroughputExceededException",
    500: "InternalServerError",
    503: "ServiceUnavailableException",
}
# S3 has its own words for who is refused.
_S3_CODES = {
    "UnrecognizedClientException": "InvalidAccessKeyId",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "ExpiredTokenException": "ExpiredToken",
    "MissingAuthenticationToken": "AccessDenied",
}


class ApiError(Exception):
    """What an operation answers with; the message is its code."""


@dataclass(slots=True)
class Job:
    """A video that is looked at. `asked` is the request that started it."""

    id: str
    asked: Mapping[str, Any]
    data: bytes
    is_done: bool = False
    was_asked: bool = False

    @property
    def status(self) -> str:
        if not self.is_done:
            return "IN_PROGRESS"
        return "FAILED" if "failing" in marked_scores(self.data) else "SUCCEEDED"


@dataclass(slots=True)
class _Memory:
    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    job_of_token: dict[str, Job] = field(default_factory=dict)


class RekognitionService:
    """Keeps uploads, jobs and subscriptions as long as it lives."""

    prefix: ClassVar[str] = "rekognition"

    def __init__(self) -> None:
        self.sns = Sns(f"/{self.prefix}")
        self._lock = threading.Lock()
        self._memory = _Memory()

    @property
    def uploads(self) -> list[tuple[str, str]]:
        """Bucket and key of all that is kept now."""
        with self._lock:
            return list(self._memory.objects)

    def answer(self, request: Request, desk: Desk) -> Reply:
        if request.path.startswith(SNS):
            return self.sns.answer(request)
        if request.path == "/_subscribe":
            return self.sns.subscribe(request.json(), desk)
        if request.path == "/_unsubscribe":
            return self.sns.unsubscribe(request.json(), desk)
        if request.path.startswith(_S3):
            return self._store(request)
        try:
            check_signature(request, service="rekognition")
            return _answer(self._operate(request, desk))
        except (Refused, ApiError) as error:
            return _error(str(error))
        except (ValueError, KeyError, TypeError, AttributeError):
            return _error("InvalidParameterException")

    def failure(self, status: int, retry_after: str | None) -> Reply:
        """Say it as Amazon does, which knows no 429."""
        reply = _error(_CODE_OF_FAILURE.get(status, "UnknownOperationException"))
        return reply if status == 429 else replace(reply, status=status)

    # --- S3 ------------------------------------------------------------------------------------

    def _store(self, request: Request) -> Reply:
        try:
            check_signature(request, service="s3")
        except Refused as refusal:
            return _s3_error(403, _S3_CODES.get(str(refusal), "SignatureDoesNotMatch"))
        bucket, _, key = request.path.removeprefix(_S3).partition("/")
        if bucket == "no-such-bucket":
            return _s3_error(404, "NoSuchBucket")
        with self._lock:
            if request.method == "DELETE":
                self._memory.objects.pop((bucket, key), None)
                return Reply(204)
            if request.method != "PUT" or not key:
                return _s3_error(405, "MethodNotAllowed")
            self._memory.objects[bucket, key] = request.body
        tag = hashlib.md5(request.body, usedforsecurity=False).hexdigest()
        return Reply(200, b"", {"ETag": f'"{tag}"', "Content-Type": "application/xml"})

    def _object(self, where: Mapping[str, Any]) -> bytes:
        with self._lock:
            found = self._memory.objects.get((where["Bucket"], where["Name"]))
        if found is None:
            raise ApiError("InvalidS3ObjectException")
        return found

    # --- operations ----------------------------------------------------------------------------

    def _operate(self, request: Request, desk: Desk) -> dict[str, Any]:
        operations: Mapping[str, Callable[[Mapping[str, Any], Desk], dict[str, Any]]] = {
            "DetectModerationLabels": self._detect,
            "StartContentModeration": self._start,
            "GetContentModeration": self._get,
        }
        target = request.headers.get("x-amz-target", "")
        operation = operations.get(target.removeprefix(_TARGET))
        if operation is None or not target.startswith(_TARGET) or request.method != "POST":
            raise ApiError("UnknownOperationException")
        if request.headers.get("content-type") != "application/x-amz-json-1.1":
            raise ApiError("UnknownOperationException")
        return operation(request.json(), desk)

    def _detect(self, asked: Mapping[str, Any], desk: Desk) -> dict[str, Any]:
        image = asked["Image"]
        if ("Bytes" in image) == ("S3Object" in image):
            raise ApiError("InvalidParameterException")
        if "Bytes" in image:
            data = base64.b64decode(image["Bytes"], validate=True)
            most = MAX_IMAGE_BYTES
        else:
            data, most = self._object(image["S3Object"]), 3 * MAX_IMAGE_BYTES
        if len(data) > most:
            raise ApiError("ImageTooLargeException")
        if not data.startswith(_SIGNATURES):
            raise ApiError("InvalidImageFormatException")
        _raise_marked(data)
        return {
            "ModerationLabels": _labels(data, _least(asked)),
            "ModerationModelVersion": MODEL_VERSION,
            "ContentTypes": [],
        }

    def _start(self, asked: Mapping[str, Any], desk: Desk) -> dict[str, Any]:
        if not re.fullmatch(r"[\w.:+=/-]{0,1024}", asked.get("JobTag", ""), re.ASCII):
            raise ApiError("InvalidParameterException")
        token = asked.get("ClientRequestToken")
        if token is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", token):
            raise ApiError("InvalidParameterException")
        _least(asked)
        if (known := self._known(token, asked)) is not None:
            return {"JobId": known.id}
        data = self._object(asked["Video"]["S3Object"])
        _raise_marked(data)
        job = Job(secrets.token_hex(32), asked, data)
        with self._lock:
            self._memory.jobs[job.id] = job
            if token is not None:
                self._memory.job_of_token[token] = job
        self._plan_notifications(job, desk)
        return {"JobId": job.id}

    def _known(self, token: str | None, asked: Mapping[str, Any]) -> Job | None:
        with self._lock:
            job = self._memory.job_of_token.get(token or "")
        if job is not None and job.asked != asked:
            raise ApiError("IdempotentParameterMismatchException")
        return job

    def _plan_notifications(self, job: Job, desk: Desk) -> None:
        channel = job.asked.get("NotificationChannel")
        if channel is None:
            return
        if not channel["RoleArn"].startswith("arn:aws:iam::"):
            raise ApiError("InvalidParameterException")
        for one in self.sns.confirmed(channel["SNSTopicArn"]):
            desk.call_back(partial(self._notify, job, one, desk))

    def _notify(self, job: Job, one: Subscription, desk: Desk) -> Outgoing:
        job.is_done = True
        where = job.asked["Video"]["S3Object"]
        message = {
            "JobId": desk.job_to_name(job.id),
            "Status": job.status,
            "API": "StartContentModeration",
            "JobTag": job.asked.get("JobTag", ""),
            "Timestamp": round(desk.now() * 1000),
            "Video": {"S3ObjectName": where["Name"], "S3Bucket": where["Bucket"]},
        }
        return self.sns.notification(one, message, desk)

    def _get(self, asked: Mapping[str, Any], desk: Desk) -> dict[str, Any]:
        with self._lock:
            job = self._memory.jobs.get(asked["JobId"])
        if job is None:
            raise ApiError("ResourceNotFoundException")
        job.is_done, job.was_asked = job.is_done or job.was_asked, True
        told = {
            "JobStatus": job.status,
            "JobId": job.id,
            "Video": job.asked["Video"],
            "JobTag": job.asked.get("JobTag", ""),
            "GetRequestMetadata": {"SortBy": "TIMESTAMP", "AggregateBy": "TIMESTAMPS"},
        }
        if job.status == "FAILED":
            return {**told, "StatusMessage": "The video cannot be read."}
        if job.status == "IN_PROGRESS":
            return told
        return {**told, **_page(job, asked)}


# --- what is seen ------------------------------------------------------------------------------


def _least(asked: Mapping[str, Any]) -> float:
    least = asked.get("MinConfidence", _DEFAULT_CONFIDENCE)
    if not 0 <= least <= 100:
        raise ApiError("InvalidParameterException")
    return float(least)


def _labels(data: bytes, least: float, *, share: float = 1.0) -> list[dict[str, Any]]:
    """Return what is seen surely enough, each with the labels above it."""
    scores = scores_of(data, _MARKS)
    found: dict[str, dict[str, Any]] = {}
    for name, above, _ in _LABELS:
        confidence = round(scores[name] * share * 100, 4)
        if confidence < least:
            continue
        line = [*reversed(above), name]
        for level, (one, parent) in enumerate(zip(line, ["", *line[:-1]], strict=True), start=1):
            known = found.get(one, {}).get("Confidence", 0.0)
            found[one] = {
                "Confidence": max(confidence, known),
                "Name": one,
                "ParentName": parent,
                "TaxonomyLevel": level,
            }
    return sorted(found.values(), key=lambda label: -label["Confidence"])


def _page(job: Job, asked: Mapping[str, Any]) -> dict[str, Any]:
    least = _least(job.asked)
    found = [
        {"Timestamp": moment * MOMENT_MS, "ModerationLabel": label, "ContentTypes": []}
        for moment in range(MOMENTS)
        for label in _labels(job.data, least, share=1.0 if moment == MOMENTS - 1 else _ELSEWHERE)
    ]
    start = _start_of(asked.get("NextToken"), job.id)
    end = start + min(PAGE, asked.get("MaxResults", 1000))
    more = {"NextToken": f"{job.id}.{end}"} if end < len(found) else {}
    return {
        "ModerationLabels": found[start:end],
        "ModerationModelVersion": MODEL_VERSION,
        "VideoMetadata": {
            "Codec": "h264",
            "DurationMillis": MOMENTS * MOMENT_MS,
            "Format": "QuickTime / MOV",
            "FrameRate": 29.97,
            "FrameHeight": 720,
            "FrameWidth": 1280,
            "ColorRange": "LIMITED",
        },
        **more,
    }


def _start_of(token: str | None, job_id: str) -> int:
    if token is None:
        return 0
    match = re.fullmatch(rf"{job_id}\.(\d{{1,6}})", token)
    if match is None:
        raise ApiError("InvalidPaginationTokenException")
    return int(match[1])


def _raise_marked(data: bytes) -> None:
    for mark in marked_scores(data):
        code = _CODE_BY_NAME.get(mark.removeprefix("error "))
        if mark.startswith("error ") and code is not None:
            raise ApiError(code)


# --- answers -----------------------------------------------------------------------------------


def _answer(body: object, *, status: int = 200) -> Reply:
    return Reply(
        status,
        json.dumps(body).encode(),
        {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": str(uuid4())},
    )


def _error(code: str) -> Reply:
    return _answer(
        {
            "__type": code,
            "Code": code,
            "Logref": str(uuid4()),
            "Message": _MESSAGES.get(code, "This is refused."),
        },
        status=_STATUSES.get(code, 400),
    )


def _s3_error(status: int, code: str) -> Reply:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>'
    return Reply(status, body.encode(), {"Content-Type": "application/xml"})
