"""Mistral's adapter against the sandbox, and against the answers that are on record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from moderation.errors import (
    ProviderAuthFailed,
    ProviderError,
    ProviderGone,
    ProviderMalformed,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.outbound import Reply
from moderation.providers.adapters.mistral import MistralAdapter
from moderation.providers.base import Account, Answer, TextPart
from moderation.sandbox.mistral import MAX_CHARS
from moderation.sandbox.server import Sandbox
from moderation.vocabulary import Category, Outcome
from tests.providers.accounts import FAULTS, account_at
from tests.providers.pictures import still

RECORDED_SCORES = {
    "sexual": 0.00011,
    "hate_and_discrimination": 0.0102,
    "violence_and_threats": 0.9713,
    "dangerous": 0.0031,
    "criminal": 0.0042,
    "selfharm": 0.0001,
    "health": 0.0001,
    "financial": 0.0001,
    "law": 0.0001,
    "pii": 0.0002,
    "jailbreaking": 0.0003,
}
RECORDED_LIMIT = {
    "object": "error",
    "message": "Requests rate limit exceeded",
    "type": "rate_limited",
    "param": None,
    "code": "1300",
}
RECORDED_REFUSAL = {"detail": [{"type": "missing", "loc": ["body", "input"], "msg": "Required"}]}


def adapter(sandbox: Sandbox, **given: str) -> MistralAdapter:
    return MistralAdapter(account_at(sandbox, "mistral", MistralAdapter.facts, **given))


def texts(*given: str) -> list[TextPart]:
    return [TextPart(f"text:{number}", text) for number, text in enumerate(given)]


def ask(sandbox: Sandbox, text: str, **given: str) -> Answer:
    (answer,) = adapter(sandbox, **given).judge(texts(text))
    return answer


def asked_of(sandbox: Sandbox) -> dict[str, Any]:
    question: dict[str, Any] = json.loads(sandbox.requests("mistral")[-1].request.body)
    return question


class Answering(MistralAdapter):
    """Reads an answer that was not made by the sandbox."""

    answer: object = None
    status = 200

    def send(self, method: str, url: str, **rest: object) -> Reply:
        return Reply(self.status, {}, json.dumps(self.answer).encode(), url)


def read(answer: object, status: int = 200) -> Answer:
    made = Answering(Account("mistral", secrets={"api_key": "good-key"}))
    made.answer, made.status = answer, status
    return made.judge_one(texts("hello")[0])


def answer_of(scores: Mapping[str, object], **more: object) -> dict[str, object]:
    result = {"categories": {}, "category_scores": dict(scores)}
    return {"id": "1", "model": "mistral-moderation-2603", "results": [result], **more}


@pytest.mark.parametrize(
    ("mark", "model", "category", "score"),
    [
        ("sexual=0.9", "2603", Category.SEXUAL, 0.9),
        ("hate=0.8", "2603", Category.HATE, 0.8),
        ("hate=0.8", "2603", Category.HARASSMENT, 0.4),
        ("violence=0.7", "2603", Category.VIOLENCE, 0.7),
        ("violence=0.7", "2603", Category.THREAT, 0.49),
        ("illicit=0.9", "2603", Category.ILLICIT, 0.9),
        ("dangerous=0.9", "2603", Category.ILLICIT, 0.63),
        ("illicit=0.9", "2411", Category.ILLICIT, 0.9),
        ("self_harm=0.9", "2603", Category.SELF_HARM, 0.9),
        ("personal_info=0.9", "2603", Category.PERSONAL_INFO, 0.9),
        ("other=0.9", "2603", Category.OTHER, 0.63),
    ],
)
def test_a_label_counts_towards_its_categories(
    sandbox: Sandbox, mark: str, model: str, category: Category, score: float
) -> None:
    answer = ask(sandbox, f"hello [[{mark}]]", model=f"mistral-moderation-{model}")
    assert answer.outcome is Outcome.JUDGED
    assert answer.scores[category] == pytest.approx(score)
    assert answer.model_version == f"mistral-moderation-{model}"


def test_the_older_model_knows_nothing_of_jailbreaking(sandbox: Sandbox) -> None:
    newer = ask(sandbox, "hello").scores.keys()
    older = ask(sandbox, "hello", model="mistral-moderation-2411").scores.keys()
    assert newer - older == {Category.OTHER}
    assert len(newer) == 9


def test_texts_are_one_call_and_answered_in_order(sandbox: Sandbox) -> None:
    given = [f"{number} [[hate=0.{number}]]" for number in range(1, 9)]
    answers = adapter(sandbox).judge(texts(*given))
    assert [answer.scores[Category.HATE] for answer in answers] == [
        pytest.approx(number / 10) for number in range(1, 9)
    ]
    assert len(sandbox.requests("mistral")) == 1
    assert asked_of(sandbox) == {"model": "mistral-moderation-2603", "input": given}


def test_the_call_is_as_documented(sandbox: Sandbox) -> None:
    ask(sandbox, "hello")
    request = sandbox.requests("mistral")[0].request
    assert (request.method, request.path) == ("POST", "/v1/moderations")
    assert request.headers["authorization"] == "Bearer good-key"


def test_the_recorded_answer_is_read() -> None:
    answer = read(answer_of(RECORDED_SCORES))
    assert answer.scores == pytest.approx(
        {
            Category.SEXUAL: 0.00011,
            Category.HATE: 0.0102,
            Category.HARASSMENT: 0.0051,
            Category.VIOLENCE: 0.9713,
            Category.THREAT: 0.7 * 0.9713,
            Category.ILLICIT: 0.0042,
            Category.SELF_HARM: 0.0001,
            Category.PERSONAL_INFO: 0.0002,
            Category.OTHER: 0.7 * 0.0003,
        }
    )
    kept = answer.raw["result"]
    assert isinstance(kept, dict)
    assert kept["category_scores"]["health"] == 0.0001


def test_an_answer_with_both_sets_of_labels_counts_the_worse() -> None:
    scores = {**RECORDED_SCORES, "dangerous_and_criminal_content": 0.8}
    assert read(answer_of(scores)).scores[Category.ILLICIT] == 0.8


def test_a_picture_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected):
        adapter(sandbox).judge([still(tmp_path)])
    assert sandbox.requests("mistral") == []


def test_a_text_that_is_too_long_is_refused_with_its_batch(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        adapter(sandbox).judge(texts("hello", "x" * (MAX_CHARS + 1)))


@pytest.mark.parametrize(
    ("label", "gone"),
    [
        ("sexual", {Category.SEXUAL}),
        ("hate_and_discrimination", {Category.HATE, Category.HARASSMENT}),
        # What is left is only half of what was asked for.
        ("criminal", {Category.ILLICIT}),
        ("dangerous", {Category.ILLICIT}),
    ],
)
def test_a_label_that_is_missing_leaves_its_categories_unjudged(
    sandbox: Sandbox, label: str, gone: set[Category]
) -> None:
    whole = ask(sandbox, "hello").scores.keys()
    sandbox.fail("mistral", "missing_category", category=label)
    assert ask(sandbox, "hello").scores.keys() == whole - gone


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {"results": []},
        {"results": [{}]},
        answer_of({}),
        answer_of({"health": 0.1}),
        answer_of({**RECORDED_SCORES, "pii": "0.9"}),
        answer_of({**RECORDED_SCORES, "pii": 1.5}),
        answer_of(RECORDED_SCORES, results=[{"category_scores": RECORDED_SCORES}] * 2),
    ],
)
def test_an_answer_of_another_shape_is_no_answer(answer: object) -> None:
    with pytest.raises(ProviderMalformed):
        read(answer)


@pytest.mark.parametrize(("kind", "wanted"), [*FAULTS, ("wrong_types", ProviderMalformed)])
def test_a_failure_is_an_error_of_ours(
    sandbox: Sandbox, kind: str, wanted: type[ProviderError]
) -> None:
    sandbox.fail("mistral", kind)
    with pytest.raises(ProviderError) as caught:
        ask(sandbox, "a secret text")
    assert type(caught.value) is wanted
    assert "secret" not in str(caught.value)
    assert "good-key" not in str(caught.value)
    assert len(sandbox.requests("mistral")) == 1


def test_an_answer_that_takes_too_long_is_none(sandbox: Sandbox) -> None:
    sandbox.fail("mistral", "slow", delay_seconds=0.5)
    with pytest.raises(ProviderUnavailable):
        ask(sandbox, "hello", timeout_seconds="0.1")


def test_a_wrong_key_shuts_the_provider(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderAuthFailed):
        ask(sandbox, "hello", api_key="bad-key")


@pytest.mark.parametrize(("retry_after", "seconds"), [("7", 7.0), (None, None)])
def test_a_rate_limit_may_say_how_long_to_wait(
    sandbox: Sandbox, retry_after: str | None, seconds: float | None
) -> None:
    sandbox.fail("mistral", 429, retry_after=retry_after)
    with pytest.raises(ProviderRateLimited) as caught:
        ask(sandbox, "hello")
    assert caught.value.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("status", "answer", "wanted"),
    [
        (400, {"object": "error", "message": "Invalid model"}, ProviderRejected),
        (401, {"detail": "Unauthorized"}, ProviderAuthFailed),
        (404, {"object": "error"}, ProviderGone),
        (422, RECORDED_REFUSAL, ProviderRejected),
        (429, RECORDED_LIMIT, ProviderRateLimited),
        (502, "", ProviderUnavailable),
        (204, "", ProviderMalformed),
    ],
)
def test_a_status_means_what_it_says(
    status: int, answer: object, wanted: type[ProviderError]
) -> None:
    with pytest.raises(ProviderError) as caught:
        read(answer, status)
    assert type(caught.value) is wanted


def test_the_sandbox_refuses_extra_keys_in_a_conversation(sandbox: Sandbox) -> None:
    question = {"model": "mistral-moderation-2603", "input": [{"role": "user", "content": "hi"}]}
    headers = {"Authorization": "Bearer good-key"}
    url = f"{sandbox.base_url}/mistral/v1/chat/moderations"
    ours = adapter(sandbox)
    assert ours.send("POST", url, headers=headers, json=question).status == 200
    refused = ours.send("POST", url, headers=headers, json={**question, "metadata": {}})
    assert refused.status == 422
    assert json.loads(refused.content)["detail"][0]["type"] == "extra_forbidden"


def test_it_is_available_with_a_key(sandbox: Sandbox) -> None:
    assert adapter(sandbox).is_available()
    assert not adapter(sandbox, api_key="").is_available()
