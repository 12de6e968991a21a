"""Which frames of a video are looked at: some of every part of it, and where scenes begin.

An encoder begins a scene with a keyframe, which is decoded alone, or with a frame that is much
larger than those around it. Both are cheap to find, but whoever made the file chose them. So the
others are drawn by lot, one from each of equal spans, and reached by decoding on from the
keyframe before. What that costs is known before the first pixel is decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import SystemRandom

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from moderation.errors import MediaRefused
from moderation.media.limits import MediaLimits
from moderation.media.stills import Signatures, unlikeness

# Two stills that differ by less than this (4 % of each colour) show the same scene.
_SAME_SCENE = 3 * 32 * 32 * 10**2
# The rest of what may be decoded is for the beginnings of scenes.
_SHARE_OF_MOMENTS = 0.75
# How many frames are "around" one, about a second; and how much larger a new scene begins. Frames
# that others are made from are up to three times as large as the others anyway.
_AROUND, _LEAST_JUMP, _MOST_JUMPS = 31, 4.0, 16
_draw = SystemRandom().random


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame before it is decoded; a video is a list of them in the order of decoding."""

    seconds: float
    is_key: bool
    size: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to decode, as positions in the order of decoding.

    `moments` are kept whatever they show, `scenes` only where they show something else. `runs`
    maps each keyframe to the last frame that is decoded on from it.
    """

    moments: tuple[int, ...]
    scenes: tuple[int, ...]
    runs: dict[int, int]


def plan(
    frames: Sequence[Frame],
    *,
    end: float,
    pixels: int,
    limits: MediaLimits,
    luck: Callable[[], float] = _draw,
) -> Plan:
    """Choose what to decode of a video that lasts until `end` and has `pixels` a frame.

    `luck` draws where in its span a moment lies, from 0.0 to below 1.0. Raises `MediaRefused`
    where even the fewest moments cost too much to reach.
    """
    keys = _keys_before(frames)
    affordable = limits.watched_pixels // max(pixels, 1)
    for count in range(limits.sampled_moments, limits.least_moments - 1, -1):
        most = int(affordable * _SHARE_OF_MOMENTS)
        moments = _moments(frames, keys, end, count, most, luck)
        runs = _runs(moments, keys)
        cost = _cost(runs)
        if cost <= most:
            scenes = _keyframes(frames, min(limits.watched_keyframes, affordable - cost))
            runs = {key: key for key in scenes} | runs
            jumps = _reachable(_jumps(frames), keys, runs, affordable)
            return Plan(moments, (*scenes, *jumps), runs)
    raise MediaRefused(
        "The video takes too long to look at; make it shorter or smaller, or encode it with a"
        " keyframe every two seconds."
    )


def telling_scenes(
    moments: Sequence[Signatures], scenes: Sequence[Signatures], most: int
) -> list[int]:
    """Return the scenes that show what neither a moment nor a scene chosen before shows."""
    if not scenes:
        return []
    stacked = np.stack(scenes)
    nearest = np.minimum.reduce([unlikeness(stacked, seen) for seen in moments])
    chosen: list[int] = []
    while len(chosen) < most and nearest.max() > _SAME_SCENE:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, unlikeness(stacked, stacked[chosen[-1]]))
    return sorted(chosen)


def _keys_before(frames: Sequence[Frame]) -> list[int]:
    """Return the position of the keyframe from which each frame is decoded."""
    return list(accumulate((at if frame.is_key else 0 for at, frame in enumerate(frames)), max))


def _moments(
    frames: Sequence[Frame],
    keys: Sequence[int],
    end: float,
    count: int,
    most: int,
    luck: Callable[[], float],
) -> tuple[int, ...]:
    """Return the first frame and one of each of `count` - 1 spans.

    It is drawn from those that are not too far from their keyframe; where all are, it is the one
    that is least far.
    """
    start = min(frame.seconds for frame in frames)
    width = max(end - start, 1e-6) / (count - 1)
    spans: dict[int, list[int]] = {}
    for at, frame in enumerate(frames):
        # What is shown before its own keyframe cannot be decoded from there.
        if frame.seconds >= frames[keys[at]].seconds:
            spans.setdefault(min(int((frame.seconds - start) / width), count - 2), []).append(at)
    chosen = {0}
    for inside in spans.values():
        near = [at for at in inside if at - keys[at] < most // count]
        nearest = min(inside, key=lambda at: at - keys[at])
        chosen.add(near[int(luck() * len(near))] if near else nearest)
    return tuple(sorted(chosen))


def _runs(positions: Iterable[int], keys: Sequence[int]) -> dict[int, int]:
    runs: dict[int, int] = {}
    for at in positions:
        runs[keys[at]] = max(at, runs.get(keys[at], at))
    return runs


def _cost(runs: dict[int, int]) -> int:
    return sum(last - key + 1 for key, last in runs.items())


def _keyframes(frames: Sequence[Frame], most: int) -> tuple[int, ...]:
    """Return keyframes, evenly thinned where there are too many."""
    found = [at for at, frame in enumerate(frames) if frame.is_key]
    if len(found) <= most:
        return tuple(found)
    places = np.linspace(0, len(found) - 1, num=max(most, 0)).astype(int)
    return tuple(found[place] for place in places)


def _jumps(frames: Sequence[Frame]) -> list[int]:
    """Return frames that are far larger than those around them, the most striking first."""
    if len(frames) < _AROUND:
        return []
    is_key = np.array([frame.is_key for frame in frames])
    sizes = np.array([frame.size for frame in frames], dtype=np.float32)
    sizes[is_key] = np.median(sizes)
    around = np.pad(sizes, _AROUND // 2, mode="edge")
    usual = np.median(sliding_window_view(around, _AROUND), axis=-1)
    jumps = sizes / np.maximum(usual, 1)
    striking = np.argsort(-jumps, kind="stable")[:_MOST_JUMPS]
    return [int(at) for at in striking if jumps[at] >= _LEAST_JUMP]


def _reachable(
    wanted: Iterable[int], keys: Sequence[int], runs: dict[int, int], affordable: int
) -> list[int]:
    """Return those that can be afforded, and lengthen the runs to reach them."""
    cost, reached = _cost(runs), []
    for at in wanted:
        key = keys[at]
        more = max(at - runs.get(key, key - 1), 0)
        if cost + more <= affordable:
            runs[key] = max(at, runs.get(key, at))
            cost += more
            reached.append(at)
    return reached
