"""The formatter of our log lines, for programs that set their own logging up before Django does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from structlog.stdlib import ProcessorFormatter


def formatter() -> ProcessorFormatter:
    """Return what writes a line as the settings say. Named by granian-log.json."""
    from django.conf import settings

    logging: Mapping[str, Any] = settings.LOGGING
    wanted = dict(logging["formatters"]["json"])
    wanted.pop("()")
    return ProcessorFormatter(**wanted)
