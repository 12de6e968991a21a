"""Write the API as a Postman collection."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from moderation.api.openapi.postman import DEFAULT_BASE, collection_of
from moderation.api.views.documents import openapi_document


class Command(BaseCommand):
    help = "Write the API as a Postman collection (v2.1), to a file or to the standard output."

    def add_arguments(self, parser: ArgumentParser) -> None:
        usual = settings.MODERATION.get("public_url") or DEFAULT_BASE
        parser.add_argument("--base-url", default=usual, help=f"where the API is; {usual}")
        parser.add_argument("--output", metavar="FILE", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        collection = collection_of(openapi_document(), base_url=options["base_url"].rstrip("/"))
        text = json.dumps(collection, indent=2, ensure_ascii=False)
        if options["output"]:
            options["output"].write_text(f"{text}\n", encoding="utf-8")
        else:
            self.stdout.write(text)
