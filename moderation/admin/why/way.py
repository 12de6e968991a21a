"""All that happened on a post's way: steps, answers, calls back, deliveries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User

from moderation import tracing
from moderation.admin import words
from moderation.admin.timeline import post_timeline, trace_page
from moderation.admin.why.reading import MOST, Read
from moderation.models import (
    OutboxMessage,
)
from moderation.vocabulary import (
    DeliveryState,
    EndpointKind,
    JobState,
    Lane,
    Outcome,
    Reason,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened on a post's way. `took_ms` is None where nothing was measured."""

    at: datetime
    kind: str
    what: str
    detail: str = ""
    who: str = ""
    took_ms: float | None = None
    revision: int | None = None
    trace: str = ""
    is_failure: bool = False
    # The attachment that it is about, "" for the whole post.
    media: str = ""

    @property
    def trace_page(self) -> str:
        return trace_page(self.trace)


def way_of(read: Read, reader: User) -> Iterator[Entry]:
    """Yield everything that happened, the latest first."""
    found = [
        *_steps(read, reader),
        *_answers(read),
        *_jobs(read),
        *_deliveries(read, reader),
    ]
    return iter(sorted(found, key=lambda one: one.at, reverse=True))


def _steps(read: Read, reader: User) -> Iterator[Entry]:
    accepted = {(one.revision, one.reason): one for one in reversed(read.submissions)}
    opens = reader.has_perm("moderation.decide_review")
    for step in post_timeline(read.post, opens_notes=opens, most=MOST):
        first = accepted.get((step.revision or 0, _REASON_OF.get(step.kind, Reason.NEW)))
        lane = f"Lane: {Lane(first.lane).label}" if first and step.kind in _REASON_OF else ""
        yield Entry(
            at=step.at,
            kind="Step",
            what=step.what,
            who=step.who,
            detail=" · ".join(filter(None, (step.why, lane, step.note, step.after))),
            revision=step.revision,
            trace=step.trace,
            took_ms=_took(step.kind, step.revision, read),
        )


_REASON_OF: Final = {"post.submitted": Reason.NEW, "post.edited": Reason.EDIT}


def _took(kind: str, revision: int | None, read: Read) -> float | None:
    """Return how long the first verdict on a revision took from its being accepted."""
    if kind not in ("post.approved", "post.queued", "post.rejected"):
        return None
    for one in reversed(read.submissions):
        if one.revision == revision and one.decided_at is not None:
            return (one.decided_at - one.created_at).total_seconds() * 1000
    return None


def _answers(read: Read) -> Iterator[Entry]:
    for row in read.results:
        scores = sorted(
            ((value, name) for name, value in row.scores.items() if isinstance(value, int | float)),
            reverse=True,
        )
        top = ", ".join(f"{words.category_label(name)} {value:.2f}" for value, name in scores[:2])
        said = row.error or top
        cached = "known already" if row.cached else ""
        stood_in = f"{row.stood_in} judged in its place" if row.stood_in else ""
        yield Entry(
            at=row.created_at,
            kind="Answer",
            who=row.provider,
            what=f"{Outcome(row.outcome).label.lower()}: {words.part_label(row.part_key)}",
            detail=". ".join(filter(None, (said, cached, stood_in))),
            took_ms=row.latency_ms,
            revision=row.submission.revision,
            is_failure=row.outcome == Outcome.FAILED,
            media=_media_of(row.part_key),
        )


def _media_of(key: str) -> str:
    prefix, _, rest = key.partition(":")
    return rest.partition("#")[0] if prefix == "media" else ""


def _jobs(read: Read) -> Iterator[Entry]:
    for job in read.jobs:
        part, media = words.part_label(job.part_key), _media_of(job.part_key)
        yield Entry(
            job.created_at,
            "Call",
            f"began to look at {part}, and answers later",
            who=job.provider,
            detail=f"asked {job.polls} times since" if job.polls else "",
            media=media,
        )
        if job.settled_at is not None:
            has_expired = job.state == JobState.EXPIRED
            yield Entry(
                job.settled_at,
                "Call",
                f"never answered about {part}" if has_expired else f"answered about {part}",
                who=job.provider,
                took_ms=(job.settled_at - job.created_at).total_seconds() * 1000,
                is_failure=has_expired,
                media=media,
            )
    for message in read.callbacks:
        became = _CALLBACK.get(message.outcome, message.outcome or "not used yet")
        yield Entry(
            message.received_at, "Callback", "called back", who=message.provider, detail=became
        )


_CALLBACK: Final = {
    "settled": "its answer was taken",
    "asked": "it was asked for its answer",
    "stale": "nothing waited for it any more",
    "unknown_job": "nobody knew what it was about",
}


def _deliveries(read: Read, reader: User) -> Iterator[Entry]:
    names_them = reader.has_perm("moderation.view_endpoint")
    by_id = {one.pk: one for one in read.messages}
    for attempt in read.attempts:
        message = by_id[attempt.message_id]
        kind = str(EndpointKind(message.endpoint.kind).label)
        went_well = not attempt.error
        yield Entry(
            at=attempt.started_at,
            kind="Delivery",
            who=message.endpoint.name if names_them else kind,
            what=f"{'was told' if went_well else 'was not reached'}: {message.event_type}",
            detail=" ".join(filter(None, (f"{kind}, attempt {attempt.number}.", attempt.error))),
            took_ms=attempt.latency_ms,
            trace=_trace_of(message),
            is_failure=not went_well,
        )
    tried = {attempt.message_id for attempt in read.attempts}
    for message in read.messages:
        if message.pk not in tried and message.state in _UNSENT:
            yield Entry(
                at=message.settled_at or message.created_at,
                kind="Delivery",
                who=message.endpoint.name
                if names_them
                else str(EndpointKind(message.endpoint.kind).label),
                what=f"{DeliveryState(message.state).label.lower()}: {message.event_type}",
                detail=message.last_error,
                trace=_trace_of(message),
            )


_UNSENT: Final = (DeliveryState.SKIPPED, DeliveryState.CANCELLED)


def _trace_of(message: OutboxMessage) -> str:
    return "" if message.event is None else tracing.trace_id(message.event.facts.get(tracing.FACT))
