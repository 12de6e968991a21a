"""What moderators told each other about a post. Kept on the record, under the author's key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidTag

from moderation.admin.timeline import actor_names
from moderation.models import AuditEvent, Post
from moderation.pipeline.audit.record import read_sealed

_KINDS = ("review.noted", "review.escalated")
_MOST = 20


@dataclass(frozen=True, slots=True)
class Note:
    """`to_lead` tells the note of an escalation from the others."""

    who: str
    at: datetime
    text: str
    to_lead: bool


def notes_on(post: Post) -> list[Note]:
    """Return a post's notes, the latest first. Only for those who decide."""
    events = list(
        AuditEvent.objects.filter(
            subject_kind="post", subject_id=str(post.pk), kind__in=_KINDS
        ).order_by("-sequence")[:_MOST]
    )
    names = actor_names(events) if events else {}
    return [
        Note(
            who=names[event.actor_kind, event.actor_id],
            at=event.happened_at,
            text=_text_of(event, post),
            to_lead=event.kind == "review.escalated",
        )
        for event in events
    ]


def _text_of(event: AuditEvent, post: Post) -> str:
    try:
        opened = read_sealed(event, post.author)
    except InvalidTag:
        return "(This note cannot be opened: its seal does not fit.)"
    return str((opened or {}).get("note", "(Erased with its author.)"))
