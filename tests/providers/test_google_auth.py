"""How Google is told who asks: by a key, or by a token that a service account is given."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from moderation.errors import (
    ProviderAuthFailed,
    ProviderError,
    ProviderMalformed,
    ProviderRateLimited,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.outbound import GuardedClient, Reply
from moderation.providers.base import Account, Facts
from moderation.providers.shared import google_auth
from moderation.providers.shared.google_auth import (
    GOOGLE_SETTINGS,
    GoogleAdapter,
    raise_for_code,
    raise_for_google,
)
from moderation.sandbox.server import Sandbox
from moderation.vocabulary import Part


class Asking(GoogleAdapter):
    facts = Facts("Google", parts=frozenset({Part.TEXT}), doc="google", settings=GOOGLE_SETTINGS)

    def ask(self) -> dict[str, Any]:
        base = self.option("base_url")
        document = {"type": "PLAIN_TEXT", "content": "hello"}
        return self.call("POST", f"{base}/v2/documents:moderateText", json={"document": document})


def asking(sandbox: Sandbox, **secrets: str) -> Asking:
    return Asking(
        Account(
            "google",
            options={"base_url": f"{sandbox.base_url}/google_language"},
            secrets=secrets,
            timeout_seconds=5,
            allow_private_hosts=frozenset({sandbox.address}),
        )
    )


@pytest.fixture
def key_file(sandbox: Sandbox) -> dict[str, str]:
    """The key file of the sandbox's own service account."""
    with GuardedClient(allow_private_hosts=frozenset({sandbox.address})) as client:
        reply = client.request(
            "GET",
            f"{sandbox.base_url}/google_token/service-account.json",
            max_bytes=10_000,
            timeout_seconds=5,
        )
    found: dict[str, str] = json.loads(reply.content)
    return found


def tokens_given(sandbox: Sandbox) -> int:
    return sum(seen.request.path == "/token" for seen in sandbox.requests("google_token"))


def authorization(sandbox: Sandbox) -> str:
    return sandbox.requests("google_language")[-1].request.headers.get("authorization", "")


# --- with a key ---------------------------------------------------------------------------------


def test_a_key_is_sent_in_a_header_and_in_no_address(sandbox: Sandbox) -> None:
    assert asking(sandbox, api_key="k-1").ask()["languageSupported"]
    (seen,) = sandbox.requests("google_language")
    assert seen.request.headers["x-goog-api-key"] == "k-1"
    assert "k-1" not in seen.request.url


@pytest.mark.parametrize("key", ["bad-key", ""])
def test_a_key_that_is_refused_is_told_and_not_repeated(sandbox: Sandbox, key: str) -> None:
    with pytest.raises(ProviderAuthFailed) as refused:
        asking(sandbox, api_key=key).ask()
    assert "bad-key" not in str(refused.value)


@pytest.mark.parametrize(
    ("secrets", "available"),
    [({"api_key": "k"}, True), ({"service_account": "{}"}, True), ({"api_key": ""}, False)],
)
def test_either_is_enough(sandbox: Sandbox, secrets: dict[str, str], available: bool) -> None:
    assert asking(sandbox, **secrets).is_available() == available


# --- as a service account -----------------------------------------------------------------------


def test_a_service_account_is_given_a_token(sandbox: Sandbox, key_file: dict[str, str]) -> None:
    made = asking(sandbox, api_key="bad-key", service_account=json.dumps(key_file))
    assert made.ask()["languageSupported"]
    assert authorization(sandbox).startswith("Bearer ya29.sandbox-")


def test_one_token_serves_many_calls(sandbox: Sandbox, key_file: dict[str, str]) -> None:
    made = asking(sandbox, service_account=json.dumps(key_file))
    for _ in range(3):
        made.ask()
    assert tokens_given(sandbox) == 1


