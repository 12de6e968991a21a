"""Rekognition's adapter for videos against the sandbox: uploads, jobs, and who is believed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
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
from moderation.outbound import Reply
from moderation.providers.adapters.rekognition_video import (
    MAX_FINDINGS,
    MAX_PAGES,
    RekognitionVideoAdapter,
)
from moderation.providers.base import Answer, Callback, Job, Notice, TextPart, VideoPart
from moderation.sandbox.rekognition import RekognitionService
from moderation.sandbox.server import Sandbox
from moderation.vocabulary import Category, Outcome, Part
from tests.providers.accounts import FAULTS, account_at

TOPIC = "arn:aws:sns:us-east-1:123456789012:AmazonRekognitionModeration"
ROLE = "arn:aws:iam::123456789012:role/RekognitionSns"
TOKEN = "token-of-the-topic"
OUR_KEY = f"gatehouse/{'0' * 32}.mp4"
TOLD = {"topic_arn": TOPIC, "role_arn": ROLE, "callback_token": TOKEN}


def adapter(sandbox: Sandbox, **given: str) -> RekognitionVideoAdapter:
    facts = RekognitionVideoAdapter.facts
    place = {
        "bucket": "ugc",
        "s3_base_url": f"{sandbox.base_url}/rekognition/s3/{{bucket}}",
        "sns_host": sandbox.address,
    }
    return RekognitionVideoAdapter(account_at(sandbox, "rekognition", facts, **{**place, **given}))


def video(folder: Path, marks: str = "", **how: Any) -> VideoPart:
    path = folder / f"{len(list(folder.iterdir()))}.mp4"
    path.write_bytes(b"\0\0\0\x18ftypmp42" + marks.encode())
    return VideoPart("media:1", path, **how)


def start(made: RekognitionVideoAdapter, part: VideoPart) -> Job:
    (answer,) = made.judge([part])
    assert answer.outcome is Outcome.PENDING
    assert answer.scores == {}
    assert answer.job is not None
    return answer.job


def judged(made: RekognitionVideoAdapter, part: VideoPart) -> Answer:
    """Return what a job comes to, which is done when it is asked about a second time."""
    job = start(made, part)
    assert made.poll(job.id, Part.VIDEO).outcome is Outcome.PENDING
    return made.poll(job.id, Part.VIDEO)


def uploads(sandbox: Sandbox) -> list[tuple[str, str]]:
    service = sandbox.service("rekognition")
    assert isinstance(service, RekognitionService)
    return service.uploads


def operations(sandbox: Sandbox, name: str) -> list[dict[str, Any]]:
    return [
        json.loads(seen.request.body)
        for seen in sandbox.requests("rekognition")
        if seen.request.headers.get("x-amz-target", "").endswith(name)
    ]


# --- a job --------------------------------------------------------------------------------------


def test_a_video_is_uploaded_and_judged_later(sandbox: Sandbox, tmp_path: Path) -> None:
    made, part = adapter(sandbox), video(tmp_path, "[[violence=0.9]]", duration_seconds=60.0)
    job = start(made, part)
    assert job.token == ""
    assert job.give_up_after_seconds == 900.0 + 4 * 60.0
    ((bucket, key),) = uploads(sandbox)
    assert bucket == "ugc"
    assert re.fullmatch(r"gatehouse/[0-9a-f]{32}\.mp4", key)
    put = sandbox.requests("rekognition")[0].request
    assert (put.method, put.body) == ("PUT", part.path.read_bytes())
    assert put.headers["content-type"] == "video/mp4"
    (asked,) = operations(sandbox, "StartContentModeration")
    assert asked["Video"] == {"S3Object": {"Bucket": "ugc", "Name": key}}
    assert asked["JobTag"] == "media:1"
    assert "NotificationChannel" not in asked


def test_a_job_is_pending_until_it_is_done(sandbox: Sandbox, tmp_path: Path) -> None:
    made = adapter(sandbox)
    job = start(made, video(tmp_path))
    pending = made.poll(job.id, Part.VIDEO)
    assert pending.job is not None
    assert (pending.outcome, pending.job.id) == (Outcome.PENDING, job.id)
    answer = made.poll(job.id, Part.VIDEO)
    assert answer.outcome is Outcome.JUDGED
    assert set(answer.scores.values()) == {0.0}
    assert answer.model_version == "rekognition-7.0"


def test_the_worst_moment_counts_whichever_page_holds_it(sandbox: Sandbox, tmp_path: Path) -> None:
    answer = judged(adapter(sandbox), video(tmp_path, "[[violence=0.9]] [[hate=0.5]]"))
    assert answer.scores[Category.VIOLENCE] == pytest.approx(0.9)
    assert answer.scores[Category.HATE] == pytest.approx(0.5)
    assert answer.scores[Category.SEXUAL] == 0.0
    pages = operations(sandbox, "GetContentModeration")[1:]
    assert len(pages) == 3
    assert [("NextToken" in page) for page in pages] == [False, True, True]
    findings = answer.raw["ModerationLabels"]
    assert isinstance(findings, list)
    assert answer.raw["found"] == 12 * 5
    assert [one["Timestamp"] for one in findings] == sorted(one["Timestamp"] for one in findings)
    assert findings[-1]["Timestamp"] == 5_500
    assert "NextToken" not in answer.raw


def test_labels_are_weighed_moment_by_moment(sandbox: Sandbox, tmp_path: Path) -> None:
    """A weapon at one time must not hide the violence at another."""
    answer = read(
        sandbox,
        page(
            finding(0, "Violence", 98.0),
            finding(0, "Weapons", 98.0, "Violence"),
            finding(900, "Violence", 70.0),
        ),
    )
    assert answer.scores[Category.WEAPONS] == pytest.approx(0.98)
    assert answer.scores[Category.VIOLENCE] == pytest.approx(0.7)


def test_an_upload_is_deleted_when_its_job_has_ended(sandbox: Sandbox, tmp_path: Path) -> None:
    made = adapter(sandbox)
    assert judged(made, video(tmp_path)).outcome is Outcome.JUDGED
    assert uploads(sandbox) == []
    failed = judged(made, video(tmp_path, "[[failing=1]]"))
    assert (failed.outcome, failed.error) == (Outcome.FAILED, "job_failed")
    assert failed.raw["StatusMessage"] == "The video cannot be read."
    assert failed.scores == {}
    assert uploads(sandbox) == []


def test_an_upload_that_stays_does_not_cost_the_answer(sandbox: Sandbox, tmp_path: Path) -> None:
    made = adapter(sandbox)
    job = start(made, video(tmp_path, "[[hate=0.9]]"))
    made.poll(job.id, Part.VIDEO)
    sandbox.fail("rekognition", "503", path="/s3/")
    answer = made.poll(job.id, Part.VIDEO)
    assert answer.scores[Category.HATE] == pytest.approx(0.9)
    assert len(uploads(sandbox)) == 1


@pytest.mark.parametrize(
    ("bucket", "key"), [("ugc", "letters/1.mp4"), ("ugc", "gatehouse/../1.mp4"), ("else", OUR_KEY)]
)
def test_nothing_that_others_keep_is_deleted(
    sandbox: Sandbox, tmp_path: Path, bucket: str, key: str
) -> None:
    read(sandbox, {**page(), "Video": {"S3Object": {"Bucket": bucket, "Name": key}}})
    assert sandbox.requests("rekognition") == []
    read(sandbox, {**page(), "Video": {"S3Object": {"Bucket": "ugc", "Name": OUR_KEY}}})
    assert [seen.request.method for seen in sandbox.requests("rekognition")] == ["DELETE"]


@pytest.mark.parametrize("fault", ["reset", "cut_off", "empty", "503"])
def test_a_job_whose_answer_was_lost_is_found_again(
    sandbox: Sandbox, tmp_path: Path, fault: str
) -> None:
    made, part = adapter(sandbox), video(tmp_path)
    sandbox.fail("rekognition", fault, count=1, path="Start")
    with pytest.raises(ProviderUnavailable):
        made.judge([part])
    start(made, part)
    first, again = operations(sandbox, "StartContentModeration")
    assert first == again
    assert len(uploads(sandbox)) == 1


def test_each_question_is_a_job_of_its_own(sandbox: Sandbox, tmp_path: Path) -> None:
    """Two posts with one video wait for two jobs; neither deletes what the other needs."""
    made, part = adapter(sandbox), video(tmp_path, "[[hate=0.9]]")
    jobs = {start(made, part).id for _ in range(3)}
    assert len(jobs) == len(uploads(sandbox)) == 3


def test_any_key_of_a_part_is_a_tag(sandbox: Sandbox, tmp_path: Path) -> None:
    start(adapter(sandbox), replace(video(tmp_path), key="medium nr. 1 ü/2"))
    (asked,) = operations(sandbox, "StartContentModeration")
    assert asked["JobTag"] == "medium_nr._1__/2"


def test_an_answer_on_record_is_read(sandbox: Sandbox) -> None:
    answer = read(
        sandbox,
        {
            **page(finding(1000, "Violence", 91.0), finding(1000, "Weapons", 91.0, "Violence")),
            "VideoMetadata": {"Codec": "h264", "DurationMillis": 5600},
            "JobId": "270c1cc5e1d0ea2fbc59d97cb69a72a5495da75851976b14a1784ca90fc180e3",
            "GetRequestMetadata": {"SortBy": "TIMESTAMP", "AggregateBy": "TIMESTAMPS"},
        },
    )
    assert answer.scores[Category.WEAPONS] == pytest.approx(0.91)
    assert answer.scores[Category.VIOLENCE] == 0.0
    assert answer.raw["VideoMetadata"] == {"Codec": "h264", "DurationMillis": 5600}


def test_evidence_is_bounded_and_keeps_the_surest(sandbox: Sandbox) -> None:
    many = [finding(at, "Weapons", 30.0 + at / 100) for at in range(3_000)]
    answer = read(sandbox, page(*many, finding(7, "Smoking", 21.0)))
    kept = answer.raw["ModerationLabels"]
    assert isinstance(kept, list)
    assert len(kept) == MAX_FINDINGS
    # The one of its kind stays, however unsure.
    assert [one["Timestamp"] for one in kept] == [7, *range(3_001 - MAX_FINDINGS, 3_000)]
    assert answer.raw["found"] == 3_001
    assert len(json.dumps(answer.raw)) < 16 * 1024


# --- answers that mean nothing ------------------------------------------------------------------


def finding(at: object, name: str, confidence: object, parent: str = "") -> dict[str, object]:
    return {
        "Timestamp": at,
        "ModerationLabel": {"Confidence": confidence, "Name": name, "ParentName": parent},
        "ContentTypes": [],
    }


def page(*found: object, **more: object) -> dict[str, object]:
    return {
        "JobStatus": "SUCCEEDED",
        "ModerationLabels": list(found),
        "ModerationModelVersion": "7.0",
        **more,
    }


class Answering(RekognitionVideoAdapter):
    """Reads pages that were not made by the sandbox; the last one again and again."""

    pages: list[object] = []
    asked = 0

    def send(self, method: str, url: str, **rest: Any) -> Reply:
        if url.endswith("/rekognition/"):
            self.asked += 1
            found = self.pages[min(self.asked, len(self.pages)) - 1]
            return Reply(200, {}, json.dumps(found).encode(), url)
        return super().send(method, url, **rest)


def read(sandbox: Sandbox, *pages: object) -> Answer:
    account = adapter(sandbox).account
    made = Answering(account)
    made.pages = list(pages)
    return made.poll("job-1", Part.VIDEO)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"JobStatus": "DONE"},
        {"JobStatus": "SUCCEEDED"},
        {"JobStatus": "SUCCEEDED", "ModerationLabels": None},
        page("Violence"),
        page({"Timestamp": 1}),
        page(finding("1", "Violence", 50.0)),
        page(finding(1, "Violence", 500.0)),
        page(finding(1, "Violence", None)),
        page(NextToken=7),
        [],
    ],
)
def test_an_answer_that_means_nothing_is_no_score(sandbox: Sandbox, answer: object) -> None:
    with pytest.raises(ProviderMalformed):
        read(sandbox, answer)


def test_pages_that_never_end_mean_nothing(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderMalformed):
        read(sandbox, page(NextToken="1"), page(NextToken="1"))
    with pytest.raises(ProviderMalformed):
        read(sandbox, *[page(NextToken=str(number)) for number in range(MAX_PAGES + 1)])


def test_a_page_that_is_missing_leaves_nothing_judged(sandbox: Sandbox, tmp_path: Path) -> None:
    made = adapter(sandbox)
    job = start(made, video(tmp_path, "[[violence=0.9]]"))
    made.poll(job.id, Part.VIDEO)
    sandbox.fail("rekognition", "missing_category", category="ModerationLabels")
    with pytest.raises(ProviderMalformed):
        made.poll(job.id, Part.VIDEO)
    with pytest.raises(ProviderMalformed):
        read(sandbox, page(NextToken="2"), {"JobStatus": "SUCCEEDED"})
    # Whatever went wrong, the video is still there to be asked about.
    assert len(uploads(sandbox)) == 1


def test_a_job_without_an_id_is_no_job(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fail("rekognition", "missing_category", category="JobId", path="Start")
    with pytest.raises(ProviderMalformed):
        adapter(sandbox).judge([video(tmp_path)])


# --- failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "error"), FAULTS)
@pytest.mark.parametrize("operation", ["Start", "Get"])
def test_a_failure_is_named(
    sandbox: Sandbox, tmp_path: Path, operation: str, fault: str, error: type[ProviderError]
) -> None:
    made = adapter(sandbox)
    job = start(made, video(tmp_path))
    sandbox.fail("rekognition", fault, path=operation)
    part = video(tmp_path)
    with pytest.raises(error):
        made.judge([part]) if operation == "Start" else made.poll(job.id, Part.VIDEO)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"access_key_id": "bad-key"}, ProviderAuthFailed),
        ({"secret_access_key": "another-secret"}, ProviderAuthFailed),
        ({"bucket": "no-such-bucket"}, ProviderGone),
    ],
)
def test_an_upload_that_is_refused_starts_no_job(
    sandbox: Sandbox, tmp_path: Path, given: dict[str, str], error: type[ProviderError]
) -> None:
    with pytest.raises(error):
        adapter(sandbox, **given).judge([video(tmp_path)])
    assert operations(sandbox, "StartContentModeration") == []


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("LimitExceededException", ProviderRateLimited),
        ("VideoTooLargeException", ProviderRejected),
        ("IdempotentParameterMismatchException", ProviderRejected),
    ],
)
def test_an_error_is_known_by_its_code(
    sandbox: Sandbox, tmp_path: Path, code: str, error: type[ProviderError]
) -> None:
    with pytest.raises(error) as raised:
        adapter(sandbox).judge([video(tmp_path, f"[[error {code}=1]]")])
    assert type(raised.value) is error


def test_a_video_that_amazon_does_not_find_may_be_there_later(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    class Forgetting(RekognitionVideoAdapter):
        def send(self, method: str, url: str, **rest: Any) -> Reply:
            done = Reply(200, {}, b"", url)
            return done if method == "PUT" else super().send(method, url, **rest)

    with pytest.raises(ProviderUnavailable) as raised:
        Forgetting(adapter(sandbox).account).judge([video(tmp_path)])
    assert str(raised.value) == "InvalidS3ObjectException"


def test_a_job_that_nobody_knows_is_rejected(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        adapter(sandbox).poll("0" * 64, Part.VIDEO)


def test_what_it_cannot_read_is_not_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    made = adapter(sandbox)
    (answer,) = made.judge([video(tmp_path, content_type="video/webm")])
    assert (answer.outcome, answer.error) == (Outcome.NOT_JUDGED, "format")
    for part in (TextPart("text", "hello"), VideoPart("media:2", tmp_path / "gone.mp4")):
        with pytest.raises(ProviderRejected):
            made.judge([part])
    assert sandbox.requests("rekognition") == []


def test_a_video_too_large_is_not_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    part = video(tmp_path)
    with part.path.open("r+b") as file:
        file.truncate(256 * 1024 * 1024 + 1)
    with pytest.raises(ProviderRejected):
        adapter(sandbox).judge([part])
    assert sandbox.requests("rekognition") == []


@pytest.mark.parametrize("missing", ["access_key_id", "secret_access_key", "region", "bucket"])
def test_it_needs_keys_and_a_bucket(sandbox: Sandbox, missing: str) -> None:
    assert adapter(sandbox).is_available()
    assert not adapter(sandbox, **{missing: ""}).is_available()


# --- callbacks ----------------------------------------------------------------------------------


class Site:
    """Receives callbacks as the site would: a token at the end of the address."""

    def __init__(self) -> None:
        self.received: list[Callback] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                token = self.path.rpartition("/")[2]
                site.received.append(Callback(token, headers, body, path=self.path))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}/callbacks/aws/{TOKEN}"


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    thread = Thread(target=made.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def tell(sandbox: Sandbox, path: str, body: dict[str, object]) -> None:
    """Ask the sandbox for what a person does in Amazon's console."""
    client = adapter(sandbox)
    reply = client.send("POST", f"{sandbox.base_url}/rekognition/{path}", json=body)
    assert reply.status == 200


