"""The local text provider: what it says of texts, and what every provider promises."""

from __future__ import annotations

import gzip
import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from moderation.providers.base import ImagePart, TextPart
from moderation.providers.own.local_text import LocalTextProvider
from moderation.providers.own.local_text.languages import LanguageGuesser
from moderation.providers.own.local_text.ngram import (
    BUCKETS,
    MAX_CATEGORIES,
    NO_FEATURE,
    NgramModel,
    extract,
)
from moderation.providers.own.local_text.patterns import PHRASES, find_phrases
from moderation.providers.own.local_text.provider import DATA, MODEL_FILE
from moderation.providers.own.local_text.training.build import train_files
from moderation.providers.own.local_text.training.linear import TrainingSettings
from moderation.providers.own.local_text.training.measures import auroc, platt
from moderation.vocabulary import Category, Outcome, Part

MIXED = (
    "The tomatoes are finally ripe",
    "I will kill you, you worthless idiot",
    "",
    "\U0001f389\U0001f389",
    "Bugün hava çok güzel, parka gidelim mi",
    "y0u 1d!0t",
    "Habari ya asubuhi rafiki yangu, leo ni siku nzuri sana",
    "nothing to see " * 100 + "kill yourself",
)


@pytest.fixture(scope="module")
def provider() -> LocalTextProvider:
    return LocalTextProvider()


def _scores(provider: LocalTextProvider, text: str, language: str = "") -> dict[Category, float]:
    return dict(provider.judge([TextPart("a", text, language)])[0].scores)


def _worst(provider: LocalTextProvider, text: str) -> float:
    return max(_scores(provider, text).values())


def test_a_threat_with_an_insult_is_worth_a_block(provider: LocalTextProvider) -> None:
    scores = _scores(provider, "I will kill you, you worthless idiot")
    for category in (Category.THREAT, Category.VIOLENCE, Category.HARASSMENT):
        assert scores[category] >= 0.85


def test_ripe_tomatoes_are_clean(provider: LocalTextProvider) -> None:
    assert _worst(provider, "The tomatoes are finally ripe") < 0.3


@pytest.mark.parametrize(
    "text",
    [
        "kill the process",
        "shoot the ball",
        "breast cancer screening",
        "that was a sick goal",
        "how do I kill a zombie process in bash?",
        "Don't kill yourself, please call someone",
        "I cut myself shaving this morning",
        "I am a gay man from Ohio and new here",
        "the Jewish museum is free on Sundays",
        "https://example.org/a/b?x=1",
        "he shot a beautiful film about the killing fields",
        "my chicken breast was dry, what did I do wrong?",
        "ok",
        "lol",
        "first!",
    ],
)
def test_harmless_uses_of_alarming_words_pass(text: str, provider: LocalTextProvider) -> None:
    assert _worst(provider, text) < 0.5


@pytest.mark.parametrize(
    ("text", "category", "least"),
    [
        ("I'm going to find you and kill you", Category.THREAT, 0.85),
        ("i hope you die", Category.HARASSMENT, 0.85),
        ("kill yourself", Category.SELF_HARM, 0.7),
        ("I want to kill myself tonight", Category.SELF_HARM, 0.85),
        ("you are a worthless piece of trash", Category.HARASSMENT, 0.7),
        ("muslims are vermin", Category.HATE, 0.7),
        ("gas the jews", Category.HATE, 0.85),
        ("send nudes", Category.SEXUAL, 0.7),
        ("hot girls in your area want to chat tonight", Category.SPAM, 0.7),
        ("Earn $5000 a week from home", Category.SPAM, 0.7),
        ("selling cocaine and fake passports, dm me", Category.ILLICIT, 0.7),
        ("fuck you", Category.PROFANITY, 0.5),
        ("fuck you", Category.TOXIC, 0.7),
        ("f.u.c.k y.o.u", Category.TOXIC, 0.5),
        ("ＫＩＬＬ ＹＯＵＲＳＥＬＦ", Category.HARASSMENT, 0.7),
        ("k1ll y0urs3lf", Category.HARASSMENT, 0.7),
        ("kіll yоursеlf", Category.HARASSMENT, 0.7),
        ("I\nwill\nkill\nyou", Category.THREAT, 0.85),
        ("I will\r\n\r\nkill you", Category.THREAT, 0.85),
        ("I will *kill* you", Category.THREAT, 0.85),
        ("_I will kill you_", Category.THREAT, 0.85),
        ("**I will** __kill__ you", Category.THREAT, 0.85),
        ("I - will - kill - you", Category.THREAT, 0.85),
        ("orospu çocuğu seni", Category.TOXIC, 0.5),
        ("orospu", Category.PROFANITY, 0.5),
        ("du bist ein Hurensohn", Category.PROFANITY, 0.5),
        ("ты просто говнюк", Category.PROFANITY, 0.5),
    ],
)
def test_violations_reach_their_category(
    text: str, category: Category, least: float, provider: LocalTextProvider
) -> None:
    assert _scores(provider, text)[category] >= least


