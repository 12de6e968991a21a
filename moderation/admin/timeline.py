"""A subject's history from its audit events: who, what, when and why, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidTag
from django.contrib.auth.models import User

from moderation.admin import words
from moderation.models import ApiKey, AuditEvent, Author, Post
from moderation.pipeline.record import read_sealed
from moderation.vocabulary import ActorKind, Status, Visibility


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a timeline. `note` is what a person wrote, "" unless the reader may know."""

    at: datetime
    who: str
    what: str
    why: str
    note: str
    revision: int | None
    after: str
    kind: str
    sequence: int


def post_timeline(post: Post, *, opens_notes: bool) -> list[Step]:
    """Return a post's steps, the latest first."""
    events = list(
        AuditEvent.objects.filter(subject_kind="post", subject_id=str(post.pk)).order_by(
            "-sequence"
        )
    )
    names = actor_names(events)
    return [
        _step(
            event,
            who=str(post.author)
            if event.actor_kind == ActorKind.AUTHOR
            else names[event.actor_kind, event.actor_id],
            note=_note(event, post.author) if opens_notes else "",
        )
        for event in events
    ]


def actor_names(events: Sequence[AuditEvent]) -> dict[tuple[str, str], str]:
    """Return the names of those who took steps, by kind and id, in two queries at most."""
    wanted = {(event.actor_kind, event.actor_id) for event in events}
    people = {
        str(user.pk): user.get_username()
        for user in User.objects.filter(
            pk__in=[
                int(actor_id)
                for kind, actor_id in wanted
                if kind == ActorKind.MODERATOR and actor_id.isdecimal()
            ]
        )
    }
    keys = {
        key.key_id: str(key)
        for key in ApiKey.objects.filter(
            key_id__in=[actor_id for kind, actor_id in wanted if kind == ActorKind.API_KEY]
        )
    }
    return {(kind, actor_id): _name(kind, actor_id, people, keys) for kind, actor_id in wanted}


def _name(kind: str, actor_id: str, people: dict[str, str], keys: dict[str, str]) -> str:
    if kind == ActorKind.MODERATOR:
        return people.get(actor_id, "A moderator who has left")
    if kind == ActorKind.API_KEY:
        return f"API key {keys.get(actor_id, actor_id)}"
    return str(ActorKind(kind).label)


def _note(event: AuditEvent, author: Author) -> str:
    try:
        opened = read_sealed(event, author)
    except InvalidTag:
        return "(This note cannot be opened: its seal does not fit.)"
    return str((opened or {}).get("note", ""))


def _step(event: AuditEvent, *, who: str, note: str) -> Step:
    return Step(
        at=event.happened_at,
        who=who,
        what=words.step_label(event.kind),
        why=words.facts_label(event.facts),
        note=note,
        revision=event.revision,
        after=_after(event),
        kind=event.kind,
        sequence=event.sequence,
    )


def _after(event: AuditEvent) -> str:
    """Say what the post was after a step: its status and who could read it."""
    status, visibility = event.facts.get("status"), event.facts.get("visibility")
    said = []
    if status in Status.values:
        said.append(str(Status(status).label))
    if visibility in Visibility.values:
        said.append(f"readable by: {Visibility(visibility).label.lower()}")
    return ", ".join(said)
