"""Which migrations the running version survives, and the index that is made while others write."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, models
from django.db.migrations import Migration, RunPython, RunSQL
from django.db.migrations.operations import (
    AddConstraint,
    AddField,
    AddIndex,
    AlterField,
    CreateModel,
    DeleteModel,
    RemoveField,
    RenameField,
)
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.functions import Lower

from moderation.models import AddIndexWhileWriting, IdempotencyRecord
from platform_site.upkeep import expand

INDEX = models.Index(fields=["size"], name="thing_by_size")
CHECK = models.CheckConstraint(condition=models.Q(size__gt=0), name="thing_is_some")


def thing() -> CreateModel:
    return CreateModel(
        "Thing",
        [
            ("id", models.BigAutoField(primary_key=True)),
            ("name", models.CharField(max_length=50)),
            ("size", models.IntegerField(null=True)),
            ("rank", models.IntegerField(db_default=0)),
        ],
    )


def found_in(*operations: Operation, begin: bool = True, **said: Any) -> list[str]:
    """Return what is found in a migration of these steps; a table of things is there before."""
    state = ProjectState()
    if begin:
        thing().state_forwards("moderation", state)
    made = type("Made", (Migration,), {"operations": list(operations), **said})
    return [one.says for one in expand.look_at(made("0099_made", "moderation"), state)]


@pytest.mark.parametrize(
    "step",
    [
        AddField("thing", "colour", models.CharField(max_length=9, null=True)),
        AddField("thing", "colour", models.CharField(max_length=9, db_default="")),
        AddField("thing", "friends", models.ManyToManyField("moderation.Thing")),
        AddField(
            "thing", "of", models.ForeignKey("self", models.CASCADE, null=True, db_index=False)
        ),
        AlterField("thing", "name", models.CharField(max_length=80)),
        AlterField("thing", "name", models.CharField(max_length=50, null=True)),
        RunPython(RunPython.noop),
    ],
)
def test_what_only_adds_is_safe(step: Operation) -> None:
    assert found_in(step) == []


@pytest.mark.parametrize(
    ("step", "says"),
    [
        (RemoveField("thing", "size"), "takes away what the running version may read"),
        (DeleteModel("thing"), "takes away what the running version may read"),
        (RenameField("thing", "size", "weight"), "renames what the running version reads"),
        (
            AddField("thing", "colour", models.CharField(max_length=9, default="")),
            "inserts rows without it",
        ),
        (
            AddField("thing", "code", models.CharField(max_length=9, null=True, unique=True)),
            "keeps writers waiting",
        ),
        (
            AddField("thing", "of", models.ForeignKey("self", models.CASCADE, null=True)),
            "keeps writers waiting",
        ),
        (
            AddField(
                "thing",
                "key",
                models.GeneratedField(
                    expression=Lower("name"),
                    output_field=models.CharField(max_length=50),
                    db_persist=True,
                ),
            ),
            "written anew",
        ),
        (AlterField("thing", "size", models.IntegerField()), "refuses empty values"),
        (AlterField("thing", "size", models.TextField(null=True)), "in a type that"),
        (AlterField("thing", "name", models.CharField(max_length=20)), "makes room smaller"),
        (AlterField("thing", "rank", models.IntegerField()), "takes a default away"),
        (
            AlterField("thing", "size", models.IntegerField(null=True, db_index=True)),
            "keeps writers waiting",
        ),
        (AddIndex("thing", INDEX), "use AddIndexWhileWriting"),
        (AddIndexWhileWriting("thing", INDEX), "set atomic = False"),
        (AddConstraint("thing", CHECK), "keeps everybody waiting"),
        (RunSQL("SELECT 1"), "runs SQL that nobody can judge"),
    ],
)
def test_what_the_running_version_would_not_survive_is_told(step: Operation, says: str) -> None:
    (found,) = found_in(step)
    assert says in found


def test_a_new_table_may_have_what_it_likes() -> None:
    steps = (
        thing(),
        AddField("thing", "colour", models.CharField(max_length=9, unique=True)),
        AddIndex("thing", INDEX),
        AddConstraint("thing", CHECK),
    )
    assert found_in(*steps, begin=False) == []


def test_what_was_said_to_be_safe_is_taken_so() -> None:
    assert found_in(RemoveField("thing", "size"), last_read_in="0.2") == []
    assert found_in(AddConstraint("thing", CHECK), safe_because="it holds few rows") == []
    assert found_in(AddIndexWhileWriting("thing", INDEX), atomic=False) == []


def test_tables_and_rows_are_changed_apart() -> None:
    add = AddField("thing", "colour", models.CharField(max_length=9, null=True))
    (found,) = found_in(add, RunPython(RunPython.noop))
    assert "make it two migrations" in found


def test_our_own_migrations_are_safe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    call_command("lint_migrations")
    assert "can go on" in capsys.readouterr().out
    # Those before the first release are not; it is this that keeps them out.
    monkeypatch.setattr(expand, "BEFORE_THE_FIRST_RELEASE", {})
    with pytest.raises(SystemExit, match="1"):
        call_command("lint_migrations")
    assert "moderation.0005_indexes_for_looking_again" in capsys.readouterr().out


def _indexes() -> set[str]:
    with connection.cursor() as cursor:
        table = IdempotencyRecord._meta.db_table
        return set(connection.introspection.get_constraints(cursor, table))


@pytest.mark.django_db(transaction=True)
def test_an_index_is_made_and_taken_away_while_others_write() -> None:
    step = AddIndexWhileWriting(
        "idempotencyrecord", models.Index(fields=["status_code"], name="made_while_writing")
    )
    before = ProjectState.from_apps(IdempotencyRecord._meta.apps)
    after = before.clone()
    step.state_forwards("moderation", after)
    stop, wrote = threading.Event(), threading.Event()

    def write() -> None:
        while not stop.wait(0.001):
            IdempotencyRecord.objects.create(
                client="c",
                key=str(threading.get_native_id()),
                request_digest="d",
                status_code=1,
                body={},
            ).delete()
            wrote.set()
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert wrote.wait(20)
        # Twice, as after one that was interrupted, where the database lets one go on.
        for _ in range(2 if connection.vendor == "postgresql" else 1):
            with connection.schema_editor(atomic=False) as editor:
                step.database_forwards("moderation", editor, before, after)
        assert "made_while_writing" in _indexes()
    finally:
        stop.set()
        writer.join()
    with connection.schema_editor(atomic=False) as editor:
        step.database_backwards("moderation", editor, after, before)
    assert "made_while_writing" not in _indexes()
