"""Scripted faults: which requests a service fails, and how an answer is spoiled."""

from __future__ import annotations

import json
import random
import re
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote_to_bytes

from moderation.sandbox.protocol import Reply, Request

EVERY_SERVICE = "*"
DEFAULT_DELAY_SECONDS = 2.0
# Two runs with the same requests in the same order are alike.
SEED = 7
_STATUSES = {"unauthorized": 401, "forbidden": 403, "gone": 410}
_MARK = re.compile(rb"\[\[fault=([a-z0-9_]+)(?::([^\]\s]{1,60}))?\]\]", re.IGNORECASE)
_BASE64 = re.compile(rb"[A-Za-z0-9+/]+")
# A mark of any length that `_MARK` accepts, as base64.
_LONGEST_HIDDEN_MARK = 128


@dataclass(frozen=True, slots=True)
class Fault:
    """How requests of a service fail.

    `kind` is a status ("429", "503", or by name "unauthorized", "forbidden", "gone"), "slow",
    "reset" (the connection, by RST), "cut_off" (the connection ends within the body) or a
    spoiled answer: "truncated", "empty", "html", "wrong_schema", "wrong_types", "extra_fields",
    "missing_category" (needs `category`).

    It hits the next `count` requests, or all for `seconds`, or all until it is lifted; each with
    `probability`. `path` limits it to addresses and AWS targets that contain it.
    """

    kind: str
    count: int | None = None
    seconds: float | None = None
    probability: float = 1.0
    retry_after: str | None = None
    delay_seconds: float = DEFAULT_DELAY_SECONDS
    category: str = ""
    path: str = ""

    def __post_init__(self) -> None:
        if self.status is None and self.kind not in ("slow", "reset", "cut_off", *SPOILS):
            raise ValueError(f"There is no fault {self.kind!r}.")
        if self.kind == "missing_category" and not self.category:
            raise ValueError("Say which category is to be missing.")

    @property
    def status(self) -> int | None:
        """The status that the service answers with, None for a fault of another kind."""
        if self.kind in _STATUSES:
            return _STATUSES[self.kind]
        is_status = re.fullmatch(r"[45]\d\d", self.kind)
        return int(self.kind) if is_status else None

    def spoil(self, reply: Reply) -> Reply:
        """Return a good answer as this fault leaves it."""
        if self.kind not in SPOILS or reply.status >= 400:
            return reply
        return SPOILS[self.kind](reply, self.category)


