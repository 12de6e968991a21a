"""What the machines said of a post, laid out to be read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from moderation import queries
from moderation.admin import words
from moderation.models import MediaItem, Post, ProviderResult, VerdictRecord
from moderation.models.posts import media_key
from moderation.vocabulary import MediaKind, MediaState, Outcome


@dataclass(frozen=True, slots=True)
class Score:
    category: str
    value: float

    @property
    def label(self) -> str:
        return words.category_label(self.category)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one provider said of one part, the highest scores first."""

    provider: str
    model_version: str
    part: str
    outcome: str
    is_judged: bool
    scores: tuple[Score, ...]
    error: str
    latency_ms: float | None


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment as the page shows it; `id` is None when there is nothing to show.

    `element` is the page's word for what shows it.
    """

    id: UUID | None
    alt_text: str
    kind: str
    element: str
    trouble: str


def answers(results: Iterable[ProviderResult]) -> list[Answer]:
    return [
        Answer(
            provider=row.provider,
            model_version=row.model_version,
            part=words.part_label(row.part_key),
            outcome=str(Outcome(row.outcome).label),
            is_judged=row.outcome == Outcome.JUDGED,
            scores=_scores(row),
            error=row.error,
            latency_ms=row.latency_ms,
        )
        for row in results
    ]


def _scores(row: ProviderResult) -> tuple[Score, ...]:
    known = [
        Score(category, float(value))
        for category, value in row.scores.items()
        if isinstance(value, int | float)
    ]
    return tuple(sorted(known, key=lambda score: -score.value))


def attachments(post: Post, verdict: VerdictRecord | None = None) -> list[Attachment]:
    """Return what the current revision shows beside its text."""
    unjudged = set(verdict.not_judged) if verdict else set()
    return [
        _attachment(item, unjudged) for item in queries.current_media(post).order_by("position")
    ]


def _attachment(item: MediaItem, unjudged: set[str]) -> Attachment:
    trouble = item.refusal
    if item.state == MediaState.WAITING:
        trouble = "It is not fetched yet."
    elif not trouble and media_key(item.pk) in unjudged:
        trouble = "No provider judged it."
    return Attachment(
        id=item.pk if item.state == MediaState.READY else None,
        alt_text=item.alt_text,
        kind=item.get_kind_display(),
        element={MediaKind.VIDEO.value: "video", MediaKind.AUDIO.value: "audio"}.get(
            item.kind, "img"
        ),
        trouble=trouble,
    )
