"""What both adapters of Google Cloud Vision share: many pictures in few calls.

An animation is judged by its frames. A picture that fails does so inside an answer that is
otherwise good, and fails alone.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from moderation.errors import ProviderMalformed, ProviderRejected
from moderation.providers.base import Answer, AnyPart, Facts, Setting
from moderation.providers.shared.google_auth import (
    GOOGLE_SETTINGS,
    INVALID_ARGUMENT,
    GoogleAdapter,
    raise_for_code,
)
from moderation.providers.shared.pictures import read_fitting, stills_of
from moderation.providers.shared.service import not_judged
from moderation.vocabulary import Outcome, Part

BASE_URL = "https://vision.googleapis.com"
MAX_IMAGES = 16
# A request's JSON may have 10 MB, of which base64 leaves three quarters to the pictures.
MAX_BYTES = 7_000_000
PICTURE_MICROS = 1_500


@dataclass(frozen=True, slots=True)
class Frame:
    """What Google said of one picture. `code` is a google.rpc.Code, 0 when it succeeded."""

    said: Mapping[str, Any]
    code: int = 0


def vision_facts(label: str, doc: str) -> Facts:
    """Return what is true of every feature of the service."""
    return Facts(
        label=label,
        parts=frozenset({Part.IMAGE, Part.GIF}),
        doc=doc,
        settings=(*GOOGLE_SETTINGS, Setting("base_url", "Address", default=BASE_URL)),
        media_batch_size=MAX_IMAGES,
        cost_micros=PICTURE_MICROS,
        price="1.50 USD per 1,000 pictures or frames after 1,000 a month.",
        per_second=30.0,
        timeout_seconds=20.0,
    )


class VisionAdapter(GoogleAdapter):
    """Subclasses name a `feature` and `read` what Google says of a part's frames."""

    feature: ClassVar[str]

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        frames: list[list[Frame]] = [[] for _ in parts]
        for group in _groups(_pictures(parts, frames)):
            said = self._annotate([data for _, data in group])
            for (number, _), frame in zip(group, said, strict=True):
                frames[number].append(frame)
        _raise_if_all_failed([frame for of_part in frames for frame in of_part])
        return [self._answer(of_part) for of_part in frames]

    def read(self, frames: Sequence[Frame]) -> Answer:
        """Return the answer for a part some of whose frames may have failed, but not all."""
        raise NotImplementedError

    def _answer(self, frames: Sequence[Frame]) -> Answer:
        codes = [frame.code for frame in frames if frame.code]
        if len(codes) == len(frames):
            return failure(codes)
        return self.read(frames)

    def _annotate(self, pictures: Sequence[bytes]) -> list[Frame]:
        base = (self.option("base_url") or BASE_URL).rstrip("/")
        features = [{"type": self.feature}]
        answer = self.call(
            "POST",
            f"{base}/v1/images:annotate",
            json={
                "requests": [
                    {"image": {"content": b64encode(data).decode()}, "features": features}
                    for data in pictures
                ]
            },
        )
        said = answer.get("responses")
        if not isinstance(said, list) or len(said) != len(pictures):
            raise ProviderMalformed("There is not one answer for each picture.")
        return [_frame(one) for one in said]


def failure(codes: Sequence[int]) -> Answer:
    """Return the answer for a part whose frames failed with these codes."""
    passing = [code for code in codes if code != INVALID_ARGUMENT]
    if not passing:
        return not_judged("picture not accepted")
    return Answer(Outcome.FAILED, error=f"code {passing[0]}")


def _pictures(
    parts: Sequence[AnyPart], frames: Sequence[list[Frame]]
) -> Iterator[tuple[int, bytes]]:
    """Yield every picture with the number of its part; those that nobody can read have failed."""
    for number, part in enumerate(parts):
        for path in stills_of(part):
            try:
                yield number, read_fitting(path, max_bytes=MAX_BYTES)
            except ProviderRejected:
                frames[number].append(Frame({}, INVALID_ARGUMENT))


def _groups(pictures: Iterator[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    """Yield what fits into one call each."""
    group: list[tuple[int, bytes]] = []
    size = 0
    for number, data in pictures:
        if group and (len(group) == MAX_IMAGES or size + len(data) > MAX_BYTES):
            yield group
            group, size = [], 0
        group.append((number, data))
        size += len(data)
    if group:
        yield group


def _frame(said: object) -> Frame:
    if not isinstance(said, dict):
        raise ProviderMalformed("What is said of a picture is no object.")
    error = said.get("error")
    if not error:
        return Frame(said)
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, bool) or not isinstance(code, int) or not code:
        raise ProviderMalformed("An error has no code.")
    return Frame(said, code)


def _raise_if_all_failed(frames: Sequence[Frame]) -> None:
    codes = [frame.code for frame in frames]
    if codes and all(codes):
        # Rather one that may pass than one that does not: then the others are asked again, too.
        raise_for_code(next((code for code in codes if code != INVALID_ARGUMENT), codes[0]))
