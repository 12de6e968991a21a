"""Puts a backup into an empty instance."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from moderation.errors import ModerationError
from platform_site.upkeep.archive.manifest import Refused
from platform_site.upkeep.archive.restore import Restored, check, restore


class Command(BaseCommand):
    help = (
        "Restore a backup into an empty instance that nothing runs on; verify the record, compare "
        "rows and attachments, and erase again who was erased since."
    )
    # There may be no tables yet.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="a backup")
        add_options(parser)
        parser.add_argument(
            "--check", action="store_true", help="read all of it, and restore nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["folder"].absolute()
        began = time.monotonic()
        try:
            if options["check"]:
                made = check(folder)
                self.stdout.write(f"{folder} is as it was written, at {made.made_at}.")
                return
            done = restore(folder, public_keys=options["public_key"], erased=options["erased"])
        except (Refused, ModerationError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(told(done, time.monotonic() - began))


def add_options(parser: CommandParser) -> None:
    parser.add_argument(
        "--public-key",
        action="append",
        default=[],
        type=lambda text: text.strip().lower(),
        metavar="HEX",
        help="a key that signed the record; may be given more than once",
    )
    parser.add_argument(
        "--erased",
        action="append",
        default=[],
        type=Path,
        metavar="PATH",
        help="a list of who was erased, or a newer backup; may be given more than once",
    )


def told(done: Restored, seconds: float) -> str:
    lines = [
        f"{done.rows} rows and {done.files} files are back and equal, in {seconds:.1f} s.",
        f"The record holds: {done.events} events, and what was signed.",
        f"{done.erased} people who had been erased since were erased again.",
        *(f"Note: {note}" for note in done.notes),
        "Everybody signs in again. Start Redis empty, then the roles.",
    ]
    return "\n".join(lines)
