"""A whole instance moves: every row as it was, on the same kind of database and on the other."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection

from moderation.models import AuditEvent, Community, ProviderAccount
from moderation.pipeline.erase import erase_person
from platform_site.upkeep.archive import manifest, portable
from platform_site.upkeep.archive.manifest import Refused
from platform_site.upkeep.archive.transfer import export_instance, import_instance
from tests.factories import UserFactory
from tests.upkeep.conftest import author
from tests.upkeep.instances import Instance, empty_instance, files_under


def rows_in(export: Path) -> dict[str, list[Any]]:
    """Return every row of an export."""
    return {
        path.name: [json.loads(line) for line in path.read_text().splitlines()]
        for path in sorted((export / "data").iterdir())
    }


@pytest.fixture
def with_people(filled: Community) -> Community:
    """Add people with links of all kinds."""
    group = Group.objects.create(name="Leads")
    group.permissions.set(Permission.objects.filter(codename="decide_review"))
    ada = UserFactory.create(username="ada", is_staff=True)
    ada.groups.add(group)
    ada.user_permissions.set(Permission.objects.filter(codename="view_review"))
    return filled


@pytest.mark.timeout(120)  # programs start slowly on a busy machine
def test_every_row_is_the_same_after_a_move(
    with_people: Community, audit_key: dict[str, str], schema: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    call_command("export_instance", first)
    before = files_under(Path(default_storage.location))
    with empty_instance(tmp_path / "there", schema=schema) as there:
        told = there.manage("import_instance", first, **audit_key)
        assert f"{manifest.read_manifest(first, manifest.EXPORT).record.events} events" in told
        assert "and what was signed" in told
        there.manage("export_instance", second, **audit_key)
        assert files_under(there.media) == before
        next_ids = json.loads(
            there.ask(
                "[Organisation.objects.create(slug='next', name='N').pk, "
                "Organisation.objects.order_by('-pk')[1].pk]"
            )
        )
        refused = there.run("import_instance", first, **audit_key)
    assert rows_in(first) == rows_in(second)
    assert next_ids[0] > next_ids[1]
    assert refused.returncode == 1
    assert "This database is not empty" in refused.stderr
    said = "".join(path.read_text() for path in (first / "data").iterdir())
    assert "sk-secret-value" not in said
    assert "sessions" not in {path.name.split(".")[0] for path in (first / "data").iterdir()}


@pytest.mark.timeout(240)  # makes SQLite's tables, where nobody has kept them
def test_a_move_to_the_other_database_and_back_changes_nothing(
    with_people: Community, audit_key: dict[str, str], schema: Path, tmp_path: Path
) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("there is no PostgreSQL to move to")
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    export_instance(first)
    data = tmp_path / "light"
    data.mkdir()
    if schema.exists():
        shutil.copy(schema, data / "there.sqlite3")
    light = Instance(data, f"sqlite:///{data}/there.sqlite3")
    light.manage("import_instance", first, **audit_key)
    light.manage("export_instance", second, **audit_key)
    with empty_instance(tmp_path / "back", schema=schema) as back:
        back.manage("import_instance", second, **audit_key)
        back.manage("export_instance", third, **audit_key)
        back.manage("verify_audit", "--checkpoints", **audit_key)
    assert rows_in(first) == rows_in(second) == rows_in(third)
    with closing(sqlite3.connect(data / "there.sqlite3")) as made:
        assert made.execute("PRAGMA foreign_key_check").fetchall() == []


def test_secrets_move_as_they_are_kept_and_open_under_their_key(
    with_people: Community, audit_key: dict[str, str], settings: Any, schema: Path, tmp_path: Path
) -> None:
    erased = author("bo").pk
    export_instance(tmp_path / "first")
    erase_person(author_id=erased, user=None)
    with empty_instance(tmp_path / "there", schema=schema) as there:
        told = there.manage(
            "import_instance",
            tmp_path / "first",
            "--erased",
            settings.MODERATION["erasures_file"],
            **audit_key,
            SECRET_KEY=settings.SECRET_KEY,
        )
        found = there.ask(
            "[ProviderAccount.objects.get().secrets, ProviderAccount.objects.get().updated_at, "
            f"Author.objects.get(pk={erased}).name]",
            SECRET_KEY=settings.SECRET_KEY,
        )
    account = ProviderAccount.objects.get()
    assert json.loads(found) == [account.secrets, str(account.updated_at), "(erased)"]
    assert "SECRET_KEY is not" not in told
    assert "1 people who had been erased since were erased again" in told


def test_what_is_no_row_or_another_version_is_refused(filled: Community, tmp_path: Path) -> None:
    export = tmp_path / "kept"
    export_instance(export)
    with pytest.raises(Refused, match="This database is not empty"):
        import_instance(export)
    with pytest.raises(CommandError, match="not 'gatehouse backup 1'"):
        call_command("restore", export)
    path = export / "data" / "moderation.post.jsonl"
    path.write_text(path.read_text()[:-20])
    with pytest.raises(Refused, match="was changed or damaged"):
        import_instance(export)


@pytest.mark.parametrize("line", ["{", "[]", '{"id": 1}', "7"])
def test_a_line_that_is_no_row_is_named(line: str, tmp_path: Path, db: None) -> None:
    path = tmp_path / "rows"
    path.write_text(line + "\n")
    with pytest.raises(Refused, match=r"a line is no row of moderation\.Community"):
        portable.read_rows(Community, path)


def test_rows_are_read_and_written_in_parts(
    monkeypatch: pytest.MonkeyPatch, filled: Community, tmp_path: Path
) -> None:
    monkeypatch.setattr(portable, "ROWS", 2)
    path = tmp_path / "events"
    assert portable.write_rows(AuditEvent, path) == AuditEvent.objects.count() > 2
    assert len(path.read_text().splitlines()) == AuditEvent.objects.count()
