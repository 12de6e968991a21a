"""Whether this instance has what it needs, before people rely on it."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from platform_site.upkeep import preflight

SIGNS = {preflight.OK: "ok     ", preflight.WARNING: "note   ", preflight.FAILURE: "FAILED "}


class Command(BaseCommand):
    help = (
        "Check settings, database, migrations, clock, cache, broker, media store, static files and "
        "models, and say what to do. Exits with 1 if something is missing."
    )
    # It says in its own words what Django would stop at.
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        failed = 0
        for finding in preflight.look():
            failed += finding.level == preflight.FAILURE
            self.stdout.write(f"{SIGNS[finding.level]} {finding.part:<11} {finding.says}")
            if finding.advice:
                self.stdout.write(f"{'':<20} → {finding.advice}")
        if failed:
            self.stdout.write(f"{failed} of these must be mended before people rely on this.")
            sys.exit(1)
        self.stdout.write("Nothing is missing.")
