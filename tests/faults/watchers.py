"""People who look at their own posts: each holds one websocket, and comes back as pages do."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

# As the pages' own scripts: a second, doubled each time, and up to half a second of chance.
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
CHANCE_SECONDS = 0.5
OPEN_SECONDS = 10.0
CLOSE_SECONDS = 0.5
COOKIE = "sessionid"
STATUS_OF_KIND = {
    "post.approved": "approved",
    "post.edited": "pending",
    "post.queued": "in_review",
    "post.rejected": "rejected",
}

State = tuple[int, str]


@dataclass(slots=True)
class Watcher:
    """One page: what it shows of its post, since when, and since when its socket is open."""

    post: str
    session: str
    shows: State | None = None
    shows_since: float = 0.0
    opened_at: float = 0.0
    is_open: bool = False
    foreign: int = 0

    def hear(self, message: Mapping[str, Any]) -> None:
        if message.get("type") == "snapshot":
            for line in message["posts"]:
                self._show(line["post"], (line["revision"], line["status"]))
        elif message.get("kind") in STATUS_OF_KIND:
            self._show(message["post"], (message["revision"], STATUS_OF_KIND[message["kind"]]))

    def _show(self, post: str, state: State) -> None:
        if post != self.post:
            self.foreign += 1
        elif state != self.shows:
            self.shows, self.shows_since = state, time.time()


@dataclass
class Audience:
    """All watchers, in one thread with a loop of its own."""

    watchers: Sequence[Watcher]
    ports: Sequence[int]
    origin: str
    chance: random.Random
    closed: Counter[str] = field(default_factory=Counter)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _work: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="audience", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._end)
            self._thread.join()
            self._loop.close()

    @property
    def open(self) -> int:
        return sum(watcher.is_open for watcher in self.watchers)

    def _run(self) -> None:
        self._work = self._loop.create_task(self._watch_all())
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._work)
        # What was broken off still has its sockets to close.
        self._loop.run_until_complete(asyncio.sleep(CLOSE_SECONDS))

    def _end(self) -> None:
        if self._work is not None:
            self._work.cancel()

    async def _watch_all(self) -> None:
        await asyncio.gather(*(self._watch(watcher) for watcher in self.watchers))

    async def _watch(self, watcher: Watcher) -> None:
        pause = FIRST_PAUSE_SECONDS
        await asyncio.sleep(self.chance.uniform(0, len(self.watchers) / 100))
        while True:
            try:
                async with await self._open(watcher) as socket:
                    pause = FIRST_PAUSE_SECONDS
                    watcher.opened_at, watcher.is_open = time.time(), True
                    # What it showed before must be told anew.
                    watcher.shows = None
                    await self._listen(watcher, socket)
                    self.closed[str(socket.close_code)] += 1
            except (OSError, WebSocketException, TimeoutError) as error:
                self.closed[type(error).__name__] += 1
            watcher.is_open = False
            await asyncio.sleep(pause + self.chance.uniform(0, CHANCE_SECONDS))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _open(self, watcher: Watcher) -> ClientConnection:
        # One door after the other, as a balancer in front would try them.
        for port in self.chance.sample(self.ports, len(self.ports)):
            with suppress(ConnectionRefusedError):
                return await connect(
                    f"ws://127.0.0.1:{port}/live/me/",
                    origin=self.origin,
                    additional_headers={"Cookie": f"{COOKIE}={watcher.session}"},
                    open_timeout=OPEN_SECONDS,
                    close_timeout=CLOSE_SECONDS,
                    ping_interval=None,
                    compression=None,
                )
        raise ConnectionRefusedError("No server is open.")

    async def _listen(self, watcher: Watcher, socket: ClientConnection) -> None:
        with suppress(WebSocketException):
            async for message in socket:
                watcher.hear(json.loads(message))
