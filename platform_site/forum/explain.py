"""Says in plain words where a post stands: for its author, without a rule's or a model's name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from django.utils import timezone

from moderation.models import Decision, Enforcement, MediaItem, Post, Statement, VerdictRecord
from moderation.models.posts import NAME_KEY, TEXT_KEY, visible_text
from moderation.pipeline.enforcement.sanctions import is_barred
from moderation.vocabulary import Action, Category, Status, Visibility

State = Literal["checking", "live", "noted", "with_person", "rejected"]

MOST_WORDS = 8
MOST_WORD_CHARS = 60

# Completes the sentence "It reads like …".
_READS_LIKE: dict[str, str] = {
    Category.TOXIC: "a rude or hurtful remark",
    Category.SEVERE_TOXIC: "a very hurtful attack",
    Category.HATE: "hate against a group of people",
    Category.HARASSMENT: "an insult or harassment",
    Category.THREAT: "a threat against somebody",
    Category.VIOLENCE: "a call for violence, or praise of it",
    Category.GRAPHIC: "a graphic depiction of violence",
    Category.SEXUAL: "sexual content",
    Category.SEXUAL_MINORS: "sexual content that involves minors",
    Category.SELF_HARM: "content about self-harm",
    Category.ILLICIT: "an offer of illegal goods or acts",
    Category.EXTREMISM: "extremist content",
    Category.DRUGS: "dealing in drugs",
    Category.WEAPONS: "dealing in weapons",
    Category.PROFANITY: "strong language",
    Category.SPAM: "advertising or spam",
    Category.MALWARE: "a link to harmful software",
    Category.PERSONAL_INFO: "somebody's personal information",
    Category.OTHER: "something that this community does not allow",
}
_EDIT_AND_RESEND = "Change it and send it again: the new version is checked afresh."
_NOT_NOW = "You cannot post or change anything at the moment; you can object, or delete it."


@dataclass(frozen=True, slots=True)
class Story:
    """Where a post stands, why, who said so, since when, and what its author can do."""

    state: State
    label: str
    summary: str
    since: datetime
    reason: str = ""
    words: tuple[str, ...] = ()
    decided_by: str = ""
    next_step: str = ""
    can_change: bool = True

    @property
    def is_settled(self) -> bool:
        """Whether nothing is expected to change by itself."""
        return self.state not in ("checking", "with_person")


@dataclass(frozen=True, slots=True)
class Told:
    """A statement of reasons as its author reads it; `appeal_until` None: it was objected to."""

    number: str
    issued_at: datetime
    said: tuple[tuple[str, str], ...]
    appeal_until: datetime | None

    @classmethod
    def of(cls, statement: Statement, *, appeal_until: datetime | None) -> Told:
        said = ((line["title"], line["text"]) for line in statement.document["said"])
        return cls(statement.number, statement.issued_at, tuple(said), appeal_until)


@dataclass(frozen=True, slots=True)
class _Cause:
    """Why, and who said so; empty where nobody had to say anything."""

    reason: str = ""
    words: tuple[str, ...] = ()
    decided_by: str = ""

    def said(self) -> dict[str, Any]:
        return {"reason": self.reason, "words": self.words, "decided_by": self.decided_by}


@dataclass(frozen=True, slots=True)
class Seen:
    """A post with its pictures and all its enforcements, oldest first: what its story rests on."""

    post: Post
    pictures: Sequence[MediaItem] = ()
    enforcements: Sequence[Enforcement] = ()

    @property
    def current(self) -> list[Enforcement]:
        return [item for item in self.enforcements if item.revision == self.post.revision]

    @property
    def last_word(self) -> Enforcement | None:
        standing = [item for item in self.current if item.reversed_at is None]
        return standing[-1] if standing else None


def tell(seen: Seen) -> Story:
    """Return a post's story, for its author."""
    can_change = not is_barred(seen.post.author, timezone.now())
    return replace(_tell(seen, can_change=can_change), can_change=can_change)


def _tell(seen: Seen, *, can_change: bool) -> Story:
    post, last = seen.post, seen.last_word
    if post.status == Status.PENDING:
        return _checking(post)
    cause = _cause(seen, last)
    if post.status == Status.IN_REVIEW:
        return _with_person(post, cause)
    if post.status == Status.REJECTED:
        return _rejected(post, cause, can_change=can_change)
    was_undone = any(item.reversed_at is not None for item in seen.current)
    return _live(post, last, cause, was_undone=was_undone)


def is_provisional(statement: Statement) -> bool:
    """Whether all that a statement tells of lasts until a person has looked."""
    return all(one["is_provisional"] for one in statement.document["restrictions"])


def content_note(seen: Seen) -> str:
    """Return what readers are told above a post that was allowed with a warning, "" for others."""
    last = seen.last_word
    if last is None or last.action != Action.WARN:
        return ""
    found = last.decision or last.verdict
    category = found.category if found is not None else None
    return f"This may contain {_READS_LIKE[category]}." if category else "This may put you off."


def _since(post: Post) -> datetime:
    return post.decided_at or post.edited_at or post.created_at


