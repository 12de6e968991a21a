"""The kinds of fault, and when each strikes."""

from __future__ import annotations

import heapq
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.faults.stack import Part, Stack

# A worker is frozen for longer than its lease runs without being renewed.
BEYOND_LEASE_SECONDS = 14.0
WEB_FROZEN_SECONDS = 5.0
BROKER_FROZEN_SECONDS = (2.0, 6.0)
# The same part is left alone for so long after it was started, or it would never work at all.
SETTLE_SECONDS = 2.0
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 2.5


@dataclass
class Saboteur:
    """Breaks a stack at random. `healed_at` is when the last fault was over (monotonic)."""

    stack: Stack
    chance: random.Random
    count: Counter[str] = field(default_factory=Counter)
    healed_at: float = 0.0
    told: list[str] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)
    _later: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _broker_is_frozen: bool = False

    def kinds(self) -> dict[str, Callable[[], bool]]:
        return {
            "worker killed": lambda: self._kill(self.stack.workers),
            "pool child killed": lambda: self._kill_child(self.stack.workers),
            "worker frozen past its lease": lambda: self._freeze(
                self.stack.workers, "worker", BEYOND_LEASE_SECONDS
            ),
            "web killed": lambda: self._kill(self.stack.webs),
            "web child killed": lambda: self._kill_child(self.stack.webs),
            "web frozen": lambda: self._freeze(self.stack.webs, "web", WEB_FROZEN_SECONDS),
            "sweeper killed": lambda: self._kill(self.stack.sweepers),
            "broker killed": self._kill_broker,
            "broker flushed": self._flush_broker,
            "broker frozen": self._freeze_broker,
            "database backend killed": self._kill_backend,
            "database killed": self._kill_database,
        }

    def bombard(self, *, seconds: float, each: int = 1) -> None:
        """Strike with every kind `each` times, in any order, then at random until time is over.

        Takes longer than `seconds` where so many faults do not fit into it.
        """
        kinds = self.kinds()
        # The long freeze begins early, so that it ends in time.
        order = self.chance.sample(sorted(kinds) * each, len(kinds) * each)
        order.remove("worker frozen past its lease")
        order.insert(0, "worker frozen past its lease")
        ends_at = time.monotonic() + seconds
        while order or time.monotonic() < ends_at:
            name = order.pop(0) if order else self.chance.choice(sorted(kinds))
            if kinds[name]():
                self._tell(name)
            elif self.count[name] < each:
                order.append(name)
            # To strike takes time itself: what is left of it is shared by what is left to do.
            pause = (ends_at - time.monotonic()) / (len(order) + 1)
            self._wait(_within(pause) * self.chance.uniform(0.6, 1.4))
        while self._later:
            self._wait(0.1)

    def heal(self) -> None:
        """End what still is frozen, whatever happened."""
        while self._later:
            heapq.heappop(self._later)[2]()

    def _tell(self, name: str) -> None:
        self.count[name] += 1
        self.healed_at = time.monotonic()
        self.told.append(f"{self.healed_at - self._began:6.1f} s  {name}")

    def _wait(self, seconds: float) -> None:
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            while self._later and self._later[0][0] <= time.monotonic():
                heapq.heappop(self._later)[2]()
            time.sleep(0.05)

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + seconds, len(self.told), act))

    def _pick(self, parts: Sequence[Part]) -> Part | None:
        living = [
            part for part in parts if part.pid and not part.is_frozen and part.age > SETTLE_SECONDS
        ]
        return self.chance.choice(living) if living else None

    def _kill(self, parts: Sequence[Part]) -> bool:
        part = self._pick(parts)
        if part is not None:
            part.kill()
        return part is not None

    def _kill_child(self, parts: Sequence[Part]) -> bool:
        part = self._pick(parts)
        return part is not None and part.kill_child(self.chance)

    def _freeze(self, parts: Sequence[Part], role: str, seconds: float) -> bool:
        """Stop one of several, never the last one that works."""
        part = None if any(part.is_frozen for part in parts) else self._pick(parts)
        if part is None:
            return False
        part.freeze()

        def thaw() -> None:
            part.thaw()
            self._tell(f"{role} thawed")

        self._after(seconds, thaw)
        return True

    def _kill_broker(self) -> bool:
        if self._broker_is_frozen:
            return False
        self.stack.redis.kill()
        time.sleep(self.chance.uniform(0.0, 1.5))
        self.stack.redis.start()
        return True

    def _flush_broker(self) -> bool:
        if self._broker_is_frozen:
            return False
        self.stack.redis.flush()
        return True

    def _freeze_broker(self) -> bool:
        if self._broker_is_frozen:
            return False
        self._broker_is_frozen = True
        self.stack.redis.freeze()

        def thaw() -> None:
            self.stack.redis.thaw()
            self._broker_is_frozen = False
            self._tell("broker thawed")

        self._after(self.chance.uniform(*BROKER_FROZEN_SECONDS), thaw)
        return True

    def _kill_backend(self) -> bool:
        self.stack.postgres.kill_backend(self.chance)
        return True

    def _kill_database(self) -> bool:
        self.stack.postgres.kill()
        self.stack.postgres.start()
        return True


def _within(pause: float) -> float:
    return min(max(pause, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
