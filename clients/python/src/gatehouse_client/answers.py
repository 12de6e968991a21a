"""What the server tells, with types. `raw` is the JSON it came as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from gatehouse_client.errors import FieldError, MalformedAnswer, Problem
from gatehouse_client.facts import Facts
from gatehouse_client.words import Action, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A post that is stored for good. `status` is one of `Status`, `visibility` of `Visibility`.

    `replayed` says that this is the first answer again, to a request that was repeated.
    """

    id: str
    revision: int
    status: str
    visibility: str
    replayed: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, facts: Facts, *, replayed: bool = False) -> Self:
        return cls(**_accepted(facts), replayed=replayed)


def _accepted(facts: Facts) -> dict[str, Any]:
    return {
        "id": facts.text("id"),
        "revision": facts.whole("revision"),
        "status": facts.text("status"),
        "visibility": facts.text("visibility"),
        "raw": facts.raw,
    }


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a post is where it is. `by` is `policy` or `person`; `text` is for the author."""

    by: str
    action: str
    rule: str
    category: str | None
    text: str

    @classmethod
    def read(cls, facts: Facts | None) -> Self | None:
        if facts is None:
            return None
        return cls(
            by=facts.text("by"),
            action=facts.text("action"),
            rule=facts.text("rule"),
            category=facts.text_or_none("category"),
            text=facts.text("text"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PostStatus(Accepted):
    """Where a post stands, and why."""

    decided_at: datetime | None
    reason: Reason | None

    @classmethod
    def read(cls, facts: Facts, *, replayed: bool = False) -> Self:
        return cls(**_standing(facts), replayed=replayed)

    @property
    def is_pending(self) -> bool:
        return self.status == Status.PENDING

    @property
    def is_approved(self) -> bool:
        return self.status == Status.APPROVED


def _standing(facts: Facts) -> dict[str, Any]:
    return {
        **_accepted(facts),
        "decided_at": facts.time_or_none("decided_at"),
        "reason": Reason.read(facts.nested_or_none("reason")),
    }


@dataclass(frozen=True, slots=True)
class Attachment:
    id: str
    kind: str
    state: str
    alt_text: str
    content_type: str
    width: int | None
    height: int | None
    duration_seconds: float | None

    @classmethod
    def read(cls, facts: Facts) -> Self:
        return cls(
            id=facts.text("id"),
            kind=facts.text("kind"),
            state=facts.text("state"),
            alt_text=facts.text("alt_text"),
            content_type=facts.text("content_type"),
            width=facts.whole_or_none("width"),
            height=facts.whole_or_none("height"),
            duration_seconds=facts.number_or_none("duration_seconds"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Post(PostStatus):
    """A post with its text, as its current revision stands."""

    community: str
    kind: str
    parent: str | None
    channel: str
    reference: str
    author_id: str
    author_name: str
    title: str
    body: str
    media: Sequence[Attachment]
    created_at: datetime
    edited_at: datetime | None

    @classmethod
    def read(cls, facts: Facts, *, replayed: bool = False) -> Self:
        author = facts.nested("author")
        return cls(
            **_standing(facts),
            replayed=replayed,
            community=facts.text("community"),
            kind=facts.text("kind"),
            parent=facts.text_or_none("parent"),
            channel=facts.text("channel"),
            reference=facts.text("reference"),
            author_id=author.text("id"),
            author_name=author.text("name"),
            title=facts.text("title"),
            body=facts.text("body"),
            media=[Attachment.read(item) for item in facts.each("media")],
            created_at=facts.time("created_at"),
            edited_at=facts.time_or_none("edited_at"),
        )


@dataclass(frozen=True, slots=True)
class Page:
    """Some posts of a list. `next_cursor` leads to those that follow, None at the end."""

    posts: Sequence[Post]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Somebody's report of a post. `state` is `open`, `acted_on`, `refused` or `muted`.

    `answer` is for whoever reported; `decided_by` is "" while nobody has decided. `reporter_id` is
    None for a notice without an account.
    """

    number: str
    post_id: str
    revision: int
    community: str
    reporter_id: str | None
    source: str
    category: str
    explanation: str
    state: str
    answer: str
    decided_by: str
    created_at: datetime
    settled_at: datetime | None
    replayed: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, facts: Facts, *, replayed: bool = False) -> Self:
        reporter, answer = facts.nested_or_none("reporter"), facts.nested("answer")
        return cls(
            number=facts.text("number"),
            post_id=facts.text("post"),
            revision=facts.whole("revision"),
            community=facts.text("community"),
            reporter_id=reporter.text("id") if reporter else None,
            source=facts.text("source"),
            category=facts.text("category"),
            explanation=facts.text("explanation"),
            state=facts.text("state"),
            answer=answer.text("text"),
            decided_by=answer.text("decided_by"),
            created_at=facts.time("created_at"),
            settled_at=facts.time_or_none("settled_at"),
            replayed=replayed,
            raw=facts.raw,
        )


