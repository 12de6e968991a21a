"""Google Natural Language's adapter against the sandbox, and against the answer on record."""

from __future__ import annotations

import json
from pathlib import Path

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
from moderation.providers.adapters.google_language import GoogleLanguageAdapter
from moderation.providers.base import Answer, AnyPart, TextPart
from moderation.sandbox.server import Sandbox
from moderation.vocabulary import Category, Outcome
from tests.providers.accounts import FAULTS, account_at
from tests.providers.pictures import still

FACTS = GoogleLanguageAdapter.facts
ON_RECORD = [
    {"name": "Toxic", "confidence": 0.87, "severity": 0.42},
    {"name": "Insult", "confidence": 0.81, "severity": 0.4},
    {"name": "Profanity", "confidence": 0.12, "severity": 0.1},
    {"name": "Derogatory", "confidence": 0.3, "severity": 0.2},
    {"name": "Sexual", "confidence": 0.02, "severity": 0.01},
    {"name": "Death, Harm & Tragedy", "confidence": 0.05, "severity": 0.02},
    {"name": "Violent", "confidence": 0.08, "severity": 0.05},
    {"name": "Firearms & Weapons", "confidence": 0.01, "severity": 0.0},
    {"name": "Public Safety", "confidence": 0.01, "severity": 0.0},
    {"name": "Health", "confidence": 0.02, "severity": 0.0},
    {"name": "Religion & Belief", "confidence": 0.01, "severity": 0.0},
    {"name": "Illicit Drugs", "confidence": 0.01, "severity": 0.0},
    {"name": "War & Conflict", "confidence": 0.01, "severity": 0.0},
    {"name": "Finance", "confidence": 0.01, "severity": 0.0},
    {"name": "Politics", "confidence": 0.01, "severity": 0.0},
    {"name": "Legal", "confidence": 0.01, "severity": 0.0},
]


def adapter(sandbox: Sandbox, **given: str) -> GoogleLanguageAdapter:
    return GoogleLanguageAdapter(
        account_at(sandbox, "google_language", FACTS, service_account="", **given)
    )


def ask(sandbox: Sandbox, part: AnyPart | str, **given: str) -> Answer:
    asked = TextPart("text", part) if isinstance(part, str) else part
    (answer,) = adapter(sandbox, **given).judge([asked])
    return answer


class Answering(GoogleLanguageAdapter):
    """Reads an answer that was not made by the sandbox."""

    answer: object = None

    def send(self, method: str, url: str, **rest: object) -> Reply:
        return Reply(200, {}, json.dumps(self.answer).encode(), url)


def read(sandbox: Sandbox, answer: object) -> Answer:
    made = Answering(account_at(sandbox, "google_language", FACTS, service_account=""))
    made.answer = answer
    return made.judge_one(TextPart("text", "Shut up!"))


def answering(categories: object, **more: object) -> dict[str, object]:
    return {"moderationCategories": categories, "languageSupported": True, **more}


def test_confidences_become_scores(sandbox: Sandbox) -> None:
    text = (
        "[[toxic=0.9]] [[harassment=0.5]] [[profanity=0.4]] [[hate=0.3]] [[sexual=0.2]] "
        "[[violence=0.1]] [[self_harm=0.8]] [[weapons=0.6]] [[drugs=0.7]] [[war=0.5]]"
    )
    answer = ask(sandbox, text)
    assert answer.outcome is Outcome.JUDGED
    assert answer.scores == pytest.approx(
        {
            Category.TOXIC: 0.9,
            Category.HARASSMENT: 0.72,
            Category.PROFANITY: 0.4,
            Category.HATE: 0.3,
            Category.SEXUAL: 0.2,
            Category.VIOLENCE: 0.32,
            Category.SELF_HARM: 0.24,
            Category.WEAPONS: 0.42,
            Category.DRUGS: 0.56,
        }
    )


def test_a_topic_is_evidence_and_no_score(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "[[politics=1]] [[religion=1]] [[health=1]]")
    assert max(answer.scores.values()) < 0.1
    named = {one["name"]: one["confidence"] for one in answer.raw["moderationCategories"]}  # type: ignore[attr-defined]
    assert named["Politics"] == 1


def test_the_answer_on_record_is_read(sandbox: Sandbox) -> None:
    answer = read(sandbox, answering(ON_RECORD, languageCode="en"))
    assert answer.scores[Category.TOXIC] == 0.87
    assert answer.scores[Category.HARASSMENT] == 0.81
    assert answer.scores[Category.VIOLENCE] == 0.08


def test_google_finds_the_language_itself(sandbox: Sandbox) -> None:
    ask(sandbox, TextPart("text", "hello", language="de"))
    (seen,) = sandbox.requests("google_language")
    assert seen.request.path == "/v2/documents:moderateText"
    assert json.loads(seen.request.body) == {
        "document": {"type": "PLAIN_TEXT", "content": "hello"},
        "modelVersion": "MODEL_VERSION_2",
    }


