"""Which address speaks which dialect. Their paths are those services' own."""

from __future__ import annotations

from django.urls import URLPattern

app_name = "dialects"

urlpatterns: list[URLPattern] = []
