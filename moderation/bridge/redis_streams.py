"""A Redis Stream, read by a consumer group."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import redis

from moderation.bridge.messages import Message
from moderation.bridge.reader import BATCH, WAIT_SECONDS, Unreachable
from moderation.delivery import streams

# What another reader took and has not confirmed for so long, it will not.
_ABANDONED_MS: Final = 30_000

Entries = list[tuple[bytes, dict[bytes, bytes]]]


class RedisReader:
    """Its name lets it have back what it took before it was stopped."""

    def __init__(self, topic: str, group: str, name: str) -> None:
        self._topic, self._group, self._name = topic, group, name
        self._taken: list[bytes] = []
        self._again = True
        self._rescued_at = 0.0
        self._is_ready = False

    def take(self) -> list[Message]:
        found = self._ask(self._take)
        self._taken = [entry_id for entry_id, _ in found]
        return [self._message(entry_id, fields) for entry_id, fields in found]

    def confirm(self) -> None:
        if self._taken:
            self._ask(lambda server: server.xack(self._topic, self._group, *self._taken))

    def take_again(self) -> None:
        self._again = True

    def lag(self) -> int | None:
        groups = self._ask(lambda server: server.xinfo_groups(self._topic))
        found = next((one for one in groups if one["name"] == self._group.encode()), None)
        if found is None or found.get("lag") is None:
            return None
        return int(found["lag"]) + int(found["pending"])

    def close(self) -> None:
        """Nothing is held: what was not confirmed is had by others after a while."""

    def _ask(self, work: Callable[[Any], Any]) -> Any:
        try:
            server = streams.stream_redis()
            if not self._is_ready:
                self._make_group(server)
            return work(server)
        except redis.ResponseError as error:
            # The stream was emptied or its server replaced: the group is made anew.
            self._is_ready = False
            raise Unreachable(str(error).partition(" ")[0]) from error
        except redis.RedisError as error:
            raise Unreachable(type(error).__name__) from error

    def _make_group(self, server: Any) -> None:
        try:
            server.xgroup_create(self._topic, self._group, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._is_ready, self._again = True, True

    def _take(self, server: Any) -> Entries:
        if self._again:
            found = self._read(server, "0", wait=False)
            if found:
                return found
            self._again = False
        if found := self._rescue(server):
            return found
        return self._read(server, ">", wait=True)

    def _read(self, server: Any, start: str, *, wait: bool) -> Entries:
        block = int(WAIT_SECONDS * 1000) if wait else None
        answer = server.xreadgroup(
            self._group, self._name, {self._topic: start}, count=BATCH, block=block
        )
        entries: Sequence[Any] = answer[0][1] if answer else ()
        return [(entry_id, fields or {}) for entry_id, fields in entries]

    def _rescue(self, server: Any) -> Entries:
        if time.monotonic() - self._rescued_at < _ABANDONED_MS / 2000:
            return []
        self._rescued_at = time.monotonic()
        answer = server.xautoclaim(
            self._topic, self._group, self._name, _ABANDONED_MS, start_id="0-0", count=BATCH
        )
        return [(entry_id, fields or {}) for entry_id, fields in answer[1]]

    def _message(self, entry_id: bytes, fields: dict[bytes, bytes]) -> Message:
        texts = {name.decode("utf-8", "replace"): value for name, value in fields.items()}
        headers = {
            name: value.decode("utf-8", "replace")
            for name, value in texts.items()
            if name != "data"
        }
        value = texts.get("data")
        if value is None:
            # Entries may also have a field for each value, as most people write them.
            value = streams.json_of(headers)
        return Message(self._topic, f"{self._topic}@{entry_id.decode()}", value, headers)
