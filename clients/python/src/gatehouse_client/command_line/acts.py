"""Each command, and what it prints. Its number is the exit status."""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gatehouse_client.answers import Accepted, PostStatus, Verdict
from gatehouse_client.client import Gatehouse
from gatehouse_client.command_line.arguments import parse
from gatehouse_client.command_line.columns import Row, Table, Writer, checked, open_output
from gatehouse_client.command_line.progress import Progress
from gatehouse_client.drafts import Author, Media
from gatehouse_client.errors import BlockedWords, GatehouseError, ProblemError

ALLOWED, STOPPED, FAILED = 0, 1, 2
# What shells give a program that was interrupted, and one whose reader went away.
_INTERRUPTED, _NO_READER = 130, 141


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit status."""
    chosen = parse(arguments)
    try:
        with Gatehouse(
            chosen.url, community=chosen.community, timeout_seconds=chosen.timeout
        ) as client:
            status = _ACTS[chosen.command](client, chosen)
            # Here, where a reader that went away is still noticed.
            sys.stdout.flush()
            return status
    except BlockedWords as error:
        return _complain(error, chosen, STOPPED)
    except BrokenPipeError:
        # Python would complain once more when it closes standard output.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NO_READER
    except UnicodeDecodeError as error:
        return _complain(ValueError(f"What was read is not in UTF-8: {error}"), chosen, FAILED)
    except (GatehouseError, OSError, ValueError, csv.Error) as error:
        return _complain(error, chosen, FAILED)
    except KeyboardInterrupt:
        return _INTERRUPTED


def _complain(error: Exception, chosen: argparse.Namespace, status: int) -> int:
    found = f" (request {error.request_id})" if isinstance(error, ProblemError) else ""
    sys.stderr.write(f"gatehouse: {error}{found}\n")
    if chosen.json and isinstance(error, ProblemError):
        _print_json(error.problem.raw or {"status": error.status, "title": error.title})
    return status


def _check(client: Gatehouse, chosen: argparse.Namespace) -> int:
    if chosen.csv is not None:
        return _check_column(client, chosen)
    text = _text_of(chosen.text) if chosen.file is None else _read_file(chosen.file)
    verdict = client.check(text, title=chosen.title)
    if chosen.json:
        _print_json(verdict.raw)
    else:
        _print(_in_words(verdict))
    return ALLOWED if verdict.is_allowed else STOPPED


def _check_column(client: Gatehouse, chosen: argparse.Namespace) -> int:
    """Check every row. A row that could not be checked is an error, whatever the others are."""
    table = Table(chosen.csv, chosen.column)
    shown = sys.stderr.isatty() if chosen.progress is None else chosen.progress
    progress = Progress(sys.stderr, table.count() if shown else None, shown=shown)
    output = open_output(chosen.output, source=chosen.csv)
    worst = ALLOWED
    try:
        writer = Writer(output, table.headings, as_json=chosen.json)
        for batch in checked(table.rows(), client.check_batch):
            for row in batch:
                writer.write(row)
                worst = max(worst, _status_of_row(row))
            progress.advance(len(batch))
    finally:
        progress.finish()
        if output is not sys.stdout:
            output.close()
    return worst


def _status_of_row(row: Row) -> int:
    if row.wrong:
        return FAILED
    return ALLOWED if row.verdict is None or row.verdict.is_allowed else STOPPED


def _submit(client: Gatehouse, chosen: argparse.Namespace) -> int:
    accepted = client.submit(
        author=Author(chosen.author, chosen.author_name),
        text=_text_of(chosen.text),
        title=chosen.title,
        channel=chosen.channel,
        reference=chosen.reference,
        parent=chosen.parent,
        media=[Media.from_file(path) for path in chosen.media],
        idempotency_key=chosen.idempotency_key,
    )
    if chosen.wait is None:
        _show(accepted, chosen)
        return ALLOWED
    # Should it take longer, the post can still be found.
    sys.stderr.write(f"{accepted.id}\n")
    return _report(client.wait_for_verdict(accepted.id, timeout_seconds=chosen.wait), chosen)


def _status(client: Gatehouse, chosen: argparse.Namespace) -> int:
    if chosen.wait is None:
        return _report(client.get_status(chosen.id), chosen)
    return _report(client.wait_for_verdict(chosen.id, timeout_seconds=chosen.wait), chosen)


def _tail(client: Gatehouse, chosen: argparse.Namespace) -> int:
    types = [name for name in chosen.types.split(",") if name]
    events = client.events(types=types, after=chosen.after)
    for event in itertools.islice(events, chosen.count):
        if chosen.json:
            # One line each, for programs that read along.
            _print(json.dumps(event.raw, ensure_ascii=False))
        else:
            at = event.happened_at.astimezone().isoformat(timespec="seconds")
            _print(f"{event.id} {at} {event.type} {event.post_id} {event.status or '-'}")
        sys.stdout.flush()
    return ALLOWED


def _report(status: PostStatus, chosen: argparse.Namespace) -> int:
    _show(status, chosen)
    if status.reason is not None and not chosen.json:
        _print(status.reason.text)
    return ALLOWED if status.is_approved else STOPPED


def _show(post: Accepted, chosen: argparse.Namespace) -> None:
    if chosen.json:
        _print_json(post.raw)
    else:
        _print(f"{post.id} {post.status} {post.visibility}")


_ACTS: Mapping[str, Callable[[Gatehouse, argparse.Namespace], int]] = {
    "check": _check,
    "submit": _submit,
    "status": _status,
    "tail": _tail,
}


def _in_words(verdict: Verdict) -> str:
    words = [verdict.action, verdict.rule]
    if verdict.score is not None:
        words.append(f"{verdict.category} {verdict.score:.2f}")
    if verdict.not_judged:
        words.append(f"not judged: {', '.join(verdict.not_judged)}")
    return "  ".join(words)


def _text_of(argument: str) -> str:
    return _decoded(sys.stdin.buffer.read()) if argument == "-" else argument


def _read_file(path: str) -> str:
    return _decoded(Path(path).read_bytes())


def _decoded(data: bytes) -> str:
    return data.decode("utf-8-sig")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _print_json(value: Mapping[str, Any] | Sequence[Any]) -> None:
    _print(json.dumps(value, ensure_ascii=False, indent=2))
