"""Coral's external moderation phase: it sends a comment, signed, and is told what to do with it.

Coral goes on without us whenever we do not answer 200, and may then publish. So whatever goes wrong
with a comment that it did sign, the comment is withheld until a person has looked. We approve
nothing: what nothing speaks against is left to Coral's own rules.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse, JsonResponse
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response

from moderation import queries
from moderation.api.dialects.base import DialectView, answer, judge
from moderation.api.errors import Problem, problem_of
from moderation.api.limits import Bucket
from moderation.conf import get_conf
from moderation.coordination.token_bucket import Limit
from moderation.fields import Fields
from moderation.pipeline.judging.check import Draft
from moderation.policy.verdict import Verdict
from moderation.vocabulary import Action, Category, Dialect, Scope

logger = logging.getLogger(__name__)

SIGNATURE_HEADER = "X-Coral-Signature"
_PREFIX = "sha256="
# Coral signs with two secrets while one replaces the other.
_MOST_SIGNATURES = 10

REJECTED, WITHHELD = "REJECTED", "SYSTEM_WITHHELD"
# The only reasons for a flag that Coral takes from outside.
TOXIC_REASON, SPAM_REASON = "COMMENT_DETECTED_TOXIC", "COMMENT_DETECTED_SPAM"
_SPAM = frozenset({Category.SPAM, Category.MALWARE})
# Mistakes of whoever calls: Coral makes none of them, and nobody else can sign.
_MISTAKES = frozenset(
    {"malformed_request", "unsupported_media_type", "method_not_allowed", "invalid_fields"}
)


class Phase(DialectView):
    """One community's phase. Its secret is Coral's own, which an operator has set here."""

    dialect = Dialect.CORAL
    is_signed = False

    def get_authenticators(self) -> list[BaseAuthentication]:
        # Whoever describes the API makes views without an address.
        return [_Signature(self.kwargs.get("community", ""))]

    def perform_authentication(self, request: Request) -> None:
        super().perform_authentication(request)
        self.is_signed = request.auth is not None

    def write_problem(self, problem: Problem) -> HttpResponse:
        """Return an error. Coral logs its status, and reads no more of it."""
        return JsonResponse(
            {"error": problem.detail}, status=problem.status, headers=dict(problem.headers)
        )

    def handle_exception(self, exc: Exception) -> Response:
        problem = problem_of(exc)
        is_mistake = problem is not None and problem.code in _MISTAKES
        if is_mistake or not self.is_signed:
            return super().handle_exception(exc)
        logger.warning("coral_comment_withheld", exc_info=exc)
        return _withheld()

    @extend_schema(exclude=True)
    def post(self, request: Request, community: str) -> Response:
        """Say what is to be done with a comment: 204 for nothing."""
        fields = Fields(request.data)
        comment = fields.nested("comment")
        if comment is None or "body" not in comment:
            fields.note("comment.body", "is required")
        fields.finish()
        assert comment is not None
        text = comment.text("body", most=get_conf().max_body_chars)
        if fields.wrong or not text:
            # Too long, or nothing but a picture: nobody here can read it.
            return _withheld()
        draft = Draft(queries.get_community(community), body=text)
        (checked,) = judge(request, [draft])
        said = _response_to(checked.verdict)
        response = answer(
            said,
            community=draft.community,
            checked=[checked],
            not_judged=checked.verdict.not_judged,
        )
        response.status_code = 200 if said else 204
        return response


# --- who signed -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Coral:
    """The Coral of one community: it has comments judged, and may do nothing else."""

    community: str

    @property
    def client(self) -> str:
        return f"coral:{self.community}"

    def may(self, scope: Scope) -> bool:
        return scope is Scope.CHECK

    def bucket(self) -> Bucket:
        conf = get_conf()
        return Bucket("key", self.client, Limit(conf.key_rate_burst, conf.key_rate_per_second))


class _Signature(BaseAuthentication):
    """An HMAC of the body. It covers no time, so that a copy of a request gets its answer again."""

    def __init__(self, community: str) -> None:
        self._community = community

    def authenticate(self, request: Request) -> tuple[AnonymousUser, _Coral] | None:
        header = request.headers.get(SIGNATURE_HEADER)
        if header is None:
            return None
        given = [
            part.strip()[len(_PREFIX) :].encode()
            for part in header.split(",", _MOST_SIGNATURES)[:_MOST_SIGNATURES]
            if part.strip().startswith(_PREFIX)
        ]
        expected = [sign(request._request.body, secret) for secret in _secrets_of(self._community)]
        # Every pair is compared, so that the time tells nothing of which one matched.
        matches = [hmac.compare_digest(one, other) for one in given for other in expected]
        if not any(matches):
            raise AuthenticationFailed("The signature is not one of this community's Coral.")
        return AnonymousUser(), _Coral(self._community)

    def authenticate_header(self, request: Request) -> str:
        return SIGNATURE_HEADER


def sign(body: bytes, secret: str) -> bytes:
    """Return the SHA-256 HMAC (hex) of a body as it was sent."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode()


def _secrets_of(community: str) -> Iterator[str]:
    for pair in get_conf().coral_secrets:
        slug, _, secret = pair.partition(":")
        if slug == community and secret:
            yield secret


# --- what is answered -----------------------------------------------------------------------------


def _response_to(verdict: Verdict) -> dict[str, Any] | None:
    """Return what Coral is to do, None where it is left to Coral."""
    if verdict.action is Action.BLOCK:
        return {"actions": _flags(verdict), "status": REJECTED}
    if verdict.action is not Action.REVIEW:
        return None
    if verdict.holds or verdict.not_judged:
        return {"actions": _flags(verdict), "status": WITHHELD}
    return {"actions": _flags(verdict)}


def _flags(verdict: Verdict) -> list[dict[str, str]]:
    if verdict.category is None:
        return []
    reason = SPAM_REASON if verdict.category in _SPAM else TOXIC_REASON
    return [{"actionType": "FLAG", "reason": reason}]


def _withheld() -> Response:
    return Response({"actions": [], "status": WITHHELD})
