"""Google Vision's two adapters against the sandbox, and against the answers that are on record."""

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
from moderation.providers.adapters.google_vision import GoogleVisionAdapter
from moderation.providers.adapters.google_vision_text import GoogleVisionTextAdapter
from moderation.providers.base import Answer, AnyPart, ImagePart, TextPart
from moderation.sandbox.server import Sandbox
from moderation.vocabulary import Category, Outcome
from tests.providers.accounts import FAULTS, account_at
from tests.providers.pictures import moving, still, write_picture

FACTS = GoogleVisionAdapter.facts
SAFE = {"adult": "VERY_UNLIKELY", "racy": "UNLIKELY", "violence": "UNLIKELY", "medical": "POSSIBLE"}


def adapter(sandbox: Sandbox, **given: str) -> GoogleVisionAdapter:
    return GoogleVisionAdapter(
        account_at(sandbox, "google_vision", FACTS, service_account="", **given)
    )


def reader(sandbox: Sandbox) -> GoogleVisionTextAdapter:
    return GoogleVisionTextAdapter(account_at(sandbox, "google_vision", FACTS, service_account=""))


def ask(sandbox: Sandbox, part: AnyPart, **given: str) -> Answer:
    (answer,) = adapter(sandbox, **given).judge([part])
    return answer


def pictures_of_calls(sandbox: Sandbox) -> list[int]:
    calls = sandbox.requests("google_vision")
    return [len(json.loads(seen.request.body)["requests"]) for seen in calls]


def read(sandbox: Sandbox, folder: Path, *said: object, answer: object = None) -> Answer:
    """Return what an answer that the sandbox did not make says of an animation."""

    class Answering(GoogleVisionAdapter):
        def send(self, method: str, url: str, **rest: object) -> Reply:
            body = {"responses": list(said)} if answer is None else answer
            return Reply(200, {}, json.dumps(body).encode(), url)

    made = Answering(account_at(sandbox, "google_vision", FACTS, service_account=""))
    (found,) = made.judge([moving(folder, [""] * (len(said) or 1))])
    return found


def safe_search(**likelihoods: object) -> dict[str, object]:
    return {"safeSearchAnnotation": {**SAFE, **likelihoods}}


# --- SafeSearch ---------------------------------------------------------------------------------


def test_likelihoods_become_scores(sandbox: Sandbox, tmp_path: Path) -> None:
    answer = ask(sandbox, still(tmp_path, "[[sexual=0.75]] [[violence=0.95]] [[medical=0.5]]"))
    assert answer.outcome is Outcome.JUDGED
    assert answer.scores == {
        Category.SEXUAL: 0.8,
        Category.VIOLENCE: 0.95,
        Category.GRAPHIC: 0.57,
    }
    assert answer.cost_micros == 1_500


def test_what_is_racy_is_half_as_bad(sandbox: Sandbox, tmp_path: Path) -> None:
    assert ask(sandbox, still(tmp_path, "[[racy=1]]")).scores[Category.SEXUAL] == 0.475


def test_a_parody_violates_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    assert max(ask(sandbox, still(tmp_path, "[[spoof=1]]")).scores.values()) == 0.05


def test_the_answers_on_record_are_read(sandbox: Sandbox, tmp_path: Path) -> None:
    seen = {"adult": "VERY_LIKELY", "spoof": "UNLIKELY", "medical": "VERY_UNLIKELY"}
    said = {"safeSearchAnnotation": {**seen, "violence": "POSSIBLE", "racy": "LIKELY"}}
    assert read(sandbox, tmp_path, said).scores == {
        Category.SEXUAL: 0.95,
        Category.VIOLENCE: 0.5,
        Category.GRAPHIC: 0.3,
    }
    unread = {"error": {"code": 14, "message": "We can not access the URL currently."}}
    with pytest.raises(ProviderUnavailable):
        read(sandbox, tmp_path, unread)


def test_a_likelihood_may_be_a_number(sandbox: Sandbox, tmp_path: Path) -> None:
    answer = read(sandbox, tmp_path, safe_search(adult=5, racy=1, violence=0))
    assert answer.scores[Category.SEXUAL] == 0.95
    assert Category.VIOLENCE not in answer.scores


