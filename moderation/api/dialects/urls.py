"""Which address speaks which dialect. Their paths are those services' own."""

from __future__ import annotations

from django.urls import path

from moderation.api.dialects import akismet, coral, discuse, moderate, perspective
from moderation.api.dialects.openai import Moderations

app_name = "dialects"

urlpatterns = [
    path("v1/moderations", Moderations.as_view(), name="openai"),
    path("moderations", Moderations.as_view(), name="openai-bare"),
    path("v1alpha1/comments:analyze", perspective.Analyze.as_view(), name="perspective"),
    path(
        "v1alpha1/comments:suggestscore",
        perspective.SuggestScore.as_view(),
        name="perspective-suggest",
    ),
    path("$discovery/rest", perspective.Discovery.as_view(), name="perspective-discovery"),
    path("discuse/api/v1/check", discuse.Check.as_view(), name="discuse"),
    path("moderate", moderate.Moderate.as_view(), name="moderate"),
    path("moderate/batch", moderate.ModerateBatch.as_view(), name="moderate-batch"),
    path("coral/<slug:community>", coral.Phase.as_view(), name="coral"),
]
# Some of Akismet's clients can be told a host, and no path.
for before in ("akismet/1.1/", "1.1/"):
    urlpatterns += [
        path(f"{before}verify-key", akismet.VerifyKey.as_view(), name="akismet-verify-key"),
        path(f"{before}comment-check", akismet.CommentCheck.as_view(), name="akismet-check"),
        path(f"{before}submit-spam", akismet.SubmitSpam.as_view(), name="akismet-spam"),
        path(f"{before}submit-ham", akismet.SubmitHam.as_view(), name="akismet-ham"),
    ]

# Nobody comes here with a session, so that none has to be looked for.
ADDRESSES = frozenset(f"/{one.pattern}" for one in urlpatterns)
