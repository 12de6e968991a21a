"""Lets in the sockets of this site's own pages only: browsers send cookies with any page's."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from channels.security.websocket import WebsocketDenier
from django.conf import settings
from django.http.request import split_domain_port, validate_host

Application = Callable[[Any, Any, Any], Awaitable[Any]]


def own_pages_only(application: Application) -> Application:
    """Turn away sockets without an `Origin`, or with another page's.

    As Django does for forms, and unlike Channels' own validator, the port counts: what else runs
    on this host gets the same cookies.
    """
    turn_away = WebsocketDenier.as_asgi()

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        admit = application if is_own_page(origin, host=host) else turn_away
        await admit(scope, receive, send)

    return guarded


def is_own_page(origin: str, *, host: str) -> bool:
    """Whether a page of `origin` is ours, given the `Host` that the socket was opened to."""
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    domain, _port = split_domain_port(host)
    return (
        bool(host)
        and origin == f"{settings.SITE_URL.scheme}://{host}"
        and validate_host(domain, settings.ALLOWED_HOSTS)
    )
