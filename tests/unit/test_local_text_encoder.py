"""The second judge of text: how it reads, what it adds, and what is said where it is missing."""

from __future__ import annotations

import random
import shutil
import sys
import threading
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from moderation.errors import ProviderUnavailable
from moderation.providers.base import TextPart
from moderation.providers.own.local_text import LocalTextProvider
from moderation.providers.own.local_text.emoji import emoji_in_words
from moderation.providers.own.local_text.encoder import ENCODER_FILE, PIECES_FILE, Encoder
from moderation.providers.own.local_text.judges import (
    JUDGES_FILE,
    Blend,
    read_blend,
    write_blend,
)
from moderation.providers.own.local_text.provider import DATA
from moderation.providers.own.local_text.training.disguises import disguised
from moderation.providers.own.local_text.training.measures import auprc, calibration_error
from moderation.providers.own.local_text.wordpiece import WordPieces, readable
from moderation.text.normalise import canonical
from moderation.vocabulary import Category, Outcome
from tests.unit.test_local_text import write_corpus

VOCABULARY = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "kill",
    "##ing",
    "the",
    "mo",
    "##use",
    "!",
    "link",
)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load(DATA)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    shutil.copytree(DATA, folder)
    return folder


# Reading.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no pictures", "no pictures"),
        ("\U0001f400\U0001f400", "rat rat"),
        ("\U0001f44d\U0001f3ff", "thumbs up black skin"),
        ("a \u2764 b", "a heavy black heart b"),
    ],
)
def test_pictures_are_read_as_words(text: str, words: str) -> None:
    assert emoji_in_words(text).split() == words.split()


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("killing the mouse!", ["kill", "##ing", "the", "mo", "##use", "!"]),
        ("the \u4e2d", ["the", "[UNK]"]),
        ("the " + "x" * 100, ["the", "[UNK]"]),
        ("the https://example.org/a?b=c", ["the", "link"]),
        ("", []),
    ],
)
def test_words_are_cut_into_the_longest_pieces(text: str, pieces: list[str]) -> None:
    assert WordPieces(VOCABULARY).numbers(text) == [VOCABULARY.index(piece) for piece in pieces]


def test_marks_are_not_read() -> None:
    assert readable(canonical("na\u00efve caf\u00e9").text) == "naive cafe"


# Judging.


def test_what_stands_at_the_end_of_a_long_text_is_read(encoder: Encoder) -> None:
    filler = "the garden was lovely and the soup was warm. " * 12
    toxic = read_blend(DATA).categories.index("toxic")
    alone, behind = encoder.logits("you disgusting idiot"), encoder.logits(filler)
    both = encoder.logits(filler + "you disgusting idiot, everybody despises you")
    assert both[0, toxic] > behind[0, toxic] + 1
    assert alone.shape == both.shape == (2, 8)


def test_logits_are_the_same_in_every_order_and_thread(encoder: Encoder) -> None:
    texts = ["hello there", "you are an idiot", "send me your password now", "x"]
    first = [encoder.logits(text) for text in texts]
    found: list[bool] = []

    def again() -> None:
        order = list(range(len(texts)))
        random.shuffle(order)
        found.extend(np.array_equal(encoder.logits(texts[at]), first[at]) for at in order)

    threads = [threading.Thread(target=again) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 * len(texts)
    assert all(found)


def test_odd_texts_are_read(encoder: Encoder) -> None:
    for text in ("", " ", "\ufffd", "\x01\x02", "\U0001f3ff" * 300, "\u0301" * 50):
        assert np.isfinite(encoder.logits(text)).all()


def test_the_encoder_tells_apart_what_words_alone_do_not() -> None:
    judge, quick = LocalTextProvider(), LocalTextProvider(is_quick=True)
    pair = [
        TextPart("a", "people like them should be wiped off the earth"),
        TextPart("b", "these stains should be wiped off the table"),
    ]
    bad, good = (max(one.scores.values()) for one in judge.judge(pair))
    assert bad > good + 0.2
    assert judge.model_version != quick.model_version
    assert [one.outcome for one in quick.judge(pair)] == [Outcome.JUDGED] * 2


@pytest.mark.parametrize("missing", [ENCODER_FILE, PIECES_FILE, JUDGES_FILE])
def test_without_a_file_of_its_own_nothing_is_judged(missing: str, copied: Path) -> None:
    (copied / missing).unlink()
    judge = LocalTextProvider(copied)
    assert not judge.is_available()
    with pytest.raises(ProviderUnavailable, match=missing):
        judge.judge([TextPart("a", "good morning everybody")])


def test_a_damaged_encoder_is_said_and_nothing_is_judged(copied: Path) -> None:
    (copied / ENCODER_FILE).write_bytes((copied / ENCODER_FILE).read_bytes()[:1000])
    with pytest.raises(ProviderUnavailable, match="not a model that can be run"):
        LocalTextProvider(copied).judge([TextPart("a", "good morning everybody")])


def test_without_its_runtime_nothing_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ProviderUnavailable, match="onnxruntime"):
        LocalTextProvider().judge([TextPart("a", "good morning everybody")])


