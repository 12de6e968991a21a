"""Triggers that keep the record append-only, on PostgreSQL and SQLite.

Django remakes a SQLite table to alter it and drops its triggers silently: `install` therefore
runs after every migration. `lifted` is the one sanctioned way round, for tests and restores.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.backends.base.base import BaseDatabaseWrapper

APPEND_ONLY_TABLES = (
    "moderation_auditevent",
    "moderation_auditseal",
    "moderation_auditcheckpoint",
)
# What was said is never said otherwise afterwards; it may go with the community it was said in.
UNCHANGING_TABLES = ("moderation_statement",)

_POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION moderation_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


def install(connection: BaseDatabaseWrapper) -> None:
    """Create the triggers, replacing those that stand."""
    with connection.cursor() as cursor:
        for statement in _creation(connection.vendor):
            cursor.execute(statement)


def remove(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        for table in APPEND_ONLY_TABLES:
            for statement in _removal(connection.vendor, table):
                cursor.execute(statement)


@contextmanager
def lifted(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Let rows be removed for the length of a block."""
    remove(connection)
    try:
        yield
    finally:
        install(connection)


def _creation(vendor: str) -> Iterator[str]:
    if vendor == "postgresql":
        yield _POSTGRESQL_FUNCTION
    for table in APPEND_ONLY_TABLES:
        yield from _removal(vendor, table)
        if vendor == "postgresql":
            yield (
                f"CREATE TRIGGER {table}_rows BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION moderation_refuse_change()"
            )
            yield (
                f"CREATE TRIGGER {table}_truncate BEFORE TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION moderation_refuse_change()"
            )
        else:
            for event in ("UPDATE", "DELETE"):
                yield (
                    f"CREATE TRIGGER {table}_{event.lower()} BEFORE {event} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
    for table in UNCHANGING_TABLES:
        yield from _removal(vendor, table)
        yield (
            f"CREATE TRIGGER {table}_rows BEFORE UPDATE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION moderation_refuse_change()"
            if vendor == "postgresql"
            else f"CREATE TRIGGER {table}_update BEFORE UPDATE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _removal(vendor: str, table: str) -> Iterator[str]:
    if vendor == "postgresql":
        yield f"DROP TRIGGER IF EXISTS {table}_rows ON {table}"
        yield f"DROP TRIGGER IF EXISTS {table}_truncate ON {table}"
    else:
        yield f"DROP TRIGGER IF EXISTS {table}_update"
        yield f"DROP TRIGGER IF EXISTS {table}_delete"
