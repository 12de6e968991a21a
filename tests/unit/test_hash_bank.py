"""The bank of known pictures: a match is certain, no match says nothing."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from moderation.media.decode import prepare_image, prepare_media
from moderation.media.pdq import pdq_hash
from moderation.providers.base import Answer, ImagePart, TextPart, VideoPart
from moderation.providers.own.hash_bank import Banked, HashBankProvider
from moderation.vocabulary import Category, Outcome, Part
from tests.unit.media_files import animation, encoded, photo
from tests.unit.stream_files import film

KNOWN = pdq_hash(photo(1))[0]


def flipped(hashed: str, bits: int) -> str:
    return f"{int(hashed, 16) ^ ((1 << bits) - 1):064x}"


def still(perceptual_hash: str, scope: str = "") -> ImagePart:
    return ImagePart("a", Path("never-read.jpg"), perceptual_hash=perceptual_hash, scope=scope)


def ask(part: ImagePart | TextPart | VideoPart, *bank: Banked) -> Answer:
    (answer,) = HashBankProvider(lambda: bank).judge([part])
    return answer


@pytest.mark.parametrize(
    ("distance", "max_distance", "matches"),
    [(0, 31, True), (31, 31, True), (32, 31, False), (5, 4, False), (4, 4, True), (0, 0, True)],
)
def test_each_banked_hash_says_how_near_is_near(
    distance: int, max_distance: int, matches: bool
) -> None:
    answer = ask(
        still(flipped(KNOWN, distance)), Banked(KNOWN, Category.SEXUAL, "case 7", max_distance)
    )
    assert answer.scores == ({Category.SEXUAL: 1.0} if matches else {})
    assert answer.outcome == (Outcome.JUDGED if matches else Outcome.NOT_JUDGED)
    assert answer.raw["nearest"] == distance
    assert answer.error == ""


def test_a_match_names_its_evidence() -> None:
    answer = ask(still(flipped(KNOWN, 3)), Banked(KNOWN, Category.EXTREMISM, "flag 12"))
    assert answer.raw["matches"] == [
        {"label": "flag 12", "category": "extremism", "distance": 3, "frame": 0}
    ]


def test_a_picture_known_for_two_things_scores_in_both() -> None:
    answer = ask(
        still(KNOWN), Banked(KNOWN, Category.SPAM, "a"), Banked(KNOWN, Category.ILLICIT, "b")
    )
    assert answer.scores == {Category.SPAM: 1.0, Category.ILLICIT: 1.0}


@pytest.mark.parametrize(
    ("entry_scope", "part_scope", "matches"),
    [("", "", True), ("", "7", True), ("7", "7", True), ("7", "8", False), ("7", "", False)],
)
def test_a_communitys_own_entry_applies_to_it_alone(
    entry_scope: str, part_scope: str, matches: bool
) -> None:
    answer = ask(still(KNOWN, part_scope), Banked(KNOWN, Category.SPAM, "x", 31, entry_scope))
    assert bool(answer.scores) == matches


@pytest.mark.parametrize(
    ("part", "bank"),
    [
        (still(KNOWN), []),
        (still(""), [Banked(KNOWN, Category.SPAM, "a")]),
        (TextPart("t", "text"), [Banked(KNOWN, Category.SPAM, "a")]),
    ],
)
def test_what_cannot_be_compared_is_not_judged(
    part: ImagePart | TextPart, bank: list[Banked]
) -> None:
    answer = ask(part, *bank)
    assert (answer.outcome, answer.scores) == (Outcome.NOT_JUDGED, {})
    assert answer.raw["nearest"] is None


def test_a_known_picture_inside_an_animation_is_found(tmp_path: Path) -> None:
    prepared = prepare_image(animation([photo(seed) for seed in (2, 3, 1, 4)]))
    paths = []
    for number, frame in enumerate(prepared.frames):
        paths.append(tmp_path / f"{number}.jpg")
        paths[-1].write_bytes(frame)
    part = ImagePart(
        "a",
        tmp_path / "whole.webp",
        Part.GIF,
        perceptual_hash=prepared.perceptual_hash,
        frame_paths=tuple(paths),
    )
    answer = ask(part, Banked(KNOWN, Category.SEXUAL, "case 7"))
    assert answer.scores == {Category.SEXUAL: 1.0}
    matches = answer.raw["matches"]
    assert isinstance(matches, list)
    assert [match["frame"] for match in matches] == [2]


def test_a_known_picture_inside_a_video_is_found(tmp_path: Path) -> None:
    def paint(seconds: float) -> npt.NDArray[np.uint8]:
        return np.asarray(photo(1 if 1 <= seconds < 2 else 2))

    prepared = prepare_media(film(seconds=3, rate=10, paint=paint))
    paths = []
    for number, frame in enumerate(prepared.frames):
        paths.append(tmp_path / f"{number}.jpg")
        paths[-1].write_bytes(frame)
    part = VideoPart("v", tmp_path / "video.mp4", frame_paths=tuple(paths))
    answer = ask(part, Banked(KNOWN, Category.SEXUAL, "case 7"))
    assert answer.scores == {Category.SEXUAL: 1.0}
    matches = answer.raw["matches"]
    assert isinstance(matches, list)
    assert all(1 <= prepared.frame_seconds[match["frame"]] < 2 for match in matches)


def test_a_known_picture_is_found_after_its_upload_was_re_encoded() -> None:
    reposted = prepare_image(encoded(photo(1).resize((250, 190)), "JPEG", quality=60))
    answer = ask(still(reposted.perceptual_hash), Banked(KNOWN, Category.SEXUAL, "case 7"))
    assert answer.scores == {Category.SEXUAL: 1.0}


def test_answers_come_in_the_order_of_the_parts() -> None:
    other = pdq_hash(photo(2))[0]
    provider = HashBankProvider(lambda: [Banked(KNOWN, Category.SPAM, "a")])
    answers = provider.judge([still(other), still(KNOWN), still("")])
    assert [bool(answer.scores) for answer in answers] == [False, True, False]


def test_the_bank_is_read_again_after_a_while() -> None:
    banks = iter([[], [Banked(KNOWN, Category.SPAM, "new")]])
    provider = HashBankProvider(lambda: next(banks), reload_seconds=0.0)
    first, second = (provider.judge([still(KNOWN)])[0] for _ in range(2))
    assert (first.scores, second.scores) == ({}, {Category.SPAM: 1.0})
    assert first.model_version != second.model_version


def test_the_bank_is_read_once_by_many_threads() -> None:
    reads: list[int] = []
    lock = threading.Lock()

    def load() -> list[Banked]:
        with lock:
            reads.append(1)
        return [Banked(KNOWN, Category.SPAM, "a")]

    provider = HashBankProvider(load, reload_seconds=60)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: provider.judge([still(KNOWN)]), range(40)))
    assert len(reads) == 1


def test_the_version_tells_banks_apart_and_not_their_order() -> None:
    one, two = Banked(KNOWN, Category.SPAM, "a"), Banked(KNOWN, Category.DRUGS, "b")
    versions = {
        HashBankProvider(lambda bank=bank: bank).model_version  # type: ignore[misc]
        for bank in ([one, two], [two, one])
    }
    assert len(versions) == 1
    assert HashBankProvider(lambda: [one]).model_version not in versions
