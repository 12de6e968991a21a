"""Whether the running version can go on while ours is migrated to."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from platform_site.upkeep import expand


class Command(BaseCommand):
    help = (
        "Look for migrations that the running version would not survive, or that keep writers "
        "waiting. Asks no database. Exits with 1 if there is one; see docs/upgrading.md."
    )
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        found = list(expand.look())
        for finding in found:
            self.stdout.write(f"{finding.migration}: {finding.step}\n    {finding.says}")
        if found:
            sys.exit(1)
        self.stdout.write("The running version can go on while these migrations are applied.")
