"""Discuse's adapter against the sandbox, and against the answer that is on record."""

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
from moderation.providers.adapters.discuse import MAX_IMAGE_BYTES, DiscuseAdapter
from moderation.providers.base import Answer, AnyPart, AudioPart, ImagePart, TextPart
from moderation.sandbox.server import Sandbox
from moderation.vocabulary import Category, Outcome, Part
from tests.providers.accounts import FAULTS, account_at

PUBLIC = "https://media.example.com"
# As the documentation prints it.
ON_RECORD: dict[str, object] = {
    "trace_context": None,
    "links": {"status": "", "hit": False},
    "badwords": {"status": "", "hit": False},
    "antivirus": {"status": "", "hit": False},
    "language": {"expected": "en", "detected": "pl", "hit": True},
    "images": {
        "result": {"category": "neutral", "confidence": 0.95909999832510948},
        "status": "ok",
        "porn": 0.068999981880188,
        "sexual": 0.029999999329447746,
        "neutral": 0.95909999832510948,
        "hit": True,
    },
    "gifs": {"result": {}},
    "sentiment": {
        "toxic": 0.78711975,
        "profanity": 0.7888968,
        "threat": 0.011353259,
        "insult": 0.61794597,
        "hit": True,
    },
    "hits": True,
}


def adapter(sandbox: Sandbox, **options: str) -> DiscuseAdapter:
    given = {"project_id": "12345", **options}
    return DiscuseAdapter(account_at(sandbox, "discuse", DiscuseAdapter.facts, **given))


def ask(sandbox: Sandbox, part: AnyPart | str, **options: str) -> Answer:
    asked = TextPart("text", part) if isinstance(part, str) else part
    (answer,) = adapter(sandbox, **options).judge([asked])
    return answer


def picture(folder: Path, name: str = "media.png", kind: Part = Part.IMAGE) -> ImagePart:
    path = folder / "posts" / "7" / "ab" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a picture")
    return ImagePart("a", path, kind)


class Answering(DiscuseAdapter):
    """Reads an answer that was not made by the sandbox."""

    answer: object = None

    def send(self, method: str, url: str, **rest: object) -> Reply:
        return Reply(200, {}, json.dumps(self.answer).encode(), url)


def read(sandbox: Sandbox, answer: object, part: AnyPart | None = None) -> Answer:
    made = Answering(
        account_at(sandbox, "discuse", DiscuseAdapter.facts, project_id="1", media_base_url=PUBLIC)
    )
    made.answer = answer
    return made.judge_one(part or TextPart("text", "hello"))


# --- texts --------------------------------------------------------------------------------------


def test_scores_become_ours(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "[[toxic=0.9]] [[profanity=0.4]] [[threat=0.2]] [[harassment=0.7]]")
    assert answer.outcome is Outcome.JUDGED
    assert answer.scores == {
        Category.TOXIC: 0.9,
        Category.PROFANITY: 0.4,
        Category.THREAT: 0.2,
        Category.HARASSMENT: 0.7,
    }


def test_the_question_is_the_documented_one(sandbox: Sandbox) -> None:
    ask(sandbox, "hello", client_id="org", client_secret="ours")
    (seen,) = sandbox.requests("discuse")
    assert seen.request.path == "/api/v1/check"
    assert seen.request.headers["x-client-id"] == "org"
    assert seen.request.headers["x-client-secret"] == "ours"
    assert seen.request.json() == {
        "request": {"media": {"text": "hello"}},
        "settings": {"project_id": 12345},
    }


def test_each_part_is_answered_in_order(sandbox: Sandbox) -> None:
    parts = [TextPart(str(level), f"[[toxic=0.{level}]]") for level in (7, 3, 5)]
    answers = adapter(sandbox).judge(parts)
    assert [answer.scores[Category.TOXIC] for answer in answers] == [0.7, 0.3, 0.5]


