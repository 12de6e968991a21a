"""What a line says of an exception: its kind and its way, never content."""

from __future__ import annotations

import json
import logging
import logging.config

import pytest
from django.conf import settings
from django.db import IntegrityError, OperationalError

from moderation.errors import Conflict
from platform_site.log_errors import WITHHELD, said_by, without_content

MARK = "the words of somebody"


def line_of(error: BaseException) -> dict[str, str]:
    config = logging.config.DictConfigurator(settings.LOGGING)
    formatter = config.configure_formatter(dict(settings.LOGGING["formatters"]["json"]))
    info = (type(error), error, error.__traceback__)
    log = logging.getLogger("moderation.x")
    record = log.makeRecord("moderation.x", logging.ERROR, __file__, 1, "it_failed", (), info)
    return json.loads(formatter.format(record))


def caught(error: BaseException, cause: BaseException | None = None) -> BaseException:
    def fail() -> None:
        raise error from cause

    with pytest.raises(type(error)):
        fail()
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Conflict("Review 7 is closed."), "Review 7 is closed."),
        (TypeError("judge() takes 1 argument"), "judge() takes 1 argument"),
        (OperationalError(f"server closed the connection\nSTATEMENT: {MARK}"), "server closed the"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (ValueError(f"cannot take {MARK}"), WITHHELD),
        (IntegrityError(f"violates\nDETAIL: Failing row contains ({MARK})"), WITHHELD),
        (RuntimeError(MARK), WITHHELD),
        (KeyError(MARK), WITHHELD),
    ],
)
def test_only_what_cannot_be_content_is_told(error, said):
    assert said in said_by(error)
    told = line_of(caught(error))["exception"]
    assert type(error).__name__ in told
    assert "in fail" in told
    assert MARK not in told


def test_causes_are_told_first():
    told = line_of(caught(ValueError(MARK), cause=Conflict("It moved on.")))["exception"]
    assert told.index("moderation.errors.Conflict: It moved on.") < told.index("ValueError")
    assert MARK not in told


def test_a_circle_of_causes_ends():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert line_of(first)["exception"].count("ValueError") == 2


def test_a_line_asked_for_the_exception_at_hand_tells_it_too():
    try:
        int(MARK)
    except ValueError:
        event = without_content(None, "error", {"event": "x", "exc_info": True})
    assert "ValueError: " + WITHHELD in event["exception"]
