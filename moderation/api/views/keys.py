"""API keys, for programs that manage them. A key's text is told once, when it is made."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from moderation import communities
from moderation.api.answers import time_of
from moderation.api.callers import KeyCaller
from moderation.api.pages import page_of, read_page
from moderation.api.serializers import keys as shapes
from moderation.api.views.keyed import KeyedView, spend_reading, spend_writing
from moderation.credentials import Tier, tier_of
from moderation.drafts import MAX_ID_CHARS
from moderation.errors import InvalidFields, NotFound
from moderation.fields import Fields
from moderation.models import ApiKey, Community, Organisation
from moderation.queries import database_now
from moderation.vocabulary import Priority, Scope

MAX_NAME_CHARS = 100
# From the last that is looked at to the first.
_PRIORITIES = (Priority.LOW, Priority.NORMAL, Priority.HIGH)


class ListKeys(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.LIST_KEYS)
    def get(self, request: Request) -> Response:
        """List keys, those that are no good any more too, the newest first."""
        caller = spend_reading(request)
        page = read_page(request)
        found = keys_of(caller).order_by("-pk")
        if page.cursor:
            last = found.filter(key_id=page.cursor).first()
            if last is None:
                raise InvalidFields.of("cursor", "is not one that we gave")
            found = found.filter(pk__lt=last.pk)
        return Response(page_of(request, page, found, lambda one: one.key_id, _key))


class IssueKey(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.ISSUE_KEY)
    def post(self, request: Request) -> Response:
        """Make a key, and tell its text this once."""
        caller = spend_writing(request)
        fields = Fields(request.data)
        name = fields.text("name", most=MAX_NAME_CHARS)
        scopes = fields.items("scopes", most=len(Scope))
        known = [scope for scope in scopes if isinstance(scope, str) and scope in Scope.values]
        if not scopes or len(known) < len(scopes):
            fields.note("scopes", f"are among {', '.join(Scope.values)}")
        slug = fields.text("community", most=MAX_ID_CHARS)
        tier = _tier(fields, most=tier_of(caller.key))
        expires_at = fields.moment("expires_at")
        if expires_at is not None and expires_at <= database_now():
            fields.note("expires_at", "has passed")
        fields.finish()
        key, text = communities.issue_key(
            owner=_owner(caller, slug),
            scopes=known,
            name=name,
            user=caller.actor,
            expires_at=expires_at,
            tier=tier,
        )
        return Response({**_key(key), "key": text}, status=201)


def _owner(caller: KeyCaller, slug: str) -> Community | Organisation:
    """An organisation's key makes keys like itself, or for the community that is named."""
    if not slug and caller.key.organisation is not None:
        return caller.key.organisation
    return caller.community(slug)


def _tier(fields: Fields, *, most: Tier) -> Tier:
    """Return what a new key may send: at most what its maker may, and just that where not said."""
    fastest, largest = max(1, int(most.per_second)), most.burst
    rate = fields.number("rate_per_second", least=1, most=fastest, default=0)
    burst = fields.number("rate_burst", least=1, most=largest, default=0)
    allowed = _PRIORITIES[: _PRIORITIES.index(most.priority) + 1]
    priority = fields.text("priority", most=MAX_ID_CHARS) or most.priority
    if priority not in allowed:
        fields.note("priority", f"is one of {', '.join(allowed)}")
        priority = most.priority
    return Tier(
        min(rate, most.per_second) or most.rate_per_second,
        burst or most.rate_burst,
        Priority(priority),
    )


class Keys(ListKeys, IssueKey):
    """`/keys`"""


class RevokeKey(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.REVOKE_KEY)
    def delete(self, request: Request, key_id: str) -> Response:
        """Revoke a key; within a second it opens nothing."""
        caller = spend_writing(request)
        communities.revoke_key(key=_find_living(caller, key_id), user=caller.actor)
        return Response(status=204)


class RotateKey(KeyedView):
    scope = Scope.ADMIN

    @extend_schema(**shapes.ROTATE_KEY)
    def post(self, request: Request, key_id: str) -> Response:
        """Make a key's successor; the old one works for a day longer."""
        caller = spend_writing(request)
        old = _find_living(caller, key_id)
        successor, text = communities.rotate_key(key=old, user=caller.actor)
        return Response({**_key(successor), "key": text, "replaces": old.key_id}, status=201)


def keys_of(caller: KeyCaller) -> QuerySet[ApiKey]:
    """Return the keys of a community, or of an organisation and all its communities."""
    own = caller.key
    if own.community_id is not None:
        mine = Q(community=own.community_id)
    else:
        mine = Q(organisation=own.organisation_id) | Q(community__organisation=own.organisation_id)
    return ApiKey.objects.filter(mine).select_related("community", "organisation")


def _find_living(caller: KeyCaller, key_id: str) -> ApiKey:
    living = keys_of(caller).filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=Now()), revoked_at__isnull=True
    )
    found = living.filter(key_id=key_id).first() if "\x00" not in key_id else None
    if found is None:
        raise NotFound("There is no such key.")
    return found


def _key(key: ApiKey) -> dict[str, Any]:
    tier = tier_of(key)
    return {
        "id": key.key_id,
        "name": key.name,
        "community": key.community.slug if key.community else None,
        "scopes": key.scopes,
        "rate_per_second": tier.per_second,
        "rate_burst": tier.burst,
        "priority": tier.priority,
        "created_at": time_of(key.created_at),
        "expires_at": time_of(key.expires_at),
        "revoked_at": time_of(key.revoked_at),
        "last_used_at": time_of(key.last_used_at),
    }
