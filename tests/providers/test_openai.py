"""OpenAI's adapter against the sandbox, and against the answers that are on record."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from moderation.errors import (
    ProviderAuthFailed,
    ProviderError,
    ProviderMalformed,
    ProviderQuotaExhausted,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.outbound import Reply
from moderation.providers.adapters import openai
from moderation.providers.adapters.openai import OpenAIAdapter
from moderation.providers.base import Account, Answer, AnyPart, ImagePart, TextPart, VideoPart
from moderation.sandbox.server import Sandbox
from moderation.vocabulary import Category, Outcome, Part
from tests.providers.accounts import FAULTS, account_at
from tests.providers.pictures import moving, still

SEEN_IN_IMAGES = {Category.SELF_HARM, Category.SEXUAL, Category.VIOLENCE, Category.GRAPHIC}
RECORDED_SCORES = {
    "harassment": 0.8189693396524255,
    "harassment/threatening": 0.804985420696006,
    "hate": 0.007562942636942845,
    "hate/threatening": 0.004208854591835476,
    "illicit": 0.030535955153511665,
    "illicit/violent": 0.008925306722380033,
    "self-harm": 0.012598046106750154,
    "self-harm/intent": 0.00023023930975076432,
    "self-harm/instructions": 0.0002293869201073356,
    "sexual": 1.573112165348997e-06,
    "sexual/minors": 2.212566909570261e-08,
    "violence": 0.9999992735124786,
    "violence/graphic": 0.843064871157054,
}
RECORDED_WAIT = (
    "Rate limit reached for omni-moderation-latest in organization org-x on requests per min "
    "(RPM): Limit 500, Used 500, Requested 1. Please try again in 120ms."
)


def adapter(sandbox: Sandbox, **given: str) -> OpenAIAdapter:
    return OpenAIAdapter(account_at(sandbox, "openai", OpenAIAdapter.facts, **given))


def texts(*given: str) -> list[TextPart]:
    return [TextPart(f"text:{number}", text) for number, text in enumerate(given)]


def ask(sandbox: Sandbox, part: AnyPart | str, **given: str) -> Answer:
    asked = texts(part)[0] if isinstance(part, str) else part
    (answer,) = adapter(sandbox, **given).judge([asked])
    return answer


def asked_of(sandbox: Sandbox, number: int = -1) -> dict[str, Any]:
    question: dict[str, Any] = json.loads(sandbox.requests("openai")[number].request.body)
    return question


class Answering(OpenAIAdapter):
    """Reads an answer that was not made by the sandbox."""

    answer: object = None
    status = 200
    headers: Mapping[str, str] = {}

    def send(self, method: str, url: str, **rest: object) -> Reply:
        content = (
            self.answer if isinstance(self.answer, bytes) else json.dumps(self.answer).encode()
        )
        return Reply(self.status, self.headers, content, url)


def read(answer: object, part: AnyPart | None = None, status: int = 200, **headers: str) -> Answer:
    made = Answering(Account("openai", secrets={"api_key": "good-key"}))
    made.answer, made.status = answer, status
    made.headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return made.judge_one(part or texts("hello")[0])


def answer_of(scores: Mapping[str, object], **more: object) -> dict[str, object]:
    return {"id": "modr-1", "model": "omni-moderation-latest", "results": [result(scores, **more)]}


def result(scores: Mapping[str, object], **more: object) -> dict[str, object]:
    return {"flagged": True, "categories": {}, "category_scores": dict(scores), **more}


def error(code: str | None, message: str = "", kind: str = "") -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


# --- texts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mark", "category", "score"),
    [
        ("hate=0.93", Category.HATE, 0.93),
        ("hate/threatening=0.7", Category.HATE, 0.7),
        ("hate/threatening=0.7", Category.THREAT, 0.7),
        ("harassment=0.6", Category.HARASSMENT, 0.6),
        ("threat=0.8", Category.THREAT, 0.8),
        ("threat=0.8", Category.HARASSMENT, 0.8),
        ("illicit=0.5", Category.ILLICIT, 0.5),
        ("weapons=0.8", Category.ILLICIT, 0.8),
        ("weapons=0.8", Category.WEAPONS, 0.56),
        ("self_harm=0.9", Category.SELF_HARM, 0.9),
        ("self-harm/intent=0.9", Category.SELF_HARM, 0.9),
        ("sexual=0.4", Category.SEXUAL, 0.4),
        ("sexual_minors=0.4", Category.SEXUAL_MINORS, 0.4),
        ("violence=0.4", Category.VIOLENCE, 0.4),
        ("graphic=0.9", Category.VIOLENCE, 0.9),
        ("graphic=0.9", Category.GRAPHIC, 0.9),
    ],
)
def test_a_label_counts_towards_its_categories(
    sandbox: Sandbox, mark: str, category: Category, score: float
) -> None:
    answer = ask(sandbox, f"hello [[{mark}]]")
    assert answer.outcome is Outcome.JUDGED
    assert answer.scores[category] == pytest.approx(score)


def test_a_plain_text_is_low_in_every_category(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "hello")
    assert len(answer.scores) == 10
    assert max(answer.scores.values()) < 0.02
    assert (answer.cost_micros, answer.model_version) == (0, "omni-moderation-latest")


def test_texts_are_one_call_and_answered_in_order(sandbox: Sandbox) -> None:
    given = [f"{number} [[hate=0.{number}]]" for number in range(1, 9)]
    answers = adapter(sandbox).judge(texts(*given))
    assert [answer.scores[Category.HATE] for answer in answers] == [
        pytest.approx(number / 10) for number in range(1, 9)
    ]
    assert len(sandbox.requests("openai")) == 1
    assert asked_of(sandbox) == {"model": "omni-moderation-latest", "input": given}


def test_the_call_is_as_documented(sandbox: Sandbox) -> None:
    ask(sandbox, "hello", organization="org-1", project="proj-1")
    request = sandbox.requests("openai")[0].request
    assert (request.method, request.path) == ("POST", "/v1/moderations")
    assert request.headers["authorization"] == "Bearer good-key"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["openai-organization"] == "org-1"
    assert request.headers["openai-project"] == "proj-1"


def test_what_is_not_set_is_not_sent(sandbox: Sandbox) -> None:
    ask(sandbox, "hello")
    assert not {"openai-organization", "openai-project"} & set(
        sandbox.requests("openai")[0].request.headers
    )


def test_the_recorded_answer_is_read() -> None:
    answer = read(answer_of(RECORDED_SCORES))
    assert answer.scores == pytest.approx(
        {
            Category.HATE: 0.007562942636942845,
            Category.HARASSMENT: 0.8189693396524255,
            Category.THREAT: 0.804985420696006,
            Category.ILLICIT: 0.030535955153511665,
            Category.WEAPONS: 0.7 * 0.008925306722380033,
            Category.SELF_HARM: 0.012598046106750154,
            Category.SEXUAL: 1.573112165348997e-06,
            Category.SEXUAL_MINORS: 2.212566909570261e-08,
            Category.VIOLENCE: 0.9999992735124786,
            Category.GRAPHIC: 0.843064871157054,
        }
    )
    assert answer.raw["id"] == "modr-1"
    kept = answer.raw["result"]
    assert isinstance(kept, dict)
    assert kept["category_scores"] == RECORDED_SCORES


def test_a_text_model_has_no_illicit_labels(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "hello", model="text-moderation-stable")
    assert answer.scores.keys() == {
        *SEEN_IN_IMAGES,
        Category.HATE,
        Category.HARASSMENT,
        Category.THREAT,
        Category.SEXUAL_MINORS,
    }
    assert answer.model_version == "text-moderation-stable"


# --- pictures ----------------------------------------------------------------------------------


def test_a_picture_is_sent_as_it_is_and_judged_in_what_the_model_sees(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    picture = still(tmp_path, "[[sexual=0.9]] [[graphic=0.8]] [[hate=0.9]]")
    answer = ask(sandbox, picture)
    assert answer.scores.keys() == SEEN_IN_IMAGES
    assert answer.scores[Category.SEXUAL] == 0.9
    assert answer.scores[Category.VIOLENCE] == answer.scores[Category.GRAPHIC] == 0.8
    [sent] = asked_of(sandbox)["input"]
    head, _, data = sent["image_url"]["url"].partition(",")
    assert (sent["type"], head) == ("image_url", "data:image/png;base64")
    assert base64.b64decode(data) == picture.path.read_bytes()


def test_pictures_are_one_call_each_beside_the_texts(sandbox: Sandbox, tmp_path: Path) -> None:
    parts: list[AnyPart] = [
        still(tmp_path, "[[sexual=0.9]]"),
        *texts("[[hate=0.8]]"),
        still(tmp_path, "[[violence=0.7]]"),
        *texts("[[hate=0.6]]"),
    ]
    first, second, third, fourth = adapter(sandbox).judge(parts)
    assert first.scores[Category.SEXUAL] == 0.9
    assert third.scores[Category.VIOLENCE] == 0.7
    assert (second.scores[Category.HATE], fourth.scores[Category.HATE]) == (0.8, 0.6)
    assert len(sandbox.requests("openai")) == 3


def test_an_animation_is_as_bad_as_its_worst_frame(sandbox: Sandbox, tmp_path: Path) -> None:
    animation = moving(tmp_path, ["", "[[sexual=0.9]]", "[[violence=0.7]]"])
    answer = ask(sandbox, animation)
    assert answer.scores[Category.SEXUAL] == 0.9
    assert answer.scores[Category.VIOLENCE] == 0.7
    assert answer.scores.keys() == SEEN_IN_IMAGES
    assert len(sandbox.requests("openai")) == 3
    frames = answer.raw["frames"]
    assert isinstance(frames, list)
    assert len(frames) == 3


def test_an_animation_fails_when_one_of_its_frames_does(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable):
        ask(sandbox, moving(tmp_path, ["", "[[fault=503]]", ""]))


def test_frames_that_were_judged_differently_are_no_answer(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    with pytest.raises(ProviderMalformed):
        ask(sandbox, moving(tmp_path, ["", "[[fault=missing_category:sexual]]"]))


def test_an_animation_without_frames_is_not_judged(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected):
        ask(sandbox, ImagePart("media:1", still(tmp_path).path, kind=Part.GIF))
    assert sandbox.requests("openai") == []


@pytest.mark.parametrize("applied", [None, [], "absent"])
def test_a_score_of_what_was_not_looked_for_is_none(tmp_path: Path, applied: object) -> None:
    looked = {
        label: ["image"] if label in openai._SEEN_IN_IMAGES else applied
        for label in RECORDED_SCORES
        if label in openai._SEEN_IN_IMAGES or applied != "absent"
    }
    scores = {**dict.fromkeys(RECORDED_SCORES, 0.0), "violence": 0.9}
    answer = read(answer_of(scores, category_applied_input_types=looked), still(tmp_path))
    assert answer.scores.keys() == SEEN_IN_IMAGES


def test_an_answer_that_says_what_it_looked_for_is_believed(tmp_path: Path) -> None:
    picture = still(tmp_path)
    looked = {"sexual": ["image"], "sexual/minors": ["image"], "violence": ["text"]}
    answer = read(answer_of(RECORDED_SCORES, category_applied_input_types=looked), picture)
    assert answer.scores.keys() == {Category.SEXUAL, Category.SEXUAL_MINORS}
    assert read(answer_of(RECORDED_SCORES), picture).scores.keys() == SEEN_IN_IMAGES


def test_a_picture_that_is_too_large_is_not_sent(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai, "MAX_IMAGE_BYTES", 100)
    with pytest.raises(ProviderRejected):
        ask(sandbox, still(tmp_path, "x" * 100))
    parts: list[AnyPart] = [still(tmp_path, "x" * 100), *texts("[[hate=0.8]]")]
    large, text = adapter(sandbox).judge(parts)
    assert (large.outcome, large.scores) == (Outcome.NOT_JUDGED, {})
    assert text.scores[Category.HATE] == 0.8


def test_a_video_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected):
        ask(sandbox, VideoPart("media:1", still(tmp_path).path))


def test_a_text_model_refuses_pictures(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected):
        ask(sandbox, still(tmp_path), model="text-moderation-stable")


# --- what is missing is never 0 ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("label", "gone"),
    [
        ("sexual/minors", {Category.SEXUAL_MINORS}),
        ("hate", {Category.HATE}),
        # The highest of the labels that are left could look harmless.
        ("self-harm/intent", {Category.SELF_HARM}),
        ("violence/graphic", {Category.VIOLENCE, Category.GRAPHIC}),
        ("illicit/violent", {Category.ILLICIT, Category.WEAPONS}),
    ],
)
def test_a_label_that_is_missing_leaves_its_categories_unjudged(
    sandbox: Sandbox, label: str, gone: set[Category]
) -> None:
    whole = ask(sandbox, "hello").scores.keys()
    sandbox.fail("openai", "missing_category", category=label)
    assert ask(sandbox, "hello").scores.keys() == whole - gone


def test_a_label_that_is_null_was_not_judged() -> None:
    answer = read(answer_of({**RECORDED_SCORES, "illicit": None, "illicit/violent": None}))
    assert not {Category.ILLICIT, Category.WEAPONS} & answer.scores.keys()


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {"results": []},
        {"results": None},
        {"results": [None]},
        {"results": [{}]},
        {"results": [result(RECORDED_SCORES), result(RECORDED_SCORES)]},
        answer_of({}),
        answer_of({"kindness": 0.9}),
        answer_of({**RECORDED_SCORES, "hate": "0.9"}),
        answer_of({**RECORDED_SCORES, "hate": 1.1}),
        answer_of({**RECORDED_SCORES, "hate": -0.1}),
        answer_of({**RECORDED_SCORES, "hate": True}),
        b'{"results": [{"category_scores": {"hate": NaN}}]}',
        b"[" * 100_000,
    ],
)
def test_an_answer_of_another_shape_is_no_answer(answer: object) -> None:
    with pytest.raises(ProviderMalformed):
        read(answer)


def test_fields_that_are_new_change_nothing(sandbox: Sandbox) -> None:
    before = ask(sandbox, "[[hate=0.9]]").scores
    sandbox.fail("openai", "extra_fields")
    assert ask(sandbox, "[[hate=0.9]]").scores == before


# --- failures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "wanted"), [*FAULTS, ("wrong_types", ProviderMalformed)])
def test_a_failure_is_an_error_of_ours(
    sandbox: Sandbox, kind: str, wanted: type[ProviderError]
) -> None:
    expected = ProviderAuthFailed if kind == "404" else wanted
    sandbox.fail("openai", kind)
    with pytest.raises(ProviderError) as caught:
        ask(sandbox, "a secret text")
    assert type(caught.value) is expected
    assert "secret" not in str(caught.value)
    assert "good-key" not in str(caught.value)
    assert len(sandbox.requests("openai")) == 1


def test_an_answer_that_takes_too_long_is_none(sandbox: Sandbox) -> None:
    sandbox.fail("openai", "slow", delay_seconds=0.5)
    with pytest.raises(ProviderUnavailable):
        ask(sandbox, "hello", timeout_seconds="0.1")


def test_a_wrong_key_shuts_the_provider(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderAuthFailed):
        ask(sandbox, "hello", api_key="bad-key")


def test_a_quota_that_is_used_up_shuts_the_provider(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderQuotaExhausted):
        ask(sandbox, "hello", api_key="spent-key")


@pytest.mark.parametrize("retry_after", ["7", None])
def test_a_rate_limit_says_how_long_to_wait(sandbox: Sandbox, retry_after: str | None) -> None:
    sandbox.fail("openai", 429, retry_after=retry_after)
    with pytest.raises(ProviderRateLimited) as caught:
        ask(sandbox, "hello")
    wanted = None if retry_after is None else float(retry_after)
    assert caught.value.retry_after_seconds == wanted


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        (RECORDED_WAIT, 0.12),
        ("Please try again in 1.5s.", 1.5),
        ("Please try again in 6m0s.", 360),
        ("Please try again in 2m.", 120),
        ("Please try again in 1m30s. Visit the page.", 90),
        ("Please try again in ..s", None),
        ("Please try again in a while.", None),
        ("Slow down.", None),
    ],
)
def test_a_rate_limit_may_say_so_in_its_message(message: str, seconds: float | None) -> None:
    with pytest.raises(ProviderRateLimited) as caught:
        read(error("rate_limit_exceeded", message, "requests"), status=429)
    assert caught.value.retry_after_seconds == seconds


def test_the_header_counts_more_than_the_message() -> None:
    with pytest.raises(ProviderRateLimited) as caught:
        read(error("rate_limit_exceeded", RECORDED_WAIT), status=429, retry_after_ms="250")
    assert caught.value.retry_after_seconds == 0.25


@pytest.mark.parametrize(
    ("status", "answer", "wanted"),
    [
        (400, error("too_many_images"), ProviderRejected),
        (400, error(None, "Missing required parameter"), ProviderRejected),
        (403, error("unsupported_country_region_territory"), ProviderAuthFailed),
        (404, error("model_not_found"), ProviderAuthFailed),
        (409, error(None), ProviderUnavailable),
        (413, b"too large", ProviderRejected),
        (429, error("insufficient_quota"), ProviderQuotaExhausted),
        (429, error("credit_balance_exhausted"), ProviderQuotaExhausted),
        (429, b"not json", ProviderRateLimited),
        (429, {"error": "words"}, ProviderRateLimited),
        (429, [], ProviderRateLimited),
        (429, {"error": {"code": ["a"], "type": {}}}, ProviderRateLimited),
        (503, error("slow_down"), ProviderRateLimited),
        (503, b"", ProviderUnavailable),
        (302, b"", ProviderUnavailable),
        (204, b"", ProviderMalformed),
    ],
)
def test_a_status_means_what_its_words_say(
    status: int, answer: object, wanted: type[ProviderError]
) -> None:
    with pytest.raises(ProviderError) as caught:
        read(answer, status=status)
    assert type(caught.value) is wanted


def test_it_is_available_with_a_key(sandbox: Sandbox) -> None:
    assert adapter(sandbox).is_available()
    assert not adapter(sandbox, api_key="").is_available()
