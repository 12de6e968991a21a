"""Write the yearly transparency report as CSV files."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moderation.models import Community
from moderation.transparency.report import Asked, Period, write_report


class Command(BaseCommand):
    help = "Write the parts of the DSA's transparency report. See docs/transparency.md."

    def add_arguments(self, parser: ArgumentParser) -> None:
        today = datetime.now(UTC).date()
        parser.add_argument("folder", type=Path, help="where the files go; it is made")
        parser.add_argument("--provider", required=True, help="whose service it is")
        parser.add_argument("--service", required=True, help="what it is called")
        parser.add_argument("--from", dest="first", type=_day, default=date(today.year - 1, 1, 1))
        parser.add_argument("--to", dest="last", type=_day, default=date(today.year - 1, 12, 31))
        parser.add_argument("--published-before", type=_day, help="the day of the last report")
        parser.add_argument("--community", action="append", help="of these alone; all by default")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["first"] > options["last"]:
            raise CommandError("The first day comes before the last.")
        asked = Asked(
            provider=options["provider"],
            service=options["service"],
            communities=_communities(options["community"]),
            period=Period(options["first"], options["last"]),
            published_on=datetime.now(UTC).date(),
            published_before=options["published_before"],
        )
        folder: Path = options["folder"]
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in write_report(asked).items():
            (folder / name).write_bytes(text.encode())
            self.stdout.write(str(folder / name))


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _communities(slugs: list[str] | None) -> list[Community]:
    if slugs is None:
        return list(Community.objects.all())
    found = list(Community.objects.filter(slug__in=slugs))
    missing = set(slugs) - {one.slug for one in found}
    if missing:
        raise CommandError(f"There is no community {min(missing)!r}.")
    return found
