"""The texts to measure by, each with what is known of it.

A category that `labels` lack is unknown: never read as "no".
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moderation.vocabulary import Category

FOLDER = Path(__file__).parent
# Corpora in other languages; all others are English.
_LANGUAGE_OF = {"germeval18": "de", "mlma_ar": "ar", "mlma_fr": "fr"}


@dataclass(frozen=True, slots=True)
class Example:
    """One text. `pair` is shared by texts that were written as each other's twins, `group` by
    those that were written for one purpose.

    `is_harmless`: nothing at all is wrong with it, as far as anybody knows.
    """

    text: str
    labels: Mapping[Category, bool]
    source: str
    is_harmless: bool
    group: str = ""
    pair: str = ""
    topic: str = ""
    identities: tuple[str, ...] = ()
    language: str = "en"
    key: str = field(default="", compare=False)

    @property
    def is_violating(self) -> bool:
        return any(self.labels.values())

    @property
    def cluster(self) -> str:
        """What it is drawn together with when texts are drawn again."""
        return self.pair or self.key


def read_kept(folder: Path = FOLDER) -> list[Example]:
    """Return the texts kept here. Raises `ValueError` naming file and line."""
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    found.append(_kept(json.loads(line), path.stem))
                except (ValueError, KeyError, TypeError) as error:
                    raise ValueError(f"{path.name}, line {number}: {error!r}") from error
    return found


def _kept(said: Mapping[str, Any], group: str) -> Example:
    labels = _labels(said["labels"])
    identity = said.get("identity") or ()
    return Example(
        text=str(said["text"]),
        labels=labels,
        source=str(said["source"]),
        is_harmless=bool(labels) and not any(labels.values()),
        group=group,
        pair=str(said.get("pair") or ""),
        topic=str(said.get("topic") or ""),
        identities=(identity,) if isinstance(identity, str) else tuple(identity),
        language=str(said.get("lang") or "en"),
        key=_key(str(said["text"])),
    )


def read_dev(data: Path) -> list[Example]:
    """Return the dev split of a folder of corpora (`*.jsonl.gz`).

    Harmless is what somebody looked at and found not toxic, and nobody anything else.
    """
    found = []
    for said in _lines(sorted(data.glob("*.jsonl.gz"))):
        if said["split"] != "dev":
            continue
        labels = _labels(said["labels"])
        source = str(said["source"])
        found.append(
            Example(
                text=str(said["text"]),
                labels=labels,
                source=source,
                is_harmless=labels.get(Category.TOXIC) is False and not any(labels.values()),
                language=_LANGUAGE_OF.get(source, "en"),
                key=_key(str(said["text"])),
            )
        )
    return found


def _lines(paths: Iterable[Path]) -> Iterator[Mapping[str, Any]]:
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


def _labels(said: Mapping[str, Any]) -> dict[Category, bool]:
    wrong = [value for value in said.values() if value not in (0, 1)]
    if wrong:
        raise ValueError(f"a label is 0 or 1, not {wrong[0]!r}")
    return {Category(name): bool(value) for name, value in said.items()}


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def decided(text: str, *, taken_down: bool, for_what: str, group: str) -> Example:
    """Return a text that a person decided on: nothing wrong with it, or taken down for that.

    What else is wrong with a text that was taken down nobody was asked.
    """
    labels = dict.fromkeys(Category, False)
    if taken_down:
        labels = {Category(for_what or Category.OTHER): True}
    return Example(
        text=text,
        labels=labels,
        source="decisions",
        is_harmless=not taken_down,
        group=group,
        language="",
        key=_key(text),
    )


def sampled(examples: Sequence[Example], most: int) -> list[Example]:
    """Return at most about `most` texts, in their order: whole pairs, the same ones each time.

    Which is decided by each pair's own digest, so that texts added later hardly change it.
    """
    if len(examples) <= most:
        return list(examples)
    share = most / len(examples)
    return [one for one in examples if _place(one.cluster) < share]


def _place(cluster: str) -> float:
    return int(hashlib.sha256(cluster.encode()).hexdigest()[:8], 16) / 2**32
