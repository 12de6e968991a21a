"""Websockets: a snapshot when somebody comes, then hints. Pages read again for themselves.

What a client sends is ignored; groups are named here. Access is checked anew before each hint
and every few seconds, so that logging out, losing a role or hiding a post takes effect on
sockets that are already open.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.contrib.auth.models import User
from django.db import DatabaseError

from moderation import tracing
from moderation.delivery.hints import author_group, post_group, queue_group, topic_group
from moderation.live import watching
from moderation.live.sockets import drop_socket, keep_socket
from moderation.live.watching import Watched
from moderation.queries import AnyUser, ReviewScope

logger = logging.getLogger(__name__)

# Whoever lost a right hears nothing after 5 s; the check itself takes its time, too.
RECHECK_SECONDS = 4.0
# Proxies cut connections that are silent for a minute; pages notice a dead one by its silence.
CHECKS_PER_BEAT = 5
MAX_FRAME_BYTES = 64 * 1024

# Private codes of RFC 6455, section 7.4.2: a page does not come back after these by itself.
NOT_SIGNED_IN, NOT_ALLOWED, GONE, TOO_LARGE, TOO_MANY = 4401, 4403, 4404, 4413, 4429
# RFC 6455's "Service Restart": come back after a moment.
COME_BACK = 1012

Hint = dict[str, Any]


class WatchConsumer(AsyncJsonWebsocketConsumer):
    """What all watchers share: who they are, their groups, and the checks while they stay."""

    user: AnyUser
    joined: frozenset[str] = frozenset()
    guard: asyncio.Task[None] | None = None
    counted = False

    async def connect(self) -> None:
        self.socket_id = uuid4().hex
        await self._read_user()
        refusal = await self.refusal()
        if refusal is None and not await self._count():
            refusal = TOO_MANY
        if refusal is not None:
            await self.close(refusal)
            return
        # Groups before the snapshot: what changes in between is told twice, never missed.
        await self._join(await self.groups_now())
        await self.accept()
        await self.send_json({"type": "snapshot", **await self.snapshot()})
        self.guard = asyncio.create_task(self._watch_over())

    async def disconnect(self, code: int) -> None:
        if self.guard is not None:
            self.guard.cancel()
        await self._join(frozenset())
        if self.counted:
            await database_sync_to_async(drop_socket)(self.user_id, self.socket_id)

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None, **_: Any
    ) -> None:
        """Watchers only listen; whoever sends too much at once is cut off."""
        if max(len(text_data or ""), len(bytes_data or b"")) > MAX_FRAME_BYTES:
            await self.close(TOO_LARGE)

    async def hint(self, event: Hint) -> None:
        """Pass a hint on if, at this moment, its receiver may have it."""
        if await self.still_welcome():
            await self.forward(event)

    async def hint_lost(self, event: Hint) -> None:
        """Send a page away that may have missed hints: it comes back and reads everything anew."""
        await self.close(COME_BACK)

    async def send_json(self, content: Any, close: bool = False) -> None:
        # Whoever has gone meanwhile is told nothing more; that is no error of ours.
        with suppress(OSError):
            await super().send_json(content, close=close)

    # What each kind of watcher answers

    async def refusal(self) -> int | None:
        """Return the code to close with when this user may not watch, None when they may."""
        raise NotImplementedError

    async def groups_now(self) -> frozenset[str]:
        raise NotImplementedError

    async def snapshot(self) -> dict[str, Any]:
        raise NotImplementedError

    async def tend(self) -> None:
        """Do what is to be done now and then while somebody watches."""

    async def forward(self, event: Hint) -> None:
        said = {key: value for key, value in event.items() if key not in ("type", tracing.FACT)}
        carried = tracing.among_the_first(event.get(tracing.FACT, ""))
        with tracing.resume(
            "tell a page", (carried,), kind="consumer", consumer=type(self).__name__
        ):
            await self.send_json(said)

    # The checks

    async def still_welcome(self) -> bool:
        """Read user and right again; close the socket when they are gone."""
        await self._read_user()
        refusal = await self.refusal()
        if refusal is not None:
            await self.close(refusal)
        return refusal is None

    async def _watch_over(self) -> None:
        checks = 0
        while True:
            await asyncio.sleep(RECHECK_SECONDS)
            checks += 1
            try:
                if not await self.still_welcome():
                    return
                await self._count()
                await self._join(await self.groups_now())
                await self.tend()
            except DatabaseError:
                # Its right cannot be checked now, so it is not assumed: the page comes back.
                logger.warning("live_check_failed", extra={"consumer": type(self).__name__})
                await self.close(1011)
                return
            if checks % CHECKS_PER_BEAT == 0:
                await self.send_json({"type": "beat"})

    async def _read_user(self) -> None:
        session = self.scope.get("session")
        key = session.session_key if session is not None else None
        self.user = await database_sync_to_async(watching.user_of_session)(key)

    async def _count(self) -> bool:
        if not isinstance(self.user, User):
            return True
        self.user_id = self.user.pk
        self.counted = await database_sync_to_async(keep_socket)(self.user_id, self.socket_id)
        return self.counted

    async def _join(self, wanted: frozenset[str]) -> None:
        for group in self.joined - wanted:
            await self.channel_layer.group_discard(group, self.channel_name)
        for group in wanted - self.joined:
            await self.channel_layer.group_add(group, self.channel_name)
        self.joined = wanted


class AuthorConsumer(WatchConsumer):
    """A user's own posts, in all communities."""

    async def refusal(self) -> int | None:
        return None if isinstance(self.user, User) else NOT_SIGNED_IN

    async def groups_now(self) -> frozenset[str]:
        ids = await database_sync_to_async(watching.own_author_ids)(self._member())
        return frozenset(author_group(pk) for pk in ids)

    async def snapshot(self) -> dict[str, Any]:
        posts = await database_sync_to_async(watching.own_posts)(self._member())
        return {"posts": [post.line() for post in posts]}

    def _member(self) -> User:
        assert isinstance(self.user, User)
        return self.user


