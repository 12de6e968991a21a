"""Puts a backup into an empty instance, and compares everything afterwards."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection

from moderation.errors import InvalidSubmission
from platform_site.upkeep.archive import aftermath, databases, files, manifest, moment, target
from platform_site.upkeep.archive.backup import ERASURES, MEDIA, MEDIA_LIST
from platform_site.upkeep.archive.manifest import Manifest, Refused


@dataclass(frozen=True, slots=True)
class Restored:
    rows: int
    files: int
    events: int
    erased: int
    notes: list[str]


def check(folder: Path) -> Manifest:
    """Read a whole backup, and raise `Refused` for what is not as it was written."""
    said = manifest.read_manifest(folder, manifest.BACKUP)
    check_contents(folder, said)
    return said


def check_contents(folder: Path, said: Manifest) -> None:
    for name, expected in said.files.items():
        path = files.place_of(folder, name)
        if not path.is_file():
            raise Refused(f"{path} is missing from the archive.")
        size, sha256 = files.measure(path)
        if {"bytes": size, "sha256": sha256} != expected:
            raise Refused(f"{path} was changed or damaged after it was kept.")
    files.check_files(folder / MEDIA, files.read_list(folder / MEDIA_LIST))


def restore(
    folder: Path, *, public_keys: Collection[str] = (), erased: Sequence[Path] = ()
) -> Restored:
    """Restore a backup into an empty instance that nothing runs on.

    `erased` are further lists of who was erased, or newer backups, which hold one. Raises
    `Refused`, before anything is changed where that can be known.
    """
    said = check(folder)
    erasures = read_lists(folder, erased)
    _refuse_unfit(said, public_keys)
    target.refuse_unless_empty()
    databases.put_database(folder / databases.file_of(said.database))
    aftermath.compare_counts(said.counts, moment.count_rows())
    put_back = files.put_back(folder / MEDIA, files.read_list(folder / MEDIA_LIST))
    # A backup of an older version gets the steps that it lacks; the triggers are made again.
    call_command("migrate", verbosity=0, interactive=False)
    return finish(folder, said, erasures, public_keys, put_back)


def read_lists(folder: Path, erased: Sequence[Path]) -> list[Any]:
    try:
        return aftermath.lists_of_erasures(folder / ERASURES, erased)
    except InvalidSubmission as error:
        raise Refused(str(error)) from error


def finish(
    folder: Path,
    said: Manifest,
    erasures: list[Any],
    public_keys: Collection[str],
    put_back: int,
) -> Restored:
    """Verify the record, and bring what was kept up to what has been decided since."""
    events = aftermath.verify(said.record, public_keys)
    aftermath.end_sessions()
    missing = aftermath.settle_missing(files.read_list(folder / MEDIA_LIST))
    erased = aftermath.erase_again(erasures)
    aftermath.keep_list(erasures)
    return Restored(
        rows=sum(said.counts.values()),
        files=put_back,
        events=events,
        erased=erased,
        notes=aftermath.notes(said, missing),
    )


def _refuse_unfit(said: Manifest, public_keys: Collection[str]) -> None:
    if said.database != connection.vendor:
        raise Refused(
            f"This is a backup of {said.database}, and DATABASE_URL names {connection.vendor}. To "
            "change from one to the other use export_instance and import_instance."
        )
    if said.database != "sqlite":
        databases.find_program("pg_restore")
    manifest.refuse_newer(said.migrations, "This backup")
    aftermath.refuse_other_signer(said.record, public_keys)
