"""A community with an endpoint, and a receiver that stands for everybody's server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from moderation.delivery import handover
from moderation.models import Community, Endpoint
from tests.delivery.helpers import add_webhook
from tests.delivery.receiver import Receiver, running_receiver
from tests.factories import CommunityFactory

TIMEOUT_SECONDS = 0.5


@pytest.fixture(scope="session")
def _running_receiver() -> Iterator[Receiver]:
    with running_receiver() as running:
        yield running


@pytest.fixture(autouse=True)
def _told_at_once(settings: Settings) -> None:
    """Nobody waits here for what a moderator could still undo."""
    settings.MODERATION = {**settings.MODERATION, "undo_seconds": 0.0}


@pytest.fixture
def receiver(_running_receiver: Receiver, settings: Settings) -> Iterator[Receiver]:
    _running_receiver.reset()
    settings.MODERATION = {
        **settings.MODERATION,
        "delivery_allowed_hosts": frozenset({_running_receiver.address}),
        "delivery_timeout_seconds": TIMEOUT_SECONDS,
    }
    yield _running_receiver
    _running_receiver.released.set()
    handover._client(frozenset({_running_receiver.address})).close()


@pytest.fixture
def garden(db: None) -> Community:
    community: Community = CommunityFactory(name="Garden", slug="garden")
    return community


@pytest.fixture
def endpoint(garden: Community, receiver: Receiver) -> Endpoint:
    return add_webhook(garden, receiver.url())
