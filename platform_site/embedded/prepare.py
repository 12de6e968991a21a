"""Brings a data folder up to date. Cheap when it already is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command, get_commands
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

Say = Callable[[str], None]


def prepare(say: Say) -> None:
    """Migrate, seed the demo community, make the roles and collect static files, where needed."""
    migrate(say)
    seed(say)
    # Who wants one says so in the environment; the demo needs none.
    call_command("first_admin", verbosity=0)
    collect_static(say)


def migrate(say: Say) -> None:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        say(f"Preparing the database ({len(pending)} steps)")
        call_command("migrate", verbosity=0, interactive=False)


def seed(say: Say) -> None:
    if "seed_demo" in get_commands():
        from django.contrib.auth import get_user_model

        if not get_user_model().objects.exists():
            say("Founding the demo community")
        call_command("seed_demo", verbosity=0)


def collect_static(say: Say) -> None:
    root = Path(settings.STATIC_ROOT)
    stamp = root / ".collected"
    digest = _digest_of_static_files()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    say("Collecting style sheets, scripts and fonts")
    call_command("collectstatic", verbosity=0, interactive=False)
    stamp.write_text(digest)


def _digest_of_static_files() -> str:
    digest = hashlib.sha256()
    for line in sorted(_static_files()):
        digest.update(line.encode())
    return digest.hexdigest()


def _static_files() -> Iterator[str]:
    for finder in get_finders():
        for path, storage in finder.list([]):
            status = Path(storage.path(path)).stat()
            yield f"{path} {status.st_size} {status.st_mtime_ns}\n"