def subscribe(sandbox: Sandbox, site: Site, **more: object) -> None:
    body = {"TopicArn": TOPIC, "Endpoint": site.endpoint, "Confirmed": True, **more}
    tell(sandbox, "_subscribe", body)


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_job_that_is_done_is_announced(
    sandbox: Sandbox, site: Site, tmp_path: Path, version: str
) -> None:
    subscribe(sandbox, site, SignatureVersion=version)
    made = adapter(sandbox, **TOLD)
    job = start(made, video(tmp_path, "[[hate=0.9]]"))
    sandbox.wait_for_callbacks("rekognition")
    (callback,) = site.received
    assert callback.headers["content-type"] == "text/plain; charset=UTF-8"
    notice = made.read_callback(callback)
    assert (notice.job_id, notice.answer, notice.confirm_url) == (job.id, None, "")
    assert notice.message_id == callback.headers["x-amz-sns-message-id"]
    # It is done: it need not be asked twice.
    assert made.poll(job.id, Part.VIDEO).scores[Category.HATE] == pytest.approx(0.9)


def test_a_repeat_is_the_same_message(sandbox: Sandbox, site: Site, tmp_path: Path) -> None:
    subscribe(sandbox, site)
    sandbox.script_callbacks("rekognition", twice=True)
    made = adapter(sandbox, **TOLD)
    start(made, video(tmp_path))
    sandbox.wait_for_callbacks("rekognition", 2)
    first, again = [made.read_callback(callback) for callback in site.received]
    assert first == again
    certificates = [
        seen for seen in sandbox.requests("rekognition") if seen.request.path.endswith(".pem")
    ]
    assert len(certificates) == 1


