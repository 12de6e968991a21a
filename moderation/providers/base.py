"""What every provider looks like from the pipeline: batch in, one answer a part out.

A provider judges parts (a text, an image, a sound) and knows nothing of posts, policies or the
database. It never raises for a single part of several: a part that it cannot judge gets an
`Answer` that says so. It raises a `ProviderError` only when the whole batch failed.

Providers that belong to Gatehouse are made once. One that is somebody's service is an adapter: a
class with `facts`, made from the `Account` that an operator has set up for it.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

from moderation.vocabulary import Category, Outcome, Part

_IS_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
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

    @cached_property
    def fingerprint(self) -> str:
        """The same for texts that no provider tells apart; 64 hex digits."""
        same = unicodedata.normalize("NFC", self.text.strip())
        return hashlib.sha256(f"{self.language}\n{same}".encode()).hexdigest()


@dataclass(frozen=True)
class MediaPart:
    """An attachment of ours; `path` is a local file that stays while it is asked about."""

    key: str
    path: Path
    kind: Part = Part.IMAGE
    scope: str = ""

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the file, as 64 hex digits; ours are named by it."""
        if _IS_DIGEST.fullmatch(self.path.stem):
            return self.path.stem
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class ImagePart(MediaPart):
    """An image or an animation (`kind` is `GIF`) that we decoded and re-encoded.

    `perceptual_hash` is the PDQ hash as 64 hex digits, "" where none could be made.
    For an animated image `frame_paths` holds the sampled frames as still images, in order.
    """

    perceptual_hash: str = ""
    frame_paths: tuple[Path, ...] = ()


@dataclass(frozen=True)
class VideoPart(MediaPart):
    """A video whose streams we copied into a clean file (MP4 or WebM).

    `frame_paths` holds sampled frames as JPEGs, `frame_seconds` when each is shown.
    """

    kind: Part = Part.VIDEO
    content_type: str = "video/mp4"
    duration_seconds: float = 0.0
    frame_paths: tuple[Path, ...] = ()
    frame_seconds: tuple[float, ...] = ()


@dataclass(frozen=True)
class AudioPart(MediaPart):
    """A sound whose stream we copied into a clean file."""

    kind: Part = Part.AUDIO
    content_type: str = "audio/mp4"
    duration_seconds: float = 0.0


