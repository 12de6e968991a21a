"""Callers of the API, by name: Bo writes, Cy is a stranger, Ada moderates."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from moderation.api.limits import forget_tokens
from tests.factories import CommunityFactory, UserFactory, make_key, make_moderator

POSTS = "/api/v1/posts"


class Api(Client):
    """A test client that speaks JSON, with a key when it has one."""

    def __init__(self, key="", **more):
        headers = {"authorization": f"Bearer {key}"} if key else None
        super().__init__(headers=headers, **more)

    def send(self, method, path, body=None, *, content_type="application/json", **headers):
        """Send a body: bytes as they are, everything else as JSON; `if_match` is If-Match."""
        raw = body if isinstance(body, bytes) else b"" if body is None else _json(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.generic(method, path, raw, content_type=content_type, headers=named)


def _json(body):
    return json.dumps(body).encode()


def person(name="bo", **more):
    """Return a sound post of one of a client's own people."""
    return {"author": {"id": name}, "text": "The tomatoes are finally ripe.", **more}


@pytest.fixture(autouse=True)
def _no_tokens_ahead():
    forget_tokens()


@pytest.fixture
def limits(settings):
    """Set the app's own settings for one test: `limits(rate_burst=2)`."""

    def override(**values):
        settings.MODERATION = {**settings.MODERATION, **values}

    return override


@pytest.fixture
def community(db):
    return CommunityFactory.create(slug="garden", open_to_site_users=True)


@pytest.fixture
def keyed(community):
    """An integrator with the usual rights in the garden."""
    return Api(make_key(community, ["submit", "read", "check"])[1])


@pytest.fixture
def anonymous(db):
    return Api()


def logged_in(user):
    client = Api()
    client.user = user
    client.force_login(user)
    return client


@pytest.fixture
def bo_user(db):
    return UserFactory.create(username="bo")


@pytest.fixture
def bo(bo_user, community):
    return logged_in(bo_user)


@pytest.fixture
def cy(community):
    return logged_in(UserFactory.create(username="cy"))


@pytest.fixture
def ada(community):
    return logged_in(make_moderator(community, username="ada"))