def test_another_language_than_expected_counts_a_little(sandbox: Sandbox) -> None:
    assert ask(sandbox, "dzień dobry [[language=pl]]").scores[Category.OTHER] == 0.3
    assert Category.OTHER not in ask(sandbox, "good day").scores


@pytest.mark.parametrize(
    ("mark", "category", "score"),
    [
        ("[[links=1]]", Category.SPAM, 0.8),
        ("[[links=0]]", Category.SPAM, 0.0),
        ("[[badwords=1]]", Category.PROFANITY, 0.9),
    ],
)
def test_what_is_announced_counts_once_it_has_a_status(
    sandbox: Sandbox, mark: str, category: Category, score: float
) -> None:
    assert ask(sandbox, f"hello {mark}").scores[category] == score


@pytest.mark.parametrize("status", ["", "coming soon", None])
def test_what_is_only_announced_is_not_judged(sandbox: Sandbox, status: str | None) -> None:
    answer = read(sandbox, {**ON_RECORD, "links": {"status": status, "hit": True}})
    assert Category.SPAM not in answer.scores


# --- pictures -----------------------------------------------------------------------------------


def test_without_a_public_address_it_judges_texts_only(sandbox: Sandbox, tmp_path: Path) -> None:
    texts_only = adapter(sandbox)
    assert texts_only.parts == {Part.TEXT}
    with pytest.raises(ProviderRejected):
        texts_only.judge([picture(tmp_path)])
    assert adapter(sandbox, media_base_url="http://media.example.com").parts == {Part.TEXT}
    assert sandbox.requests("discuse") == []


@pytest.mark.parametrize(("kind", "field"), [(Part.IMAGE, "image_url"), (Part.GIF, "gif_url")])
def test_a_picture_is_named_by_its_public_address(
    sandbox: Sandbox, tmp_path: Path, kind: Part, field: str
) -> None:
    part = picture(tmp_path, "[[sexual=0.8]] [[sexual_covered=0.5]].webp", kind)
    answer = ask(sandbox, part, media_base_url=f"{PUBLIC}/m/")
    assert answer.scores == {Category.SEXUAL: 0.8}
    ((url,),) = sandbox.requests("discuse")[0].request.json()["request"]["media"].values()
    assert url.startswith(f"{PUBLIC}/m/posts/7/ab/%5B%5Bsexual")
    assert field in sandbox.requests("discuse")[0].request.json()["request"]["media"]


def test_a_covered_body_counts_less(sandbox: Sandbox, tmp_path: Path) -> None:
    part = picture(tmp_path, "[[sexual_covered=0.5]].png")
    assert ask(sandbox, part, media_base_url=PUBLIC).scores == {Category.SEXUAL: 0.4}


def test_a_virus_is_malware(sandbox: Sandbox, tmp_path: Path) -> None:
    part = picture(tmp_path, "[[antivirus=1]].png")
    assert ask(sandbox, part, media_base_url=PUBLIC).scores[Category.MALWARE] == 1.0


def test_a_picture_that_is_not_kept_has_no_address(sandbox: Sandbox, tmp_path: Path) -> None:
    loose = tmp_path / "loose.png"
    loose.write_bytes(b"a picture")
    with pytest.raises(ProviderRejected):
        ask(sandbox, ImagePart("a", loose), media_base_url=PUBLIC)


def test_a_picture_that_is_too_large_is_not_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    part = picture(tmp_path)
    with part.path.open("r+b") as file:
        file.truncate(MAX_IMAGE_BYTES)
    with pytest.raises(ProviderRejected):
        ask(sandbox, part, media_base_url=PUBLIC)
    assert sandbox.requests("discuse") == []


