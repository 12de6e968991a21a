"""What becomes of a picture: type, size, frames, metadata; and what becomes of its child."""

import functools
import hashlib
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

from moderation.errors import MediaRefused
from moderation.media.children import Child, ChildGone, Children
from moderation.media.decode import prepare_image
from moderation.media.gif import read_outline
from moderation.media.limits import MediaLimits
from moderation.media.pdq import hamming
from moderation.vocabulary import MediaKind
from tests.unit.media_files import animation, encoded, gif, opened, photo

MARKER = b"Bo-was-here-48.8583N"


# --- types and sizes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "content_type", "extension"),
    [
        (lambda: encoded(photo(), "JPEG"), "image/jpeg", "jpg"),
        (lambda: encoded(photo().convert("L"), "JPEG"), "image/jpeg", "jpg"),
        (lambda: encoded(photo().convert("CMYK"), "JPEG"), "image/jpeg", "jpg"),
        (lambda: encoded(photo(), "PNG"), "image/png", "png"),
        (lambda: encoded(photo().convert("P"), "PNG"), "image/png", "png"),
        (lambda: encoded(photo().convert("1"), "PNG"), "image/png", "png"),
        (lambda: encoded(photo().convert("LA"), "PNG"), "image/png", "png"),
        (lambda: encoded(photo(), "WEBP"), "image/webp", "webp"),
        (lambda: encoded(photo(), "GIF"), "image/png", "png"),
        (lambda: animation([photo(1), photo(2)], "PNG"), "image/png", "png"),
    ],
)
def test_a_still_keeps_its_look_in_a_type_of_ours(
    sent: Callable[[], bytes], content_type: str, extension: str
) -> None:
    prepared = prepare_image(sent())
    assert (prepared.content_type, prepared.extension) == (content_type, extension)
    assert (prepared.kind, prepared.frame_count, prepared.frames) == (MediaKind.IMAGE, 1, ())
    with opened(prepared.content) as shown:
        assert Image.MIME[shown.format or ""] == content_type
        assert shown.size == (prepared.width, prepared.height) == (320, 240)
        told = np.asarray(opened(sent()).convert("RGB"), dtype=int)
        assert np.abs(np.asarray(shown.convert("RGB"), dtype=int) - told).mean() < 12


def test_sixteen_bits_become_eight() -> None:
    grey = Image.fromarray((np.asarray(photo().convert("L"), dtype=np.uint16) << 8) | 0x7F)
    prepared = prepare_image(encoded(grey, "PNG"))
    expected = np.asarray(photo().convert("L"))
    assert np.array_equal(np.asarray(opened(prepared.content).convert("L")), expected)


def test_transparency_is_kept() -> None:
    glass = photo().convert("RGBA")
    glass.putalpha(Image.linear_gradient("L").resize(glass.size))
    for encoding in ("PNG", "WEBP"):
        with opened(prepare_image(encoded(glass, encoding)).content) as shown:
            assert shown.mode == "RGBA"
            assert shown.getchannel("A").getextrema() == (0, 255)


def test_a_photograph_sent_as_a_large_png_becomes_webp() -> None:
    limits = MediaLimits(max_png_bytes=50_000)
    assert prepare_image(encoded(photo(), "PNG"), limits=limits).content_type == "image/webp"


def test_more_pixels_than_anyone_sees_are_scaled_down() -> None:
    limits = MediaLimits(output_pixels=10_000)
    prepared = prepare_image(encoded(photo(), "JPEG"), limits=limits)
    assert 9_000 < prepared.width * prepared.height <= 10_000
    assert prepared.width / prepared.height == pytest.approx(4 / 3, rel=0.03)


def test_the_hash_of_the_upload_is_of_the_bytes_as_sent() -> None:
    data = encoded(photo(), "JPEG")
    assert prepare_image(data).sha256 == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("encoding", ["JPEG", "PNG", "WEBP"])
def test_the_perceptual_hash_survives_the_encoding(encoding: str) -> None:
    original = prepare_image(encoded(photo(), "PNG")).perceptual_hash
    again = prepare_image(encoded(photo().resize((200, 150)), encoding)).perceptual_hash
    assert len(original) == 64
    assert hamming(original, again) <= 31
    assert hamming(original, prepare_image(encoded(photo(2), encoding)).perceptual_hash) > 80


