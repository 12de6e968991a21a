"""Rows as lines of JSON that every database reads, and back, as they were.

Values are what the columns hold: what is encrypted stays so, keys are kept, and nothing that a
model does when it is saved happens.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.management.color import no_style
from django.db import DatabaseError, connection, models
from django.db.models.functions import Cast

from moderation.models import Ciphertext, EncryptedField
from platform_site.upkeep.archive.manifest import Refused

# Sessions end with the instance; results of tasks and failed attempts to sign in mean nothing in
# another.
LEFT_OUT: Final = ("axes.", "django_celery_results.", "sessions.")
# Read and written at a time.
ROWS: Final = 500
_ENCRYPTED: Final = "ciphertext_of_"
# PostgreSQL keeps no such character in a text.
_NUL, _IN_ITS_PLACE = "\0", "\N{REPLACEMENT CHARACTER}"


def portable_models() -> list[type[models.Model]]:
    """Return the models whose rows make an instance, links between others included."""
    found = [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed
        and not model._meta.proxy
        and not model._meta.label_lower.startswith(LEFT_OUT)
    ]
    return sorted(found, key=lambda model: model._meta.label_lower)


def file_of(model: type[models.Model]) -> str:
    return f"{model._meta.label_lower}.jsonl"


def _fields(model: type[models.Model]) -> list[models.Field[Any, Any]]:
    """Return the columns that are written; the database makes the others itself."""
    return [field for field in model._meta.local_concrete_fields if not field.generated]


# --- out -----------------------------------------------------------------------------------------


def write_rows(model: type[models.Model], path: Path) -> int:
    """Write a table's rows in the order of their keys; return how many."""
    fields = _fields(model)
    encrypted = [field.attname for field in fields if isinstance(field, EncryptedField)]
    # As text: read as itself, such a column would be decrypted.
    casts = {f"{_ENCRYPTED}{name}": Cast(name, models.TextField()) for name in encrypted}
    columns = [
        f"{_ENCRYPTED}{field.attname}" if field.attname in encrypted else field.attname
        for field in fields
    ]
    names = [field.attname for field in fields]
    rows = model._base_manager.annotate(**casts).order_by("pk").values_list(*columns)
    done = 0
    with path.open("w", encoding="utf-8") as lines:
        for row in rows.iterator(chunk_size=ROWS):
            said = {name: _plain(value) for name, value in zip(names, row, strict=True)}
            lines.write(json.dumps(said, ensure_ascii=False, separators=(",", ":")) + "\n")
            done += 1
    return done


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, to the last digit."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, UUID | Decimal):
        return str(value)
    if isinstance(value, timedelta):
        return value / timedelta(microseconds=1)
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(bytes(value)).decode()
    return value


# --- and in --------------------------------------------------------------------------------------


def read_rows(model: type[models.Model], path: Path) -> int:
    """Insert a table's rows under their own keys; return how many. Raises `Refused`."""
    fields = _fields(model)
    statement = _insertion(model, fields)
    done = 0
    with path.open(encoding="utf-8") as lines, connection.cursor() as cursor:
        while some := list(islice(lines, ROWS)):
            rows = [_columns(model, fields, line, path) for line in some]
            try:
                cursor.executemany(statement, rows)
            except DatabaseError as error:
                said = str(error).strip().splitlines() or [type(error).__name__]
                where = f"{path}, lines {done + 1} to {done + len(some)}"
                raise Refused(f"{where}: {said[0]}") from error
            done += len(some)
    return done


def _insertion(model: type[models.Model], fields: Sequence[models.Field[Any, Any]]) -> str:
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    return f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({places})"  # noqa: S608  # names of our own tables


def _columns(
    model: type[models.Model], fields: Sequence[models.Field[Any, Any]], line: str, path: Path
) -> list[Any]:
    try:
        said = json.loads(line)
        return [
            field.get_db_prep_save(_value(field, said[field.attname]), connection)
            for field in fields
        ]
    except (KeyError, TypeError, ValueError, ValidationError) as error:
        raise Refused(f"{path}: a line is no row of {model._meta.label}: {error!r}.") from error


def _value(field: models.Field[Any, Any], value: Any) -> Any:
    if value is None:
        return None
    if connection.vendor != "sqlite":
        value = _without_nul(value)
    for kind, read in _READERS:
        if isinstance(field, kind):
            return read(value)
    return field.to_python(value)


_READERS: Final[tuple[tuple[type[models.Field[Any, Any]], Callable[[Any], Any]], ...]] = (
    (EncryptedField, Ciphertext),
    (models.BinaryField, base64.b64decode),
    (models.JSONField, lambda value: value),
    (models.DateTimeField, datetime.fromisoformat),
    (models.DurationField, lambda value: timedelta(microseconds=value)),
)


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(_NUL, _IN_ITS_PLACE)
    if isinstance(value, list):
        return [_without_nul(part) for part in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(part) for key, part in value.items()}
    return value


def clear(labels: Sequence[str]) -> None:
    """Empty the tables that migrations have filled by themselves."""
    for model in portable_models():
        if model._meta.db_table.startswith(tuple(labels)):
            rows = model._base_manager.all()
            rows._raw_delete(rows.db)


def reset_sequences() -> None:
    """Let the next keys follow the highest ones; SQLite does so by itself."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), portable_models()):
            cursor.execute(statement)