def _checking(post: Post) -> Story:
    if post.visibility == Visibility.PUBLIC:
        label, summary = "Live, being checked", "Everyone can read it while the check runs."
    else:
        label, summary = "Being checked", "Only you can see it until the check is done."
    return Story(
        state="checking",
        label=label,
        summary=summary,
        since=post.edited_at or post.created_at,
        next_step="Nothing to do. This usually takes a second, and you may leave this page.",
    )


def _with_person(post: Post, cause: _Cause) -> Story:
    if post.visibility == Visibility.PUBLIC:
        label, summary = "Live, with a moderator", "Everyone can read it; a moderator will look."
    else:
        label, summary = "With a moderator", "Only you can see it until a moderator has looked."
    return Story(
        state="with_person",
        label=label,
        summary=summary,
        since=_since(post),
        **cause.said(),
        next_step="Nothing to do. If you change it, the new version is checked from the start.",
    )


def _rejected(post: Post, cause: _Cause, *, can_change: bool) -> Story:
    label = "Taken down" if post.shown_before_verdict else "Not published"
    return Story(
        state="rejected",
        label=label,
        summary="Only you can see it.",
        since=_since(post),
        **cause.said(),
        next_step=_EDIT_AND_RESEND if can_change else _NOT_NOW,
    )


def _live(post: Post, last: Enforcement | None, cause: _Cause, *, was_undone: bool) -> Story:
    if last is not None and last.action == Action.WARN:
        return Story(
            state="noted",
            label="Live, with a note",
            summary="Everyone can read it, under a short note.",
            since=_since(post),
            **cause.said(),
            next_step="You may leave it as it is, or change it.",
        )
    # Who was simply let through needs no reason; who was looked at by a person gets theirs.
    by_person = last is not None and last.decision is not None
    return Story(
        state="live",
        label="Live again" if was_undone else "Live",
        summary="Everyone can read it.",
        since=_since(post),
        **(cause if by_person else _Cause()).said(),
    )


def _cause(seen: Seen, last: Enforcement | None) -> _Cause:
    if last is None:
        return _Cause()
    if last.decision is not None:
        return _cause_by_person(last.decision)
    assert last.verdict is not None  # a constraint: an enforcement has one cause
    return _cause_by_machine(seen, last.verdict)


def _cause_by_person(decision: Decision) -> _Cause:
    reason = decision.reason
    if decision.action != Action.ALLOW and decision.category:
        reason = f"{_reads_like(decision.category)} The moderator wrote: {reason}"
    return _Cause(reason, decided_by="A moderator")


def _cause_by_machine(seen: Seen, verdict: VerdictRecord) -> _Cause:
    if verdict.action == Action.ALLOW:
        # Nothing was found, and still it waits: only an edit after a person's rejection does.
        return _Cause(
            "A moderator rejected it before, so a moderator looks at the new version too.",
            decided_by="A rule of this community",
        )
    if verdict.category is None:
        return _Cause(_not_judged(seen, verdict), decided_by="A rule of this community")
    if verdict.provider == "hash_bank":
        return _Cause(
            "One of its pictures matches one that this community has banned.",
            decided_by="A rule of this community",
        )
    part = verdict.part_key or ""
    subject = "Your display name" if part == NAME_KEY else _attachment(seen, part)
    return _Cause(
        _reads_like(verdict.category, subject),
        words=_matched_words(seen, verdict),
        decided_by="The automatic check",
    )


def _reads_like(category: str, subject: str = "") -> str:
    said = _READS_LIKE[category]
    return f"{subject} looks like {said}." if subject else f"It reads like {said}."


def _not_judged(seen: Seen, verdict: VerdictRecord) -> str:
    named = (_attachment(seen, str(part)) for part in verdict.not_judged)
    subject = next(filter(None, named), "It")
    return f"{subject} could not be checked automatically, so a person looks at it."


def _attachment(seen: Seen, part: str) -> str:
    """Return what an attachment is called by its part's key, "" for a key of another part."""
    if not part.startswith("media:"):
        return ""
    # A part may be of an attachment only: its text, or the sound of a video.
    kind = next((item.kind for item in seen.pictures if str(item.pk) in part), "")
    return {"video": "A video", "audio": "A sound"}.get(kind, "A picture")


def _matched_words(seen: Seen, verdict: VerdictRecord) -> tuple[str, ...]:
    """Return the author's own words that led there; none if the text is another one by now."""
    post = seen.post
    if verdict.content_hash != post.content_hash or verdict.part_key != TEXT_KEY:
        return ()
    text = visible_text(post.title, post.body, [item.alt_text for item in seen.pictures])
    found: dict[str, None] = {}
    for start, end in _merged((start, end) for start, end, _category in verdict.spans):
        words = " ".join(text[start:end].split()).strip(".,;:!? ")
        if words:
            found[words[:MOST_WORD_CHARS]] = None
    # A word that stands in a longer match says nothing more.
    lowered = [word.casefold() for word in found]
    telling = [
        word
        for word in found
        if not any(word.casefold() in other and word.casefold() != other for other in lowered)
    ]
    return tuple(telling)[:MOST_WORDS]


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans in order, those that overlap made one."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
