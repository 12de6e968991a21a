"""Every error that the client raises on purpose.

GatehouseError
├── NotConfigured            no address, or one that cannot be used
├── Unreachable              no answer: refused, broken off
│   └── TimedOut             no answer in time
├── MalformedAnswer          an answer that is not Gatehouse's
├── StillPending             waited long enough for a verdict
├── WebhookRefused           not signed by whom it should be, or too old
└── ProblemError             the server said what is wrong; `code` is stable
    ├── InvalidRequest       correct it: sending it again cannot help
    │   ├── BlockedWords     the community refuses these words
    │   └── AllRefused       no post of a bulk request was accepted
    ├── NotAuthenticated     no living key
    ├── NotAllowed           the key may not do this
    ├── NotFound             not there, or not yours to read
    ├── Conflict             the post has moved on
    │   └── StaleRevision    it was edited since you read it
    ├── IdempotencyRunning   the first request with this key still runs
    ├── IdempotencyMismatch  the key was used with another payload
    ├── RateLimited          too many; come back when told
    └── ServerFailed         the server cannot answer now
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatehouse_client.answers import BulkItem, PostStatus


class GatehouseError(Exception):
    """What all the client's errors have in common."""


class NotConfigured(GatehouseError, ValueError):
    """The client does not know where to ask, or whom it speaks for."""


class Unreachable(GatehouseError):
    """No answer came. What was asked may have been done all the same."""


class TimedOut(Unreachable):
    """No answer came in time."""


class MalformedAnswer(GatehouseError):
    """The answer has another shape than Gatehouse's: perhaps another server stands there."""


class StillPending(GatehouseError):
    """A post has no verdict yet. `last` is how it stood when last asked."""

    def __init__(self, last: PostStatus) -> None:
        # A queue that stores errors makes them anew from just this.
        super().__init__(last)
        self.last = last

    def __str__(self) -> str:
        return f"Post {self.last.id} is {self.last.status} still."


class WebhookRefused(GatehouseError):
    """A webhook that must not be believed."""


@dataclass(frozen=True, slots=True)
class FieldError:
    field: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Problem details (RFC 9457), of a request or of one post of a bulk request."""

    status: int
    # "" where no Gatehouse answered, but something before it.
    code: str = ""
    title: str = ""
    detail: str = ""
    errors: Sequence[FieldError] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


class ProblemError(GatehouseError):
    """The server refused. `request_id` went with the request, or is the server's own for it."""

    def __init__(
        self, problem: Problem, *, request_id: str = "", retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds

    def __str__(self) -> str:
        problem = self.problem
        name = problem.code or f"HTTP {problem.status}"
        said = ": ".join(text for text in (problem.title, problem.detail) if text)
        return f"{name}: {said}" if said else name

    @property
    def status(self) -> int:
        return self.problem.status

    @property
    def code(self) -> str:
        return self.problem.code

    @property
    def title(self) -> str:
        return self.problem.title

    @property
    def detail(self) -> str:
        return self.problem.detail

    @property
    def errors(self) -> Sequence[FieldError]:
        return self.problem.errors


class InvalidRequest(ProblemError):
    """The request is wrong; sending it again cannot help."""


class BlockedWords(InvalidRequest):
    """The community refuses words of the post."""

    @property
    def words(self) -> Sequence[str]:
        words = self.problem.raw.get("words", "")
        # Servers of today write them side by side.
        found = words.split(", ") if isinstance(words, str) else words
        return [word for word in found if word] if isinstance(found, list) else []


class AllRefused(InvalidRequest):
    """No post of a bulk request was accepted; `results` tells what refused each."""

    results: Sequence[BulkItem] = ()


class NotAuthenticated(ProblemError):
    """The key is none, expired or revoked."""


class NotAllowed(ProblemError):
    """The key lacks a scope, or the post is another's."""


class NotFound(ProblemError):
    """It does not exist, is gone, or is not yours to read."""


class Conflict(ProblemError):
    """The post has moved on: read it again."""


class StaleRevision(Conflict):
    """The post was edited since it was read; nothing was changed."""


class IdempotencyRunning(ProblemError):
    """The first request with this key still runs."""


class IdempotencyMismatch(ProblemError):
    """The key was used with another payload."""


class RateLimited(ProblemError):
    """Too many requests. `retry_after_seconds` says when there may be more."""


class ServerFailed(ProblemError):
    """The server, or something before it, cannot answer now."""


_OF_CODE: Mapping[str, type[ProblemError]] = {
    "all_refused": AllRefused,
    "blocked_words": BlockedWords,
    "conflict": Conflict,
    "idempotency_mismatch": IdempotencyMismatch,
    "idempotency_running": IdempotencyRunning,
    "stale_revision": StaleRevision,
}
_OF_STATUS: Mapping[int, type[ProblemError]] = {
    401: NotAuthenticated,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    412: StaleRevision,
    429: RateLimited,
}


def error_class_of(problem: Problem) -> type[ProblemError]:
    """Return the class that tells of a problem: by its code, else by its status."""
    found = _OF_CODE.get(problem.code) or _OF_STATUS.get(problem.status)
    if found is not None:
        return found
    if problem.status >= 500:
        return ServerFailed
    return InvalidRequest if problem.status >= 400 else ProblemError
