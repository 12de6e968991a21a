"""Targets and streams: what does not speak HTTP is guarded like what does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from moderation.errors import FetchRefused
from moderation.outbound import Stream, check_target, open_stream, parse_target

NONE: frozenset[str] = frozenset()


def answering(*addresses: str) -> Callable[[str, int], Sequence[str]]:
    return lambda host, port: addresses


class Listener:
    """A server of one connection at a time that `handle` speaks for."""

    def __init__(self, listening: socket.socket) -> None:
        self.listening = listening
        self.accepted = 0
        self.handle: Callable[[socket.socket], None] = lambda connection: None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self.listening.getsockname()[1]

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            self.accepted += 1
            with connection:
                self.handle(connection)

    def stop(self) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self._thread.join(5)


@pytest.fixture
def listener() -> Iterator[Listener]:
    running = Listener(socket.create_server(("127.0.0.1", 0)))
    yield running
    running.stop()


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("models.example:50051", ("models.example", 50051)),
        ("Models.Example:50051", ("models.example", 50051)),
        ("10.0.0.7:3310", ("10.0.0.7", 3310)),
        ("[2001:db8::1]:3310", ("2001:db8::1", 3310)),
    ],
)
def test_a_target_is_a_host_and_a_port(text: str, parsed: tuple[str, int]) -> None:
    assert parse_target(text) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "models.example",
        "models.example:",
        "models.example:0",
        "models.example:99999",
        "models.example:50051/path",
        "user@models.example:50051",
        "http://models.example:80",
        "models.example:50051?x",
        "2001:db8::1:3310",
        "[::1",
        "mod els:1",
        "a\\b:1",
    ],
)
def test_anything_else_is_no_target(text: str) -> None:
    with pytest.raises(FetchRefused):
        parse_target(text)


def test_a_public_name_gives_the_address_to_connect_to() -> None:
    found = check_target("models.example", 50051, NONE, resolver=answering("93.184.215.14"))
    assert found == "93.184.215.14"


@pytest.mark.parametrize(
    "addresses",
    [
        [],
        ["127.0.0.1"],
        ["10.0.0.7"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["93.184.215.14", "10.0.0.7"],  # one bad address among good ones
    ],
)
def test_a_name_with_a_private_address_is_refused(addresses: list[str]) -> None:
    with pytest.raises(FetchRefused) as refusal:
        check_target("models.example", 50051, NONE, resolver=answering(*addresses))
    assert refusal.value.reason == "address"
    assert str(refusal.value) == "This address cannot be fetched."


def test_an_exception_holds_for_that_port_alone() -> None:
    allowed = frozenset({"Models.internal:50051"})
    resolver = answering("10.0.0.7")
    assert check_target("models.INTERNAL", 50051, allowed, resolver=resolver) == "10.0.0.7"
    with pytest.raises(FetchRefused):
        check_target("models.internal", 50052, allowed, resolver=resolver)


def test_a_slow_resolver_is_not_waited_for() -> None:
    def sleeping(host: str, port: int) -> Sequence[str]:
        time.sleep(1)
        return ["93.184.215.14"]

    started = time.monotonic()
    with pytest.raises(FetchRefused) as refusal:
        check_target("models.example", 50051, NONE, timeout_seconds=0.05, resolver=sleeping)
    assert refusal.value.reason == "timeout"
    assert time.monotonic() - started < 0.5


def test_a_stream_writes_and_reads_a_line(listener: Listener) -> None:
    def echo(connection: socket.socket) -> None:
        connection.sendall(connection.recv(100).upper() + b"\0more")

    listener.handle = echo
    with open_stream(
        listener.target, allow_private_hosts=frozenset({listener.target}), timeout_seconds=5
    ) as stream:
        stream.write(b"hello")
        assert stream.read_line(ends=b"\0\n", max_bytes=100) == b"HELLO"


def test_a_private_address_is_not_even_dialled(listener: Listener) -> None:
    with (
        pytest.raises(FetchRefused) as refusal,
        open_stream(listener.target, allow_private_hosts=NONE, timeout_seconds=5),
    ):
        pass
    assert (refusal.value.reason, listener.accepted) == ("address", 0)


def test_a_unix_socket_needs_an_exception(tmp_path: Path) -> None:
    path = tmp_path / "s"
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    listening.listen()
    listener = Listener(listening)
    listener.handle = lambda connection: connection.sendall(b"hi\n")
    target = f"unix:{path}"
    try:
        with (
            pytest.raises(FetchRefused),
            open_stream(target, allow_private_hosts=NONE, timeout_seconds=5),
        ):
            pass
        assert listener.accepted == 0
        with open_stream(
            target, allow_private_hosts=frozenset({target}), timeout_seconds=5
        ) as stream:
            assert stream.read_line(ends=b"\n", max_bytes=10) == b"hi"
    finally:
        listener.stop()


def test_a_socket_that_is_not_there_is_refused(tmp_path: Path) -> None:
    target = f"unix:{tmp_path / 'none'}"
    with (
        pytest.raises(FetchRefused) as refusal,
        open_stream(target, allow_private_hosts=frozenset({target}), timeout_seconds=5),
    ):
        pass
    assert refusal.value.reason == "connection"


def read_all(listener: Listener, *, timeout_seconds: float = 5.0) -> bytes:
    allowed = frozenset({listener.target})
    with open_stream(
        listener.target, allow_private_hosts=allowed, timeout_seconds=timeout_seconds
    ) as stream:
        return stream.read_line(ends=b"\0", max_bytes=100)


@pytest.mark.parametrize("sent", [b"", b"cut of"])
def test_a_line_that_is_cut_off_is_none(listener: Listener, sent: bytes) -> None:
    listener.handle = lambda connection: connection.sendall(sent)
    with pytest.raises(FetchRefused) as refusal:
        read_all(listener)
    assert refusal.value.reason == "connection"


def test_an_endless_line_is_cut_off(listener: Listener) -> None:
    listener.handle = lambda connection: connection.sendall(b"x" * 101)
    with pytest.raises(FetchRefused) as refusal:
        read_all(listener)
    assert refusal.value.reason == "size"


def test_a_dripping_server_is_cut_off_at_the_deadline(listener: Listener) -> None:
    def drip(connection: socket.socket) -> None:
        for _ in range(20):
            try:
                connection.sendall(b"x")
            except OSError:
                return
            time.sleep(0.02)

    listener.handle = drip
    started = time.monotonic()
    with pytest.raises(FetchRefused) as refusal:
        read_all(listener, timeout_seconds=0.1)
    assert refusal.value.reason == "timeout"
    assert time.monotonic() - started < 0.3


def test_a_peer_that_stops_reading_is_cut_off_at_the_deadline(listener: Listener) -> None:
    listener.handle = lambda connection: time.sleep(0.3)

    def write_much(stream: Stream) -> None:
        for _ in range(1000):
            stream.write(b"x" * 100_000)

    with (
        pytest.raises(FetchRefused) as refusal,
        open_stream(
            listener.target,
            allow_private_hosts=frozenset({listener.target}),
            timeout_seconds=0.1,
        ) as stream,
    ):
        write_much(stream)
    assert refusal.value.reason == "timeout"
