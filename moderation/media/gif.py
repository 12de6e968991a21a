"""Count a GIF's frames and find its true canvas without decoding a single pixel."""

from __future__ import annotations

from dataclasses import dataclass

_EXTENSION, _IMAGE, _END = 0x21, 0x2C, 0x3B
_HEADER_BYTES = 13
_IMAGE_BYTES = 10


@dataclass(frozen=True, slots=True)
class GifOutline:
    """`width` and `height` include frames that reach beyond the announced canvas."""

    frames: int
    width: int
    height: int


def read_outline(data: bytes, *, max_frames: int) -> GifOutline:
    """Walk the blocks; stop at one frame more than `max_frames`.

    Raises `ValueError` where the blocks are cut short or make no sense.
    """
    try:
        return _walk(data, max_frames)
    except IndexError as error:
        raise ValueError("The GIF is cut short.") from error


def _walk(data: bytes, max_frames: int) -> GifOutline:
    width, height = _word(data, 6), _word(data, 8)
    frames = 0
    at = _HEADER_BYTES + _palette_bytes(data[10])
    while data[at] != _END and frames <= max_frames:
        if data[at] == _EXTENSION:
            at = _after_sub_blocks(data, at + 2)
        elif data[at] == _IMAGE:
            frames += 1
            width = max(width, _word(data, at + 1) + _word(data, at + 5))
            height = max(height, _word(data, at + 3) + _word(data, at + 7))
            # Palette, then one byte of code size, then the pixels.
            at = _after_sub_blocks(data, at + _IMAGE_BYTES + _palette_bytes(data[at + 9]) + 1)
        else:
            raise ValueError("The GIF has an unknown block.")
    return GifOutline(frames, width, height)


def _word(data: bytes, at: int) -> int:
    return data[at] | data[at + 1] << 8


def _palette_bytes(flags: int) -> int:
    return 3 << (1 + (flags & 7)) if flags & 0x80 else 0


def _after_sub_blocks(data: bytes, at: int) -> int:
    while data[at]:
        at += data[at] + 1
    return at + 1
