"""Which address does what, below `/api/`."""

from __future__ import annotations

from django.urls import path

from moderation.api.views.appeals import (
    GetAppeal,
    ListAppeals,
    OpenAppeal,
    WithdrawAppeal,
    WriteToAppeal,
)
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
from moderation.api.views.reports import GetReport, ListReports, ReportPost
from moderation.api.views.statements import ListStatements
from moderation.api.views.usage import GetUsage
from moderation.api.views.webhooks import (
    DisableWebhook,
    EnableWebhook,
    GetDelivery,
    ListDeliveries,
    OneWebhook,
    PingWebhook,
    ReplayDeliveries,
    ReplayDelivery,
    RotateSecret,
    Webhooks,
)

app_name = "api"

urlpatterns = [
    path("v1/posts", Posts.as_view(), name="posts"),
    path("v1/posts/bulk", SubmitPosts.as_view(), name="posts-bulk"),
    path("v1/posts/<str:post_id>", OnePost.as_view(), name="post"),
    path("v1/posts/<str:post_id>/status", GetStatus.as_view(), name="post-status"),
    path("v1/posts/<str:post_id>/decisions", ListDecisions.as_view(), name="post-decisions"),
    path("v1/posts/<str:post_id>/statements", ListStatements.as_view(), name="post-statements"),
    path("v1/posts/<str:post_id>/reports", ReportPost.as_view(), name="post-reports"),
    path("v1/reports", ListReports.as_view(), name="reports"),
    path("v1/reports/<str:number>", GetReport.as_view(), name="report"),
    path("v1/posts/<str:post_id>/appeals", OpenAppeal.as_view(), name="post-appeals"),
    path("v1/appeals", ListAppeals.as_view(), name="appeals"),
    path("v1/appeals/<str:number>", GetAppeal.as_view(), name="appeal"),
    path("v1/appeals/<str:number>/messages", WriteToAppeal.as_view(), name="appeal-messages"),
    path("v1/appeals/<str:number>/withdraw", WithdrawAppeal.as_view(), name="appeal-withdraw"),
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
    path("v1/webhooks", Webhooks.as_view(), name="webhooks"),
    path("v1/webhooks/<str:number>", OneWebhook.as_view(), name="webhook"),
    path("v1/webhooks/<str:number>/rotate", RotateSecret.as_view(), name="webhook-rotate"),
    path("v1/webhooks/<str:number>/enable", EnableWebhook.as_view(), name="webhook-enable"),
    path("v1/webhooks/<str:number>/disable", DisableWebhook.as_view(), name="webhook-disable"),
    path("v1/webhooks/<str:number>/ping", PingWebhook.as_view(), name="webhook-ping"),
    path("v1/webhooks/<str:number>/replay", ReplayDeliveries.as_view(), name="webhook-replay"),
    path("v1/webhooks/<str:number>/deliveries", ListDeliveries.as_view(), name="deliveries"),
    path(
        "v1/webhooks/<str:number>/deliveries/<str:message_id>",
        GetDelivery.as_view(),
        name="delivery",
    ),
    path(
        "v1/webhooks/<str:number>/deliveries/<str:message_id>/replay",
        ReplayDelivery.as_view(),
        name="delivery-replay",
    ),
    path("v1/usage", GetUsage.as_view(), name="usage"),
    path("v1/openapi.json", OpenApiDocument.as_view(), name="openapi"),
    path("v1/docs", DocsPage.as_view(), name="docs"),
    path("", Nowhere.as_view(), name="nowhere-else"),
    path("<path:rest>", Nowhere.as_view(), name="nowhere"),
]
