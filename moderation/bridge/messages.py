"""What one message says: a post to be checked, as the API takes it, with the sender's own id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from moderation import queries
from moderation.conf import get_conf
from moderation.delivery.streams import SUBMITTED
from moderation.drafts import MAX_ID_CHARS, read_post
from moderation.errors import InvalidFields, NotFound
from moderation.fields import Fields
from moderation.models import Community
from moderation.pipeline.intake.submit import Idempotency, NewPost

# What the API takes as one body, and what Kafka's brokers take unless told otherwise.
MAX_BYTES: Final = 1_000_000
# The names that the first documents of this project use, and ours.
_SHORT_NAMES: Final = {"contentId": "id", "userId": "author"}


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it stands in a topic. `place` names it, for people."""

    topic: str
    place: str
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Submitted:
    """A message that is in order: the post, and what makes a repeat of it known."""

    post: NewPost
    idempotency: Idempotency


def read_message(message: Message) -> Submitted:
    """Raises `InvalidFields` naming everything that is wrong, `NotFound` for its community."""
    sent = _parsed(message)
    kind = sent.pop("type", None) or sent.pop("event", None) or SUBMITTED
    if kind != SUBMITTED:
        raise InvalidFields.of("type", f"is {SUBMITTED!r}, or left out")
    fields = Fields(_full_names(sent))
    own_id = fields.text("id", most=MAX_ID_CHARS, required=True)
    if own_id and "reference" not in fields:
        fields = Fields({**_full_names(sent), "reference": own_id}, wrong=fields.wrong)
    post = read_post(fields, community_of=_community)
    digest = hashlib.sha256(json.dumps(sent, sort_keys=True).encode()).hexdigest()
    return Submitted(post, Idempotency(_client_of(message.topic), own_id, digest))


def _parsed(message: Message) -> dict[str, Any]:
    if len(message.value) > MAX_BYTES:
        raise InvalidFields.of("body", f"has at most {MAX_BYTES:,} bytes")
    try:
        sent = json.loads(message.value)
    except (ValueError, RecursionError):
        raise InvalidFields.of("body", "must be JSON in UTF-8") from None
    if not isinstance(sent, dict):
        raise InvalidFields.of("body", "must be an object")
    return sent


def _full_names(sent: Mapping[str, Any]) -> dict[str, Any]:
    full = {_SHORT_NAMES.get(name, name): value for name, value in sent.items()}
    if isinstance(full.get("author"), str):
        full["author"] = {"id": full["author"]}
    return full


def _community(slug: str) -> Community:
    allowed = get_conf().stream_communities
    if not slug and len(allowed) == 1:
        (slug,) = allowed
    if not slug:
        raise InvalidFields.of("community", "is required")
    if allowed and slug not in allowed:
        raise NotFound(f"Streams do not reach the community {slug!r}.")
    return queries.get_community(slug)


def _client_of(topic: str) -> str:
    """Return who the sender is to the idempotency of calls: of its topic, in 60 characters."""
    return f"stream:{hashlib.sha256(topic.encode()).hexdigest()[:40]}"
