"""What an attachment may be, and what we make of it. Numbers say where they come from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MediaLimits:
    """Limits of one decoding. Pixels are width times height; an animation has them per frame."""

    max_bytes: int = 20 * 1024 * 1024
    # A phone's full-size photograph; decoded it takes 160 MB.
    max_pixels: int = 40_000_000
    # WebP is decoded through four buffers of the whole canvas.
    max_webp_pixels: int = 16_000_000
    max_side: int = 20_000

    # 1280 x 720, as Mastodon allows for a GIF.
    max_frame_pixels: int = 921_600
    max_frames: int = 1_000
    # Frames times pixels: about one second of decoding.
    max_animation_pixels: int = 200_000_000

    # 3840 x 2160: nobody sees more of it on a page.
    output_pixels: int = 8_294_400
    # All frames together: about two seconds of encoding. Longer animations get smaller.
    output_animation_pixels: int = 40_000_000
    # A PNG that comes out larger than this is a photograph: it becomes WebP.
    max_png_bytes: int = 4 * 1024 * 1024

    sampled_frames: int = 8
    sampled_frame_side: int = 640

    # Of a video or a sound. Three copies of it lie in memory while it is packed.
    max_stream_bytes: int = 64 * 1024 * 1024
    max_duration_seconds: float = 600.0
    # 4096 x 2160, and what codecs add to fill their blocks.
    max_video_pixels: int = 4096 * 2176
    # Ten minutes at 60 frames a second, and some.
    max_video_frames: int = 40_000
    # The above with a sound cut into pieces of 10 ms.
    max_packets: int = 120_000
    # Evenly spread over a video; fewer only where more would cost too much to reach.
    sampled_moments: int = 16
    least_moments: int = 8
    # Beginnings of scenes beside these, chosen from so many keyframes.
    sampled_scenes: int = 16
    watched_keyframes: int = 96
    # Decoding costs 1 to 5 ns a pixel: at most 5 s.
    watched_pixels: int = 1_000_000_000

    # Computing is what a hostile file costs: with a second for rounding, below 10 s. The clock
    # on the wall is for a child that hangs; on a busy machine honest files take their time too.
    cpu_seconds: int = 8
    timeout_seconds: float = 30.0
    # Address space of the child, of which about 110 MB are mapped before it begins: what stays
    # in memory is below 512 MB. What FFmpeg's libraries map where they are loaded comes on top.
    memory_bytes: int = 576 * 1024 * 1024
