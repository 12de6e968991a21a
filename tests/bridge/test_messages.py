"""What a message says, and what is wrong with one that says nothing that can be a post."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from moderation.bridge.messages import MAX_BYTES, Message, read_message
from moderation.errors import InvalidFields, NotFound
from moderation.models import Community

FULL = {
    "id": "post-17",
    "community": "garden",
    "author": {"id": "bo", "name": "Bo"},
    "title": "Tomatoes",
    "body": "They are ripe.",
    "channel": "vegetables",
    "media": [{"url": "https://example.org/tomato.png", "alt_text": "A tomato"}],
}


def message(sent: Any, topic: str = "posts") -> Message:
    return Message(
        topic, f"{topic}@1", sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    )


def test_a_message_says_what_the_api_takes(garden: Community):
    post = read_message(message(FULL)).post

    assert (post.community, post.reference, post.writer.external_id) == (garden, "post-17", "bo")
    assert (post.title, post.body, post.channel) == ("Tomatoes", "They are ripe.", "vegetables")
    assert post.media[0].url == "https://example.org/tomato.png"


def test_the_first_documents_names_are_understood(garden: Community, settings: Settings):
    settings.MODERATION = {**settings.MODERATION, "stream_communities": frozenset({"garden"})}
    sent = {"event": "ContentSubmitted", "contentId": "9f1a", "text": "Hello", "userId": "user123"}

    post = read_message(message(sent)).post

    assert (post.community, post.reference) == (garden, "9f1a")
    assert (post.body, post.writer.external_id) == ("Hello", "user123")


def test_its_own_name_for_the_post_may_differ_from_the_messages_id(garden: Community):
    assert read_message(message({**FULL, "reference": "t3"})).post.reference == "t3"


def test_the_same_id_in_two_topics_is_two_messages(garden: Community):
    one, other = (read_message(message(FULL, topic)).idempotency for topic in ("a", "b"))

    assert one.key == other.key
    assert one.client != other.client


@pytest.mark.parametrize(
    ("sent", "wrong"),
    [
        (b"\xff\xfe", "body"),
        (b"[" * 100_000, "body"),
        (b" " * (MAX_BYTES + 1), "body"),
        (["a list"], "body"),
        ({**FULL, "id": ""}, "id"),
        ({**FULL, "id": "x" * 201}, "id"),
        ({**FULL, "author": None}, "author"),
        ({**FULL, "author": "user:1"}, "author.id"),
        ({**FULL, "body": "half a pair \ud800"}, "body"),
        ({**FULL, "community": ""}, "community"),
        ({**FULL, "type": "ContentDeleted"}, "type"),
    ],
)
def test_what_cannot_be_a_post_is_told_by_field(garden: Community, sent: Any, wrong: str):
    with pytest.raises(InvalidFields) as raised:
        read_message(message(sent))

    assert wrong in [name for name, _ in raised.value.errors]


def test_a_stream_reaches_no_community_but_those_it_is_for(garden: Community, settings: Settings):
    settings.MODERATION = {**settings.MODERATION, "stream_communities": frozenset({"orchard"})}

    with pytest.raises(NotFound, match="garden"):
        read_message(message(FULL))
