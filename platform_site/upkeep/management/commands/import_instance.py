"""Puts an export into an empty instance, on either database."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from moderation.errors import ModerationError
from platform_site.upkeep.archive.manifest import Refused
from platform_site.upkeep.archive.transfer import import_instance
from platform_site.upkeep.management.commands.restore import add_options, told


class Command(BaseCommand):
    help = (
        "Import an export into an empty instance that nothing runs on; verify the record, compare "
        "rows and attachments, and erase again who was erased since."
    )
    # There may be no tables yet.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="an export")
        add_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        try:
            done = import_instance(
                options["folder"].absolute(),
                public_keys=options["public_key"],
                erased=options["erased"],
            )
        except (Refused, ModerationError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(told(done, time.monotonic() - began))