def test_a_plain_picture_has_no_perceptual_hash() -> None:
    assert prepare_image(encoded(Image.new("RGB", (99, 99), "red"), "PNG")).perceptual_hash == ""


@pytest.mark.parametrize(
    ("data", "limits", "words"),
    [
        (b"", MediaLimits(), "empty"),
        (bytes(2_000_000), MediaLimits(max_bytes=1_048_576), "at most 1 MB"),
        (b"plain text", MediaLimits(), "JPEG, PNG, WebP or GIF"),
        (encoded(photo(), "PNG"), MediaLimits(max_pixels=50_000), "320 x 240 pixels"),
        (encoded(photo(), "PNG")[:-900], MediaLimits(), "damaged or incomplete"),
        (gif(10, 10, 30), MediaLimits(max_frames=20), "more than 20 frames"),
        (gif(10, 10, 30), MediaLimits(max_animation_pixels=2_999), "too large"),
        (gif(10, 10, 30), MediaLimits(max_frame_pixels=99), "too large"),
    ],
)
def test_a_refusal_tells_the_author_what_is_wrong(
    data: bytes, limits: MediaLimits, words: str
) -> None:
    with pytest.raises(MediaRefused, match=words):
        prepare_image(data, limits=limits)


# --- orientation and metadata -----------------------------------------------------------------


