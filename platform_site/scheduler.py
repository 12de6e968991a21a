"""The scheduler: django-celery-beat's, with a heartbeat that stops when its rounds do."""

from __future__ import annotations

from typing import Any

from django_celery_beat.schedulers import DatabaseScheduler

from moderation.operations.heartbeat import Heart
from moderation.vocabulary import ProcessRole


class Scheduler(DatabaseScheduler):  # type: ignore[misc]  # django-celery-beat is untyped
    """Starts what is due by the schedule in the database."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._heart = Heart(ProcessRole.SCHEDULER)

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        self._heart.keep_beating()
        return super().tick(*args, **kwargs)

    def close(self) -> None:
        super().close()
        self._heart.stop()
