"""Looks at everything that an instance needs, and says what to do about what is missing.

Each check is bounded in time and changes nothing that lasts.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import time
from typing import Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import checks
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import OperationalError
from redis import Redis, RedisError

from moderation import queries
from moderation.providers import registry
from platform_site import celery_app
from platform_site.eviction import forgetful_policy, servers

OK: Final = "ok"
WARNING: Final = "warning"
FAILURE: Final = "failure"

# Leases go by the database's clock; signatures of callbacks are refused beyond five minutes.
CLOCK_WARNING_SECONDS = 5.0
CLOCK_FAILURE_SECONDS = 60.0
# What the tests run on.
OLDEST_POSTGRESQL = 150_000
# Django's four warnings about a site without TLS, of which one of ours speaks.
WITHOUT_TLS = frozenset({"security.W004", "security.W008", "security.W012", "security.W016"})
OWN_MODELS = ("local_text", "local_image", "local_video")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found; `advice` says what to do, empty where nothing is."""

    part: str
    level: str
    says: str
    advice: str = ""


def look() -> Iterator[Finding]:
    """Yield what each check finds, one after the other."""
    yield from _settings()
    found_database = _database()
    yield found_database
    if found_database.level != FAILURE:
        yield from _each("clock", _clock)
        yield from _each("migrations", _migrations, _people, _processes)
    yield from _redis()
    yield _broker()
    yield _media_store()
    yield _static_files()
    yield from _each("models", *(_model(name) for name in OWN_MODELS))


def _each(part: str, *found: Callable[[], Finding]) -> Iterator[Finding]:
    for call in found:
        try:
            finding = call()
        except (DatabaseError, OSError) as error:
            finding = Finding(part, FAILURE, _brief(error), "See what the database's log says.")
        yield finding
        if finding.level == FAILURE:
            return


