"""Hive's adapter against the sandbox, its callbacks, and the answers that are on record."""

from __future__ import annotations

import json
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
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.outbound import Reply
from moderation.providers.adapters.hive import CHUNK_CHARS, MAX_BYTES, MAX_CHARS, HiveAdapter
from moderation.providers.base import (
    Answer,
    AudioPart,
    Callback,
    ImagePart,
    Job,
    Span,
    TextPart,
    VideoPart,
)
from moderation.sandbox.forms import read_form
from moderation.sandbox.server import Sandbox
from moderation.vocabulary import Category, Outcome, Part
from tests.providers.accounts import FAULTS, account_at
from tests.providers.inbox import Inbox

JPEG = b"\xff\xd8\xff\xe0"
MP4 = b"\x00\x00\x00\x20ftypisom"
WEBP = b"RIFF\x10\x00\x00\x00WEBP"


def adapter(sandbox: Sandbox, inbox: Inbox | None = None, **given: str) -> HiveAdapter:
    account = account_at(sandbox, "hive", HiveAdapter.facts, **given)
    if inbox is not None:
        account = replace(account, callback_url=inbox.url)
    return HiveAdapter(account)


def a_file(folder: Path, content: bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def ask(sandbox: Sandbox, text: str, **given: str) -> Answer:
    (answer,) = adapter(sandbox, **given).judge([TextPart("text", text)])
    return answer


def look(sandbox: Sandbox, folder: Path, content: bytes, **given: str) -> Answer:
    (answer,) = adapter(sandbox, **given).judge([ImagePart("a", a_file(folder, content))])
    return answer


def sent(sandbox: Sandbox, number: int = -1) -> dict[str, bytes]:
    return read_form(sandbox.requests("hive")[number].request)


class Answering(HiveAdapter):
    """Reads an answer that was not made by the sandbox."""

    answer: object = None
    status = 200

    def send(self, method: str, url: str, **rest: object) -> Reply:  # type: ignore[override]
        return Reply(self.status, {}, json.dumps(self.answer).encode(), url)


def answering(sandbox: Sandbox, answer: object, status: int = 200) -> Answering:
    made = Answering(account_at(sandbox, "hive", HiveAdapter.facts))
    made.answer, made.status = answer, status
    return made


def task(response: object, code: object = "0") -> dict[str, Any]:
    return {
        "id": "ad8ba2c0-c5b4-11f0-9b2c-0242ac120002",
        "status": [{"status": {"code": code, "message": "SUCCESS"}, "response": response}],
    }


def read_text(sandbox: Sandbox, output: object, text: str = "hello", **beside: object) -> Answer:
    made = answering(sandbox, task({**beside, "output": output}))
    return made.judge_one(TextPart("text", text))


def read_frames(
    sandbox: Sandbox, folder: Path, *frames: dict[str, object]
) -> dict[Category, float]:
    output = [
        {"time": at, "classes": [{"class": name, "score": value} for name, value in one.items()]}
        for at, one in enumerate(frames)
    ]
    made = answering(sandbox, task({"output": output}))
    scores = made.judge_one(ImagePart("a", a_file(folder, JPEG))).scores
    return {category: round(value, 4) for category, value in scores.items()}


# --- texts --------------------------------------------------------------------------------------


def test_severities_of_a_text_become_scores(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "[[hate=1]] [[harassment=0.7]] [[sexual=0.4]] [[promotions=0.9]]")
    assert answer.outcome is Outcome.JUDGED
    assert {category: round(value, 2) for category, value in answer.scores.items()} == {
        Category.HATE: 1.0,
        Category.HARASSMENT: 0.67,
        Category.SEXUAL: 0.33,
        Category.SPAM: 0.7,
        Category.VIOLENCE: 0.0,
        Category.DRUGS: 0.0,
        Category.WEAPONS: 0.0,
        Category.SELF_HARM: 0.0,
        Category.SEXUAL_MINORS: 0.0,
        Category.PERSONAL_INFO: 0.0,
    }
    assert (answer.model_version, answer.cost_micros) == ("textmod_sandbox/1", 1_000)


def test_texts_are_answered_in_order(sandbox: Sandbox) -> None:
    parts = [TextPart(str(level), f"[[hate={level}]]") for level in (1, 0, 1)]
    answers = adapter(sandbox).judge(parts)
    assert [answer.scores[Category.HATE] for answer in answers] == [1, 0, 1]


def test_the_keys_of_both_projects_are_kept_apart(sandbox: Sandbox, tmp_path: Path) -> None:
    ask(sandbox, "a&b=c żółw", text_key="one", visual_key="two")
    look(sandbox, tmp_path, JPEG, text_key="one", visual_key="two")
    keys = [seen.request.headers["authorization"] for seen in sandbox.requests("hive")]
    assert keys == ["token one", "token two"]
    assert sent(sandbox, 0) == {"text_data": "a&b=c żółw".encode()}
    assert sent(sandbox) == {"media": JPEG}


@pytest.mark.parametrize(
    ("text_key", "visual_key", "parts"),
    [
        ("k", "", {Part.TEXT}),
        ("", "k", {Part.IMAGE, Part.GIF, Part.VIDEO}),
        ("k", "k", {Part.TEXT, Part.IMAGE, Part.GIF, Part.VIDEO}),
        ("", "", set()),
    ],
)
def test_it_judges_what_it_has_keys_for(
    sandbox: Sandbox, text_key: str, visual_key: str, parts: set[Part]
) -> None:
    made = adapter(sandbox, text_key=text_key, visual_key=visual_key)
    assert made.parts == parts
    assert made.is_available() == bool(parts)
    if Part.TEXT not in parts:
        with pytest.raises(ProviderRejected):
            made.judge_one(TextPart("text", "hello"))


def test_a_sound_is_rejected(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        adapter(sandbox).judge([AudioPart("a", Path("never-read.m4a"))])


def test_a_language_that_hive_does_not_know_is_not_judged(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "[[language=xx]] [[hate=1]]")
    assert (answer.outcome, answer.error, answer.scores) == (Outcome.NOT_JUDGED, "language", {})


def test_a_long_text_is_asked_about_in_pieces(sandbox: Sandbox) -> None:
    text = "words " * 250 + "[[hate=1]] " + "more " * 250
    answer = ask(sandbox, text)
    pieces = [sent(sandbox, number)["text_data"].decode() for number in range(3)]
    assert "".join(pieces) == text
    assert all(len(piece) <= CHUNK_CHARS for piece in pieces)
    assert answer.scores[Category.HATE] == 1.0
    assert answer.scores[Category.VIOLENCE] == 0.0
    assert answer.cost_micros == 3_000
    (span,) = answer.spans
    assert "[[hate=1]]" in text[span.start : span.end]
    assert span.end - span.start <= CHUNK_CHARS


def test_a_text_without_blanks_is_cut_all_the_same(sandbox: Sandbox) -> None:
    ask(sandbox, "ż" * (2 * CHUNK_CHARS + 1))
    assert [len(sent(sandbox, at)["text_data"].decode()) for at in range(3)] == [1024, 1024, 1]


def test_a_piece_that_was_not_judged_leaves_no_zeros(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "[[hate=1]] " + "words " * 200 + "[[language=xx]]")
    assert answer.scores == {Category.HATE: 1.0}


def test_a_text_that_is_too_long_is_not_sent(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        ask(sandbox, "a" * (MAX_CHARS + 1))
    assert sandbox.requests("hive") == []


# --- what is seen -------------------------------------------------------------------------------


def test_scores_of_a_picture_become_ours(sandbox: Sandbox, tmp_path: Path) -> None:
    marks = b"[[suggestive=0.9]][[weapons=0.6]][[blood=0.8]][[hate=0.5]][[culinary_knife=1]]"
    answer = look(sandbox, tmp_path, JPEG + marks)
    assert {
        category: round(value, 4) for category, value in answer.scores.items() if value > 0.02
    } == {
        Category.SEXUAL: 0.45,
        Category.WEAPONS: 0.6,
        Category.VIOLENCE: 0.24,
        Category.GRAPHIC: 0.4,
        Category.HATE: 0.5,
        Category.EXTREMISM: 0.4,
    }
    assert Category.SEXUAL_MINORS not in answer.scores
    assert (answer.model_version, answer.cost_micros) == ("mod_sandbox/1", 3_000)


def test_a_gif_is_sent_whole_and_judged_by_its_worst_frame(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    path = a_file(tmp_path, b"GIF89a [[graphic=0.8]]")
    answer = adapter(sandbox).judge_one(ImagePart("a", path, Part.GIF))
    assert answer.scores[Category.GRAPHIC] == 0.8
    assert answer.raw["frame_count"] == 3
    assert len(sandbox.requests("hive")) == 1


def test_other_animations_are_judged_by_their_sampled_frames(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    frames = tuple(
        a_file(tmp_path, JPEG + f"[[graphic=0.{level}]]".encode(), f"{level}.jpg")
        for level in (2, 9, 4)
    )
    part = ImagePart("a", a_file(tmp_path, WEBP), Part.GIF, frame_paths=frames)
    for pictures in ("at once", "later"):
        answer = adapter(sandbox, pictures=pictures).judge_one(part)
        assert answer.scores[Category.GRAPHIC] == 0.9
        assert answer.cost_micros == 9_000


def test_a_file_that_is_too_large_is_not_sent(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer
) -> None:
    path = tmp_path / "huge.mp4"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    for part in (ImagePart("a", path), VideoPart("a", path)):
        with pytest.raises(ProviderRejected):
            adapter(sandbox, Inbox(httpserver)).judge([part])
    assert sandbox.requests("hive") == []


# --- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "error"), [*FAULTS, ("wrong_types", ProviderMalformed)])
def test_a_failing_service_is_an_error(
    sandbox: Sandbox, tmp_path: Path, kind: str, error: type[ProviderError]
) -> None:
    sandbox.fail("hive", kind)
    with pytest.raises(error):
        ask(sandbox, "hello")
    with pytest.raises(error):
        look(sandbox, tmp_path, JPEG)


def test_how_long_to_wait_is_passed_on(sandbox: Sandbox) -> None:
    sandbox.fail("hive", 429, count=1, retry_after=7)
    sandbox.fail("hive", 429, count=1)
    waits = []
    for _ in range(2):
        with pytest.raises(ProviderRateLimited) as caught:
            ask(sandbox, "hello")
        waits.append(caught.value.retry_after_seconds)
    assert waits == [7, None]


def test_a_slow_service_is_given_up(sandbox: Sandbox) -> None:
    sandbox.fail("hive", "slow", delay_seconds=0.5)
    with pytest.raises(ProviderUnavailable):
        ask(sandbox, "hello", timeout_seconds="0.1")


def test_a_bad_key_is_said_to_be_bad(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderAuthFailed) as caught:
        ask(sandbox, "hello", text_key="bad-key")
    assert "bad-key" not in str(caught.value)


def test_a_class_that_is_missing_has_no_score(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fail("hive", "missing_category", category="hate")
    scores = ask(sandbox, "[[hate=1]] [[violence=1]]").scores
    assert scores[Category.VIOLENCE] == 1.0
    assert Category.HATE not in scores
    sandbox.lift()
    sandbox.fail("hive", "missing_category", category="yes_middle_finger")
    assert Category.PROFANITY not in look(sandbox, tmp_path, JPEG + b"[[profanity=1]]").scores


def test_unknown_fields_do_no_harm(sandbox: Sandbox) -> None:
    sandbox.fail("hive", "extra_fields")
    assert ask(sandbox, "[[hate=1]]").scores[Category.HATE] == 1.0


def test_a_file_that_hive_could_not_read_is_rejected(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected):
        look(sandbox, tmp_path, JPEG + b"[[fail=1]]")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("1000", ProviderUnavailable),
        (1000, ProviderUnavailable),
        ("2000", ProviderRejected),
        ("2205", ProviderRejected),
    ],
)
def test_a_failed_task_is_known_by_its_code(
    sandbox: Sandbox, code: object, error: type[ProviderError]
) -> None:
    with pytest.raises(error) as caught:
        answering(sandbox, task({}, code)).judge_one(TextPart("text", "hello"))
    assert type(caught.value) is error


@pytest.mark.parametrize(("code", "error"), [(429, ProviderRateLimited), (401, ProviderAuthFailed)])
def test_a_status_may_stand_in_the_answer(
    sandbox: Sandbox, code: int, error: type[ProviderError]
) -> None:
    found = {"return_code": code, "message": "Project has been rate limited"}
    with pytest.raises(error):
        answering(sandbox, found).judge_one(TextPart("text", "hello"))


# --- answers on record --------------------------------------------------------------------------

PICTURE_CLASSES: dict[str, object] = {
    "general_not_nsfw_not_suggestive": 0.98,
    "general_suggestive": 0.015,
    "general_nsfw": 0.005,
    "no_gun": 0.97,
    "gun_in_hand": 0.02,
    "gun_not_in_hand": 0.005,
    "animated_gun": 0.005,
    "yes_nazi": 0.001,
    "no_nazi": 0.999,
}


def test_a_picture_on_record_is_read(sandbox: Sandbox, tmp_path: Path) -> None:
    assert read_frames(sandbox, tmp_path, PICTURE_CLASSES) == {
        Category.SEXUAL: 0.0075,
        Category.WEAPONS: 0.02,
        Category.VIOLENCE: 0.008,
        Category.HATE: 0.001,
        Category.EXTREMISM: 0.0008,
    }


def test_a_text_on_record_is_read(sandbox: Sandbox) -> None:
    output = [
        {
            "time": 0,
            "start_char_index": 0,
            "end_char_index": 13,
            "classes": [
                {"class": "spam", "score": 0},
                {"class": "sexual", "score": 0},
                {"class": "hate", "score": 0},
                {"class": "violence", "score": 0},
                {"class": "bullying", "score": 2},
            ],
        }
    ]
    side = {
        "input": {"charge": "0.00100", "model": "textmod_xlm", "model_version": 1},
        "moderated_classes": ["sexual", "hate", "violence", "bullying", "spam"],
        "pii_entities": [],
    }
    answer = read_text(sandbox, output, "you are trash", **side)
    assert answer.scores == {
        Category.SPAM: 0.0,
        Category.SEXUAL: 0.0,
        Category.HATE: 0.0,
        Category.VIOLENCE: 0.0,
        Category.HARASSMENT: 2 / 3,
        Category.PERSONAL_INFO: 0.0,
    }
    assert answer.spans == [Span(0, 13, Category.HARASSMENT)]
    assert (answer.model_version, answer.cost_micros) == ("textmod_xlm/1", 1_000)


def classes(**severities: object) -> list[dict[str, object]]:
    return [{"class": name, "score": value} for name, value in severities.items()]


def test_what_is_beside_the_classes_may_stand_in_either_place(sandbox: Sandbox) -> None:
    side = {"moderated_classes": ["hate"], "pii_entities": [{"type": "email"}]}
    found = classes(hate=0, violence=0)
    for answer in (
        read_text(sandbox, [{"classes": found}], **side),
        read_text(sandbox, [{"classes": found, **side}]),
    ):
        # A class that was not moderated has no zero.
        assert answer.scores == {Category.HATE: 0.0, Category.PERSONAL_INFO: 1.0}


def test_a_class_that_says_something_counts_wherever_it_is_listed(sandbox: Sandbox) -> None:
    answer = read_text(sandbox, [{"classes": classes(hate=3)}], moderated_classes=["sexual"])
    assert answer.scores == {Category.HATE: 1.0}


def test_a_negative_score_is_none(sandbox: Sandbox, tmp_path: Path) -> None:
    answer = read_text(sandbox, [{"classes": classes(hate=-1, violence=1)}])
    assert answer.scores == {Category.VIOLENCE: 1 / 3}
    found = read_frames(sandbox, tmp_path, {"yes_nazi": -1, "very_bloody": 0.5})
    assert found == {Category.GRAPHIC: 0.5}


@pytest.mark.parametrize(
    ("severities", "score"),
    [
        ({"minor_explicitly_mentioned": 3, "sexual": 2}, 2 / 3),
        ({"minor_implicitly_mentioned": 3, "sexual": 0}, None),
        ({"minor_explicitly_mentioned": 3}, None),
        ({"sexual": 3}, None),
        ({"child_exploitation": 3}, 1.0),
        ({"child_exploitation": 0, "minor_explicitly_mentioned": 1, "sexual": 1}, 1 / 3),
    ],
)
def test_minors_count_together_with_something_sexual(
    sandbox: Sandbox, severities: dict[str, object], score: float | None
) -> None:
    output = [{"classes": classes(hate=0, **severities)}]
    assert read_text(sandbox, output).scores.get(Category.SEXUAL_MINORS) == score


@pytest.mark.parametrize(
    ("frames", "score"),
    [
        ([{"yes_child_present": 0.9, "general_nsfw": 0.8}], 0.8),
        ([{"yes_child_present": 0.4, "general_nsfw": 0.8}], None),
        ([{"yes_child_present": 0.9, "general_nsfw": 0.4}], None),
        # Children at a beach.
        ([{"yes_child_present": 0.9, "yes_female_swimwear": 1.0}], None),
        # Not in the same frame.
        ([{"yes_child_present": 0.9}, {"general_nsfw": 0.8}], None),
    ],
)
def test_a_child_counts_together_with_something_sexual(
    sandbox: Sandbox, tmp_path: Path, frames: list[dict[str, object]], score: float | None
) -> None:
    found = read_frames(sandbox, tmp_path, {"very_bloody": 0.0}, *frames)
    assert found.get(Category.SEXUAL_MINORS) == score


def test_a_span_beyond_the_text_is_left_out(sandbox: Sandbox) -> None:
    output = [{"start_char_index": 0, "end_char_index": 99, "classes": classes(hate=3)}]
    assert read_text(sandbox, output).spans == []


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"status": []},
        {"status": {}},
        {"status": ["done"]},
        {"status": [{"status": {"code": "0"}}]},
        task(None),
        task([]),
        task({}),
        task({"output": {}}),
        task({"output": []}),
        task({"output": [7]}),
        task({"output": [{}]}),
        task({"output": [{"classes": []}]}),
        task({"output": [{"classes": [{"class": "hate"}]}]}),
        task({"output": [{"classes": [{"class": "hate", "score": "1"}]}]}),
        task({"output": [{"classes": [{"class": "hate", "score": True}]}]}),
        task({"output": [{"classes": [{"score": 1}]}]}),
        task({"output": [{"classes": classes(hate=4, yes_nazi=1.5)}]}),
        task({"output": [{"classes": classes(hate=10**400, yes_nazi=10**400)}]}),
        task({"output": [{"classes": classes(unheard_of=1)}]}),
    ],
)
def test_an_odd_answer_is_no_score(sandbox: Sandbox, tmp_path: Path, found: object) -> None:
    made = answering(sandbox, found)
    with pytest.raises(ProviderMalformed):
        made.judge_one(TextPart("text", "hello"))
    with pytest.raises(ProviderMalformed):
        made.judge_one(ImagePart("a", a_file(tmp_path, JPEG)))


# --- videos -------------------------------------------------------------------------------------


def start(made: HiveAdapter, folder: Path, content: bytes) -> Job:
    answer = made.judge_one(VideoPart("v", a_file(folder, MP4 + content)))
    assert answer.outcome is Outcome.PENDING
    assert answer.job is not None
    assert answer.job.token not in json.dumps(answer.raw)
    return answer.job


def test_a_video_is_answered_later(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer
) -> None:
    inbox = Inbox(httpserver)
    made = adapter(sandbox, inbox)
    job = start(made, tmp_path, b"[[sexual=0.9]]")
    assert sandbox.requests("hive")[0].request.path == "/api/v2/task/async"
    assert sent(sandbox)["callback_url"].decode() == inbox.url(job.token)

    (message,) = inbox.wait()
    notice = made.read_callback(message)
    assert (message.token, notice.job_id) == (job.token, job.id)
    assert notice.answer is not None
    assert notice.answer.scores[Category.SEXUAL] == 0.9
    assert notice.answer.raw["frame_count"] == 3
    assert notice.answer.cost_micros == 3_000


def test_tokens_differ_and_cannot_be_guessed(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer
) -> None:
    made = adapter(sandbox, Inbox(httpserver))
    tokens = {start(made, tmp_path, b"").token for _ in range(3)}
    assert len(tokens) == 3
    assert all(32 < len(token) <= 64 for token in tokens)


def test_pictures_are_answered_later_where_that_is_wished(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer
) -> None:
    inbox = Inbox(httpserver)
    made = adapter(sandbox, inbox, pictures="later")
    answer = made.judge_one(ImagePart("a", a_file(tmp_path, JPEG + b"[[drugs=0.9]]")))
    assert answer.outcome is Outcome.PENDING
    notice = made.read_callback(inbox.wait()[0])
    assert notice.answer is not None
    assert notice.answer.scores[Category.DRUGS] == pytest.approx(0.54)


def test_without_a_public_address_there_are_no_jobs(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected):
        start(adapter(sandbox), tmp_path, b"")
    assert sandbox.requests("hive") == []


def test_a_job_whose_callback_never_comes_is_polled(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer
) -> None:
    made = adapter(sandbox, Inbox(httpserver))
    sandbox.script_callbacks("hive", never=True)
    job = start(made, tmp_path, b"[[graphic=0.9]]")
    assert made.poll(job.id, Part.VIDEO).outcome is Outcome.PENDING
    assert made.poll(job.id, Part.VIDEO).scores[Category.GRAPHIC] == 0.9


@pytest.mark.parametrize("kind", ["404", "unauthorized", "400", "html", "wrong_schema"])
def test_a_job_that_cannot_be_read_is_still_pending(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer, kind: str
) -> None:
    made = adapter(sandbox, Inbox(httpserver))
    job = start(made, tmp_path, b"")
    sandbox.fail("hive", kind)
    assert made.poll(job.id, Part.VIDEO).outcome is Outcome.PENDING


@pytest.mark.parametrize(
    ("kind", "error"), [("429", ProviderRateLimited), ("503", ProviderUnavailable)]
)
def test_a_poll_may_fail(sandbox: Sandbox, kind: str, error: type[ProviderError]) -> None:
    sandbox.fail("hive", kind)
    with pytest.raises(error):
        adapter(sandbox).poll("ad8ba2c0", Part.VIDEO)


def test_where_there_is_no_path_nobody_is_asked(sandbox: Sandbox) -> None:
    assert adapter(sandbox, status_path="").poll("x", Part.VIDEO).outcome is Outcome.PENDING
    assert sandbox.requests("hive") == []


def test_a_strange_job_id_stays_one_step_of_the_path(sandbox: Sandbox) -> None:
    made = adapter(sandbox)
    assert made.poll("../../v3/x?y#z", Part.VIDEO).outcome is Outcome.PENDING
    (seen,) = sandbox.requests("hive")
    assert seen.request.path == "/api/v2/task/..%2F..%2Fv3%2Fx%3Fy%23z"


def test_a_job_that_failed_says_so(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer
) -> None:
    inbox = Inbox(httpserver)
    made = adapter(sandbox, inbox)
    job = start(made, tmp_path, b"[[fail=1]]")
    made.poll(job.id, Part.VIDEO)
    notice = made.read_callback(inbox.wait()[0])
    for answer in (notice.answer, made.poll(job.id, Part.VIDEO)):
        assert answer is not None
        assert (answer.outcome, answer.scores) == (Outcome.FAILED, {})
        assert "2000" in answer.error


@pytest.mark.parametrize("name", ["id", "task_id"])
def test_a_job_is_known_by_either_name(sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    account = replace(
        account_at(sandbox, "hive", HiveAdapter.facts),
        callback_url=lambda token: f"http://x/{token}",
    )
    made = Answering(account)
    made.answer = {name: "26ac91d1", "message": "We received your task."}
    assert start(made, tmp_path, b"").id == "26ac91d1"


# --- callbacks ----------------------------------------------------------------------------------

DONE = task({"output": [{"classes": classes(general_nsfw=0.7)}]})


def message(body: object, token: str = "t0k3n") -> Callback:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Callback(token, {"content-type": "application/json"}, sent)


def test_a_result_is_read(sandbox: Sandbox) -> None:
    notice = adapter(sandbox).read_callback(message(DONE))
    assert notice.job_id == DONE["id"]
    assert notice.answer is not None
    assert notice.answer.scores == {Category.SEXUAL: 0.7}


def test_the_same_message_has_the_same_id(sandbox: Sandbox) -> None:
    made = adapter(sandbox)
    ids = [
        made.read_callback(one).message_id
        for one in (
            message(DONE),
            message(DONE),
            message(DONE, "other"),
            message({**DONE, "id": "7"}),
        )
    ]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(DONE).encode()[:-9],
        b"",
        b"[]",
        b"{}",
        {"id": DONE["id"]},
        {"id": DONE["id"], "status": []},
        {"id": DONE["id"], "status": [{}]},
        {"id": DONE["id"], "status": [{"status": {"code": "0"}}]},
        {"status": DONE["status"]},
        {"id": 7, "status": DONE["status"]},
        task(None),
        task({"output": []}),
        task({"output": [{"classes": classes(general_nsfw=1.5)}]}),
    ],
)
def test_whatever_is_no_result_is_refused(sandbox: Sandbox, body: object) -> None:
    with pytest.raises(CallbackRefused):
        adapter(sandbox).read_callback(message(body))


