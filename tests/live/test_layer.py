"""A page whose hints may have been lost is sent away, so that it comes back and reads anew."""

from __future__ import annotations

import pytest
from channels.layers import get_channel_layer

from moderation.live import consumers
from tests.live.conftest import opened, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


async def test_sockets_come_back_after_redis_was_away(bo, cy):
    async with (
        opened("/live/me/", await signed_in(bo)) as first,
        opened("/live/me/", await signed_in(cy)) as second,
    ):
        await first.hear("snapshot")
        await second.hear("snapshot")
        await _lose_redis()
        assert await first.code_of_close() == consumers.COME_BACK
        assert await second.code_of_close() == consumers.COME_BACK


async def test_sockets_stay_while_redis_does(bo):
    async with opened("/live/me/", await signed_in(bo)) as socket:
        await socket.hear("snapshot")
        assert await socket.receive_nothing(timeout=0.3)


async def _lose_redis() -> None:
    """Cut the connection by which this process hears; the client opens another by itself."""
    (shard,) = get_channel_layer()._get_layer()._shards
    await shard._pubsub.connection.disconnect()
