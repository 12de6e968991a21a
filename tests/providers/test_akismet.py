"""Akismet's adapter against the sandbox."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs

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
from moderation.providers.adapters.akismet import AkismetAdapter
from moderation.providers.base import Answer, ImagePart, TextPart
from moderation.sandbox.server import Sandbox
from moderation.vocabulary import Category, Outcome
from tests.providers.accounts import FAULTS, account_at

BLOG = "https://forum.example.com"


def adapter(sandbox: Sandbox, **options: str) -> AkismetAdapter:
    given = {"blog": BLOG, **options}
    return AkismetAdapter(account_at(sandbox, "akismet", AkismetAdapter.facts, **given))


def ask(sandbox: Sandbox, text: str, language: str = "", **options: str) -> Answer:
    (answer,) = adapter(sandbox, **options).judge([TextPart("text", text, language)])
    return answer


class Answering(AkismetAdapter):
    """Reads an answer that was not made by the sandbox."""

    answer = b""
    headers: dict[str, str] = {}

    def send(self, method: str, url: str, **rest: object) -> Reply:
        return Reply(200, self.headers, self.answer, url)


def read(sandbox: Sandbox, answer: bytes, **headers: str) -> Answer:
    made = Answering(account_at(sandbox, "akismet", AkismetAdapter.facts, blog=BLOG))
    made.answer = answer
    made.headers = {f"x-akismet-{name.replace('_', '-')}": said for name, said in headers.items()}
    return made.judge_one(TextPart("text", "hello"))


@pytest.mark.parametrize(
    ("text", "spam"),
    [("hello", 0.0), ("[[spam=0.6]]", 0.9), ("[[spam=1]]", 1.0)],
)
def test_its_word_becomes_a_score(sandbox: Sandbox, text: str, spam: float) -> None:
    answer = ask(sandbox, text)
    assert answer.outcome is Outcome.JUDGED
    assert answer.scores == {Category.SPAM: spam}
    assert answer.raw["x-akismet-guid"]


def test_what_is_not_yet_known_is_not_judged(sandbox: Sandbox) -> None:
    answer = ask(sandbox, "[[recheck=1]]")
    assert (answer.outcome, answer.error) == (Outcome.NOT_JUDGED, "recheck_later")
    assert answer.scores == {}
    assert answer.raw["x-akismet-recheck-after"] == "120"


def test_each_part_is_answered_in_order(sandbox: Sandbox) -> None:
    parts = [TextPart(text, text) for text in ("a", "[[spam=0.9]]", "b", "[[spam=1]]")]
    answers = adapter(sandbox).judge(parts)
    assert [answer.scores[Category.SPAM] for answer in answers] == [0.0, 0.9, 0.0, 1.0]


def test_the_question_is_a_form(sandbox: Sandbox) -> None:
    text = "Cheap pills & more: 100 % für 5 €"
    ask(sandbox, text, "de", user_ip="203.0.113.9", user_agent="Mozilla/5.0", is_test="yes")
    (seen,) = sandbox.requests("akismet")
    assert seen.request.path == "/1.1/comment-check"
    assert seen.request.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert " | " in seen.request.headers["user-agent"]
    assert parse_qs(seen.request.body.decode()) == {
        "api_key": ["good-key"],
        "blog": [BLOG],
        "user_ip": ["203.0.113.9"],
        "user_agent": ["Mozilla/5.0"],
        "comment_type": ["forum-post"],
        "comment_content": [text],
        "blog_lang": ["de"],
        "blog_charset": ["UTF-8"],
        "is_test": ["1"],
    }


def test_nothing_of_the_author_is_sent(sandbox: Sandbox) -> None:
    ask(sandbox, "hello")
    form = parse_qs(sandbox.requests("akismet")[0].request.body.decode())
    assert form["user_ip"] == ["127.0.0.1"]
    assert not {name for name in form if name.startswith("comment_author")}
    assert not {"user_agent", "is_test"} & set(form)


# --- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "error"), FAULTS)
def test_a_failing_service_is_an_error(
    sandbox: Sandbox, kind: str, error: type[ProviderError]
) -> None:
    sandbox.fail("akismet", kind)
    with pytest.raises(error):
        ask(sandbox, "hello")


def test_how_long_to_wait_is_passed_on(sandbox: Sandbox) -> None:
    sandbox.fail("akismet", 429, count=1, retry_after=5)
    sandbox.fail("akismet", 429, count=1)
    waits = []
    for _ in range(2):
        with pytest.raises(ProviderRateLimited) as caught:
            ask(sandbox, "hello")
        waits.append(caught.value.retry_after_seconds)
    assert waits == [5, None]


def test_a_slow_service_is_given_up(sandbox: Sandbox) -> None:
    sandbox.fail("akismet", "slow", delay_seconds=0.5)
    with pytest.raises(ProviderUnavailable):
        ask(sandbox, "hello", timeout_seconds="0.1")


def test_a_bad_key_is_said_to_be_bad(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderAuthFailed) as caught:
        ask(sandbox, "hello", key="bad-key")
    assert "bad-key" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("suspended-key", ProviderQuotaExhausted),
        ("personal-key", ProviderQuotaExhausted),
        ("foreign-key", ProviderAuthFailed),
    ],
)
def test_an_alert_shuts_it(sandbox: Sandbox, key: str, error: type[ProviderError]) -> None:
    with pytest.raises(error):
        ask(sandbox, "hello", key=key)


@pytest.mark.parametrize("code", ["10402", "10006", "10009", "10010"])
def test_a_suspended_account_judges_nothing(sandbox: Sandbox, code: str) -> None:
    with pytest.raises(ProviderQuotaExhausted):
        read(sandbox, b"false", alert_code=code)


@pytest.mark.parametrize("code", ["10003", "10011", "10999"])
def test_a_reminder_beside_an_answer_leaves_the_answer(sandbox: Sandbox, code: str) -> None:
    answer = read(sandbox, b"true", alert_code=code)
    assert answer.scores == {Category.SPAM: 0.9}
    assert answer.raw["x-akismet-alert-code"] == code


def test_a_missing_field_is_a_rejected_question(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        ask(sandbox, "hello", user_ip="")


@pytest.mark.parametrize(
    "answer", [b"", b"tru", b"True!", b"1", b"<html>", b"\xff", b"false false"]
)
def test_any_other_word_is_no_score(sandbox: Sandbox, answer: bytes) -> None:
    with pytest.raises(ProviderMalformed):
        read(sandbox, answer)


def test_without_its_site_it_cannot_judge(sandbox: Sandbox) -> None:
    assert adapter(sandbox).is_available()
    assert not adapter(sandbox, blog="").is_available()
    assert not adapter(sandbox, key="").is_available()


def test_a_picture_is_rejected(sandbox: Sandbox) -> None:
    with pytest.raises(ProviderRejected):
        adapter(sandbox).judge([ImagePart("a", Path("never-read.jpg"))])
