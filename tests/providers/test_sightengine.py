"""Sightengine's adapter against the sandbox, its callbacks, and the answers that are on record."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from moderation.errors import (
    CallbackRefused,
    ProviderAuthFailed,
    ProviderError,
    ProviderMalformed,
    ProviderQuotaExhausted,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.outbound import Reply
from moderation.providers.adapters.sightengine import (
    MAX_BYTES,
    SIGNATURE_SECONDS,
    SightengineAdapter,
)
from moderation.providers.base import (
    Answer,
    AudioPart,
    Callback,
    ImagePart,
    Span,
    TextPart,
    VideoPart,
)
from moderation.sandbox.forms import read_form
from moderation.sandbox.server import Sandbox
from moderation.sandbox.sightengine import SIGNING_SECRET
from moderation.vocabulary import Category, Outcome, Part
from tests.providers.accounts import FAULTS, account_at
from tests.providers.inbox import Inbox

JPEG = b"\xff\xd8\xff\xe0"
MP4 = b"\x00\x00\x00\x20ftypisom"
WEBP = b"RIFF\x10\x00\x00\x00WEBP"


def adapter(sandbox: Sandbox, inbox: Inbox | None = None, **given: str) -> SightengineAdapter:
    given = {"api_user": "12345", "callback_secret": SIGNING_SECRET, **given}
    account = account_at(sandbox, "sightengine", SightengineAdapter.facts, **given)
    if inbox is not None:
        account = replace(account, callback_url=inbox.url)
    return SightengineAdapter(account)


def a_file(folder: Path, content: bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def ask(sandbox: Sandbox, text: str, expected: str = "en", **given: str) -> Answer:
    (answer,) = adapter(sandbox, **given).judge([TextPart("text", text, expected)])
    return answer


def look(sandbox: Sandbox, folder: Path, content: bytes, **given: str) -> Answer:
    picture = ImagePart("a", a_file(folder, content))
    (answer,) = adapter(sandbox, **given).judge([picture])
    return answer


def sent(sandbox: Sandbox, number: int = -1) -> dict[str, bytes]:
    return read_form(sandbox.requests("sightengine")[number].request)


class Answering(SightengineAdapter):
    """Reads an answer that was not made by the sandbox."""

    answer: object = None
    status = 200

    def send(self, method: str, url: str, **rest: object) -> Reply:  # type: ignore[override]
        return Reply(self.status, {}, json.dumps(self.answer).encode(), url)


def answering(sandbox: Sandbox, answer: object, status: int = 200, **given: str) -> Answering:
    given = {"api_user": "12345", "callback_secret": "casec_test", **given}
    made = Answering(account_at(sandbox, "sightengine", SightengineAdapter.facts, **given))
    made.answer, made.status = answer, status
    return made


# --- texts --------------------------------------------------------------------------------------


def test_scores_of_a_text_become_ours(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "[[hate=0.9]] [[harassment=0.5]] [[toxic=0.8]] [[violence=0.7]]")
    assert answer.outcome is Outcome.JUDGED
    assert {
        category: round(answer.scores[category], 4)
        for category in (Category.HATE, Category.HARASSMENT, Category.VIOLENCE, Category.THREAT)
    } == {
        Category.HATE: 0.9,
        Category.HARASSMENT: 0.64,
        Category.VIOLENCE: 0.7,
        Category.THREAT: 0.56,
    }
    assert answer.scores[Category.SEXUAL] < 0.1
    assert answer.scores[Category.SELF_HARM] < 0.1


def test_texts_are_answered_in_order(sandbox: Sandbox) -> None:
    parts = [TextPart(str(level), f"[[hate=0.{level}]]", "en") for level in (7, 3, 5)]
    answers = adapter(sandbox).judge(parts)
    assert [answer.scores[Category.HATE] for answer in answers] == [0.7, 0.3, 0.5]


def test_secrets_stay_out_of_addresses_and_answers(sandbox: Sandbox, tmp_path: Path) -> None:
    answers = [
        ask(sandbox, "hello", api_secret="s3cret&/="),
        look(sandbox, tmp_path, JPEG, api_secret="s3cret&/="),
    ]
    assert [seen.request.query for seen in sandbox.requests("sightengine")] == [{}, {}]
    assert sent(sandbox)["api_secret"] == sent(sandbox, 0)["api_secret"] == b"s3cret&/="
    assert "s3cret" not in json.dumps([answer.raw for answer in answers])


def test_a_text_of_any_letters_arrives(sandbox: Sandbox) -> None:
    ask(sandbox, "a=b&c żółw 😀\n%20")
    assert sent(sandbox)["text"].decode() == "a=b&c żółw 😀\n%20"


@pytest.mark.parametrize(
    ("language", "mode", "judged"),
    [("fr", "ml", True), ("sv", "ml", False), ("sv", "rules", True), ("fi", "ml", False)],
)
def test_each_mode_knows_its_languages(
    sandbox: Sandbox, language: str, mode: str, judged: bool
) -> None:
    answer = ask(sandbox, "hej", language, text_mode=mode)
    if judged:
        assert answer.outcome is Outcome.JUDGED
        assert sent(sandbox)["lang"] == language.encode()
    else:
        assert (answer.outcome, answer.error) == (Outcome.NOT_JUDGED, "language")
        assert sandbox.requests("sightengine") == []


def test_a_text_of_no_expected_language_is_sent_as_the_operator_says(sandbox: Sandbox) -> None:
    ask(sandbox, "hola", "", language="es")
    assert sent(sandbox)["lang"] == b"es"


def test_rules_find_words_and_where_they_stand(sandbox: Sandbox) -> None:
    text = "You utter moron, write to joe@example.com"
    answer = ask(sandbox, text, text_mode="rules")
    assert answer.scores == {
        Category.PROFANITY: 0.7,
        Category.PERSONAL_INFO: 1.0,
        Category.SPAM: 0.0,
    }
    assert [(text[span.start : span.end], span.category) for span in answer.spans] == [
        ("moron", Category.PROFANITY),
        ("joe@example.com", Category.PERSONAL_INFO),
    ]


@pytest.mark.parametrize("end", [16, 17])
def test_the_end_of_a_match_may_count_or_not(sandbox: Sandbox, end: int) -> None:
    match = {"type": "insult", "intensity": "high", "match": "moron", "start": 12, "end": end}
    made = answering(
        sandbox, {"status": "success", "profanity": {"matches": [match]}}, text_mode="rules"
    )
    answer = made.judge_one(TextPart("text", "You are such moron s", "en"))
    assert answer.scores == {Category.PROFANITY: 0.95}
    assert answer.spans == []
    answer = made.judge_one(TextPart("text", "You are the moron s", "en"))
    assert answer.spans == [Span(12, 17, Category.PROFANITY)]


# --- pictures -----------------------------------------------------------------------------------


def test_scores_of_a_picture_become_ours(sandbox: Sandbox, tmp_path: Path) -> None:
    answer = look(
        sandbox,
        tmp_path,
        JPEG + b"[[sexual=0.9]][[firearm_toy=0.9]][[graphic=0.6]][[hate=0.5]][[self_harm=0.4]]",
    )
    assert {category: round(value, 4) for category, value in answer.scores.items()} == {
        Category.SEXUAL: 0.9,
        Category.WEAPONS: 0.27,
        Category.GRAPHIC: 0.6,
        Category.HATE: 0.5,
        Category.EXTREMISM: 0.4,
        Category.SELF_HARM: 0.4,
        Category.VIOLENCE: pytest.approx(0.005, abs=0.007),
        Category.DRUGS: pytest.approx(0.005, abs=0.007),
        Category.PROFANITY: pytest.approx(0.005, abs=0.007),
    }


def test_models_that_are_not_asked_have_no_scores(sandbox: Sandbox, tmp_path: Path) -> None:
    answer = look(sandbox, tmp_path, JPEG, image_models="nudity-2.1,scam")
    assert set(answer.scores) == {Category.SEXUAL, Category.SPAM}
    assert sent(sandbox)["models"] == b"nudity-2.1,scam"


def test_the_version_changes_with_the_models(sandbox: Sandbox) -> None:
    versions = [
        adapter(sandbox, image_models=models).model_version for models in ("gore-2.0", "gore-2.1")
    ]
    assert versions[0] != versions[1]
    assert adapter(sandbox, image_models="gore-2.0").model_version == versions[0]


def test_a_gif_is_sent_whole_and_judged_by_its_worst_frame(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    path = a_file(tmp_path, b"GIF89a [[violence=0.8]]")
    answer = adapter(sandbox).judge_one(ImagePart("a", path, Part.GIF))
    assert answer.scores[Category.VIOLENCE] == 0.8
    assert answer.raw["frame_count"] == 3
    assert len(sandbox.requests("sightengine")) == 1


def test_other_animations_are_judged_by_their_sampled_frames(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    frames = tuple(
        a_file(tmp_path, JPEG + f"[[violence=0.{level}]]".encode(), f"{level}.jpg")
        for level in (2, 9, 4)
    )
    path = a_file(tmp_path, WEBP)
    answer = adapter(sandbox).judge_one(ImagePart("a", path, Part.GIF, frame_paths=frames))
    assert answer.scores[Category.VIOLENCE] == 0.9
    assert len(sandbox.requests("sightengine")) == 3


def test_a_file_that_is_too_large_is_not_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "huge.mp4"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    for part in (ImagePart("a", path), VideoPart("a", path)):
        with pytest.raises(ProviderRejected):
            adapter(sandbox).judge([part])
    assert sandbox.requests("sightengine") == []


def test_a_sound_is_rejected(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        adapter(sandbox).judge([AudioPart("a", Path("never-read.m4a"))])


# --- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "error"), [*FAULTS, ("wrong_types", ProviderMalformed)])
def test_a_failing_service_is_an_error(
    sandbox: Sandbox, tmp_path: Path, kind: str, error: type[ProviderError]
) -> None:
    sandbox.fail("sightengine", kind)
    with pytest.raises(error):
        ask(sandbox, "hello")
    with pytest.raises(error):
        look(sandbox, tmp_path, JPEG)


def test_how_long_to_wait_is_passed_on(sandbox: Sandbox) -> None:
    sandbox.fail("sightengine", 429, count=1, retry_after=7)
    sandbox.fail("sightengine", 429, count=1)
    waits = []
    for _ in range(2):
        with pytest.raises(ProviderRateLimited) as caught:
            ask(sandbox, "hello")
        waits.append(caught.value.retry_after_seconds)
    assert waits == [7, None]


def test_a_slow_service_is_given_up(sandbox: Sandbox) -> None:
    sandbox.fail("sightengine", "slow", delay_seconds=0.5)
    with pytest.raises(ProviderUnavailable):
        ask(sandbox, "hello", timeout_seconds="0.1")


def test_a_bad_secret_is_said_to_be_bad(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderAuthFailed) as caught:
        ask(sandbox, "hello", api_secret="bad-key")
    assert "bad-key" not in str(caught.value)


def test_a_plan_that_is_used_up_is_no_burst(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderQuotaExhausted):
        ask(sandbox, "hello", api_secret="no-quota")


def test_a_class_that_is_missing_has_no_score(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fail("sightengine", "missing_category", category="discriminatory")
    scores = ask(sandbox, "[[hate=0.9]] [[violence=0.6]]").scores
    assert scores[Category.VIOLENCE] == 0.6
    assert Category.HATE not in scores
    sandbox.lift()
    sandbox.fail("sightengine", "missing_category", category="gore")
    scores = look(sandbox, tmp_path, JPEG + b"[[graphic=0.9]]").scores
    assert Category.GRAPHIC not in scores
    assert Category.VIOLENCE in scores


def test_unknown_fields_do_no_harm(sandbox: Sandbox) -> None:
    sandbox.fail("sightengine", "extra_fields")
    assert ask(sandbox, "[[hate=0.6]]").scores[Category.HATE] == 0.6


@pytest.mark.parametrize(
    ("kind", "code", "error"),
    [
        ("argument_error", 1, ProviderAuthFailed),
        ("argument_error", 7, ProviderRejected),
        ("credentials_error", 2, ProviderAuthFailed),
        ("media_error", 2, ProviderRejected),
        ("usage_limit", 32, ProviderQuotaExhausted),
        ("plan_error", 2, ProviderAuthFailed),
        ("request_error", 2, ProviderRejected),
        ("callback_error", 2, ProviderRejected),
        ("api_error", 2, ProviderUnavailable),
        ("unknown_error", 2, ProviderUnavailable),
        ("a new one", 2, ProviderMalformed),
    ],
)
def test_a_failure_is_known_by_its_type_whatever_its_status(
    sandbox: Sandbox, kind: str, code: int, error: type[ProviderError]
) -> None:
    failure = {
        "status": "failure",
        "request": {"id": "req_hB8oV4x1kr", "timestamp": 1763657604.98, "operations": 0},
        "error": {"type": kind, "code": code, "message": "quoting s3cret"},
    }
    for status in (200, 400):
        expected = ProviderRejected if (kind, status) == ("a new one", 400) else error
        with pytest.raises(expected) as caught:
            answering(sandbox, failure, status).judge_one(TextPart("text", "hello", "en"))
        assert type(caught.value) is expected
        assert "s3cret" not in str(caught.value)


def test_a_failure_with_an_odd_body_is_known_by_its_status(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderAuthFailed):
        answering(sandbox, {"status": "failure", "error": "no"}, 401).judge_one(
            TextPart("text", "hello", "en")
        )


# --- answers on record --------------------------------------------------------------------------

LOW = 0.01
PICTURE: dict[str, Any] = {
    "status": "success",
    "request": {"id": "req_hB8oV4x1kq", "timestamp": 1763657604.98, "operations": 4},
    "nudity": {
        "sexual_activity": LOW,
        "sexual_display": LOW,
        "erotica": LOW,
        "very_suggestive": 0.02,
        "suggestive": 0.61,
        "mildly_suggestive": 0.74,
        "suggestive_classes": {"bikini": 0.6, "cleavage": 0.1},
        "none": 0.2,
        "context": {"sea_lake_pool": 0.9, "outdoor_other": 0.05, "indoor_other": 0.05},
    },
    "weapon": {
        "classes": {"firearm": LOW, "firearm_gesture": LOW, "firearm_toy": LOW, "knife": 0.02}
    },
    "gore": {"prob": 0.02, "classes": {"very_bloody": LOW, "skull": LOW}},
    "offensive": {
        "nazi": LOW,
        "confederate": LOW,
        "supremacist": LOW,
        "terrorist": LOW,
        "middle_finger": 0.02,
    },
    "media": {"id": "med_hB8oMGmV5XyBZ", "uri": "https://cdn.example.com/a.jpg"},
}


def test_a_picture_on_record_is_read(sandbox: Sandbox, tmp_path: Path) -> None:
    part = ImagePart("a", a_file(tmp_path, JPEG))
    answer = answering(sandbox, PICTURE).judge_one(part)
    assert {category: round(value, 4) for category, value in answer.scores.items()} == {
        Category.SEXUAL: 0.183,
        Category.WEAPONS: 0.02,
        Category.GRAPHIC: 0.02,
        Category.HATE: 0.01,
        Category.EXTREMISM: 0.01,
        Category.PROFANITY: 0.016,
    }
    assert answer.raw["worst_frames"] == [PICTURE]


@pytest.mark.parametrize(
    ("model", "found", "category", "score"),
    [
        ("offensive", {"prob": 0.9, "classes": {"nazi": 0.9}}, Category.HATE, 0.9),
        ("offensive", {"prob": 0.9, "terrorist": 0.7}, Category.EXTREMISM, 0.7),
        ("weapon", {"classes": {"knife": 0.8}, "firearm_type": {"animated": LOW}}, "weapons", 0.8),
        ("weapon", {"firearm": 0.8}, Category.WEAPONS, 0.8),
        ("gore", {"classes": {"skull": 0.2, "corpse": 0.6}}, Category.GRAPHIC, 0.6),
        ("gore", {"skull": 0.2, "corpse": 0.6, "type": {"real": 0.9}}, Category.GRAPHIC, 0.6),
        ("self-harm", {"prob": 0.5, "type": {"real": 0.7}}, Category.SELF_HARM, 0.5),
    ],
)
def test_models_are_read_in_either_form(
    sandbox: Sandbox, tmp_path: Path, model: str, found: object, category: str, score: float
) -> None:
    part = ImagePart("a", a_file(tmp_path, JPEG))
    answer = answering(sandbox, {"status": "success", model: found}).judge_one(part)
    assert answer.scores[Category(category)] == score


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"gore": 0.5},
        {"gore": {}},
        {"gore": {"prob": "0.5"}},
        {"gore": {"prob": 1.5}},
        {"gore": {"prob": None}},
        {"gore": {"classes": []}},
        {"gore": {"type": {"real": 0.5}}},
        {"nudity": {"none": 0.9}},
        {"nudity": {"erotica": True}},
        {"nudity": [0.5]},
        {"data": {}},
        {"data": {"frames": {}}},
        {"data": {"frames": []}},
        {"data": {"frames": ["none"]}},
    ],
)
def test_an_odd_answer_is_no_score(
    sandbox: Sandbox, tmp_path: Path, found: dict[str, object]
) -> None:
    part = ImagePart("a", a_file(tmp_path, JPEG))
    with pytest.raises(ProviderMalformed):
        answering(sandbox, {"status": "success", **found}).judge_one(part)


def test_a_text_on_record_is_read(sandbox: Sandbox) -> None:
    classes = {
        "available": ["sexual", "discriminatory", "insulting", "violent", "toxic", "self-harm"],
        "sexual": LOW,
        "discriminatory": LOW,
        "insulting": 0.96,
        "violent": LOW,
        "toxic": 0.89,
        "self-harm": LOW,
    }
    made = answering(sandbox, {"status": "success", "moderation_classes": classes})
    scores = made.judge_one(TextPart("text", "you are such a failure", "en")).scores
    assert scores[Category.HARASSMENT] == 0.96
    assert scores[Category.THREAT] == pytest.approx(0.008)


def test_rules_on_record_are_read(sandbox: Sandbox) -> None:
    found = {
        "status": "success",
        "profanity": {
            "matches": [
                {
                    "type": "insult",
                    "intensity": "medium",
                    "match": "moron",
                    "start": 12,
                    "end": 16,
                }
            ]
        },
        "personal": {
            "matches": [{"type": "email", "match": "joe@example.com", "start": 30, "end": 44}]
        },
        "link": {"matches": []},
    }
    text = "You are the moron. Please tell joe@example.com"
    made = answering(sandbox, found, text_mode="rules")
    answer = made.judge_one(TextPart("text", text, "en"))
    assert answer.scores == {
        Category.PROFANITY: 0.7,
        Category.PERSONAL_INFO: 1.0,
        Category.SPAM: 0.0,
    }
    # The second one is not where it is said to be.
    assert answer.spans == [Span(12, 17, Category.PROFANITY)]


def test_a_list_that_is_missing_has_no_score(sandbox: Sandbox) -> None:
    made = answering(sandbox, {"status": "success", "link": {"matches": []}}, text_mode="rules")
    assert made.judge_one(TextPart("text", "hello", "en")).scores == {Category.SPAM: 0.0}


# --- videos -------------------------------------------------------------------------------------


def start(made: SightengineAdapter, folder: Path, content: bytes) -> Answer:
    return made.judge_one(VideoPart("v", a_file(folder, MP4 + content)))


def test_a_video_is_answered_later(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer
) -> None:
    inbox = Inbox(httpserver)
    made = adapter(sandbox, inbox)
    answer = start(made, tmp_path, b"[[sexual=0.9]]")
    assert answer.outcome is Outcome.PENDING
    assert answer.job is not None
    assert sent(sandbox)["callback_url"].decode() == inbox.url(answer.job.token)
    assert sent(sandbox)["media"] == MP4 + b"[[sexual=0.9]]"
    assert answer.job.token not in json.dumps(answer.raw)

    (message,) = inbox.wait()
    notice = made.read_callback(message)
    assert (message.token, notice.job_id) == (answer.job.token, answer.job.id)
    assert notice.answer is not None
    assert notice.answer.outcome is Outcome.JUDGED
    assert notice.answer.scores[Category.SEXUAL] == 0.9
    assert notice.answer.raw["frame_count"] == 3


def test_tokens_differ_and_cannot_be_guessed(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer
) -> None:
    made = adapter(sandbox, Inbox(httpserver))
    jobs = [start(made, tmp_path, b"").job for _ in range(3)]
    tokens = {job.token for job in jobs if job}
    assert len(tokens) == 3
    assert all(32 < len(token) <= 64 for token in tokens)


@pytest.mark.parametrize("lacking", ["a signing secret", "a public address"])
def test_without_a_callback_a_video_is_polled(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer, lacking: str
) -> None:
    if lacking == "a signing secret":
        made = adapter(sandbox, Inbox(httpserver), callback_secret="")
    else:
        made = adapter(sandbox)
    job = start(made, tmp_path, b"[[violence=0.7]]").job
    assert job is not None
    assert job.token == ""
    assert "callback_url" not in sent(sandbox)
    assert made.poll(job.id, Part.VIDEO).outcome is Outcome.PENDING
    answer = made.poll(job.id, Part.VIDEO)
    assert answer.outcome is Outcome.JUDGED
    assert answer.scores[Category.VIOLENCE] == 0.7


def test_a_poll_reads_what_the_callback_says(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer
) -> None:
    inbox = Inbox(httpserver)
    made = adapter(sandbox, inbox)
    job = start(made, tmp_path, b"[[drugs=0.7]]").job
    assert job is not None
    notice = made.read_callback(inbox.wait()[0])
    assert notice.answer is not None
    assert made.poll(job.id, Part.VIDEO).scores == notice.answer.scores


@pytest.mark.parametrize("mark", ["fail", "stopped"])
def test_a_job_that_did_not_end_well_has_failed(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer, mark: str
) -> None:
    inbox = Inbox(httpserver)
    made = adapter(sandbox, inbox)
    job = start(made, tmp_path, f"[[{mark}=1]]".encode()).job
    assert job is not None
    notice = made.read_callback(inbox.wait()[0])
    for answer in (notice.answer, made.poll(job.id, Part.VIDEO)):
        assert answer is not None
        assert (answer.outcome, answer.scores) == (Outcome.FAILED, {})


def test_an_event_before_the_end_is_no_answer(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer
) -> None:
    inbox = Inbox(httpserver)
    made = adapter(sandbox, inbox)
    job = start(made, tmp_path, b"[[event=1]] [[sexual=0.9]]").job
    assert job is not None
    notices = [made.read_callback(message) for message in inbox.wait(2)]
    assert {notice.job_id for notice in notices} == {job.id}
    assert len({notice.message_id for notice in notices}) == 2
    assert sorted(notice.answer is None for notice in notices) == [False, True]


def test_a_job_that_nobody_knows_has_failed(sandbox: Sandbox) -> None:
    sandbox.fail("sightengine", 404)
    assert adapter(sandbox).poll("med_1", Part.VIDEO).outcome is Outcome.FAILED
    sandbox.lift()
    with pytest.raises(ProviderRejected):
        adapter(sandbox).poll("med_1", Part.VIDEO)


@pytest.mark.parametrize(
    ("kind", "error"),
    [("429", ProviderRateLimited), ("503", ProviderUnavailable), ("truncated", ProviderMalformed)],
)
def test_a_poll_may_fail(
    sandbox: Sandbox, tmp_path: Path, kind: str, error: type[ProviderError]
) -> None:
    job = start(adapter(sandbox), tmp_path, b"").job
    assert job is not None
    sandbox.fail("sightengine", kind)
    with pytest.raises(error):
        adapter(sandbox).poll(job.id, Part.VIDEO)


@pytest.mark.parametrize("status", ["ongoing", "a new one", None, 7])
def test_only_a_known_end_is_an_end(sandbox: Sandbox, status: object) -> None:
    found = {"media": {"id": "med_1"}, "data": {"status": status, "frames": [PICTURE]}}
    for answer in ({"status": "success", "output": found}, {"status": "success", **found}):
        polled = answering(sandbox, answer).poll("med_1", Part.VIDEO)
        assert (polled.outcome, polled.scores) == (Outcome.PENDING, {})


@pytest.mark.parametrize(
    "found",
    [
        {"media": {"id": "med_2"}, "data": {"status": "finished", "frames": [PICTURE]}},
        {"media": {"id": "med_1"}, "data": {"status": "finished", "frames": []}},
        {"media": {"id": "med_1"}, "data": {"status": "finished"}},
        {"media": {"id": "med_1"}},
    ],
)
def test_a_poll_of_another_form_is_malformed(sandbox: Sandbox, found: object) -> None:
    with pytest.raises(ProviderMalformed):
        answering(sandbox, {"status": "success", "output": found}).poll("med_1", Part.VIDEO)


@pytest.mark.parametrize("answer", [{}, {"media": {}}, {"media": {"id": 7}}, {"media": "med_1"}])
def test_an_upload_without_a_job_is_malformed(
    sandbox: Sandbox, tmp_path: Path, answer: dict[str, object]
) -> None:
    with pytest.raises(ProviderMalformed):
        start(answering(sandbox, {"status": "success", **answer}), tmp_path, b"")


def test_many_frames_leave_little_evidence(sandbox: Sandbox) -> None:
    frames = [{"info": {"position": 500 * at}, "gore": {"prob": at / 10_000}} for at in range(4000)]
    found = {"media": {"id": "med_1"}, "data": {"status": "finished", "frames": frames}}
    answer = answering(sandbox, {"status": "success", "output": found}).poll("med_1", Part.VIDEO)
    assert answer.scores == {Category.GRAPHIC: 0.3999}
    assert answer.raw["worst_frames"] == [frames[-1]]
    assert len(json.dumps(answer.raw)) < 1_000


# --- callbacks ----------------------------------------------------------------------------------

BODY = b'{"media":{"id":"med_1"},"data":{"status":"finished"}}'
VECTOR = "dbed584a84f42ab904ddbbf931714bd90ac2d8d8dac78ab3cf3b26c04b3a5c14"
VECTOR_AT = 1492774577


def signed(
    body: bytes = BODY, *, at: int | None = None, key: str = "casec_test", token: str = "t0k3n"
) -> Callback:
    at = int(time.time()) if at is None else at
    signature = hmac.new(key.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
    return Callback(token, {"sightengine-signature": f"t={at},v1={signature}"}, body)


@pytest.fixture
def reader(sandbox: Sandbox) -> SightengineAdapter:
    return adapter(sandbox, callback_secret="casec_test")


def test_the_signature_on_record_is_right(
    reader: SightengineAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: VECTOR_AT + 10.0)
    header = f"t={VECTOR_AT},v1={VECTOR}"
    assert signed(at=VECTOR_AT).headers["sightengine-signature"] == header
    notice = reader.read_callback(Callback("t0k3n", {"sightengine-signature": header}, BODY))
    assert notice.job_id == "med_1"


def test_the_same_message_has_the_same_id_even_if_signed_again(
    reader: SightengineAdapter,
) -> None:
    now = int(time.time())
    first, again = (reader.read_callback(signed(at=at)) for at in (now, now - 5))
    other = reader.read_callback(signed(BODY.replace(b"med_1", b"med_2")))
    assert first.message_id == again.message_id != other.message_id
    assert len(first.message_id) <= 200


def test_a_message_to_another_address_is_another(reader: SightengineAdapter) -> None:
    ids = {reader.read_callback(signed(token=token)).message_id for token in ("one", "two")}
    assert len(ids) == 2


def test_one_of_several_signatures_is_enough(reader: SightengineAdapter) -> None:
    message = signed()
    header = message.headers["sightengine-signature"]
    both = header.replace("v1=", f"v1={'0' * 64}, v0=x,v1=")
    assert reader.read_callback(replace(message, headers={"sightengine-signature": both}))


@pytest.mark.parametrize(
    "message",
    [
        signed(key="casec_other"),
        signed(key=""),
        replace(signed(), body=BODY[:-9]),
        replace(signed(), body=BODY.replace(b"med_1", b"med_2")),
        replace(signed(), headers={}),
        replace(signed(), headers={"sightengine-signature": ""}),
        replace(signed(), headers={"sightengine-signature": "t=1,v1="}),
        replace(signed(), headers={"sightengine-signature": f"v1={VECTOR}"}),
        replace(signed(), headers={"sightengine-signature": f"t={'9' * 5000},v1={VECTOR}"}),
        replace(signed(), headers={"sightengine-signature": f"t=²,v1={VECTOR}"}),
        replace(signed(), headers={"sightengine-signature": f"t={int(time.time())},v1=ż"}),
        replace(signed(), headers={"sightengine-signature": f"t={int(time.time())}"}),
        signed(b"[]"),
        signed(b"no json"),
        signed(b"{}"),
        signed(b'{"media":{},"data":{}}'),
        signed(b'{"media":{"id":7},"data":{}}'),
        signed(b'{"media":{"id":"med_1"},"data":[]}'),
    ],
)
def test_whatever_is_not_theirs_is_refused(reader: SightengineAdapter, message: Callback) -> None:
    with pytest.raises(CallbackRefused):
        reader.read_callback(message)


@pytest.mark.parametrize("late", [SIGNATURE_SECONDS + 5, -SIGNATURE_SECONDS - 5])
def test_a_recording_is_refused(reader: SightengineAdapter, late: int) -> None:
    with pytest.raises(CallbackRefused):
        reader.read_callback(signed(at=int(time.time()) - late))


def test_without_a_secret_nothing_is_believed(sandbox: Sandbox) -> None:
    with pytest.raises(CallbackRefused):
        adapter(sandbox, callback_secret="").read_callback(signed(key=""))


def test_an_end_that_cannot_be_read_is_to_be_read_again(reader: SightengineAdapter) -> None:
    notice = reader.read_callback(signed())
    assert (notice.job_id, notice.answer) == ("med_1", None)


def test_a_callback_on_record_is_read(reader: SightengineAdapter) -> None:
    frame = {
        "info": {"id": "med_hB8oMGmV5XyBZ_1", "position": 1000},
        "nudity": {"sexual_activity": LOW, "sexual_display": LOW, "erotica": LOW, "none": 0.97},
    }
    body = {
        "media": {"id": "med_hB8oMGmV5XyBZ", "uri": "https://cdn.example.com/v.mp4"},
        "request": "req_hB8oV4x1kq",
        "data": {"status": "finished", "frames": [frame]},
    }
    notice = reader.read_callback(signed(json.dumps(body).encode()))
    assert notice.job_id == "med_hB8oMGmV5XyBZ"
    assert notice.answer is not None
    assert notice.answer.scores == {Category.SEXUAL: LOW}
    assert notice.answer.raw["worst_frames"] == [frame]


def test_forged_and_old_callbacks_of_the_sandbox_are_refused(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer
) -> None:
    inbox = Inbox(httpserver)
    made = adapter(sandbox, inbox)
    sandbox.script_callbacks("sightengine", forged=True, old_timestamp=True)
    start(made, tmp_path, b"")
    for message in inbox.wait(2):
        with pytest.raises(CallbackRefused):
            made.read_callback(message)


def test_a_repeated_callback_of_the_sandbox_is_the_same_message(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer
) -> None:
    inbox = Inbox(httpserver)
    made = adapter(sandbox, inbox)
    sandbox.script_callbacks("sightengine", twice=True)
    start(made, tmp_path, b"")
    assert len({made.read_callback(message).message_id for message in inbox.wait(2)}) == 1


def test_a_callback_that_names_another_job_says_so(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer
) -> None:
    inbox = Inbox(httpserver)
    made = adapter(sandbox, inbox)
    sandbox.script_callbacks("sightengine", unknown_job=True)
    job = start(made, tmp_path, b"").job
    assert job is not None
    assert made.read_callback(inbox.wait()[0]).job_id != job.id
