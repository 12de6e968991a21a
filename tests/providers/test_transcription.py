"""Transcription against the sandbox: words are handed on, silence is the only judgement."""

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
from moderation.providers.adapters.transcription import TranscriptionAdapter
from moderation.providers.base import Answer, AudioPart, TextPart
from moderation.sandbox.server import Sandbox
from moderation.vocabulary import Category, Outcome
from tests.providers.accounts import FAULTS, account_at


@pytest.fixture
def sound(tmp_path: Path) -> AudioPart:
    return sound_of(tmp_path, b"\0\xff[[say: hello there]]\xfe\r\n")


def sound_of(folder: Path, content: bytes, content_type: str = "audio/mp4") -> AudioPart:
    path = folder / "sound"
    path.write_bytes(content)
    return AudioPart("media:1", path, content_type=content_type, duration_seconds=90.0)


def adapter(sandbox: Sandbox, **given: str) -> TranscriptionAdapter:
    facts = TranscriptionAdapter.facts
    return TranscriptionAdapter(account_at(sandbox, "transcription", facts, "/v1", **given))


def hear(sandbox: Sandbox, part: AudioPart, **given: str) -> Answer:
    (answer,) = adapter(sandbox, **given).judge([part])
    return answer


def test_words_are_handed_on_unjudged(sandbox: Sandbox, sound: AudioPart) -> None:
    answer = hear(sandbox, sound)
    assert (answer.outcome, answer.text) == (Outcome.NOT_JUDGED, "hello there")
    assert answer.scores == {}
    assert answer.raw["text"] == "hello there"


@pytest.mark.parametrize("content", [b"\0\xff", b"[[say: ]]"])
def test_silence_is_judged(sandbox: Sandbox, tmp_path: Path, content: bytes) -> None:
    answer = hear(sandbox, sound_of(tmp_path, content))
    assert (answer.outcome, answer.text) == (Outcome.JUDGED, "")
    assert answer.scores == {Category.TOXIC: 0.0}
    assert answer.raw == {"heard": "no words"}


def test_words_may_hold_marks(sandbox: Sandbox, tmp_path: Path) -> None:
    said = "[[say: you [[hate=0.9]] lot]] [[say: äh]]"
    answer = hear(sandbox, sound_of(tmp_path, said.encode()))
    assert answer.text == "you [[hate=0.9]] lot äh"


@pytest.mark.parametrize(
    ("content_type", "name"),
    [
        ("audio/mp4", "file.mp4"),
        ("audio/mpeg", "file.mpeg"),
        ("audio/ogg", "file.ogg"),
        ("audio/wav", "file.wav"),
        ("audio/flac", "file.flac"),
        ("audio/webm", "file.webm"),
    ],
)
def test_the_file_is_named_by_its_type(
    sandbox: Sandbox, tmp_path: Path, content_type: str, name: str
) -> None:
    assert hear(sandbox, sound_of(tmp_path, b"[[say: hi]]", content_type)).text == "hi"
    body = sandbox.requests("transcription")[0].request.body
    assert f'filename="{name}"'.encode() in body
    assert f"Content-Type: {content_type}".encode() in body


def test_a_format_that_the_service_does_not_know_is_not_judged(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    with pytest.raises(ProviderRejected):
        hear(sandbox, sound_of(tmp_path, b"[[say: hi]]", "audio/aac"))


def test_the_model_is_asked_plainly(sandbox: Sandbox, sound: AudioPart) -> None:
    hear(sandbox, sound, model="large", language="de")
    body = sandbox.requests("transcription")[0].request.body
    for name, value in {"model": "large", "language": "de", "temperature": "0"}.items():
        assert f'name="{name}"\r\n\r\n{value}\r\n'.encode() in body
    hear(sandbox, sound)
    assert b'name="language"' not in sandbox.requests("transcription")[1].request.body


def test_minutes_have_their_price(sandbox: Sandbox, sound: AudioPart) -> None:
    assert hear(sandbox, sound, price_minute="0.006").cost_micros == 9_000
    assert hear(sandbox, sound, price_minute="little").cost_micros == 0


def test_a_file_beyond_the_limit_is_not_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected):
        hear(sandbox, sound_of(tmp_path, b"x" * 20_000), max_megabytes="0.01")
    assert sandbox.requests("transcription") == []


def test_a_file_beyond_the_services_limit_is_not_judged(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected):
        hear(sandbox, sound_of(tmp_path, b"x" * (26 * 1024 * 1024)), max_megabytes="50")


def test_only_sounds_are_heard(sandbox: Sandbox, tmp_path: Path) -> None:
    with pytest.raises(ProviderRejected):
        adapter(sandbox).judge([TextPart("text", "hello")])
    with pytest.raises(ProviderRejected):
        adapter(sandbox).judge([AudioPart("media:1", tmp_path / "none")])
    assert sandbox.requests("transcription") == []


def test_a_service_of_ones_own_needs_no_key(sandbox: Sandbox, sound: AudioPart) -> None:
    made = adapter(sandbox, key="")
    assert made.is_available()
    with pytest.raises(ProviderAuthFailed):
        made.judge([sound])
    assert "authorization" not in sandbox.requests("transcription")[0].request.headers


def test_a_wrong_key_is_refused_and_never_repeated(sandbox: Sandbox, sound: AudioPart) -> None:
    with pytest.raises(ProviderAuthFailed) as raised:
        hear(sandbox, sound, key="bad-key")
    assert "bad-key" not in str(raised.value)


@pytest.mark.parametrize(("kind", "error"), FAULTS)
def test_a_failure_is_never_silence(
    sandbox: Sandbox, sound: AudioPart, kind: str, error: type[ProviderError]
) -> None:
    sandbox.fail("transcription", kind, count=1)
    with pytest.raises(error) as raised:
        hear(sandbox, sound)
    assert type(raised.value) is error
    assert len(sandbox.requests("transcription")) == 1


def test_a_rate_limit_says_when_to_come_back(sandbox: Sandbox, sound: AudioPart) -> None:
    sandbox.fail("transcription", 429, count=1, retry_after=7)
    with pytest.raises(ProviderRateLimited) as raised:
        hear(sandbox, sound)
    assert raised.value.retry_after_seconds == 7


def test_a_slow_service_is_not_waited_for(sandbox: Sandbox, sound: AudioPart) -> None:
    sandbox.fail("transcription", "slow", count=1, delay_seconds=0.6)
    with pytest.raises(ProviderUnavailable):
        hear(sandbox, sound, timeout_seconds="0.2")


class Answering(TranscriptionAdapter):
    """Reads an answer that was not made by the sandbox."""

    reply = Reply(200, {}, b"", "")

    def send(self, method: str, url: str, **rest: object) -> Reply:
        return self.reply


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, {"text": None}, ProviderMalformed),
        (200, {"text": ["hello"]}, ProviderMalformed),
        (200, {"text": 0}, ProviderMalformed),
        (200, {"segments": []}, ProviderMalformed),
        (200, "hello", ProviderMalformed),
        (429, {"error": {"code": "insufficient_quota"}}, ProviderQuotaExhausted),
        (413, {"error": {"message": "Too large."}}, ProviderRejected),
    ],
)
def test_an_odd_answer_is_never_silence(
    sandbox: Sandbox, sound: AudioPart, status: int, body: object, error: type[ProviderError]
) -> None:
    made = Answering(account_at(sandbox, "transcription", TranscriptionAdapter.facts))
    made.reply = Reply(status, {}, json.dumps(body).encode(), "")
    with pytest.raises(error) as raised:
        made.judge_one(sound)
    assert type(raised.value) is error
