"""Reads the database as it is at one moment, while others go on writing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder

from moderation.models import MediaItem


@contextmanager
def one_moment() -> Iterator[None]:
    """Have all reads of a block see the database as it is at its beginning. It must not write."""
    connection.ensure_connection()
    if connection.vendor == "sqlite":
        with _deferred():
            yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        # A long look is what this is for.
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield


@contextmanager
def _deferred() -> Iterator[None]:
    """Begin without the lock that our own transactions take at once: writers go on."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")
        try:
            # The moment is that of the first read.
            cursor.execute("SELECT count(*) FROM django_migrations")
            cursor.fetchone()
            yield
        finally:
            cursor.execute("ROLLBACK")


def count_rows() -> dict[str, int]:
    """Return how many rows each table has."""
    counts = {}
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names(cursor)):
            cursor.execute(f"SELECT count(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608  # a table's own name
            counts[table] = int(cursor.fetchone()[0])
    return counts


def applied_migrations() -> list[str]:
    """Return the steps that made the tables, as app.name; none for a database without tables."""
    return sorted(".".join(step) for step in MigrationRecorder(connection).applied_migrations())


def file_names() -> Iterator[tuple[str, str]]:
    """Yield each attachment's id and one of its files' names, as the rows have them."""
    rows = MediaItem.objects.order_by("pk").values_list("pk", "incoming", "file", "audio", "frames")
    for pk, incoming, file, audio, frames in rows.iterator(chunk_size=1_000):
        for name in (incoming, file, audio, *frames):
            if name:
                yield str(pk), name
