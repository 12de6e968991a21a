"""Drop what services said about a content from what all processes share."""

from __future__ import annotations

from collections.abc import Iterable

from moderation.coordination import answers as shared_answers
from moderation.providers import registry
from moderation.providers.base import AnyPart

_CHUNK = 500


def forget_answers(parts: Iterable[AnyPart]) -> None:
    """Forget the answers of every service that is set up; those of others fade by themselves."""
    marks = {f"{part.kind}:{part.fingerprint}" for part in parts}
    services = [registry.find_service(name) for name in registry.providers()]
    keys = [
        f"{one.provider.name}:{one.provider.model_version}:{one.changed}:{mark}"
        for one in services
        if one is not None and one.terms.cache_seconds
        for mark in marks
    ]
    for start in range(0, len(keys), _CHUNK):
        shared_answers.drop_many(keys[start : start + _CHUNK])
