"""What authors were told of restrictions, as it was told."""

from __future__ import annotations

from moderation.models import Author, Enforcement, Post, Statement
from moderation.queries.people import AnyUser

# Rescans and edits may add to them for as long as a post lives.
MOST_TOLD = 100


def statements_of(post: Post) -> list[Statement]:
    """Return the statements of reasons about a post, the newest first."""
    rows = Statement.objects.filter(enforcement__post=post).select_related("enforcement")
    return list(rows.order_by("-pk")[:MOST_TOLD])


def statement_of(enforcement: Enforcement) -> Statement | None:
    return Statement.objects.filter(enforcement=enforcement).first()


def authors_of(user: AnyUser) -> list[Author]:
    """Return who a user of this site is in each community."""
    if not user.is_authenticated:
        return []
    return list(Author.objects.filter(user=user.pk).select_related("community").order_by("pk"))
