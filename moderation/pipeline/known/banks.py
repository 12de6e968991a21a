"""What is known again: banks and their entries, as people fill and change them.

Every change gives its bank the next version under the bank's row lock, so that each process reads
only what it has not seen. Locks: post first, then bank, then entries.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from moderation import queries
from moderation.conf import get_conf
from moderation.coordination.match_counts import forget_matches
from moderation.errors import Conflict, InvalidSubmission, NotAllowed, NotFound
from moderation.models import BankedHash, Effect, Enforcement, HashBank, MediaItem, Post
from moderation.models.posts import TEXT_KEY, media_key, visible_text
from moderation.pipeline.audit.record import Actor, record_change
from moderation.pipeline.casework import lock_post, must_in, record
from moderation.text.near import fingerprint_of, letters_of, near_hash
from moderation.vocabulary import Action, BankKind, Category, EffectKind

ADD = "moderation.add_bankedhash"
# Who looks things up in banks: pictures and texts, and texts alone.
ASKED = ("hash_bank", "reposts")
# One statement's worth of rows.
CHUNK = 1_000


class Entry(NamedTuple):
    """What something is known again by: a picture's PDQ hash, or a text's two hashes."""

    perceptual_hash: str = ""
    fingerprint: str = ""
    simhash: str = ""
    category: Category | None = None
    label: str = ""

    @property
    def kind(self) -> BankKind:
        return BankKind.IMAGE if self.perceptual_hash else BankKind.TEXT

    @property
    def mark(self) -> str:
        return self.perceptual_hash or self.fingerprint


@dataclass(frozen=True, slots=True)
class Bankable:
    """A part of a post that can be banked, under the key that evidence knows it by."""

    key: str
    entry: Entry
    media: MediaItem | None = None
    text: str = ""


def text_entry(text: str) -> Entry:
    """Raises `InvalidSubmission` for a text that is too short to be known again."""
    letters = letters_of(text)
    mark = fingerprint_of(letters)
    if not mark:
        raise InvalidSubmission("This text is too short: others say the same.")
    return Entry(fingerprint=mark, simhash=near_hash(letters))


# --- banks ---------------------------------------------------------------------------------------


def save_bank(*, bank: HashBank, user: User | Actor | None) -> HashBank:
    """Store a bank, or a change of it."""
    with transaction.atomic():
        if bank.pk:
            bank.version = _lock(bank.pk).version
        bank.version += 1
        bank.save()
        record_change(
            "bank.set_up",
            subject=("hash_bank", str(bank.pk)),
            community_id=bank.community_id,
            user=user,
            facts={
                "name": bank.name,
                "kind": bank.kind,
                "max_distance": bank.max_distance,
                "active": bank.active,
            },
        )
    return bank


def save_entry(*, banked: BankedHash, user: User | Actor | None) -> BankedHash:
    """Store what a person banks by hand, or a change of it."""
    with transaction.atomic():
        bank = _next_version(banked.bank_id)
        banked.version = bank.version
        banked.save()
        record_change(
            "bank.changed",
            subject=("bank", str(banked.pk)),
            community_id=bank.community_id,
            user=user,
            facts={
                "bank": bank.pk,
                "hash": banked.perceptual_hash or banked.fingerprint,
                "category": banked.category,
                "active": banked.active,
            },
        )
    return banked


@dataclass(frozen=True, slots=True)
class Added:
    """How many entries of a list were new, and how many were there already."""

    stored: int
    known: int


def add_entries(*, bank: HashBank, entries: Sequence[Entry], user: User | Actor | None) -> Added:
    """Add a list to a bank, all or nothing; what the bank has already is left as it is."""
    unique = {entry.mark: entry for entry in entries}
    with transaction.atomic():
        locked = _next_version(bank.pk)
        known = _known(locked, unique)
        fresh = [entry for mark, entry in unique.items() if mark not in known]
        rows = [_row(locked, entry) for entry in fresh]
        BankedHash.objects.bulk_create(rows, batch_size=CHUNK)
        record_change(
            "bank.imported",
            subject=("hash_bank", str(locked.pk)),
            community_id=locked.community_id,
            user=user,
            facts={"stored": len(fresh), "known": len(entries) - len(fresh)},
        )
    return Added(len(fresh), len(entries) - len(fresh))


def _known(bank: HashBank, marks: Collection[str]) -> set[str]:
    field = "perceptual_hash" if bank.kind == BankKind.IMAGE else "fingerprint"
    found: set[str] = set()
    waiting = iter(marks)
    while some := list(islice(waiting, 500)):
        rows = BankedHash.objects.filter(
            bank=bank, enforcement__isnull=True, **{f"{field}__in": some}
        )
        found.update(rows.values_list(field, flat=True))
    return found


def _row(bank: HashBank, entry: Entry, enforcement: Enforcement | None = None) -> BankedHash:
    return BankedHash(
        bank=bank,
        perceptual_hash=entry.perceptual_hash,
        fingerprint=entry.fingerprint,
        simhash=entry.simhash,
        category=entry.category or bank.category,
        label=entry.label,
        enforcement=enforcement,
        version=bank.version,
    )


def _lock(bank_id: int) -> HashBank:
    bank = HashBank.objects.select_for_update(no_key=True).filter(pk=bank_id).first()
    if bank is None:
        raise NotFound(f"There is no bank {bank_id}.")
    return bank


def _next_version(bank_id: int) -> HashBank:
    bank = _lock(bank_id)
    bank.version += 1
    bank.save(update_fields=["version"])
    return bank


# --- from a decision -----------------------------------------------------------------------------


def bankable_parts(post: Post) -> list[Bankable]:
    """Return what of a post's current revision can be known again: its text, its pictures."""
    media = queries.media_of([post]).get(post.pk, [])
    text = visible_text(post.title, post.body, [item.alt_text for item in media])
    found = []
    if fingerprint_of(letters_of(text)):
        found.append(Bankable(TEXT_KEY, text_entry(text), text=text))
    found += [
        Bankable(media_key(item.pk), Entry(perceptual_hash=item.perceptual_hash), media=item)
        for item in media
        if item.perceptual_hash
    ]
    return found


