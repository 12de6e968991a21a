"""A sandbox that stands for every outside service, reachable although it is on this machine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from moderation.providers import registry
from moderation.sandbox.server import Sandbox, running_sandbox


@pytest.fixture(scope="session")
def _running_sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def sandbox(_running_sandbox: Sandbox, settings: Settings) -> Iterator[Sandbox]:
    _running_sandbox.reset()
    settings.MODERATION = {
        **settings.MODERATION,
        "provider_allowed_hosts": frozenset({_running_sandbox.address}),
    }
    yield _running_sandbox
    assert _running_sandbox.errors == []


@pytest.fixture(autouse=True)
def _no_services_of_others() -> Iterator[None]:
    registry.forget_services()
    yield
    registry.forget_services()
