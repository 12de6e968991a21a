"""Who stands where in the back office's tests: Ada moderates, Lea leads, Rea only reads."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from moderation.models import Community, Membership
from moderation.roles import LEAD, MODERATOR, READ_ONLY, ensure_roles
from tests.factories import CommunityFactory, UserFactory

ClientFor = Callable[[User], Client]


@pytest.fixture
def garden(db: None) -> Community:
    community: Community = CommunityFactory(name="Garden", slug="garden")
    return community


@pytest.fixture
def elsewhere(db: None) -> Community:
    community: Community = CommunityFactory(name="Elsewhere", slug="elsewhere")
    return community


def _member(name: str, role: str, community: Community) -> User:
    user: User = UserFactory(username=name, is_staff=True)
    user.groups.add(ensure_roles()[role])
    Membership.objects.create(user=user, community=community)
    return user


@pytest.fixture
def ada(garden: Community) -> User:
    return _member("ada", MODERATOR, garden)


@pytest.fixture
def lea(garden: Community) -> User:
    return _member("lea", LEAD, garden)


@pytest.fixture
def rea(garden: Community) -> User:
    return _member("rea", READ_ONLY, garden)


@pytest.fixture
def root(db: None) -> User:
    user: User = UserFactory(username="root", is_staff=True, is_superuser=True)
    return user


@pytest.fixture
def as_user() -> ClientFor:
    def log_in(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return log_in
