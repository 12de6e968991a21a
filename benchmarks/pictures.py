"""`python -m benchmarks.pictures`: how surely and how fast a known picture is known again.

Draws pictures, changes each as people do who post it again, and counts how many of them match what
is banked; compares pairs of different ones; searches a bank of a million; and looks at pictures
with the local model where it is installed. The pictures are made here: heaps of shapes that hide
each other, in sizes that follow a power law, as things in photographs do; lit from one side, with
blur and grain.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from moderation.media.pdq import (
    DEFAULT_MAX_DISTANCE,
    MIN_QUALITY,
    bank_of,
    distances,
    hamming,
    pdq_hash,
    search,
    uncut_hashes,
)
from moderation.policy.agreement import Share
from moderation.providers.base import ImagePart
from moderation.providers.own.local_image import LocalImageProvider

SIZES = ((640, 480), (800, 600), (480, 640), (1024, 768), (1280, 720))
BANK = 1_000_000

Change = Callable[[Image.Image, np.random.Generator], Image.Image]


def scene(seed: int) -> Image.Image:
    """Return a picture that nobody has seen; the same for the same seed."""
    random = np.random.default_rng(seed)
    width, height = SIZES[seed % len(SIZES)]
    image = Image.new("RGB", (width, height), _colour(random))
    draw = ImageDraw.Draw(image)
    for _ in range(int(random.integers(60, 400))):
        _shape(draw, random, width, height)
    angle, light = random.uniform(0, 2 * np.pi), random.uniform(0, 90)
    y, x = np.mgrid[0:height, 0:width]
    slope = (np.cos(angle) * x / width + np.sin(angle) * y / height) * light
    soft = image.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.5)))
    grain = random.normal(0, random.uniform(1, 8), (height, width, 1))
    pixels = np.asarray(soft, dtype=np.float64) + (slope - slope.mean())[..., None] + grain
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _colour(random: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(one) for one in np.clip(random.normal(128, 65, 3), 0, 255))


def _shape(draw: ImageDraw.ImageDraw, random: np.random.Generator, width: int, height: int) -> None:
    radius = min(0.45, 0.02 * (1 - random.random()) ** -0.7) * max(width, height)
    x, y = random.uniform(-0.1, 1.1) * width, random.uniform(-0.1, 1.1) * height
    wide = random.uniform(0.4, 1.6)
    box = (x - radius * wide, y - radius / wide, x + radius * wide, y + radius / wide)
    colour = _colour(random)
    kind = random.integers(3)
    if kind == 0:
        draw.ellipse(box, fill=colour)
    elif kind == 1:
        draw.rectangle(box, fill=colour)
    else:
        corners = random.normal((x, y), 0.7 * radius, (4, 2))
        draw.polygon([tuple(corner) for corner in corners], fill=colour)


# --- what people do to a picture before they post it again --------------------------------------


def _encoded(encoding: str, **options: Any) -> Change:
    def change(image: Image.Image, random: np.random.Generator) -> Image.Image:
        out = io.BytesIO()
        image.save(out, encoding, **options)
        return Image.open(out).convert("RGB")

    return change


def _resized(factor: float) -> Change:
    return lambda image, random: image.resize(
        (round(image.width * factor), round(image.height * factor))
    )


def _cut(most: float) -> Change:
    """Cut up to a share off each side, another one off each."""

    def change(image: Image.Image, random: np.random.Generator) -> Image.Image:
        left, top, right, bottom = random.uniform(0, most, 4)
        return image.crop(
            (
                int(left * image.width),
                int(top * image.height),
                image.width - int(right * image.width),
                image.height - int(bottom * image.height),
            )
        )

    return change


def _cut_all(share: float) -> Change:
    def change(image: Image.Image, random: np.random.Generator) -> Image.Image:
        x, y = int(share * image.width), int(share * image.height)
        return image.crop((x, y, image.width - x, image.height - y))

    return change


CHANGES: dict[str, Change] = {
    **{f"JPEG, quality {one}": _encoded("JPEG", quality=one) for one in (20, 50, 80)},
    "WebP, quality 30": _encoded("WEBP", quality=30),
    "GIF, 256 colours": _encoded("GIF"),
    **{f"{one:g} times the size": _resized(one) for one in (0.25, 0.5, 1.5, 2)},
    "10 % narrower": lambda image, random: image.resize((image.width * 9 // 10, image.height)),
    "grey": lambda image, random: image.convert("L").convert("RGB"),
    "20 % brighter": lambda image, random: ImageEnhance.Brightness(image).enhance(1.2),
    **{f"up to {one:.0%} off each side": _cut(one) for one in (0.01, 0.02, 0.03, 0.05)},
    **{f"{one:.0%} off all sides": _cut_all(one) for one in (0.01, 0.02, 0.03)},
    "up to 2% off, JPEG 50": lambda image, random: _encoded("JPEG", quality=50)(
        _cut(0.02)(image, random), random
    ),
}


def changed(count: int) -> Iterator[tuple[str, int, int]]:
    """Yield each change's name with the distances to what is banked, alone and edges put back."""
    for seed in range(count):
        image = scene(seed)
        hashed, quality = pdq_hash(image)
        if quality < MIN_QUALITY:
            continue
        random = np.random.default_rng(1_000_000 + seed)
        for name, change in CHANGES.items():
            seen = change(image, random)
            alone = hamming(hashed, pdq_hash(seen)[0])
            put_back = min(hamming(hashed, one) for one in uncut_hashes(seen))
            yield name, alone, min(alone, put_back)


