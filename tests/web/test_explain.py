"""What an author is told led to a verdict: their own words, and none that say nothing."""

from __future__ import annotations

import pytest

from moderation.models import MediaItem, Post, VerdictRecord
from moderation.vocabulary import Category
from platform_site.forum.explain import _READS_LIKE, MOST_WORDS, Seen, _matched_words

TITLE, BODY = "Gate", "I will kill you, you worthless idiot."


def words(spans, *, body=BODY, of_this_text=True, alt_text=""):
    post = Post(title=TITLE, body=body, content_hash="now")
    verdict = VerdictRecord(
        part_key="text",
        spans=[[start, end, "threat"] for start, end in spans],
        content_hash="now" if of_this_text else "before",
    )
    pictures = [MediaItem(alt_text=alt_text)] if alt_text else []
    return _matched_words(Seen(post, pictures), verdict)


@pytest.mark.parametrize(
    ("spans", "told"),
    [
        ([], ()),
        ([(0, 4)], ("Gate",)),  # the title comes first
        ([(12, 16)], ("kill",)),
        ([(12, 16), (5, 20)], ("I will kill you",)),  # the shorter lies within
        ([(17, 20), (22, 41)], ("you worthless idiot",)),  # "you" is said there already
        ([(36, 41), (36, 41)], ("idiot",)),
        ([(400, 410)], ()),
    ],
)
def test_the_words_that_led_there_are_told_once(spans, told):
    assert words(spans) == told


def test_words_of_a_description_are_told_too():
    start = len(f"{TITLE}\n{BODY}\n")
    assert words([(start, start + 5)], alt_text="Knife on a table") == ("Knife",)


def test_places_of_another_version_point_at_nothing():
    assert words([(12, 16)], of_this_text=False) == ()


def test_a_long_list_is_cut():
    body = " ".join(f"word{number}" for number in range(20))
    spans = [(found, found + 5) for found in range(5, 120, 6)]
    assert len(words(spans, body=body)) <= MOST_WORDS


def test_every_category_has_plain_words():
    assert set(_READS_LIKE) == set(Category)
