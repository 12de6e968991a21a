"""The document as a Postman collection (v2.1), which other clients read as well."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
DEFAULT_BASE = "http://localhost:8000"


def collection_of(document: Mapping[str, Any], *, base_url: str = DEFAULT_BASE) -> dict[str, Any]:
    """Return a folder for each resource, with a request and its answers for each act."""
    folders: dict[str, list[dict[str, Any]]] = {}
    for path, acts in document["paths"].items():
        for method, act in acts.items():
            folders.setdefault(_resource(path), []).append(_item(path, method, act))
    return {
        "info": {
            "_postman_id": str(uuid5(NAMESPACE_URL, document["info"]["title"])),
            "name": document["info"]["title"],
            "description": document["info"].get("description", ""),
            "schema": SCHEMA,
        },
        "auth": {"type": "bearer", "bearer": [_pair("token", "{{key}}")]},
        "variable": [_pair("base_url", base_url), _pair("key", "")],
        "item": [{"name": name, "item": items} for name, items in folders.items()],
    }


def _resource(path: str) -> str:
    return path.removeprefix("/api/v1/").partition("/")[0]


def _item(path: str, method: str, act: Mapping[str, Any]) -> dict[str, Any]:
    request = _request(path, method, act)
    return {
        "name": act["operationId"].replace("_", " "),
        "request": request,
        "response": [
            _answer(status, said, request)
            for status, said in act["responses"].items()
            if said.get("content")
        ],
    }


def _request(path: str, method: str, act: Mapping[str, Any]) -> dict[str, Any]:
    parameters = act.get("parameters", [])
    asked = [one for one in parameters if one["in"] == "query"]
    sent = act.get("requestBody", {}).get("content", {}).get("application/json")
    headers = [{**_pair("Content-Type", "application/json"), "type": "text"}] if sent else []
    said = [
        {**_pair(one["name"], ""), "description": one.get("description", ""), "disabled": True}
        for one in parameters
        if one["in"] == "header"
    ]
    # Postman writes what stands in a path as `:name`.
    written = re.sub(r"\{(\w+)\}", r":\1", path)
    return {
        "method": method.upper(),
        "description": act.get("description", ""),
        "header": headers + said,
        "url": {
            "raw": f"{{{{base_url}}}}{written}",
            "host": ["{{base_url}}"],
            "path": written.strip("/").split("/"),
            "query": [
                {
                    **_pair(one["name"], ""),
                    "description": one.get("description", ""),
                    "disabled": True,
                }
                for one in asked
            ],
            "variable": [
                _pair(one["name"], str(one.get("example", "")))
                for one in parameters
                if one["in"] == "path"
            ],
        },
        **({"body": _body(sent)} if sent else {}),
    }


def _body(content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "mode": "raw",
        "raw": json.dumps(_example(content), indent=2, ensure_ascii=False),
        "options": {"raw": {"language": "json"}},
    }


def _answer(status: str, said: Mapping[str, Any], request: Mapping[str, Any]) -> dict[str, Any]:
    content_type, body = next(iter(said["content"].items()))
    return {
        "name": said.get("description") or status,
        "originalRequest": request,
        "code": int(status),
        "header": [_pair("Content-Type", content_type)],
        "body": json.dumps(_example(body), indent=2, ensure_ascii=False),
    }


def _example(content: Mapping[str, Any]) -> Any:
    if "example" in content:
        return content["example"]
    several = content.get("examples", {})
    return next((one["value"] for one in several.values()), None)


def _pair(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": value}
