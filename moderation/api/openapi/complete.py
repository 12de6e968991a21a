"""What every act shares: request ids, conditional reads, and examples of all that goes in and out.

Hooks of drf-spectacular: each changes the document that it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moderation.api.bodies import DEFAULT_PAGE, LARGEST_PAGE, MAX_IDEMPOTENCY_KEY_CHARS
from moderation.api.errors import CONTENT_TYPE, KINDS, Problem
from moderation.api.openapi.examples import BY_NAME, example_of
from moderation.api.openapi.told import EVENT_SCHEMA, webhooks

JSON = "application/json"
Document = dict[str, Any]
_TEXT = {"type": "string"}
_BLANK = {"type": ["string", "null"], "maxLength": 0}
_PATH_EXAMPLES = {"key_id": "k3y1dk3y1dk3", "message_id": "msg_0123456789abcdef"}


def complete(result: Document, generator: Any, request: Any, public: bool) -> Document:
    """Add what no view says of itself, and what we send to others."""
    _allow_what_counts_as_absent(result["components"]["schemas"])
    for method, act in _acts(result):
        _say_what_parameters_take(act)
        _name_requests(act)
        if method == "get":
            _spare_what_is_known(act)
        _show_parameters(act)
        _show_bodies(act, result["components"])
    result["components"]["schemas"]["WebhookEvent"] = EVENT_SCHEMA
    result["webhooks"] = webhooks()
    return result


def _acts(document: Document) -> Iterator[tuple[str, Document]]:
    for acts in document["paths"].values():
        yield from acts.items()


def _allow_what_counts_as_absent(schemas: Document) -> None:
    """Null and "" leave a field out that need not be there."""
    for name, schema in schemas.items():
        if not name.endswith("Request"):
            continue
        needed = schema.get("required", ())
        for field, inner in schema.get("properties", {}).items():
            if field not in needed:
                schema["properties"][field] = _or_absent(inner, schemas)


def _or_absent(schema: Document, schemas: Document) -> Document:
    if schema.get("format") == "binary":
        return schema
    if "type" not in schema:
        # A shape of its own: a choice may be left blank, an object may not.
        (named,) = schema.get("allOf", [schema])
        is_choice = "enum" in schemas[named["$ref"].rpartition("/")[2]]
        return {"anyOf": [schema, _BLANK if is_choice else {"type": "null"}]}
    loose = {key: value for key, value in schema.items() if key != "minLength"}
    if loose.keys() & {"format", "pattern", "enum"}:
        return {"anyOf": [loose, _BLANK]}
    return {**loose, "type": [schema["type"], "null"]}


def _say_what_parameters_take(act: Document) -> None:
    for parameter in act.get("parameters", ()):
        schema = parameter["schema"]
        if parameter["name"] == "limit":
            schema |= {"minimum": 1, "maximum": LARGEST_PAGE, "default": DEFAULT_PAGE}
        elif parameter["name"] == "Idempotency-Key":
            schema |= {
                "minLength": 1,
                "maxLength": MAX_IDEMPOTENCY_KEY_CHARS,
                "pattern": "^[\\x21-\\x7e]+$",
            }
        elif parameter["in"] == "query" and ("format" in schema or "enum" in schema):
            parameter["schema"] = {"anyOf": [schema, {"type": "string", "maxLength": 0}]}


def _name_requests(act: Document) -> None:
    act.setdefault("parameters", []).append(
        {
            "in": "header",
            "name": "X-Request-ID",
            "description": "Your own id of the request; one is made where there is none.",
            "schema": _TEXT,
        }
    )
    for answer in act["responses"].values():
        answer.setdefault("headers", {})["X-Request-ID"] = {
            "schema": _TEXT,
            "description": "The id of the request.",
        }


def _spare_what_is_known(act: Document) -> None:
    answer = act["responses"].get("200")
    if answer is None or JSON not in answer.get("content", {}):
        return
    tag = {"schema": _TEXT, "description": "Of what is told; for If-None-Match."}
    answer.setdefault("headers", {}).setdefault("ETag", tag)
    act["parameters"].append(
        {
            "in": "header",
            "name": "If-None-Match",
            "description": "The ETag of what you have: if it is the same still, 304.",
            "schema": _TEXT,
        }
    )
    act["responses"]["304"] = {"description": "You have it already.", "headers": {"ETag": tag}}


def _show_parameters(act: Document) -> None:
    for parameter in act["parameters"]:
        name = parameter["name"]
        if parameter["in"] == "path" and "example" not in parameter:
            parameter["example"] = _PATH_EXAMPLES.get(name) or _path_example(name)


def _path_example(name: str) -> str:
    if name.endswith("_id"):
        return str(BY_NAME["id"])
    return str(BY_NAME.get(name, "1"))


def _show_bodies(act: Document, components: Document) -> None:
    sent = act.get("requestBody", {}).get("content", {})
    for body in sent.values():
        if not ("example" in body or "examples" in body):
            body["example"] = example_of(body["schema"], components)
    for status, answer in act["responses"].items():
        for content_type, body in answer.get("content", {}).items():
            if "example" in body or "examples" in body:
                continue
            if content_type == CONTENT_TYPE:
                body["examples"] = _problems(int(status))
            elif content_type == JSON:
                body["example"] = example_of(body["schema"], components)


def _problems(status: int) -> Document:
    return {
        code: {"summary": kind.title, "value": Problem(code, kind.advice).body()}
        for code, kind in KINDS.items()
        if kind.status == status
    }