def test_a_forged_message_is_refused(sandbox: Sandbox, site: Site, tmp_path: Path) -> None:
    subscribe(sandbox, site)
    sandbox.script_callbacks("rekognition", forged=True)
    made = adapter(sandbox, **TOLD)
    start(made, video(tmp_path))
    sent = sandbox.wait_for_callbacks("rekognition", 2)
    assert [one.kind for one in sent] == ["forged", "genuine"]
    forged, genuine = site.received
    with pytest.raises(CallbackRefused):
        made.read_callback(forged)
    assert made.read_callback(genuine).job_id


def test_an_old_message_is_refused(sandbox: Sandbox, site: Site, tmp_path: Path) -> None:
    subscribe(sandbox, site)
    sandbox.script_callbacks("rekognition", old_timestamp=True)
    made = adapter(sandbox, **TOLD)
    start(made, video(tmp_path))
    sandbox.wait_for_callbacks("rekognition")
    with pytest.raises(CallbackRefused, match="old"):
        made.read_callback(site.received[0])


def test_a_message_about_another_job_names_it(sandbox: Sandbox, site: Site, tmp_path: Path) -> None:
    subscribe(sandbox, site)
    sandbox.script_callbacks("rekognition", unknown_job=True)
    made = adapter(sandbox, **TOLD)
    job = start(made, video(tmp_path))
    sandbox.wait_for_callbacks("rekognition")
    assert made.read_callback(site.received[0]).job_id not in ("", job.id)


