"""The forum as people meet it: Bo writes, Cy is a stranger, Ada moderates."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from moderation.models import Community, Post
from platform_site.forum.models import Board
from tests.factories import CommunityFactory, UserFactory, make_moderator


@pytest.fixture
def community(db) -> Community:
    return CommunityFactory.create(slug="street", open_to_site_users=True)


@pytest.fixture
def board(community) -> Board:
    return Board.objects.create(community=community, slug="garden", name="Garden")


@pytest.fixture
def bo(db) -> User:
    return UserFactory.create(username="bo")


@pytest.fixture
def cy(db) -> User:
    return UserFactory.create(username="cy")


@pytest.fixture
def ada(community) -> User:
    return make_moderator(community, username="ada")


def browser(user: User | None = None) -> Client:
    """Return a browser in which a user is signed in, or nobody."""
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


class Pages:
    """What one person does in the forum."""

    def __init__(self, user: User | None, board: Board) -> None:
        self.client = browser(user)
        self.board = board

    def compose(self, title="Tomatoes", body="The tomatoes are finally ripe.", **fields):
        address = reverse("forum:new_topic", args=[self.board.slug])
        return self.client.post(address, self._form(title=title, body=body, **fields))

    def start(self, title="Tomatoes", body="The tomatoes are finally ripe.", **fields) -> Post:
        """Post a topic; return it."""
        answer = self.compose(title, body, **fields)
        assert answer.status_code == 302, answer.content.decode()
        return Post.objects.get(pk=UUID(answer["location"].split("/")[2]))

    def reply(self, topic: Post, body="Congratulations.", **fields) -> Post:
        address = reverse("forum:reply", args=[topic.pk])
        answer = self.client.post(address, self._form(body=body, **fields))
        assert answer.status_code == 302, answer.content.decode()
        return Post.objects.get(pk=UUID(answer["location"].split("#post-")[1]))

    def get(self, name: str, *args: object):
        return self.client.get(reverse(f"forum:{name}", args=args))

    def read(self, name: str, *args: object) -> str:
        answer = self.get(name, *args)
        assert answer.status_code == 200
        return answer.content.decode()

    @staticmethod
    def _form(**fields):
        fields.setdefault("token", "0190a000-0000-7000-8000-000000000000")
        return fields


@pytest.fixture
def of(board):
    """Return what a person does: `of(bo).start()`."""
    return lambda user=None: Pages(user, board)
