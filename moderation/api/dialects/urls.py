"""Which address speaks which dialect. Their paths are those services' own."""

from __future__ import annotations

from django.urls import path

from moderation.api.dialects.openai import Moderations

app_name = "dialects"

urlpatterns = [
    path("v1/moderations", Moderations.as_view(), name="openai"),
    path("moderations", Moderations.as_view(), name="openai-bare"),
]

# Nobody comes here with a session, so that none has to be looked for.
ADDRESSES = frozenset(f"/{one.pattern}" for one in urlpatterns)