def test_a_category_that_cannot_be_judged_is_absent(provider: LocalTextProvider) -> None:
    turkish = provider.judge([TextPart("a", "Bugün hava çok güzel, parka gidelim mi")])[0]
    assert turkish.outcome == Outcome.JUDGED
    assert set(turkish.scores) == {Category.TOXIC, Category.PROFANITY}
    assert turkish.raw["language"] == "tr"
    assert Category.MALWARE not in _scores(provider, "hello everyone, nice to meet you")


def test_a_language_without_list_or_model_is_not_judged(provider: LocalTextProvider) -> None:
    text = "Habari ya asubuhi rafiki yangu, leo ni siku nzuri sana"
    answer = provider.judge([TextPart("a", text)])[0]
    assert (answer.outcome, dict(answer.scores)) == (Outcome.NOT_JUDGED, {})
    assert answer.raw["language"] == "sw"


def test_an_english_threat_counts_inside_a_language_that_is_not_judged(
    provider: LocalTextProvider,
) -> None:
    text = "Habari ya asubuhi rafiki yangu, leo ni siku nzuri sana. I will kill you"
    assert _scores(provider, text)[Category.THREAT] >= 0.85


@pytest.mark.parametrize("text", ["", " \n ", "\U0001f600", "12345", "!!! ???", "\u200b"])
def test_a_text_without_words_is_judged_clean(text: str, provider: LocalTextProvider) -> None:
    answer = provider.judge([TextPart("a", text)])[0]
    assert answer.outcome == Outcome.JUDGED
    assert Category.HATE in answer.scores
    assert set(answer.scores.values()) == {0.0}


def test_the_expected_language_decides_where_the_text_does_not(
    provider: LocalTextProvider,
) -> None:
    assert provider.judge([TextPart("a", "tamam abi", "tr")])[0].raw["language"] == "tr"
    assert provider.judge([TextPart("a", "tamam abi")])[0].raw["language"] == "en"


def test_answers_come_in_order_and_a_batch_says_what_singles_say(
    provider: LocalTextProvider,
) -> None:
    parts = [TextPart(str(at), text) for at, text in enumerate(MIXED)]
    together = provider.judge(parts)
    assert together == [provider.judge([part])[0] for part in parts]
    assert together == provider.judge(parts)
    assert provider.judge(parts[::-1]) == together[::-1]
    assert provider.judge([]) == []


def test_scores_are_shares_and_answers_are_serialisable(provider: LocalTextProvider) -> None:
    for answer in provider.judge([TextPart("a", text) for text in MIXED]):
        assert all(0.0 <= score <= 1.0 for score in answer.scores.values())
        json.dumps(answer.raw)
        assert answer.model_version == provider.model_version


def test_spans_show_what_drove_the_scores(provider: LocalTextProvider) -> None:
    text = "Well, \U0001f600 I  will k\u200bill you, you worthless idiot!"
    answer = provider.judge([TextPart("a", text)])[0]
    shown = {(text[span.start : span.end], span.category) for span in answer.spans}
    assert ("you worthless idiot", Category.HARASSMENT) in shown
    turkish = "selam, or\u200bospu çocuğu seni gördüm"
    answer = provider.judge([TextPart("a", turkish)])[0]
    assert [turkish[span.start : span.end] for span in answer.spans] == ["or\u200bospu"]


@pytest.mark.parametrize("text", MIXED)
def test_spans_stay_inside_the_text(text: str, provider: LocalTextProvider) -> None:
    answer = provider.judge([TextPart("a", text)])[0]
    assert all(0 <= span.start < span.end <= len(text) for span in answer.spans)


