"""Says what is kept for how long, and what would go; takes it away when told."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from moderation.models import Community
from moderation.operations import retention


class Command(BaseCommand):
    help = (
        "Show how long everything is kept and how many rows would go now. The sweeper takes them "
        "away by and by; --yes does it at once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="take away what may go")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["yes"]:
            removed = retention.finish_rounds()
            for rule in retention.RULES:
                self.stdout.write(f"{rule.name:<14} {removed[rule.name]:>9} removed: {rule.what}")
            return
        for rule in retention.RULES:
            self.stdout.write(
                f"{rule.name:<14} {_time(retention.days_of(rule)):<12} "
                f"{retention.foresee(rule):>9} would go: {rule.what}"
            )
            self._own_times(rule)
        self.stdout.write("Nothing was removed. Say --yes to remove it at once.")

    def _own_times(self, rule: retention.Rule) -> None:
        if not rule.community:
            return
        for community in Community.objects.exclude(keep_days={}).order_by("slug"):
            own = community.keep_days.get(rule.name)
            if own is not None:
                self.stdout.write(f"  in {community.slug}: {_time(retention.days_of(rule, own))}")


def _time(days: int) -> str:
    return f"{days} days" if days else "for good"