def test_a_subscription_is_confirmed_before_it_brings_anything(
    sandbox: Sandbox, site: Site, tmp_path: Path
) -> None:
    subscribe(sandbox, site, Confirmed=False)
    made = adapter(sandbox, **TOLD)
    start(made, video(tmp_path))
    sandbox.wait_for_callbacks("rekognition")
    (asked,) = site.received
    notice = made.read_callback(asked)
    assert notice.job_id == ""
    assert notice.confirm_url.startswith(f"{sandbox.base_url}/rekognition/sns/?Action=Confirm")
    made.confirm(notice.confirm_url)
    job = start(made, video(tmp_path, "another"))
    sandbox.wait_for_callbacks("rekognition", 2)
    assert made.read_callback(site.received[1]).job_id == job.id


def test_the_end_of_a_subscription_changes_nothing(
    sandbox: Sandbox, site: Site, tmp_path: Path
) -> None:
    subscribe(sandbox, site)
    tell(sandbox, "_unsubscribe", {"Endpoint": site.endpoint})
    sandbox.wait_for_callbacks("rekognition")
    notice = adapter(sandbox, **TOLD).read_callback(site.received[0])
    assert notice == Notice(notice.message_id)


def test_only_amazons_addresses_are_confirmed(sandbox: Sandbox) -> None:
    made = adapter(sandbox, **TOLD)
    with pytest.raises(ProviderRejected):
        made.confirm(f"http://{sandbox.address}.example.org/?Action=ConfirmSubscription")
    assert sandbox.requests("rekognition") == []
    with pytest.raises(ProviderGone):
        made.confirm(f"{sandbox.base_url}/rekognition/sns/?Action=ConfirmSubscription&Token=x")


