"""Clean text in many languages raises no alarm: not in the matcher, not in the provider."""

from __future__ import annotations

import pytest

from moderation.providers.base import TextPart
from moderation.providers.own.local_text import LocalTextProvider
from moderation.text.matcher import WordMatcher
from moderation.vocabulary import Outcome
from tests.unit.clean_sentences import CLEAN
from tests.unit.test_text_disguises import WORDS

_MORE_WORDS = [
    "ass",
    "cum",
    "tit",
    "fag",
    "anal",
    "cock",
    "pussy",
    "nigger",
    "suck",
    "damn",
    "crap",
    "twat",
]
# Everyday words elsewhere, spelled just so: French for delay, Swedish for end.
_FALSE_FRIENDS = {"retard", "slut"}
MATCHER = WordMatcher.build(
    (word, word) for word in [*WORDS, *_MORE_WORDS] if word not in _FALSE_FRIENDS
)


@pytest.fixture(scope="module")
def provider() -> LocalTextProvider:
    return LocalTextProvider()


@pytest.mark.parametrize("language", CLEAN)
def test_no_english_word_is_seen_in_clean_text(language: str) -> None:
    hits = [
        (match.term, text[match.start : match.end])
        for text in CLEAN[language]
        for match in MATCHER.find(text)
    ]
    assert hits == []


@pytest.mark.parametrize("language", CLEAN)
def test_the_provider_judges_clean_text_and_finds_nothing(
    language: str, provider: LocalTextProvider
) -> None:
    texts = CLEAN[language]
    answers = provider.judge([TextPart(str(at), text) for at, text in enumerate(texts)])
    assert {answer.outcome for answer in answers} == {Outcome.JUDGED}
    alarms = [
        (text, category, score)
        for text, answer in zip(texts, answers, strict=True)
        for category, score in answer.scores.items()
        if score >= 0.5
    ]
    assert alarms == []


@pytest.mark.parametrize("language", [language for language in CLEAN if language != "signs"])
def test_the_language_is_recognised(language: str, provider: LocalTextProvider) -> None:
    answers = provider.judge([TextPart(text, text) for text in CLEAN[language]])
    right = sum(answer.raw["language"] == language for answer in answers)
    assert right >= 0.8 * len(answers)


def test_there_are_fifteen_sentences_in_each_of_ten_languages() -> None:
    assert len(CLEAN) > 10
    assert all(len(set(texts)) >= 15 for texts in CLEAN.values())
