"""Callers of the API, by name: Bo writes, Cy is a stranger, Ada moderates."""

from __future__ import annotations

import pytest
from django.test import Client

from moderation import queries
from moderation.coordination import token_bucket
from moderation.credentials import forget_keys
from tests.factories import CommunityFactory, UserFactory, make_key, make_moderator


@pytest.fixture(autouse=True)
def _fresh_memory(settings):
    """Rows of one test must not be remembered in the next, and neither must its tokens."""
    settings.REDIS_PREFIX = f"{settings.REDIS_PREFIX}:{id(settings)}"
    queries.forget_everything()
    forget_keys()
    token_bucket.shared_redis.cache_clear()
    yield
    queries.forget_everything()
    forget_keys()


class Api(Client):
    """A test client that speaks JSON, with a key when it has one."""

    def __init__(self, key: str = "", **more):
        headers = {"authorization": f"Bearer {key}"} if key else {}
        super().__init__(headers=headers, **more)

    def send(self, method, path, body=None, **more):
        return self.generic(
            method,
            path,
            body if isinstance(body, bytes) else _dump(body),
            content_type=more.pop("content_type", "application/json"),
            **more,
        )


def _dump(body):
    import json

    return b"" if body is None else json.dumps(body).encode()


@pytest.fixture
def community(db):
    return CommunityFactory.create(slug="garden")


@pytest.fixture
def keyed(community):
    """An integrator with the usual rights in the garden."""
    return Api(make_key(community, ["submit", "read", "check"])[1])


@pytest.fixture
def anonymous(db):
    return Api()


@pytest.fixture
def bo(community):
    client = Api()
    client.user = UserFactory.create(username="bo")
    client.force_login(client.user)
    return client


@pytest.fixture
def cy(community):
    client = Api()
    client.user = UserFactory.create(username="cy")
    client.force_login(client.user)
    return client


@pytest.fixture
def ada(community):
    client = Api()
    client.user = make_moderator(community, username="ada")
    client.force_login(client.user)
    return client