def test_a_model_score_alone_is_explained_by_words(provider: LocalTextProvider) -> None:
    text = "what a retarded moron this guy is, honestly"
    answer = provider.judge([TextPart("a", text)])[0]
    assert max(answer.scores.values()) >= 0.5
    assert answer.spans


def test_an_image_is_not_judged(provider: LocalTextProvider) -> None:
    parts = [ImagePart("i", Path("x.png")), TextPart("t", "hello there everyone")]
    outcomes = [answer.outcome for answer in provider.judge(parts)]
    assert outcomes == [Outcome.NOT_JUDGED, Outcome.JUDGED]
    assert provider.parts == {Part.TEXT}


@pytest.mark.parametrize(
    "filler", ["tomatoes are ripe. ", "помидоры созрели. ", "f.u.c.k ", "a1! ", "you idiot "]
)
def test_a_long_text_is_read_to_its_end_in_little_time(
    filler: str, provider: LocalTextProvider
) -> None:
    text = (filler * (100_000 // len(filler.encode())))[:100_000] + " I will kill you"
    # What tells languages apart is loaded by the first text that needs it, as this one does.
    provider.judge([TextPart("a", "Das Wetter ist heute wirklich schön draußen")])
    began = time.thread_time()
    answer = provider.judge([TextPart("a", text)])[0]
    # 200 ms is the promise on a quiet machine; a busy one may take twice that.
    assert time.thread_time() - began < 0.4
    assert answer.scores[Category.THREAT] >= 0.85


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "x \udfff y \ud83d", "\x01\x02 \x7f"])
def test_odd_characters_are_judged(text: str, provider: LocalTextProvider) -> None:
    assert provider.judge([TextPart("a", text)])[0].outcome == Outcome.JUDGED


def test_threads_share_one_provider() -> None:
    fresh = LocalTextProvider()
    answers: list[object] = []
    threads = [
        threading.Thread(target=lambda: answers.append(fresh.judge([TextPart("a", MIXED[1])])))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert all(answer == answers[0] for answer in answers)


def test_without_its_model_the_provider_is_not_available(tmp_path: Path) -> None:
    assert LocalTextProvider().is_available()
    assert not LocalTextProvider(tmp_path).is_available()


def test_the_version_follows_the_model(tmp_path: Path) -> None:
    for file in DATA.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    same = LocalTextProvider(tmp_path)
    assert same.model_version == LocalTextProvider().model_version
    (tmp_path / MODEL_FILE).write_bytes(b"other")
    assert LocalTextProvider(tmp_path).model_version != same.model_version


def test_the_model_is_small() -> None:
    assert sum(file.stat().st_size for file in DATA.iterdir()) <= 30_000_000


# The n-gram model.


def _toy_model() -> NgramModel:
    rng = np.random.default_rng(5)
    weights = rng.integers(-9, 9, (BUCKETS + 1, MAX_CATEGORIES)).astype(np.int8)
    weights[NO_FEATURE] = 0
    names = ("one", "two", "three")
    return NgramModel(names, weights, np.full(3, 0.2, np.float32), np.zeros(3, np.float32))


def test_features_do_not_depend_on_the_neighbours_in_a_batch() -> None:
    texts = ["some words here", "", "x", "more of the same 123"]
    features = extract(texts)
    edges = [*features.starts, len(features.rows)]
    for at, text in enumerate(texts):
        assert np.array_equal(features.rows[edges[at] : edges[at + 1]], extract([text]).rows)


def test_a_stored_model_scores_as_before(tmp_path: Path) -> None:
    model = _toy_model()
    model.save(tmp_path / "model.npz")
    again = NgramModel.load(tmp_path / "model.npz")
    texts = ["hello world", "something else entirely"]
    assert np.array_equal(model.score(texts), again.score(texts))
    assert again.categories == model.categories


def test_contributions_add_up_to_the_text_s_sum() -> None:
    model = _toy_model()
    text = "plain words 123"
    features = extract([text])
    total = float(model.weights[features.rows, 1].astype(int).sum())
    # What hangs on the blanks that frame the text is added to no character of it.
    assert abs(float(model.contributions(text, "two").sum()) - total) < abs(total) + 40


# Phrases and languages.


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.pattern[:30])
def test_every_phrase_scores_within_bounds(phrase: object) -> None:
    scores = phrase.scores  # type: ignore[attr-defined]
    assert scores
    assert all(0.3 < score < 0.95 for score in scores.values())


