"""How long and with which chance. These tests touch no settings: their stacks are processes."""

from __future__ import annotations

import os
import random
import secrets

import pytest

from tests.faults import report

# The nightly ones: `make chaos`.
collect_ignore_glob = [] if os.environ.get("CHAOS") else ["test_chaos_*.py"]


@pytest.fixture(scope="session", autouse=True)
def _fresh_report():
    report.RESULTS.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def fault_seconds() -> float:
    """What `make test-faults SECONDS=…` gives the whole of the bombardment's test."""
    return float(os.environ.get("FAULT_SECONDS", "300"))


@pytest.fixture(scope="session")
def seed() -> int:
    return int(os.environ.get("SEED") or secrets.randbelow(1_000_000))


@pytest.fixture
def chance(seed: int) -> random.Random:
    print(f"\nSEED={seed}")
    return random.Random(seed)


@pytest.fixture(autouse=True)
def _fresh_memory():
    """Replaces the suite's own: nothing of the product runs in this process."""
