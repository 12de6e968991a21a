"""Every error as an HTTP answer: RFC 9457 problem details. The only place that turns one into HTTP.

A problem's `code` is stable and its `type` an address that explains it. A view that speaks another
dialect names its own `write_problem`.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse, JsonResponse, UnreadablePostError
from rest_framework import exceptions as drf

from moderation import errors, tracing

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of problem: its status, its title, and what a client can do about it."""

    status: int
    title: str
    advice: str


KINDS: Mapping[str, Kind] = {
    "malformed_request": Kind(
        400, "The request cannot be read", "Send valid JSON in UTF-8, or a form, as documented."
    ),
    "invalid_fields": Kind(
        400, "Fields are missing or malformed", "Correct what `errors` names and send it again."
    ),
    "invalid_submission": Kind(400, "This cannot become a post", "`detail` says what to change."),
    "blocked_words": Kind(
        400, "The community refuses these words", "Let the author write it otherwise."
    ),
    "media_refused": Kind(
        400, "An attachment cannot be used", "Send a JPEG, PNG, WebP or GIF within the limits."
    ),
    "all_refused": Kind(
        400, "No post of the request was accepted", "`results` holds the problem of each post."
    ),
    "not_authenticated": Kind(
        401, "The caller is unknown", "Send `Authorization: Bearer` with a living key, or log in."
    ),
    "not_allowed": Kind(
        403, "The caller may not do this", "Use a key with the scope that `detail` names."
    ),
    "author_silenced": Kind(
        403,
        "The author may not post now",
        "`until` says how long, null for no end; show them `detail`. They may object.",
    ),
    "author_suspended": Kind(
        403,
        "The author may not take part now",
        "`until` says how long, null for no end; show them `detail`. They may object.",
    ),
    "not_found": Kind(
        404, "There is no such thing", "It does not exist, is gone, or is not yours to read."
    ),
    "method_not_allowed": Kind(
        405, "This address does not take this method", "`Allow` lists those that it takes."
    ),
    "conflict": Kind(409, "Things have moved on", "Read it again, then decide again."),
    "idempotency_running": Kind(
        409, "The first request with this key still runs", "Wait for Retry-After, then repeat it."
    ),
    "undo_too_late": Kind(
        409, "Others have been told of the decision", "Reverse what it caused instead."
    ),
    "cannot_appeal": Kind(
        409,
        "There is nothing to object to",
        "`detail` says why; what was decided may have changed.",
    ),
    "too_late_to_appeal": Kind(
        409, "The time to object is over", "`detail` says until when it could be appealed."
    ),
    "appeal_closed": Kind(
        409, "The appeal was answered or withdrawn", "Read it again: `state` and `answer` say how."
    ),
    "stale_revision": Kind(
        412, "The post was edited meanwhile", "Read it again and send its new ETag."
    ),
    "too_large": Kind(413, "The request is too large", "Send less at once."),
    "unsupported_media_type": Kind(
        415, "This content type is not read here", "Send application/json, or a form with files."
    ),
    "idempotency_mismatch": Kind(
        422, "The Idempotency-Key came with another payload", "Use a new key for a new request."
    ),
    "rate_limited": Kind(
        429, "Too many requests", "Wait as long as Retry-After says, then go on more slowly."
    ),
    "unavailable": Kind(
        503, "The database does not answer", "Nothing was stored; repeat it after Retry-After."
    ),
    "media_store_unavailable": Kind(
        503, "Attachments cannot be stored now", "Nothing was stored; repeat it after Retry-After."
    ),
    "provider_unavailable": Kind(
        503,
        "The text cannot be looked at now",
        "Nobody has judged it: ask again later, or let a person look. A hint can be done without.",
    ),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong with one request, or with one post of a bulk request."""

    code: str
    detail: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def status(self) -> int:
        return KINDS[self.code].status

    def body(self) -> dict[str, Any]:
        kind = KINDS[self.code]
        return {
            "type": f"/problems/{self.code}",
            "title": kind.title,
            "status": kind.status,
            "detail": self.detail,
            "code": self.code,
            **self.extra,
        }


def write_problem(problem: Problem) -> HttpResponse:
    # Written out at once: a view that renders pages must not draw one of this.
    return JsonResponse(
        problem.body(),
        status=problem.status,
        headers=dict(problem.headers),
        content_type=CONTENT_TYPE,
    )


# The owner's content service knows one word an error, and nothing else.
_CONTENT_DETAIL = {
    401: "Authentication required",
    403: "Not allowed",
    404: "Content not found",
    405: "Method not allowed",
    429: "Rate limit exceeded",
    503: "Service unavailable",
}


def write_content_problem(problem: Problem) -> HttpResponse:
    """Answer as the content service's document says: whatever is wrong with a body is a 400."""
    detail = _CONTENT_DETAIL.get(problem.status, "Invalid request body")
    status = problem.status if problem.status in _CONTENT_DETAIL else 400
    return JsonResponse({"detail": detail}, status=status, headers=dict(problem.headers))


def problem_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """Return the answer to an error, None for one that nobody raised on purpose: that crashes."""
    problem = problem_of(error)
    if problem is None:
        return None
    request = context.get("request")
    if request is not None and (name := request.META.get("HTTP_X_REQUEST_ID")):
        problem = replace(problem, extra={**problem.extra, "request_id": name})
    if trace := tracing.trace_id(tracing.traceparent()):
        problem = replace(problem, extra={**problem.extra, "trace_id": trace})
    write: Callable[[Problem], HttpResponse] = getattr(
        context.get("view"), "write_problem", write_problem
    )
    return write(problem)


def problem_of(error: Exception) -> Problem | None:
    """Return what an error means to a client, None when it means a fault of ours."""
    if isinstance(error, errors.ModerationError):
        return _of_ours(error)
    if isinstance(error, drf.APIException):
        return _of_framework(error)
    if isinstance(error, OperationalError | InterfaceError):
        logger.warning("database_unavailable", exc_info=error)
        return Problem("unavailable", "Try again in a moment.", headers={"Retry-After": "1"})
    for known, code in _DJANGO.items():
        if isinstance(error, known):
            return Problem(code, str(error) or KINDS[code].advice)
    return None


_DJANGO: Mapping[type[Exception], str] = {
    Http404: "not_found",
    PermissionDenied: "not_allowed",
    RequestDataTooBig: "too_large",  # before its parent
    SuspiciousOperation: "malformed_request",
    UnreadablePostError: "malformed_request",
}


def _of_ours(error: errors.ModerationError) -> Problem | None:
    if isinstance(error, errors.ProviderError):
        return Problem("provider_unavailable", KINDS["provider_unavailable"].advice)
    if error.code not in KINDS:
        return None
    extra: dict[str, Any] = {}
    headers: dict[str, str] = {}
    if isinstance(error, errors.InvalidFields):
        extra["errors"] = [{"field": name, "message": wrong} for name, wrong in error.errors]
    if isinstance(error, errors.BlockedWords):
        extra["words"] = error.details["words"]
    if isinstance(error, errors.AuthorBarred):
        extra["until"] = error.until.isoformat() if error.until else None
        extra["statement"] = error.statement or None
    if isinstance(error, errors.RateLimited):
        headers["Retry-After"] = str(math.ceil(error.retry_after_seconds))
        extra["violated-policies"] = [error.details["policy"]]
    if isinstance(error, errors.IdempotencyRunning | errors.MediaStoreAway):
        headers["Retry-After"] = "1"
    return Problem(error.code, str(error), extra, headers)


_FRAMEWORK: Mapping[type[drf.APIException], str] = {
    drf.ParseError: "malformed_request",
    drf.NotAuthenticated: "not_authenticated",
    drf.AuthenticationFailed: "not_authenticated",
    drf.PermissionDenied: "not_allowed",
    drf.NotFound: "not_found",
    drf.MethodNotAllowed: "method_not_allowed",
    drf.UnsupportedMediaType: "unsupported_media_type",
}


def _of_framework(error: drf.APIException) -> Problem | None:
    code = _FRAMEWORK.get(type(error))
    if code is None:
        return None
    challenge = getattr(error, "auth_header", None)
    # Without a way to authenticate that can be named, the framework turns a 401 into a 403.
    headers = {"WWW-Authenticate": challenge} if challenge else {}
    return Problem(code, str(error.detail), headers=headers)
