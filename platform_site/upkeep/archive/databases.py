"""The database as its own tools keep it: SQLite's online backup, PostgreSQL's dump."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from django.db import connection
from psycopg.conninfo import make_conninfo

from platform_site.upkeep.archive.manifest import Refused

SQLITE_FILE: Final = "database.sqlite3"
POSTGRESQL_FILE: Final = "database.dump"
# What PostgreSQL's programs are told of a connection; the password goes by their environment.
_TOLD: Final = (
    "host",
    "port",
    "user",
    "dbname",
    "connect_timeout",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
)


def file_of(vendor: str) -> str:
    return SQLITE_FILE if vendor == "sqlite" else POSTGRESQL_FILE


def keep_database(path: Path) -> None:
    """Write the database into a file, as it is at the moment that the caller reads it at."""
    if connection.vendor == "sqlite":
        _keep_sqlite(path)
    else:
        _keep_postgresql(path)


def put_database(path: Path) -> None:
    """Put a kept database into the place of an empty one."""
    connection.close()
    if connection.vendor == "sqlite":
        _put_sqlite(path)
    else:
        _run("pg_restore", *_RESTORE, f"--dbname={_address()}", str(path))
    connection.ensure_connection()


# --- SQLite --------------------------------------------------------------------------------------


def _keep_sqlite(path: Path) -> None:
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as made:
        # In one step: pages are read in the caller's transaction, and writers are not stopped.
        connection.connection.backup(made)
        made.execute("PRAGMA journal_mode=DELETE")
        (said,) = made.execute("PRAGMA quick_check").fetchone()
    if said != "ok":
        raise Refused(f"The copy of the database is damaged: {said}.")


def _put_sqlite(path: Path) -> None:
    place = Path(str(connection.settings_dict["NAME"]))
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f"{place.name}.restored")
    shutil.copyfile(path, draft)
    draft.chmod(0o600)
    # What an emptier database had still to write must not be written over this one.
    for leftover in ("-wal", "-shm", "-journal"):
        place.with_name(place.name + leftover).unlink(missing_ok=True)
    draft.replace(place)


# --- PostgreSQL ----------------------------------------------------------------------------------

_DUMP: Final = ("--format=custom", "--no-owner", "--no-privileges")
_RESTORE: Final = (
    "--single-transaction",
    "--exit-on-error",
    "--clean",
    "--if-exists",
    "--no-owner",
    "--no-privileges",
)


def _keep_postgresql(path: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone()
    path.touch(mode=0o600)
    _run("pg_dump", *_DUMP, f"--snapshot={snapshot}", f"--file={path}", f"--dbname={_address()}")


def find_program(name: str) -> str:
    """Return where one of PostgreSQL's programs is. Raises `Refused` when it is not there."""
    found = shutil.which(name)
    if found is None:
        raise Refused(
            f"{name} is not on the PATH. Install PostgreSQL's client programs of the server's "
            "version or a newer one (on Debian: postgresql-client), or use export_instance and "
            "import_instance, which need none."
        )
    return found


def _run(name: str, *arguments: str) -> None:
    given = _parameters()
    password = {"PGPASSWORD": str(given["password"])} if given.get("password") else {}
    argv: Sequence[str] = [find_program(name), *arguments]
    done = subprocess.run(  # noqa: S603  # PostgreSQL's own programs, by their full path
        argv, env={**os.environ, **password}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise Refused(f"{name} failed: {lines[0]}")


def _parameters() -> dict[str, Any]:
    return dict(connection.get_connection_params())


def _address() -> str:
    given = _parameters()
    return make_conninfo("", **{name: given[name] for name in _TOLD if given.get(name)})
