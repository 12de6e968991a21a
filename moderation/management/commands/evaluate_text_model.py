"""Measure the local text model, and set it beside another version."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moderation import queries
from moderation.errors import NotFound
from moderation.providers.own.local_text import LocalTextProvider
from moderation.providers.own.local_text.evaluation import floors
from moderation.providers.own.local_text.evaluation.answers import answer
from moderation.providers.own.local_text.evaluation.plots import plot_reliability
from moderation.providers.own.local_text.evaluation.report import Report, lines, make_report
from moderation.providers.own.local_text.evaluation.sets import (
    Example,
    decided,
    read_dev,
    read_kept,
)
from moderation.providers.own.local_text.evaluation.versus import (
    answers_json,
    compare,
    comparison_json,
    comparison_lines,
)
from moderation.providers.own.local_text.provider import DATA
from moderation.providers.own.local_text.training.corpora import PREVALENCE
from moderation.queries.seen import decided_texts


class Command(BaseCommand):
    help = (
        "Measure the local text model by category, topic, identity and language on texts that it"
        " has not learned from. See docs/scoring.md."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--model", type=Path, default=DATA, help="folder of another version")
        parser.add_argument("--data", type=Path, help="corpora whose dev split is measured too")
        parser.add_argument(
            "--community", metavar="SLUG", help="measure by what its people decided too"
        )
        parser.add_argument("--days", type=int, default=180, help="how far to look back for that")
        parser.add_argument("--json", type=Path, metavar="OUT", help="write all figures down")
        parser.add_argument("--plot", type=Path, metavar="DIR", help="draw reliability diagrams")
        parser.add_argument(
            "--against", type=Path, metavar="FILE", help="what --json wrote of another version"
        )
        parser.add_argument(
            "--floors",
            choices=["raise", "reset"],
            help="rewrite what the tests hold the model to: never lower, or as it is now",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        provider = LocalTextProvider(options["model"])
        if not provider.is_available():
            raise CommandError(f"{options['model']} holds no model.")
        older = _read_older(options["against"]) if options["against"] else {}
        written: dict[str, Any] = {}
        for name, examples in _sets(options):
            answers = answer(provider, examples)
            report = make_report(name, answers, shares=PREVALENCE)
            self.stdout.write("\n".join(lines(report)) + "\n")
            written[name] = {**report.to_json(), "answers": answers_json(answers)}
            if name in older:
                found = compare(answers, older[name]["answers"], older[name]["model"])
                self.stdout.write("\n".join(comparison_lines(found)) + "\n")
                written[name]["against"] = comparison_json(found)
            if options["plot"]:
                self._plot(report, options["plot"])
        if options["json"]:
            options["json"].write_text(json.dumps(written, indent=1) + "\n")
        if options["floors"]:
            self._set_floors(provider, may_lower=options["floors"] == "reset")

    def _plot(self, report: Report, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"reliability-{report.name}.png"
        try:
            plot_reliability(report, path)
        except ImportError as error:
            raise CommandError("--plot needs matplotlib: make setup installs it.") from error
        self.stdout.write(str(path))

    def _set_floors(self, provider: LocalTextProvider, *, may_lower: bool) -> None:
        old = floors.read_floors()
        new = floors.bounds_of(floors.measure(provider))
        kept = new if may_lower else floors.raised(old, new)
        floors.write_floors(kept)
        changed = sum(old.get(name) != bound for name, bound in kept.items())
        self.stdout.write(f"{len(kept)} floors, {changed} of them changed: {floors.FLOORS_FILE}")


def _sets(options: dict[str, Any]) -> Iterator[tuple[str, list[Example]]]:
    yield "kept", read_kept()
    if options["data"] is not None:
        examples = read_dev(options["data"])
        if not examples:
            raise CommandError(f"{options['data']} holds no *.jsonl.gz with a dev split.")
        yield "dev", examples
    if options["community"]:
        yield "decided", _read_decided(options["community"], options["days"])


def _read_decided(slug: str, days: int) -> list[Example]:
    try:
        community = queries.get_community(slug)
    except NotFound as error:
        raise CommandError(str(error)) from error
    since = queries.database_now() - timedelta(days=days)
    found = [
        decided(one.text, taken_down=one.taken_down, for_what=one.for_what, group=one.why.value)
        for one in decided_texts(community.pk, since=since)
    ]
    if not found:
        raise CommandError(f"Nobody decided on a text in {slug} in {days} days.")
    return found


def _read_older(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict) or not all("answers" in one for one in found.values()):
        raise CommandError(f"{path} was not written by --json.")
    return found
