"""Steps of migrations that Django does not have for both databases."""

from __future__ import annotations

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations import AddIndex
from django.db.migrations.state import ProjectState


class AddIndexWhileWriting(AddIndex):
    """Make an index while others go on writing. Its migration has `atomic = False`.

    One that was interrupted leaves an index on PostgreSQL that nothing uses; it is made anew.
    """

    atomic = False

    def describe(self) -> str:
        return f"{super().describe()}, while others write"

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        editor: Any = schema_editor
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(editor.connection.alias, model):
            name = editor.quote_name(self.index.name)
            # A table may take hours to be read, and whoever reads it is waited for.
            editor.execute("SET statement_timeout = 0")
            editor.execute("SET lock_timeout = 0")
            editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            editor.add_index(model, self.index, concurrently=True)
            editor.execute("RESET statement_timeout")
            editor.execute("RESET lock_timeout")

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)
            return
        editor: Any = schema_editor
        model = from_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(editor.connection.alias, model):
            editor.remove_index(model, self.index, concurrently=True)
