"""Constraints that several models share."""

from __future__ import annotations

from django.db.models import CheckConstraint, Choices, Q


def one_of(field: str, choices: type[Choices], table: str) -> CheckConstraint:
    """The database itself refuses a word that the vocabulary does not know."""
    return CheckConstraint(
        name=f"{table}_{field}_known", condition=Q(**{f"{field}__in": choices.values})
    )
