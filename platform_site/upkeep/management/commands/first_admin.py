"""Makes the roles of the back office, and the first administrator or a link for them."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from moderation.errors import Conflict
from moderation.roles import ensure_roles
from platform_site.upkeep import first_admin


class Command(BaseCommand):
    help = (
        "Make the roles, and the first administrator from GATEHOUSE_ADMIN_USERNAME, …_EMAIL and "
        "…_PASSWORD. With --link, print a link by which they make their account themselves."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--link", action="store_true", help="print a link for them")

    def handle(self, *args: Any, **options: Any) -> None:
        ensure_roles()
        try:
            said = self._invite() if options["link"] else self._make()
        except (Conflict, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from error
        if options["verbosity"]:
            self.stdout.write(said)

    def _invite(self) -> str:
        minutes = int(first_admin.VALID_FOR.total_seconds() // 60)
        return f"{first_admin.invite()}\nServes once, within {minutes} minutes."

    def _make(self) -> str:
        made = first_admin.make_from_settings()
        if made is not None:
            return f"{made.username} is the first administrator."
        if first_admin.exists():
            return "There is an administrator; nothing was changed."
        return (
            "Nobody can enter the admin yet. Set GATEHOUSE_ADMIN_PASSWORD_FILE, or print a link: "
            "manage.py first_admin --link"
        )
