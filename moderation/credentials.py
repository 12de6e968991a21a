"""API keys: made once, shown once, found by their id, compared in constant time.

A key reads `gate_<id>_<secret><checksum>`. The checksum lets a scanner of leaked secrets tell a
key from noise without asking us.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q
from django.db.models.functions import Now

from moderation.conf import get_conf
from moderation.coordination.short_memory import ShortMemory
from moderation.errors import InvalidSubmission
from moderation.models import ApiKey, Community, Organisation
from moderation.vocabulary import Priority, Scope

_FORM = re.compile(r"gate_([a-z0-9]{12})_([A-Za-z0-9]{32})([a-f0-9]{8})\Z")
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_ALL_LETTERS = _LETTERS + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# A revoked key stops working within a second in every process.
_found: ShortMemory[ApiKey | None] = ShortMemory()
_used: ShortMemory[None] = ShortMemory(seconds=60)


# More than this no site of one machine takes; it bounds what is typed.
MOST_PER_SECOND = 1_000_000.0
LARGEST_BURST = 1_000_000


@dataclass(frozen=True, slots=True)
class Tier:
    """How much a key may send, and how soon that is looked at while many wait.

    None is what the site's settings say.
    """

    rate_per_second: float | None = None
    rate_burst: int | None = None
    priority: Priority = Priority.NORMAL

    @property
    def per_second(self) -> float:
        return self.rate_per_second or get_conf().key_rate_per_second

    @property
    def burst(self) -> int:
        return self.rate_burst or get_conf().key_rate_burst


DEFAULT_TIER = Tier()


def tier_of(key: ApiKey) -> Tier:
    return Tier(key.rate_per_second, key.rate_burst, Priority(key.priority))


def issue_key(
    *,
    owner: Community | Organisation,
    scopes: Iterable[str],
    name: str = "",
    expires_at: datetime | None = None,
    tier: Tier = DEFAULT_TIER,
) -> tuple[ApiKey, str]:
    """Store a new key and return it with its text, which is never to be had again.

    Raises `InvalidSubmission` for a scope that does not exist.
    """
    wanted = sorted(set(scopes))
    unknown = [scope for scope in wanted if scope not in Scope.values]
    if unknown or not wanted:
        known = ", ".join(Scope.values)
        raise InvalidSubmission(f"Scopes are among {known}; got {', '.join(unknown) or 'none'}.")
    key_id = _random(12, _LETTERS)
    secret = _random(32, _ALL_LETTERS)
    row = ApiKey.objects.create(
        key_id=key_id,
        secret_digest=_digest(secret),
        name=name,
        organisation=owner if isinstance(owner, Organisation) else None,
        community=owner if isinstance(owner, Community) else None,
        scopes=wanted,
        expires_at=expires_at,
        rate_per_second=tier.rate_per_second,
        rate_burst=tier.rate_burst,
        priority=tier.priority,
    )
    return row, f"gate_{key_id}_{secret}{_checksum(key_id, secret)}"


def rotate_key(key: ApiKey, *, overlap: timedelta) -> tuple[ApiKey, str]:
    """Issue a successor with the same rights; the old key works for `overlap` at the most."""
    owner = key.owner
    successor = issue_key(
        owner=owner,
        scopes=key.scopes,
        name=key.name,
        expires_at=key.expires_at,
        tier=tier_of(key),
    )
    ends = Now() + overlap
    sooner = Q(expires_at__isnull=True) | Q(expires_at__gt=ends)
    ApiKey.objects.filter(sooner, pk=key.pk).update(expires_at=ends)
    return successor


def change_tier(key: ApiKey, tier: Tier) -> None:
    """Give a key another tier; within a second it holds in every process."""
    ApiKey.objects.filter(pk=key.pk).update(
        rate_per_second=tier.rate_per_second, rate_burst=tier.rate_burst, priority=tier.priority
    )


def revoke_key(key: ApiKey) -> None:
    ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=Now())


def find_key(text: str) -> ApiKey | None:
    """Return the living key that a text is, with its community and organisation, or None."""
    match = _FORM.match(text)
    if match is None:
        return None
    key_id, secret, checksum = match.groups()
    if not hmac.compare_digest(checksum, _checksum(key_id, secret)):
        return None
    key = _found.get(key_id, lambda: _living(key_id))
    # An unknown id costs the same comparison as a known one.
    kept = key.secret_digest if key else _digest("")
    if not hmac.compare_digest(kept, _digest(secret)) or key is None:
        return None
    _used.get(key.pk, lambda: _note_use(key.pk))
    return key


def _living(key_id: str) -> ApiKey | None:
    return (
        ApiKey.objects.select_related("community", "organisation")
        .filter(Q(expires_at__isnull=True) | Q(expires_at__gt=Now()))
        .filter(key_id=key_id, revoked_at__isnull=True)
        .first()
    )


def _note_use(pk: int) -> None:
    ApiKey.objects.filter(pk=pk).filter(
        Q(last_used_at__isnull=True) | Q(last_used_at__lt=Now() - timedelta(minutes=1))
    ).update(last_used_at=Now())


def forget_keys() -> None:
    """Drop what this process remembers of keys; for tests."""
    _found.clear()
    _used.clear()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _checksum(key_id: str, secret: str) -> str:
    return f"{zlib.crc32(f'{key_id}_{secret}'.encode()):08x}"


def _random(length: int, letters: str) -> str:
    return "".join(secrets.choice(letters) for _ in range(length))
