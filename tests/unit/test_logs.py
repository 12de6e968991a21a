"""Log lines carry what they are about."""

from __future__ import annotations

import json
import logging
import logging.config

import pytest
from django.conf import settings


def _line(logger: str, **extra: object) -> dict[str, object]:
    config = logging.config.DictConfigurator(settings.LOGGING)
    # A copy: configuring takes the dict apart.
    formatter = config.configure_formatter(dict(settings.LOGGING["formatters"]["json"]))
    record = logging.getLogger(logger).makeRecord(
        logger, logging.WARNING, __file__, 1, "something_happened", (), None, extra=extra
    )
    line: dict[str, object] = json.loads(formatter.format(record))
    return line


@pytest.mark.parametrize(
    "logger", ["moderation.pipeline.enforcement.enforce", "platform_site.health"]
)
def test_our_own_lines_keep_their_ids_and_numbers(logger):
    line = _line(logger, count=7, lane="screen.high")
    assert (line["event"], line["count"], line["lane"]) == ("something_happened", 7, "screen.high")


def test_what_libraries_attach_stays_out():
    assert "request" not in _line("django.request", request="POST body of somebody")
