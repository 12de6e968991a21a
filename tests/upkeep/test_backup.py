"""What is backed up comes back, and comes back right: rows, attachments, the record, erasures."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection

from moderation.conf import get_conf
from moderation.models import Community, IdempotencyRecord, MediaItem
from moderation.pipeline.audit.erasures import read_erasures
from moderation.pipeline.erase import erase_person
from platform_site.upkeep.archive import databases
from platform_site.upkeep.archive.backup import back_up
from platform_site.upkeep.archive.manifest import Refused
from platform_site.upkeep.archive.restore import check, restore
from tests.factories import UserFactory
from tests.upkeep.conftest import author
from tests.upkeep.instances import empty_instance, files_under


@contextmanager
def others_writing() -> Iterator[None]:
    """Have somebody write rows all the while."""
    stop = threading.Event()
    wrote = threading.Event()

    def write() -> None:
        number = 0
        while not stop.wait(0.001):
            IdempotencyRecord.objects.create(
                client="key:9", key=str(number), request_digest="d", status_code=200, body={}
            )
            number += 1
            wrote.set()
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    assert wrote.wait(20)
    try:
        yield
    finally:
        stop.set()
        writer.join()


def test_an_instance_that_runs_comes_back_whole_from_its_backup(
    filled: Community, audit_key: dict[str, str], tmp_path: Path
) -> None:
    backup, said = tmp_path / "kept", StringIO()
    bo, cy = author("bo"), author("cy")
    before = files_under(Path(default_storage.location))
    with others_writing():
        call_command("backup", backup, stdout=said)
    assert "Not in it: SECRET_KEY" in said.getvalue()
    # What happens after the backup is lost with the disk; that somebody was erased is not.
    erase_person(author_id=bo.pk, user=None)

    with empty_instance(tmp_path / "there") as there:
        told = there.manage("restore", backup, "--erased", get_conf().erasures_file, **audit_key)
        assert "rows and 3 files are back and equal" in told
        assert "1 people who had been erased since were erased again" in told
        assert "SECRET_KEY is not the one of the backup" in told
        assert "It is what was signed" in there.manage("verify_audit", "--checkpoints", **audit_key)
        found = json.loads(
            there.ask(
                "dict(posts=[[str(p.pk), p.body] for p in Post.objects.order_by('pk')], "
                f"gone=Author.objects.get(pk={bo.pk}).name, "
                f"kept=Author.objects.get(pk={cy.pk}).name)"
            )
        )
        left = files_under(there.media)
        again = there.run("restore", backup, **audit_key)
    assert found["gone"] == "(erased)"
    assert found["kept"] == cy.name
    bodies = [body for _, body in found["posts"]]
    assert bodies[0] == ""
    assert "жёлтые 🍅" in bodies[1]
    theirs = {
        name
        for name in before
        if MediaItem.objects.filter(author=cy, file=name).exists() or "incoming" in name
    }
    assert theirs <= set(left) < set(before)
    assert all(before[name] == left[name] for name in left)
    assert again.returncode == 1
    assert "This database is not empty" in again.stderr


def test_a_backup_that_was_changed_or_is_not_whole_is_refused(
    filled: Community, tmp_path: Path
) -> None:
    backup = tmp_path / "kept"
    back_up(backup)
    assert check(backup).counts["moderation_post"] == 3
    place = next(path for path in (backup / "media").rglob("*") if path.is_file())
    content = place.read_bytes()
    place.write_bytes(content[:-1] + b"x")
    with pytest.raises(Refused, match="was changed or damaged"):
        check(backup)
    place.write_bytes(content)
    database = backup / databases.file_of(connection.vendor)
    with database.open("r+b") as file:
        file.seek(2_000)
        file.write(b"broken")
    with pytest.raises(Refused, match=f"{database.name} was changed or damaged"):
        check(backup)
    (backup / "manifest.json").unlink()
    with pytest.raises(Refused, match="it is no whole archive"):
        check(backup)


def change(backup: Path, **fields: object) -> None:
    path = backup / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def test_what_does_not_fit_is_refused_before_anything_is_changed(
    filled: Community, tmp_path: Path
) -> None:
    backup = tmp_path / "kept"
    made = back_up(backup)
    change(backup, migrations=[*made.migrations, "moderation.9999_of_tomorrow"])
    with pytest.raises(Refused, match="made by a newer version of Gatehouse, which has moder"):
        restore(backup)
    other = "postgresql" if connection.vendor == "sqlite" else "sqlite"
    change(backup, migrations=made.migrations, database=other)
    with pytest.raises(Refused, match="use export_instance"):
        restore(backup)
    signed = {**made.record.checkpoint, "public_key": "0" * 64}
    record = json.loads((backup / "manifest.json").read_text())["record"]
    change(backup, database=made.database, record={**record, "checkpoint": signed})
    with pytest.raises(Refused, match="say --public-key"):
        restore(backup)
    with pytest.raises(Refused, match="This database is not empty"):
        restore(backup, public_keys=["0" * 64])
    with pytest.raises(CommandError, match="is there already"):
        call_command("backup", backup)


def test_a_file_that_went_meanwhile_is_a_part_that_nobody_judged(
    filled: Community, audit_key: dict[str, str], tmp_path: Path
) -> None:
    item = MediaItem.objects.get(post__body="This one waits")
    default_storage.delete(item.incoming.name)
    assert back_up(tmp_path / "kept").media["missing"] == 1
    with empty_instance(tmp_path / "there") as there:
        told = there.manage("restore", tmp_path / "kept", **audit_key)
        state = there.ask(f"MediaItem.objects.values_list('state', 'refusal').get(pk='{item.pk}')")
    assert "1 attachments had no file any more" in told
    assert json.loads(state) == ["refused", "This file was not in the backup."]


def test_a_member_of_the_staff_who_was_erased_since_does_not_come_back(
    filled: Community, audit_key: dict[str, str], tmp_path: Path
) -> None:
    ada = UserFactory.create(username="ada", email="ada@example.org", is_staff=True)
    bo = author("bo")
    bo.user = ada
    bo.save()
    back_up(tmp_path / "kept")
    ada.is_staff = False
    ada.save()
    erase_person(author_id=bo.pk, user=None)
    back_up(tmp_path / "newer")
    with empty_instance(tmp_path / "there") as there:
        told = there.manage(
            "restore", tmp_path / "kept", "--erased", tmp_path / "newer", **audit_key
        )
        left = there.ask(
            "[list(User.objects.values_list('username', 'email', 'is_staff', 'is_active')), "
            "Session.objects.count()]"
        )
        kept_list = list(read_erasures(there.data / "erasures.jsonl"))
    assert "1 people who had been erased since were erased again" in told
    assert json.loads(left) == [[[f"erased-{ada.pk}", "", False, False]], 0]
    assert {one.author for one in kept_list} == {bo.pk}


def test_somebody_else_with_the_same_number_is_not_erased(
    filled: Community, audit_key: dict[str, str], tmp_path: Path
) -> None:
    cy = author("cy")
    back_up(tmp_path / "kept")
    listed = tmp_path / "listed.jsonl"
    line = {"author": cy.pk, "key_digest": "a" * 64, "erased_at": "2026-01-01T00:00:00+00:00"}
    listed.write_text(json.dumps(line) + "\n")
    with empty_instance(tmp_path / "there") as there:
        told = there.manage("restore", tmp_path / "kept", "--erased", listed, **audit_key)
    assert "0 people who had been erased" in told


def test_nobody_is_erased_whose_erasure_cannot_be_noted(
    filled: Community, kept_apart: Path
) -> None:
    (kept_apart / "erasures.jsonl").mkdir()
    bo = author("bo")
    with pytest.raises(OSError, match="erasures"):
        erase_person(author_id=bo.pk, user=None)
    bo.refresh_from_db()
    assert bo.erased_at is None


def test_what_a_backup_needs_is_told_where_it_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match="postgresql-client"):
        databases.find_program("pg_dump")


def test_a_list_of_erasures_that_is_none_is_refused_first(
    filled: Community, tmp_path: Path
) -> None:
    back_up(tmp_path / "kept")
    (tmp_path / "list").write_text("{}\n")
    with pytest.raises(Refused, match="line 1: this is no line of a list"):
        restore(tmp_path / "kept", erased=[tmp_path / "list"])
    with pytest.raises(Refused, match="cannot be read"):
        restore(tmp_path / "kept", erased=[tmp_path / "none"])