def test_a_denial_takes_back_only_the_phrase_beside_it() -> None:
    assert find_phrases("please don't kill yourself") == []
    assert find_phrases("please don't kill yourself. " + "well " * 30 + "kill yourself")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("the garden is full of ripe tomatoes", "en"),
        ("das wetter ist heute wirklich schön draußen", "de"),
        ("помидоры на даче наконец созрели", "ru"),
        ("да", "ru"),
        ("是", "zh"),
        ("", ""),
        ("\U0001f600 12", ""),
        ("xkcd", "en"),
    ],
)
def test_the_language_is_guessed(text: str, language: str) -> None:
    english = frozenset(["the", "garden", "is", "full", "of", "ripe", "tomatoes"])
    assert LanguageGuesser(english).guess(text).language == language


# Training.


def write_corpus(folder: Path) -> None:
    """Write a corpus with one bad word, `gronk`, and the lists that training also reads."""
    rows = []
    for at in range(3000):
        bad = at % 3 == 0
        text = f"you are a gronk number {at}" if bad else f"the garden has {at} ripe apples"
        split = "dev" if at % 10 == 7 else "train"
        labels = {"toxic": int(bad), "hate": int(bad)} if at % 2 else {"toxic": int(bad)}
        rows.append({"text": text, "split": split, "source": "made", "labels": labels})
    with gzip.open(folder / "made.jsonl.gz", "wt", encoding="utf-8") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)
    lists = folder / "lexicons" / "ldnoobw"
    lists.mkdir(parents=True)
    header = "text,category_1,severity_rating,severity_description\n"
    (lists.parent / "surge_profanity_en.csv").write_text(header + "gronk,insult,2.4,Strong\n")
    for language in [
        "ar",
        "cs",
        "da",
        "de",
        "eo",
        "es",
        "fa",
        "fi",
        "fil",
        "fr",
        "hi",
        "hu",
        "it",
        "ja",
        "kab",
        "ko",
        "nl",
        "no",
        "pl",
        "pt",
        "ru",
        "sv",
        "th",
        "tr",
        "zh",
    ]:
        (lists / language).write_text("gronkus\n", encoding="utf-8")


def test_training_learns_and_repeats_itself_to_the_byte(tmp_path: Path) -> None:
    data, first, second = tmp_path / "data", tmp_path / "first", tmp_path / "second"
    data.mkdir()
    write_corpus(data)
    settings = TrainingSettings(epochs=2)
    said: list[str] = []
    report = train_files(data, first, settings=settings, say=said.append, sentences=data)
    assert report["toxic"]["auroc"] > 0.95
    assert said
    train_files(data, second, settings=settings, say=said.append, sentences=data)
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes()
    trained = LocalTextProvider(first)
    assert _worst(trained, "the garden has 9 ripe apples") < 0.5
    assert _scores(trained, "you are a gronk number 5")[Category.TOXIC] > 0.5


@pytest.mark.parametrize(
    ("scores", "positive", "area"),
    [
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], 1.0),
        ([0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1], 0.0),
        ([0.5, 0.5, 0.5, 0.5], [0, 1, 0, 1], 0.5),
        ([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.75),
    ],
)
def test_auroc_is_the_chance_of_the_right_order(
    scores: list[float], positive: list[int], area: float
) -> None:
    got = auroc(np.array(scores, np.float32), np.array(positive, dtype=bool))
    assert got == pytest.approx(area)


def test_calibration_makes_scores_mean_the_share_of_violations() -> None:
    rng = np.random.default_rng(2)
    positive = rng.random(20_000) < 0.5
    logits = (rng.normal(size=20_000) + 2 * positive).astype(np.float32)
    slope, offset = platt(logits, positive, 0.1)
    shares = 1 / (1 + np.exp(-(slope * logits + offset)))
    weight = np.where(positive, 0.1, 0.9)
    likely = (shares > 0.3) & (shares < 0.5)
    seen = float(weight[likely & positive].sum() / weight[likely].sum())
    assert seen == pytest.approx(
        float(np.average(shares[likely], weights=weight[likely])), abs=0.06
    )
