"""Which address leads where."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from platform_site import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("health", health.health, name="health"),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
]
for route, module in [
    ("api/v1/", "moderation.api.urls"),
    ("", "moderation.web.urls"),
    ("", "platform_site.forum.urls"),
]:
    if find_spec(module):
        urlpatterns.append(path(route, include(module)))
