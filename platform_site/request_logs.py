"""A line for each page request that failed, or for all: which page, by whom, never with what.

An address may hold what somebody searches for, or a link that serves once: its route stands for it.
"""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver
from django.http import HttpRequest
from django.urls import Resolver404, resolve
from django_structlog import signals
from django_structlog.middlewares import RequestMiddleware


class RequestLogs(RequestMiddleware):
    """django-structlog's, with the route in place of the address."""

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        try:
            route = (request.resolver_match or resolve(request.path_info)).route
        except Resolver404:
            route = "(no such page)"
        return f"{request.method} /{route}"


@receiver(signals.bind_extra_request_metadata)
def _leave_out_the_browser(*, log_kwargs: dict[str, Any], **_: object) -> None:
    log_kwargs.pop("user_agent", None)
