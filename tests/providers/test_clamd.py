"""ClamAV's adapter against a daemon on loopback."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from moderation.errors import (
    ProviderError,
    ProviderMalformed,
    ProviderRejected,
    ProviderUnavailable,
)
from moderation.providers.adapters import clamd
from moderation.providers.adapters.clamd import ClamdAdapter
from moderation.providers.base import (
    Account,
    Answer,
    AudioPart,
    ImagePart,
    MediaPart,
    TextPart,
    VideoPart,
)
from moderation.sandbox.clamd import EICAR, VERSION, Clamd, running_clamd
from moderation.vocabulary import Category, Outcome, Part


@pytest.fixture(scope="module")
def _running_daemon() -> Iterator[Clamd]:
    with running_clamd() as running:
        yield running


@pytest.fixture
def daemon(_running_daemon: Clamd) -> Clamd:
    _running_daemon.faults.clear()
    _running_daemon.scans = 0
    _running_daemon.max_bytes = 100_000_000
    return _running_daemon


def adapter(address: str, *, excepted: bool = True, timeout_seconds: float = 5.0) -> ClamdAdapter:
    return ClamdAdapter(
        Account(
            name="clamd",
            options={"address": address},
            timeout_seconds=timeout_seconds,
            allow_private_hosts=frozenset({address} if excepted else ()),
        )
    )


def file_of(folder: Path, content: bytes) -> ImagePart:
    path = folder / "file"
    path.write_bytes(content)
    return ImagePart("media:1", path)


def scan(daemon: Clamd, folder: Path, content: bytes) -> Answer:
    (answer,) = adapter(daemon.address).judge([file_of(folder, content)])
    return answer


@pytest.mark.parametrize(
    ("content", "score"),
    [
        (b"abc", 0.0),
        (b"", 0.0),
        (EICAR, 1.0),
        (b"\xff\xd8\xff" + b"0" * 500_000 + EICAR, 1.0),  # over several chunks
        (b"[[malware=1]]", 1.0),
        (b"[[pua=1]]", 0.7),
        (b"[[heuristics=1]]", 0.7),
    ],
)
def test_what_is_found_is_scored(
    daemon: Clamd, tmp_path: Path, content: bytes, score: float
) -> None:
    answer = scan(daemon, tmp_path, content)
    assert answer.outcome is Outcome.JUDGED
    assert answer.scores == {Category.MALWARE: score}
    assert answer.model_version == VERSION


def test_the_test_file_is_named(daemon: Clamd, tmp_path: Path) -> None:
    reply = scan(daemon, tmp_path, EICAR).raw["reply"]
    assert isinstance(reply, str)
    assert "eicar" in reply.lower()
    assert len(EICAR) == 68


@pytest.mark.parametrize(
    "make",
    [
        lambda path: ImagePart("1", path, kind=Part.GIF),
        lambda path: VideoPart("1", path),
        lambda path: AudioPart("1", path),
    ],
)
def test_every_kind_of_file_is_scanned(daemon: Clamd, tmp_path: Path, make) -> None:
    part: MediaPart = make(file_of(tmp_path, EICAR).path)
    assert part.kind in ClamdAdapter.facts.parts
    (answer,) = adapter(daemon.address).judge([part])
    assert answer.scores == {Category.MALWARE: 1.0}


def test_a_batch_is_answered_in_order(daemon: Clamd, tmp_path: Path) -> None:
    parts = []
    for number, content in enumerate([EICAR, b"abc", b"[[pua=1]]"]):
        (tmp_path / str(number)).mkdir()
        parts.append(file_of(tmp_path / str(number), content))
    answers = adapter(daemon.address).judge(parts)
    assert [answer.scores[Category.MALWARE] for answer in answers] == [1.0, 0.0, 0.7]


def test_threads_share_an_adapter(daemon: Clamd, tmp_path: Path) -> None:
    judge, part = adapter(daemon.address), file_of(tmp_path, EICAR)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: judge.judge([part])[0].scores, range(40)))
    assert found == [{Category.MALWARE: 1.0}] * 40


def test_a_unix_socket_will_do(tmp_path: Path) -> None:
    with running_clamd(path=tmp_path / "s") as daemon:
        assert daemon.address.startswith("unix:/")
        assert scan(daemon, tmp_path, EICAR).scores == {Category.MALWARE: 1.0}


def test_an_address_that_is_not_excepted_is_not_dialled(daemon: Clamd, tmp_path: Path) -> None:
    with pytest.raises(ProviderUnavailable):
        adapter(daemon.address, excepted=False).judge([file_of(tmp_path, b"abc")])
    assert daemon.scans == 0


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("error", ProviderUnavailable),
        ("disk", ProviderUnavailable),
        ("timed_out", ProviderUnavailable),
        ("reset", ProviderUnavailable),
        ("empty", ProviderUnavailable),
        ("truncated", ProviderUnavailable),
        ("unended", ProviderUnavailable),  # "stream: OK" could have gone on
        ("endless", ProviderUnavailable),
        ("garbage", ProviderMalformed),
    ],
)
def test_a_failure_is_never_clean(
    daemon: Clamd, tmp_path: Path, fault: str, error: type[ProviderError]
) -> None:
    daemon.faults.append(fault)
    with pytest.raises(error) as raised:
        scan(daemon, tmp_path, b"abc")
    assert type(raised.value) is error
    assert daemon.scans == 1


def test_a_silent_daemon_is_not_waited_for(daemon: Clamd, tmp_path: Path) -> None:
    daemon.faults.append("silent")
    with pytest.raises(ProviderUnavailable):
        adapter(daemon.address, timeout_seconds=0.1).judge([file_of(tmp_path, b"abc")])


def test_a_daemon_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
    with pytest.raises(ProviderUnavailable):
        adapter(address).judge([file_of(tmp_path, b"abc")])


@pytest.mark.parametrize("size", [101, 40_000_000])
def test_a_file_beyond_the_daemons_limit_is_not_judged(
    daemon: Clamd, tmp_path: Path, size: int
) -> None:
    daemon.max_bytes = 100
    # The daemon may hang up before all is sent, and its answer may be lost with it.
    with pytest.raises((ProviderRejected, ProviderUnavailable)) as raised:
        scan(daemon, tmp_path, b"x" * size)
    if size == 101:
        assert type(raised.value) is ProviderRejected


def test_a_file_beyond_our_limit_is_not_sent(
    daemon: Clamd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clamd, "MAX_BYTES", 10)
    with pytest.raises(ProviderRejected):
        scan(daemon, tmp_path, b"x" * 11)
    assert daemon.scans == 0


def test_what_is_no_file_is_refused(daemon: Clamd, tmp_path: Path) -> None:
    judge = adapter(daemon.address)
    with pytest.raises(ProviderRejected):
        judge.judge([TextPart("text", "hello")])
    with pytest.raises(ProviderRejected):
        judge.judge([ImagePart("media:1", tmp_path / "none")])


def test_the_version_is_asked_for_once_in_a_while(daemon: Clamd, tmp_path: Path) -> None:
    judge = adapter(daemon.address)
    assert judge.model_version == "clamd-1"
    assert judge.is_available()
    judge.judge([file_of(tmp_path, b"abc")])
    assert judge.model_version == VERSION
