"""Takes away what was left behind: lost uploads, old exports, sessions that have ended.

What is kept for a time that can be set goes by `retention`.

Runs every hour; each run does a bounded part, so that a long pause never ends in a long lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.sessions.models import Session
from django.core.files.storage import default_storage
from django.db.models.functions import Now
from django.utils import timezone

from moderation.models import MediaItem
from moderation.operations.heartbeat import forget_silent

MOST_ROWS = 5_000
MOST_FILES = 1_000
# An upload is stored just before its post is: a day later nobody is coming for it.
LOST_UPLOAD_AGE = timedelta(days=1)
EXPORT_AGE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Tidied:
    """How much was taken away."""

    uploads: int
    exports: int
    sessions: int
    processes: int


def tidy() -> Tidied:
    return Tidied(
        uploads=_drop_files("incoming", _lost_uploads()),
        exports=_drop_files("exports", _older_than("exports", EXPORT_AGE)),
        sessions=_end_old_sessions(),
        processes=forget_silent(),
    )


def _end_old_sessions() -> int:
    """Forget sessions that nobody can use any more; nothing else ever does."""
    old = Session.objects.filter(expire_date__lt=Now()).order_by("expire_date")
    keys = list(old.values_list("pk", flat=True)[:MOST_ROWS])
    Session.objects.filter(pk__in=keys).delete()
    return len(keys)


def _lost_uploads() -> list[str]:
    old = list(_older_than("incoming", LOST_UPLOAD_AGE))
    waiting = set(
        MediaItem.objects.filter(incoming__in=[f"incoming/{name}" for name in old]).values_list(
            "incoming", flat=True
        )
    )
    return [name for name in old if f"incoming/{name}" not in waiting]


def _older_than(folder: str, age: timedelta) -> Iterator[str]:
    limit: datetime = timezone.now() - age
    # A bucket knows no folders, and a disk not this one before its first file.
    with suppress(FileNotFoundError):
        for name in default_storage.listdir(folder)[1][:MOST_FILES]:
            if default_storage.get_modified_time(f"{folder}/{name}") < limit:
                yield name


def _drop_files(folder: str, names: Iterator[str] | list[str]) -> int:
    dropped = 0
    for name in names:
        default_storage.delete(f"{folder}/{name}")
        dropped += 1
    return dropped
