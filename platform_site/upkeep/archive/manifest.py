"""What a folder with a whole instance says of itself. Written last: a folder without it is none."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from moderation.models import AuditCheckpoint, AuditEvent, AuditSeal
from moderation.pipeline.audit.checkpoint import as_json

NAME: Final = "manifest.json"
BACKUP: Final = "gatehouse backup 1"
EXPORT: Final = "gatehouse export 1"


class Refused(Exception):
    """This cannot be done as it was asked; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Record:
    """Where the record stood: its newest seal, and the signed word on it."""

    events: int
    seals: int
    head: dict[str, Any] = field(default_factory=dict)
    checkpoint: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """`counts` are rows by table; `files` names what else is in the folder, with its digest."""

    kind: str
    database: str
    migrations: list[str]
    counts: dict[str, int]
    record: Record
    files: dict[str, dict[str, Any]]
    media: dict[str, int]
    secret_key: str
    made_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())

    def write(self, folder: Path) -> None:
        text = json.dumps(asdict(self), indent=2, sort_keys=True)
        (folder / NAME).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path, kind: str) -> Manifest:
    """Return what a folder says of itself. Raises `Refused` for one that is not of this kind."""
    try:
        said = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except OSError as error:
        raise Refused(
            f"{folder} has no {NAME} that can be read ({error.strerror}): it is no whole archive."
        ) from error
    except ValueError as error:
        raise Refused(f"{folder / NAME} is not JSON.") from error
    found = said.get("kind") if isinstance(said, dict) else None
    if found != kind:
        raise Refused(f"{folder} holds {str(found)[:40]!r}, not {kind!r}.")
    try:
        return Manifest(**{**said, "record": Record(**said["record"])})
    except (KeyError, TypeError) as error:
        raise Refused(f"{folder / NAME} lacks a field: {error}.") from error


def where_the_record_stands() -> Record:
    seal = AuditSeal.objects.order_by("-position").first()
    signed = AuditCheckpoint.objects.order_by("-position").first()
    return Record(
        events=AuditEvent.objects.count(),
        seals=AuditSeal.objects.count(),
        head={"position": seal.position, "digest": seal.digest} if seal else {},
        checkpoint=as_json(signed) if signed else {},
    )


def secret_key_mark() -> str:
    """Return what tells whether a key is the same, and nothing of the key."""
    return hashlib.sha256(b"gatehouse archive\0" + settings.SECRET_KEY.encode()).hexdigest()[:16]


def refuse_newer(migrations: list[str], what: str) -> None:
    """Raise `Refused` for tables that were made by steps which this version does not have."""
    known = {".".join(key) for key in MigrationLoader(None).disk_migrations}
    newer = sorted(set(migrations) - known)
    if newer:
        raise Refused(
            f"{what} was made by a newer version of Gatehouse, which has {newer[0]}: "
            "install that version first."
        )
