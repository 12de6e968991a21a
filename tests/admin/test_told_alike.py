"""What the preview says that an author will read is what they then read, letter for letter."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User

from moderation.models import Community, Review, Statement
from tests.admin.conftest import ClientFor
from tests.admin.situations import DECISION, queued
from tests.admin.test_desk_work import desk_of, part_of

_SAID = re.compile(r"<dt>([^<]*)</dt><dd><bdi>([^<]*)</bdi></dd>")
# Signs that a page escapes, a line break, both directions of writing, a letter of four bytes.
OWN_WORDS = 'Don\'t <b>"shout"</b> & swear.\nזה לא מתאים 🍅 here'
SANCTIONS = ("none", "warning", "strike", "post_hold", "silence", "suspension")


def within_one_minute(act: Callable[[], None]) -> None:
    """Do it again if the clock's minute, which a statement names, has changed meanwhile."""
    while True:
        before = datetime.now(UTC).replace(second=0, microsecond=0)
        act()
        if datetime.now(UTC).replace(second=0, microsecond=0) == before:
            return


@pytest.mark.parametrize(
    "asked",
    [
        *({"action": "block", "sanction": name} for name in SANCTIONS),
        *({"action": "block", "sanction": name, "days": 7} for name in SANCTIONS[3:]),
        {"action": "warn", "picked": "harsh_tone"},
        {"action": "warn", "picked": "harsh_tone", "sanction": "none"},
        {"action": "warn", "picked": "harsh_tone", "sanction": "warning"},
        {"action": "block", "category": "threat"},
        {"action": "block", "legal_ground": "  § 185 StGB <insult> "},
        {"action": "block", "picked": "", "own_words": OWN_WORDS},
    ],
    ids=lambda asked: "-".join(str(value) for value in asked.values())[:40],
)
def test_every_preview_is_issued_letter_for_letter(
    garden: Community, ada: User, as_user: ClientFor, asked: dict[str, object]
) -> None:
    sent = {**DECISION, "own_words": OWN_WORDS, **asked}
    client = as_user(ada)
    compared = []

    def compare() -> None:
        review = queued(garden)
        shown = client.post(part_of(review, "preview"), sent).content.decode()
        assert client.post(desk_of(review), sent).status_code == 302
        said = Statement.objects.latest("pk").document["said"]
        compared[:] = [
            [(html.unescape(title), html.unescape(text)) for title, text in _SAID.findall(shown)],
            [(part["title"], part["text"]) for part in said],
        ]

    within_one_minute(compare)
    foreseen, issued = compared
    assert issued
    assert foreseen == issued


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"action": "allow", "sanction": "suspension"}, "Only what is blocked brings"),
        ({"action": "warn", "sanction": "silence", "days": 2}, "Only what is blocked brings"),
        ({"action": "block", "sanction": "silence", "days": 9999}, "For how many days"),
        ({"action": "block", "own_words": "a" * 1001}, "In your own words"),
        ({"action": "block", "own_words": "a\0b"}, "In your own words"),
    ],
)
def test_a_preview_of_what_would_be_refused_says_so_and_promises_nothing(
    ada: User, garden: Community, as_user: ClientFor, asked: dict[str, object], said: str
) -> None:
    review: Review = queued(garden)
    sent = {**DECISION, **asked}
    client = as_user(ada)
    shown = client.post(part_of(review, "preview"), sent).content.decode()
    assert "It would be refused" in shown
    assert said in shown
    assert "The author reads" not in shown
    assert client.post(desk_of(review), sent).status_code == 400
