"""Score texts of a file by our own model and the built-in policy."""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError, OutputWrapper

from moderation.errors import InvalidSubmission
from moderation.labels import ScoredLine, read_json_lines, read_table, score_lines
from moderation.vocabulary import Category

_STANDARD = "-"
_BAR = 30


class Command(BaseCommand):
    help = (
        "Score texts as a post's text is scored: our own model, the built-in policy. Reads lines "
        '{"id", "text"}, writes lines {"id", "scores", "action", "model"}. See docs/scoring.md.'
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--jsonl", metavar="IN", help="JSON lines; - for standard input")
        source.add_argument("--csv", metavar="IN", help="a table with the columns id and text")
        parser.add_argument(
            "--out",
            metavar="OUT",
            required=True,
            help="where the scores go: a table if it ends in .csv; - for standard output",
        )
        parser.add_argument("--skip-bad", action="store_true", help="tell bad lines, and go on")
        parser.add_argument("--language", default="", help="the expected one, as a community's")

    def handle(self, *args: Any, **options: Any) -> None:
        named = options["jsonl"] or options["csv"]
        read = read_json_lines if options["jsonl"] else read_table
        try:
            with ExitStack() as stack:
                source = stack.enter_context(_source(named))
                write = stack.enter_context(_destination(options["out"], self.stdout))
                bar = _Bar(self.stderr, source)
                bad = 0
                for batch in score_lines(read(source), language=options["language"]):
                    for one in batch:
                        if one.line.error:
                            bad += 1
                            self._refuse(one, may_skip=options["skip_bad"])
                        write(one)
                    bar.add(len(batch))
                bar.end()
        except (InvalidSubmission, OSError) as error:
            raise CommandError(str(error)) from error
        if bad:
            self.stderr.write(f"{bad:,} bad {'line has' if bad == 1 else 'lines have'} no scores.")

    def _refuse(self, one: ScoredLine, *, may_skip: bool) -> None:
        if not may_skip:
            raise CommandError(
                f"Line {one.line.number} {one.line.error}."
                " Mend it, or let --skip-bad tell such lines in the output and go on."
            )


@contextmanager
def _source(name: str) -> Iterator[BinaryIO]:
    if name == _STANDARD:
        yield sys.stdin.buffer
        return
    with Path(name).open("rb") as file:
        yield file


Write = Callable[[ScoredLine], object]


@contextmanager
def _destination(name: str, standard: OutputWrapper) -> Iterator[Write]:
    """Yield what takes scored lines. A file is there once it is whole, or stays as it was."""
    if name == _STANDARD:
        yield lambda one: standard.write(_as_json(one))
        return
    path = Path(name)
    if path.exists() and not path.is_file():
        # A pipe or a device cannot be put in another's place.
        with path.open("w", encoding="utf-8", newline="") as file:
            yield _writer(path, file)
        return
    path = path.resolve()
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("w", encoding="utf-8", newline="") as file:
            yield _writer(path, file)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _writer(path: Path, file: IO[str]) -> Write:
    if path.suffix != ".csv":
        return lambda one: file.write(_as_json(one) + "\n")
    table = csv.writer(file)
    table.writerow(["id", "action", "model", "error", *Category.values])
    return lambda one: table.writerow(_as_row(one))


def _as_json(one: ScoredLine) -> str:
    if one.line.error:
        said: dict[str, object] = {
            "id": one.line.id,
            "error": f"line {one.line.number} {one.line.error}",
        }
    else:
        said = {
            "id": one.line.id,
            "scores": {str(category): score for category, score in one.scores.items()},
            "action": one.action,
            "model": one.model,
        }
        if one.not_judged is not None:
            said["not_judged"] = dict(one.not_judged)
    return json.dumps(said)


def _as_row(one: ScoredLine) -> list[object]:
    """Return the cells of a table; that of a category which was not judged is empty."""
    error = f"line {one.line.number} {one.line.error}" if one.line.error else ""
    scores = [one.scores.get(category, "") for category in Category]
    return [one.line.id, one.action or "", one.model, error, *scores]


class _Bar:
    """How far the reading is, where a person looks on."""

    def __init__(self, out: OutputWrapper, source: BinaryIO) -> None:
        self._out, self._source = out, source
        self._bytes = _size_of(source) if out.isatty() else 0
        self._began, self._done = time.monotonic(), 0

    def add(self, count: int) -> None:
        self._done += count
        if not self._out.isatty():
            return
        rate = self._done / max(time.monotonic() - self._began, 0.001)
        said = f"{self._done:,} texts, {rate:,.0f} a second"
        if self._bytes:
            filled = min(_BAR, _BAR * self._source.tell() // self._bytes)
            said = f"[{'#' * filled}{'.' * (_BAR - filled)}] {said}"
        self._out.write(f"\r{said}", style_func=str, ending="")
        self._out.flush()

    def end(self) -> None:
        if self._done and self._out.isatty():
            self._out.write("", style_func=str)


def _size_of(source: BinaryIO) -> int:
    """Return the bytes of a file, 0 of what has no size."""
    return os.fstat(source.fileno()).st_size if source.seekable() else 0
