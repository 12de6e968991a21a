"""The text that Prometheus reads: families of samples, version 0.0.4 of its format.

https://prometheus.io/docs/instrumenting/exposition_formats
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_IN_A_LABEL: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_IN_HELP: Final = str.maketrans({"\\": r"\\", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Sample:
    """One figure. `suffix` is what a summary's or a histogram's samples add to the name."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: its name with its unit, what it means, and its samples."""

    name: str
    kind: Literal["counter", "gauge", "histogram", "summary"]
    meaning: str
    samples: Sequence[Sample]


def single(name: str, meaning: str, value: float | None) -> Family:
    """Return a gauge without labels; one that nobody knows has no sample."""
    samples = [Sample(value)] if value is not None else []
    return Family(name, "gauge", meaning, samples)


def gauge(name: str, meaning: str, label: str, values: Mapping[Any, float]) -> Family:
    return Family(name, "gauge", meaning, _samples(label, values))


def counter(name: str, meaning: str, label: str, values: Mapping[Any, float]) -> Family:
    return Family(name, "counter", meaning, _samples(label, values))


def _samples(label: str, values: Mapping[Any, float]) -> list[Sample]:
    return [Sample(value, {label: str(key)}) for key, value in values.items()]


def written(families: Iterable[Family]) -> str:
    return "".join(f"{line}\n" for family in families for line in _lines(family))


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.meaning.translate(_IN_HELP)}"
    yield f"# TYPE {family.name} {family.kind}"
    for sample in family.samples:
        told = ",".join(
            f'{label}="{text.translate(_IN_A_LABEL)}"' for label, text in sample.labels.items()
        )
        yield f"{family.name}{sample.suffix}{f'{{{told}}}' if told else ''} {sample.value}"
