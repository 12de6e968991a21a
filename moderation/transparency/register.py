"""The API of the EU Transparency Database: records go in by batches, all of them or none."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final
from urllib.parse import quote

from moderation.conf import get_conf
from moderation.errors import FetchRefused
from moderation.outbound import GuardedClient, Reply
from moderation.outbound.waits import retry_after_seconds

TIMEOUT_SECONDS: Final = 30.0
# A hundred records come back, each with a few thousand characters.
_MAX_BYTES: Final = 4 * 1024 * 1024
_PLACE: Final = re.compile(r"statement_(\d+)")

UNREACHABLE: Final = "unreachable"
NOT_AUTHORISED: Final = "not_authorised"
SLOW_DOWN: Final = "slow_down"
FAILING: Final = "failing"
REFUSED: Final = "refused"
MALFORMED: Final = "malformed"


@dataclass(frozen=True, slots=True)
class Filing:
    """What the register made of a batch: stored as a whole, or not at all.

    `uuids` are the names that it gave, by puid. `wrong` tells by place in the batch what it
    refuses. `known` are puids that it says it has, which may also be a batch that is under way:
    ask with `has`. `error` is a short code, "" when the batch was stored.
    """

    uuids: Mapping[str, str] = field(default_factory=dict)
    wrong: Mapping[int, list[tuple[str, str]]] = field(default_factory=dict)
    known: frozenset[str] = frozenset()
    error: str = ""
    retry_after_seconds: float | None = None


def ping() -> str:
    """Return "" if the register knows us, else a short code."""
    reply = _ask("GET", "/api/ping")
    if isinstance(reply, str):
        return reply
    return "" if reply.status == 200 else _error_of(reply)


def file(records: Sequence[Mapping[str, Any]]) -> Filing:
    """Send a batch of 1 to 100 records that are in order."""
    reply = _ask("POST", "/api/v1/statements", {"statements": list(records)})
    if isinstance(reply, str):
        return Filing(error=reply)
    said = _said(reply)
    if reply.status == 201:
        stored = said.get("statements")
        if not isinstance(stored, list):
            return Filing(error=MALFORMED)
        return Filing(uuids={str(one.get("puid")): str(one.get("uuid")) for one in stored})
    if reply.status == 422:
        return _refusal(said)
    return Filing(error=_error_of(reply), retry_after_seconds=retry_after_seconds(reply.headers))


def has(puid: str) -> bool | None:
    """Whether the register has a record, None when it does not say."""
    reply = _ask("GET", f"/api/v1/statement/existing-puid/{quote(puid, safe='')}")
    if isinstance(reply, str):
        return None
    # A redirect without an address: it is not followed.
    return {302: True, 404: False}.get(reply.status)


def _refusal(said: Mapping[str, Any]) -> Filing:
    errors = said.get("errors")
    if not isinstance(errors, Mapping):
        return Filing(error=REFUSED)
    known = errors.get("existing_puids")
    if isinstance(known, list):
        return Filing(error=REFUSED, known=frozenset(str(one) for one in known))
    wrong: dict[int, list[tuple[str, str]]] = {}
    for place, fields in errors.items():
        match = _PLACE.fullmatch(str(place))
        if match and isinstance(fields, Mapping):
            wrong[int(match[1])] = [
                (str(name)[:100], _first(told)[:300]) for name, told in fields.items()
            ]
    return Filing(error=REFUSED, wrong=wrong)


def _first(told: object) -> str:
    return str(told[0]) if isinstance(told, list) and told else str(told)


def _ask(method: str, path: str, body: Mapping[str, Any] | None = None) -> Reply | str:
    """Return the answer, or why there is none."""
    conf = get_conf()
    headers = {"Accept": "application/json", "Authorization": f"Bearer {conf.dsa_token}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    try:
        return _client(conf.delivery_allowed_hosts).request(
            method,
            conf.dsa_url.rstrip("/") + path,
            headers=headers,
            content=None if body is None else json.dumps(body).encode(),
            max_bytes=_MAX_BYTES,
            timeout_seconds=TIMEOUT_SECONDS,
        )
    except FetchRefused:
        return UNREACHABLE


def _error_of(reply: Reply) -> str:
    if reply.status in (401, 403):
        return NOT_AUTHORISED
    if reply.status == 429:
        return SLOW_DOWN
    return FAILING if reply.status >= 500 else f"HTTP {reply.status}"


def _said(reply: Reply) -> Mapping[str, Any]:
    try:
        said = json.loads(reply.content)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, Mapping) else {}


@cache
def _client(allowed: frozenset[str]) -> GuardedClient:
    return GuardedClient(allow_private_hosts=allowed, ports=frozenset({443}))