AnyPart = TextPart | ImagePart | VideoPart | AudioPart


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` (inclusive) to `end` (exclusive) of `TextPart.text` that drove a score."""

    start: int
    end: int
    category: Category


@dataclass(frozen=True, slots=True)
class Job:
    """What a provider works on that answers later.

    `id` is its own id of it; `token` is our unguessable one, which its callback's address ends
    with ("" when it calls nobody back). It is asked how far it is every `poll_after_seconds`, and
    has failed after `give_up_after_seconds`.
    """

    id: str
    token: str = ""
    poll_after_seconds: float = 30.0
    give_up_after_seconds: float = 900.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What one provider says of one part.

    `scores` maps a category to 0.0-1.0, higher is likelier violation. A category that is absent
    was not judged: that is never the same as 0. `regions` are boxes in an image:
    (left, top, width, height) as fractions of its size, with a label. `raw` is the provider's
    own answer, JSON-serialisable, kept as evidence. `text` is what a provider read or heard in a
    part: it is judged as text in turn. An answer that is `PENDING` carries the `job` that will
    bring it.
    """

    outcome: Outcome
    scores: Mapping[Category, float] = field(default_factory=dict)
    spans: Sequence[Span] = ()
    regions: Sequence[tuple[float, float, float, float, str]] = ()
    raw: Mapping[str, object] = field(default_factory=dict)
    model_version: str = ""
    error: str = ""
    cost_micros: int = 0
    text: str = ""
    job: Job | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what is worth keeping of an answer that is not pending."""
        return {
            "outcome": self.outcome.value,
            "scores": {category.value: score for category, score in self.scores.items()},
            "spans": [[span.start, span.end, span.category.value] for span in self.spans],
            "regions": [list(region) for region in self.regions],
            "raw": dict(self.raw),
            "model_version": self.model_version,
            "error": self.error,
            "cost_micros": self.cost_micros,
            "text": self.text,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Answer:
        """Raises `KeyError` or `ValueError` for what `to_json` did not make."""
        return cls(
            outcome=Outcome(kept["outcome"]),
            scores={Category(name): score for name, score in kept["scores"].items()},
            spans=[Span(start, end, Category(name)) for start, end, name in kept["spans"]],
            regions=[(*box, label) for *box, label in kept["regions"]],
            raw=kept["raw"],
            model_version=kept["model_version"],
            error=kept["error"],
            cost_micros=kept["cost_micros"],
            text=kept["text"],
        )


class Provider(Protocol):
    """One file of `providers/` each. Instances are shared between threads."""

    @property
    def name(self) -> str:
        """How policies and evidence call it."""

    @property
    def parts(self) -> frozenset[Part]:
        """Which kinds of parts it can be asked about."""

    @property
    def is_local(self) -> bool:
        """Whether it needs no network: local providers are asked first, and without limits."""

    @property
    def model_version(self) -> str:
        """Changes whenever the same input could give another score."""

    def is_available(self) -> bool:
        """Whether it can judge at all here: its model is installed, its key is set."""

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        """Return one answer a part, in order.

        Raises `ProviderUnavailable` (later may help), `ProviderRejected` (it cannot) or
        `ProviderShut` (nobody is answered until a person acts).
        """


# --- providers that are somebody's service -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class Setting:
    """One value that an operator gives an adapter. A secret also comes from the environment,
    as `env`. One that `is_long` may have several lines.
    """

    name: str
    label: str
    help: str = ""
    default: str = ""
    is_secret: bool = False
    required: bool = False
    env: str = ""
    choices: tuple[str, ...] = ()
    is_long: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What an operator must know of a service before switching it on, and we before asking it.

    `batch_size` is how many texts one call takes, `media_batch_size` how many attachments.
    `cost_micros` is the usual price of one part in millionths of a US dollar, 0 where it is free
    or `price` (a sentence) cannot say. `languages` are ISO 639-1, None for no limit that is
    known. `per_second` is what the service allows by default, None where that is not known;
    `concurrency` how many calls may run at once. `doc` is the page under docs/providers/.
    `ends_on` is when the service is switched off.
    """

    label: str
    parts: frozenset[Part]
    doc: str
    settings: tuple[Setting, ...] = ()
    batch_size: int = 1
    media_batch_size: int = 1
    cost_micros: int = 0
    price: str = ""
    languages: frozenset[str] | None = None
    max_chars: int | None = None
    max_bytes: int | None = None
    per_second: float | None = None
    concurrency: int = 8
    # A breaker sees a service that hangs only when its calls end: within ten seconds.
    timeout_seconds: float = 8.0
    answers_later: bool = False
    # Whether its callbacks prove by themselves who sent them; else only their address does.
    signs_callbacks: bool = False
    ends_on: date | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """An adapter as an operator has set it up; `name` is what policies route to.

    `options` and `secrets` hold a value for every `Setting` of the adapter, "" for none.
    `callback_url` returns the public address for a token, "" where this site has none.
    `allow_private_hosts` are the operator's exceptions for the guarded client.
    """

    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    timeout_seconds: float = 10.0
    callback_url: Callable[[str], str] = lambda token: ""
    allow_private_hosts: frozenset[str] = frozenset()


class Adapter(Provider, Protocol):
    """A provider that is somebody's service: one file, one entry in `catalogue`."""

    facts: ClassVar[Facts]

    def __init__(self, account: Account) -> None: ...


@dataclass(frozen=True, slots=True)
class Callback:
    """A message that claims to come from a provider, exactly as it arrived.

    Header names are lower-case. `token` is the last step of its address. `path` is the address
    without the host.
    """

    token: str
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"
    path: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a callback says. `answer` is None when it only says that the job can be read now.

    `message_id` is the provider's own id of the message, or a digest of it: the same for a
    repeat. `job_id` is "" where the token alone says which job is meant. `confirm_url` is to be
    fetched once, for services that ask whether the subscription is meant.
    """

    message_id: str
    job_id: str = ""
    answer: Answer | None = None
    confirm_url: str = ""


class LaterProvider(Adapter, Protocol):
    """An adapter whose `judge` answers `PENDING` with a job for some parts."""

    def poll(self, job_id: str, kind: Part) -> Answer:
        """Return what became of a job, `PENDING` while it runs. Raises as `judge`."""

    def read_callback(self, callback: Callback) -> Notice:
        """Return what an authentic message says. Raises `CallbackRefused` for any other."""

    def confirm(self, url: str) -> None:
        """Fetch a notice's `confirm_url`. Raises as `judge`."""
