"""What the machines said of a post, laid out to be read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from moderation import queries
from moderation.admin import words
from moderation.admin.frames import Moment, moments_of
from moderation.models import MediaItem, Post, ProviderResult, VerdictRecord
from moderation.models.posts import media_key
from moderation.vocabulary import MediaKind, MediaState, Outcome, Veil

# What lies over a picture for somebody who has chosen nothing else.
USUAL_VEILS = frozenset({Veil.BLUR, Veil.GREY, Veil.MUTE})


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
class Region:
    """A box that a provider drew, in fractions of the picture's width and height."""

    left: float
    top: float
    width: float
    height: float
    label: str


@dataclass(frozen=True, slots=True)
class VeilSwitch:
    name: str
    label: str
    is_on: bool


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
    veils: tuple[VeilSwitch, ...] = ()
    regions: tuple[Region, ...] = ()
    moments: tuple[Moment, ...] = ()

    @property
    def is_muted(self) -> bool:
        return any(veil.is_on for veil in self.veils if veil.name == Veil.MUTE)


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


def attachments(
    post: Post,
    verdict: VerdictRecord | None = None,
    *,
    results: Sequence[ProviderResult] = (),
    veils: Collection[Veil] = USUAL_VEILS,
) -> list[Attachment]:
    """Return what the current revision shows beside its text, with what `results` found in it."""
    unjudged = set(verdict.not_judged) if verdict else set()
    about: dict[str, list[ProviderResult]] = {}
    for row in results:
        about.setdefault(row.part_key, []).append(row)
    return [
        _attachment(item, unjudged, about.get(media_key(item.pk), []), veils)
        for item in queries.current_media(post).order_by("position")
    ]


def bare_attachments(
    items: Iterable[MediaItem], *, veils: Collection[Veil] = USUAL_VEILS
) -> list[Attachment]:
    """Return attachments to look at, without anything that was found in them."""
    return [_attachment(item, set(), [], veils) for item in items]


_ELEMENTS = {MediaKind.VIDEO.value: "video", MediaKind.AUDIO.value: "audio"}
_VEIL_NAMES = {Veil.BLUR: "Blur", Veil.GREY: "Grey", Veil.SMALL: "Small", Veil.MUTE: "Mute"}


def _attachment(
    item: MediaItem, unjudged: set[str], found: list[ProviderResult], worn: Collection[Veil]
) -> Attachment:
    trouble = item.refusal
    if item.state == MediaState.WAITING:
        trouble = "It is not fetched yet."
    elif not trouble and media_key(item.pk) in unjudged:
        trouble = "No provider judged it."
    is_ready = item.state == MediaState.READY
    element = _ELEMENTS.get(item.kind, "img")
    return Attachment(
        id=item.pk if is_ready else None,
        alt_text=item.alt_text,
        kind=item.get_kind_display(),
        element=element,
        trouble=trouble,
        veils=tuple(
            VeilSwitch(veil.value, label, veil in worn)
            for veil, label in _VEIL_NAMES.items()
            if _suits(veil, element)
        ),
        regions=_regions(found) if item.kind == MediaKind.IMAGE else (),
        moments=moments_of(item, found)
        if is_ready and item.kind in (MediaKind.VIDEO, MediaKind.GIF)
        else (),
    )


def _suits(veil: Veil, element: str) -> bool:
    return element != "img" if veil is Veil.MUTE else element != "audio"


def _regions(found: Iterable[ProviderResult]) -> tuple[Region, ...]:
    """Return the boxes that can be drawn: evidence may be older than its present form."""
    return tuple(
        Region(_share(left), _share(top), _share(width), _share(height), str(label))
        for left, top, width, height, label in (
            box for row in found for box in row.regions if len(box) == 5
        )
        if all(isinstance(edge, int | float) for edge in (left, top, width, height))
    )


def _share(edge: float) -> float:
    return min(max(float(edge), 0.0), 1.0)
