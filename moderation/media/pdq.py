"""PDQ: a perceptual hash of 256 bits, so that a known picture is known again after re-encoding.

The published algorithm (ThreatExchange, "The TMK+PDQF video-hashing algorithm and the PDQ
image-hashing algorithm"), written in numpy because its own package must be compiled. Hashes are
interchangeable with it within a few bits; docs/media.md has the figures.
"""

from __future__ import annotations

import functools
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

HASH_BYTES = 32
# The distance at which its authors call two pictures the same.
DEFAULT_MAX_DISTANCE = 31
# Below this quality a picture is so plain that its hash would match any other plain one.
MIN_QUALITY = 50

_SMALL_SIDE = 64
_DCT_SIDE = 16
# Pictures of twice this side and more are halved, thirded... first: finer detail than that is
# blurred away in any case.
_WORKING_SIDE = 1024
# What a cut-off edge is guessed from is coarse enough for a smaller one.
_UNCUT_SIDE = 256
# Which share of the whole an edge that was cut off may have been. Off by one hundredth on each
# side, a hash is still within its distance, so these two, and none, cover all up to that.
_CUT_OFF = (0.01, 0.03)

Floats = npt.NDArray[np.float32]
Bank = npt.NDArray[np.uint64]


def pdq_hash(image: Image.Image) -> tuple[str, int]:
    """Return the hash of an RGB image as 64 hex digits, and its quality, 0-100.

    A hash of quality below `MIN_QUALITY` should not be compared.
    """
    small = _shrink(_luma(image, _WORKING_SIDE))
    return _hash_of(small), _quality(small)


def uncut_hashes(image: Image.Image) -> list[str]:
    """Return hashes of what a picture may have been before a little was cut off its edges.

    A few hundredths move everything, and with it the hash. So the picture is moved back: the lost
    edges are guessed to be like what is next to them. Their shares are tried in turn on all four
    sides; a whole picture's own hash is not among these.
    """
    luma = _luma(image, _UNCUT_SIDE)
    cuts = list(product(_CUT_OFF, repeat=2))
    rows = [_uncut(luma.shape[0], *cut) @ luma for cut in cuts]
    columns = [_uncut(luma.shape[1], *cut).T for cut in cuts]
    return [
        _hash_of((row @ column).astype(np.float32, copy=False))
        for row in rows
        for column in columns
    ]


def _hash_of(small: Floats) -> str:
    coefficients = _DCT @ small @ _DCT.T
    # The lower of the two middle values, so that never more than half of the bits are set.
    median = np.partition(coefficients, coefficients.size // 2 - 1, axis=None)[
        coefficients.size // 2 - 1
    ]
    bits = np.packbits((coefficients > median).ravel(), bitorder="little")
    return bits[::-1].tobytes().hex()