def enforcement_to_bank(post: Post) -> Enforcement | None:
    """Return what took the post's current revision down, None where nothing did."""
    standing = Enforcement.objects.filter(
        post=post, revision=post.revision, action=Action.BLOCK, reversed_at__isnull=True
    )
    return standing.order_by("-pk").first()


def banks_for(community_id: int, *, user: User) -> list[HashBank]:
    """Return the banks that a person may fill from a post of this community."""
    mine = HashBank.objects.filter(community_id=community_id, active=True)
    for_all = HashBank.objects.filter(community__isnull=True, active=True)
    return list((mine | for_all if user.is_superuser else mine).order_by("name"))


def bank_content(
    *, enforcement_id: int, moderator: User, parts: Collection[str], bank_ids: Collection[int]
) -> list[BankedHash]:
    """Let an enforcement own that parts of its post are known from now on.

    `parts` are keys of `bankable_parts`; each goes into those of the banks that are of its kind.
    Reversing the enforcement takes exactly these entries out of force. What it has banked before
    is left. Raises `NotFound`, `NotAllowed`, `InvalidSubmission` for nothing to bank, `Conflict`
    when the enforcement is reversed or the post has changed since.
    """
    with transaction.atomic():
        enforcement, post = _held(enforcement_id, moderator)
        banks = [_next_version(pk) for pk in sorted(set(bank_ids))]
        for bank in banks:
            if bank.community_id != post.community_id and not (
                bank.community_id is None and moderator.is_superuser
            ):
                raise NotAllowed()
        chosen = [part.entry for part in bankable_parts(post) if part.key in parts]
        rows = [
            _row(bank, entry._replace(label=f"post {str(post.pk)[-12:]}"), enforcement)
            for bank in banks
            for entry in chosen
            if entry.kind == bank.kind
        ]
        rows = list(_not_banked_by(enforcement, rows))
        if not rows:
            raise InvalidSubmission("Choose a part and a bank of its kind that lacks it.")
        BankedHash.objects.bulk_create(rows)
        Effect.objects.get_or_create(enforcement=enforcement, kind=EffectKind.BANK)
        record(
            "bank.filled",
            post,
            moderator,
            {"enforcement": enforcement.pk, "entries": [row.pk for row in rows]},
        )
    return rows


