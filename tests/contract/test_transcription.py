"""The sandbox's transcription, driven by OpenAI's own library."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from moderation.sandbox.server import Sandbox, running_sandbox
from moderation.sandbox.transcription import MAX_BYTES

SOUND = ("sound.mp3", b"ID3\xff\xfb [[say: hello there]] [[say: again]] \r\n--\x00", "audio/mpeg")


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    return running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[openai.OpenAI]:
    with client_for(sandbox) as made:
        yield made


def client_for(sandbox: Sandbox, key: str = "sk-test") -> openai.OpenAI:
    return openai.OpenAI(
        api_key=key, base_url=f"{sandbox.base_url}/transcription/v1", max_retries=0, timeout=5
    )


def test_words_are_heard(client: openai.OpenAI) -> None:
    heard = client.audio.transcriptions.create(model="whisper-1", file=SOUND, temperature=0)
    assert heard.text == "hello there again"


@pytest.mark.parametrize("wanted", ["json", "text", "verbose_json"])
def test_words_come_in_three_forms(client: openai.OpenAI, wanted: str) -> None:
    heard = client.audio.transcriptions.create(
        model="whisper-1", file=SOUND, language="en", response_format=wanted
    )
    text = heard if isinstance(heard, str) else heard.text
    assert text.strip() == "hello there again"


def test_silence_is_an_empty_text(client: openai.OpenAI) -> None:
    heard = client.audio.transcriptions.create(model="whisper-1", file=("a.ogg", b"OggS\x00"))
    assert heard.text == ""


def test_a_wrong_key_is_refused(sandbox: Sandbox) -> None:
    with client_for(sandbox, "bad-key") as client, pytest.raises(openai.AuthenticationError):
        client.audio.transcriptions.create(model="whisper-1", file=SOUND)


def test_a_file_of_no_known_format_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        client.audio.transcriptions.create(model="whisper-1", file=("a.txt", b"hello"))


def test_a_file_that_is_too_large_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as raised:
        client.audio.transcriptions.create(
            model="whisper-1", file=("a.wav", b"RIFF" + bytes(MAX_BYTES))
        )
    assert raised.value.status_code == 413


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, openai.RateLimitError), (503, openai.InternalServerError)],
)
def test_a_failure_is_worded_as_the_library_expects(
    sandbox: Sandbox, client: openai.OpenAI, status: int, error: type[openai.APIStatusError]
) -> None:
    sandbox.fail("transcription", status, count=1)
    with pytest.raises(error):
        client.audio.transcriptions.create(model="whisper-1", file=SOUND)
