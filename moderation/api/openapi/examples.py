"""An example of every shape, made from its schema: fields of the same name look alike everywhere.

A test holds each example against the schema that it stands beside.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from moderation.policy.document import DEFAULT_DOCUMENT

_POST_ID = "01a1f833-5ffa-7d45-ba3a-1a7d23705b41"
_TIME = "2026-03-01T09:30:00Z"
# What no schema can say: how such a field looks in real life.
BY_NAME: Mapping[str, Any] = MappingProxyType(
    {
        "advise": [],
        "alt_text": "A basket of tomatoes",
        "block": [],
        "body": "The tomatoes are ripe.",
        "category": "harassment",
        "channel": "harvest",
        "code": "invalid_fields",
        "community": "garden",
        "content_type": "image/png",
        "contentId": _POST_ID,
        "cursor": "AaH4M1_6fUW6OhotI3BbQQ",
        "data": "data:image/png;base64,iVBORw0KGgo=",
        "document": DEFAULT_DOCUMENT,
        "error": "",
        "event_types": ["post.*"],
        "evidence": [],
        "expires_at": "2027-03-01T00:00:00Z",
        "first": "2026-03-01",
        "id": _POST_ID,
        "key": "gate_k3y1dk3y1dk3_0123456789abcdef0123456789abcdef12345678",
        "last": "2026-03-30",
        "last_error": "",
        "latency_ms": 0.94,
        "limit": 50,
        "media": [],
        "name": "Bo",
        "next": None,
        "number": 1,
        "part": "text",
        "payload": '{"type":"post.approved"}',
        "priority": "normal",
        "provider": "local_text",
        "rate_burst": 5000,
        "rate_per_second": 2000,
        "reference": "comment-42",
        "request": {"url": "https://example.org/hook"},
        "response": "ok",
        "response_headers": {"content-type": "text/plain"},
        "revision": 1,
        "rule": "harassment.review",
        "scopes": ["submit", "read"],
        "score": 0.62,
        "scores": {"harassment": 0.62},
        "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "self": f"/api/v1/posts/{_POST_ID}",
        "slug": "garden",
        "status_code": 200,
        "text": "The tomatoes are ripe.",
        "threshold": 0.5,
        "title": "Harvest",
        "took_ms": 2.85,
        "type": "post.approved",
        "until": "2026-03-01T10:30:00Z",
        "url": "https://example.org/a.png",
        "userId": "42",
    }
)
_FORMATS: Mapping[str, Any] = MappingProxyType(
    {
        "date-time": _TIME,
        "date": "2026-03-01",
        "uuid": _POST_ID,
        "uri": "https://example.org/a.png",
        "binary": "(file)",
    }
)
_DEEPEST = 8


def example_of(
    schema: Mapping[str, Any], components: Mapping[str, Any], *, name: str = "", depth: int = 0
) -> Any:
    """Return a value that a schema allows; `name` is that of the field it is for."""
    if "$ref" in schema:
        return example_of(_find(schema["$ref"], components), components, name=name, depth=depth)
    for several in ("oneOf", "anyOf"):
        if several in schema:
            return example_of(schema[several][0], components, name=name, depth=depth)
    if "allOf" in schema:
        return example_of(schema["allOf"][0], components, name=name, depth=depth)
    if "enum" in schema:
        known = BY_NAME.get(name)
        return known if known in schema["enum"] else schema["enum"][0]
    return _of_type(schema, components, name, depth)


def _of_type(
    schema: Mapping[str, Any], components: Mapping[str, Any], name: str, depth: int
) -> Any:
    kinds = schema.get("type", "object")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if name in BY_NAME and _fits(BY_NAME[name], kinds, schema):
        return BY_NAME[name]
    if kind == "object":
        if depth > _DEEPEST:
            return {}
        return {
            field: example_of(inner, components, name=field, depth=depth + 1)
            for field, inner in schema.get("properties", {}).items()
            if field not in _left_out(schema)
        }
    if kind == "array":
        item = example_of(schema.get("items", {}), components, name=name, depth=depth + 1)
        return [item]
    if kind == "string":
        return _FORMATS.get(schema.get("format", ""), "…" if schema.get("minLength", 0) < 2 else "")
    return {"integer": schema.get("minimum", 1), "number": schema.get("minimum", 0.5)}.get(
        kind, kind == "boolean"
    )


def _left_out(schema: Mapping[str, Any]) -> Collection[str]:
    """Return fields that exclude each other, or that name what an example cannot know."""
    fields, needed = schema.get("properties", {}), schema.get("required", ())
    if "text" in fields and "body" in fields and "body" not in needed:
        return {"body", "items", "keep_media", "parent"}
    return {"keep_media", "parent"} - set(needed)


def _fits(value: Any, kinds: str | list[str], schema: Mapping[str, Any]) -> bool:
    of = {
        str: "string",
        bool: "boolean",
        int: "integer",
        float: "number",
        list: "array",
        dict: "object",
        type(None): "null",
    }
    allowed = [kinds] if isinstance(kinds, str) else kinds
    if of[type(value)] not in allowed and not (isinstance(value, int) and "number" in allowed):
        return False
    if isinstance(value, str):
        # A list of ids is one of uuids, a key's id is none.
        return "format" not in schema or schema["format"] in ("uuid", "uri", "date-time", "date")
    if isinstance(value, list):
        return "minItems" not in schema or len(value) >= schema["minItems"]
    return True


def _find(reference: str, components: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = components["schemas"][reference.rpartition("/")[2]]
    return found
