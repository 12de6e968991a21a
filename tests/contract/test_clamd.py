"""The sandbox's daemon, driven by the package clamd, which speaks the newline form."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import clamd
import pytest

from moderation.sandbox.clamd import EICAR, VERSION, Clamd, running_clamd


@pytest.fixture
def daemon() -> Iterator[Clamd]:
    with running_clamd(max_bytes=100_000) as running:
        yield running


@pytest.fixture
def client(daemon: Clamd) -> clamd.ClamdNetworkSocket:
    host, _, port = daemon.address.partition(":")
    return clamd.ClamdNetworkSocket(host, int(port), timeout=5)


def test_the_test_file_is_the_packages_own() -> None:
    assert EICAR == clamd.EICAR


def test_it_answers_and_says_what_it_is(client: clamd.ClamdNetworkSocket) -> None:
    assert client.ping() == "PONG"
    assert client.version() == VERSION
    assert client.reload() == "RELOADING"
    assert client.stats().endswith("\nEND\n")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"abc", ("OK", None)),
        (b"", ("OK", None)),
        (b"x" * 50_000, ("OK", None)),
        (EICAR, ("FOUND", "Eicar-Test-Signature")),
        (b"[[pua=1]]", ("FOUND", "PUA.Sandbox.Test")),
        (b"[[clamd=error]]", ("ERROR", "Can't allocate memory")),
    ],
)
def test_a_stream_is_scanned(
    client: clamd.ClamdNetworkSocket, content: bytes, found: tuple[str, str | None]
) -> None:
    assert client.instream(io.BytesIO(content)) == {"stream": found}


def test_a_stream_beyond_the_limit_is_refused(client: clamd.ClamdNetworkSocket) -> None:
    # The package sends on while the daemon hangs up, so it hears of it in one of three ways.
    with pytest.raises((clamd.BufferTooLongError, clamd.ConnectionError, ConnectionError)):
        client.instream(io.BytesIO(b"x" * 200_000))


def test_a_unix_socket_will_do(tmp_path: Path) -> None:
    with running_clamd(path=tmp_path / "s"):
        client = clamd.ClamdUnixSocket(str(tmp_path / "s"), timeout=5)
        assert client.instream(io.BytesIO(EICAR))["stream"][0] == "FOUND"
