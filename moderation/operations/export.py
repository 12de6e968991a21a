"""Writes a community's decisions as CSV into the storage, for the one who asked."""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, TextIO

from django.contrib.auth.models import User
from django.core.files import File
from django.core.files.storage import default_storage
from django.db.models import QuerySet

from moderation.errors import InvalidSubmission, NotFound
from moderation.models import Community, Decision
from moderation.operations import ledger
from moderation.operations.progress import Report

COLUMNS: Final = (
    "decision",
    "decided_at",
    "community",
    "post",
    "revision",
    "author",
    "moderator",
    "action",
    "category",
    "reason",
    "verdict",
    "rule",
    "score",
    "reversed_at",
)
CHUNK = 500
# What makes a spreadsheet read a cell as a formula, in ASCII and in full width.
_FORMULA_STARTS = tuple("=+-@\t\r\n\x00＝＋－＠")
# A number below zero is a number.
_NUMBER = re.compile(r"-\d{1,15}(\.\d{1,15})?", re.ASCII)


def start_export(*, community: Community, since: datetime, until: datetime, user: User) -> str:
    """Ask for the decisions from `since` up to, not including, `until`; return the id."""
    if since >= until:
        raise InvalidSubmission("The first day must come before the last.")
    return ledger.start_operation(
        task=ledger.EXPORT_TASK,
        community=community,
        user=user,
        facts={"since": since.isoformat(), "until": until.isoformat()},
    )


def run_export(operation_id: str, report: Report) -> dict[str, int | bool]:
    """Write the file; a second run replaces what an interrupted one left."""
    event = ledger.started(operation_id)
    assert event.community_id is not None
    decisions = _decisions(
        event.community_id,
        datetime.fromisoformat(event.facts["since"]),
        datetime.fromisoformat(event.facts["until"]),
    )
    total = decisions.count()
    report(0, total)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "decisions.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            for done in _write(file, decisions):
                report(done, max(total, done))
                if ledger.is_cancelled(operation_id):
                    return {"done": done, "total": total, "cancelled": True}
        default_storage.delete(file_name(operation_id))
        with path.open("rb") as written:
            default_storage.save(file_name(operation_id), File(written))
    outcome: dict[str, int | bool] = {"done": total, "total": total, "rows": total}
    ledger.finish(operation_id, outcome)
    return outcome


def open_export(*, operation_id: str, user: User) -> File:  # type: ignore[type-arg]  # generic in the stubs alone
    """Return the finished file, to whoever asked for it and still moderates there.

    Raises `NotFound` for everyone else, and before it is finished.
    """
    operation = ledger.get_operation(operation_id, user)
    if (
        operation.task != ledger.EXPORT_TASK
        or operation.started_by_id != user.pk
        or not default_storage.exists(file_name(operation_id))
    ):
        raise NotFound("There is no such file.")
    return default_storage.open(file_name(operation_id), "rb")


def file_name(operation_id: str) -> str:
    return f"exports/{operation_id}.csv"


def safe_cell(value: object) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    if not text.lstrip(" ").startswith(_FORMULA_STARTS) or _NUMBER.fullmatch(text):
        return text
    return f"'{text}"


def _decisions(community_id: int, since: datetime, until: datetime) -> QuerySet[Decision]:
    return (
        Decision.objects.filter(
            post__community_id=community_id, decided_at__gte=since, decided_at__lt=until
        )
        .select_related("post__community", "post__author", "moderator", "review__verdict")
        .select_related("enforcement")
        .order_by("pk")
    )


def _write(file: TextIO, decisions: QuerySet[Decision]) -> Iterator[int]:
    """Write the rows; yield how many are written after each chunk."""
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    done, after = 0, 0
    while chunk := list(decisions.filter(pk__gt=after)[:CHUNK]):
        writer.writerows([[safe_cell(value) for value in _row(item)] for item in chunk])
        done, after = done + len(chunk), chunk[-1].pk
        yield done


def _row(decision: Decision) -> Sequence[object]:
    post, verdict = decision.post, decision.review.verdict
    enforcement = getattr(decision, "enforcement", None)
    return (
        decision.pk,
        decision.decided_at.isoformat(),
        post.community.slug,
        post.pk,
        decision.revision,
        post.author.external_id,
        decision.moderator.get_username(),
        decision.action,
        decision.category,
        decision.reason,
        verdict.action if verdict else None,
        verdict.rule if verdict else None,
        verdict.score if verdict else None,
        enforcement.reversed_at.isoformat() if enforcement and enforcement.reversed_at else None,
    )