def test_a_message_to_no_job_is_refused(sandbox: Sandbox) -> None:
    with pytest.raises(CallbackRefused):
        adapter(sandbox).read_callback(message(DONE, token=""))


def test_a_forged_callback_comes_to_an_address_of_no_job(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer
) -> None:
    inbox = Inbox(httpserver)
    made = adapter(sandbox, inbox)
    sandbox.script_callbacks("hive", forged=True)
    job = start(made, tmp_path, b"")
    assert [one.token == job.token for one in inbox.wait(2)] == [False, True]


def test_a_repeated_callback_is_the_same_message(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer
) -> None:
    inbox = Inbox(httpserver)
    made = adapter(sandbox, inbox)
    sandbox.script_callbacks("hive", twice=True)
    start(made, tmp_path, b"")
    assert len({made.read_callback(one).message_id for one in inbox.wait(2)}) == 1


def test_a_callback_that_names_another_job_says_so(
    sandbox: Sandbox, tmp_path: Path, httpserver: HTTPServer
) -> None:
    inbox = Inbox(httpserver)
    made = adapter(sandbox, inbox)
    sandbox.script_callbacks("hive", unknown_job=True)
    job = start(made, tmp_path, b"")
    assert made.read_callback(inbox.wait()[0]).job_id != job.id


@pytest.mark.parametrize("charge", ["free", None, -1, 10**400, float("nan"), float("inf")])
def test_a_charge_that_is_none_is_no_cost(sandbox: Sandbox, charge: object) -> None:
    output = [{"classes": classes(hate=0)}]
    assert read_text(sandbox, output, input={"charge": charge}).cost_micros == 0
