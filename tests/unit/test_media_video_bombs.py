"""Hostile videos and sounds: each is refused or handled, quickly, in little memory, in a child."""

import io
import os
import random
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest

from moderation.media.children import Child, ChildGone
from moderation.media.limits import MediaLimits
from tests.unit.stream_files import (
    box,
    film,
    find_box,
    patched,
    plain,
    plain_film,
    reworked,
    streams_of,
    tone,
    zipped,
)

LIMITS = MediaLimits()
MEMORY_LIMIT_KB = 512 * 1024
HUGE = b"\xff\xff\xff\xf0"
SCRIPT = b"<script>alert(1)</script>"


@cache
def webm() -> bytes:
    return film(form="webm", codec="libvpx", sound="libopus", seconds=1)


@cache
def silent() -> bytes:
    return film(sound="", seconds=1)


def cut(data: bytes, share: float) -> bytes:
    return data[: int(len(data) * share)]


def index_first(data: bytes) -> bytes:
    """The file as it is streamed: its index before its pictures."""
    out = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov"}
    with (
        av.open(io.BytesIO(data)) as source,
        av.open(out, "w", format="mp4", container_options=options) as made,
    ):
        copies = [made.add_stream_from_template(one, opaque=True) for one in source.streams]
        for packet in source.demux():
            if packet.size:
                packet.stream = copies[packet.stream_index]
                made.mux(packet)
    return out.getvalue()


def with_size(data: bytes, width: int, height: int) -> bytes:
    """A video whose head announces another size, 24 bytes into its description."""
    at = data.index(b"avc1", data.index(b"stsd")) + 4 + 24
    return data[:at] + struct.pack("!HH", width, height) + data[at + 4 :]


@cache
def real_8k() -> bytes:
    return film(seconds=0.04, paint=lambda at: plain((9, 99, 9), (7680, 4320)), sound="")


def later(number: int, packet: av.Packet) -> av.Packet:
    """Half of the video is shown after the end of time."""
    if number > 10:
        packet.pts += 1 << 40
        packet.dts += 1 << 40
    return packet


def endless_still() -> bytes:
    """One frame a day."""

    def slowly(number: int, packet: av.Packet) -> av.Packet:
        packet.pts = packet.dts = number * 86_400 * packet.stream.time_base.denominator
        return packet

    return reworked(film(sound="", seconds=0.4, x264_params="bframes=0"), slowly)


def compressed_index() -> bytes:
    """An index of 200 MB of zeros, packed: QuickTime allowed that."""
    body = struct.pack("!I", 200_000_000) + zlib.compress(bytes(200_000_000), 9)
    packed = box(b"cmov", box(b"dcom", b"zlib") + box(b"cmvd", body))
    return box(b"ftyp", b"qt  " + bytes(8)) + box(b"moov", packed)


def nested() -> bytes:
    inner = b""
    for _ in range(50_000):
        inner = struct.pack("!I", len(inner) + 8) + b"moov" + inner
        if len(inner) > 4_000_000:
            break
    return box(b"ftyp", b"isom" + bytes(8)) + inner


def many_tracks(count: int) -> bytes:
    data = silent()
    start = find_box(data, b"trak") - 8
    track = data[start : start + int.from_bytes(data[start : start + 4], "big")]
    at = find_box(data, b"moov") - 8
    size = int.from_bytes(data[at : at + 4], "big")
    index = data[at + 8 : at + size] + track * count
    return data[:at] + box(b"moov", index) + data[at + size :]


def external(address: bytes) -> bytes:
    """A track whose pictures are said to lie elsewhere."""
    data = silent()
    at = data.index(b"url \x00\x00\x00\x01") - 4
    elsewhere = box(b"url ", bytes(4) + address + b"\x00")
    return data[:at] + elsewhere[: 12 + len(address)] + data[at + 12 + len(address) :]


def master_playlist() -> bytes:
    return b"\x00\x00\x00\x18ftypisom" + bytes(8) + b"isom#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n"


def declared(kind: bytes, offset: int, value: bytes = HUGE) -> Callable[[], bytes]:
    return lambda: patched(silent(), kind, offset, value)


def noise(size: int, seed: int = 3) -> bytes:
    return np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8).tobytes()