@dataclass(frozen=True, slots=True)
class ReportPage:
    """Some reports of a list. `next_cursor` leads to those that follow, None at the end."""

    reports: Sequence[Report]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class AppealMessage:
    """One contribution to the conversation about an appeal; `by` is `author` or `moderator`."""

    by: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Appeal:
    """An objection. `state` is `open`, `upheld`, `overturned` or `withdrawn`.

    It is about the `statement` of reasons of that number, or about a `report`'s refusal. `messages`
    are absent from a list's appeals.
    """

    number: str
    post_id: str
    community: str
    appellant_id: str | None
    statement: str | None
    report: str | None
    state: str
    answer: str
    created_at: datetime
    due_at: datetime
    is_overdue: bool
    closed_at: datetime | None
    messages: Sequence[AppealMessage] = ()
    replayed: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, facts: Facts, *, replayed: bool = False) -> Self:
        appellant = facts.nested_or_none("appellant")
        messages = facts.each("messages") if "messages" in facts else ()
        return cls(
            number=facts.text("number"),
            post_id=facts.text("post"),
            community=facts.text("community"),
            appellant_id=appellant.text("id") if appellant else None,
            statement=facts.text_or_none("statement"),
            report=facts.text_or_none("report"),
            state=facts.text("state"),
            answer=facts.text("answer"),
            created_at=facts.time("created_at"),
            due_at=facts.time("due_at"),
            is_overdue=facts.flag("is_overdue"),
            closed_at=facts.time_or_none("closed_at"),
            messages=[
                AppealMessage(said.text("by"), said.text("text"), said.time("at"))
                for said in messages
            ],
            replayed=replayed,
            raw=facts.raw,
        )


@dataclass(frozen=True, slots=True)
class AppealPage:
    """Some appeals of a list. `next_cursor` leads to those that follow, None at the end."""

    appeals: Sequence[Appeal]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class BulkItem:
    """What became of one post of a bulk request: it was accepted, or a problem refused it."""

    index: int
    post: Accepted | None
    problem: Problem | None

    @classmethod
    def read(cls, facts: Facts) -> Self:
        post, problem = facts.nested_or_none("post"), facts.nested_or_none("problem")
        if (post is None) == (problem is None):
            raise MalformedAnswer("A bulk result has either a post or a problem.")
        return cls(
            index=facts.whole("index"),
            post=Accepted.read(post) if post else None,
            problem=read_problem(problem) if problem else None,
        )


@dataclass(frozen=True, slots=True)
class Bulk:
    """What became of a bulk request's posts, in their order."""

    accepted: int
    refused: int
    results: Sequence[BulkItem]
    replayed: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, facts: Facts, *, replayed: bool = False) -> Self:
        return cls(
            accepted=facts.whole("accepted"),
            refused=facts.whole("refused"),
            results=read_bulk_items(facts),
            replayed=replayed,
            raw=facts.raw,
        )