def _brief(error: BaseException) -> str:
    """The first line of what went wrong: drivers add their whole story to it."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


# --- what is set ----------------------------------------------------------------------------------


def _settings() -> Iterator[Finding]:
    found = [
        message
        for message in checks.run_checks(include_deployment_checks=True)
        if message.level >= checks.WARNING
        and not message.is_silenced()
        and (settings.SITE_URL.is_https or message.id not in WITHOUT_TLS)
    ]
    for message in found:
        level = FAILURE if message.level >= checks.ERROR else WARNING
        says = f"{message.id}: {_brief(Exception(message.msg))}"
        yield Finding("settings", level, says, message.hint or "See docs/settings.md.")
    if settings.DEBUG:
        yield Finding("settings", FAILURE, "DEBUG is on.", "Unset DEBUG.")
    if settings.SITE_URL.is_loopback:
        yield Finding(
            "settings",
            WARNING,
            f"The site's address is {settings.SITE_URL.origin}: only this machine reaches it.",
            "Set GATEHOUSE_URL to where people reach the site.",
        )
    elif not settings.SITE_URL.is_https:
        yield Finding(
            "settings",
            WARNING,
            f"{settings.SITE_URL.origin} is not encrypted: passwords can be read on the way.",
            "Put TLS before the site, and begin GATEHOUSE_URL with https.",
        )
    if not found and not settings.DEBUG:
        yield Finding("settings", OK, "Django's checks for production find nothing.")


# --- the database ---------------------------------------------------------------------------------


def _database() -> Finding:
    try:
        connection.ensure_connection()
        version = _database_version()
    except (DatabaseError, OSError) as error:
        return Finding(
            "database",
            FAILURE,
            _brief(error),
            "Start it, or mend DATABASE_URL and DATABASE_PASSWORD.",
        )
    if connection.vendor == "sqlite":
        return Finding(
            "database",
            WARNING,
            f"SQLite {version}: for one machine and one worker.",
            "Set DATABASE_URL to PostgreSQL where several processes write.",
        )
    if version < OLDEST_POSTGRESQL:
        return Finding(
            "database",
            FAILURE,
            f"PostgreSQL {version // 10_000} is older than what Gatehouse is tested with.",
            "Upgrade it to 15 or newer.",
        )
    return Finding("database", OK, f"PostgreSQL {version // 10_000} answers.")


def _database_version() -> int:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT replace(sqlite_version(), '.', '')")
        else:
            cursor.execute("SELECT current_setting('server_version_num')")
        return int(cursor.fetchone()[0])


def _migrations() -> Finding:
    executor = MigrationExecutor(connection)
    steps = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if steps:
        return Finding(
            "migrations",
            FAILURE,
            f"{len(steps)} steps are missing, the first is {steps[0][0]}.",
            "Run the role migrate (manage.py migrate).",
        )
    return Finding("migrations", OK, "The database is up to date.")


def _clock() -> Finding:
    off = abs(_database_seconds() - time())
    says = f"This machine and the database are {off:.1f} s apart."
    if off < CLOCK_WARNING_SECONDS:
        return Finding("clock", OK, says)
    level = FAILURE if off >= CLOCK_FAILURE_SECONDS else WARNING
    return Finding(
        "clock", level, says, "Let both follow a time server (chrony, systemd-timesyncd)."
    )


def _database_seconds() -> float:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT (julianday('now') - 2440587.5) * 86400.0")
        else:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
        found = cursor.fetchone()[0]
    return found.timestamp() if isinstance(found, datetime) else float(found)


def _people() -> Finding:
    if get_user_model().objects.filter(is_superuser=True, is_active=True).exists():
        return Finding("people", OK, "There is somebody who may do everything.")
    return Finding(
        "people",
        WARNING,
        "Nobody can enter the admin.",
        "Make the first administrator: manage.py first_admin --link prints a link for it.",
    )


def _processes() -> Finding:
    found = queries.processes()
    silent = [one.row.name for one in found if not one.is_alive]
    if queries.is_late():
        return Finding(
            "processes",
            WARNING,
            f"A post has been due for {queries.overdue_seconds():.0f} s, and nobody takes it.",
            "Start workers and a sweeper, and see what their logs say.",
        )
    if silent:
        return Finding(
            "processes",
            WARNING,
            f"{len(silent)} fell silent without an orderly end, the last was {silent[0]}.",
            "See what its log says. One that was replaced is forgotten after a day.",
        )
    roles = ", ".join(sorted({one.row.role for one in found})) or "none yet"
    return Finding("processes", OK, f"At work: {roles}.")


# --- Redis and the broker -------------------------------------------------------------------------


def _redis() -> Iterator[Finding]:
    client: Redis = Redis.from_url(
        settings.REDIS_CACHE_URL, socket_timeout=settings.REDIS_TIMEOUT_SECONDS, retry=None
    )
    try:
        client.ping()
        keeps_file = bool(client.info("persistence").get("aof_enabled"))
    except RedisError as error:
        yield Finding("cache", FAILURE, _brief(error), "Start Redis, or mend REDIS_URL.")
        return
    finally:
        client.close()
    yield Finding("cache", OK, "Redis answers.")
    yield _eviction()
    if not keeps_file:
        yield Finding(
            "cache",
            WARNING,
            "Redis keeps no append-only file: a restart forgets what waits.",
            "Start it with --appendonly yes. Posts are not lost without, but are later.",
        )


def _eviction() -> Finding:
    for name, url in servers().items():
        policy = forgetful_policy(url)
        if policy:
            return Finding(
                "eviction",
                FAILURE,
                f"The Redis of {name} evicts under {policy}, which loses queued messages.",
                "Set its maxmemory-policy to noeviction or volatile-lru.",
            )
    return Finding("eviction", OK, "Redis evicts nothing that counts.")


def _broker() -> Finding:
    # kombu tells of each try at length.
    logging.getLogger("kombu").setLevel(logging.ERROR)
    broker = celery_app.connection_for_write()
    # A virtual host that is not there is no connection error to kombu.
    refusals: tuple[type[BaseException], ...] = (
        OperationalError,
        OSError,
        *broker.connection_errors,
        *broker.channel_errors,
    )
    try:
        with broker:
            broker.ensure_connection(max_retries=1, interval_start=1, timeout=5)
            kind = str(broker.transport.driver_type)
    except refusals as error:
        return Finding(
            "broker",
            FAILURE,
            _brief(error),
            "Start it, or mend CELERY_BROKER_URL (REDIS_URL, where that is not set).",
        )
    return Finding("broker", OK, f"The broker answers ({kind}).")


# --- files ----------------------------------------------------------------------------------------


def _media_store() -> Finding:
    name = f"preflight/{secrets.token_hex(8)}"
    content = secrets.token_bytes(64)
    try:
        name = default_storage.save(name, ContentFile(content))
        with default_storage.open(name) as file:
            same = file.read() == content
        default_storage.delete(name)
    except OSError as error:
        return Finding(
            "media",
            FAILURE,
            _brief(error),
            _advice_for_media(),
        )
    if not same:
        return Finding("media", FAILURE, "What was written reads differently.", "Look at the disk.")
    return Finding("media", OK, "Attachments can be written, read and removed.")


def _advice_for_media() -> str:
    if settings.MEDIA_BUCKET:
        return "Mend MEDIA_BUCKET and what goes with it; the key must read, write, list and delete."
    return f"Let the process write to {settings.MEDIA_ROOT}, or choose another MEDIA_ROOT."


def _static_files() -> Finding:
    root = Path(settings.STATIC_ROOT)
    if root.is_dir() and any(root.iterdir()):
        return Finding("static", OK, "Style sheets and scripts are collected.")
    return Finding(
        "static",
        FAILURE,
        f"{root} holds no style sheets and scripts.",
        "Run manage.py collectstatic (the image brings them along).",
    )


def _model(name: str) -> Callable[[], Finding]:
    def found() -> Finding:
        if registry.get_provider(name).is_available():
            return Finding("models", OK, f"{name} can judge.")
        if name == "local_text":
            return Finding(
                "models",
                FAILURE,
                f"{name} is not there.",
                "Install Gatehouse again: it is part of it.",
            )
        return Finding(
            "models",
            WARNING,
            f"{name} is not installed: what only it judges goes by the policy's rule for that.",
            "Build with VISION=1 (AGPL-3.0) and VIDEO=1, or set up a service for pictures.",
        )

    return found
