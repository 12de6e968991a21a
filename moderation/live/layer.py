"""The channel layer, which tells its listeners when hints may have been lost.

Redis keeps nothing for a subscriber that is away. Once the connection is there again, every socket
of the process hears `LOST`, so that no page goes on with what was true before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from channels_redis.pubsub import RedisPubSubChannelLayer, RedisSingleShardConnection
from redis.asyncio.client import PubSub
from redis.asyncio.connection import Connection, ConnectionPool

LOST = {"type": "hint.lost"}


class TellingLayer(RedisPubSubChannelLayer):  # type: ignore[misc]  # channels_redis is untyped
    """Redis' published messages, as channels_redis carries them."""

    def _get_layer(self) -> Any:
        layer = super()._get_layer()
        if not all(isinstance(shard, _Shard) for shard in layer._shards):
            layer._shards = [_Shard(shard.host, layer) for shard in layer._shards]
        return layer


class _Shard(RedisSingleShardConnection):  # type: ignore[misc]  # channels_redis is untyped
    def _ensure_redis(self) -> None:
        is_new = self._redis is None
        super()._ensure_redis()
        if is_new:
            self._pubsub = _Subscription(self._redis.connection_pool, self._tell_all)

    def _tell_all(self) -> None:
        lost = self.channel_layer.channel_layer.serialize(LOST)
        for queue in self.channel_layer.channels.values():
            queue.put_nowait(lost)


class _Subscription(PubSub):
    def __init__(self, pool: ConnectionPool, back: Callable[[], None]) -> None:
        super().__init__(pool)
        self._back = back

    async def on_connect(self, connection: Connection) -> None:
        """Subscribe again, as the client calls it after each connection but the first."""
        await super().on_connect(connection)
        self._back()
