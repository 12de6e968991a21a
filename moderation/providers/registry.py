"""Which providers exist, by the name that policies route to. A new one is a line here."""

from __future__ import annotations

from functools import cache

from moderation.errors import ProviderRejected
from moderation.models import BankedHash
from moderation.providers.base import Provider
from moderation.providers.hash_bank import Banked, HashBankProvider
from moderation.providers.local_image import LocalImageProvider
from moderation.providers.local_text import LocalTextProvider
from moderation.vocabulary import Category


def _read_bank() -> list[Banked]:
    return [
        Banked(
            perceptual_hash=row.perceptual_hash,
            category=Category(row.category),
            label=row.label,
            max_distance=row.max_distance,
            scope=str(row.community_id or ""),
        )
        for row in BankedHash.objects.filter(active=True)
    ]


@cache
def providers() -> dict[str, Provider]:
    """Return every provider of this installation; each loads its model when first asked."""
    known: tuple[Provider, ...] = (
        LocalTextProvider(),
        LocalImageProvider(),
        HashBankProvider(_read_bank),
    )
    return {provider.name: provider for provider in known}


def get_provider(name: str) -> Provider:
    """Raises `ProviderRejected` for a name that a policy must not route to."""
    try:
        return providers()[name]
    except KeyError:
        raise ProviderRejected(f"There is no provider {name!r}.") from None


def is_local(name: str) -> bool:
    provider = providers().get(name)
    return provider is not None and provider.is_local
