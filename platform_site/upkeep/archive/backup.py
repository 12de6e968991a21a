"""Keeps a running instance in a folder: database, attachments, and what to compare them with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final

from django.db import connection

from moderation.conf import get_conf
from moderation.pipeline.audit.checkpoint import sign_checkpoint
from moderation.pipeline.audit.seal import seal_events
from platform_site.upkeep.archive import databases, files, manifest, moment
from platform_site.upkeep.archive.manifest import Manifest

MEDIA: Final = "media"
MEDIA_LIST: Final = "media.jsonl"
ERASURES: Final = "erasures.jsonl"
_NAMED: Final = "named.jsonl"


def back_up(folder: Path) -> Manifest:
    """Write a backup. Raises `Refused`; the folder is there whole, or not at all."""
    _refuse_without_tools()
    draft = files.begin_folder(folder)
    try:
        made = _fill(draft)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    files.end_folder(draft, folder)
    return made


def _refuse_without_tools() -> None:
    if connection.vendor != "sqlite":
        databases.find_program("pg_dump")


def _fill(draft: Path) -> Manifest:
    end_record()
    media = draft / MEDIA
    media.mkdir(mode=0o700)
    files.keep_incoming(media)
    database = draft / databases.file_of(connection.vendor)
    with moment.one_moment():
        databases.keep_database(database)
        counts, migrations = moment.count_rows(), moment.applied_migrations()
        record = manifest.where_the_record_stands()
        write_names(draft)
    sums = keep_media(draft)
    keep_erasures(draft)
    made = Manifest(
        kind=manifest.BACKUP,
        database=connection.vendor,
        migrations=migrations,
        counts=counts,
        record=record,
        files=digests(draft, database.name, MEDIA_LIST, ERASURES),
        media=sums,
        secret_key=manifest.secret_key_mark(),
    )
    made.write(draft)
    return made


def end_record() -> None:
    """Seal what was committed and sign it, so that what is kept ends with a signed word."""
    while seal_events():
        pass
    sign_checkpoint()


def write_names(draft: Path) -> None:
    """Note which files the rows name at this moment: copying them may take hours."""
    with (draft / _NAMED).open("w", encoding="utf-8") as lines:
        for pair in moment.file_names():
            lines.write(json.dumps(pair) + "\n")


def keep_media(draft: Path) -> dict[str, int]:
    """Copy the files that were noted, uploads first: they may be gone soon."""
    uploads = {name for _, name in _names(draft) if _is_upload(name)}
    first = (pair for pair in _names(draft) if _is_upload(pair[1]))
    others = (pair for pair in _names(draft) if not _is_upload(pair[1]))
    kept = files.keep_files(draft / MEDIA, chain(first, others))
    sums = files.write_list(draft / MEDIA_LIST, kept)
    files.drop_others(draft / MEDIA, uploads)
    (draft / _NAMED).unlink()
    return sums


def _is_upload(name: str) -> bool:
    return name.startswith(f"{files.INCOMING}/")


def _names(draft: Path) -> Iterator[tuple[str, str]]:
    with (draft / _NAMED).open(encoding="utf-8") as lines:
        for line in lines:
            item, name = json.loads(line)
            yield item, name


def keep_erasures(draft: Path) -> None:
    path = get_conf().erasures_file
    if path and Path(path).exists():
        shutil.copyfile(path, draft / ERASURES)
    else:
        (draft / ERASURES).touch()


def digests(draft: Path, *names: str) -> dict[str, dict[str, object]]:
    found = {}
    for name in names:
        size, sha256 = files.measure(draft / name)
        found[name] = {"bytes": size, "sha256": sha256}
    return found
