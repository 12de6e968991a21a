"""Checks the whole record and names the first broken row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from moderation.pipeline.audit.checkpoint import verify_checkpoints
from moderation.pipeline.audit.seal import verify_record


class Command(BaseCommand):
    help = (
        "Verify every audit event, every subject's chain and the chain of seals; "
        "with --checkpoints also against what was signed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--checkpoints",
            nargs="?",
            const="",
            metavar="FILE",
            help="verify the signed checkpoints too: the stored ones, or copies in a file",
        )
        parser.add_argument(
            "--public-key",
            action="append",
            default=[],
            metavar="HEX",
            help="a key that signed earlier checkpoints; may be given more than once",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = verify_record()
        if found.fault:
            raise CommandError(f"The record is broken at {found.fault}.")
        self.stdout.write(
            f"The record holds: {found.events} events, {found.seals} seals, "
            f"{found.unsealed} events not sealed yet."
        )
        if options["checkpoints"] is not None:
            self._verify_checkpoints(options["checkpoints"], options["public_key"])

    def _verify_checkpoints(self, file: str, keys: list[str]) -> None:
        copies = _read(Path(file)) if file else None
        checked = verify_checkpoints(copies, trusted=[key.strip().lower() for key in keys])
        if checked.fault:
            raise CommandError(f"The record is not what was signed, {checked.fault}.")
        if not checked.checkpoints:
            raise CommandError("There is no checkpoint to compare the record with.")
        self.stdout.write(
            f"It is what was signed: {checked.checkpoints} checkpoints, the last one of "
            f"seal {checked.last_position}."
        )


def _read(path: Path) -> Iterator[Any]:
    """Yield the checkpoints of a file, one a line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}.") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise CommandError(f"{path}, line {number}: this is not JSON.") from error
