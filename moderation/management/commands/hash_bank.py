"""Fills a bank from a list of hashes, or writes one out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from moderation.errors import ModerationError
from moderation.models import HashBank
from moderation.operations.bank_lists import (
    MOST_BYTES,
    Reading,
    import_list,
    read_list,
    write_csv,
    write_json,
)
from moderation.vocabulary import BankKind


class Command(BaseCommand):
    help = "Read a list of hashes (CSV or JSON) into a bank, or write a bank out as such a list."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act", choices=["import", "export"])
        parser.add_argument("bank", help="the bank's name")
        parser.add_argument(
            "file", nargs="?", default="-", help="a path, or - for standard in or out"
        )
        parser.add_argument("--community", default="", help="its slug; none: a bank for all")
        parser.add_argument("--format", choices=["csv", "json"], default="csv")
        parser.add_argument("--dry-run", action="store_true", help="say what would be stored")

    def handle(self, *args: Any, **options: Any) -> None:
        bank = _find(options["bank"], options["community"])
        if options["act"] == "export":
            _write(bank, options["file"], options["format"])
            return
        data = _read(options["file"])
        try:
            if options["dry_run"]:
                reading, added = read_list(data, kind=BankKind(bank.kind)), None
            else:
                reading, added = import_list(bank=bank, data=data, user=None)
        except ModerationError as error:
            raise CommandError(str(error)) from error
        self._refuse_faults(reading)
        if added is None:
            self.stdout.write(
                f"{len(reading.entries)} entries, {reading.repeated} of them twice; nothing stored."
            )
            return
        self.stdout.write(
            f"{added.stored} stored, {added.known} known already, {reading.repeated} twice in it."
        )

    def _refuse_faults(self, reading: Reading) -> None:
        for fault in reading.faults:
            self.stderr.write(f"line {fault.line}: {fault.said}")
        if reading.faults:
            number = len(reading.faults) + reading.more_faults
            raise CommandError(f"{number} lines are wrong: nothing was stored.")


def _find(name: str, community: str) -> HashBank:
    which = {"community__slug": community} if community else {"community__isnull": True}
    bank = HashBank.objects.filter(name=name, **which).first()
    if bank is None:
        raise CommandError(f"There is no such bank: {name!r}. Make it in the back office first.")
    return bank


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read(MOST_BYTES + 1)
    try:
        with Path(file).open("rb") as opened:
            return opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from error


def _write(bank: HashBank, file: str, form: str) -> None:
    pieces = write_json(bank) if form == "json" else write_csv(bank)
    if file == "-":
        sys.stdout.writelines(pieces)
        return
    with Path(file).open("w", encoding="utf-8", newline="") as opened:
        opened.writelines(pieces)
