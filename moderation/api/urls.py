"""Which address does what, below `/api/`."""

from __future__ import annotations

from django.urls import path

from moderation.api.views.check import Check
from moderation.api.views.communities import ActivatePolicy, ListCommunities, Policies
from moderation.api.views.content import GetContentStatus, SubmitContent
from moderation.api.views.decisions import ListDecisions
from moderation.api.views.documents import DocsPage, OpenApiDocument
from moderation.api.views.events import Events
from moderation.api.views.fallback import Nowhere
from moderation.api.views.hint import Hint
from moderation.api.views.keys import Keys, RevokeKey, RotateKey
from moderation.api.views.posts import GetStatus, OnePost, Posts, SubmitPosts
from moderation.api.views.usage import GetUsage

app_name = "api"

urlpatterns = [
    path("v1/posts", Posts.as_view(), name="posts"),
    path("v1/posts/bulk", SubmitPosts.as_view(), name="posts-bulk"),
    path("v1/posts/<str:post_id>", OnePost.as_view(), name="post"),
    path("v1/posts/<str:post_id>/status", GetStatus.as_view(), name="post-status"),
    path("v1/posts/<str:post_id>/decisions", ListDecisions.as_view(), name="post-decisions"),
    path("v1/events", Events.as_view(), name="events"),
    path("v1/content/submit", SubmitContent.as_view(), name="content-submit"),
    path("v1/content/<str:content_id>/status", GetContentStatus.as_view(), name="content-status"),
    path("v1/check", Check.as_view(), name="check"),
    path("v1/hint", Hint.as_view(), name="hint"),
    path("v1/communities", ListCommunities.as_view(), name="communities"),
    path("v1/communities/<str:slug>/policies", Policies.as_view(), name="policies"),
    path(
        "v1/communities/<str:slug>/policies/<str:number>/activate",
        ActivatePolicy.as_view(),
        name="policy-activate",
    ),
    path("v1/keys", Keys.as_view(), name="keys"),
    path("v1/keys/<str:key_id>", RevokeKey.as_view(), name="key"),
    path("v1/keys/<str:key_id>/rotate", RotateKey.as_view(), name="key-rotate"),
    path("v1/usage", GetUsage.as_view(), name="usage"),
    path("v1/openapi.json", OpenApiDocument.as_view(), name="openapi"),
    path("v1/docs", DocsPage.as_view(), name="docs"),
    path("", Nowhere.as_view(), name="nowhere-else"),
    path("<path:rest>", Nowhere.as_view(), name="nowhere"),
]
