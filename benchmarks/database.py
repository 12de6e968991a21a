"""Databases and Redis keys of the benchmark's own: made before, removed after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from psycopg import sql

# Every name that the benchmark makes begins so.
PREFIX = "gh_bench"


@dataclass(frozen=True, slots=True)
class Services:
    """Where PostgreSQL and Redis are. `postgres` names a database that exists; ours are made
    beside it. Redis databases from the number in `redis` on are used, as Gatehouse does.
    """

    postgres: str
    redis: str

    def database_url(self, name: str) -> str:
        parts = urlsplit(self.postgres)
        return urlunsplit(parts._replace(path=f"/{name}"))

    def redis_url(self, *, further: int = 0) -> str:
        parts = urlsplit(self.redis)
        number = int(parts.path.strip("/") or 0) + further
        return urlunsplit(parts._replace(path=f"/{number}"))

    def beside(self, name: str) -> Services:
        return replace(self, postgres=self.database_url(name))


def make_database(services: Services, name: str, *, template: str = "template1") -> None:
    """Make a database afresh, as a copy of `template`."""
    drop_database(services, name)
    with _administer(services) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )


def drop_database(services: Services, name: str) -> None:
    if not name.startswith(PREFIX):
        raise ValueError(f"{name} is not the benchmark's own.")
    with _administer(services) as connection:
        connection.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    """Return a connection that commits each statement."""
    return psycopg.connect(url, autocommit=True)


def remove_keys(url: str, pattern: str) -> None:
    """Remove the keys that a leg left in one Redis database; others' keys stay."""
    client = redis.Redis.from_url(url)
    keys = list(client.scan_iter(pattern, count=1_000))
    if keys:
        client.delete(*keys)
    client.close()


@contextmanager
def _administer(services: Services) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with connect(services.postgres) as connection:
        yield connection
