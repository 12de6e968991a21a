"""Checks the whole record and names the first broken row."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moderation.pipeline.seal import verify_record


class Command(BaseCommand):
    help = "Verify every audit event, every subject's chain and the chain of seals."

    def handle(self, *args: Any, **options: Any) -> None:
        found = verify_record()
        if found.fault:
            raise CommandError(f"The record is broken at {found.fault}.")
        self.stdout.write(
            f"The record holds: {found.events} events, {found.seals} seals, "
            f"{found.unsealed} events not sealed yet."
        )
