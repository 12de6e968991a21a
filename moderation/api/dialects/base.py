"""What dialects share. A dialect is a view whose questions, answers and errors are another's.

Its key stands where that service has it, and is a community's, or an organisation's, whose requests
then name a community. Sessions count for nothing here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response

from moderation import queries
from moderation.api.base import ApiView, caller_of
from moderation.api.callers import KeyCaller
from moderation.api.errors import Problem
from moderation.api.limits import spend
from moderation.api.views.check import check_bucket
from moderation.conf import get_conf
from moderation.credentials import find_key
from moderation.drafts import MAX_ID_CHARS
from moderation.errors import ProviderError
from moderation.fields import Fields
from moderation.models import Community, PolicyRevision
from moderation.pipeline.judging.check import Checked, Draft, check
from moderation.policy.document import Policy
from moderation.providers.registry import get_provider
from moderation.vocabulary import Action, Category, Dialect, Outcome, Scope

COMMUNITY_HEADER = "X-Gatehouse-Community"
MODEL_HEADER = "X-Gatehouse-Model"
JUDGED_BY_HEADER = "X-Gatehouse-Judged-By"
NOT_JUDGED_HEADER = "X-Gatehouse-Not-Judged"
# Where one thing was asked about: what the policy would do with it.
ACTION_HEADER = "X-Gatehouse-Action"
# What a dialect that only knows yes and no answers yes to. What nobody judged is one of them.
FLAGGING = frozenset({Action.REVIEW, Action.BLOCK})

# A service says itself which model it is; nothing else may get into a header.
_NOT_IN_A_VERSION = re.compile(r"[^\w.:/+@-]+", re.ASCII)
_DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+;base64,", re.ASCII)
_SCHEME = "bearer "


class DialectView(ApiView):
    """An act of a dialect. A subclass names its `dialect` and words its errors.

    It overrides `sent_key` where its key is not a bearer's.
    """

    dialect: ClassVar[Dialect]
    scope: ClassVar[Scope | None] = Scope.CHECK
    # Their shapes are others', and documented by them.
    schema = None

    def sent_key(self, request: Request) -> str:
        """Return the key as it was sent, "" without one."""
        return key_in_bearer(request)

    def write_problem(self, problem: Problem) -> HttpResponse:
        """Return an error in the words of the dialect."""
        raise NotImplementedError

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [_DialectKey(self.sent_key)]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if self.dialect.value not in get_conf().dialects:
            raise Http404("There is no such address.")
        super().initial(request, *args, **kwargs)
        if request.auth is not None:
            # Whatever is sent costs a token; `judge` takes those of further drafts.
            spend(request, check_bucket(caller_of(request)))


class _DialectKey(BaseAuthentication):
    """An API key, wherever the dialect has it."""

    def __init__(self, sent_key: Callable[[Request], str]) -> None:
        self._sent_key = sent_key

    def authenticate(self, request: Request) -> tuple[AnonymousUser, KeyCaller] | None:
        text = self._sent_key(request)
        if not text:
            return None
        key = find_key(text)
        if key is None:
            raise AuthenticationFailed("This key is unknown, revoked or expired.")
        return AnonymousUser(), KeyCaller(key)

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="gatehouse"'


def key_in_bearer(request: Request) -> str:
    """Return the key of `Authorization: Bearer`, "" without one."""
    header: str = request.META.get("HTTP_AUTHORIZATION", "")
    return header[len(_SCHEME) :].strip() if header[: len(_SCHEME)].lower() == _SCHEME else ""


def community_of(request: Request, fields: Fields) -> Community:
    """Return the community that is meant; only an organisation's key must name one.

    In the field `community` as in the native API, or in a header where fields are another's.
    Raises `NotFound` and `InvalidFields`.
    """
    slug = fields.text("community", most=MAX_ID_CHARS)
    return caller_of(request).community(slug or request.headers.get(COMMUNITY_HEADER, ""))


def file_in(url: str) -> bytes:
    """Return the file in a `data:` URL, b"" where it holds none."""
    head = _DATA_URL.match(url)
    try:
        return base64.b64decode(url[head.end() :], validate=True) if head else b""
    except binascii.Error:
        return b""


def judge(request: Request, drafts: Sequence[Draft]) -> list[Checked]:
    """Return what the policy says of each draft, within the time that a dialect's caller has.

    Each draft after the first costs a token. Raises `RateLimited`, and `InvalidSubmission` for a
    draft with nothing in it.
    """
    if len(drafts) > 1:
        spend(request, check_bucket(caller_of(request)), tokens=len(drafts) - 1)
    return check(drafts, deadline_seconds=get_conf().dialect_deadline_seconds)


def highest(scores: Mapping[Category, float], wanted: Iterable[Category]) -> float | None:
    """Return the highest score of some categories, None when nobody judged any of them."""
    return max((scores[category] for category in wanted if category in scores), default=None)


# --- who judged ----------------------------------------------------------------------------------


def answer(
    body: Any, *, community: Community, checked: Sequence[Checked], not_judged: Iterable[str] = ()
) -> Response:
    """Return an answer that says which models and rules it rests on, and what nobody judged.

    `not_judged` are names of the dialect's own whose 0 in the answer means nothing.
    """
    headers = {
        MODEL_HEADER: model_id(community, checked),
        JUDGED_BY_HEADER: ", ".join(_judges(checked)),
    }
    if missing := ", ".join(not_judged):
        headers[NOT_JUDGED_HEADER] = missing
    if len(checked) == 1:
        headers[ACTION_HEADER] = checked[0].verdict.action.value
    return Response(body, headers=headers)


def model_id(community: Community, checked: Sequence[Checked]) -> str:
    """Return the name of everything that scores rest on: `gatehouse-3-5d41402abc4b`.

    The number of the community's policy (`builtin` without one), and a digest of everybody whom
    that policy may ask, with the versions of their models, and of the language it expects. Under
    the same name the same text gets the same scores, but for a repost of what was taken down since.
    """
    number = policy_number(community, checked)
    policy = policy_of_number(community, number)
    judges = [f"{name}={_version_of(name)}" for name in sorted(policy.providers())]
    digest = hashlib.sha256("\n".join([community.language, *judges]).encode()).hexdigest()
    return f"gatehouse-{number or 'builtin'}-{digest[:12]}"


def policy_number(community: Community, checked: Sequence[Checked]) -> int | None:
    """Return the number of the policy that judged, or that would have where nothing was asked."""
    return checked[0].policy_number if checked else queries.policy_number_of(community.policy_id)


def policy_of_number(community: Community, number: int | None) -> Policy:
    """Return a community's policy by the number that people know it by, None for the built-in."""
    if number is None or number == queries.policy_number_of(community.policy_id):
        return queries.policy_of(None if number is None else community.policy_id)
    # It changed since the key was read.
    return queries.policy_of(PolicyRevision.objects.get(community=community, number=number).pk)


def _version_of(name: str) -> str:
    try:
        return get_provider(name).model_version
    except ProviderError:
        return ""


def _judges(checked: Sequence[Checked]) -> list[str]:
    """Return everybody who judged something, with the model that they say they used."""
    found = {
        (item.provider, item.model_version)
        for one in checked
        for item in one.answers
        if item.answer.outcome is Outcome.JUDGED
    }
    return sorted(f"{name}={_NOT_IN_A_VERSION.sub('_', version)[:80]}" for name, version in found)
