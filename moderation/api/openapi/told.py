"""The section `webhooks`: what we send to endpoints, from the list of event types."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from moderation.delivery.event_types import EVENT_TYPES, NEVER_SENT, PING, EventType, group_of
from moderation.vocabulary import ActorKind, Status, Visibility

_POST_ID = "01a1f833-5ffa-7d45-ba3a-1a7d23705b41"
_NULL = {"type": "null"}


def _or_null(**schema: Any) -> dict[str, Any]:
    return {"oneOf": [schema, _NULL]}


EVENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "Expect new types, and new fields in old ones.",
    "required": ["type", "timestamp", "data"],
    "properties": {
        "type": {"type": "string"},
        "timestamp": {"type": "string", "format": "date-time"},
        "data": {
            "type": "object",
            "required": ["community"],
            "properties": {
                "community": {"type": "string"},
                "subject": {"type": "string", "description": "What it is about: a `post`, …"},
                "id": {"type": "string"},
                "reference": _or_null(type="string"),
                "sequence": {
                    "type": "integer",
                    "minimum": 1,
                    "description": "Grows by one with each event of a subject.",
                },
                "revision": _or_null(type="integer"),
                "status": _or_null(type="string", enum=Status.values),
                "visibility": _or_null(type="string", enum=Visibility.values),
                "actor": {"type": "string", "enum": ActorKind.values},
                "facts": {"type": "object"},
                "links": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
    },
}
# What facts look like; all others are numbers.
_FACTS: Mapping[str, Any] = MappingProxyType(
    {
        "action": "block",
        "appeal": 12,
        "category": "threat",
        "decision": 34,
        "effects": ["hide", "notice"],
        "enforcement": 56,
        "mode": "live",
        "not_judged": [],
        "number": 3,
        "of_revision": 1,
        "provider": "local_text",
        "replaced": 2,
        "report": 78,
        "reversed": True,
        "review": 90,
        "rule": "threat.block",
        "score": 0.97,
        "share": 0.1,
        "source": "client",
        "state": "open",
        "threshold": 0.8,
        "verdict": "block",
    }
)
_STATUS = {
    "post.approved": ("approved", "public"),
    "post.rejected": ("rejected", "hidden"),
    "post.queued": ("in_review", "held"),
    "decision.approved": ("approved", "public"),
    "decision.rejected": ("rejected", "hidden"),
}
_HEADERS = {
    "webhook-id": "The event; the same on each repeat.",
    "webhook-timestamp": "When this attempt was made, in seconds since 1970.",
    "webhook-signature": "`v1,` and the HMAC-SHA256 of `id.timestamp.body` in Base64.",
}
_ANSWERS = {
    "2XX": "It has arrived.",
    "410": "Nothing more is sent here.",
    "default": "It is tried again, up to ten times in three days.",
}


def webhooks() -> dict[str, Any]:
    """Return each type of event as a request of ours (OpenAPI 3.1)."""
    told = {name: kind for name, kind in EVENT_TYPES.items() if name not in NEVER_SENT}
    ping = EventType("Somebody asked for a test. It is tried once.")
    return {name: {"post": _request(name, kind)} for name, kind in {**told, PING: ping}.items()}


def _request(name: str, kind: EventType) -> dict[str, Any]:
    return {
        "operationId": f"told_of_{name.replace('.', '_')}",
        "summary": kind.title,
        "parameters": [
            {
                "in": "header",
                "name": header,
                "description": said,
                "required": True,
                "schema": {"type": "string"},
            }
            for header, said in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/WebhookEvent"},
                    "example": _example(name, kind),
                }
            },
        },
        "responses": {status: {"description": said} for status, said in _ANSWERS.items()},
    }


def _example(name: str, kind: EventType) -> dict[str, Any]:
    about_post = group_of(name) not in ("policy", "experiment", "endpoint")
    status, visibility = _STATUS.get(name, (None, None))
    data: dict[str, Any] = {"community": "garden"}
    if name != PING:
        data |= {
            "subject": "post" if about_post else group_of(name),
            "id": _POST_ID if about_post else "7",
            "reference": "comment-42" if about_post else None,
            "sequence": 2,
            "revision": 1 if about_post else None,
            "status": status,
            "visibility": visibility,
            "actor": "machine" if group_of(name) == "post" else "moderator",
            "facts": {fact: _FACTS.get(fact, 1) for fact in kind.facts},
            "links": {"post": f"https://forum.example.org/api/v1/posts/{_POST_ID}"}
            if about_post
            else {},
        }
    return {"type": name, "timestamp": "2026-03-01T09:30:00.104231Z", "data": data}
