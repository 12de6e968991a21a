"""How single submits share one transaction: whoever comes first commits for all who wait.

A lone request goes straight through. While one batch is being committed, further requests
line up, and the next of them takes all that have gathered. Nobody waits for a timer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(eq=False, slots=True)
class _Waiting(Generic[Item, Result]):
    item: Item
    result: Result | None = None
    error: BaseException | None = None
    done: bool = False


class GroupCommit(Generic[Item, Result]):
    """Runs items through `run_batch`, which returns one result an item, in order.

    When `run_batch` raises for several items, each is tried once more alone, so that one item's
    fault is never another's; except for `common_faults`, which are nobody's item's (the database
    is away) and reach everybody at once.
    """

    def __init__(
        self,
        run_batch: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        max_batch: int,
        common_faults: tuple[type[Exception], ...] = (),
    ) -> None:
        self._run_batch = run_batch
        self._common_faults = common_faults
        self._max_batch = max_batch
        self._turn = threading.Lock()
        self._queue_guard = threading.Lock()
        self._queue: list[_Waiting[Item, Result]] = []

    def submit(self, item: Item) -> Result:
        """Return the item's own result, or raise what its run raised."""
        mine: _Waiting[Item, Result] = _Waiting(item)
        with self._queue_guard:
            self._queue.append(mine)
        with self._turn:
            while not mine.done:
                self._run(self._take())
        if mine.error is not None:
            raise mine.error
        return mine.result  # type: ignore[return-value]  # set whenever error is not

    def _take(self) -> list[_Waiting[Item, Result]]:
        with self._queue_guard:
            batch = self._queue[: self._max_batch]
            del self._queue[: self._max_batch]
        return batch

    def _run(self, batch: list[_Waiting[Item, Result]]) -> None:
        try:
            results = self._run_batch([waiting.item for waiting in batch])
        except Exception as error:  # noqa: BLE001 - handed on to whoever sent the item
            if len(batch) > 1 and not isinstance(error, self._common_faults):
                for waiting in batch:
                    self._run([waiting])
                return
            for waiting in batch:
                waiting.error = error
                waiting.done = True
            return
        for waiting, result in zip(batch, results, strict=True):
            waiting.result = result
            waiting.done = True
