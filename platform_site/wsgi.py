"""Plain HTTP under a WSGI server (granian in production)."""

import os
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "platform_site.settings")

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def as_the_proxy_says(application: Application) -> Application:
    """Name the proxy's visitor, not the proxy: wrong passwords are counted by address.

    The last address is what the proxy itself saw; those before it may be the visitor's invention.
    """

    def named(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        last = environ.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
        if _is_address(last):
            environ["REMOTE_ADDR"] = last
        return application(environ, start_response)

    return named


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


application: Application = get_wsgi_application()
if settings.BEHIND_PROXY:
    application = as_the_proxy_says(application)
