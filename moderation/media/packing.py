"""New files that streams are copied into, bare of everything that is only told beside them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import av

from moderation.media.payload import bare_h264, bare_mp3, bare_vorbis_head, h264_length_size

# Metadata and padding units (section 6.2.2 of AV1's specification).
_AV1_FILTER = "filter_units=remove_types=5|15"


@dataclass(frozen=True, slots=True)
class Packing:
    """A kind of file that browsers play, and the codecs that may be in it."""

    muxer: str
    # With which demuxer it is opened again.
    demuxer: str
    content_type: str
    pictures: tuple[str, ...]
    sounds: tuple[str, ...]


# The first that takes both wins: WebM is played with Opus and Vorbis, MP4 with anything else.
VIDEOS = (
    Packing("mp4", "mov", "video/mp4", ("h264", "av1"), ("aac", "mp3", "opus", "flac")),
    Packing("webm", "matroska", "video/webm", ("vp8", "vp9", "av1"), ("opus", "vorbis")),
    Packing("mp4", "mov", "video/mp4", ("vp9",), ("aac", "mp3", "flac")),
)
SOUNDS = (
    Packing("ipod", "mov", "audio/mp4", (), ("aac",)),
    Packing("mp3", "mp3", "audio/mpeg", (), ("mp3",)),
    Packing("webm", "matroska", "audio/webm", (), ("opus", "vorbis")),
    Packing("flac", "flac", "audio/flac", (), ("flac",)),
    Packing(
        "wav",
        "wav",
        "audio/wav",
        (),
        ("pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"),
    ),
)


def codec_of(stream: Any) -> str:
    """Return the codec's name, "unknown" for one that FFmpeg has no decoder for."""
    context = stream.codec_context
    return "unknown" if context is None else str(context.codec.canonical_name)


def packing_for(picture: Any, sound: Any) -> Packing | None:
    """Return the kind of file for these streams, either of which may be None."""
    for packing in SOUNDS if picture is None else VIDEOS:
        takes_picture = picture is None or codec_of(picture) in packing.pictures
        if takes_picture and (sound is None or codec_of(sound) in packing.sounds):
            return packing
    return None


class Package:
    """A file in the making."""

    def __init__(self, packing: Packing, streams: Sequence[Any]) -> None:
        self.packing = packing
        self._file = io.BytesIO()
        # Nothing may tell when and with what this was made.
        options = {"fflags": "+bitexact"}
        if packing.demuxer == "mov":
            # Players begin sooner when the index comes first.
            options["movflags"] = "+faststart"
        self._out = av.open(
            self._file,
            "w",
            format=packing.muxer,
            container_options=options,
            io_open=lambda url, flags, options: _Reader(self._file),
        )
        self._lanes = {stream.index: _Lane(self._out, stream) for stream in streams}

    def put(self, packet: Any) -> None:
        """Add a packet, if it belongs to one of the streams."""
        lane = self._lanes.get(packet.stream_index)
        if lane is not None:
            for ready in lane.take(packet):
                self._out.mux_one(ready)

    def finish(self) -> bytes:
        self._out.close()
        return self._file.getvalue()


class _Lane:
    """One stream's way into a file."""

    def __init__(self, out: Any, source: Any) -> None:
        self._stream = out.add_stream_from_template(source, opaque=True)
        self._time_base = source.time_base
        self._filter: Any = None
        self._strip: Callable[[bytes], bytes] = bytes
        head = source.codec_context.extradata
        codec = codec_of(source)
        if codec == "h264":
            self._strip = partial(bare_h264, length_size=h264_length_size(head))
        elif codec == "mp3":
            self._strip = bare_mp3
        elif codec == "av1":
            self._filter = av.BitStreamFilterContext(_AV1_FILTER, source, self._stream)
        elif codec == "vorbis":
            self._stream.codec_context.extradata = bare_vorbis_head(head)

    def take(self, packet: Any) -> Iterable[Any]:
        body = self._strip(bytes(packet))
        if not body:
            return ()
        # Made anew: transparency, other heads and keys travel beside the old one.
        bare = av.Packet(body)
        bare.pts, bare.dts = packet.pts, packet.dts
        bare.duration, bare.is_keyframe = packet.duration, packet.is_keyframe
        bare.time_base = self._time_base
        ready = [bare] if self._filter is None else self._filter.filter(bare)
        for one in ready:
            one.time_base = self._time_base
            one.stream = self._stream
        return ready


class _Reader:
    """A second place in the file being written, from which FFmpeg moves the index forward."""

    def __init__(self, file: io.BytesIO) -> None:
        self._file = file
        self._at = 0

    def read(self, size: int) -> bytes:
        with self._file.getbuffer() as view:
            found = bytes(view[self._at : self._at + size])
        self._at += len(found)
        return found

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with self._file.getbuffer() as view:
            bases = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: view.nbytes}
        self._at = bases[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        """Nothing is held."""
