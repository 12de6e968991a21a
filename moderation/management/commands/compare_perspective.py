"""Compare stored Perspective scores with ours, and propose thresholds that decide as often."""

from __future__ import annotations

import csv
import json
import math
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, OutputWrapper

from moderation import queries
from moderation.errors import InvalidSubmission, NotFound
from moderation.labels import (
    AttributeReport,
    Comparison,
    Quality,
    Rescored,
    compare_scores,
    quality_figures,
    read_stored,
    rescore,
)
from moderation.labels.attributes import KNOWN
from moderation.models import Community
from moderation.policy.agreement import Share

# What is proposed where nobody says which thresholds are in use.
USUAL_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
_BAR = 30


class Command(BaseCommand):
    help = (
        "Score your own texts, which Perspective has scored, by a community's policy: how the two "
        "agree, and which thresholds keep your decision rate. See docs/dialects/perspective.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="texts with their scores: .csv or .jsonl")
        parser.add_argument("--community", metavar="SLUG", required=True)
        parser.add_argument(
            "--threshold",
            metavar="ATTRIBUTE=SCORE",
            type=_threshold,
            action="append",
            default=[],
            help="one that you use now; may be given several times",
        )
        parser.add_argument("--text-column", default="", help="what the text is called")
        parser.add_argument("--limit", type=int, help="read only so many texts")
        parser.add_argument("--out", type=Path, help="write every text's scores to this CSV file")
        parser.add_argument("--json", action="store_true", help="print the report as JSON")
        parser.add_argument(
            "--deadline-seconds", type=float, default=10.0, help="how long services are waited for"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            community = queries.get_community(options["community"])
            report = self._compare(community, options)
        except (InvalidSubmission, NotFound, OSError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(report.to_json(), indent=2))
        else:
            self.stdout.write("\n".join(report.lines()))

    def _compare(self, community: Community, options: dict[str, Any]) -> _Report:
        def texts() -> Iterator[Any]:
            found = read_stored(options["file"], text_column=options["text_column"])
            return islice(found, options["limit"])

        total = sum(1 for _ in texts())
        progress = _Progress(self.stderr, total)
        comparison, counts = Comparison(), Counter[str]()
        judges: set[tuple[str, str]] = set()
        with _table(options["out"]) as out:
            for batch in rescore(community, texts(), deadline_seconds=options["deadline_seconds"]):
                for one in batch:
                    counts["asked" if one.scored else "left out"] += 1
                    judges |= one.judges
                    if one.scored:
                        comparison.add(one.scored)
                out(batch)
                progress.add(len(batch))
        thresholds: dict[str, list[float]] = {}
        for attribute, score in options["threshold"]:
            thresholds.setdefault(attribute, []).append(score)
        return _Report(
            community=community.slug,
            asked=counts["asked"],
            left_out=counts["left out"],
            judges=sorted(f"{name}={version}" for name, version in judges),
            attributes=compare_scores(comparison, thresholds, USUAL_THRESHOLDS),
            suggested=quality_figures([community.pk]),
        )


def _threshold(text: str) -> tuple[str, float]:
    name, _, score = text.partition("=")
    try:
        value = float(score)
    except ValueError:
        value = -1.0
    if name not in KNOWN or not 0 <= value <= 1:
        raise ArgumentTypeError(f"{text!r} is not like TOXICITY=0.8")
    return name, value


class _Progress:
    """A bar where a person looks on, else a line every tenth."""

    def __init__(self, out: OutputWrapper, total: int) -> None:
        self._out, self._total, self._done = out, total, 0
        self._began = time.monotonic()

    def add(self, count: int) -> None:
        before, self._done = self._done, self._done + count
        if self._out.isatty():
            filled = _BAR * self._done // self._total
            ending = "\n" if self._done == self._total else ""
            line = f"\r[{'#' * filled}{'.' * (_BAR - filled)}] {self._said()}"
            self._out.write(line, ending=ending)
            self._out.flush()
        elif 10 * before // self._total < 10 * self._done // self._total:
            self._out.write(self._said())

    def _said(self) -> str:
        rate = self._done / max(time.monotonic() - self._began, 0.001)
        return f"{self._done:,} of {self._total:,} texts, {rate:,.0f} a second"


@contextmanager
def _table(path: Path | None) -> Iterator[Any]:
    """Yield what takes batches of texts: it writes them down, or forgets them."""
    if path is None:
        yield lambda batch: None
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["number", "attribute", "perspective", "gatehouse"])
        numbers = iter(range(1, 10**12))

        def write(batch: Iterable[Rescored]) -> None:
            for one in batch:
                number = next(numbers)
                ours = one.scored.ours if one.scored else {}
                writer.writerows(
                    [number, attribute, theirs, ours.get(attribute, "")]
                    for attribute, theirs in one.stored.scores.items()
                )

        yield write


@dataclass(frozen=True, slots=True)
class _Report:
    """Everything that was found, to be read by people or by programs."""

    community: str
    asked: int
    left_out: int
    judges: Sequence[str]
    attributes: Sequence[AttributeReport]
    suggested: Sequence[Quality] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> Iterator[str]:
        yield f"{_count(self.asked, 'text')} by the policy of {self.community}."
        if self.left_out:
            yield f"{_more(self.left_out)} empty or longer than a post may be."
        yield f"Judged by {', '.join(self.judges) or 'nobody'}."
        for report in self.attributes:
            yield ""
            yield from _about(report)
        if self.suggested:
            yield ""
            yield "What clients suggested, against our scores of then:"
            yield from (_suggested(quality) for quality in self.suggested)


def _about(report: AttributeReport) -> Iterator[str]:
    yield (
        f"{report.attribute}: {_count(report.texts, 'text')}, Pearson {_plain(report.pearson)}, "
        f"Spearman {_plain(report.spearman)}"
    )
    if report.not_judged:
        yield f"  {_more(report.not_judged)} judged by nobody here in this attribute."
    if report.proposals:
        yield "  theirs  reached by  ours    reached by  decided alike"
    for one in report.proposals:
        ours = "none" if one.ours is None else f"{_floor(one.ours):.4f}"
        yield (
            f"  {one.theirs:<6.2f}  {one.their_rate:10.2%}  {ours:<6}  {one.our_rate:10.2%}  "
            f"{_share(one.agreed)}"
        )


def _suggested(quality: Quality) -> str:
    return (
        f"  {quality.attribute}: {quality.suggested:,} suggested, {quality.agreed.total:,} of them "
        f"scored by us; on the same side of 0.5: {_share(quality.agreed)}; "
        f"mean distance {_plain(quality.mean_distance)}"
    )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _more(number: int) -> str:
    return f"{number:,} more {'was' if number == 1 else 'were'}"


def _share(share: Share) -> str:
    if share.value is None:
        return "–"
    low, high = share.interval
    return f"{share.value:.1%} ({low:.1%} to {high:.1%})"


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _floor(score: float) -> float:
    """Round down: rounded up, the very texts that it was made from would not reach it."""
    return math.floor(score * 10_000 + 1e-9) / 10_000
