"""`Prefer: wait=10` (RFC 7240): an answer that is held back until the post has its verdict.

Who waits holds a thread of this process but no connection to the database, and only a few may.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from django.db import connection
from rest_framework.request import Request

LONGEST_WAIT_SECONDS = 30
# Half the threads that a web process is given: the others go on answering.
MOST_WAITING = 4
LOOK_EVERY_SECONDS = 0.25
# Whoever was not answered yet asks again after this.
COME_BACK_SECONDS = 1

_WAIT = re.compile(r"\s*wait\s*=\s*\"?(\d{1,9})\"?\s*", re.ASCII | re.IGNORECASE)


class Places:
    """How many may wait in this process; whoever finds none free is answered at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0
        self._guard = threading.Lock()

    def take(self) -> bool:
        with self._guard:
            if self._taken >= self._most:
                return False
            self._taken += 1
            return True

    def give_back(self) -> None:
        with self._guard:
            self._taken -= 1

    @contextmanager
    def one(self) -> Iterator[bool]:
        """Hold a place, if there was one."""
        found = self.take()
        try:
            yield found
        finally:
            if found:
                self.give_back()


waiting_places = Places(MOST_WAITING)


def read_wait(request: Request) -> int:
    """Return the seconds that a client would wait, 0 for none; what is odd is ignored, as the
    RFC asks. More than the longest counts as that.
    """
    header: str = request.META.get("HTTP_PREFER", "")
    for preference in header.split(","):
        # Parameters may follow a preference; `wait` has none.
        found = _WAIT.fullmatch(preference.partition(";")[0])
        if found:
            return min(int(found[1]), LONGEST_WAIT_SECONDS)
    return 0


def wait_until(is_over: Callable[[], bool], seconds: int) -> bool:
    """Wait for something in the database; False at once when too many wait already.

    True says that the waiting was done, however it ended.
    """
    if seconds == 0:
        return False
    with waiting_places.one() as may_wait:
        if not may_wait:
            return False
        ends = monotonic() + seconds
        while not is_over() and (left := ends - monotonic()) > 0:
            # A transaction around all this is somebody's test.
            if not connection.in_atomic_block:
                connection.close()
            sleep(min(LOOK_EVERY_SECONDS, left))
    return True