def hamming(one: str, other: str) -> int:
    """Return in how many of 256 bits two hashes differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def bank_of(hashes: list[str]) -> Bank:
    """Return hashes (64 hex digits each) as the array that `search` takes: shape (4, n).

    By columns of 64 bits: so each is read through in one go, which takes a third of the time.
    """
    rows = np.frombuffer(bytes.fromhex("".join(hashes)), dtype=np.uint64)
    return np.ascontiguousarray(rows.reshape(-1, HASH_BYTES // 8).T)


def distances(bank: Bank, wanted: str) -> npt.NDArray[np.uint16]:
    """Return the distance of every hash in `bank` to `wanted`."""
    return _differing(bank, _target(wanted))


def near(
    bank: Bank, wanted: str, max_distance: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint16]]:
    """Return the places of all hashes within `max_distance` of `wanted`, and their distances.

    Two hashes that are near are near in their first half: the other half of nearly all others
    is never looked at.
    """
    target = _target(wanted)
    half = len(bank) // 2
    # Half of the bits are 128 at most: in bytes they are counted in half the time.
    first = _differing(bank[:half], target[:half], np.uint8)
    places = np.flatnonzero(first <= max_distance)
    found = _differing(bank[half:, places], target[half:]) + first[places]
    is_near = found <= max_distance
    return places[is_near], found[is_near]


def search(bank: Bank, wanted: str, max_distance: int = DEFAULT_MAX_DISTANCE) -> npt.NDArray[Any]:
    """Return the row numbers of all hashes within `max_distance` of `wanted`, nearest first."""
    places, found = near(bank, wanted, max_distance)
    return places[np.argsort(found, kind="stable")]


def _target(wanted: str) -> npt.NDArray[np.uint64]:
    return np.frombuffer(bytes.fromhex(wanted), dtype=np.uint64)


def _differing(
    columns: Bank,
    target: npt.NDArray[np.uint64],
    counted_in: type[np.unsignedinteger[Any]] = np.uint16,
) -> npt.NDArray[Any]:
    total = np.zeros(columns.shape[1], dtype=counted_in)
    for column, wanted in zip(columns, target, strict=True):
        total += np.bitwise_count(column ^ wanted)
    return total


def _luma(image: Image.Image, side: int) -> Floats:
    factor = max(image.size) // side
    if factor > 1:
        image = image.reduce(factor)
    return np.asarray(image.convert("L"), dtype=np.float32)


def _shrink(luma: Floats) -> Floats:
    """Blur by two box filters along each axis, then take 64 x 64 samples: two matrix products."""
    rows, columns = luma.shape
    blurred = _blur_and_sample(rows) @ luma @ _blur_and_sample(columns).T
    return blurred.astype(np.float32, copy=False)


@functools.lru_cache(maxsize=64)
def _blur_and_sample(length: int) -> Floats:
    """Return the 64 x `length` matrix that does both along one axis."""
    # A window is an even or odd number of pixels, and cut off at the edges.
    window = (length + 2 * _SMALL_SIDE - 1) // (2 * _SMALL_SIDE)
    ends = np.minimum(np.arange(length) + (window + 2) // 2, length)
    starts = np.maximum(np.arange(length) + (window + 2) // 2 - window, 0)
    samples = ((np.arange(_SMALL_SIDE) + 0.5) * length / _SMALL_SIDE).astype(np.intp)
    weights = np.zeros((_SMALL_SIDE, length))
    weights[np.arange(_SMALL_SIDE), samples] = 1
    for _ in range(2):
        shares = weights / (ends - starts)
        steps = np.zeros((length + 1, _SMALL_SIDE))
        np.add.at(steps, starts, shares.T)
        np.subtract.at(steps, ends, shares.T)
        weights = np.cumsum(steps, axis=0)[:-1].T
    return weights.astype(np.float32)


@functools.lru_cache(maxsize=64)
def _uncut(length: int, before: float, after: float) -> Floats:
    """Return `_blur_and_sample` of a side of which these shares are missing at its ends.

    What is missing counts for the pixel next to it.
    """
    whole = length / (1 - before - after)
    missing, behind = round(whole * before), round(whole * after)
    weights = _blur_and_sample(missing + length + behind)
    kept = weights[:, missing : missing + length].copy()
    kept[:, 0] += weights[:, :missing].sum(axis=1)
    kept[:, -1] += weights[:, missing + length :].sum(axis=1)
    return kept


def _dct_matrix() -> Floats:
    frequency = np.arange(1, _DCT_SIDE + 1)[:, None]
    position = np.arange(_SMALL_SIDE)[None, :]
    angles = np.pi / 2 / _SMALL_SIDE * frequency * (2 * position + 1)
    return np.asarray(np.sqrt(2 / _SMALL_SIDE) * np.cos(angles), dtype=np.float32)


_DCT = _dct_matrix()


def _quality(small: Floats) -> int:
    """How much happens in the picture: the summed steps between neighbours."""
    steps = sum(
        int(np.abs(np.trunc(np.diff(small, axis=axis) * 100 / 255)).sum()) for axis in (0, 1)
    )
    # 90 as in the reference, found by its authors.
    return min(steps // 90, 100)
