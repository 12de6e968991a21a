"""A subject's history from its audit events: who, what, when and why, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidTag
from django.contrib.auth.models import User
from django.db.models import Q

from moderation import tracing
from moderation.admin import words
from moderation.conf import get_conf
from moderation.models import ApiKey, AuditEvent, Author, Decision, Enforcement, Post
from moderation.pipeline.audit.record import read_sealed
from moderation.vocabulary import ActorKind, Status, Visibility

# A page that is read, not searched: who wants more opens the post.
_MOST_POSTS = 100
_MOST_STEPS = 300


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
    # The post that a step of a longer history is about, "" where the page is about it.
    post: str = ""
    # In which trace it happened, and where people look at that, "" for none and nowhere.
    trace: str = ""

    @property
    def trace_page(self) -> str:
        return trace_page(self.trace)


@dataclass(frozen=True, slots=True)
class AuthorTimeline:
    """An author's steps and those of their latest posts; `is_cut` says that there are more."""

    steps: list[Step]
    posts: int
    is_cut: bool


def post_timeline(post: Post, *, opens_notes: bool, most: int | None = None) -> list[Step]:
    """Return a post's steps, the latest first: all, or the newest."""
    events = list(
        AuditEvent.objects.filter(subject_kind="post", subject_id=str(post.pk)).order_by(
            "-sequence"
        )[:most]
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


def author_timeline(author: Author, *, opens_notes: bool) -> AuthorTimeline:
    """Return what is on the record of an author and of their latest posts, the latest first."""
    newest = Post.objects.filter(author=author).order_by("-pk").values_list("pk", flat=True)
    posts = [str(pk) for pk in newest[: _MOST_POSTS + 1]]
    own = Q(subject_kind="author", subject_id=str(author.pk))
    theirs = Q(subject_kind="post", subject_id__in=posts[:_MOST_POSTS])
    events = list(AuditEvent.objects.filter(own | theirs).order_by("-pk")[: _MOST_STEPS + 1])
    names = actor_names(events)
    steps = [
        _step(
            event,
            who=_who(event, author, names),
            note=_note(event, author) if opens_notes else "",
            post=event.subject_id if event.subject_kind == "post" else "",
        )
        for event in events[:_MOST_STEPS]
    ]
    return AuthorTimeline(
        steps=steps,
        posts=min(len(posts), _MOST_POSTS),
        is_cut=len(posts) > _MOST_POSTS or len(events) > _MOST_STEPS,
    )


def decision_timeline(decision: Decision, *, opens_notes: bool) -> list[Step]:
    """Return what led to a decision and what became of it, the latest first.

    What led there is what befell the revision that was decided, up to then; what became of it are
    the steps that name the decision, or the enforcement that it caused.
    """
    enforcement = Enforcement.objects.filter(decision=decision).first()
    events = [
        event
        for event in AuditEvent.objects.filter(
            subject_kind="post", subject_id=str(decision.post_id)
        ).order_by("-sequence")
        if _is_about(event, decision, enforcement)
    ]
    author, names = decision.post.author, actor_names(events)
    return [
        _step(
            event,
            who=_who(event, author, names),
            note=_note(event, author) if opens_notes else "",
        )
        for event in events
    ]


def _is_about(event: AuditEvent, decision: Decision, enforcement: Enforcement | None) -> bool:
    facts = event.facts
    if facts.get("decision") == decision.pk:
        return True
    if enforcement is not None and facts.get("enforcement") == enforcement.pk:
        return True
    led_there = event.happened_at <= decision.decided_at and "decision" not in facts
    return led_there and event.revision == decision.revision


def _who(event: AuditEvent, author: Author, names: dict[tuple[str, str], str]) -> str:
    if event.actor_kind == ActorKind.AUTHOR:
        return str(author)
    return names[event.actor_kind, event.actor_id]


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


def _step(event: AuditEvent, *, who: str, note: str, post: str = "") -> Step:
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
        post=post,
        trace=tracing.trace_id(event.facts.get(tracing.FACT)),
    )


def trace_page(trace: str) -> str:
    """Return where people look at a trace, "" where the operator has named no place."""
    page = get_conf().trace_page
    return page.replace("{trace}", trace) if trace and page else ""


def _after(event: AuditEvent) -> str:
    """Say what the post was after a step: its status and who could read it."""
    status, visibility = event.facts.get("status"), event.facts.get("visibility")
    said = []
    if status in Status.values:
        said.append(str(Status(status).label))
    if visibility in Visibility.values:
        said.append(f"readable by: {Visibility(visibility).label.lower()}")
    return ", ".join(said)
