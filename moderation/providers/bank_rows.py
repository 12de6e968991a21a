"""Reads the banks from the database: all of them once, then only what has changed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import NamedTuple, TypeVar

from django.db.models import Q

from moderation.models import BankedHash, HashBank
from moderation.providers.shared.bank import EMPTY, Banked, Place, Stock
from moderation.vocabulary import BankKind, Category

_CHUNK = 20_000

Item = TypeVar("Item")


class _Bank(NamedTuple):
    kind: str
    place: Place
    max_distance: int
    active: bool


class _Memo(NamedTuple):
    """What was read: each bank with its version, and the entries whose enforcement is undone."""

    banks: dict[int, _Bank]
    versions: dict[int, int]
    withdrawn: frozenset[int]


def read_banks(before: Stock | None) -> Stock:
    """Return all entries in force, reading only what changed since `before`."""
    known = before.memo if before is not None else _Memo({}, {}, frozenset())
    now = _look()
    if before is not None and now == known:
        return before
    # Whole banks that were set up otherwise; of the rest what is newer than what was read.
    other = {pk for pk in {*known.banks, *now.banks} if known.banks.get(pk) != now.banks.get(pk)}
    grown = {
        pk: known.versions[pk]
        for pk in now.banks
        if pk not in other and now.versions[pk] != known.versions[pk]
    }
    changed = set(_changed_entries(grown))
    stock = (before or EMPTY).without(entries=changed | now.withdrawn, banks=other)
    version = hashlib.sha256(repr(now).encode()).hexdigest()[:12]
    for rows in _batched(_rows(now, other, changed), _CHUNK):
        stock = stock.with_rows(rows, version=version)
    return stock.with_rows((), version=version, memo=now)


def stock_of(bank_id: int, entries: Collection[int]) -> Stock:
    """Return some entries of a bank that are in force, all of them with none named."""
    which = Q(bank_id=bank_id, quarantined_at__isnull=True)
    if entries:
        which &= Q(pk__in=entries)
    stock = EMPTY
    for rows in _batched(_in_force(which, _look()), _CHUNK):
        stock = stock.with_rows(rows, version="")
    return stock


def labels_of(entries: Collection[int]) -> dict[int, str]:
    rows = BankedHash.objects.filter(pk__in=entries)
    return dict(rows.values_list("pk", "label"))


def _look() -> _Memo:
    """Read what tells whether anything changed: the few banks, and what was undone."""
    rows = HashBank.objects.order_by("pk").values_list(
        "pk", "kind", "name", "community_id", "max_distance", "active", "version"
    )
    banks, versions = {}, {}
    for pk, kind, name, community_id, max_distance, active, version in rows:
        banks[pk] = _Bank(kind, Place(pk, name, str(community_id or "")), max_distance, active)
        versions[pk] = version
    undone = BankedHash.objects.filter(enforcement__reversed_at__isnull=False)
    return _Memo(banks, versions, frozenset(undone.values_list("pk", flat=True)))


def _changed_entries(grown: dict[int, int]) -> Iterator[int]:
    for bank, version in grown.items():
        rows = BankedHash.objects.filter(bank_id=bank, version__gt=version)
        yield from rows.values_list("pk", flat=True).iterator(chunk_size=_CHUNK)


def _rows(now: _Memo, banks: Collection[int], changed: Collection[int]) -> Iterator[Banked]:
    whole = [pk for pk in banks if pk in now.banks and now.banks[pk].active]
    yield from _in_force(Q(bank_id__in=whole), now) if whole else ()
    for some in _batched(changed, 500):
        yield from _in_force(Q(pk__in=some), now)


def _in_force(which: Q, now: _Memo) -> Iterator[Banked]:
    rows = BankedHash.objects.filter(which, active=True).values_list(
        "pk",
        "bank_id",
        "perceptual_hash",
        "fingerprint",
        "simhash",
        "category",
        "max_distance",
        "quarantined_at",
    )
    for pk, bank_id, picture, text, near, category, distance, quarantined in rows.iterator(
        chunk_size=_CHUNK
    ):
        bank = now.banks.get(bank_id)
        if bank is None or not bank.active or pk in now.withdrawn:
            continue
        yield Banked(
            entry=pk,
            place=bank.place,
            kind=BankKind(bank.kind),
            mark=picture or text,
            category=Category(category),
            max_distance=bank.max_distance if distance is None else distance,
            near=near,
            in_doubt=quarantined is not None,
        )


def _batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    waiting = iter(items)
    while some := list(islice(waiting, size)):
        yield some
