"""The bank of known pictures: a match is certain, no match says nothing."""

import threading
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from moderation.media.decode import prepare_image, prepare_media
from moderation.media.pdq import pdq_hash
from moderation.providers.base import Answer, ImagePart, TextPart, VideoPart
from moderation.providers.own.hash_bank import HashBankProvider
from moderation.providers.shared.bank import Banked, Place, Shelf, Stock
from moderation.text.near import fingerprint_of, letters_of, near_hash
from moderation.vocabulary import BankKind, Category, Outcome, Part
from tests.unit.media_files import animation, encoded, photo
from tests.unit.stream_files import film

KNOWN = pdq_hash(photo(1))[0]


def flipped(hashed: str, bits: int) -> str:
    return f"{int(hashed, 16) ^ ((1 << bits) - 1):064x}"


def still(perceptual_hash: str, scope: str = "") -> ImagePart:
    return ImagePart("a", Path("never-read.jpg"), perceptual_hash=perceptual_hash, scope=scope)


def known(
    category: Category = Category.SPAM, *, entry: int = 7, max_distance: int = 31, scope: str = ""
) -> Banked:
    place = Place(1, "Known", scope)
    return Banked(entry, place, BankKind.IMAGE, KNOWN, category, max_distance)


def provider(*bank: Banked) -> HashBankProvider:
    return HashBankProvider(lambda _: Stock.of(bank), labels)


def labels(entries: Collection[int]) -> dict[int, str]:
    return {entry: f"case {entry}" for entry in entries}


def ask(part: ImagePart | TextPart | VideoPart, *bank: Banked) -> Answer:
    (answer,) = provider(*bank).judge([part])
    return answer


@pytest.mark.parametrize(
    ("distance", "max_distance", "matches"),
    [(0, 31, True), (31, 31, True), (32, 31, False), (5, 4, False), (4, 4, True), (0, 0, True)],
)
def test_each_banked_hash_says_how_near_is_near(
    distance: int, max_distance: int, matches: bool
) -> None:
    answer = ask(still(flipped(KNOWN, distance)), known(Category.SEXUAL, max_distance=max_distance))
    assert answer.scores == ({Category.SEXUAL: 1.0} if matches else {})
    assert answer.outcome == (Outcome.JUDGED if matches else Outcome.NOT_JUDGED)
    assert answer.error == ""


def test_a_match_names_its_evidence() -> None:
    answer = ask(still(flipped(KNOWN, 3)), known(Category.EXTREMISM, entry=12))
    assert answer.raw["matches"] == [
        {
            "entry": 12,
            "bank": "Known",
            "label": "case 12",
            "category": "extremism",
            "distance": 3,
            "frame": 0,
        }
    ]


def test_an_entry_in_doubt_is_told_and_scores_nothing() -> None:
    answer = ask(still(KNOWN), known()._replace(in_doubt=True))
    assert (answer.outcome, answer.scores) == (Outcome.NOT_JUDGED, {})
    matches = answer.raw["matches"]
    assert isinstance(matches, list)
    assert [match["in_doubt"] for match in matches] == [True]


def test_a_picture_known_for_two_things_scores_in_both() -> None:
    answer = ask(still(KNOWN), known(Category.SPAM, entry=1), known(Category.ILLICIT, entry=2))
    assert answer.scores == {Category.SPAM: 1.0, Category.ILLICIT: 1.0}


@pytest.mark.parametrize(
    ("entry_scope", "part_scope", "matches"),
    [("", "", True), ("", "7", True), ("7", "7", True), ("7", "8", False), ("7", "", False)],
)
def test_a_communitys_own_entry_applies_to_it_alone(
    entry_scope: str, part_scope: str, matches: bool
) -> None:
    answer = ask(still(KNOWN, part_scope), known(scope=entry_scope))
    assert bool(answer.scores) == matches


@pytest.mark.parametrize(
    ("part", "bank"),
    [
        (still(KNOWN), []),
        (still(""), [known()]),
        (TextPart("t", "text"), [known()]),
    ],
)
def test_what_cannot_be_compared_is_not_judged(
    part: ImagePart | TextPart, bank: list[Banked]
) -> None:
    answer = ask(part, *bank)
    assert (answer.outcome, answer.scores) == (Outcome.NOT_JUDGED, {})
    assert answer.raw["matches"] == []


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
    answer = ask(part, known(Category.SEXUAL))
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
    answer = ask(part, known(Category.SEXUAL))
    assert answer.scores == {Category.SEXUAL: 1.0}
    matches = answer.raw["matches"]
    assert isinstance(matches, list)
    assert all(1 <= prepared.frame_seconds[match["frame"]] < 2 for match in matches)


def test_a_known_picture_is_found_after_its_upload_was_re_encoded() -> None:
    reposted = prepare_image(encoded(photo(1).resize((250, 190)), "JPEG", quality=60))
    answer = ask(still(reposted.perceptual_hash), known(Category.SEXUAL))
    assert answer.scores == {Category.SEXUAL: 1.0}


def cut_still(folder: Path, seed: int = 1) -> ImagePart:
    """Return a known picture whose edges somebody cut off, as its upload was stored."""
    whole = photo(seed)
    prepared = prepare_image(encoded(whole.crop((6, 4, 315, 236)), "JPEG", quality=70))
    path = folder / f"{seed}.jpg"
    path.write_bytes(prepared.content)
    return ImagePart("a", path, perceptual_hash=prepared.perceptual_hash)


