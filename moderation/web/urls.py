"""Pages and files that moderation itself serves."""

from __future__ import annotations

from django.urls import path

from moderation.web import views

urlpatterns = [path("media/<uuid:media_id>", views.media, name="media")]
