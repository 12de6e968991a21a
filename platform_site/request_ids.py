"""Every request has an id: the client's own, where it is a sane one, else a new one.

It comes back with the answer, stands in problems, and in every line that is logged meanwhile.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable
from typing import cast

import structlog
from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-ID"
# What the views and the logging of pages read; what a client sent stands there no more.
META_KEY = "HTTP_X_REQUEST_ID"
# Nothing that could break out of a log's line or of a header.
_SANE = re.compile(r"[\w.:=+/@-]{1,128}", re.ASCII)

Respond = Callable[[HttpRequest], HttpResponse]
RespondLater = Callable[[HttpRequest], Awaitable[HttpResponse]]


class RequestIds:
    """Name each request before anything else sees it."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Respond | RespondLater) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        if self.is_async:
            return self._respond_later(request)
        respond = cast("Respond", self.get_response)
        _name(request)
        return _told(request, respond(request))

    async def _respond_later(self, request: HttpRequest) -> HttpResponse:
        respond = cast("RespondLater", self.get_response)
        _name(request)
        return _told(request, await respond(request))


def _name(request: HttpRequest) -> None:
    sent: str = request.META.get(META_KEY, "")
    name = sent if _SANE.fullmatch(sent) else f"req_{secrets.token_hex(12)}"
    request.META[META_KEY] = name
    # Stays until the next request of this thread or task: Django logs bad answers at the very end.
    structlog.contextvars.bind_contextvars(request_id=name)


def _told(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    response.headers[HEADER] = request.META[META_KEY]
    return response
