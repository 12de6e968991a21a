"""A community to post in, fresh for each test."""

from __future__ import annotations

import pytest

from moderation.models import Community
from tests.factories import CommunityFactory


@pytest.fixture
def community(db) -> Community:
    return CommunityFactory.create()
