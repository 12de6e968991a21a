"""Services that judge for us: what there is, how each is set up, how it is doing.

catalogue   what is set up, what is our own, what there is besides
service     one service: how it is doing, a try, its breaker
set_up      set up, change, remove
form        a field for each setting, and the terms
words       what an operator reads
pages       what all of them share
documents   our documentation, read for a page
"""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import admin
from django.http import HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from moderation.admin.providers import catalogue, service, set_up


def urls() -> list[URLPattern]:
    """Return the addresses of the services' pages, below the admin's own."""
    return [
        _path("", catalogue.list_view, "providers"),
        _path("about/<slug:adapter>/", catalogue.about_view, "provider_about"),
        _path("set-up/<slug:adapter>/", set_up.set_up_view, "provider_set_up"),
        _path("service/<slug:name>/", service.service_view, "provider"),
        _path("service/<slug:name>/change/", set_up.change_view, "provider_change"),
        _path("service/<slug:name>/remove/", set_up.remove_view, "provider_remove"),
        *(
            _path(f"service/<slug:name>/{step}/", require_POST(view), f"provider_{name}")
            for step, view, name in (
                ("try", service.try_view, "try"),
                ("hold-open", service.hold_open_view, "hold_open"),
                ("hold-closed", service.hold_closed_view, "hold_closed"),
                ("release", service.release_view, "release"),
            )
        ),
    ]


def _path(route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
    found: URLPattern = path(route, admin.site.admin_view(view), name=f"moderation_{name}")
    return found
