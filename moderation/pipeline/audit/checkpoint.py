"""Sign where the chain of seals stands, so that one that was rewritten wholly is found out.

Whoever can write to the database can make a new chain that holds in itself. They cannot sign it:
the key is elsewhere, and copies of what was signed are kept where they do not reach.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from django.db import IntegrityError, transaction
from django.db.models import Sum

from moderation.conf import get_conf
from moderation.errors import InvalidSubmission
from moderation.models import AuditCheckpoint, AuditSeal

_SIGNED: Final = ("position", "seal_digest", "events", "signed_at")
_KEY_BYTES: Final = 32


def sign_checkpoint() -> AuditCheckpoint | None:
    """Sign the newest seal; None when it is signed already, or there is none.

    It is added to the file of the settings too, if they name one.
    """
    seal = AuditSeal.objects.order_by("-position").first()
    if seal is None or AuditCheckpoint.objects.filter(position__gte=seal.position).exists():
        return None
    key = _private_key()
    made = AuditCheckpoint(
        position=seal.position,
        seal_digest=seal.digest,
        events=_events_up_to(seal),
        signed_at=datetime.now(UTC),
        public_key=_hex_of(key.public_key()),
    )
    made.signature = key.sign(_message(as_json(made))).hex()
    try:
        with transaction.atomic():
            made.save(force_insert=True)
    except IntegrityError:
        return None
    _append(made)
    return made


def _events_up_to(seal: AuditSeal) -> int:
    """Add to what the last checkpoint counted: the chain may be long."""
    last = AuditCheckpoint.objects.order_by("-position").first()
    since = AuditSeal.objects.filter(
        position__gt=last.position if last else 0, position__lte=seal.position
    )
    return (last.events if last else 0) + (since.aggregate(sum=Sum("event_count"))["sum"] or 0)


def as_json(checkpoint: AuditCheckpoint) -> dict[str, Any]:
    """Return a checkpoint as it is handed on, and as it is verified."""
    return {
        "position": checkpoint.position,
        "seal_digest": checkpoint.seal_digest,
        "events": checkpoint.events,
        "signed_at": checkpoint.signed_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "public_key": checkpoint.public_key,
        "signature": checkpoint.signature,
    }


def public_key() -> str:
    """Return the key that today's checkpoints verify under, as 64 hex digits."""
    return _hex_of(_private_key().public_key())


def _message(checkpoint: Mapping[str, Any]) -> bytes:
    said = {"kind": "gatehouse checkpoint 1", **{name: checkpoint[name] for name in _SIGNED}}
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def _hex_of(key: Ed25519PublicKey) -> str:
    return key.public_bytes_raw().hex()


def _append(checkpoint: AuditCheckpoint) -> None:
    path = get_conf().audit_checkpoint_file
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(as_json(checkpoint)) + "\n")


# --- the key -------------------------------------------------------------------------------------


def _private_key() -> Ed25519PrivateKey:
    """Return the key of the settings, else the one in the data folder, made at its first use.

    Raises `InvalidSubmission` for a key that is none.
    """
    conf = get_conf()
    said = conf.audit_key or _key_in(Path(conf.audit_key_file))
    try:
        raw = bytes.fromhex(said.strip())
    except ValueError:
        raw = b""
    if len(raw) != _KEY_BYTES:
        raise InvalidSubmission("The key that signs checkpoints has 64 hexadecimal digits.")
    return Ed25519PrivateKey.from_private_bytes(raw)


def _key_in(path: Path) -> str:
    """Read the key, or make it: whole or not at all, whoever else is at it, and for us alone."""
    if not path.exists():
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".audit-key-")
        with os.fdopen(handle, "w") as file:
            file.write(Ed25519PrivateKey.generate().private_bytes_raw().hex())
        try:
            # A link, unlike a rename, leaves the key of whoever was faster.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            Path(draft).unlink()
    return path.read_text()


# --- verifying -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Checked:
    """How many checkpoints agree with the chain; `fault` names the first that does not."""

    checkpoints: int = 0
    last_position: int = 0
    fault: str = ""


def verify_checkpoints(
    copies: Iterable[object] | None = None, *, trusted: Collection[str] = ()
) -> Checked:
    """Check the stored checkpoints, or copies that were kept elsewhere, against the chain of seals.

    `trusted` are public keys that may have signed them, besides today's.
    """
    keys = {*trusted, public_key()}
    rows: Iterable[object] = copies if copies is not None else map(as_json, _stored())
    found = Checked()
    for row in rows:
        if not isinstance(row, dict) or not {*_SIGNED, "public_key", "signature"} <= set(row):
            found.fault = "a checkpoint that lacks a field"
            break
        found.fault = _fault_of(row, keys)
        if found.fault:
            break
        found.checkpoints += 1
        found.last_position = max(found.last_position, int(row["position"]))
    return found


def _stored() -> Iterable[AuditCheckpoint]:
    return AuditCheckpoint.objects.order_by("position").iterator(chunk_size=1_000)


def _fault_of(row: Mapping[str, Any], keys: Collection[str]) -> str:
    name = f"checkpoint at seal {row['position']}"
    if row["public_key"] not in keys:
        return f"{name}: was signed by another key, {str(row['public_key'])[:64]}"
    if not _is_signed(row):
        return f"{name}: its signature does not fit what it says"
    # A signature fits it: it is the number that we wrote.
    seal = AuditSeal.objects.filter(position=row["position"]).first()
    if seal is None:
        return f"{name}: the chain has no such seal; it was cut short or rewritten"
    if seal.digest != row["seal_digest"]:
        return f"{name}: the chain has another seal in its place; it was rewritten"
    return ""


def _is_signed(row: Mapping[str, Any]) -> bool:
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(str(row["public_key"])))
        key.verify(bytes.fromhex(str(row["signature"])), _message(row))
    except (InvalidSignature, ValueError):
        return False
    return True
