"""Statements of reasons on their way into the public register: each once, whatever breaks.

A batch is stored there as a whole or not at all. Whoever does not hear the answer sends it again,
is told that it is known, and asks before believing it: the same is said of a batch that is only
under way.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from django.db.models.functions import Now

from moderation.conf import get_conf
from moderation.models import RegisterEntry, Statement
from moderation.models.enforcement import UNDONE
from moderation.transparency import register
from moderation.transparency.records import record_of
from moderation.transparency.register import Filing
from moderation.transparency.schema import MOST_IN_A_BATCH, words, wrong_with
from moderation.vocabulary import RegisterState

logger = logging.getLogger(__name__)

# A run ends after this many, so that a worker can be stopped.
MOST_BATCHES: Final = 50
_MOST_ENLISTED: Final = 5_000
# Statements get their keys before their transactions end: one may appear behind a later one.
_DISORDER: Final = 1_000
_LEASE: Final = timedelta(seconds=register.TIMEOUT_SECONDS * 4)
FIRST_WAIT_SECONDS: Final = 30.0
LONGEST_WAIT_SECONDS: Final = 6 * 3600.0
# Without a right there is nothing to try before a person has looked.
_NO_RIGHT_WAIT_SECONDS: Final = 900.0


@dataclass(slots=True)
class Exported:
    """What a run came to. `error` is a short code of what stopped it, "" for nothing."""

    filed: int = 0
    skipped: int = 0
    invalid: int = 0
    error: str = ""


def is_set_up() -> bool:
    return bool(get_conf().dsa_url and get_conf().dsa_token)


def file_statements() -> Exported:
    """Send what waits, batch by batch, until nothing does or the register says to stop."""
    done = Exported()
    if not is_set_up():
        return done
    _enlist()
    for _ in range(MOST_BATCHES):
        held = _claim()
        if not held:
            break
        _file(held, done)
        if done.error:
            logger.warning("statements_not_filed", extra={"error": done.error})
            break
    return done


def file_again(*, statement_id: int) -> bool:
    """Let a statement wait again that was refused; return whether there was one."""
    refused = RegisterEntry.objects.filter(pk=statement_id, state=RegisterState.INVALID)
    return bool(
        refused.update(state=RegisterState.DUE, due_at=Now(), wrong=[], settled_at=None, attempts=0)
    )


def _enlist() -> None:
    """Let statements wait that were issued since the last time.

    What a moderator decided waits until they can no longer undo it: the register forgets nothing.
    """
    undo = timedelta(seconds=get_conf().undo_seconds)
    last = RegisterEntry.objects.aggregate(last=Max("pk"))["last"] or 0
    fresh = Statement.objects.filter(pk__gt=last - _DISORDER, register_entry=None)
    RegisterEntry.objects.bulk_create(
        [
            RegisterEntry(statement_id=pk, due_at=Now() + undo if decision else Now())
            for pk, decision in fresh.order_by("pk").values_list("pk", "enforcement__decision")[
                :_MOST_ENLISTED
            ]
        ],
        ignore_conflicts=True,
    )


def _claim() -> list[RegisterEntry]:
    token = uuid4()
    with transaction.atomic():
        ids = list(
            RegisterEntry.objects.filter(
                Q(lease_until__isnull=True) | Q(lease_until__lt=Now()),
                state=RegisterState.DUE,
                due_at__lte=Now(),
            )
            .select_for_update(skip_locked=True)
            .order_by("due_at", "pk")
            .values_list("pk", flat=True)[:MOST_IN_A_BATCH]
        )
        RegisterEntry.objects.filter(pk__in=ids).update(
            lease_token=token, lease_until=Now() + _LEASE
        )
    return list(_held_by(token).select_related("statement__enforcement").order_by("pk"))


def _held_by(token: UUID) -> QuerySet[RegisterEntry]:
    return RegisterEntry.objects.filter(lease_token=token, state=RegisterState.DUE)


@dataclass(slots=True)
class _Batch:
    """Entries that are held together, and the records that are in order, by entry."""

    token: UUID
    records: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def puids(self) -> dict[str, int]:
        return {str(record["puid"]): pk for pk, record in self.records.items()}


def _file(held: Sequence[RegisterEntry], done: Exported) -> None:
    token = held[0].lease_token
    assert token is not None  # claimed a moment ago
    batch = _Batch(token)
    for entry in held:
        _prepare(entry, batch, done)
    if not batch.records:
        return
    filing = register.file(list(batch.records.values()))
    if not filing.error:
        _keep_filed(batch, filing.uuids, done)
        # What the register did not name is looked for the next time.
        _try_again(batch, list(batch.records), "")
        return
    if filing.known:
        _settle_known(batch, filing.known, done)
        return
    if filing.wrong:
        _keep_wrong(batch, filing.wrong, done)
        return
    _try_later(batch, filing, held)
    done.error = filing.error


def _prepare(entry: RegisterEntry, batch: _Batch, done: Exported) -> None:
    """Put an entry's record into the batch, or settle it without asking."""
    conf = get_conf()
    territory = conf.dsa_territory or frozenset(words()["territorial_scope_eu"])
    record = record_of(entry.statement, territory=sorted(territory))
    is_exempt = entry.statement.document["facts"]["category"] in conf.dsa_exempt_categories
    is_undone = entry.statement.enforcement.reversal_reason == UNDONE
    if record is None or is_exempt or is_undone:
        _settle(batch, [entry.pk], state=RegisterState.SKIPPED)
        done.skipped += 1
    elif wrong := wrong_with(record):
        _settle(batch, [entry.pk], state=RegisterState.INVALID, wrong=wrong)
        done.invalid += 1
        logger.error("statement_invalid", extra={"statement": entry.pk, "fields": _names(wrong)})
    else:
        batch.records[entry.pk] = record


