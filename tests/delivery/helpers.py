"""How these tests set endpoints up and let what waits go out, in this thread."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from django.db.models.functions import Now
from standardwebhooks import Webhook

from moderation import webhooks
from moderation.delivery import outbox
from moderation.delivery.listeners import forget_listeners
from moderation.models import Community, Endpoint, OutboxMessage
from moderation.pipeline import notify
from moderation.vocabulary import DeliveryState, EndpointKind
from moderation.webhooks import SetUp
from tests.delivery.receiver import Sent


class _Lent:
    """Stands for this thread's connection, which holds the test's transaction."""

    def close(self) -> None:
        """Stay open."""


def add_webhook(community: Community, url: str, *event_types: str, name: str = "Ours") -> Endpoint:
    endpoint, _ = webhooks.add_endpoint(
        community=community,
        kind=EndpointKind.WEBHOOK,
        wanted=SetUp(name=name, url=url, event_types=event_types),
        user=None,
    )
    return endpoint


def deliver() -> None:
    """Hand over everything that is due, one endpoint after the other."""
    forget_listeners()
    with patch.object(notify, "connection", _Lent()):
        while waiting := list(outbox.waiting_endpoints()):
            for endpoint in waiting:
                notify._take_turn(endpoint.pk)


def make_due(**found: Any) -> None:
    """Let the wait of what is to be tried again be over, and of endpoints that are spared."""
    Endpoint.objects.update(spared_until=None)
    OutboxMessage.objects.filter(state=DeliveryState.DUE, **found).update(due_at=Now())


def verify(sent: Sent, secret: str) -> Any:
    """Return what a request says, believed by the reference library."""
    return Webhook(secret).verify(sent.body, dict(sent.headers))


def secret_of(endpoint: Endpoint, name: str = "current") -> str:
    endpoint.refresh_from_db()
    return endpoint.secrets[name]
