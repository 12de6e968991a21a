"""One item of the review queue: who else looks at it, and that it changed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from django.contrib.auth.models import User

from moderation import queries
from moderation.coordination import presence
from moderation.delivery.hints import post_group
from moderation.live.consumers import GONE, NOT_SIGNED_IN, Hint, WatchConsumer
from moderation.models import Review

PRESENCE = "presence"
_LAST_ID = 2**63 - 1


class ReviewConsumer(WatchConsumer):
    """Tells a moderator who looks at their item, and when its post is edited or decided."""

    post_id: UUID
    told: list[str] | None = None

    async def refusal(self) -> int | None:
        if not isinstance(self.user, User):
            return NOT_SIGNED_IN
        found = await database_sync_to_async(_post_of)(self.user, self.review_id)
        if found is None:
            return GONE
        self.post_id = found
        return None

    async def groups_now(self) -> frozenset[str]:
        return frozenset({post_group(self.post_id), self._group()})

    async def snapshot(self) -> dict[str, Any]:
        await self._look()
        await self._announce()
        self.told = await self._others()
        return {"people": self.told}

    async def tend(self) -> None:
        """Say again that one is here, and tell of those who faded."""
        await self._look()
        await self._tell_if_changed()

    async def forward(self, event: Hint) -> None:
        if event["kind"] == PRESENCE:
            await self._tell_if_changed()
        else:
            await self.send_json({"kind": event["kind"], "revision": event["revision"]})

    async def disconnect(self, code: int) -> None:
        if isinstance(self.user, User) and self.told is not None:
            name = self.user.get_username()
            await database_sync_to_async(presence.look_away)(self.review_id, self.user.pk, name)
            await self._announce()
        await super().disconnect(code)

    async def _look(self) -> None:
        assert isinstance(self.user, User)
        name = self.user.get_username()
        await database_sync_to_async(presence.look_at)(self.review_id, self.user.pk, name)

    async def _others(self) -> list[str]:
        assert isinstance(self.user, User)
        return await database_sync_to_async(presence.who_looks_at)(
            self.review_id, besides=self.user.pk
        )

    async def _tell_if_changed(self) -> None:
        people = await self._others()
        if people != self.told:
            self.told = people
            await self.send_json({"type": PRESENCE, "people": people})

    async def _announce(self) -> None:
        await self.channel_layer.group_send(self._group(), {"type": "hint", "kind": PRESENCE})

    def _group(self) -> str:
        return f"review.{self.review_id}"

    @property
    def review_id(self) -> int:
        found: int = self.scope["url_route"]["kwargs"]["review_id"]
        return found


def _post_of(user: User, review_id: int) -> UUID | None:
    """Return the post of an item that a user may see, None where there is none for them."""
    if review_id > _LAST_ID:
        return None
    row = (
        Review.objects.filter(pk=review_id)
        .values_list("post_id", "community_id", "category")
        .first()
    )
    if row is None:
        return None
    post_id, community_id, category = row
    is_theirs = queries.may_review(user, community_id=community_id, category=category)
    return post_id if is_theirs else None
