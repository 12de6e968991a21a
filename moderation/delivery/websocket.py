"""Pushes hints to those who watch: one round trip to learn who does, one to tell them all."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import cast

import redis
from channels.layers import get_channel_layer
from channels_redis.pubsub import RedisPubSubChannelLayer
from django.conf import settings

from moderation import tracing
from moderation.coordination.connection import Bypassed, layer_redis
from moderation.delivery.hints import Hint, QueueHint

logger = logging.getLogger(__name__)


def push(hints: Sequence[Hint | QueueHint]) -> None:
    """Tell the watchers of each group. A lost push is repaired by the page's own re-reading."""
    addressed = [(group, hint) for hint in hints for group in hint.groups()]
    if not addressed:
        return
    try:
        with tracing.span("push", kind="producer"):
            layer_redis().use(lambda client: _publish(client, addressed))
    except Bypassed:
        logger.warning("push_skipped", extra={"count": len(addressed)})


def _publish(client: redis.Redis, addressed: Sequence[tuple[str, Hint | QueueHint]]) -> None:
    """Publish in the channel layer's own form, which has no bulk `group_send`."""
    channels = {group: _channel_of(group) for group, _ in addressed}
    watched = {
        _text(channel)
        for channel, listeners in client.pubsub_numsub(*channels.values())
        if listeners
    }
    if not watched:
        return
    layer = cast(RedisPubSubChannelLayer, get_channel_layer())
    with client.pipeline(transaction=False) as pipe:
        for group, hint in addressed:
            if channels[group] in watched:
                pipe.publish(channels[group], layer.serialize(hint.message()))
        pipe.execute()


def _channel_of(group: str) -> str:
    return f"{settings.REDIS_PREFIX}__group__{group}"


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
