"""Who calls: an API key in the Authorization header, or a user of this site by their session."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.auth.models import AnonymousUser, User
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from moderation.api.callers import OPEN_CALLER, Caller, KeyCaller, SiteCaller
from moderation.conf import get_conf
from moderation.credentials import find_key
from moderation.errors import NotAllowed
from moderation.vocabulary import Scope

_SCHEME = "bearer "


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer gate_…`. Looks at neither cookies nor session."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Caller] | None:
        header: str = request.META.get("HTTP_AUTHORIZATION", "")
        # Another scheme may be a proxy's own business.
        if header[: len(_SCHEME)].lower() != _SCHEME:
            return None
        key = find_key(header[len(_SCHEME) :].strip())
        if key is None:
            raise AuthenticationFailed("This key is unknown, revoked or expired.")
        return AnonymousUser(), KeyCaller(key)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="gatehouse"'


class SiteSession(SessionAuthentication):
    """A logged-in user of this site; anything but a read needs the CSRF token."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user = cast("User", found[0])
        return user, SiteCaller(user)


class OpenToAll(BaseAuthentication):
    """Nobody in particular, where an operator opened the keyless endpoints."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Caller] | None:
        return (AnonymousUser(), OPEN_CALLER) if get_conf().open_content_service else None


class InScope(BasePermission):
    """A known caller; for keys, one with the scope that the act needs.

    A view's `scope` names it; without one reading needs `read` and everything else `submit`.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        caller = cast("Caller | None", request.auth)
        if caller is None:
            return False
        scope: Scope | None = getattr(view, "scope", None)
        if scope is None:
            scope = Scope.READ if request.method in SAFE_METHODS else Scope.SUBMIT
        if not caller.may(scope):
            raise NotAllowed(f"This key lacks the scope {scope.value!r}.")
        return True