def test_a_known_picture_is_found_with_its_edges_cut_off(tmp_path: Path) -> None:
    answer = ask(cut_still(tmp_path), known(Category.SEXUAL))
    assert answer.scores == {Category.SEXUAL: 1.0}
    (match,) = answer.raw["matches"]  # type: ignore[misc]
    assert match["cut"] is True
    assert match["distance"] <= 31


def test_another_picture_with_its_edges_cut_off_is_not_found(tmp_path: Path) -> None:
    assert ask(cut_still(tmp_path, seed=2), known(Category.SEXUAL)).scores == {}


def test_answers_come_in_the_order_of_the_parts() -> None:
    other = pdq_hash(photo(2))[0]
    answers = provider(known()).judge([still(other), still(KNOWN), still("")])
    assert [bool(answer.scores) for answer in answers] == [False, True, False]


def test_the_bank_is_read_again_after_a_while() -> None:
    banks = iter([Stock.of([]), Stock.of([known()])])
    judge = HashBankProvider(lambda _: next(banks), labels, reload_seconds=0.0)
    first, second = (judge.judge([still(KNOWN)])[0] for _ in range(2))
    assert (first.scores, second.scores) == ({}, {Category.SPAM: 1.0})
    assert first.model_version != second.model_version


def test_the_bank_is_read_once_by_many_threads() -> None:
    reads: list[int] = []
    lock = threading.Lock()

    def load(_: Stock | None) -> Stock:
        with lock:
            reads.append(1)
        return Stock.of([known()])

    judge = HashBankProvider(load, labels, reload_seconds=60)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: judge.judge([still(KNOWN)]), range(40)))
    assert len(reads) == 1


def test_the_version_tells_banks_apart_and_not_their_order() -> None:
    one, two = known(entry=1), known(Category.DRUGS, entry=2)
    versions = {provider(*bank).model_version for bank in ([one, two], [two, one])}
    assert len(versions) == 1
    assert provider(one).model_version not in versions


# Texts

ADVERT = (
    "Lose twenty pounds in a week with the tea that doctors do not want you to know about,"
    " order today at a special price before it is gone for ever."
)


HARMLESS = (
    "The tomatoes on my balcony are finally ripe, and there are so many of them that I do not know"
    " what to do with all of them; who wants some?"
)


def banked_text(text: str, *, max_distance: int = 6, entry: int = 7) -> Banked:
    letters = letters_of(text)
    place = Place(2, "Adverts", "")
    mark, near = fingerprint_of(letters), near_hash(letters)
    return Banked(entry, place, BankKind.TEXT, mark, Category.SPAM, max_distance, near)


@pytest.mark.parametrize(
    ("text", "max_distance", "matches"),
    [
        (ADVERT, 0, True),
        (ADVERT.upper().replace(" ", "  "), 0, True),
        (ADVERT + " thanks", 0, False),
        (ADVERT + " thanks", 12, True),
        (ADVERT.replace("twenty", "thirty"), 12, True),
        (HARMLESS, 12, False),
        ("ok", 16, False),
    ],
)  # fmt: skip
def test_a_text_is_known_by_its_letters_or_nearly(
    text: str, max_distance: int, matches: bool
) -> None:
    answer = ask(TextPart("text", text), banked_text(ADVERT, max_distance=max_distance))
    assert answer.scores == ({Category.SPAM: 1.0} if matches else {})


def test_a_short_banked_text_is_known_by_its_very_letters_only() -> None:
    short = banked_text("Join our casino now", max_distance=16)
    assert short.near == ""
    assert ask(TextPart("text", "join our CASINO, now!"), short).scores
    assert not ask(TextPart("text", "Join our casinos now"), short).scores


def test_the_same_text_is_told_once_and_first() -> None:
    stock = Stock.of([banked_text(ADVERT, entry=1), banked_text(ADVERT + " ok", entry=2)])
    assert [(one.entry, one.distance > 0) for one in stock.like_text(ADVERT, "")] == [
        (1, False),
        (2, True),
    ]


# What is remembered


def test_entries_and_whole_banks_leave_a_stock() -> None:
    other = known(entry=8)._replace(place=Place(3, "Other", ""))
    stock = Stock.of([known(entry=7), other, banked_text(ADVERT)])
    assert [one.entry for one in stock.without(entries=[7]).like_picture(KNOWN, "")] == [8]
    assert [one.entry for one in stock.without(banks=[3]).like_picture(KNOWN, "")] == [7]
    assert stock.without(banks=[2]).like_text(ADVERT, "") == []
    assert replace(stock.without(), version="") == replace(stock, version="")


def test_a_million_entries_are_searched_within_milliseconds() -> None:
    marks = np.random.default_rng(0).integers(0, 2**63, (4, 1_000_000), dtype=np.uint64)
    many = Shelf(
        marks=marks,
        entries=np.arange(1_000_000, dtype=np.int64),
        places=np.zeros(1_000_000, dtype=np.int32),
        categories=np.zeros(1_000_000, dtype=np.uint8),
        max_distances=np.full(1_000_000, 31, dtype=np.uint8),
        in_doubt=np.zeros(1_000_000, dtype=np.bool_),
    )
    texts = Stock.of([]).shelves[BankKind.TEXT]
    stock = Stock({BankKind.IMAGE: many, BankKind.TEXT: texts}, (Place(1, "Many", ""),))
    wanted = np.ascontiguousarray(marks[:, 777_777]).tobytes().hex()
    assert [one.entry for one in stock.like_picture(wanted, "")] == [777_777]
    took = []
    for _ in range(20):
        began = time.perf_counter()
        stock.like_picture(wanted, "")
        took.append(time.perf_counter() - began)
    # Measured: 2 ms. The bound leaves room for a busy machine.
    assert min(took) < 0.02
