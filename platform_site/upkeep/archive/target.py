"""Whether an instance is empty, and made for what is to come into it."""

from __future__ import annotations

from typing import Final

from django.db import connection

from platform_site.upkeep.archive import moment
from platform_site.upkeep.archive.files import is_store_empty
from platform_site.upkeep.archive.manifest import Refused, refuse_newer

# What migrations and the scheduler write by themselves.
OWN_ROWS: Final = (
    "auth_permission",
    "django_celery_beat_",
    "django_content_type",
    "django_migrations",
)


def refuse_unless_empty() -> None:
    """Raise `Refused` for an instance that holds something, or is newer than this version."""
    refuse_newer(moment.applied_migrations(), "This database")
    for table, rows in moment.count_rows().items():
        if rows and not table.startswith(OWN_ROWS):
            raise Refused(
                f"This database is not empty: {table} has {rows} rows. Stop all roles, and give "
                f"an empty database ({_advice()}) and an empty media store."
            )
    if not is_store_empty():
        raise Refused(
            "The media store is not empty: give another MEDIA_ROOT or bucket, or remove its "
            "folders posts and incoming."
        )


def _advice() -> str:
    if connection.vendor == "sqlite":
        return f"remove {connection.settings_dict['NAME']}, or set another DATABASE_URL"
    return "make a new one, or set another DATABASE_URL"
