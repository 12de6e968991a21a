"""Pages and files that moderation itself serves."""

from __future__ import annotations

from django.urls import path

from moderation.web import callbacks, metrics, views

urlpatterns = [
    path("media/<uuid:media_id>", views.media, name="media"),
    path("metrics", metrics.metrics, name="metrics"),
    path("callbacks/<slug:provider>", callbacks.callback, name="callback"),
    path("callbacks/<slug:provider>/<str:token>", callbacks.callback, name="callback-token"),
]
