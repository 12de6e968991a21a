"""What a log line or an error report says of an exception: where it came from, never content.

A database names the row that it refuses, a parser quotes what it could not read: what such errors
say may be a post. Their kind and their way through the code say enough.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from typing import Any, Final

import structlog
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError
from kombu.exceptions import OperationalError as BrokerError
from redis import RedisError

from moderation.errors import ModerationError

WITHHELD: Final = "(what it says is withheld)"
# These speak of names, types, files and servers. The first line alone: drivers add the statement.
_SPEAK_OF_US: Final = (
    ModerationError,
    ImproperlyConfigured,
    AttributeError,
    ImportError,
    MemoryError,
    NameError,
    NotImplementedError,
    OperationalError,
    OSError,
    BrokerError,
    RecursionError,
    RedisError,
    TypeError,
)
_MOST_CHARS: Final = 500
_MOST_CAUSES: Final = 10


def said_by(error: BaseException) -> str:
    """Return what an exception says, as far as that can be no content."""
    if not isinstance(error, _SPEAK_OF_US):
        return WITHHELD
    lines = str(error).strip().splitlines()
    return lines[0][:_MOST_CHARS] if lines else ""


def kind_of(error: BaseException) -> str:
    kind = type(error)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def without_content(logger: Any, method: str, event: structlog.typing.EventDict) -> Any:
    """Put an exception's way and kind into a line (a step of structlog)."""
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else given
    if given is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["exception"] = "\n".join(_told(error))
    return event


def _told(error: BaseException) -> Iterator[str]:
    """Tell what led to an exception first, as Python does."""
    chain = [error]
    while len(chain) < _MOST_CAUSES:
        last = chain[-1]
        before = last.__cause__ or (None if last.__suppress_context__ else last.__context__)
        if before is None or before in chain:
            break
        chain.append(before)
    for one in reversed(chain):
        yield "Traceback (most recent call last):"
        yield "".join(traceback.format_tb(one.__traceback__)).rstrip("\n")
        yield f"{kind_of(one)}: {said_by(one)}"
