"""Keeps this instance in a folder while it runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from moderation.errors import ModerationError
from platform_site.upkeep.archive.backup import back_up
from platform_site.upkeep.archive.manifest import Refused


class Command(BaseCommand):
    help = (
        "Write a backup into a new folder: database, attachments, their digests, and where the "
        "record stood. Everything may go on running."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="a folder that is not there yet")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"].absolute()
        began = time.monotonic()
        try:
            made = back_up(folder)
        except (Refused, ModerationError, OSError) as error:
            raise CommandError(f"There is no backup. {error}") from error
        self.stdout.write(
            f"{folder}: {sum(made.counts.values())} rows, {made.media['files']} files "
            f"({made.media['bytes']} bytes), {made.record.events} events of the record "
            f"in {time.monotonic() - began:.1f} s."
        )
        if made.media["missing"]:
            self.stdout.write(f"{made.media['missing']} files were not in the media store.")
        self.stdout.write(
            "Not in it: SECRET_KEY and the key that signs the record. Keep those apart from it."
        )
