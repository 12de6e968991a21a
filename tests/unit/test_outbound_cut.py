"""The beginning of an answer where that is enough, and how long servers ask us to stay away."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from moderation.errors import FetchRefused
from moderation.outbound import GuardedClient, Reply
from moderation.outbound.waits import retry_after_seconds


@pytest.fixture(scope="module")
def server() -> Iterator[HTTPServer]:
    with HTTPServer(host="127.0.0.1", port=0) as running:
        yield running


def ask(server: HTTPServer, answer: Response, *, cut: bool = True, most: int = 100) -> Reply:
    server.clear()
    server.expect_request("/").respond_with_response(answer)
    address = f"127.0.0.1:{server.port}"
    with GuardedClient(allow_private_hosts=frozenset({address})) as client:
        return client.request(
            "POST", f"http://{address}/", max_bytes=most, timeout_seconds=5, cut=cut
        )


def test_a_long_answer_is_cut(server: HTTPServer) -> None:
    reply = ask(server, Response(b"x" * 50_000, status=202))
    assert (reply.status, reply.content) == (202, b"x" * 100)
    with pytest.raises(FetchRefused):
        ask(server, Response(b"x" * 50_000), cut=False)


def test_an_endless_answer_is_cut(server: HTTPServer) -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 1000

    began = time.monotonic()
    assert ask(server, Response(endless())).content == b"x" * 100
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("encoding", ["br", "gzip"])
def test_what_is_packed_is_not_opened(server: HTTPServer, encoding: str) -> None:
    packed = gzip.compress(b"x" * 100_000)
    reply = ask(server, Response(packed, headers={"Content-Encoding": encoding}), most=60)
    assert reply.content == packed[:60]


def test_a_short_answer_is_whole(server: HTTPServer) -> None:
    assert ask(server, Response(b"fine")).content == b"fine"


def in_seconds(seconds: float, *, zone: bool = True) -> str:
    date = datetime.now(UTC) + timedelta(seconds=seconds)
    return format_datetime(date, usegmt=True) if zone else f"{date:%a, %d %b %Y %H:%M:%S}"


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("120", 120, 120),
        (" 1.5 ", 1.5, 1.5),
        ("0", 0, 0),
        ("-3", 0, 0),
        (lambda: in_seconds(100), 60, 100),
        (lambda: in_seconds(100, zone=False), 60, 100),
        (lambda: in_seconds(-100), 0, 0),
    ],
)
def test_a_wait_is_in_seconds_or_a_date(
    said: str | Callable[[], str], least: float, most: float
) -> None:
    found = retry_after_seconds({"retry-after": said if isinstance(said, str) else said()})
    assert found is not None
    assert least <= found <= most


@pytest.mark.parametrize("said", ["", "soon", "nan", "inf", "-inf", "1e999", "Fri, 99 Nov 2026"])
def test_a_wait_without_sense_is_none(said: str) -> None:
    assert retry_after_seconds({"retry-after": said}) is None
    assert retry_after_seconds({}) is None