def exif_with(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010E] = MARKER.decode()
    return exif


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_taken_in_any_position_stands_upright(orientation: int) -> None:
    upright = Image.new("RGB", (60, 40), "blue")
    ImageDraw.Draw(upright).rectangle((0, 0, 19, 9), fill="red")
    # The way each position lays the picture down is undone by the viewer's way back.
    laid_down = {
        1: upright,
        2: upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: upright.transpose(Image.Transpose.ROTATE_180),
        4: upright.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: upright.transpose(Image.Transpose.TRANSPOSE),
        6: upright.transpose(Image.Transpose.ROTATE_90),
        7: upright.transpose(Image.Transpose.TRANSVERSE),
        8: upright.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    sent = encoded(laid_down, "PNG", exif=exif_with(orientation))
    with opened(prepare_image(sent).content) as shown:
        assert np.array_equal(np.asarray(shown.convert("RGB")), np.asarray(upright))
        assert shown.getexif().get(0x0112, 1) == 1


def text_chunks() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", MARKER.decode())
    info.add_text("Packed", MARKER.decode() * 20, zip=True)
    info.add_itxt("XML:com.adobe.xmp", MARKER.decode())
    return info


def marked_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + MARKER


def iptc() -> bytes:
    """A Photoshop segment with one IPTC caption."""
    caption = b"\x1c\x02\x78" + len(MARKER).to_bytes(2, "big") + MARKER
    block = b"8BIM\x04\x04\x00\x00" + len(caption).to_bytes(4, "big") + caption
    body = b"Photoshop 3.0\x00" + block
    return b"\xff\xed" + (len(body) + 2).to_bytes(2, "big") + body


def jpeg_with_segment(segment: bytes) -> bytes:
    data = encoded(photo(), "JPEG")
    return data[:2] + segment + data[2:]


MARKED: dict[str, Callable[[], bytes]] = {
    "jpeg exif": lambda: encoded(photo(), "JPEG", exif=exif_with(1)),
    "jpeg xmp": lambda: encoded(photo(), "JPEG", xmp=MARKER),
    "jpeg comment": lambda: encoded(photo(), "JPEG", comment=MARKER),
    "jpeg profile": lambda: encoded(photo(), "JPEG", icc_profile=marked_profile()),
    "jpeg iptc": lambda: jpeg_with_segment(iptc()),
    "jpeg tail": lambda: encoded(photo(), "JPEG") + MARKER,
    "png text": lambda: encoded(photo(), "PNG", pnginfo=text_chunks()),
    "png exif": lambda: encoded(photo(), "PNG", exif=exif_with(1)),
    "png tail": lambda: encoded(photo(), "PNG") + MARKER,
    "webp exif": lambda: encoded(photo(), "WEBP", exif=exif_with(1)),
    "webp xmp": lambda: encoded(photo(), "WEBP", xmp=MARKER),
    "webp profile": lambda: encoded(photo(), "WEBP", icc_profile=marked_profile()),
    "gif comment": lambda: encoded(photo(), "GIF", comment=MARKER),
    "animated gif comment": lambda: animation([photo(1), photo(2)], comment=MARKER),
    "animated webp exif": lambda: animation([photo(1), photo(2)], "WEBP", exif=exif_with(1)),
    "animated webp xmp": lambda: animation([photo(1), photo(2)], "WEBP", xmp=MARKER),
}


@pytest.mark.parametrize("name", MARKED)
def test_nothing_but_pixels_survives(name: str) -> None:
    sent = MARKED[name]()
    prepared = prepare_image(sent)
    # Compressed text is not found by searching bytes, so what a reader sees is looked at too.
    assert MARKER in sent
    for made in (prepared.content, *prepared.frames):
        assert MARKER not in made
        with opened(made) as shown:
            assert MARKER.decode() not in repr(shown.info)
            assert not {"exif", "xmp", "icc_profile", "comment", "Comment"} & shown.info.keys()
            assert len(shown.getexif()) == 0


# --- animations -------------------------------------------------------------------------------


@functools.cache
def drifting(count: int, size: tuple[int, int] = (96, 64)) -> tuple[Image.Image, ...]:
    """A scene in which a little changes from frame to frame."""
    wide = photo(5, (size[0] + count, size[1]))
    return tuple(wide.crop((shift, 0, shift + size[0], size[1])) for shift in range(count))


@pytest.mark.parametrize("encoding", ["GIF", "WEBP"])
def test_an_animation_stays_one_with_its_times(encoding: str) -> None:
    frames = drifting(5)
    sent = animation(frames, encoding, duration=[50, 100, 150, 200, 250])
    prepared = prepare_image(sent)
    assert (prepared.kind, prepared.content_type) == (MediaKind.GIF, "image/webp")
    assert (prepared.frame_count, prepared.width, prepared.height) == (5, 96, 64)
    durations = []
    with opened(prepared.content) as shown:
        assert getattr(shown, "n_frames", 1) == 5
        for number in range(5):
            shown.seek(number)
            shown.load()
            durations.append(shown.info["duration"])
            expected = np.asarray(frames[number], dtype=int)
            assert np.abs(np.asarray(shown.convert("RGB"), dtype=int) - expected).mean() < 20
    assert durations == [50, 100, 150, 200, 250]


def test_a_short_animation_is_sampled_whole() -> None:
    prepared = prepare_image(animation(drifting(3)))
    assert len(prepared.frames) == len(prepared.frame_hashes) == 3
    assert prepared.perceptual_hash == prepared.frame_hashes[0]


def test_a_long_animation_is_made_smaller() -> None:
    limits = MediaLimits(output_animation_pixels=20_000)
    prepared = prepare_image(animation(drifting(20)), limits=limits)
    assert prepared.frame_count == 20
    assert prepared.width * prepared.height <= 1_000
    assert len(prepared.frames) == limits.sampled_frames


def test_sampled_frames_fit_the_model() -> None:
    prepared = prepare_image(animation(drifting(3, (900, 200))))
    for frame in prepared.frames:
        with opened(frame) as shown:
            assert (shown.format, shown.size) == ("JPEG", (640, 142))


@pytest.mark.parametrize("position", [1, 150, 298])
def test_one_foreign_frame_among_300_is_always_sampled(position: int) -> None:
    foreign = photo(9, (96, 64))
    frames = list(drifting(300))
    frames[position] = foreign
    prepared = prepare_image(animation(frames, duration=20))
    wanted = np.asarray(foreign, dtype=int)
    unlike = [
        np.abs(np.asarray(opened(frame), dtype=int) - wanted).mean() for frame in prepared.frames
    ]
    assert len(prepared.frames) == 8
    assert min(unlike) < 20


def test_a_small_foreign_patch_is_sampled_too() -> None:
    frames = list(drifting(100))
    patch = frames[57].copy()
    ImageDraw.Draw(patch).rectangle((40, 20, 63, 43), fill="white")
    frames[57] = patch
    prepared = prepare_image(animation(frames))
    assert any(min(pixel(frame, (52, 32))) > 230 for frame in prepared.frames)


def pixel(data: bytes, at: tuple[int, int]) -> tuple[int, ...]:
    found = opened(data).convert("RGB").getpixel(at)
    assert isinstance(found, tuple)
    return found


def test_transparent_frames_are_looked_at_on_grey() -> None:
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    written = clear.copy()
    ImageDraw.Draw(written).rectangle((8, 8, 40, 40), fill="black")
    prepared = prepare_image(animation([clear, written], "WEBP", lossless=True))
    assert np.allclose(pixel(prepared.frames[1], (60, 60)), 128, atol=6)
    assert np.allclose(pixel(prepared.frames[1], (20, 20)), 0, atol=6)


def test_frames_are_counted_without_decoding() -> None:
    with_palettes = animation([photo(seed) for seed in range(4)])
    outline = read_outline(with_palettes, max_frames=10)
    assert (outline.frames, outline.width, outline.height) == (4, 320, 240)
    assert read_outline(gif(9, 9, 50), max_frames=10).frames == 11


# --- children ---------------------------------------------------------------------------------


@pytest.fixture
def children() -> Iterator[Children]:
    running = Children(2)
    yield running
    running.close()


def pid_of(children: Children) -> int:
    (child,) = children._idle
    return child.pid


def test_a_child_is_used_again(children: Children) -> None:
    pids = set()
    for _ in range(3):
        children.decode(encoded(photo(), "JPEG"), MediaLimits())
        pids.add(pid_of(children))
    assert len(pids) == 1


def test_a_child_that_was_killed_between_two_pictures_is_replaced(children: Children) -> None:
    children.decode(encoded(photo(), "JPEG"), MediaLimits())
    killed = pid_of(children)
    os.kill(killed, signal.SIGKILL)
    children.decode(encoded(photo(), "JPEG"), MediaLimits())
    assert pid_of(children) != killed


def test_a_child_whose_memory_grew_is_replaced(children: Children) -> None:
    large = Image.new("RGB", (6000, 6000))
    children.decode(encoded(large, "PNG"), MediaLimits())
    assert children._idle == []


def test_a_picture_that_takes_too_long_is_refused_and_its_child_killed(
    children: Children,
) -> None:
    slow = gif(640, 480, 600)
    began = time.monotonic()
    with pytest.raises(MediaRefused, match="within our limits"):
        children.decode(slow, MediaLimits(timeout_seconds=0.15))
    assert time.monotonic() - began < 3
    assert children._idle == []


def test_a_picture_that_computes_too_much_is_refused(children: Children) -> None:
    limits = MediaLimits(cpu_seconds=0, timeout_seconds=60.0)
    with pytest.raises(MediaRefused, match="within our limits"):
        children.decode(gif(640, 480, 600), limits)


def test_a_picture_that_needs_too_much_memory_is_refused(children: Children) -> None:
    large = encoded(Image.new("RGB", (6000, 6000)), "PNG")
    with pytest.raises(MediaRefused, match="memory"):
        children.decode(large, MediaLimits(memory_bytes=180 * 1024 * 1024))


def test_threads_share_the_children(children: Children) -> None:
    pictures = [encoded(photo(seed), "JPEG") for seed in range(12)]
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda data: children.decode(data, MediaLimits()), pictures))
    alone = [children.decode(data, MediaLimits())[0]["made"]["hashes"] for data in pictures]
    assert [header["made"]["hashes"] for header, _ in answers] == alone
    assert len(children._idle) <= 2


