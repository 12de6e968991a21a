"""What acts share that only programs may call: with a key, never with a session."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from rest_framework.request import Request

from moderation.api.authentication import KeyAuthentication
from moderation.api.base import ApiView, caller_of
from moderation.api.callers import KeyCaller
from moderation.api.limits import spend


class KeyedView(ApiView):
    authentication_classes = [KeyAuthentication]


def key_of(request: Request) -> KeyCaller:
    return cast("KeyCaller", caller_of(request))


def spend_reading(request: Request) -> KeyCaller:
    """Take a token for a read that costs more than a post's: reading takes none from posting."""
    caller = key_of(request)
    own = caller.bucket()
    spend(request, replace(own, whose=f"{own.whose}:read"))
    return caller


def spend_writing(request: Request) -> KeyCaller:
    caller = key_of(request)
    spend(request, caller.bucket())
    return caller
