"""Whether the version that still runs can go on while a migration is applied, and after it.

An upgrade migrates first and replaces the roles one by one: for a while the old version works on
the new tables. So a step may only add (expand); what nothing reads any more is taken away in a
later release (contract). And no step may keep writers of a large table waiting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations import (
    AddConstraint,
    AddField,
    AddIndex,
    AlterField,
    AlterModelTable,
    AlterUniqueTogether,
    CreateModel,
    DeleteModel,
    RemoveField,
    RenameField,
    RenameModel,
    RunPython,
    RunSQL,
    SeparateDatabaseAndState,
)
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from moderation.models import AddIndexWhileWriting

# Ours; what libraries bring is theirs to answer for.
APPS: Final = ("forum", "moderation", "upkeep")
# Nothing was released before these: nobody's running version can meet them.
BEFORE_THE_FIRST_RELEASE: Final = {
    "forum": "0001_boards",
    "moderation": "0024_what_an_answer_was_compared_with",
}
# Which attribute of a migration says in which release its columns and tables were last read, and
# which why a step that looks unsafe is safe.
LAST_READ: Final = "last_read_in"
SAFE_BECAUSE: Final = "safe_because"

_TAKES_AWAY: Final = (RemoveField, DeleteModel)
_RENAMES: Final = (RenameField, RenameModel, AlterModelTable)


@dataclass(frozen=True, slots=True)
class Finding:
    migration: str
    step: str
    says: str


def look() -> Iterator[Finding]:
    """Yield what is unsafe in our own migrations since the first release."""
    loader = MigrationLoader(None)
    for app, name in sorted(loader.disk_migrations):
        if app not in APPS or name <= BEFORE_THE_FIRST_RELEASE.get(app, ""):
            continue
        migration = loader.disk_migrations[app, name]
        state = loader.project_state((app, name), at_end=False)
        yield from look_at(migration, state)


def look_at(migration: Migration, state: ProjectState) -> Iterator[Finding]:
    """Yield what is unsafe in one migration, which begins at a state."""
    if getattr(migration, SAFE_BECAUSE, ""):
        return
    operations = list(_flat(migration.operations))
    made = {op.name.lower() for op in operations if isinstance(op, CreateModel)}
    now = state.clone()
    for operation in operations:
        for says in _unsafe(operation, migration, now, made):
            yield Finding(f"{migration.app_label}.{migration.name}", operation.describe(), says)
        operation.state_forwards(migration.app_label, now)
    kinds = {isinstance(op, RunPython | RunSQL) for op in operations}
    if kinds == {True, False}:
        says = "changes tables and rows in one transaction: make it two migrations"
        yield Finding(f"{migration.app_label}.{migration.name}", "the whole", says)


def _flat(operations: Sequence[Operation]) -> Iterator[Operation]:
    for operation in operations:
        if isinstance(operation, SeparateDatabaseAndState):
            yield from _flat(operation.database_operations)
        else:
            yield operation


def _unsafe(
    operation: Any, migration: Migration, state: ProjectState, made: set[str]
) -> Iterator[str]:
    model = str(getattr(operation, "model_name", "")).lower()
    if isinstance(operation, _TAKES_AWAY) and not getattr(migration, LAST_READ, ""):
        yield (
            "takes away what the running version may read: stop reading it in one release, take "
            f'it away in the next, and say {LAST_READ} = "…" in the migration'
        )
    elif isinstance(operation, _RENAMES):
        yield "renames what the running version reads: add the new one, copy, take the old one away"
    elif isinstance(operation, RunSQL):
        yield f'runs SQL that nobody can judge here: say {SAFE_BECAUSE} = "…" in the migration'
    elif model not in made:
        yield from _unsafe_for_rows(operation, migration, state)


def _unsafe_for_rows(operation: Any, migration: Migration, state: ProjectState) -> Iterator[str]:
    """Yield what a step does to a table that has rows already."""
    model = str(getattr(operation, "model_name", "")).lower()
    if isinstance(operation, AddField):
        yield from _unsafe_column(operation.field)
    elif isinstance(operation, AlterField):
        before = state.models[migration.app_label, model].fields[operation.name]
        yield from _unsafe_change(before, operation.field)
    elif isinstance(operation, AddIndexWhileWriting):
        if migration.atomic:
            yield "is made beside a transaction only: set atomic = False"
    elif isinstance(operation, AddIndex):
        yield "keeps writers waiting while it is made: use AddIndexWhileWriting"
    elif isinstance(operation, AddConstraint | AlterUniqueTogether):
        yield (
            "keeps everybody waiting while all rows are compared, and refuses rows that the "
            f'running version may write: say {SAFE_BECAUSE} = "…" if neither matters'
        )


def _unsafe_column(field: Any) -> Iterator[str]:
    if not field.null and not field.has_db_default() and not field.generated and _is_column(field):
        yield "the running version inserts rows without it: give it a db_default, or null=True"
    if _is_column(field) and (field.unique or field.db_index):
        yield "brings an index that keeps writers waiting: db_index=False, AddIndexWhileWriting"
    if field.generated:
        yield "has the whole table written anew"


def _is_column(field: Any) -> bool:
    return not field.many_to_many


def _unsafe_change(before: Any, after: Any) -> Iterator[str]:
    if before.null and not after.null:
        yield "refuses empty values that the running version may write"
    if (after.unique and not before.unique) or (after.db_index and not before.db_index):
        yield "brings an index that keeps writers waiting: use AddIndexWhileWriting"
    if before.has_db_default() and not after.has_db_default() and not after.null:
        yield "takes a default away that the running version may rely on"
    if before.get_internal_type() != after.get_internal_type():
        yield "has the whole table written anew, in a type that the running version does not expect"
    if (before.max_length or 0) > (after.max_length or before.max_length or 0):
        yield "makes room smaller than the running version may use"