def test_a_quick_judge_needs_no_encoder(copied: Path) -> None:
    (copied / ENCODER_FILE).unlink()
    judge = LocalTextProvider(copied, is_quick=True)
    assert judge.is_available()
    assert judge.judge([TextPart("a", "good morning everybody")])[0].outcome == Outcome.JUDGED


@pytest.mark.parametrize(
    "text", ["I cut myself in the kitchen this morning", "please don't kill yourself over an exam"]
)
def test_what_the_words_beside_it_take_back_is_not_held_against_a_text(text: str) -> None:
    scores = LocalTextProvider().judge([TextPart("a", text)])[0].scores
    assert scores[Category.SELF_HARM] < 0.5


# The blend.


def _blend(ask_from: float = 0.1) -> Blend:
    return Blend(("one", "two"), (1.0, 0.5), (0.5, 0.0), (0.0, 0.5), (-1.0, 0.0), ask_from)


def test_a_stored_blend_scores_as_before(tmp_path: Path) -> None:
    write_blend(_blend(), tmp_path)
    again = read_blend(tmp_path)
    ngram = np.array([[0.2, 0.9]], np.float32)
    encoded = np.array([[[1.0, 2.0], [-1.0, 3.0]]], np.float32)
    assert again == _blend()
    assert np.array_equal(again.scores(ngram, encoded), _blend().scores(ngram, encoded))
    write_blend(None, tmp_path)
    assert read_blend(tmp_path) is None


def test_the_blend_adds_up_weighted_logits() -> None:
    ngram = np.array([[0.5, 0.5]], np.float32)
    encoded = np.array([[[4.0, 9.0], [9.0, 4.0]]], np.float32)
    assert _blend().scores(ngram, encoded) == pytest.approx(
        np.array([[1 / (1 + np.exp(-1.0)), 1 / (1 + np.exp(-2.0))]]), abs=1e-6
    )


def test_the_encoder_is_asked_where_the_first_model_is_not_sure_of_nothing() -> None:
    ngram = np.array([[0.0, 0.09], [0.1, 0.0], [0.0, 1.0]], np.float32)
    assert _blend(0.1).is_uncertain(ngram).tolist() == [False, True, True]


# Training.


def test_disguises_repeat_themselves_and_change_something() -> None:
    text = "nobody would ever recognise these words again"
    made = [disguised(text, random.Random(seed)) for seed in range(30)]
    assert made == [disguised(text, random.Random(seed)) for seed in range(30)]
    assert sum(one != text for one in made) >= 28
    assert disguised("a b c", random.Random(1)) == "a b c"


@pytest.mark.parametrize(
    ("scores", "positive", "precision"),
    [
        ([0.9, 0.8, 0.2, 0.1], [1, 1, 0, 0], 1.0),
        ([0.9, 0.8, 0.2, 0.1], [0, 1, 0, 1], 0.5),
        ([0.5, 0.5, 0.5, 0.5], [0, 1, 0, 0], 0.25),
    ],
)
def test_average_precision(scores: list[float], positive: list[int], precision: float) -> None:
    got = auprc(np.array(scores, np.float32), np.array(positive, dtype=bool))
    assert got == pytest.approx(precision)


def test_scores_that_mean_what_they_say_have_no_calibration_error() -> None:
    rng = np.random.default_rng(4)
    scores = rng.random(50_000).astype(np.float32)
    positive = rng.random(50_000) < scores
    share = float(positive.mean())
    assert calibration_error(scores, positive, share) < 0.01
    assert calibration_error(scores**4, positive, share) > 0.2


def test_training_the_encoder_without_torch_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    write_corpus(tmp_path)
    with pytest.raises(CommandError, match=r"requirements-training\.txt.*--without-encoder"):
        call_command("train_text_model", data=tmp_path, out=tmp_path / "out", stderr=StringIO())
    assert not (tmp_path / "out").exists()
