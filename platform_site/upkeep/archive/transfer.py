"""Exports a running instance as lines of JSON and imports it elsewhere, on either database."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import connection, transaction

from platform_site.upkeep.archive import (
    aftermath,
    backup,
    files,
    manifest,
    moment,
    portable,
    restore,
    target,
)
from platform_site.upkeep.archive.manifest import Manifest, Refused
from platform_site.upkeep.archive.restore import Restored

DATA: Final = "data"


def export_instance(folder: Path) -> Manifest:
    """Write an export. Raises `Refused`; the folder is there whole, or not at all."""
    draft = files.begin_folder(folder)
    try:
        made = _fill(draft)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    files.end_folder(draft, folder)
    return made


def _fill(draft: Path) -> Manifest:
    backup.end_record()
    media, data = draft / backup.MEDIA, draft / DATA
    media.mkdir(mode=0o700)
    data.mkdir(mode=0o700)
    files.keep_incoming(media)
    with moment.one_moment():
        counts = {
            model._meta.db_table: portable.write_rows(model, data / portable.file_of(model))
            for model in portable.portable_models()
        }
        migrations = moment.applied_migrations()
        record = manifest.where_the_record_stands()
        backup.write_names(draft)
    sums = backup.keep_media(draft)
    backup.keep_erasures(draft)
    written = [f"{DATA}/{path.name}" for path in sorted(data.iterdir())]
    made = Manifest(
        kind=manifest.EXPORT,
        database=connection.vendor,
        migrations=migrations,
        counts=counts,
        record=record,
        files=backup.digests(draft, *written, backup.MEDIA_LIST, backup.ERASURES),
        media=sums,
        secret_key=manifest.secret_key_mark(),
    )
    made.write(draft)
    return made


def import_instance(
    folder: Path, *, public_keys: Collection[str] = (), erased: Sequence[Path] = ()
) -> Restored:
    """Import an export into an empty instance that nothing runs on, of the same version.

    All rows or none. Raises `Refused`, before anything is changed where that can be known.
    """
    said = manifest.read_manifest(folder, manifest.EXPORT)
    restore.check_contents(folder, said)
    erasures = restore.read_lists(folder, erased)
    aftermath.refuse_other_signer(said.record, public_keys)
    manifest.refuse_newer(said.migrations, "This export")
    target.refuse_unless_empty()
    if not moment.applied_migrations():
        call_command("migrate", verbosity=0, interactive=False)
    _refuse_other_version(said)
    _insert_all(folder, said)
    aftermath.compare_counts(said.counts, moment.count_rows())
    put_back = files.put_back(folder / backup.MEDIA, files.read_list(folder / backup.MEDIA_LIST))
    return restore.finish(folder, said, erasures, public_keys, put_back)


def _refuse_other_version(said: Manifest) -> None:
    """Rows have no migrations: the tables must be those that they were written from."""
    here = set(moment.applied_migrations())
    other = sorted(here.symmetric_difference(said.migrations))
    if other:
        raise Refused(
            f"The export and this instance differ in {other[0]}: export again with this version, "
            "or import with that one and upgrade afterwards."
        )


def _insert_all(folder: Path, said: Manifest) -> None:
    models = portable.portable_models()
    with transaction.atomic():
        if connection.vendor != "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 0")
                cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        portable.clear([label for label in target.OWN_ROWS if label != "django_migrations"])
        # What points at each other is compared at the end: any order will do.
        for model in models:
            path = folder / DATA / portable.file_of(model)
            rows = portable.read_rows(model, path)
            if rows != said.counts.get(model._meta.db_table):
                raise Refused(f"{path} has {rows} rows, which is not what the manifest says.")
        portable.reset_sequences()
    ContentType.objects.clear_cache()
