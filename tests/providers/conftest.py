"""One sandbox for all adapters' tests, empty at the beginning of each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from moderation.outbound import GuardedClient
from moderation.providers.base import Account
from moderation.providers.shared.service import ServiceAdapter
from moderation.sandbox.server import Sandbox, running_sandbox


@pytest.fixture(scope="session")
def _running_sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running


@pytest.fixture
def sandbox(_running_sandbox: Sandbox) -> Iterator[Sandbox]:
    """Every provider's protocol on loopback; a service that fails by mistake fails the test."""
    _running_sandbox.reset()
    yield _running_sandbox
    assert _running_sandbox.errors == []


@pytest.fixture(autouse=True)
def _closed_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what the adapters of a test keep open: in use they live as long as the process."""
    clients: list[GuardedClient] = []
    make = ServiceAdapter.__init__

    def make_and_note(adapter: ServiceAdapter, account: Account) -> None:
        make(adapter, account)
        clients.append(adapter.client)

    monkeypatch.setattr(ServiceAdapter, "__init__", make_and_note)
    yield
    for client in clients:
        client.close()