def test_a_token_is_renewed_before_it_ends(
    sandbox: Sandbox, key_file: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = asking(sandbox, service_account=json.dumps(key_file))
    monkeypatch.setattr(google_auth, "RENEW_BEFORE_SECONDS", 3600.0)
    made.ask()
    made.ask()
    assert tokens_given(sandbox) == 2


def test_a_token_that_google_no_longer_takes_is_forgotten(
    sandbox: Sandbox, key_file: dict[str, str]
) -> None:
    made = asking(sandbox, service_account=json.dumps(key_file))
    made.ask()
    sandbox.fail("google_language", "401", count=1)
    with pytest.raises(ProviderAuthFailed):
        made.ask()
    made.ask()
    assert tokens_given(sandbox) == 2


def unreadable(key_file: dict[str, str]) -> str:
    return "not json"


def a_list(key_file: dict[str, str]) -> str:
    return "[]"


def without_key(key_file: dict[str, str]) -> str:
    return json.dumps({**key_file, "private_key": None})


def with_broken_key(key_file: dict[str, str]) -> str:
    return json.dumps({**key_file, "private_key": key_file["private_key"][:200]})


def with_another_kind_of_key(key_file: dict[str, str]) -> str:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return json.dumps({**key_file, "private_key": pem})


def of_another_type(key_file: dict[str, str]) -> str:
    return json.dumps({**key_file, "type": "external_account"})


@pytest.mark.parametrize(
    "spoil",
    [
        unreadable,
        a_list,
        without_key,
        with_broken_key,
        with_another_kind_of_key,
        of_another_type,
    ],
)
def test_a_key_file_that_is_none_is_told_without_its_content(
    sandbox: Sandbox, key_file: dict[str, str], spoil: Callable[[dict[str, str]], str]
) -> None:
    with pytest.raises(ProviderAuthFailed) as refused:
        asking(sandbox, service_account=spoil(key_file)).ask()
    assert "BEGIN" not in str(refused.value)
    assert refused.value.__cause__ is None
    assert tokens_given(sandbox) == 0


def test_an_account_that_google_does_not_know_is_refused(
    sandbox: Sandbox, key_file: dict[str, str]
) -> None:
    stranger = {**key_file, "client_email": "stranger@example.com"}
    with pytest.raises(ProviderAuthFailed):
        asking(sandbox, service_account=json.dumps(stranger)).ask()
    assert sandbox.requests("google_language") == []


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("503", ProviderUnavailable),
        ("reset", ProviderUnavailable),
        ("429", ProviderRateLimited),
        ("truncated", ProviderMalformed),
        ("wrong_schema", ProviderMalformed),
        ("wrong_types", ProviderMalformed),
    ],
)
def test_a_token_that_does_not_come_fails_the_call(
    sandbox: Sandbox, key_file: dict[str, str], fault: str, error: type[ProviderError]
) -> None:
    sandbox.fail("google_token", fault)
    with pytest.raises(error):
        asking(sandbox, service_account=json.dumps(key_file)).ask()
    assert sandbox.requests("google_language") == []


# --- errors -------------------------------------------------------------------------------------


def error(status: int, reason: str = "", **more: object) -> Reply:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, **more}
    envelope = {"error": {"code": status, "message": "…", "status": "…", "details": [info]}}
    return Reply(status, {}, json.dumps(envelope).encode(), "")


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (error(400, "API_KEY_INVALID"), ProviderAuthFailed),
        (error(400, "FIELD_INVALID"), ProviderRejected),
        (error(403, "SERVICE_DISABLED"), ProviderAuthFailed),
        (error(429, "RATE_LIMIT_EXCEEDED"), ProviderRateLimited),
        (error(504), ProviderUnavailable),
        (Reply(400, {}, b"<html>", ""), ProviderRejected),
        (Reply(400, {}, b'{"error": "text"}', ""), ProviderRejected),
        (Reply(400, {}, b'{"error": {"details": "text"}}', ""), ProviderRejected),
        (Reply(302, {}, b"", ""), ProviderUnavailable),
    ],
)
def test_an_envelope_is_read(reply: Reply, expected: type[ProviderError]) -> None:
    with pytest.raises(expected) as raised:
        raise_for_google(reply)
    assert type(raised.value) is expected


@pytest.mark.parametrize(
    ("delay", "seconds"), [("30s", 30.0), ("0.5s", 0.5), ("soon", None), (7, None)]
)
def test_google_may_say_how_long_to_wait(delay: object, seconds: float | None) -> None:
    with pytest.raises(ProviderRateLimited) as limited:
        raise_for_google(error(429, retryDelay=delay))
    assert limited.value.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (3, ProviderRejected),
        (7, ProviderAuthFailed),
        (8, ProviderRateLimited),
        (13, ProviderUnavailable),
        (14, ProviderUnavailable),
        (16, ProviderAuthFailed),
        (99, ProviderRejected),
    ],
)
def test_a_code_inside_an_answer_is_read(code: int, expected: type[ProviderError]) -> None:
    with pytest.raises(expected) as raised:
        raise_for_code(code)
    assert type(raised.value) is expected
