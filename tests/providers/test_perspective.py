"""Perspective's adapter against the sandbox, and against the answers that are on record."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from moderation.errors import (
    ProviderAuthFailed,
    ProviderError,
    ProviderMalformed,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.outbound import Reply
from moderation.providers.adapters.perspective import MAX_BYTES, PerspectiveAdapter
from moderation.providers.base import Answer, ImagePart, Span, TextPart
from moderation.sandbox.server import Sandbox
from moderation.vocabulary import Category, Outcome
from tests.providers.accounts import FAULTS, account_at

IDIOT = "What kind of idiot name is foo? Sorry, I like your name."


def adapter(sandbox: Sandbox, **options: str) -> PerspectiveAdapter:
    return PerspectiveAdapter(
        account_at(sandbox, "perspective", PerspectiveAdapter.facts, "/v1alpha1", **options)
    )


def ask(sandbox: Sandbox, text: str, language: str = "en", **options: str) -> Answer:
    (answer,) = adapter(sandbox, **options).judge([TextPart("text", text, language)])
    return answer


def asked(sandbox: Sandbox, number: int = -1) -> dict[str, Any]:
    question: dict[str, Any] = json.loads(sandbox.requests("perspective")[number].request.body)
    return question


class Answering(PerspectiveAdapter):
    """Reads an answer that was not made by the sandbox."""

    answer: object = None
    status = 200

    def send(self, method: str, url: str, **rest: object) -> Reply:
        return Reply(self.status, {}, json.dumps(self.answer).encode(), url)


def read(sandbox: Sandbox, answer: object, *, status: int = 200, text: str = IDIOT) -> Answer:
    made = Answering(account_at(sandbox, "perspective", PerspectiveAdapter.facts))
    made.answer, made.status = answer, status
    return made.judge_one(TextPart("text", text, "en"))


def test_it_says_when_it_ends() -> None:
    assert PerspectiveAdapter.facts.ends_on == date(2026, 12, 31)
    assert "31 December 2026" in PerspectiveAdapter.facts.label


def test_scores_become_ours(sandbox: Sandbox) -> None:
    text = (
        "[[toxic=0.9]] [[severe_toxic=0.2]] [[hate=0.3]] [[harassment=0.5]] [[profanity=0.4]] "
        "[[threat=0.8]]"
    )
    answer = ask(sandbox, text)
    assert answer.outcome is Outcome.JUDGED
    assert answer.scores == {
        Category.TOXIC: 0.9,
        Category.SEVERE_TOXIC: 0.2,
        Category.HATE: 0.3,
        Category.HARASSMENT: 0.4,
        Category.PROFANITY: 0.4,
        Category.THREAT: 0.8,
        Category.VIOLENCE: 0.4,
    }


def test_nothing_is_stored_there(sandbox: Sandbox) -> None:
    ask(sandbox, "hello")
    question = asked(sandbox)
    assert question["doNotStore"] is True
    assert question["languages"] == ["en"]
    assert question["comment"] == {"text": "hello", "type": "PLAIN_TEXT"}


def test_the_key_is_escaped_and_in_no_answer(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "hello", key="a&b=c/d")
    assert sandbox.requests("perspective")[-1].request.query["key"] == ["a&b=c/d"]
    assert "a&b" not in json.dumps(answer.raw)


def test_each_part_is_answered_in_order(sandbox: Sandbox) -> None:
    parts = [TextPart(str(level), f"[[toxic=0.{level}]]", "en") for level in (7, 3, 5)]
    answers = adapter(sandbox).judge(parts)
    assert [answer.scores[Category.TOXIC] for answer in answers] == [0.7, 0.3, 0.5]


def test_the_stretch_that_drove_a_score_is_marked_in_characters(sandbox: Sandbox) -> None:
    text = "𝒪h 😀 fine.\nYou [[toxic=0.9]] one."
    answer = ask(sandbox, text)
    (span,) = answer.spans
    assert text[span.start : span.end] == "You [[toxic=0.9]] one."
    assert span.category is Category.TOXIC


# --- languages ----------------------------------------------------------------------------------


def test_a_language_that_it_does_not_know_is_not_asked_about(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "hyvää päivää", "fi")
    assert (answer.outcome, answer.error) == (Outcome.NOT_JUDGED, "language")
    assert sandbox.requests("perspective") == []


def test_a_refused_language_is_not_judged(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "hyvää [[language=fi]] päivää", "")
    assert (answer.outcome, answer.error, answer.scores) == (Outcome.NOT_JUDGED, "language", {})


def test_attributes_for_english_only_are_left_out_elsewhere(sandbox: Sandbox) -> None:
    ask(sandbox, "ciao", "it", attributes="TOXICITY, sexually_explicit")
    assert list(asked(sandbox)["requestedAttributes"]) == ["TOXICITY"]


def test_where_the_language_is_unknown_a_refusal_leaves_those_out(sandbox: Sandbox) -> None:
    answer = ask(
        sandbox,
        "ciao [[language=it]] [[toxic=0.7]]",
        "",
        attributes="TOXICITY,SEXUALLY_EXPLICIT",
    )
    assert answer.scores == {Category.TOXIC: 0.7}
    assert len(sandbox.requests("perspective")) == 2
    assert "languages" not in asked(sandbox, 0)


def test_with_nothing_left_to_ask_it_is_not_judged(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "ciao", "it", attributes="SEXUALLY_EXPLICIT")
    assert (answer.outcome, answer.error) == (Outcome.NOT_JUDGED, "language")


def test_the_version_changes_with_the_attributes(sandbox: Sandbox) -> None:
    versions = {
        adapter(sandbox, attributes=names).model_version
        for names in ("TOXICITY,THREAT", "THREAT,TOXICITY", "TOXICITY")
    }
    assert len(versions) == 2


# --- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "error"), [*FAULTS, ("wrong_types", ProviderMalformed)])
def test_a_failing_service_is_an_error(
    sandbox: Sandbox, kind: str, error: type[ProviderError]
) -> None:
    sandbox.fail("perspective", kind)
    with pytest.raises(error):
        ask(sandbox, "hello")


def test_how_long_to_wait_is_passed_on(sandbox: Sandbox) -> None:
    sandbox.fail("perspective", 429, count=1, retry_after=7)
    sandbox.fail("perspective", 429, count=1)
    waits = []
    for _ in range(2):
        with pytest.raises(ProviderRateLimited) as caught:
            ask(sandbox, "hello")
        waits.append(caught.value.retry_after_seconds)
    assert waits == [7, None]


def test_a_slow_service_is_given_up(sandbox: Sandbox) -> None:
    sandbox.fail("perspective", "slow", delay_seconds=0.5)
    with pytest.raises(ProviderUnavailable):
        ask(sandbox, "hello", timeout_seconds="0.1")


def test_a_bad_key_is_said_to_be_bad(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderAuthFailed) as caught:
        ask(sandbox, "hello", key="bad-key")
    assert "bad-key" not in str(caught.value)


def test_an_attribute_that_is_missing_has_no_score(sandbox: Sandbox) -> None:
    sandbox.fail("perspective", "missing_category", category="THREAT")
    scores = ask(sandbox, "[[threat=0.9]] [[toxic=0.6]]").scores
    assert scores[Category.TOXIC] == 0.6
    assert not {Category.THREAT, Category.VIOLENCE} & set(scores)


def test_unknown_fields_do_no_harm(sandbox: Sandbox) -> None:
    sandbox.fail("perspective", "extra_fields")
    assert ask(sandbox, "[[toxic=0.6]]").scores[Category.TOXIC] == 0.6


def test_a_text_that_is_too_long_is_not_sent(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        ask(sandbox, "ä" * (MAX_BYTES // 2 + 1))
    assert sandbox.requests("perspective") == []
    assert ask(sandbox, "ä" * (MAX_BYTES // 2)).outcome is Outcome.JUDGED


def test_long_evidence_is_cut(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "a. " * 3000)
    assert len(json.dumps(answer.raw)) < 20_000


def test_a_picture_is_rejected(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        adapter(sandbox).judge([ImagePart("a", Path("never-read.jpg"))])


def test_a_blank_text_and_an_unknown_attribute_are_rejected(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        ask(sandbox, " ")
    with pytest.raises(ProviderRejected):
        ask(sandbox, "hello", attributes="KINDNESS")


# --- answers on record --------------------------------------------------------------------------


def scored(value: float, *spans: tuple[int, int, float]) -> dict[str, object]:
    return {
        "spanScores": [
            {"begin": begin, "end": end, "score": {"value": part, "type": "PROBABILITY"}}
            for begin, end, part in spans
        ],
        "summaryScore": {"value": value, "type": "PROBABILITY"},
    }


def test_an_answer_on_record_is_read(sandbox: Sandbox) -> None:
    answer = read(
        sandbox,
        {
            "attributeScores": {
                "TOXICITY": scored(0.8627961, (0, 31, 0.9408261), (32, 56, 0.0731)),
                "IDENTITY_ATTACK": scored(0.031, (0, 56, 0.031)),
                "THREAT": scored(0.009, (0, 56, 0.009)),
            },
            "languages": ["en"],
            "detectedLanguages": ["en"],
        },
    )
    assert answer.scores == {
        Category.TOXIC: 0.862796,
        Category.HATE: 0.031,
        Category.THREAT: 0.009,
        Category.VIOLENCE: 0.0045,
    }
    assert answer.spans == [Span(0, 31, Category.TOXIC)]


@pytest.mark.parametrize(
    "details",
    [
        [{"errorType": "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"}],
        [{"another": "form"}],
        {"another": "form"},
        None,
    ],
)
def test_a_refused_language_is_known_by_kind_or_by_message(
    sandbox: Sandbox, details: object
) -> None:
    error = {
        "code": 400,
        "message": "Attribute PROFANITY does not support request languages: it",
        "status": "INVALID_ARGUMENT",
        "details": details,
    }
    assert read(sandbox, {"error": error}, status=400).error == "language"


@pytest.mark.parametrize(
    "answer",
    [
        {"attributeScores": []},
        {"attributeScores": {"TOXICITY": 0.5}},
        {"attributeScores": {"TOXICITY": {"summaryScore": 0.5}}},
        {"attributeScores": {"TOXICITY": {"summaryScore": {}}}},
        {"attributeScores": {"TOXICITY": {"summaryScore": {"value": 1.5}}}},
        {"attributeScores": {"TOXICITY": {"summaryScore": {"value": float("nan")}}}},
        {"attributeScores": {"TOXICITY": {"summaryScore": {"value": True}}}},
        {"attributeScores": {"TOXICITY": scored(0.5, (9, 3, 0.9))}},
        {"attributeScores": {"TOXICITY": scored(0.5)}, "clientToken": "another"},
    ],
)
def test_an_odd_answer_is_no_score(sandbox: Sandbox, answer: object) -> None:
    with pytest.raises(ProviderMalformed):
        read(sandbox, answer)


def test_no_known_attribute_is_not_judged(sandbox: Sandbox) -> None:
    answer = read(sandbox, {"attributeScores": {}})
    assert (answer.outcome, answer.scores) == (Outcome.NOT_JUDGED, {})


def test_a_span_beyond_the_text_is_left_out(sandbox: Sandbox) -> None:
    answer = read(sandbox, {"attributeScores": {"TOXICITY": scored(0.9, (0, 57, 0.9))}})
    assert answer.spans == []