def say_changed(count: int) -> None:
    found: dict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for name, alone, both in changed(count):
        found[name][0].append(alone)
        found[name][1].append(both)
    print(f"{'posted again':26} {'its own hash':26} edges put back             median distance")
    for name, (alone, both) in found.items():
        print(f"{name:26} {_matched(alone):26} {_matched(both):26} {np.median(both):.0f}")


def _matched(found: Sequence[int]) -> str:
    share = Share(sum(one <= DEFAULT_MAX_DISTANCE for one in found), len(found))
    low, high = share.interval
    return f"{share.hits / share.total:.1%} ({low:.1%}–{high:.1%})"


def say_pairs(pairs: int) -> None:
    """Compare different pictures, the one also with its edges put back."""
    count = int(np.ceil((1 + np.sqrt(1 + 8 * pairs)) / 2))
    images = [one for one in map(scene, range(count)) if pdq_hash(one)[1] >= MIN_QUALITY]
    bank = bank_of([pdq_hash(one)[0] for one in images])
    nearest, compared, matched = 256, 0, 0
    for number, image in enumerate(images):
        # Each pair once.
        tried = [pdq_hash(image)[0], *uncut_hashes(image)]
        others = np.min([distances(bank, one)[:number] for one in tried], axis=0)
        compared += len(others)
        matched += int((others <= DEFAULT_MAX_DISTANCE).sum())
        nearest = min(nearest, int(others.min(initial=256)))
    print(f"{compared:,} pairs of different pictures: {matched} match, the nearest at {nearest}")


def say_search(times: int) -> None:
    random = np.random.default_rng(7)
    bank = random.integers(0, 2**64, (4, BANK), dtype=np.uint64)
    took = []
    for _ in range(times):
        wanted = random.integers(0, 2**64, 4, dtype=np.uint64).tobytes().hex()
        began = time.perf_counter()
        search(bank, wanted)
        took.append((time.perf_counter() - began) * 1000)
    print(
        f"one of {BANK:,} banked hashes searched: {np.median(took):.2f} ms at the median,"
        f" {np.quantile(took, 0.95):.2f} ms at the 95th percentile"
    )


def say_hashing(count: int) -> None:
    images = [scene(seed).resize((640, 480)) for seed in range(count)]
    for name, work in (("hash", pdq_hash), ("16 hashes, edges put back", uncut_hashes)):
        began = time.perf_counter()
        for image in images:
            work(image)
        print(f"{name}, 640 × 480: {(time.perf_counter() - began) * 1000 / count:.1f} ms")


def say_model(count: int) -> None:
    """Time the local model alone, from file to score."""
    provider = LocalImageProvider()
    if not provider.is_available():
        print("The local image model is not installed.")
        return
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for seed in range(count):
            path = Path(folder) / f"{seed}.jpg"
            scene(seed).save(path, quality=85)
            parts.append(ImagePart("a", path))
        before = _resident_mb()
        began = time.perf_counter()
        provider.judge(parts[:1])
        first = time.perf_counter() - began
        began, cpu = time.perf_counter(), time.process_time()
        answers = [provider.judge([part])[0] for part in parts]
        each = (time.perf_counter() - began) * 1000 / count
        cpu_each = (time.process_time() - cpu) * 1000 / count
        scores = sorted(score for one in answers for score in one.scores.values())
    print(
        f"local model: first picture {first:.2f} s, then {each:.0f} ms each ({cpu_each:.0f} ms of"
        f" computing), {_resident_mb() - before:.0f} MB more"
    )
    print(f"  scores of {count} heaps of shapes: highest {scores[-1]:.2f}")


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=10_000)
    options = parser.parse_args()
    say_search(200)
    say_hashing(20)
    say_model(min(50, options.pictures))
    say_changed(options.pictures)
    say_pairs(options.pairs)


if __name__ == "__main__":
    main()
