"""The database's own time."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

# The same clock as Django's `Now()` uses in updates, on either database.
_NOW_SQL = {
    "postgresql": "SELECT STATEMENT_TIMESTAMP()",
    "sqlite": "SELECT STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')",
}


def database_now() -> datetime:
    """Return the database's own time: the only clock that due times and leases know."""
    with connection.cursor() as cursor:
        cursor.execute(_NOW_SQL[connection.vendor])
        value = cursor.fetchone()[0]
    if isinstance(value, datetime):
        return value
    return datetime.fromisoformat(f"{value}+00:00")
