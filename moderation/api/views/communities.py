"""Communities and their policies, for programs that manage them."""

from __future__ import annotations

import json
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from moderation import communities
from moderation.api.answers import time_of
from moderation.api.pages import page_of, read_page
from moderation.api.serializers import communities as shapes
from moderation.api.views.keyed import KeyedView, spend_reading, spend_writing
from moderation.errors import InvalidFields, InvalidPolicy, NotFound
from moderation.fields import Fields
from moderation.models import Community, PolicyRevision
from moderation.vocabulary import Scope

MAX_NOTE_CHARS = 300
MAX_POLICY_BYTES = 64 * 1024
# What is wrong may quote the document.
MAX_FAULT_CHARS = 500


class ListCommunities(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.LIST_COMMUNITIES)
    def get(self, request: Request) -> Response:
        """List the communities that the key opens, by their slugs."""
        caller = spend_reading(request)
        page = read_page(request)
        found = caller.communities().select_related("policy").order_by("slug")
        if page.cursor:
            found = found.filter(slug__gt=page.cursor)
        return Response(page_of(request, page, found, lambda one: one.slug, _community))


def _community(community: Community) -> dict[str, Any]:
    return {
        "slug": community.slug,
        "name": community.name,
        "language": community.language,
        "text_mode": community.text_mode,
        "image_mode": community.image_mode,
        "gif_mode": community.gif_mode,
        "video_mode": community.video_mode,
        "open_to_site_users": community.open_to_site_users,
        "policy": {"revision": community.policy.number if community.policy else None},
        "created_at": time_of(community.created_at),
    }


class ListPolicies(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.LIST_POLICIES)
    def get(self, request: Request, slug: str) -> Response:
        """List a community's policies, the newest first."""
        community = _find(spend_reading(request).communities(), slug)
        page = read_page(request)
        found = community.policy_revisions.order_by("-number")
        if page.cursor:
            found = found.filter(number__lt=page.number())
        return Response(
            page_of(
                request,
                page,
                found,
                lambda one: str(one.number),
                lambda one: _policy(one, community),
            )
        )


class RevisePolicy(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.REVISE_POLICY)
    def post(self, request: Request, slug: str) -> Response:
        """Store a community's next policy; it judges once it is activated."""
        caller = spend_writing(request)
        fields = Fields(request.data)
        note = fields.text("note", most=MAX_NOTE_CHARS)
        document = _document(fields)
        fields.finish()
        community = _find(caller.communities(), slug)
        try:
            revision = communities.revise_policy(
                community=community, document=document, user=caller.actor, note=note
            )
        except InvalidPolicy as error:
            raise InvalidFields.of("document", str(error)[:MAX_FAULT_CHARS]) from None
        return Response(_policy(revision, community), status=201)


class Policies(ListPolicies, RevisePolicy):
    """`/communities/{slug}/policies`"""


class ActivatePolicy(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.ACTIVATE_POLICY)
    def post(self, request: Request, slug: str, number: str) -> Response:
        """Let a policy judge from now on."""
        caller = spend_writing(request)
        community = _find(caller.communities(), slug)
        known = int(number) if number.isascii() and number.isdecimal() and len(number) < 10 else 0
        revision = community.policy_revisions.filter(number=known).first()
        if revision is None:
            raise NotFound("There is no such policy.")
        communities.activate_policy(revision=revision, user=caller.actor)
        community.refresh_from_db()
        return Response(_policy(revision, community))


def _document(fields: Fields) -> dict[str, Any]:
    found = fields.json_object("document")
    try:
        text = json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        fields.note("document", "holds half of a surrogate pair or an endless number")
        return {}
    if len(text) > MAX_POLICY_BYTES:
        fields.note("document", f"has at most {MAX_POLICY_BYTES} bytes")
    if b"\\u0000" in text:
        fields.note("document", "holds the NUL character")
    return found


def _policy(revision: PolicyRevision, community: Community) -> dict[str, Any]:
    return {
        "revision": revision.number,
        "active": revision.pk == community.policy_id,
        "note": revision.note,
        "document": revision.document,
        "created_at": time_of(revision.created_at),
    }


def _find(opened: Any, slug: str) -> Community:
    # A slug has none of these, and the database takes no NUL.
    found: Community | None = None
    if "\x00" not in slug:
        found = opened.filter(slug=slug).first()
    if found is None:
        raise NotFound("There is no such community.")
    return found
