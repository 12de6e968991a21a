"""HolySheep's adapter against the sandbox. Above all: no failure is ever a safe text."""

from __future__ import annotations

import json
from pathlib import Path

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
from moderation.providers.adapters.holysheep import CATEGORIES, HolySheepAdapter
from moderation.providers.base import Answer, ImagePart, TextPart
from moderation.sandbox.server import Sandbox
from moderation.vocabulary import Category, Outcome
from tests.providers.accounts import FAULTS, account_at


def adapter(sandbox: Sandbox, **options: str) -> HolySheepAdapter:
    return HolySheepAdapter(account_at(sandbox, "holysheep", HolySheepAdapter.facts, **options))


def ask(sandbox: Sandbox, text: str, **options: str) -> Answer:
    (answer,) = adapter(sandbox, **options).judge([TextPart("text", text)])
    return answer


class Answering(HolySheepAdapter):
    """Reads an answer that was not made by the sandbox."""

    answer: object = None

    def send(self, method: str, url: str, **rest: object) -> Reply:
        return Reply(200, {}, json.dumps(self.answer).encode(), url)


def read(sandbox: Sandbox, answer: object) -> Answer:
    made = Answering(account_at(sandbox, "holysheep", HolySheepAdapter.facts))
    made.answer = answer
    return made.judge_one(TextPart("text", "hello"))


def test_scores_become_ours(sandbox: Sandbox) -> None:
    marks = {"hate": 0.91, "violence": 0.2, "sexual": 0.3, "self_harm": 0.4, "harassment": 0.5}
    text = " ".join(f"[[{name}={value}]]" for name, value in marks.items())
    answer = ask(sandbox, f"{text} [[spam=0.6]] [[other=0.8]]")
    assert answer.outcome is Outcome.JUDGED
    assert answer.scores == {
        **{Category(name): value for name, value in marks.items()},
        Category.SPAM: 0.6,
        Category.OTHER: 0.4,
    }


def test_the_question_is_the_documented_one(sandbox: Sandbox) -> None:
    part = TextPart("text", "hello")
    adapter(sandbox).judge([part])
    (seen,) = sandbox.requests("holysheep")
    assert seen.request.headers["authorization"] == "Bearer good-key"
    assert seen.request.json() == {
        "input": "hello",
        "categories": None,
        "metadata": {"content_id": part.fingerprint[:32]},
    }


def test_each_part_is_answered_in_order(sandbox: Sandbox) -> None:
    parts = [TextPart(str(level), f"[[hate=0.{level}]]") for level in (7, 3, 5)]
    answers = adapter(sandbox).judge(parts)
    assert [answer.scores[Category.HATE] for answer in answers] == [0.7, 0.3, 0.5]


# --- no failure is a safe text ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "error"),
    [*FAULTS, ("wrong_types", ProviderMalformed), ("402", ProviderQuotaExhausted)],
)
def test_a_failing_service_is_an_error(
    sandbox: Sandbox, kind: str, error: type[ProviderError]
) -> None:
    sandbox.fail("holysheep", kind)
    with pytest.raises(error):
        ask(sandbox, "hello")


def test_how_long_to_wait_is_passed_on(sandbox: Sandbox) -> None:
    sandbox.fail("holysheep", 429, count=1, retry_after=3)
    sandbox.fail("holysheep", 429, count=1, retry_after="Fri, 31 Dec 2100 23:59:59 GMT")
    sandbox.fail("holysheep", 429, count=1)
    waits = []
    for _ in range(3):
        with pytest.raises(ProviderRateLimited) as caught:
            ask(sandbox, "hello")
        waits.append(caught.value.retry_after_seconds)
    assert waits[0] == 3
    assert waits[1] is not None
    assert waits[1] > 1e6
    assert waits[2] is None


