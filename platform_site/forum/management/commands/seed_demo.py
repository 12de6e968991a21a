"""`manage.py seed_demo`: found a small community to look around in. Does nothing the second time.

Everything is posted, judged and decided by the real pipeline, so that whatever the demo shows
has its evidence and its record.
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from platform_site.forum.demo import PASSWORD, found


class Command(BaseCommand):
    help = "Found the demo community once: boards, people, topics and a review queue."

    def handle(self, *args: Any, **options: Any) -> None:
        is_new = found()
        if options["verbosity"]:
            if is_new:
                self.stdout.write(f"The demo community is founded; all passwords: {PASSWORD}")
            else:
                self.stdout.write("The demo community is there already.")
