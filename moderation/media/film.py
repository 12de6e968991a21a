"""What a video of our own packing shows: its frames in order, and some of them decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from PIL import Image

from moderation.errors import MediaRefused
from moderation.media.limits import MediaLimits
from moderation.media.moments import Frame, Plan, telling_scenes
from moderation.media.stills import signature

# Times of two clocks that differ by less are the same.
_SAME_SECONDS = 1e-6
# Narrower stills cannot be scaled to.
_LEAST_SIDE = 16


@dataclass(frozen=True, slots=True)
class Film:
    """A video's frames in the order of decoding, and when it begins and ends.

    Frames of before it begins are only there so that others can be decoded.
    """

    frames: list[Frame]
    start: float
    end: float


def read_film(made: Any) -> Film:
    """Read a video's frames without decoding any. Raises `ValueError` where it has none."""
    frames, end = [], 0.0
    for packet, seconds in _packets(made):
        frames.append(Frame(seconds, bool(packet.is_keyframe), packet.size))
        end = max(end, seconds + float((packet.duration or 0) * packet.stream.time_base))
    if not frames:
        raise ValueError("The video has no frame.")
    return Film(frames, max(0.0, min(frame.seconds for frame in frames)), end)


def _packets(made: Any) -> Iterator[tuple[Any, float]]:
    stream = made.streams.video[0]
    for packet in made.demux(stream):
        if packet.size and packet.pts is not None:
            yield packet, float(packet.pts * stream.time_base)


@dataclass(frozen=True, slots=True)
class Still:
    """A frame as it is shown, made small. `width` and `height` are those of the video."""

    seconds: float
    image: Image.Image
    width: int
    height: int


def look(made: Any, film: Film, plan: Plan, limits: MediaLimits) -> list[Still]:
    """Return what the plan's moments show, and its scenes where they show something else.

    Raises `MediaRefused` where one of them cannot be seen.
    """
    seen = _decode(made, film, plan, limits)
    scenes = [at for at in plan.scenes if at not in plan.moments]
    telling = telling_scenes(
        [signature(seen[at].image) for at in plan.moments],
        [signature(seen[at].image) for at in scenes],
        limits.sampled_scenes,
    )
    kept = [*plan.moments, *(scenes[number] for number in telling)]
    # Two that are not decoded themselves may have the same next one.
    by_time = {seen[at].seconds: seen[at] for at in kept}
    return [by_time[seconds] for seconds in sorted(by_time)]


def _decode(made: Any, film: Film, plan: Plan, limits: MediaLimits) -> dict[int, Still]:
    stream = made.streams.video[0]
    context = stream.codec_context
    context.options = {"max_pixels": str(limits.max_video_pixels)}
    context.thread_count = 1
    # Frames that no other is made from need not be decoded on the way.
    context.skip_frame = "NONREF"
    wanted = {*plan.moments, *plan.scenes}
    seen: dict[int, Still] = {}
    run, last = _Run([], film, stream, limits), -1
    for at, (packet, _) in enumerate(_packets(made)):
        if at in plan.runs:
            last = plan.runs[at]
            run = _Run(wanted.intersection(range(at, last + 1)), film, stream, limits)
        if at > last:
            continue
        run.show(context.decode(packet))
        if at == last:
            run.show(context.decode(None))
            seen |= run.finish()
            context.flush_buffers()
    return seen


class _Run:
    """Frames decoded on from one keyframe, in the order in which they are shown."""

    def __init__(self, wanted: Iterable[int], film: Film, stream: Any, limits: MediaLimits) -> None:
        self._waiting = sorted((film.frames[at].seconds, at) for at in wanted)
        self._film = film
        self._stream = stream
        self._limits = limits
        self._seen: dict[int, Still] = {}
        self._shown: Any = None
        self._seconds = 0.0

    def show(self, frames: list[Any]) -> None:
        for frame in frames:
            if frame.width * frame.height > self._limits.max_video_pixels:
                raise MediaRefused("The video has too many pixels.")
            if frame.pts is None:
                continue
            # By the stream's clock: the frame's own is gone where it comes out last.
            self._shown, self._seconds = frame, float(frame.pts * self._stream.time_base)
            while self._waiting and self._seconds > self._waiting[0][0] - _SAME_SECONDS:
                self._take()

    def finish(self) -> dict[int, Still]:
        """Return what was seen; the last frame stands for those that are never shown."""
        if self._shown is None:
            raise MediaRefused("The video cannot be played from its keyframes; encode it anew.")
        while self._waiting:
            self._take()
        return self._seen

    def _take(self) -> None:
        _, at = self._waiting.pop(0)
        # How wide a pixel is, seen from its height.
        aspect = float(self._stream.sample_aspect_ratio or 1)
        since = self._seconds - self._film.start
        self._seen[at] = _still(self._shown, since, aspect, self._limits.sampled_frame_side)


def _still(frame: Any, seconds: float, aspect: float, side: int) -> Still:
    """Return a frame as players show it: with square pixels, and turned as it was held."""
    width, height = max(1, round(frame.width * aspect)), frame.height
    scale = min(1.0, side / max(width, height))
    image = frame.to_image(
        width=max(_LEAST_SIDE, round(width * scale)),
        height=max(_LEAST_SIDE, round(height * scale)),
        interpolation="AREA",
    )
    if frame.rotation % 180:
        width, height = height, width
    if frame.rotation:
        image = image.rotate(frame.rotation, expand=True)
    return Still(round(seconds, 3), image, width, height)