# --- from the address to the notice -------------------------------------------------------------


def callback(sandbox: Sandbox, token: str = TOKEN, **changed: str) -> Callback:
    """Return an authentic message of the sandbox's, now."""
    service = sandbox.service("rekognition")
    assert isinstance(service, RekognitionService)
    message = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": '{"JobId":"270c1cc5","Status":"SUCCEEDED","API":"StartContentModeration"}',
        "Timestamp": datetime.now(UTC).isoformat(),
        **changed,
    }
    signer = service.sns.signer
    body = {
        **message,
        "SignatureVersion": "2",
        "Signature": signer.sign(message, "2"),
        "SigningCertURL": f"{sandbox.base_url}/rekognition{signer.path}",
    }
    return Callback(token, {}, json.dumps(body).encode())


def test_the_address_is_known_to_amazon_and_us_alone(sandbox: Sandbox) -> None:
    made = adapter(sandbox, **TOLD)
    assert made.read_callback(callback(sandbox)).job_id == "270c1cc5"
    for token in ("", "guessed", f"{TOKEN}x", "geraten-und-schön"):
        with pytest.raises(CallbackRefused):
            made.read_callback(callback(sandbox, token))


def test_without_a_token_nobody_may_call(sandbox: Sandbox) -> None:
    made = adapter(sandbox, **{**TOLD, "callback_token": ""})
    with pytest.raises(CallbackRefused):
        made.read_callback(callback(sandbox, ""))
    assert sandbox.requests("rekognition") == []


@pytest.mark.parametrize("message", ["", "hello", "[]", "{}", '{"JobId": 7}', '{"JobId": ""}'])
def test_a_notification_that_names_no_job_is_refused(sandbox: Sandbox, message: str) -> None:
    with pytest.raises(CallbackRefused):
        adapter(sandbox, **TOLD).read_callback(callback(sandbox, Message=message))


@pytest.mark.parametrize("fault", ["503", "404", "reset"])
def test_a_certificate_that_is_not_to_be_had_may_be_later(sandbox: Sandbox, fault: str) -> None:
    """Amazon sends it again when we fail ourselves, and not when we refuse."""
    made = adapter(sandbox, **TOLD)
    sandbox.fail("rekognition", fault, count=1)
    with pytest.raises(ProviderUnavailable):
        made.read_callback(callback(sandbox))
    assert made.read_callback(callback(sandbox)).job_id == "270c1cc5"
