"""Who listens to a community: remembered for a second, so that hot paths read no row of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from moderation.coordination.short_memory import ShortMemory
from moderation.models import Endpoint
from moderation.vocabulary import EndpointKind

_listeners: ShortMemory[tuple[Listener, ...]] = ShortMemory()


@dataclass(frozen=True, slots=True)
class Listener:
    """An active endpoint as staging needs it. `is_read_here` says that this site shows posts,
    `fails` that nothing reaches it at the moment.
    """

    endpoint_id: int
    kind: EndpointKind
    event_types: tuple[str, ...]
    options: Mapping[str, str]
    community: str
    is_read_here: bool
    fails: bool


def listener_of(endpoint: Endpoint) -> Listener:
    return Listener(
        endpoint.pk,
        EndpointKind(endpoint.kind),
        tuple(endpoint.event_types),
        endpoint.options,
        endpoint.community.slug,
        endpoint.community.open_to_site_users,
        endpoint.failing_since is not None,
    )


def listeners_of(community_id: int) -> tuple[Listener, ...]:
    """Return a community's active endpoints. May be up to a second old."""
    return _listeners.get(community_id, lambda: _read(community_id))


def _read(community_id: int) -> tuple[Listener, ...]:
    rows = Endpoint.objects.filter(community_id=community_id, active=True)
    rows = rows.select_related("community").defer("secrets").order_by("pk")
    return tuple(listener_of(row) for row in rows)


def forget_listeners() -> None:
    """Drop what this process remembers: after a change, and for tests."""
    _listeners.clear()
