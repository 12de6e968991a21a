"""Videos and sounds for the tests of media, all generated here."""

import io
import os
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import av
import numpy as np
import numpy.typing as npt
from PIL import Image

HERTZ = 48_000
Pixels = npt.NDArray[np.uint8]
Painter = Callable[[float], Pixels]
SIZE = (160, 120)


def moving(seconds: float, size: tuple[int, int] = SIZE) -> Pixels:
    """A scene in which everything drifts, with enough in it for a perceptual hash."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width]
    shift = int(seconds * 25)
    waves = np.stack([x * 3 + shift, y * 5 - shift, (x + y) * 2 + shift * 2], axis=-1)
    # Never red: that is for what must be found.
    return (np.array([40, 128, 128]) + np.array([30, 100, 100]) * np.sin(waves / 17)).astype(
        np.uint8
    )


def plain(colour: tuple[int, int, int], size: tuple[int, int] = SIZE) -> Pixels:
    return np.full((size[1], size[0], 3), colour, dtype=np.uint8)


def clock(seconds: float) -> Pixels:
    """As bright as it is late: 20 steps a second."""
    return plain((int(20 * seconds),) * 3)


def film(
    *,
    form: str = "mp4",
    codec: str = "libx264",
    seconds: float = 2.0,
    rate: int = 25,
    paint: Painter = moving,
    sound: str = "aac",
    sound_seconds: float | None = None,
    colours: str = "yuv420p",
    rotation: int = 0,
    aspect: int = 1,
    tags: dict[str, str] | None = None,
    **options: str,
) -> bytes:
    """A video; `options` are the encoder's own, with underscores for hyphens."""
    out = io.BytesIO()
    with _as_urgent_as_before(), av.open(out, "w", format=form) as made:
        made.metadata.update(tags or {})
        first = paint(0.0)
        options = {"preset": "ultrafast"} | options if codec == "libx264" else options
        named = {name.replace("_", "-"): value for name, value in options.items()}
        stream = made.add_stream(codec, rate=rate, options=named)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = colours
        if rotation:
            stream.set_display_rotation(rotation)
        if aspect != 1:
            stream.sample_aspect_ratio = aspect
        beside = made.add_stream(sound, rate=HERTZ) if sound else None
        for number in range(round(seconds * rate)):
            frame = av.VideoFrame.from_ndarray(paint(number / rate), format="rgb24")
            made.mux(stream.encode(frame))
        made.mux(stream.encode())
        if beside is not None:
            _hum(made, beside, seconds if sound_seconds is None else sound_seconds)
    return out.getvalue()


@contextmanager
def _as_urgent_as_before() -> Iterator[None]:
    """SVT-AV1 makes whoever asks a real-time thread, where it may (as root), for good.

    All that such a test run starts afterwards would inherit that, and starve everything else.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, how = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, how)


def tone(
    form: str = "mp3",
    codec: str = "libmp3lame",
    *,
    seconds: float = 2.0,
    hertz: int = HERTZ,
    tags: dict[str, str] | None = None,
    cover: bool = False,
    **options: str,
) -> bytes:
    """A sound, with a picture on its cover if wanted."""
    out = io.BytesIO()
    with av.open(out, "w", format=form) as made:
        made.metadata.update(tags or {})
        stream = made.add_stream(codec, rate=hertz, options=options)
        if cover:
            picture = made.add_stream("png", rate=1)
            picture.width, picture.height, picture.pix_fmt = 32, 32, "rgb24"
            picture.disposition = av.stream.Disposition.attached_pic
            red = av.VideoFrame.from_ndarray(plain((200, 0, 0), (32, 32)), format="rgb24")
            for packet in picture.encode(red):
                made.mux(packet)
        _hum(made, stream, seconds)
    return out.getvalue()


def _hum(made: object, stream: object, seconds: float) -> None:
    for frame in _sine(round(seconds * HERTZ)):
        made.mux(stream.encode(frame))
    made.mux(stream.encode())


def _sine(samples: int) -> Iterator[av.AudioFrame]:
    wave = (np.sin(np.arange(samples) * 440 * 6.283 / HERTZ) * 9000).astype(np.int16)
    for at in range(0, samples, 960):
        part = wave[at : at + 960]
        frame = av.AudioFrame.from_ndarray(
            np.repeat(part, 2).reshape(1, -1), format="s16", layout="stereo"
        )
        frame.sample_rate, frame.pts = HERTZ, at
        yield frame


def reworked(
    data: bytes, change: Callable[[int, object], object], form: str = "mp4", filters: str = ""
) -> bytes:
    """The same video with each packet changed, or led through FFmpeg's filters."""
    out = io.BytesIO()
    with av.open(io.BytesIO(data)) as source, av.open(out, "w", format=form) as made:
        stream = source.streams.video[0]
        copy = made.add_stream_from_template(stream, opaque=True)
        through = av.BitStreamFilterContext(filters, stream, copy) if filters else None
        for number, packet in enumerate(source.demux(stream)):
            if packet.size:
                changed = change(number, packet)
                for ready in through.filter(changed) if through else [changed]:
                    ready.time_base = stream.time_base
                    ready.stream = copy
                    made.mux(ready)
    return out.getvalue()


def unchanged(number: int, packet: object) -> object:
    return packet


@cache
def plain_film() -> bytes:
    return film()


def zipped(name: str = "inside.html") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, "<script>alert(1)</script>")
    return out.getvalue()


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack("!I", len(body) + 8) + kind + body


def find_box(data: bytes, kind: bytes) -> int:
    """Where the body of the first box of a kind begins."""
    return data.index(kind) + len(kind)


def patched(data: bytes, kind: bytes, offset: int, new: bytes) -> bytes:
    """The file with some bytes of its first box of a kind overwritten."""
    at = find_box(data, kind) + offset
    return data[:at] + new + data[at + len(new) :]


def frames_of(data: bytes) -> list[Image.Image]:
    with av.open(io.BytesIO(data)) as opened:
        return [frame.to_image() for frame in opened.decode(video=0)]


def streams_of(data: bytes) -> list[tuple[str, str]]:
    with av.open(io.BytesIO(data)) as opened:
        return [(one.type, one.codec.canonical_name) for one in opened.streams]


def told_in(data: bytes) -> Sequence[object]:
    """Everything that a reader finds said about a file, beside its streams."""
    with av.open(io.BytesIO(data)) as opened:
        return [
            opened.metadata,
            [one.metadata for one in opened.streams],
            opened.chapters(),
        ]
