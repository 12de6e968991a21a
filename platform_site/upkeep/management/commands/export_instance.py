"""Writes this instance as lines of JSON while it runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from moderation.errors import ModerationError
from platform_site.upkeep.archive.manifest import Refused
from platform_site.upkeep.archive.transfer import export_instance


class Command(BaseCommand):
    help = (
        "Write the whole instance into a new folder, a line of JSON a row, which import_instance "
        "reads on SQLite and PostgreSQL alike. Everything may go on running."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="a folder that is not there yet")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"].absolute()
        began = time.monotonic()
        try:
            made = export_instance(folder)
        except (Refused, ModerationError, OSError) as error:
            raise CommandError(f"There is no export. {error}") from error
        self.stdout.write(
            f"{folder}: {sum(made.counts.values())} rows of {len(made.counts)} tables, "
            f"{made.media['files']} files ({made.media['bytes']} bytes) "
            f"in {time.monotonic() - began:.1f} s."
        )
        self.stdout.write(
            "Not in it: SECRET_KEY and the key that signs the record. Keep those apart from it."
        )
