"""Precision and recall by threshold as lines; the table beside them says the same in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from moderation.policy.agreement import Share
from moderation.policy.precision import Curve

WIDTH: Final = 560
HEIGHT: Final = 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 12, 12, 34


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Points as SVG writes them. `mark` is where the wanted precision begins."""

    precision: str
    recall: str
    band: str
    across: tuple[Tick, ...]
    upwards: tuple[Tick, ...]
    mark: float | None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


def draw(curve: Curve) -> Chart:
    known = [point for point in curve.points if point.precision.total]
    upper = [_place(point.threshold, point.precision.interval[1]) for point in known]
    lower = [_place(point.threshold, point.precision.interval[0]) for point in reversed(known)]
    return Chart(
        precision=_line([(point.threshold, point.precision) for point in known]),
        recall=_line([(point.threshold, point.recall) for point in curve.points]),
        band=" ".join([*upper, *lower]),
        across=tuple(Tick(_x(step / 5), f"{step / 5:g}") for step in range(6)),
        upwards=tuple(Tick(_y(step / 4), f"{step * 25} %") for step in range(5)),
        mark=_x(curve.reaching.threshold) if curve.reaching else None,
    )


def _line(points: list[tuple[float, Share]]) -> str:
    return " ".join(
        _place(threshold, share.value) for threshold, share in points if share.value is not None
    )


def _place(threshold: float, value: float) -> str:
    return f"{_x(threshold):g},{_y(value):g}"


def _x(threshold: float) -> float:
    return round(_LEFT + threshold * (WIDTH - _LEFT - _RIGHT), 1)


def _y(value: float) -> float:
    return round(_TOP + (1 - value) * (HEIGHT - _TOP - _BOTTOM), 1)
