"""An author's record, as a sanction is weighed by it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db.models import Q

from moderation.models import Author, Effect, Post
from moderation.policy.sanctions import WINDOW, Conduct, Strike
from moderation.vocabulary import Category, EffectKind, Status

# As far back as a share of somebody's posts says how they write now.
_LATEST: Final = 50
_MOST_EFFECTS: Final = 100


def conduct_of(author: Author, now: datetime) -> Conduct:
    """Return what stands against an author, and how their latest posts fared. Two queries."""
    rows = list(
        Effect.objects.filter(
            Q(expires_at__isnull=True) | Q(expires_at__gt=now),
            kind__in=(EffectKind.STRIKE, EffectKind.WARNING),
            enforcement__author=author,
            enforcement__reversed_at__isnull=True,
            enforcement__created_at__gte=now - WINDOW,
        )
        .order_by("-pk")
        .values_list(
            "kind",
            "enforcement__created_at",
            "enforcement__decision__category",
            "enforcement__verdict__category",
        )[:_MOST_EFFECTS]
    )
    statuses = list(
        Post.objects.filter(author=author)
        .order_by("-pk")
        .values_list("status", flat=True)[:_LATEST]
    )
    return Conduct(
        strikes=[
            Strike(at, _category(decided or judged))
            for kind, at, decided, judged in rows
            if kind == EffectKind.STRIKE
        ],
        # Whoever had a strike was told what the next one brings.
        was_warned=bool(rows),
        posts=len(statuses),
        rejected=statuses.count(Status.REJECTED),
    )


def _category(name: str | None) -> Category | None:
    return Category(name) if name else None
