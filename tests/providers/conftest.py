"""One sandbox for all adapters' tests, empty at the beginning of each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
