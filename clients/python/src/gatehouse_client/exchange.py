"""One call with all its attempts, without sending anything: shared by both clients."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypedDict, TypeVar
from uuid import uuid4

import httpx2

from gatehouse_client._version import __version__
from gatehouse_client.answers import read_bulk_items, read_problem
from gatehouse_client.calls import Answer, Call, form_of
from gatehouse_client.errors import (
    AllRefused,
    GatehouseError,
    MalformedAnswer,
    NotConfigured,
    Problem,
    ProblemError,
    TimedOut,
    Unreachable,
    error_class_of,
)
from gatehouse_client.facts import Facts
from gatehouse_client.retries import Retries, may_pass, read_retry_after

T = TypeVar("T")

URL_VARIABLE = "GATEHOUSE_URL"
KEY_VARIABLE = "GATEHOUSE_KEY"
# A check waits up to 10 s for outside providers, and a batch holds a hundred.
TIMEOUT_SECONDS = 30.0
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Where to ask, for whom, and how patiently. The key never shows."""

    url: str
    key: str = field(repr=False)
    community: str
    timeout_seconds: float
    retries: Retries

    @classmethod
    def read(
        cls,
        url: str | None,
        key: str | None,
        *,
        community: str,
        timeout_seconds: float,
        retries: Retries | None,
    ) -> Settings:
        """Take what is not given from the environment. Raises `NotConfigured`."""
        chosen = (url or os.environ.get(URL_VARIABLE, "")).strip().rstrip("/")
        if not chosen:
            raise NotConfigured(f"Give the server's address, or set {URL_VARIABLE} to it.")
        if not chosen.startswith(("https://", "http://")):
            raise NotConfigured(f"{chosen!r} is no address: one begins with https:// or http://.")
        secret = (key or os.environ.get(KEY_VARIABLE, "")).strip()
        if not secret:
            raise NotConfigured(f"Give a key, or set {KEY_VARIABLE} to one.")
        if not (secret.isascii() and secret.isprintable()):
            raise NotConfigured("The key holds characters that no key has.")
        return cls(chosen, secret, community, timeout_seconds, retries or Retries())


class _ClientOptions(TypedDict):
    base_url: str
    headers: Mapping[str, str]
    timeout: httpx2.Timeout
    follow_redirects: bool


def options_of(settings: Settings) -> _ClientOptions:
    """Return what both HTTP clients are made with."""
    seconds = settings.timeout_seconds
    try:
        httpx2.URL(settings.url)
    except httpx2.InvalidURL as error:
        raise NotConfigured(f"{settings.url!r} is no address: {error}") from None
    return {
        "base_url": f"{settings.url}/api/v1/",
        "headers": {
            "Authorization": f"Bearer {settings.key}",
            "Accept": "application/json",
            "User-Agent": f"gatehouse-client-python/{__version__}",
        },
        "timeout": httpx2.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS)),
        # The key must not follow to another host.
        "follow_redirects": False,
    }


class Exchange(Generic[T]):
    """A call under way: what is sent, and after each attempt whether to wait for another."""

    def __init__(self, call: Call[T], retries: Retries) -> None:
        self._call = call
        self._retries = retries if call.is_repeatable else Retries(attempts=1)
        self._tried = 0
        self._may_be_done = False
        # The same for all attempts: the server's log then tells of one call.
        self.request_id = str(uuid4())

    def request(self, http: httpx2.Client | httpx2.AsyncClient) -> httpx2.Request:
        """Return the next attempt."""
        self._tried += 1
        call = self._call
        headers = {"X-Request-ID": self.request_id, **call.headers}
        if call.files:
            files = [("media", (item.name, item.data, item.content_type)) for item in call.files]
            return http.build_request(
                call.method, call.path, headers=headers, data=dict(form_of(call)), files=files
            )
        if call.body is None:
            return http.build_request(call.method, call.path, headers=headers, params=call.params)
        # Python's own JSON escapes what UTF-8 cannot hold; the server then says what is wrong.
        content = json.dumps(call.body, allow_nan=False).encode()
        headers["Content-Type"] = "application/json"
        return http.build_request(call.method, call.path, headers=headers, content=content)

    def wait_after_failure(self, error: httpx2.RequestError) -> float:
        """Return how long to wait before the next attempt. Raises when there is none."""
        if not isinstance(error, httpx2.TransportError):
            raise MalformedAnswer(f"The answer cannot be read: {error}") from error
        self._may_be_done |= not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
        wait = self._retries.wait_before_next(self._tried)
        if wait is None:
            raise unreachable(error) from error
        return wait

    def wait_after_answer(self, response: httpx2.Response) -> float | None:
        """Return how long to wait, None after the last answer. Raises what it says is wrong."""
        if response.is_success or self._is_gone(response):
            return None
        error = problem_error_of(response, self.request_id)
        wait = None
        if may_pass(error):
            self._may_be_done |= error.status >= 500
            wait = self._retries.wait_before_next(self._tried, error.retry_after_seconds)
        if wait is None:
            raise error
        return wait

    def _is_gone(self, response: httpx2.Response) -> bool:
        """Whether an earlier attempt, whose answer was lost, has already deleted the post."""
        is_deletion = self._call.method == "DELETE"
        return is_deletion and self._may_be_done and response.status_code == 404

    def read(self, response: httpx2.Response) -> T:
        """Return what the answer says. Raises `MalformedAnswer`."""
        if self._call.method == "DELETE":
            return self._call.read(Answer(None, False))
        replayed = response.headers.get("Idempotent-Replayed", "") == "true"
        return self._call.read(Answer(_json_of(response), replayed))


def unreachable(error: httpx2.TransportError) -> GatehouseError:
    """Return what to raise when there was no answer."""
    if isinstance(error, httpx2.TimeoutException):
        return TimedOut(f"No answer in time ({type(error).__name__}).")
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError):
        return NotConfigured(str(error))
    return Unreachable(f"No answer ({type(error).__name__}): {error}")


def _json_of(response: httpx2.Response) -> object:
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        raise MalformedAnswer("The answer is no JSON; is the address Gatehouse's?") from None


def problem_error_of(response: httpx2.Response, sent_request_id: str) -> ProblemError:
    """Return what an answer says is wrong, as an error."""
    problem = _problem_of(response)
    error = error_class_of(problem)(
        problem,
        request_id=response.headers.get("X-Request-ID") or sent_request_id,
        retry_after_seconds=read_retry_after(response.headers),
    )
    if isinstance(error, AllRefused):
        error.results = read_bulk_items(Facts(problem.raw))
    return error


def _problem_of(response: httpx2.Response) -> Problem:
    """Return the problem; of an answer that is not Gatehouse's only the status is known."""
    try:
        found = read_problem(Facts(_json_of(response)))
    except MalformedAnswer:
        return Problem(status=response.status_code, title=response.reason_phrase)
    return found
