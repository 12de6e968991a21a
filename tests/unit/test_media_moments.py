"""Which frames are looked at, before any of them is decoded."""

from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest

from moderation.errors import MediaRefused
from moderation.media.limits import MediaLimits
from moderation.media.moments import Frame, Plan, plan, telling_scenes
from moderation.media.stills import signature
from tests.unit.media_files import photo

LIMITS = MediaLimits()
PIXELS = 1920 * 1080


def steady(seconds: float, *, rate: int = 30, key_every: int = 60) -> list[Frame]:
    """Frames that are decoded in the order in which they are shown."""
    return [Frame(at / rate, at % key_every == 0) for at in range(round(seconds * rate))]


def planned(
    frames: list[Frame],
    *,
    pixels: int = PIXELS,
    luck: Callable[[], float] = lambda: 0.5,
    **limits: int,
) -> Plan:
    end = max(frame.seconds for frame in frames) + 1 / 30
    return plan(frames, end=end, pixels=pixels, limits=MediaLimits(**limits), luck=luck)


def seconds_of(frames: list[Frame], positions: tuple[int, ...]) -> list[float]:
    return [frames[at].seconds for at in positions]


def test_moments_are_spread_over_the_whole_video() -> None:
    frames = steady(300)
    moments = seconds_of(frames, planned(frames).moments)
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert len(moments) == LIMITS.sampled_moments
    assert moments[0] == 0
    assert max(gaps) <= 2 * 300 / (LIMITS.sampled_moments - 1)


@pytest.mark.parametrize("luck", [0.05, 0.3, 0.7, 0.999])
def test_moments_lie_where_the_lot_fell(luck: float) -> None:
    frames = steady(15)
    chosen = planned(frames, pixels=320 * 240, luck=lambda: luck)
    drawn = seconds_of(frames, chosen.moments)[1:]
    assert drawn == pytest.approx([span + luck for span in range(15)], abs=1 / 30)


def test_few_moments_are_keyframes_that_the_sender_chose() -> None:
    frames = steady(120, key_every=47)
    moments = planned(frames, luck=Random(7).random).moments
    assert sum(frames[at].is_key for at in moments) <= 3


def test_moments_stay_near_their_keyframes_where_decoding_is_dear() -> None:
    frames = steady(600, key_every=250)
    chosen = planned(frames)
    most = LIMITS.watched_pixels // PIXELS
    assert sum(last - key + 1 for key, last in chosen.runs.items()) <= most
    assert len(chosen.moments) >= LIMITS.least_moments


@pytest.mark.parametrize(
    ("affordable", "moments"), [(1_500, 16), (1_100, 15), (700, 12), (400, 9), (100, 8)]
)
def test_fewer_moments_are_looked_at_before_a_video_is_refused(
    affordable: int, moments: int
) -> None:
    frames = steady(60, key_every=300)
    assert len(planned(frames, watched_pixels=PIXELS * affordable).moments) == moments


def test_a_video_that_cannot_be_reached_cheaply_enough_is_refused() -> None:
    with pytest.raises(MediaRefused, match="too long to look at"):
        planned(steady(600, key_every=10**6))


def test_keyframes_are_scenes_and_thinned_evenly() -> None:
    few, many = steady(60, key_every=30), steady(600, key_every=30)
    assert planned(few).scenes == tuple(range(0, 1800, 30))
    scenes = planned(many).scenes
    assert len(scenes) == LIMITS.watched_keyframes
    assert (scenes[0], scenes[-1]) == (0, 17_970)


def test_only_what_can_be_decoded_from_its_own_keyframe_is_chosen() -> None:
    # Shown before the keyframe that they follow: they need the scene before it, too.
    frames = [
        Frame(seconds, is_key)
        for start in range(0, 60, 2)
        for seconds, is_key in [(start, True), (start - 0.6, False), (start - 0.3, False)]
    ]
    frames = [Frame(max(frame.seconds, 0), frame.is_key) for frame in frames]
    assert all(frames[at].is_key or at < 3 for at in planned(frames).moments)


def test_a_single_frame_is_looked_at() -> None:
    assert planned([Frame(5.0, True)]).moments == (0,)


def test_a_slide_show_is_looked_at_wherever_it_has_a_frame() -> None:
    frames = [Frame(float(at * 60), True) for at in range(5)]
    assert planned(frames).moments == (0, 1, 2, 3, 4)


def test_scenes_like_those_seen_are_left_out() -> None:
    pictures = [signature(photo(seed)) for seed in (1, 2, 1, 3, 2)]
    assert telling_scenes(pictures[:1], pictures, most=9) == [1, 3]
    assert len(telling_scenes(pictures[:1], pictures, most=1)) == 1
    assert telling_scenes(pictures[:1], [], most=9) == []


def test_a_frame_much_larger_than_its_neighbours_is_looked_at() -> None:
    frames = [
        Frame(at / 30, at == 0, 9_000 if at == 0 else 40_000 if at == 700 else 2_000 + at % 3 * 900)
        for at in range(900)
    ]
    assert planned(frames, pixels=320 * 240).scenes == (0, 700)
    # Out of reach, it is left to the lot.
    near = [Frame(frame.seconds, at % 90 == 0, frame.size) for at, frame in enumerate(frames)]
    assert 700 in planned(near).scenes
    assert 700 not in planned(near, watched_pixels=PIXELS * 60).scenes
