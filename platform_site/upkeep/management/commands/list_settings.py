"""Prints every setting with its kind, its default and what it means, as docs/settings.md has it."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from platform_site.upkeep import settings_table


class Command(BaseCommand):
    help = "List every setting. With --write, keep the page in a file."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--write", type=Path, metavar="FILE", help="for docs/settings.md")

    def handle(self, *args: Any, **options: Any) -> None:
        page = settings_table.as_markdown()
        if options["write"]:
            options["write"].write_text(page, encoding="utf-8")
        else:
            self.stdout.write(page, ending="")
