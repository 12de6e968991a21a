"""The sandbox's Akismet, driven by the `akismet` package."""

from __future__ import annotations

from collections.abc import Iterator

import akismet
import pytest
from akismet import _common

from moderation.sandbox.server import Sandbox, running_sandbox

BLOG = "https://forum.example.com"
SOMEBODY = "203.0.113.9"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def at_sandbox(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """Point the package at the sandbox: it has no option for that."""
    sandbox.reset()
    monkeypatch.setattr(_common, "_API_URL", f"{sandbox.base_url}/akismet")
    return sandbox


@pytest.fixture
def client(at_sandbox: Sandbox) -> Iterator[akismet.SyncClient]:
    with akismet.SyncClient(config=akismet.Config(key="good-key", url=BLOG)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("hello", akismet.CheckResponse.HAM),
        ("[[spam=0.7]]", akismet.CheckResponse.SPAM),
        ("[[spam=1]]", akismet.CheckResponse.DISCARD),
    ],
)
def test_a_check_is_read(
    client: akismet.SyncClient, text: str, answer: akismet.CheckResponse
) -> None:
    assert client.comment_check(user_ip=SOMEBODY, comment_content=text) == answer


def test_its_own_magic_inputs_are_honoured(client: akismet.SyncClient) -> None:
    spam, ham = akismet.CheckResponse.SPAM, akismet.CheckResponse.HAM
    assert client.comment_check(user_ip=SOMEBODY, comment_author="viagra-test-123") == spam
    mail = "akismet-guaranteed-spam@example.com"
    assert client.comment_check(user_ip=SOMEBODY, comment_author_email=mail) == spam
    assert (
        client.comment_check(
            user_ip=SOMEBODY, comment_content="[[spam=1]]", user_role="administrator"
        )
        == ham
    )


def test_corrections_are_taken(client: akismet.SyncClient) -> None:
    assert client.submit_ham(user_ip=SOMEBODY, comment_content="hello")
    assert client.submit_spam(user_ip=SOMEBODY, comment_content="hello")


def test_the_use_is_told(client: akismet.SyncClient) -> None:
    assert client.usage_limit()["usage"] == 7463


def test_a_bad_key_is_refused(at_sandbox: Sandbox) -> None:
    bad = akismet.SyncClient(config=akismet.Config(key="bad-key", url=BLOG))
    assert not bad.verify_key()
    with pytest.raises(akismet.APIKeyError):
        bad.comment_check(user_ip=SOMEBODY, comment_content="hello")
    bad._http_client.close()


def test_a_missing_field_is_said_to_be_missing(client: akismet.SyncClient) -> None:
    with pytest.raises(akismet.ProtocolError, match="Missing required field: user_ip"):
        client.comment_check(user_ip="", comment_content="hello")


def test_a_failure_is_an_error(at_sandbox: Sandbox, client: akismet.SyncClient) -> None:
    at_sandbox.fail("akismet", 503, count=1)
    with pytest.raises(akismet.RequestError):
        client.comment_check(user_ip=SOMEBODY, comment_content="hello")
