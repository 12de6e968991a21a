"""What one pretended service is to the sandbox's server: requests in, answers out."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived. `path` is without the service's prefix and the query.

    Header names are lower-case; `query` keeps every value of a name. `url` is the whole address.
    """

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes
    url: str = ""

    def json(self) -> Any:
        """Raises `ValueError` for a body that is no JSON."""
        return json.loads(self.body)

    def first(self, name: str, default: str = "") -> str:
        """Return the first value of a query parameter."""
        return next(iter(self.query.get(name, ())), default)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: `body` is bytes, or what becomes JSON."""

    status: int = 200
    body: object = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A callback that a service sends. Only loopback addresses are ever called."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    method: str = "POST"


class Desk(Protocol):
    """What the server does for a service."""

    @property
    def base_url(self) -> str:
        """Where the sandbox listens, as http://127.0.0.1:9911."""

    def call_back(self, make: Callable[[], Outgoing]) -> None:
        """Send a callback after the scripted delay: once, twice, late, forged or never.

        `make` is called when it is sent, so that its time is that of sending.
        """

    def forge(self, outgoing: Outgoing) -> Outgoing:
        """Return a callback as a stranger would send it."""

    def now(self) -> float:
        """Return the Unix time to write into a callback: long ago where that is scripted."""

    def job_to_name(self, job_id: str) -> str:
        """Return the job that a callback names: nobody's where that is scripted."""


class Service(Protocol):
    """One file of `sandbox/` each: a provider's protocol, with scores from the content's marks."""

    # The first step of its address: /openai/v1/moderations is "openai".
    prefix: str

    def answer(self, request: Request, desk: Desk) -> Reply:
        """Return the service's answer, its own errors for bad keys and bad requests included."""

    def failure(self, status: int, retry_after: str | None) -> Reply:
        """Return an error as this service words it."""
