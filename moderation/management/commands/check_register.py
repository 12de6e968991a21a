"""Ask the EU's register whether it knows this platform."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moderation.transparency import register
from moderation.transparency.export import is_set_up

_WHAT_TO_DO = {
    register.NOT_AUTHORISED: "It does not know the token: a new one makes the old one invalid.",
    register.UNREACHABLE: "It cannot be reached from here.",
}


class Command(BaseCommand):
    help = "Say whether the EU's Transparency Database can be reached and knows the token."

    def handle(self, *args: Any, **options: Any) -> None:
        if not is_set_up():
            raise CommandError("Set GATEHOUSE_DSA_URL and GATEHOUSE_DSA_TOKEN.")
        error = register.ping()
        if error:
            raise CommandError(_WHAT_TO_DO.get(error, f"It answered: {error}."))
        self.stdout.write("The register knows this platform.")