class QueueConsumer(WatchConsumer):
    """The review queue of the communities that a user moderates."""

    community_ids: frozenset[int] = frozenset()
    own_items = ReviewScope(is_everything=False)

    async def refusal(self) -> int | None:
        if not isinstance(self.user, User):
            return NOT_SIGNED_IN
        ids, self.own_items = await database_sync_to_async(watching.moderated_communities)(
            self.user
        )
        self.community_ids = frozenset(ids)
        return None if ids else NOT_ALLOWED

    async def groups_now(self) -> frozenset[str]:
        return frozenset(queue_group(pk) for pk in self.community_ids)

    async def snapshot(self) -> dict[str, Any]:
        assert isinstance(self.user, User)
        return {"open": await database_sync_to_async(watching.count_open_reviews)(self.user)}

    async def forward(self, event: Hint) -> None:
        """Drop what was sent for a community, or a category, that this user does not moderate."""
        post = await _post_at(event)
        if post is None or post.community_id not in self.community_ids:
            return
        if not self.own_items.allows(post.community_id, None):
            category = await database_sync_to_async(watching.category_at_hint)(
                UUID(event["post"]), event["sequence"]
            )
            if not self.own_items.allows(post.community_id, category):
                return
        await super().forward(event)


class TopicConsumer(WatchConsumer):
    """A topic and its replies, for whoever may read it.

    Readers learn that a public post changed, and of a post that they could see that it is gone;
    of others nothing, not even that they exist.
    """

    shown: set[UUID]

    async def refusal(self) -> int | None:
        post = await database_sync_to_async(watching.find_post)(self.post_id)
        welcome = post is not None and await database_sync_to_async(post.is_for)(self.user)
        return None if welcome else GONE

    async def groups_now(self) -> frozenset[str]:
        return frozenset({topic_group(self.post_id)})

    async def snapshot(self) -> dict[str, Any]:
        posts = await self.posts_now()
        self.shown = {post.id for post in posts}
        complete = len(posts) < watching.SNAPSHOT_POSTS
        return {"posts": [post.line() for post in posts], "complete": complete}

    async def posts_now(self) -> list[Watched]:
        return await database_sync_to_async(watching.topic_posts)(self.user, self.post_id)

    async def hint(self, event: Hint) -> None:
        post_id = UUID(event["post"])
        await self._read_user()
        post = await _post_at(event)
        if post is not None and await database_sync_to_async(post.is_for)(self.user):
            self.shown.add(post_id)
            mine = await database_sync_to_async(post.is_of)(self.user)
            await self.forward(event if mine else {**event, "kind": "post.changed"})
        elif post_id in self.shown:
            self.shown.discard(post_id)
            await self.forward({**event, "kind": "post.gone"})
            if post_id == self.post_id:
                await self.close(GONE)

    @property
    def post_id(self) -> UUID:
        found: UUID = self.scope["url_route"]["kwargs"]["post_id"]
        return found


class PostConsumer(TopicConsumer):
    """One post, for whoever may read it."""

    async def groups_now(self) -> frozenset[str]:
        return frozenset({post_group(self.post_id)})

    async def posts_now(self) -> list[Watched]:
        post = await database_sync_to_async(watching.find_post)(self.post_id)
        welcome = post is not None and await database_sync_to_async(post.is_for)(self.user)
        return [post] if post is not None and welcome else []


async def _post_at(event: Hint) -> Watched | None:
    return await database_sync_to_async(watching.post_at_hint)(
        UUID(event["post"]), event["sequence"]
    )
