"""Fixtures that every test may use. The stack itself is made in stack.py."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.db import connection
from django.test import TransactionTestCase

from moderation import credentials, queries
from moderation.delivery.listeners import forget_listeners
from moderation.models import triggers
from tests.stack import forget_redis

ROOT = Path(__file__).parent.parent


def _kept_schema(config: pytest.Config) -> Path:
    """Return where the tables are kept that these migrations make, with these libraries."""
    digest = hashlib.sha256((ROOT / "requirements-dev.txt").read_bytes())
    for path in sorted(ROOT.glob("*/**/migrations/*.py")):
        digest.update(path.read_bytes())
    return Path(config.cache.mkdir("schema")) / f"{digest.hexdigest()[:32]}.sqlite3"


@pytest.fixture(scope="session")
def django_db_keepdb(request: pytest.FixtureRequest, django_db_modify_db_settings: None) -> bool:
    """Begin with the tables of an earlier run, if there was one: making them takes ten seconds.

    What was not migrated yet is, and the triggers are made again.
    """
    kept = _kept_schema(request.config)
    if connection.vendor != "sqlite" or not kept.exists():
        return False
    shutil.copy(kept, connection.settings_dict["TEST"]["NAME"])
    return True


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest, django_db_keepdb: bool, django_db_setup: None
) -> None:
    """Keep the tables that were just made, for the next run."""
    if connection.vendor != "sqlite" or django_db_keepdb:
        return
    kept = _kept_schema(request.config)
    fresh = kept.with_name(f"{os.getpid()}.new")
    with closing(sqlite3.connect(connection.settings_dict["TEST"]["NAME"])) as made:
        made.execute("VACUUM INTO ?", (str(fresh),))
    for old in kept.parent.glob("*.sqlite3"):
        old.unlink(missing_ok=True)
    fresh.replace(kept)


@pytest.fixture(autouse=True)
def _fresh_memory():
    """What a process remembers for a second must not reach from one test into the next."""
    queries.forget_everything()
    queries.forget_what_waits()
    queries.forget_lanes()
    credentials.forget_keys()
    forget_listeners()


@pytest.fixture(autouse=True)
def _empty_redis():
    """A limit that one test used up must not be another's."""
    forget_redis()


@pytest.fixture(autouse=True, scope="session")
def _record_can_be_cleared_between_tests():
    """A test that commits for real ends by emptying the tables, which the record refuses."""
    clear = TransactionTestCase._fixture_teardown

    def lift_and_clear(self: TransactionTestCase) -> None:
        with triggers.lifted(connection):
            clear(self)

    TransactionTestCase._fixture_teardown = lift_and_clear
    yield
    TransactionTestCase._fixture_teardown = clear