def test_a_forked_worker_starts_children_of_its_own(children: Children) -> None:
    children.decode(encoded(photo(), "JPEG"), MediaLimits())
    parents = pid_of(children)
    forked = os.fork()
    if forked == 0:
        children.decode(encoded(photo(2), "JPEG"), MediaLimits())
        own = pid_of(children)
        children.close()
        os._exit(0 if own != parents else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 0
    children.decode(encoded(photo(), "JPEG"), MediaLimits())
    assert pid_of(children) == parents


def test_a_child_sees_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "hunter2")
    child = Child()
    assert b"hunter2" not in Path(f"/proc/{child.pid}/environ").read_bytes()
    child.close()


def test_a_child_ends_with_its_parent() -> None:
    code = (
        "import time; from moderation.media.children import Child;"
        "print(Child().pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("The child outlived its parent.")


def test_a_child_that_cannot_start_is_not_the_pictures_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("moderation.media.children._BOOT", "raise SystemExit(1)")
    with pytest.raises(ChildGone):
        Child()


def test_an_upload_object_is_read_once_as_bytes() -> None:
    # The seam takes bytes; a file object is a mistake that must not pass silently.
    with pytest.raises(TypeError):
        prepare_image(io.BytesIO(b"x"))  # type: ignore[arg-type]