def test_a_text_costs_by_the_hundred_characters(sandbox: Sandbox) -> None:
    assert ask(sandbox, "x" * 100).cost_micros == 500
    assert ask(sandbox, "x" * 101).cost_micros == 1_000


def test_each_part_is_answered_in_order(sandbox: Sandbox) -> None:
    parts = [TextPart(str(level), f"[[sexual=0.{level}]]") for level in (7, 3, 5)]
    answers = adapter(sandbox).judge(parts)
    assert [answer.scores[Category.SEXUAL] for answer in answers] == [0.7, 0.3, 0.5]


# --- languages ----------------------------------------------------------------------------------


def test_a_community_in_another_language_is_not_asked_for(sandbox: Sandbox) -> None:
    answer = ask(sandbox, TextPart("text", "hej", language="sv"))
    assert (answer.outcome, answer.error) == (Outcome.NOT_JUDGED, "language")
    assert sandbox.requests("google_language") == []


def test_a_text_in_another_language_is_not_judged(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "[[language=sv]] [[hate=1]]")
    assert (answer.outcome, answer.error) == (Outcome.NOT_JUDGED, "language")
    assert answer.scores == {}
    assert answer.raw["languageCode"] == "sv"


def test_a_language_of_which_nothing_is_said_is_not_supported(sandbox: Sandbox) -> None:
    answer = read(sandbox, {"moderationCategories": ON_RECORD, "languageCode": "xx"})
    assert (answer.outcome, answer.error, answer.scores) == (Outcome.NOT_JUDGED, "language", {})


# --- answers that are not as they should be -----------------------------------------------------


def test_a_category_that_is_missing_has_no_score(sandbox: Sandbox) -> None:
    sandbox.fail("google_language", "missing_category", category="Derogatory")
    scores = ask(sandbox, "hello").scores
    assert Category.HATE not in scores
    assert Category.SEXUAL in scores


def test_a_low_score_stands_only_on_all_of_its_labels(sandbox: Sandbox) -> None:
    without_insult = [one for one in ON_RECORD if one["name"] != "Insult"]
    assert read(sandbox, answering(without_insult)).scores[Category.HARASSMENT] == 0.696
    low = [{**one, "confidence": 0.1} for one in without_insult]
    assert Category.HARASSMENT not in read(sandbox, answering(low)).scores


def test_a_category_without_confidence_has_no_score(sandbox: Sandbox) -> None:
    answer = read(sandbox, answering([{"name": "Toxic"}, {"name": "Sexual", "confidence": 1}]))
    assert answer.scores == {Category.SEXUAL: 1.0}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        answering([]),
        answering("Toxic"),
        answering(["Toxic"]),
        answering([{"confidence": 0.5}]),
        answering([{"name": "Toxic", "confidence": "0.5"}]),
        answering([{"name": "Toxic", "confidence": 1.5}]),
        answering([{"name": "Toxic", "confidence": True}]),
    ],
)
def test_an_answer_that_means_nothing_is_no_score(sandbox: Sandbox, answer: object) -> None:
    with pytest.raises(ProviderMalformed):
        read(sandbox, answer)


# --- failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "error"), FAULTS)
def test_a_failure_is_named(sandbox: Sandbox, fault: str, error: type[ProviderError]) -> None:
    sandbox.fail("google_language", fault)
    with pytest.raises(error):
        ask(sandbox, "hello")


def test_numbers_that_are_texts_mean_nothing(sandbox: Sandbox) -> None:
    sandbox.fail("google_language", "wrong_types")
    with pytest.raises(ProviderMalformed):
        ask(sandbox, "hello")


def test_it_waits_no_longer_than_it_may(sandbox: Sandbox) -> None:
    sandbox.fail("google_language", "slow", delay_seconds=0.4)
    with pytest.raises(ProviderUnavailable):
        ask(sandbox, "hello", timeout_seconds="0.1")


@pytest.mark.parametrize(("said", "seconds"), [(None, None), ("7", 7.0)])
def test_a_limit_says_how_long_to_wait(
    sandbox: Sandbox, said: str | None, seconds: float | None
) -> None:
    sandbox.fail("google_language", "429", retry_after=said)
    with pytest.raises(ProviderRateLimited) as limited:
        ask(sandbox, "hello")
    assert limited.value.retry_after_seconds == seconds


def test_a_wrong_key_is_told(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderAuthFailed):
        ask(sandbox, "hello", api_key="bad-key")


def test_what_google_refuses_itself_is_rejected(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        ask(sandbox, "")


def test_a_text_that_is_too_long_is_rejected_without_a_call(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        ask(sandbox, "x" * 100_001)
    assert sandbox.requests("google_language") == []


def test_a_picture_is_rejected(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected):
        ask(sandbox, still(tmp_path))
