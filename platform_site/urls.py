"""Which address leads where."""

from django.contrib import admin
from django.urls import include, path

from platform_site import health
from platform_site.upkeep.views import first_admin

urlpatterns = [
    path("health", health.health, name="health"),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("admin/", admin.site.urls),
    path("accounts/first/<str:token>/", first_admin, name="first_admin"),
    path("accounts/", include("allauth.urls")),
    path("api/", include("moderation.api.urls")),
    path("problems/", include("moderation.api.problem_urls")),
    path("", include("moderation.api.dialects.urls")),
    path("", include("moderation.web.urls")),
    path("", include("platform_site.forum.urls")),
]