def test_a_sound_is_rejected(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        ask(sandbox, AudioPart("a", Path("never-read.m4a")), media_base_url=PUBLIC)


# --- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "error"), [*FAULTS, ("wrong_types", ProviderMalformed)])
def test_a_failing_service_is_an_error(
    sandbox: Sandbox, kind: str, error: type[ProviderError]
) -> None:
    sandbox.fail("discuse", kind)
    with pytest.raises(error):
        ask(sandbox, "hello")


def test_how_long_to_wait_is_passed_on(sandbox: Sandbox) -> None:
    sandbox.fail("discuse", 429, count=1, retry_after=9)
    sandbox.fail("discuse", 429, count=1)
    waits = []
    for _ in range(2):
        with pytest.raises(ProviderRateLimited) as caught:
            ask(sandbox, "hello")
        waits.append(caught.value.retry_after_seconds)
    assert waits == [9, None]


def test_a_slow_service_is_given_up(sandbox: Sandbox) -> None:
    sandbox.fail("discuse", "slow", delay_seconds=0.5)
    with pytest.raises(ProviderUnavailable):
        ask(sandbox, "hello", timeout_seconds="0.1")


def test_a_bad_secret_is_said_to_be_bad(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderAuthFailed) as caught:
        ask(sandbox, "hello", client_secret="bad-key")
    assert "bad-key" not in str(caught.value)


def test_without_a_project_number_it_cannot_judge(sandbox: Sandbox) -> None:
    assert adapter(sandbox).is_available()
    assert not adapter(sandbox, project_id="").is_available()
    assert not adapter(sandbox, project_id="mine").is_available()
    assert not adapter(sandbox, client_secret="").is_available()


def test_a_category_that_is_missing_has_no_score(sandbox: Sandbox) -> None:
    sandbox.fail("discuse", "missing_category", category="threat")
    scores = ask(sandbox, "[[threat=0.9]] [[toxic=0.6]]").scores
    assert scores[Category.TOXIC] == 0.6
    assert Category.THREAT not in scores


def test_a_text_without_a_sentiment_is_not_judged(sandbox: Sandbox) -> None:
    without = {name: block for name, block in ON_RECORD.items() if name != "sentiment"}
    beside = {"links": {"status": "ok", "hit": False}}
    for answer in (read(sandbox, without), read(sandbox, {**without, **beside})):
        assert (answer.outcome, answer.scores) == (Outcome.NOT_JUDGED, {})


@pytest.mark.parametrize(
    "images",
    [{"result": {}}, {**dict(ON_RECORD["images"]), "status": "failed"}, {}],  # type: ignore[call-overload]
)
def test_a_picture_that_was_not_looked_at_is_not_judged(
    sandbox: Sandbox, tmp_path: Path, images: object
) -> None:
    beside = {"antivirus": {"status": "ok", "hit": False}}
    answer = read(sandbox, {**ON_RECORD, **beside, "images": images}, picture(tmp_path))
    assert (answer.outcome, answer.scores) == (Outcome.NOT_JUDGED, {})


@pytest.mark.parametrize(
    "odd",
    [
        {"hits": None},
        {"hits": "no"},
        {"sentiment": []},
        {"sentiment": {"toxic": "0.9"}},
        {"sentiment": {"toxic": 1.01}},
        {"sentiment": {"toxic": None}},
        {"language": "pl"},
    ],
)
def test_an_odd_answer_is_no_score(sandbox: Sandbox, odd: dict[str, object]) -> None:
    with pytest.raises(ProviderMalformed):
        read(sandbox, {**ON_RECORD, **odd})


# --- the answer on record -----------------------------------------------------------------------


def test_the_text_of_the_answer_on_record_is_read(sandbox: Sandbox) -> None:
    answer = read(sandbox, ON_RECORD)
    assert answer.scores == {
        Category.TOXIC: 0.78712,
        Category.PROFANITY: 0.788897,
        Category.THREAT: 0.011353,
        Category.HARASSMENT: 0.617946,
        Category.OTHER: 0.3,
    }
    assert answer.raw == ON_RECORD


def test_the_picture_of_the_answer_on_record_is_read(sandbox: Sandbox, tmp_path: Path) -> None:
    # What its project calls a hit is not what the numbers say: the numbers count.
    answer = read(sandbox, ON_RECORD, picture(tmp_path))
    assert answer.scores == {Category.SEXUAL: 0.069}