def test_what_google_does_not_know_has_no_score(sandbox: Sandbox, tmp_path: Path) -> None:
    answer = ask(sandbox, still(tmp_path, "<<unknown:adult>>"))
    assert set(answer.scores) == {Category.VIOLENCE, Category.GRAPHIC}
    unknown = dict.fromkeys(SAFE, "UNKNOWN")
    answer = read(sandbox, tmp_path, safe_search(**unknown))
    assert (answer.outcome, answer.scores) == (Outcome.NOT_JUDGED, {})


def test_a_category_that_is_missing_has_no_score(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fail("google_vision", "missing_category", category="violence")
    assert set(ask(sandbox, still(tmp_path)).scores) == {Category.SEXUAL}


# --- several pictures ---------------------------------------------------------------------------


def test_sixteen_pictures_are_one_call_answered_in_order(sandbox: Sandbox, tmp_path: Path) -> None:
    levels = [(0.05, 0.2, 0.5, 0.8, 0.95)[number % 5] for number in range(20)]
    parts = [still(tmp_path, f"[[sexual={level}]]") for level in levels]
    answers = adapter(sandbox).judge(parts)
    assert [answer.scores[Category.SEXUAL] for answer in answers] == levels
    assert pictures_of_calls(sandbox) == [16, 4]


def test_large_pictures_take_more_calls(sandbox: Sandbox, tmp_path: Path) -> None:
    parts = [still(tmp_path, "x" * 3_000_000) for _ in range(3)]
    assert len(adapter(sandbox).judge(parts)) == 3
    assert pictures_of_calls(sandbox) == [2, 1]


def test_a_file_too_large_for_a_call_is_made_smaller(sandbox: Sandbox, tmp_path: Path) -> None:
    assert ask(sandbox, still(tmp_path, "x" * 7_000_001)).outcome is Outcome.JUDGED
    assert len(sandbox.requests("google_vision")[0].request.body) < 10_000


def test_an_animation_is_as_bad_as_its_worst_frame(sandbox: Sandbox, tmp_path: Path) -> None:
    answer = ask(sandbox, moving(tmp_path, ["", "[[sexual=0.95]]", "[[violence=0.5]]"]))
    assert answer.scores[Category.SEXUAL] == 0.95
    assert answer.scores[Category.VIOLENCE] == 0.5
    assert answer.cost_micros == 4_500
    assert pictures_of_calls(sandbox) == [3]


def test_a_picture_that_fails_fails_alone(sandbox: Sandbox, tmp_path: Path) -> None:
    broken = still(tmp_path)
    broken.path.write_bytes(b"not a picture")
    parts = [
        still(tmp_path, "[[sexual=0.95]]"),
        still(tmp_path, "<<error:3>>"),
        broken,
        still(tmp_path, "<<error:14>>"),
        still(tmp_path, "[[violence=0.95]]"),
    ]
    answers = adapter(sandbox).judge(parts)
    assert [answer.outcome for answer in answers] == [
        Outcome.JUDGED,
        Outcome.NOT_JUDGED,
        Outcome.NOT_JUDGED,
        Outcome.FAILED,
        Outcome.JUDGED,
    ]
    assert answers[0].scores[Category.SEXUAL] == 0.95
    assert answers[4].scores[Category.VIOLENCE] == 0.95
    assert answers[3].error == "code 14"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (3, ProviderRejected),
        (7, ProviderAuthFailed),
        (8, ProviderRateLimited),
        (14, ProviderUnavailable),
    ],
)
def test_pictures_that_all_fail_fail_the_call(
    sandbox: Sandbox, tmp_path: Path, code: int, error: type[ProviderError]
) -> None:
    parts = [still(tmp_path, "<<error:3>>"), still(tmp_path, f"<<error:{code}>>")]
    with pytest.raises(error):
        adapter(sandbox).judge(parts)


def test_a_frame_that_fails_takes_low_scores_with_it(sandbox: Sandbox, tmp_path: Path) -> None:
    answer = ask(sandbox, moving(tmp_path, ["[[sexual=0.95]]", "<<error:14>>"]))
    assert answer.scores == {Category.SEXUAL: 0.95}
    answer = ask(sandbox, moving(tmp_path, ["", "<<error:14>>"]))
    assert (answer.outcome, answer.scores) == (Outcome.FAILED, {})
    answer = ask(sandbox, moving(tmp_path, ["", "<<error:3>>"]))
    assert (answer.outcome, answer.scores) == (Outcome.NOT_JUDGED, {})


