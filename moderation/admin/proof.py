"""What a reversal changes, or has changed, in words: before beside after, as the record has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from moderation.models import AuditEvent, Enforcement
from moderation.models.posts import INDEFINITELY
from moderation.vocabulary import Standing, Status, Visibility

_UNDOING = ("enforcement.reversed", "decision.undone")
_ROWS = (
    ("status", "Status of the post"),
    ("visibility", "Readable by"),
    ("standing", "Standing of the author"),
    ("held_until", "Posts are held until"),
    ("silenced_until", "Author silenced until"),
    ("suspended_until", "Author suspended until"),
)
_WORDS = {"status": Status, "visibility": Visibility, "standing": Standing}


@dataclass(frozen=True, slots=True)
class Change:
    what: str
    before: str
    after: str

    @property
    def is_one(self) -> bool:
        return self.before != self.after


def changes_of(proof: Mapping[str, Any] | None) -> list[Change]:
    """Return each line of a proof; none where the record is older than proofs."""
    if not proof or "before" not in proof:
        return []
    before, after = proof["before"], proof["after"]
    changes = [Change(what, _said(key, before), _said(key, after)) for key, what in _ROWS]
    if proof["forgotten"]:
        known = proof["forgotten"]
        changes.append(Change("Contents known again as rejected", str(known), "0"))
    if proof["unbanked"]:
        changes.append(Change("Entries of hash banks", str(proof["unbanked"]), "0"))
    if proof["review_reopened"]:
        changes.append(Change("Before a person", "No", "Yes, in its old place"))
    if proof["review_closed"]:
        changes.append(Change("Before a person", "Yes", "No"))
    return changes


def recorded_proof(enforcement: Enforcement) -> Mapping[str, Any] | None:
    """Return what the record says that the reversal of an enforcement changed."""
    events = AuditEvent.objects.filter(
        subject_kind="post", subject_id=str(enforcement.post_id), kind__in=_UNDOING
    ).order_by("-sequence")
    return next(
        (event.facts for event in events if event.facts.get("enforcement") == enforcement.pk), None
    )


def _said(key: str, state: Mapping[str, Any]) -> str:
    value = state.get(key)
    if key in _WORDS:
        return str(_WORDS[key](value).label)
    if value is None:
        return "Not at all"
    until = datetime.fromisoformat(value)
    return "It is reversed" if until >= INDEFINITELY else f"{until:%Y-%m-%d %H:%M} UTC"
