"""A policy in sentences, and what changes between two."""

from __future__ import annotations

from typing import Any

import pytest

from moderation.policy.document import DEFAULT_DOCUMENT
from moderation.policy.plain_words import say_changes, say_policy

LEAST: dict[str, Any] = {"version": 1, "route": {"text": []}, "on_failure": "hold"}


def sentences(document: dict[str, Any]) -> list[str]:
    return [said for heading in say_policy(document) for said in heading.sentences]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"thresholds": {"categories": {"threat": {"block": 0.8}}}},
            (
                "A post that scores 0.8 or more for threat is blocked; from 0.7 it is put before a"
                " moderator; from 0.5 it is shown with a warning."
            ),
        ),
        (
            {
                "thresholds": {
                    "categories": {"profanity": {"warn": None, "review": None, "block": None}}
                }
            },
            "No score for profanity leads to anything.",
        ),
        ({}, "Texts are judged by nobody: such a post counts as not judged."),
        (
            {
                "route": {
                    "text": [
                        {"ask": ["filters", "local_text"]},
                        {
                            "ask": [{"provider": "openai", "otherwise": ["mistral"]}],
                            "when": {
                                "score": {"at_least": 0.2, "below": 0.95},
                                "standing": ["new", "watched"],
                            },
                            "seconds": 4,
                        },
                    ]
                }
            },
            (
                "Texts are judged by filters and local_text; then by openai (by mistral if that"
                " fails), if the highest score so far is from 0.2 to below 0.95 and the author is"
                " recently rejected or new (within 4 seconds)."
            ),
        ),
        ({}, "A post of which a part could not be judged is held until a moderator has looked."),
        (
            {"on_failure": "publish_and_queue"},
            "A post of which a part could not be judged is shown, and put before a moderator.",
        ),
        ({"stop_at": None}, "Everyone on the way is asked, whatever others have said."),
        (
            {"budget": {"seconds": 20, "micros": 4000}},
            "Asking about one post may take 20 seconds and 0.004 US dollars.",
        ),
        (
            {"brake": {"watch": True, "hours": None}},
            (
                "A rule or service that suddenly blocks far more than usual only asks a moderator,"
                " until a lead releases it."
            ),
        ),
        (
            {"brake": {"watch": False}},
            "A rule that suddenly blocks far more than usual goes on blocking.",
        ),
        (
            {"sampling": {"share": 0.015}},
            "Of posts in which nothing was found, a moderator looks at 1.5 % all the same.",
        ),
        (
            {"rescan": {"every_days": 7, "younger_than_days": 90}},
            "Posts younger than 90 days are judged again every 7 days.",
        ),
        (
            {"reports": {"hold_at_weight": 5}},
            (
                "A public post is held until a moderator has looked once what proven readers"
                " report weighs 5."
            ),
        ),
    ],
)
def test_a_policy_says_what_it_does(changes: dict[str, Any], said: str) -> None:
    assert said in sentences({**LEAST, **changes})


def test_nothing_changes_between_a_policy_and_itself() -> None:
    assert say_changes(DEFAULT_DOCUMENT, DEFAULT_DOCUMENT) == []


def test_a_default_that_is_written_out_is_no_change() -> None:
    usual = {"warn": 0.5, "review": 0.7, "block": 0.85}
    assert say_changes(LEAST, {**LEAST, "thresholds": {"default": usual}, "stop_at": "block"}) == []


def test_each_difference_is_told_as_it_was_and_as_it_becomes() -> None:
    changed = {**LEAST, "on_failure": "publish_and_queue", "sampling": {"share": 0.1}}
    changed["thresholds"] = {"categories": {"spam": {"block": 0.9}}}
    found = [(change.was[:34], change.now[:34]) for change in say_changes(LEAST, changed)]
    assert found == [
        ("A post that scores 0.85 or more fo", "A post that scores 0.9 or more for"),
        ("A post of which a part could not b", "A post of which a part could not b"),
        ("", "Of posts in which nothing was foun"),
    ]
