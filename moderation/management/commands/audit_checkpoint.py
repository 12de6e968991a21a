"""Signs where the record stands, or shows what has been signed and under which key."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from moderation.errors import ModerationError
from moderation.models import AuditCheckpoint
from moderation.pipeline.audit.checkpoint import as_json, public_key, sign_checkpoint
from moderation.pipeline.audit.seal import seal_events


class Command(BaseCommand):
    help = "Sign a checkpoint of the record now, export all of them, or show the public key."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act", choices=["sign", "export", "public-key"])

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["act"] == "public-key":
                self.stdout.write(public_key())
            elif options["act"] == "sign":
                self._sign()
            else:
                self._export()
        except ModerationError as error:
            raise CommandError(str(error)) from error

    def _sign(self) -> None:
        while seal_events():
            pass
        made = sign_checkpoint()
        if made is None:
            self.stdout.write("Nothing new to sign.")
        else:
            self.stdout.write(json.dumps(as_json(made)))

    def _export(self) -> None:
        for row in AuditCheckpoint.objects.order_by("position").iterator(chunk_size=1_000):
            self.stdout.write(json.dumps(as_json(row)))