def _keep_filed(batch: _Batch, uuids: Mapping[str, str], done: Exported) -> None:
    for puid, pk in batch.puids().items():
        if puid in uuids:
            _settle(batch, [pk], state=RegisterState.FILED, uuid=uuids[puid])
            del batch.records[pk]
            done.filed += 1


def _settle_known(batch: _Batch, known: frozenset[str], done: Exported) -> None:
    """Ask about what is said to be known; the others were not stored, and go at once."""
    for puid, pk in batch.puids().items():
        if puid not in known:
            continue
        if register.has(puid):
            _settle(batch, [pk], state=RegisterState.FILED)
            done.filed += 1
        else:
            # A batch of somebody else's holds it at this moment, or nobody says.
            _try_again(batch, [pk], register.REFUSED, wait=FIRST_WAIT_SECONDS)
        del batch.records[pk]
    _try_again(batch, list(batch.records), "")


def _keep_wrong(batch: _Batch, wrong: Mapping[int, list[tuple[str, str]]], done: Exported) -> None:
    ids = list(batch.records)
    for place, fields in wrong.items():
        if place < len(ids):
            _settle(batch, [ids[place]], state=RegisterState.INVALID, wrong=fields)
            del batch.records[ids[place]]
            done.invalid += 1
            extra = {"statement": ids[place], "fields": _names(fields)}
            logger.error("statement_refused", extra=extra)
    _try_again(batch, list(batch.records), "")


def _try_later(batch: _Batch, filing: Filing, held: Sequence[RegisterEntry]) -> None:
    tried = max(entry.attempts for entry in held)
    wait = min(FIRST_WAIT_SECONDS * 2.0 ** min(tried, 20), LONGEST_WAIT_SECONDS)
    if filing.error == register.NOT_AUTHORISED:
        wait = max(wait, _NO_RIGHT_WAIT_SECONDS)
    wait = max(wait, min(filing.retry_after_seconds or 0.0, LONGEST_WAIT_SECONDS))
    _try_again(batch, list(batch.records), filing.error, wait=wait * random.uniform(0.9, 1.1))  # noqa: S311


def _try_again(batch: _Batch, ids: Sequence[int], error: str, *, wait: float = 0.0) -> None:
    _held_by(batch.token).filter(pk__in=ids).update(
        lease_token=None,
        lease_until=None,
        # SQLite writes a sum with more digits than Now() has, which makes it later for a moment.
        due_at=Now() + timedelta(seconds=wait) if wait else Now(),
        attempts=F("attempts") + (1 if error else 0),
        last_error=error[:100],
    )


def _settle(batch: _Batch, ids: Sequence[int], **changes: object) -> None:
    _held_by(batch.token).filter(pk__in=ids).update(
        lease_token=None, lease_until=None, last_error="", settled_at=Now(), **changes
    )


def _names(wrong: Sequence[tuple[str, str]]) -> list[str]:
    return [name for name, _ in wrong]