def endless_key() -> bytes:
    """A hundred large pictures, each made from the one before."""
    first = film(
        seconds=0.08,
        paint=lambda at: plain((9, int(99 * at), 9), (3840, 2160)),
        sound="",
        x264_params="bframes=0",
    )
    out = io.BytesIO()
    with av.open(io.BytesIO(first)) as source, av.open(out, "w", format="mp4") as made:
        stream = source.streams.video[0]
        copy = made.add_stream_from_template(stream, opaque=True)
        key, other = (bytes(packet) for packet in source.demux(stream) if packet.size)
        for number in range(200):
            packet = av.Packet(other if number else key)
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, 25), copy
            packet.is_keyframe = number == 0
            made.mux(packet)
    return out.getvalue()


def long_tone(seconds: int) -> bytes:
    """A sound that is made of one again and again."""
    return tone("adts", "aac", seconds=1) * seconds


def only_attached() -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as made:
        made.add_attachment("a.html", "text/html", SCRIPT)
        stream = made.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        made.start_encoding()
    return out.getvalue()


REFUSED: dict[str, Callable[[], bytes]] = {
    # more than anyone can look at
    "8k": real_8k,
    "8k that says it is small": lambda: with_size(real_8k(), 160, 120),
    "pictures after the end of time": lambda: reworked(
        film(form="webm", codec="libvpx", sound="", seconds=1), later, form="webm"
    ),
    "a frame a day": endless_still,
    "one keyframe for everything": endless_key,
    "eleven minutes": lambda: long_tone(661),
    "a thousand tracks": lambda: many_tracks(1_000),
    # declared numbers
    "billions of frames of one size": lambda: patched(
        silent(), b"stsz", 4, struct.pack("!II", 1, 0xFFFFFFF0)
    ),
    "billions of frames": declared(b"stsz", 8),
    "billions of times": declared(b"stts", 4),
    "billions of runs": declared(b"stsc", 4),
    "compressed index": compressed_index,
    "nested boxes": nested,
    # damaged
    "nothing but a signature": lambda: b"\x00\x00\x00\x18ftypisom",
    "mp4 cut short": lambda: cut(plain_film(), 0.6),
    "streamed mp4 without its end": lambda: cut(index_first(film(seconds=4)), 0.05),
    "webm cut short": lambda: cut(film(form="webm", codec="libvpx", sound="", seconds=4), 0.4),
    "wav cut short": lambda: cut(tone("wav", "pcm_s16le", seconds=8), 0.4),
    "mp4 of random bytes": lambda: b"\x00\x00\x00\x18ftypisom" + noise(300_000),
    "webm of random bytes": lambda: b"\x1a\x45\xdf\xa3" + noise(300_000),
    "mp3 of random bytes": lambda: b"ID3\x04\x00\x00\x00\x00\x00\x00" + noise(300_000),
    "ogg of random bytes": lambda: b"OggS" + noise(300_000),
    "flac of random bytes": lambda: b"fLaC" + noise(300_000),
    "aac of random bytes": lambda: b"\xff\xf1\x50\x80" + noise(300_000),
    # something else
    "playlist in an mp4's clothes": master_playlist,
    "html in a webm's clothes": lambda: b"\x1a\x45\xdf\xa3<html>" + SCRIPT * 100,
    "zip in an mp4's clothes": lambda: b"\x00\x00\x00\x18ftypisom" + zipped(),
    "an id3 tag and nothing else": lambda: b"ID3\x04\x00\x00\x00\x7f\x7f\x7f" + bytes(1_000_000),
    "wav of no samples": lambda: tone("wav", "pcm_s16le", seconds=0.01)[:44],
    "an attached file and no frame": only_attached,
}


