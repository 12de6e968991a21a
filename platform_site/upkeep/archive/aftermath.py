"""What is looked at and mended once an instance is back, before people rely on it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session

from moderation.conf import get_conf
from moderation.models import AuditSeal, MediaItem
from moderation.pipeline.audit.checkpoint import public_key, verify_checkpoints
from moderation.pipeline.audit.erasures import (
    Erasure,
    append_erasures,
    come_back,
    read_erasures,
)
from moderation.pipeline.audit.seal import verify_record
from moderation.pipeline.erase import erase_person
from moderation.vocabulary import MediaState
from platform_site.upkeep.archive.files import Kept
from platform_site.upkeep.archive.manifest import Manifest, Record, Refused, secret_key_mark

NOT_KEPT = "This file was not in the backup."


def refuse_other_signer(record: Record, keys: Collection[str]) -> None:
    """Raise `Refused` where what was signed could not be verified afterwards."""
    signer = record.checkpoint.get("public_key")
    if signer is None or signer in {*keys, *_own_key()}:
        return
    raise Refused(
        f"The record was signed under the key {signer}, which is not this instance's. Give it the "
        "key (GATEHOUSE_AUDIT_KEY, or audit.key in the data folder), or say --public-key with "
        "the public key that you wrote down."
    )


def _own_key() -> list[str]:
    """Today's key, if there is one: asking for it must not make one."""
    conf = get_conf()
    is_there = bool(conf.audit_key) or Path(conf.audit_key_file).is_file()
    return [public_key()] if is_there else []


def compare_counts(expected: Mapping[str, int], found: Mapping[str, int]) -> None:
    for table, rows in expected.items():
        if found.get(table) != rows:
            raise Refused(f"{table} has {found.get(table, 0)} rows, where {rows} were kept.")


def verify(kept: Record, keys: Collection[str]) -> int:
    """Walk over the whole record and compare it with what was signed; return its events.

    Raises `Refused` for a record that is not the one that was kept.
    """
    found = verify_record()
    if found.fault:
        raise Refused(f"The record is broken at {found.fault}.")
    if found.events != kept.events:
        raise Refused(f"The record has {found.events} events, where {kept.events} were kept.")
    if kept.head:
        seal = AuditSeal.objects.filter(position=kept.head["position"]).first()
        if seal is None or seal.digest != kept.head["digest"]:
            raise Refused(f"Seal {kept.head['position']} is not the one that was kept.")
    if kept.checkpoint:
        for copies in ([kept.checkpoint], None):
            checked = verify_checkpoints(copies, trusted=keys)
            if checked.fault:
                raise Refused(f"The record is not what was signed, {checked.fault}.")
    return found.events


def settle_missing(files: Iterable[Kept]) -> int:
    """Let attachments whose files are not there be parts that nobody judged; return how many."""
    lost = {one.item for one in files if one.is_missing}
    for item in lost:
        MediaItem.objects.filter(pk=item).update(
            state=MediaState.REFUSED,
            refusal=NOT_KEPT,
            incoming="",
            file="",
            audio="",
            frames=[],
        )
    return len(lost)


def end_sessions() -> None:
    """Have everybody sign in again: a session may have been ended since it was kept."""
    Session.objects.all().delete()


def lists_of_erasures(folder: Path, others: Iterable[Path]) -> list[Erasure]:
    """Return who is on the folder's list, this instance's, and others (files, or archives)."""
    own = get_conf().erasures_file
    paths = [folder, *others]
    if own and Path(own).is_file():
        paths.append(Path(own))
    found: dict[str, Erasure] = {}
    for path in paths:
        place = path / "erasures.jsonl" if path.is_dir() else path
        try:
            found |= {one.key_digest: one for one in read_erasures(place)}
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"{place} cannot be read: {error}.") from error
    return list(found.values())


def erase_again(erasures: Iterable[Erasure]) -> int:
    """Erase those who had been erased after the backup was made; return how many."""
    done = 0
    for author in come_back(erasures):
        if author.user_id is not None:
            # They had lost their role before they were erased; the backup is older than that.
            User.objects.filter(pk=author.user_id).update(is_staff=False, is_superuser=False)
        erase_person(author_id=author.pk, user=None)
        done += 1
    return done


def keep_list(erasures: Collection[Erasure]) -> None:
    """Write to this instance's list whom it does not name yet."""
    own = get_conf().erasures_file
    if not own:
        return
    path = Path(own)
    known = {one.key_digest for one in read_erasures(path)} if path.is_file() else set()
    append_erasures(path, [one for one in erasures if one.key_digest not in known])


def notes(manifest: Manifest, missing: int) -> list[str]:
    """Return what whoever restored must know or do."""
    found = []
    if manifest.secret_key != secret_key_mark():
        found.append(
            "SECRET_KEY is not the one of the backup: keys of services, secrets of webhooks and "
            "addresses of those who gave notice read as empty. Put the old one into "
            "SECRET_KEY_FALLBACKS."
        )
    if missing:
        found.append(
            f"{missing} attachments had no file any more when they were kept: they are refused, "
            "and nobody judged them."
        )
    return found
