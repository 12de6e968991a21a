"""A second instance beside the one under test: empty, with its own database and media store."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True)
class Instance:
    """What runs in processes of its own."""

    data: Path
    database_url: str

    @property
    def media(self) -> Path:
        return self.data / "media"

    def run(self, *arguments: object, **env: str) -> subprocess.CompletedProcess[str]:
        given = {
            **os.environ,
            "GATEHOUSE_DATA": str(self.data),
            "DATABASE_URL": self.database_url,
            **env,
        }
        return subprocess.run(
            [sys.executable, "manage.py", *map(str, arguments)],
            cwd=ROOT,
            env=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )

    def manage(self, *arguments: object, **env: str) -> str:
        """Run a command that must succeed; return what it said."""
        done = self.run(*arguments, **env)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, expression: str, **env: str) -> Any:
        """Evaluate an expression over the models there."""
        code = (
            "import json; from moderation.models import *; "
            "from django.contrib.auth.models import User; "
            "from django.contrib.sessions.models import Session; "
            f"print(json.dumps({expression}, default=str))"
        )
        return self.manage("shell", "--no-imports", "-v0", "-c", code, **env)


@contextmanager
def empty_instance(data: Path, *, schema: Path | None = None) -> Iterator[Instance]:
    """Make an instance on the same kind of database as the one under test.

    With `schema`, an empty SQLite file, it has its tables already: making them takes long.
    """
    data.mkdir(parents=True)
    if connection.vendor == "sqlite":
        if schema is not None:
            shutil.copy(schema, data / "there.sqlite3")
        yield Instance(data, f"sqlite:///{data}/there.sqlite3")
        return
    if shutil.which("pg_dump") is None:
        pytest.skip("PostgreSQL's programs are not installed")
    with _empty_postgresql(f"there_{os.getpid()}_{secrets.token_hex(4)}") as name:
        if schema is not None:
            _copy_tables(name)
        yield Instance(data, url_of(name))


@contextmanager
def _empty_postgresql(name: str) -> Iterator[str]:
    """Make a database beside the one under test, and drop it at the end."""
    with connection._nodb_cursor() as cursor:
        cursor.execute(f'CREATE DATABASE "{name}"')
    try:
        yield name
    finally:
        with connection._nodb_cursor() as cursor:
            cursor.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _copy_tables(name: str) -> None:
    """Give a database the tables of the one under test, and the list of what made them."""
    here = connection.settings_dict["NAME"]
    for what in (["--schema-only"], ["--data-only", "--table=django_migrations"]):
        made = subprocess.run(
            ["pg_dump", "--no-owner", *what, _libpq(url_of(here))], capture_output=True, check=True
        )
        subprocess.run(
            ["psql", "-q", "-v", "ON_ERROR_STOP=1", _libpq(url_of(name))],
            input=made.stdout,
            capture_output=True,
            check=True,
        )


def _libpq(url: str) -> str:
    return url.replace("postgres://", "postgresql://", 1)


def url_of(name: str) -> str:
    """Return the address of a database on the server under test."""
    there = connection.settings_dict
    who = quote(there["USER"], safe="") + (
        f":{quote(there['PASSWORD'], safe='')}" if there["PASSWORD"] else ""
    )
    port = f":{there['PORT']}" if there["PORT"] else ""
    # A socket's folder is no host name: it goes behind.
    if there["HOST"].startswith("/") or not there["HOST"]:
        return f"postgres://{who}@/{name}" + (
            f"?host={quote(there['HOST'], safe='')}" if there["HOST"] else ""
        )
    return f"postgres://{who}@{there['HOST']}{port}/{name}"


def files_under(root: Path) -> dict[str, bytes]:
    """Return the attachments of a media store, by name."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix != ".draft"
    }
