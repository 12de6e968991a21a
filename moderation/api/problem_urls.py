"""Where the `type` of a problem leads, below `/problems/`."""

from __future__ import annotations

from django.urls import path

from moderation.api.views.fallback import ExplainProblem

urlpatterns = [path("<slug:code>", ExplainProblem.as_view(), name="problem")]
