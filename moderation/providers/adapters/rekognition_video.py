"""Amazon Rekognition: what a video shows. The video goes to S3, and the answer comes later.

Amazon tells by its notification service (SNS) that a job is done; without, it is asked.
"""

from __future__ import annotations

import hmac
import json
import logging
import re
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, ClassVar
from urllib.parse import quote

from moderation.errors import (
    CallbackRefused,
    ProviderError,
    ProviderMalformed,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.outbound import Reply
from moderation.providers.base import (
    Account,
    Answer,
    AnyPart,
    Callback,
    Facts,
    Job,
    Notice,
    Setting,
    VideoPart,
)
from moderation.providers.shared.aws import raise_for_answer
from moderation.providers.shared.multipart import read_file
from moderation.providers.shared.rekognition import (
    BASE_URL,
    KEYS,
    MIN_CONFIDENCE,
    REGION,
    Label,
    RekognitionService,
    read_label,
    read_list,
    scores_of,
    version_in,
)
from moderation.providers.shared.service import kept, not_judged
from moderation.providers.shared.sns import Topic
from moderation.vocabulary import Outcome, Part

logger = logging.getLogger(__name__)

FORMATS = frozenset({"video/mp4", "video/quicktime"})
# Amazon takes 10 GB; an upload is in memory as a whole while it is signed and sent.
MAX_BYTES = 256 * 1024 * 1024
UPLOADS = "gatehouse"
_OUR_KEY = re.compile(rf"{UPLOADS}/[0-9a-f]{{32}}\.mp4")
# Failures that nobody tried again; each is a few bytes.
MAX_UNANSWERED = 1_000
# More pages than this are no video of ours, or an answer that never ends.
MAX_PAGES = 200
# About 8 kB of evidence.
MAX_FINDINGS = 60
# Amazon promises no time. A video that took four times its length, and 15 minutes, is lost.
GIVE_UP_SECONDS, GIVE_UP_LENGTHS = 900.0, 4.0
MAX_CERTIFICATE_BYTES = 64 * 1024

BUCKET = Setting(
    "bucket",
    "S3 bucket",
    help="In the same region, without dots in its name. Videos wait there until they are judged.",
    required=True,
    env="REKOGNITION_BUCKET",
)
TOPIC = Setting(
    "topic_arn",
    "SNS topic",
    help="Where Rekognition says that a job is done. Without one it is asked.",
    env="REKOGNITION_TOPIC_ARN",
)
ROLE = Setting(
    "role_arn",
    "IAM role",
    help="As whom Rekognition publishes to the topic.",
    env="REKOGNITION_ROLE_ARN",
)
CALLBACK_TOKEN = Setting(
    "callback_token",
    "Callback token",
    help="A long random text, with which the address that subscribes to the topic ends.",
    is_secret=True,
    env="REKOGNITION_CALLBACK_TOKEN",
)
S3_BASE_URL = Setting(
    "s3_base_url", "Address of the bucket", default="https://{bucket}.s3.{region}.amazonaws.com"
)


class RekognitionVideoAdapter(RekognitionService):
    """Starts a job with StartContentModeration, and reads it with GetContentModeration."""

    facts: ClassVar[Facts] = Facts(
        label="Amazon Rekognition (videos)",
        parts=frozenset({Part.VIDEO}),
        doc="rekognition_video",
        settings=(
            *KEYS,
            REGION,
            BUCKET,
            TOPIC,
            ROLE,
            CALLBACK_TOKEN,
            MIN_CONFIDENCE,
            BASE_URL,
            S3_BASE_URL,
            Setting("sns_host", "Host of the topic", help="Only for a sandbox."),
        ),
        price="By the minute of video; and S3 for as long as it is judged.",
        max_bytes=MAX_BYTES,
        timeout_seconds=60.0,
        answers_later=True,
        signs_callbacks=True,
    )

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._topic = Topic(
            self.option("topic_arn"), fetch=self._fetch_certificate, host=self.option("sns_host")
        )
        # Names of jobs that may have begun although Amazon's answer never came.
        self._unanswered: dict[tuple[str, str], str] = {}

    def judge_one(self, part: AnyPart) -> Answer:
        if not isinstance(part, VideoPart):
            raise ProviderRejected(f"{self.name} judges no {part.kind}.")
        if part.content_type not in FORMATS:
            return not_judged("format")
        content = read_file(part.path, max_bytes=MAX_BYTES)
        place = (part.key, part.fingerprint)
        name = self._unanswered.pop(place, "") or secrets.token_hex(16)
        try:
            job_id = self._begin(name, part, content)
        except ProviderUnavailable:
            if len(self._unanswered) < MAX_UNANSWERED:
                self._unanswered[place] = name
            raise
        longest = GIVE_UP_SECONDS + GIVE_UP_LENGTHS * part.duration_seconds
        return Answer(
            Outcome.PENDING,
            raw={"JobId": job_id},
            job=Job(job_id, give_up_after_seconds=longest),
        )

    def poll(self, job_id: str, kind: Part) -> Answer:
        pages = self._pages(job_id)
        first = next(pages)
        status = first.get("JobStatus")
        if status == "IN_PROGRESS":
            return Answer(Outcome.PENDING, job=Job(job_id))
        if status == "FAILED":
            answer = Answer(Outcome.FAILED, error="job_failed", raw=kept(first))
        elif status == "SUCCEEDED":
            answer = self._judged(first, pages)
        else:
            raise ProviderMalformed("The job has no status that is known.")
        self._forget_upload(first)
        return answer

    def read_callback(self, callback: Callback) -> Notice:
        token = self.secret("callback_token")
        if not token or not hmac.compare_digest(token.encode(), callback.token.encode()):
            raise CallbackRefused("The address is not the one that subscribed.")
        signed = self._topic.read(callback.body, now=datetime.now(UTC))
        message_id = signed["MessageId"]
        if signed["Type"] == "Notification":
            return Notice(message_id, job_id=_job_in(signed["Message"]))
        if signed["Type"] == "SubscriptionConfirmation":
            return Notice(message_id, confirm_url=signed["SubscribeURL"])
        # To confirm the end of a subscription would be to begin it again.
        return Notice(message_id)

    def confirm(self, url: str) -> None:
        if not self._topic.has(url):
            raise ProviderRejected("The address to confirm is not Amazon's.")
        raise_for_answer(self.send("GET", url))

    # --- a job's beginning ---------------------------------------------------------------------

    def _begin(self, name: str, part: VideoPart, content: bytes) -> str:
        """Return the job's id; a name that has begun already is the same job."""
        key = f"{UPLOADS}/{name}.mp4"
        kind = {"Content-Type": part.content_type}
        raise_for_answer(self._ask_s3("PUT", key, content, kind))
        started = self.call(
            "StartContentModeration",
            {
                "Video": {"S3Object": {"Bucket": self.option("bucket"), "Name": key}},
                "MinConfidence": self.min_confidence,
                "ClientRequestToken": name,
                "JobTag": re.sub(r"[^\w.:+=/-]", "_", part.key, flags=re.ASCII),
                **self._channel(),
            },
        )
        job_id = started.get("JobId")
        if not isinstance(job_id, str) or not job_id:
            raise ProviderMalformed("The job has no id.")
        return job_id

    def _channel(self) -> Mapping[str, object]:
        """Return who is told when a job is done, if anyone is."""
        topic, role = self.option("topic_arn"), self.option("role_arn")
        if not topic or not role:
            return {}
        return {"NotificationChannel": {"SNSTopicArn": topic, "RoleArn": role}}

    def _ask_s3(
        self, method: str, key: str, content: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        address = self.option("s3_base_url") or S3_BASE_URL.default
        for name, value in (("{bucket}", self.option("bucket")), ("{region}", self.region)):
            address = address.replace(name, value)
        url = f"{address.rstrip('/')}/{quote(key)}"
        signed = self.sign(method, url, headers or {}, content, service="s3")
        return self.send(method, url, headers=signed, content=content)

    # --- its end -------------------------------------------------------------------------------

    def _pages(self, job_id: str) -> Iterator[dict[str, Any]]:
        """Yield an answer's pages, one at least."""
        wanted: dict[str, Any] = {"JobId": job_id, "MaxResults": 1000, "SortBy": "TIMESTAMP"}
        for _ in range(MAX_PAGES):
            page = self.call("GetContentModeration", wanted)
            yield page
            following = page.get("NextToken")
            if not following:
                return
            if not isinstance(following, str) or following == wanted.get("NextToken"):
                raise ProviderMalformed("The answer's pages do not go on.")
            wanted["NextToken"] = following
        raise ProviderMalformed("The answer has too many pages.")

    def _judged(self, first: dict[str, Any], others: Iterator[dict[str, Any]]) -> Answer:
        found = [*_findings(first)]
        for page in others:
            found += _findings(page)
        moments = groupby(sorted(found, key=_moment), key=_moment)
        return Answer(
            Outcome.JUDGED,
            scores=scores_of([label for _, label, _ in seen] for _, seen in moments),
            raw=kept(_evidence(first, found)),
            model_version=version_in(first) or self.model_version,
        )

    def _forget_upload(self, page: Mapping[str, Any]) -> None:
        """Delete what was uploaded for a job. An answer is worth more than a tidy bucket."""
        match page.get("Video"):
            case {"S3Object": {"Bucket": str(bucket), "Name": str(key)}}:
                is_ours = bucket == self.option("bucket") and _OUR_KEY.fullmatch(key) is not None
            case _:
                return
        if not is_ours:
            return
        try:
            raise_for_answer(self._ask_s3("DELETE", key))
        except ProviderError as error:
            logger.warning("upload_kept", extra={"provider": self.name, "error": error.code})

    # --- who calls -----------------------------------------------------------------------------

    def _fetch_certificate(self, url: str) -> bytes:
        reply = self.send("GET", url)
        if reply.status != 200 or len(reply.content) > MAX_CERTIFICATE_BYTES:
            raise ProviderUnavailable(f"The certificate was not given: {reply.status}.")
        return reply.content


Finding = tuple[int, Label, Mapping[str, Any]]


def _findings(page: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield when, what, and how Rekognition said it."""
    for found in read_list(page, "ModerationLabels"):
        match found:
            case {"Timestamp": int(at), "ModerationLabel": label}:
                yield at, read_label(label), found
            case _:
                raise ProviderMalformed("A finding has no time or no label.")


def _moment(finding: Finding) -> int:
    return finding[0]


def _evidence(first: Mapping[str, Any], found: list[Finding]) -> dict[str, object]:
    """Return the first page with the findings of all pages that tell most."""
    left_out = ("NextToken", "ModerationLabels")
    rest = {name: value for name, value in first.items() if name not in left_out}
    labels = [said for _, _, said in _most_telling(found)]
    return {**rest, "ModerationLabels": labels, "found": len(found)}


def _most_telling(found: list[Finding]) -> list[Finding]:
    """Return the surest findings as they are shown, the surest of each label among them."""
    surest = sorted(found, key=_confidence, reverse=True)
    of_each_label: dict[str, Finding] = {}
    others = [one for one in surest if of_each_label.setdefault(one[1].name, one) is not one]
    return sorted([*of_each_label.values(), *others][:MAX_FINDINGS], key=_moment)


def _confidence(finding: Finding) -> float:
    return finding[1].confidence


def _job_in(message: str) -> str:
    """Return the job that a notification is about. Raises `CallbackRefused`."""
    try:
        found = json.loads(message)
    except (ValueError, RecursionError) as error:
        raise CallbackRefused("The notification is no JSON.") from error
    job_id = found.get("JobId") if isinstance(found, dict) else None
    if not isinstance(job_id, str) or not job_id:
        raise CallbackRefused("The notification names no job.")
    return job_id
