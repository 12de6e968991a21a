"""Lets every line that a task logs say which task it was, and for which lane."""

from __future__ import annotations

from typing import Any

import structlog

_NAMES = ("task", "task_id", "lane")


def bind(*, task: Any, task_id: str, kwargs: dict[str, Any] | None = None, **_: object) -> None:
    """Called by Celery before a task."""
    lane = (kwargs or {}).get("lane")
    structlog.contextvars.bind_contextvars(
        task=task.name, task_id=task_id, **({"lane": str(lane)} if lane else {})
    )


def unbind(**_: object) -> None:
    """Called by Celery after a task, however it ended."""
    structlog.contextvars.unbind_contextvars(*_NAMES)
