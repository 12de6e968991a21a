"""What reads a topic: in batches, confirmed once they are stored, as one of a group of readers."""

from __future__ import annotations

from typing import Final, Protocol

from moderation.bridge.messages import Message
from moderation.delivery import streams
from moderation.delivery.streams import Entry

BATCH: Final = 500
WAIT_SECONDS: Final = 1.0
REFUSED_SUFFIX: Final = ".refused"


class Unreachable(Exception):
    """The server cannot be reached; what was taken and not confirmed comes again."""


class Reader(Protocol):
    """Reads one topic for one group. Used by one thread."""

    def take(self) -> list[Message]:
        """Return what has come, after at most `WAIT_SECONDS`. Raises `Unreachable`."""
        ...

    def confirm(self) -> None:
        """Let nobody of the group have what was taken last. Raises `Unreachable`."""
        ...

    def take_again(self) -> None:
        """Have what was taken last once more."""
        ...

    def lag(self) -> int | None:
        """Return how many messages wait, None when that is not known."""
        ...

    def close(self) -> None: ...


def put_aside(service: str, message: Message, *, code: str, detail: str) -> None:
    """Append a message that was refused to its topic's own topic of them. Raises `Unreachable`."""
    headers = {**message.headers, "error": code, "detail": detail[:500], "from": message.place}
    headers.pop("key", None)
    value = message.value.decode("utf-8", "replace")
    entry = Entry(key=message.place, value=value, headers=headers)
    error = streams.LOGS[service].append(message.topic + REFUSED_SUFFIX, [entry])
    if error:
        raise Unreachable(error)