def test_a_text_is_rejected(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        ask(sandbox, TextPart("text", "hello"))


# --- failures -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("fault", "error"), FAULTS)
def test_a_failure_is_named(
    sandbox: Sandbox, tmp_path: Path, fault: str, error: type[ProviderError]
) -> None:
    sandbox.fail("google_vision", fault)
    with pytest.raises(error):
        ask(sandbox, still(tmp_path))


def test_it_waits_no_longer_than_it_may(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.fail("google_vision", "slow", delay_seconds=0.4)
    with pytest.raises(ProviderUnavailable):
        ask(sandbox, still(tmp_path), timeout_seconds="0.1")


@pytest.mark.parametrize(("said", "seconds"), [(None, None), ("7", 7.0)])
def test_a_limit_says_how_long_to_wait(
    sandbox: Sandbox, tmp_path: Path, said: str | None, seconds: float | None
) -> None:
    sandbox.fail("google_vision", "429", retry_after=said)
    with pytest.raises(ProviderRateLimited) as limited:
        ask(sandbox, still(tmp_path))
    assert limited.value.retry_after_seconds == seconds


def test_a_wrong_key_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ProviderAuthFailed):
        ask(sandbox, still(tmp_path), api_key="bad-key")


@pytest.mark.parametrize(
    "said",
    [
        {},
        "safe",
        {"safeSearchAnnotation": "safe"},
        safe_search(adult="PERHAPS"),
        safe_search(adult=6),
        safe_search(adult=True),
        safe_search(adult=None),
        {"error": {"message": "without a code"}},
        {"error": "broken"},
    ],
)
def test_an_answer_that_means_nothing_is_no_score(
    sandbox: Sandbox, tmp_path: Path, said: object
) -> None:
    with pytest.raises(ProviderMalformed):
        read(sandbox, tmp_path, said)


def test_an_answer_for_fewer_pictures_is_none(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ProviderMalformed):
        read(sandbox, tmp_path, answer={"responses": []})


# --- reading ------------------------------------------------------------------------------------


def test_a_text_in_a_picture_is_read_and_not_judged(sandbox: Sandbox, tmp_path: Path) -> None:
    (answer,) = reader(sandbox).judge([still(tmp_path, "<<text:BUY NOW\nonly today>>")])
    assert (answer.outcome, answer.error) == (Outcome.NOT_JUDGED, "")
    assert answer.text == "BUY NOW\nonly today"
    assert answer.scores == {}
    asked = json.loads(sandbox.requests("google_vision")[0].request.body)
    assert asked["requests"][0]["features"] == [{"type": "TEXT_DETECTION"}]


def test_a_picture_without_a_text_has_an_empty_one(sandbox: Sandbox, tmp_path: Path) -> None:
    (answer,) = reader(sandbox).judge([still(tmp_path)])
    assert (answer.outcome, answer.error, answer.text) == (Outcome.NOT_JUDGED, "", "")


def test_frames_that_repeat_a_text_say_it_once(sandbox: Sandbox, tmp_path: Path) -> None:
    part = moving(tmp_path, ["<<text:one>>", "<<text:one>>", "", "<<text:two>>"])
    (answer,) = reader(sandbox).judge([part])
    assert answer.text == "one\ntwo"


def test_words_are_kept_as_evidence_once(sandbox: Sandbox, tmp_path: Path) -> None:
    (answer,) = reader(sandbox).judge([still(tmp_path, "<<text:one two>>")])
    assert answer.raw == {
        "frames": [{"textAnnotations": [{"locale": "en", "description": "one two"}]}]
    }


def test_a_frame_that_was_not_read_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    (answer,) = reader(sandbox).judge([moving(tmp_path, ["<<text:one>>", "<<error:14>>"])])
    assert (answer.outcome, answer.error, answer.text) == (Outcome.FAILED, "code 14", "one")


@pytest.mark.parametrize("fault", ["503", "truncated", "wrong_schema"])
def test_a_reader_that_fails_has_read_nothing(sandbox: Sandbox, tmp_path: Path, fault: str) -> None:
    sandbox.fail("google_vision", fault)
    with pytest.raises(ProviderUnavailable):
        reader(sandbox).judge([still(tmp_path)])


def test_pictures_keep_their_order_for_a_reader(sandbox: Sandbox, tmp_path: Path) -> None:
    parts: list[ImagePart] = [
        ImagePart(str(number), write_picture(tmp_path, f"<<text:{number}>>")) for number in (3, 1)
    ]
    assert [answer.text for answer in reader(sandbox).judge(parts)] == ["3", "1"]
