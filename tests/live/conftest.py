"""Sockets as browsers open them: through the whole stack, with cookies and an origin."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from moderation.models import Community
from platform_site.asgi import application
from tests.factories import CommunityFactory, UserFactory, make_moderator

OWN_ORIGIN = b"http://localhost"


class Socket(ApplicationCommunicator):
    """One socket at the site's door. `client` is the browser that it belongs to."""

    def __init__(self, path: str, client: Client | None = None, origin: bytes | None = OWN_ORIGIN):
        headers = [(b"host", b"localhost")]
        if origin is not None:
            headers.append((b"origin", origin))
        if client is not None:
            cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
            headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie}".encode()))
        scope = {"type": "websocket", "path": path, "query_string": b"", "subprotocols": []}
        super().__init__(application, {**scope, "headers": headers})

    async def knock(self) -> int | None:
        """Return None when the socket is let in, otherwise the code of its refusal."""
        await self.send_input({"type": "websocket.connect"})
        answer = await self.receive_output(timeout=5)
        return None if answer["type"] == "websocket.accept" else int(answer.get("code", 1000))

    async def say(self, text: str) -> None:
        await self.send_input({"type": "websocket.receive", "text": text})

    async def leave(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(timeout=5)

    async def hear(self, kind: str | None = None) -> dict[str, Any]:
        """Return the next message, or the next of a kind."""
        while True:
            event = await self.receive_output(timeout=5)
            assert event["type"] == "websocket.send", event
            message: dict[str, Any] = json.loads(event["text"])
            if kind is None or kind in (message.get("kind"), message.get("type")):
                return message

    async def code_of_close(self) -> int:
        """Wait until the server closes; return its code."""
        while True:
            event = await self.receive_output(timeout=5)
            if event["type"] == "websocket.close":
                return int(event.get("code", 1000))


@asynccontextmanager
async def opened(path: str, client: Client | None = None) -> AsyncIterator[Socket]:
    """Open a socket that must be let in; close it afterwards."""
    socket = Socket(path, client)
    assert await socket.knock() is None
    try:
        yield socket
    finally:
        await socket.leave()


async def refused(path: str, client: Client | None = None, **more: Any) -> int:
    """Return the code with which a socket is turned away."""
    socket = Socket(path, client, **more)
    code = await socket.knock()
    assert code is not None
    await socket.leave()
    return code


def _browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


signed_in: Callable[[User], Any] = sync_to_async(_browser)


@pytest.fixture
def community(transactional_db) -> Community:
    return CommunityFactory.create(open_to_site_users=True)


@pytest.fixture
def bo(transactional_db) -> User:
    return UserFactory.create(username="bo")


@pytest.fixture
def cy(transactional_db) -> User:
    return UserFactory.create(username="cy")


@pytest.fixture
def ada(community) -> User:
    return make_moderator(community, username="ada")