HANDLED: dict[str, Callable[[], bytes]] = {
    "mp4": plain_film,
    "webm": webm,
    "streamed mp4": lambda: index_first(plain_film()),
    "largest size in the head": lambda: with_size(silent(), 65535, 65535),
    "no size in the head": lambda: with_size(silent(), 0, 0),
    "billions of chunks": declared(b"stco", 4),
    "a frame": lambda: film(sound="", seconds=0.04),
    "4k": lambda: film(
        seconds=1, rate=10, paint=lambda at: plain((9, int(99 * at), 9), (3840, 2160)), sound=""
    ),
    "4k of noise": lambda: film(
        seconds=0.8,
        rate=10,
        paint=lambda at: np.frombuffer(noise(3840 * 2160 * 3, int(at * 10)), np.uint8).reshape(
            2160, 3840, 3
        ),
        sound="",
        x264_params="qp=40:ref=16:keyint=infinite",
        preset="ultrafast",
    ),
    "4k av1": lambda: film(
        codec="libsvtav1",
        seconds=0.8,
        rate=10,
        paint=lambda at: plain((9, int(99 * at), 9), (3840, 2160)),
        sound="",
        preset="12",
    ),
    "4k vp9": lambda: film(
        form="webm",
        codec="libvpx-vp9",
        seconds=0.8,
        rate=10,
        paint=lambda at: plain((9, int(99 * at), 9), (3840, 2160)),
        sound="",
        deadline="realtime",
    ),
    "ten minutes": lambda: film(
        seconds=598, rate=5, paint=lambda at: plain((int(at / 3), 9, 99), (64, 48)), sound=""
    ),
    "nine minutes of sound": lambda: long_tone(540),
    "thirty tracks": lambda: many_tracks(30),
    "zip behind an mp4": lambda: plain_film() + zipped(),
    "zip behind a webm": lambda: webm() + zipped(),
    "zip in an empty box": lambda: plain_film() + box(b"free", zipped()),
    "page in the tags": lambda: film(tags={"title": SCRIPT.decode()}),
    "a megabyte of tags": lambda: film(tags={"title": SCRIPT.decode() * 40_000}),
    "page in the tags of a sound": lambda: tone(tags={"title": SCRIPT.decode() * 1_000}),
    "page behind an mp3": lambda: tone() + SCRIPT,
    "page behind an aac": lambda: tone("adts", "aac") + SCRIPT,
    "page behind an ogg": lambda: tone("ogg", "libopus") + SCRIPT,
    "page behind a wav": lambda: tone("wav", "pcm_s16le") + SCRIPT,
    "cover of a sound": lambda: tone(cover=True),
}


@pytest.fixture(scope="module")
def child() -> Iterator[list[Child]]:
    """One child for all files of this module, as in production; replaced only if it died."""
    kept = [Child()]
    yield kept
    kept[0].close()


def computed_seconds(pid: int) -> float:
    times = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def ask(child: list[Child], data: bytes) -> tuple[dict[str, object], list[bytes]]:
    # Each file's own memory is measured: a child that has grown is replaced, as in production.
    if child[0].files > 30 or not child[0].is_alive():
        child[0].close()
        child[0] = Child()
    began = computed_seconds(child[0].pid)
    header, blobs = child[0].ask(data, LIMITS)
    # Computing, not waiting: the machine may be busy with other tests.
    assert computed_seconds(child[0].pid) - began < 10
    assert header["peak_kb"] < MEMORY_LIMIT_KB
    return header, blobs


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_file_is_refused_and_its_child_lives(child: list[Child], name: str) -> None:
    header, blobs = ask(child, REFUSED[name]())
    assert str(header["refused"]).endswith(".")
    assert blobs == []
    assert child[0].is_alive()


@pytest.mark.parametrize("name", HANDLED)
def test_an_odd_file_becomes_a_plain_one(child: list[Child], name: str) -> None:
    data = HANDLED[name]()
    header, (content, audio, *frames) = ask(child, data)
    made = header["made"]
    assert isinstance(made, dict)
    assert len(streams_of(content)) == (2 if audio else 1)
    assert len(content) <= len(data) + 10_000
    assert len(frames) == len(made["frame_seconds"])
    for kept in (content, audio):
        assert SCRIPT not in kept
        assert b"inside.html" not in kept


def test_the_tags_would_have_been_read_that_must_not_survive() -> None:
    # Otherwise the corpus above would prove nothing.
    with av.open(io.BytesIO(HANDLED["page in the tags"]())) as opened:
        assert opened.metadata["title"] == SCRIPT.decode()


def test_pictures_that_are_said_to_lie_elsewhere_are_not_fetched(child: list[Child]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        port = listening.getsockname()[1]
        data = external(f"http://127.0.0.1:{port}/a".encode())
        assert f"127.0.0.1:{port}".encode() in data
        try:
            ask(child, data)
        except ChildGone:
            pytest.fail("The child died.")
        with pytest.raises(TimeoutError):
            listening.accept()


@pytest.mark.parametrize("seed", range(8))
def test_files_with_broken_bytes_never_kill_a_child(child: list[Child], seed: int) -> None:
    luck = random.Random(seed)
    sources = [plain_film(), webm(), tone(), tone("ogg", "libopus"), tone("ipod", "aac")]
    for source in sources:
        broken = bytearray(source)
        for _ in range(luck.choice([1, 5, 40, 400])):
            # The head is where the harm is done.
            within = luck.choice([200, 2_000, len(broken)])
            broken[luck.randrange(20, min(within, len(broken)))] = luck.randrange(256)
        header, _ = ask(child, bytes(broken))
        assert "made" in header or "refused" in header
    assert child[0].is_alive()


def test_the_corpus_has_at_least_forty_files() -> None:
    assert len(REFUSED) + len(HANDLED) >= 40