def read_bulk_items(facts: Facts) -> Sequence[BulkItem]:
    return [BulkItem.read(item) for item in facts.each("results")]


def read_problem(facts: Facts) -> Problem:
    errors = facts.each("errors") if "errors" in facts else ()
    return Problem(
        status=facts.whole("status"),
        code=facts.text("code"),
        title=facts.text("title"),
        detail=facts.text("detail"),
        errors=[FieldError(item.text("field"), item.text("message")) for item in errors],
        raw=facts.raw,
    )


@dataclass(frozen=True, slots=True)
class FlaggedSpan:
    """Characters `start` to `end` (exclusive) of a field as it was sent.

    `category` is None for a word that the community blocks.
    """

    field: str
    start: int
    end: int
    category: str | None

    @classmethod
    def read(cls, facts: Facts) -> Self:
        return cls(
            field=facts.text("field"),
            start=facts.whole("start"),
            end=facts.whole("end"),
            category=facts.text_or_none("category"),
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one provider said of one part. A category that is absent was not judged."""

    provider: str
    model: str
    part: str
    outcome: str
    scores: Mapping[str, float]
    error: str
    stood_in: str
    cached: bool
    latency_ms: float

    @classmethod
    def read(cls, facts: Facts) -> Self:
        return cls(
            provider=facts.text("provider"),
            model=facts.text("model"),
            part=facts.text("part"),
            outcome=facts.text("outcome"),
            scores=facts.numbers_by_name("scores"),
            error=facts.text("error"),
            stood_in=facts.text("stood_in"),
            cached=facts.flag("cached"),
            latency_ms=facts.number("latency_ms"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a community's policy would say. `action` is one of `Action`.

    A category that is absent from `scores` was not judged, which is not 0. `id` is there where
    the verdict was kept.
    """

    action: str
    rule: str
    category: str | None
    score: float | None
    threshold: float | None
    not_judged: Sequence[str]
    flagged_spans: Sequence[FlaggedSpan]
    scores: Mapping[str, float]
    evidence: Sequence[Evidence]
    policy_revision: int | None
    id: str | None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_allowed(self) -> bool:
        """Whether readers would see it; an action that this client does not know is no leave."""
        return self.action in (Action.ALLOW, Action.WARN)

    @classmethod
    def read(cls, facts: Facts) -> Self:
        return cls(
            action=facts.text("action"),
            rule=facts.text("rule"),
            category=facts.text_or_none("category"),
            score=facts.number_or_none("score"),
            threshold=facts.number_or_none("threshold"),
            not_judged=facts.texts("not_judged"),
            flagged_spans=[FlaggedSpan.read(item) for item in facts.each("flagged_spans")],
            scores=facts.numbers_by_name("scores"),
            evidence=[Evidence.read(item) for item in facts.each("evidence")],
            policy_revision=facts.nested("policy").whole_or_none("revision"),
            id=facts.text_or_none("id"),
            raw=facts.raw,
        )


@dataclass(frozen=True, slots=True)
class Word:
    """Characters `start` to `end` (exclusive) of the text."""

    start: int
    end: int
    term: str

    @classmethod
    def read(cls, facts: Facts) -> Self:
        return cls(facts.whole("start"), facts.whole("end"), facts.text("term"))


@dataclass(frozen=True, slots=True)
class Guess:
    """What readers may take a text for."""

    category: str
    text: str


@dataclass(frozen=True, slots=True)
class Hint:
    """Words that the community warns of (`advise`), words it refuses (`block`), and guesses."""

    advise: Sequence[Word]
    block: Sequence[Word]
    guesses: Sequence[Guess]
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def read(cls, facts: Facts) -> Self:
        return cls(
            advise=[Word.read(item) for item in facts.each("advise")],
            block=[Word.read(item) for item in facts.each("block")],
            guesses=[
                Guess(item.text("category"), item.text("text")) for item in facts.each("hints")
            ],
            raw=facts.raw,
        )