def _held(enforcement_id: int, moderator: User) -> tuple[Enforcement, Post]:
    found = Enforcement.objects.filter(pk=enforcement_id).first()
    if found is None:
        raise NotFound(f"There is no enforcement {enforcement_id}.")
    post = lock_post(found.post_id)
    must_in(moderator, ADD, post.community_id)
    found = Enforcement.objects.select_for_update(no_key=True).get(pk=found.pk)
    if found.reversed_at is not None:
        raise Conflict("This enforcement is reversed: nothing is banked by it.")
    if found.revision != post.revision:
        raise Conflict("The post has changed since: what was enforced is no longer there.")
    return found, post


def _not_banked_by(enforcement: Enforcement, rows: Sequence[BankedHash]) -> Iterator[BankedHash]:
    mine = BankedHash.objects.filter(enforcement=enforcement)
    had = set(mine.values_list("bank_id", "perceptual_hash", "fingerprint"))
    for row in rows:
        place = (row.bank_id, row.perceptual_hash, row.fingerprint)
        if place not in had:
            had.add(place)
            yield row


# --- in doubt ------------------------------------------------------------------------------------


def quarantine_entry(*, entry_id: int, matches: int, posts: int) -> BankedHash | None:
    """Let an entry only ask for people from now on; None when it does already, or is gone."""
    with transaction.atomic():
        found = BankedHash.objects.filter(pk=entry_id, quarantined_at__isnull=True).first()
        if found is None:
            return None
        bank = _next_version(found.bank_id)
        won = BankedHash.objects.filter(pk=entry_id, quarantined_at__isnull=True).update(
            quarantined_at=Now(), version=bank.version
        )
        if not won:
            return None
        record_change(
            "bank.quarantined",
            subject=("bank", str(entry_id)),
            community_id=bank.community_id,
            user=None,
            facts={"bank": bank.pk, "matches": matches, "posts": posts},
        )
    return BankedHash.objects.select_related("bank__community").get(pk=entry_id)


def release_entry(*, entry_id: int, user: User) -> BankedHash:
    """Let an entry be evidence by itself again. Raises `NotFound`, `NotAllowed`, `Conflict`."""
    with transaction.atomic():
        found = BankedHash.objects.select_related("bank").filter(pk=entry_id).first()
        if found is None:
            raise NotFound(f"There is no banked hash {entry_id}.")
        must_keep(user, found.bank)
        bank = _next_version(found.bank_id)
        won = BankedHash.objects.filter(pk=entry_id, quarantined_at__isnull=False).update(
            quarantined_at=None, version=bank.version
        )
        if not won:
            raise Conflict("This entry is not in quarantine.")
        record_change(
            "bank.released",
            subject=("bank", str(entry_id)),
            community_id=bank.community_id,
            user=user,
            facts={"bank": bank.pk},
        )
    forget_matches(entry_id, seconds=get_conf().bank_flood_seconds)
    found.refresh_from_db()
    return found


def must_keep(user: User, bank: HashBank) -> None:
    """Raise `NotAllowed` unless a person may change what is in a bank."""
    if bank.community_id is None:
        if not (user.is_superuser and user.is_active):
            raise NotAllowed("A bank for all communities needs an administrator.")
        return
    must_in(user, "moderation.change_bankedhash", bank.community_id)
