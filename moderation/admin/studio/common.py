"""What the studio's pages share: who may, which drafts are theirs, how a page is made."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from moderation.admin.scoped import own_communities
from moderation.models import Community, PolicyDraft

WRITES: Final = "moderation.add_policyrevision"
PUTS_IN_FORCE: Final = "moderation.change_policyrevision"
TRIES: Final = ("moderation.add_experiment", "moderation.change_experiment")


def must(request: HttpRequest, *permissions: str) -> None:
    if not all(request.user.has_perm(permission) for permission in permissions):
        raise PermissionDenied


def find_draft(request: HttpRequest, draft_id: int) -> PolicyDraft:
    """Return a draft of the reader's own communities. Raises `Http404`, `PermissionDenied`."""
    must(request, WRITES)
    drafts = PolicyDraft.objects.select_related(
        "community__policy", "based_on", "made", "editor"
    ).filter(community__in=own_communities(request))
    draft = drafts.filter(pk=draft_id).first()
    if draft is None:
        raise Http404("There is no such draft in your communities.")
    return draft


def find_community(request: HttpRequest, community_id: int) -> Community:
    must(request, WRITES)
    found = own_communities(request).select_related("policy").filter(pk=community_id).first()
    if found is None:
        raise Http404("You do not moderate such a community.")
    return found


def page(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    return TemplateResponse(
        request,
        f"moderation/admin/studio/{template}",
        {**admin.site.each_context(request), **context},
    )
