"""Signed checkpoints: a chain that was rewritten wholly still verifies, and is found out."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.db import connection

from moderation.models import AuditCheckpoint, AuditEvent, AuditSeal, Community, triggers
from moderation.pipeline.audit.checkpoint import (
    as_json,
    public_key,
    sign_checkpoint,
    verify_checkpoints,
)
from moderation.pipeline.audit.record import digest_of
from moderation.pipeline.audit.seal import _link, seal_events, verify_record
from tests.pipeline.helpers import HARMLESS, drain_all, send

OTHER_KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)


@pytest.fixture(autouse=True)
def _key(settings, tmp_path):  # type: ignore[no-untyped-def]
    settings.MODERATION = {**settings.MODERATION, "audit_key_file": str(tmp_path / "audit.key")}


def grow(community: Community) -> AuditCheckpoint:
    send(community, HARMLESS)
    drain_all()
    while seal_events():
        pass
    made = sign_checkpoint()
    assert made is not None
    return made


def rewrite_all() -> None:
    """Change the first event and make every digest fit again, as whoever owns the database can."""
    with triggers.lifted(connection):
        heads: dict[tuple[str, str], str] = {}
        for event in AuditEvent.objects.order_by("pk"):
            event.facts = {**event.facts, "forged": 1}
            event.previous_digest = heads.get((event.subject_kind, event.subject_id), "")
            event.digest = digest_of(event)
            event.save()
            heads[event.subject_kind, event.subject_id] = event.digest
        previous = ""
        for seal in AuditSeal.objects.order_by("position"):
            digests = dict(AuditEvent.objects.values_list("pk", "digest"))
            seal.previous_digest = previous
            seal.digest = _link(seal, [digests[pk] for pk in seal.event_ids])
            seal.save()
            previous = seal.digest


def test_checkpoints_agree_with_the_chain_they_signed(community: Community) -> None:
    one, two = grow(community), grow(community)
    found = verify_checkpoints()
    assert (found.checkpoints, found.last_position, found.fault) == (2, two.position, "")
    assert two.events == AuditEvent.objects.count() > one.events
    assert sign_checkpoint() is None


def test_a_chain_that_was_rewritten_wholly_is_found_out(community: Community, capsys) -> None:  # type: ignore[no-untyped-def]
    grow(community)
    rewrite_all()
    assert verify_record().fault == ""
    with pytest.raises(CommandError, match="rewritten"):
        call_command("verify_audit", "--checkpoints")


def test_a_copy_kept_elsewhere_tells_when_the_stored_ones_went_too(
    community: Community,
    tmp_path: Path,
    capsys,  # type: ignore[no-untyped-def]
) -> None:
    copy = tmp_path / "copy.jsonl"
    copy.write_text(json.dumps(as_json(grow(community))) + "\n")
    call_command("verify_audit", "--checkpoints", str(copy))
    assert "It is what was signed: 1 checkpoints" in capsys.readouterr().out
    with triggers.lifted(connection):
        AuditCheckpoint.objects.all().delete()
        AuditSeal.objects.all().delete()
    with pytest.raises(CommandError, match="cut short"):
        call_command("verify_audit", "--checkpoints", str(copy))


@pytest.mark.parametrize("field", ["position", "seal_digest", "events", "signed_at", "signature"])
def test_no_field_of_a_checkpoint_can_be_changed(community: Community, field: str) -> None:
    row = as_json(grow(community))
    row[field] = row[field] + 1 if isinstance(row[field], int) else "ab" * 32
    assert "does not fit" in verify_checkpoints([row]).fault


def test_only_trusted_keys_count(community: Community, settings) -> None:  # type: ignore[no-untyped-def]
    old = public_key()
    row = as_json(grow(community))
    settings.MODERATION = {
        **settings.MODERATION,
        "audit_key": OTHER_KEY.private_bytes_raw().hex(),
    }
    assert public_key() == OTHER_KEY.public_key().public_bytes_raw().hex()
    assert "another key" in verify_checkpoints([row]).fault
    assert verify_checkpoints([row], trusted=[old]).fault == ""


def test_the_key_is_made_once_and_for_us_alone(settings, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert public_key() == public_key()
    assert stat.S_IMODE((tmp_path / "audit.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["audit.key"]


def test_each_checkpoint_is_added_to_the_file_of_the_settings(
    community: Community,
    settings,  # type: ignore[no-untyped-def]
    tmp_path: Path,
) -> None:
    file = tmp_path / "checkpoints.jsonl"
    settings.MODERATION = {**settings.MODERATION, "audit_checkpoint_file": str(file)}
    made = [as_json(grow(community)), as_json(grow(community))]
    assert [json.loads(line) for line in file.read_text().splitlines()] == made


def test_without_a_checkpoint_nothing_is_said_to_agree(community: Community) -> None:
    send(community, HARMLESS)
    with pytest.raises(CommandError, match="no checkpoint"):
        call_command("verify_audit", "--checkpoints")
