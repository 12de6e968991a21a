"""Make, list, rotate and revoke API keys."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from moderation.credentials import issue_key, revoke_key, rotate_key
from moderation.errors import InvalidSubmission
from moderation.models import ApiKey, Community, Organisation
from moderation.vocabulary import Scope


class Command(BaseCommand):
    help = "Make, list, rotate and revoke API keys. A new key is printed once, as the last line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        create = acts.add_parser("create", help="make a key for a community or an organisation")
        owner = create.add_mutually_exclusive_group(required=True)
        owner.add_argument("--community", metavar="SLUG")
        owner.add_argument("--organisation", metavar="SLUG")
        create.add_argument(
            "--scopes", default="submit,read", help=f"comma-separated: {', '.join(Scope.values)}"
        )
        create.add_argument("--name", default="")
        rotate = acts.add_parser(
            "rotate", help="make a successor; the old key works on for a while"
        )
        rotate.add_argument("key_id")
        rotate.add_argument("--overlap-hours", type=float, default=24.0)
        revoke = acts.add_parser("revoke", help="end a key now")
        revoke.add_argument("key_id")
        acts.add_parser("list", help="list the living keys")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['act']}")(options)

    def _create(self, options: dict[str, Any]) -> None:
        owner = _owner(options)
        scopes = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
        try:
            key, text = issue_key(owner=owner, scopes=scopes, name=options["name"])
        except InvalidSubmission as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Key {key.key_id} for {owner} may: {', '.join(key.scopes)}.")
        self.stdout.write("Keep it now; it is not shown again:")
        self.stdout.write(text)

    def _rotate(self, options: dict[str, Any]) -> None:
        overlap = timedelta(hours=options["overlap_hours"])
        key, text = rotate_key(_find(options["key_id"]), overlap=overlap)
        self.stdout.write(f"Key {key.key_id} follows {options['key_id']}.")
        self.stdout.write(text)

    def _revoke(self, options: dict[str, Any]) -> None:
        revoke_key(_find(options["key_id"]))
        self.stdout.write(f"Key {options['key_id']} is revoked.")

    def _list(self, options: dict[str, Any]) -> None:
        for key in ApiKey.objects.filter(revoked_at__isnull=True).order_by("created_at"):
            self.stdout.write(f"{key.key_id}  {key.owner}  {','.join(key.scopes)}  {key.name}")


def _owner(options: dict[str, Any]) -> Community | Organisation:
    if options["community"]:
        community = Community.objects.filter(slug=options["community"]).first()
        if community is None:
            raise CommandError(f"There is no community {options['community']!r}.")
        return community
    organisation = Organisation.objects.filter(slug=options["organisation"]).first()
    if organisation is None:
        raise CommandError(f"There is no organisation {options['organisation']!r}.")
    return organisation


def _find(key_id: str) -> ApiKey:
    key = ApiKey.objects.filter(key_id=key_id).first()
    if key is None:
        raise CommandError(f"There is no key {key_id!r}.")
    return key
