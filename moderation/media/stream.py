"""One video or sound, inside a child: its picture and its sound, copied into a clean new file.

Nothing is encoded anew: what plays is what was sent, and whatever stood around it is gone: tags,
chapters, subtitles, covers, other tracks, foreign files behind the end. FFmpeg is given one
demuxer, no protocol and a short list of decoders. What is looked at comes out of the new file, so
it is what others will see. Raises `MediaRefused` with a sentence for the author.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import av

from moderation.errors import MediaRefused
from moderation.media.film import look, read_film
from moderation.media.limits import MediaLimits
from moderation.media.moments import plan
from moderation.media.packing import (
    SOUNDS,
    VIDEOS,
    Package,
    Packing,
    codec_of,
    packing_for,
)
from moderation.media.signature import DEMUXERS, check_signature
from moderation.media.stills import hash_of, to_jpeg

Kind = Literal["video", "audio"]

# What FFmpeg may decode at all, by its own names: also while it finds out what a file holds.
_DECODERS = (
    "h264,vp8,vp9,av1,libdav1d,aac,mp3float,mp3,opus,libopus,vorbis,flac,"
    "pcm_u8,pcm_s16le,pcm_s24le,pcm_s32le,pcm_f32le"
)
# Telephones write five tracks; each costs memory before it is left out.
_MOST_TRACKS = 64
_MOST_CHANNELS, _MOST_HERTZ = 8, 192_000
_COLOURS = ("yuv420p", "yuvj420p", "yuv420p10le")
_NO_FILM = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
# How much shorter than announced a file may turn out to be: players round, and cut silence.
_LOST_SECONDS, _LOST_SHARE = 1.0, 0.05
# A sound that nothing can be heard of in its first second or so is none.
_PACKETS_TO_HEAR = 50
_DAMAGED = "The file is damaged or incomplete."


@dataclass(frozen=True, slots=True)
class StreamCopy:
    """What we packed. `audio` is a video's sound alone, b"" where it has none.

    `frames` are JPEGs of what it shows at `frame_seconds`, `hashes` one for each of them.
    """

    content: bytes
    content_type: str
    kind: Kind
    duration_seconds: float
    width: int = 0
    height: int = 0
    frame_count: int = 0
    frames: tuple[bytes, ...] = ()
    frame_seconds: tuple[float, ...] = ()
    hashes: tuple[str, ...] = ()
    audio: bytes = b""
    audio_type: str = ""


def copy_streams(data: bytes, limits: MediaLimits) -> StreamCopy:
    """Take the first video and sound out of `data`, and look at what the video shows."""
    try:
        packed = _pack(data, limits)
        if packed.has_film:
            return _video_copy(packed, limits)
        return _sound_copy(packed, limits)
    except MemoryError as error:
        raise MediaRefused("The file needs too much memory to read.") from error
    except (av.FFmpegError, ValueError, OverflowError, EOFError) as error:
        raise MediaRefused(_DAMAGED) from error


@contextmanager
def _opened(data: bytes, demuxer: str, limits: MediaLimits) -> Iterator[Any]:
    options = {
        "protocol_whitelist": "none",
        "format_whitelist": demuxer,
        "codec_whitelist": _DECODERS,
        "max_streams": str(_MOST_TRACKS),
        "max_pixels": str(limits.max_video_pixels),
    }
    with av.open(
        io.BytesIO(data), format=demuxer, options=options, metadata_errors="replace"
    ) as opened:
        yield opened


# --- what is taken -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Packed:
    """A new file, and the sound alone of one that is a video with sound."""

    content: bytes
    packing: Packing
    has_film: bool
    sound_seconds: float
    audio: bytes
    audio_type: str


def _pack(data: bytes, limits: MediaLimits) -> _Packed:
    with _opened(data, DEMUXERS[check_signature(data)], limits) as source:
        film, sound = _first_film(source), _first_sound(source)
        packages = _packages(film, sound, limits)
        meter = _fill(packages, source, [stream for stream in (film, sound) if stream], limits)
        contents = [package.finish() for package in packages]
        # Some recorders announce a sound and write none. FFmpeg's memory ends with this block.
        aside = len(packages) > 1 and meter.has(sound)
        sound_seconds = meter.lasted(sound) if sound else 0.0
    return _Packed(
        content=contents[0],
        packing=packages[0].packing,
        has_film=film is not None,
        sound_seconds=sound_seconds,
        audio=contents[1] if aside else b"",
        audio_type=packages[1].packing.content_type if aside else "",
    )


def _first_film(source: Any) -> Any:
    """Return the first moving picture; covers and thumbnails are tracks, too."""
    return next((one for one in source.streams.video if not one.disposition & _NO_FILM), None)


def _first_sound(source: Any) -> Any:
    return next(iter(source.streams.audio), None)


def _packages(film: Any, sound: Any, limits: MediaLimits) -> list[Package]:
    """Return the new file that takes both, and one for the sound alone beside a video."""
    if film is None and sound is None:
        raise MediaRefused("The file holds neither a video nor a sound that can be played.")
    if film is not None:
        _check_film(film, limits)
    if sound is not None:
        _check_sound(sound)
    packing = packing_for(film, sound)
    if packing is None:
        raise MediaRefused(
            f"Browsers do not play this sound ({codec_of(sound)}) beside this video"
            f" ({codec_of(film)}); H.264 with AAC is played everywhere."
        )
    packages = [Package(packing, [stream for stream in (film, sound) if stream])]
    alone = packing_for(None, sound) if film is not None and sound is not None else None
    return packages if alone is None else [*packages, Package(alone, [sound])]


def _check_film(stream: Any, limits: MediaLimits) -> None:
    codec = codec_of(stream)
    if not any(codec in packing.pictures for packing in VIDEOS):
        raise MediaRefused(
            f"Browsers do not play this video ({codec}); attach one in H.264, VP8, VP9 or AV1."
        )
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > limits.max_video_pixels:
        raise MediaRefused(
            f"The video is {width} x {height} pixels; at most 4096 x 2160 can be attached."
        )
    if width < 1 or height < 1 or stream.codec_context.pix_fmt is None:
        raise MediaRefused(_DAMAGED)
    if stream.codec_context.pix_fmt not in _COLOURS:
        raise MediaRefused("Browsers do not play this video's colours; attach one in 4:2:0.")


def _check_sound(stream: Any) -> None:
    codec = codec_of(stream)
    if not any(codec in packing.sounds for packing in SOUNDS):
        raise MediaRefused(
            f"Browsers do not play this sound ({codec});"
            " attach one in AAC, MP3, Opus, Vorbis, FLAC or PCM."
        )
    context = stream.codec_context
    if not 0 < context.rate <= _MOST_HERTZ or not 0 < context.channels <= _MOST_CHANNELS:
        raise MediaRefused("The sound has too many channels, or too high a rate.")


# --- how it is taken -----------------------------------------------------------------------------


def _fill(
    packages: Sequence[Package], source: Any, streams: Sequence[Any], limits: MediaLimits
) -> _Meter:
    meter = _Meter(limits)
    for packet in source.demux(streams):
        # The last packet of each stream is an empty one.
        if packet.size:
            meter.count(packet)
            for package in packages:
                package.put(packet)
    meter.check_ends(source, streams)
    return meter


class _Meter:
    """Stops what goes on for too long, and what ends too soon, whatever its head announced."""

    def __init__(self, limits: MediaLimits) -> None:
        self._limits = limits
        self._packets = 0
        self._frames = 0
        self._begins: dict[int, float] = {}
        self._ends: dict[int, float] = {}

    def count(self, packet: Any) -> None:
        shown = packet.dts if packet.pts is None else packet.pts
        if packet.is_corrupt or shown is None:
            raise MediaRefused(_DAMAGED)
        index, tick = packet.stream_index, packet.stream.time_base
        begin = float(shown * tick)
        end = begin + float((packet.duration or 0) * tick)
        self._begins[index] = min(begin, self._begins.get(index, begin))
        self._ends[index] = max(end, self._ends.get(index, end))
        self._packets += 1
        self._frames += packet.stream.type == "video"
        self._check()

    def _check(self) -> None:
        limits = self._limits
        if max(self._ends.values()) - min(self._begins.values()) > limits.max_duration_seconds:
            raise MediaRefused(
                f"At most {limits.max_duration_seconds / 60:g} minutes can be attached."
            )
        if self._frames > limits.max_video_frames or self._packets > limits.max_packets:
            raise MediaRefused("The file has too many frames.")

    def has(self, stream: Any) -> bool:
        return stream.index in self._ends

    def lasted(self, stream: Any) -> float:
        return self._ends.get(stream.index, 0.0) - self._begins.get(stream.index, 0.0)

    def check_ends(self, source: Any, streams: Sequence[Any]) -> None:
        """Refuse a file whose end is missing, where its head says how long it should be."""
        if not self.has(streams[0]):
            raise MediaRefused(_DAMAGED)
        if source.format.name == "mp3":
            return  # its length is guessed from its size
        if source.format.name == "mov":
            for stream in streams:
                announced = float((stream.duration or 0) * (stream.time_base or 0))
                self._check_end(self.lasted(stream), announced)
        # Others say it of the whole, which may hold subtitles that last longer.
        elif len(streams) == len(source.streams):
            lasted = max(self._ends.values()) - min(self._begins.values())
            self._check_end(lasted, (source.duration or 0) / av.time_base)

    def _check_end(self, lasted: float, announced: float) -> None:
        if lasted < announced - max(_LOST_SECONDS, _LOST_SHARE * announced):
            raise MediaRefused(_DAMAGED)


# --- what came of it -----------------------------------------------------------------------------


def _video_copy(packed: _Packed, limits: MediaLimits) -> StreamCopy:
    with _opened(packed.content, packed.packing.demuxer, limits) as made:
        film = read_film(made)
        context = made.streams.video[0].codec_context
        pixels = context.width * context.height
    planned = plan(film.frames, end=film.end, pixels=pixels, limits=limits)
    with _opened(packed.content, packed.packing.demuxer, limits) as made:
        stills = look(made, film, planned, limits)
    return StreamCopy(
        content=packed.content,
        content_type=packed.packing.content_type,
        kind="video",
        # A speech over a single picture lasts as long as the speech.
        duration_seconds=round(max(film.end - film.start, packed.sound_seconds), 3),
        width=stills[0].width,
        height=stills[0].height,
        frame_count=len(film.frames),
        frames=tuple(to_jpeg(still.image) for still in stills),
        frame_seconds=tuple(still.seconds for still in stills),
        hashes=tuple(hash_of(still.image) for still in stills),
        audio=packed.audio,
        audio_type=packed.audio_type,
    )


def _sound_copy(packed: _Packed, limits: MediaLimits) -> StreamCopy:
    with _opened(packed.content, packed.packing.demuxer, limits) as made:
        lasts = _listen(made)
    return StreamCopy(
        content=packed.content,
        content_type=packed.packing.content_type,
        kind="audio",
        duration_seconds=round(lasts, 3),
    )


def _listen(made: Any) -> float:
    """Return how long a sound lasts, which can be heard at least where it begins."""
    stream = made.streams.audio[0]
    is_heard, end = False, 0.0
    for number, packet in enumerate(made.demux(stream)):
        if packet.size and packet.pts is not None:
            end = max(end, float((packet.pts + (packet.duration or 0)) * stream.time_base))
            if not is_heard and number < _PACKETS_TO_HEAR:
                is_heard = bool(packet.decode())
    if not is_heard:
        raise MediaRefused(_DAMAGED)
    return end
