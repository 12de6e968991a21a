"""What every provider looks like from the pipeline: batch in, one answer a part out.

A provider judges parts (a text, an image) and knows nothing of posts, policies or the database.
It never raises for a single part: a part that it cannot judge gets an `Answer` that says so.
It raises `ProviderUnavailable` or `ProviderRejected` only when the whole batch failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol

from moderation.vocabulary import Category, Outcome, Part


@dataclass(frozen=True, slots=True)
class TextPart:
    """A post's text as its readers see it: title, body and alt texts, joined by newlines.

    `language` is the community's expected language (ISO 639-1) or "" when it expects none.
    `scope` names whose own lists and banks apply; a provider only compares it.
    """

    key: str
    text: str
    language: str = ""
    kind: Part = Part.TEXT
    scope: str = ""


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An attachment that we decoded and re-encoded; `path` is a local file of ours.

    `perceptual_hash` is the PDQ hash as 64 hex digits, "" where none could be made.
    For an animated image `frame_paths` holds the sampled frames as still images, in order.
    """

    key: str
    path: Path
    kind: Part = Part.IMAGE
    perceptual_hash: str = ""
    frame_paths: tuple[Path, ...] = ()
    scope: str = ""


AnyPart = TextPart | ImagePart


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` (inclusive) to `end` (exclusive) of `TextPart.text` that drove a score."""

    start: int
    end: int
    category: Category


@dataclass(frozen=True, slots=True)
class Answer:
    """What one provider says of one part.

    `scores` maps a category to 0.0-1.0, higher is likelier violation. A category that is absent
    was not judged: that is never the same as 0. `regions` are boxes in an image:
    (left, top, width, height) as fractions of its size, with a label. `raw` is the provider's
    own answer, JSON-serialisable, kept as evidence.
    """

    outcome: Outcome
    scores: Mapping[Category, float] = field(default_factory=dict)
    spans: Sequence[Span] = ()
    regions: Sequence[tuple[float, float, float, float, str]] = ()
    raw: Mapping[str, object] = field(default_factory=dict)
    model_version: str = ""
    error: str = ""
    cost_micros: int = 0


class Provider(Protocol):
    """One file of `providers/` each. Instances are shared between threads."""

    name: ClassVar[str]
    parts: ClassVar[frozenset[Part]]
    # Local providers need no network and are asked first.
    is_local: ClassVar[bool]

    @property
    def model_version(self) -> str:
        """Changes whenever the same input could give another score."""

    def is_available(self) -> bool:
        """Whether it can judge at all here: its model is installed, its key is set."""

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        """Return one answer a part, in order.

        Raises `ProviderUnavailable` (later may help) or `ProviderRejected` (it cannot).
        """
