"""How often a post is looked at until it is judged."""

from __future__ import annotations

import time

from gatehouse_client.answers import PostStatus
from gatehouse_client.errors import StillPending
from gatehouse_client.words import Status

# Most posts are judged within a second; one that waits for a provider or a person can wait.
_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 5.0
_LONGER_BY = 1.5


class Patience:
    """Wait ever longer between two looks, until the timeout."""

    def __init__(self, timeout_seconds: float, *, through_review: bool) -> None:
        self._until = time.monotonic() + timeout_seconds
        self._unsettled = {Status.PENDING, Status.IN_REVIEW} if through_review else {Status.PENDING}
        self._wait = _FIRST_WAIT_SECONDS

    def wait_after(self, status: PostStatus) -> float | None:
        """Return how long to wait, None for a post that is judged. Raises `StillPending`."""
        if status.status not in self._unsettled:
            return None
        left = self._until - time.monotonic()
        if left <= 0:
            raise StillPending(status)
        wait = min(self._wait, left)
        self._wait = min(self._wait * _LONGER_BY, _LONGEST_WAIT_SECONDS)
        return wait