class FaultScript:
    """The faults that wait for requests. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._chance = random.Random(SEED)  # noqa: S311  chance, not secrecy
        self._waiting: list[_Waiting] = []

    def add(self, prefix: str, fault: Fault) -> None:
        until = None if fault.seconds is None else time.monotonic() + fault.seconds
        with self._lock:
            self._waiting.append(_Waiting(prefix, fault, fault.count, until))

    def clear(self) -> None:
        with self._lock:
            self._chance.seed(SEED)
            self._waiting.clear()

    def active(self) -> list[tuple[str, Fault]]:
        """Return the faults that still wait; `count` is how many requests are left to fail."""
        with self._lock:
            self._forget_spent()
            return [(one.prefix, replace(one.fault, count=one.left)) for one in self._waiting]

    def take(self, prefix: str, request: Request) -> Fault | None:
        """Return what befalls this request, and count it."""
        return fault_in(request) or self._scripted(prefix, request)

    def _scripted(self, prefix: str, request: Request) -> Fault | None:
        target = f"{request.path} {request.headers.get('x-amz-target', '')}"
        with self._lock:
            self._forget_spent()
            for one in self._waiting:
                if (
                    one.prefix in (prefix, EVERY_SERVICE)
                    and one.fault.path in target
                    and self._chance.random() < one.fault.probability
                ):
                    one.count_down()
                    return one.fault
        return None

    def _forget_spent(self) -> None:
        now = time.monotonic()
        self._waiting = [one for one in self._waiting if not one.is_spent(now)]


@dataclass(slots=True)
class _Waiting:
    prefix: str
    fault: Fault
    left: int | None
    until: float | None

    def count_down(self) -> None:
        if self.left is not None:
            self.left -= 1

    def is_spent(self, now: float) -> bool:
        return self.left == 0 or (self.until is not None and now >= self.until)


# --- faults that a content asks for ------------------------------------------------------------


def fault_in(request: Request) -> Fault | None:
    """Return the fault that a request's content asks for, as `[[fault=503]]` or `[[fault=429:7]]`.

    After the colon: seconds to wait or to be slow, or the category that is to be missing.
    Content is found as it is, percent-encoded or in base64. Raises `ValueError` for a fault that
    does not exist.
    """
    found = next((mark for data in _readings(request) if (mark := _MARK.search(data))), None)
    if found is None:
        return None
    kind, value = found[1].decode().lower(), (found[2] or b"").decode(errors="replace")
    match kind:
        case "missing_category":
            return Fault(kind, category=value)
        case "slow":
            return Fault(kind, delay_seconds=float(value or DEFAULT_DELAY_SECONDS))
        case _:
            return Fault(kind, retry_after=value or None)


def _readings(request: Request) -> Iterator[bytes]:
    yield request.body
    for values in request.query.values():
        yield from (value.encode() for value in values)
    if b"%5bfault" in request.body.lower():
        yield unquote_to_bytes(request.body)
    yield from _hidden(request.body)


def _hidden(body: bytes) -> Iterator[bytes]:
    """Yield what base64 hides from the beginning of a mark on.

    Three bytes become four characters, so a mark looks one of three ways.
    """
    for shift, known_from in ((0, 0), (1, 2), (2, 3)):
        known_to = (shift + len(b"[[fault=")) * 8 // 6
        needle = b64encode(b"\0" * shift + b"[[fault=")[known_from:known_to]
        at = body.find(needle)
        if at >= known_from:
            start = at - known_from
            block = _BASE64.match(body[start : start + _LONGEST_HIDDEN_MARK])
            assert block is not None
            whole = block[0][: len(block[0]) // 4 * 4] if len(block[0]) % 4 == 1 else block[0]
            yield b64decode(whole + b"=" * (-len(whole) % 4))


# --- spoiled answers ---------------------------------------------------------------------------


def _truncated(reply: Reply, category: str) -> Reply:
    content = reply.content()
    return replace(reply, body=content[: len(content) // 2])


def _empty(reply: Reply, category: str) -> Reply:
    return replace(reply, body=b"")


def _html(reply: Reply, category: str) -> Reply:
    page = b"<!doctype html><title>Welcome</title><p>Sign in to use this network."
    return Reply(200, page, {"Content-Type": "text/html"})


def _wrong_schema(reply: Reply, category: str) -> Reply:
    return replace(reply, body={"status": "ok", "data": []})


def _wrong_types(reply: Reply, category: str) -> Reply:
    return _changed(reply, lambda value: _walk(value, numbers_as=str))


def _extra_fields(reply: Reply, category: str) -> Reply:
    return _changed(reply, lambda value: _walk(value, more={"not_in_the_manual": {"new": True}}))


def _missing_category(reply: Reply, category: str) -> Reply:
    return _changed(reply, lambda value: _walk(value, without=category))


def _changed(reply: Reply, change: Callable[[Any], Any]) -> Reply:
    try:
        return replace(reply, body=change(json.loads(reply.content())))
    except ValueError:
        # Not every service speaks JSON; half of a plain word is wrong enough.
        return _truncated(reply, "")


def _walk(
    value: Any,
    *,
    numbers_as: type[str] | None = None,
    more: dict[str, Any] | None = None,
    without: str | None = None,
) -> Any:
    def onward(inner: Any) -> Any:
        return _walk(inner, numbers_as=numbers_as, more=more, without=without)

    match value:
        case dict():
            kept = {key: onward(inner) for key, inner in value.items() if key != without}
            return {**kept, **(more or {})}
        case list():
            return [onward(inner) for inner in value if not _is_named(inner, without)]
        case int() | float() if numbers_as and not isinstance(value, bool):
            return numbers_as(value)
        case _:
            return value


def _is_named(value: Any, name: str | None) -> bool:
    """Whether an element of a list is about a category: {"category": "Hate", "severity": 2}."""
    if isinstance(value, dict):
        return name is not None and name in value.values()
    return name is not None and value == name


SPOILS: dict[str, Callable[[Reply, str], Reply]] = {
    "truncated": _truncated,
    "empty": _empty,
    "html": _html,
    "wrong_schema": _wrong_schema,
    "wrong_types": _wrong_types,
    "extra_fields": _extra_fields,
    "missing_category": _missing_category,
}
