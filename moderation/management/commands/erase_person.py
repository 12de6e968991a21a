"""Erases a person: words, pictures and name; the record stays valid."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from moderation.errors import ModerationError
from moderation.models import Author
from moderation.pipeline.erase import erase_person, extent_of


class Command(BaseCommand):
    help = "Erase a person in every community they are in. It can be repeated; it cannot be undone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--author", type=int, help="the author's id in the back office")
        parser.add_argument("--username", help="of an account on this site")
        parser.add_argument("--community", help="the slug of a client's community")
        parser.add_argument("--external-id", help="the client's own id of a person there")
        parser.add_argument("--yes", action="store_true", help="do it; without, say what would go")

    def handle(self, *args: Any, **options: Any) -> None:
        author = _find(options)
        extent = extent_of(author)
        self.stdout.write(
            f"{', '.join(extent.names)}: {extent.posts} posts, {extent.attachments} attachments, "
            f"{extent.reports} reports, {extent.appeals} appeals."
        )
        if not options["yes"]:
            self.stdout.write("Nothing was erased. Say --yes to erase all of it.")
            return
        began = time.monotonic()
        try:
            erased = erase_person(author_id=author.pk, user=None)
        except ModerationError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"Erased {erased.posts} posts and {erased.attachments} attachments "
            f"in {time.monotonic() - began:.1f} s."
        )


def _find(options: dict[str, Any]) -> Author:
    authors = Author.objects.select_related("user", "community")
    if options["author"]:
        found = authors.filter(pk=options["author"]).first()
    elif options["username"]:
        found = authors.filter(user__username=options["username"]).first()
    elif options["community"] and options["external_id"]:
        found = authors.filter(
            community__slug=options["community"], external_id=options["external_id"]
        ).first()
    else:
        raise CommandError("Name an --author, a --username, or --community and --external-id.")
    if found is None:
        raise CommandError("There is no such person.")
    return found
