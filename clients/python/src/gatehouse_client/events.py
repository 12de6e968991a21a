"""What happens to posts, followed as it happens: read from server-sent events, gone on with after
each break.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx2

from gatehouse_client.errors import MalformedAnswer
from gatehouse_client.exchange import problem_error_of, unreachable
from gatehouse_client.facts import Facts
from gatehouse_client.retries import Retries, may_pass

# The server says something at least every 15 s; twice that and some is silence.
SILENCE_SECONDS = 40.0
# Until the server says how long.
_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a post. `raw` is all that the server said.

    `id` is where to go on after it.
    """

    id: str
    type: str
    happened_at: datetime
    community: str
    post_id: str
    revision: int | None
    status: str | None
    visibility: str | None
    raw: Mapping[str, Any] = field(repr=False)

    @classmethod
    def read(cls, facts: Facts) -> Event:
        return cls(
            id=facts.text("id"),
            type=facts.text("type"),
            happened_at=facts.time("happened_at"),
            community=facts.text("community"),
            post_id=facts.text("post"),
            revision=facts.whole_or_none("revision"),
            status=facts.text_or_none("status"),
            visibility=facts.text_or_none("visibility"),
            raw=facts.raw,
        )


class Following:
    """How far one has followed, over all connections: what is asked next, and when."""

    def __init__(
        self, *, types: Sequence[str], community: str, after: str, retries: Retries
    ) -> None:
        self._params = {
            name: value
            for name, value in (("types", ",".join(types)), ("community", community))
            if value
        }
        self._last_id = self._id = after
        self._retries = retries
        self._failures = 0
        self._data: list[str] = []
        # How long to wait before the next connection, as the server asks.
        self.pause_seconds = _PAUSE_SECONDS

    def request(self, http: httpx2.Client | httpx2.AsyncClient) -> httpx2.Request:
        self._data, self._id = [], self._last_id
        headers = {"Accept": "text/event-stream"}
        if self._last_id:
            headers["Last-Event-ID"] = self._last_id
        return http.build_request(
            "GET",
            "events",
            params=self._params,
            headers=headers,
            timeout=httpx2.Timeout(http.timeout.connect, read=SILENCE_SECONDS),
        )

    def wait_after_failure(self, error: httpx2.RequestError) -> float:
        """Return how long to wait before the next connection. Raises when there is none."""
        if not isinstance(error, httpx2.TransportError):
            raise MalformedAnswer(f"The answer cannot be read: {error}") from error
        self._failures += 1
        wait = self._retries.wait_before_next(self._failures)
        if wait is None:
            raise unreachable(error) from error
        return wait

    def wait_after_refusal(self, response: httpx2.Response) -> float:
        """Return how long to wait after an answer that is no stream. Raises what it says.

        The answer is read.
        """
        error = problem_error_of(response, "")
        self._failures += 1
        wait = None
        if may_pass(error):
            wait = self._retries.wait_before_next(self._failures, error.retry_after_seconds)
        if wait is None:
            raise error
        return wait

    def feed(self, line: str) -> Event | None:
        """Take a line; return the event that it ends, None when it ends none."""
        self._failures = 0
        if not line:
            # Only now: what breaks off in the middle is to be told again.
            self._last_id = self._id
            data, self._data = "\n".join(self._data), []
            return _event_of(data) if data else None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id" and "\x00" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdecimal():
            self.pause_seconds = min(int(value) / 1000, _LONGEST_PAUSE_SECONDS)
        return None


def _event_of(data: str) -> Event:
    try:
        return Event.read(Facts(json.loads(data)))
    except ValueError:
        raise MalformedAnswer("An event is no JSON; is the address Gatehouse's?") from None