def test_a_failure_is_asked_once(sandbox: Sandbox) -> None:
    sandbox.fail("holysheep", 503, count=1)
    with pytest.raises(ProviderUnavailable):
        ask(sandbox, "hello")
    assert len(sandbox.requests("holysheep")) == 1


def test_a_slow_service_is_given_up(sandbox: Sandbox) -> None:
    sandbox.fail("holysheep", "slow", delay_seconds=0.5)
    with pytest.raises(ProviderUnavailable):
        ask(sandbox, "hello", timeout_seconds="0.1")


def test_a_bad_key_is_said_to_be_bad(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderAuthFailed) as caught:
        ask(sandbox, "hello", key="bad-key")
    assert "bad-key" not in str(caught.value)


@pytest.mark.parametrize("name", CATEGORIES)
def test_a_category_that_is_missing_has_no_score(sandbox: Sandbox, name: str) -> None:
    sandbox.fail("holysheep", "missing_category", category=name)
    scores = ask(sandbox, "hello").scores
    assert len(scores) == len(CATEGORIES) - 1
    assert CATEGORIES[name][0] not in scores


@pytest.mark.parametrize(
    "entry",
    [
        {"name": "hate_speech"},
        {"name": "hate_speech", "score": None},
        {"name": "a_new_one", "score": 0.9},
    ],
)
def test_what_has_no_score_or_no_meaning_says_nothing(
    sandbox: Sandbox, entry: dict[str, object]
) -> None:
    alone = read(sandbox, {"categories": [entry]})
    assert (alone.outcome, alone.scores) == (Outcome.NOT_JUDGED, {})
    beside = read(sandbox, {"categories": [entry, {"name": "spam", "score": 0.1}]})
    assert beside.scores == {Category.SPAM: 0.1}


def test_an_empty_list_is_not_a_safe_text(sandbox: Sandbox) -> None:
    answer = read(sandbox, {"categories": []})
    assert (answer.outcome, answer.scores) == (Outcome.NOT_JUDGED, {})


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        {"is_safe": True, "confidence": 0.0},
        {"categories": None},
        {"categories": {"hate_speech": 0.9}},
        {"categories": ["hate_speech"]},
        {"categories": [{"score": 0.9}]},
        {"categories": [{"name": 7, "score": 0.9}]},
        {"categories": [{"name": "spam", "score": "0.9"}]},
        {"categories": [{"name": "spam", "score": -0.1}]},
        {"categories": [{"name": "spam", "score": float("inf")}]},
        {"categories": [{"name": "spam", "score": False}]},
    ],
)
def test_an_odd_answer_is_no_score(sandbox: Sandbox, answer: object) -> None:
    with pytest.raises(ProviderMalformed):
        read(sandbox, answer)


def test_a_category_named_twice_keeps_the_worse(sandbox: Sandbox) -> None:
    twice = [{"name": "spam", "score": value} for value in (0.2, 0.9, 0.1)]
    assert read(sandbox, {"categories": twice}).scores == {Category.SPAM: 0.9}


def test_an_answer_on_record_is_read(sandbox: Sandbox) -> None:
    given = {
        "hate_speech": 0.91,
        "harassment": 0.42,
        "violence": 0.08,
        "sexual_content": 0.01,
        "self_harm": 0.01,
        "spam": 0.03,
        "sensitive_topics": 0.2,
    }
    listed = [{"name": name, "score": value} for name, value in given.items()]
    answer = read(sandbox, {"categories": listed, "processing_time_ms": 12})
    assert answer.scores == {
        Category.HATE: 0.91,
        Category.HARASSMENT: 0.42,
        Category.VIOLENCE: 0.08,
        Category.SEXUAL: 0.01,
        Category.SELF_HARM: 0.01,
        Category.SPAM: 0.03,
        Category.OTHER: 0.1,
    }
    assert answer.raw["processing_time_ms"] == 12


def test_a_picture_is_rejected(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        adapter(sandbox).judge([ImagePart("a", Path("never-read.jpg"))])
