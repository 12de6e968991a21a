"""Who moderates what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db.models import Q, QuerySet

from moderation.models import Community

AnyUser = AbstractBaseUser | AnonymousUser


def moderates(user: AnyUser, community_id: int) -> bool:
    """Whether a user may see what is hidden in a community."""
    if not (user.is_authenticated and isinstance(user, User) and user.is_active and user.is_staff):
        return False
    if not user.has_perm("moderation.view_review"):
        return False
    return user.is_superuser or user.moderates.filter(community_id=community_id).exists()


def communities_moderated_by(user: User) -> QuerySet[Community]:
    if user.is_superuser:
        return Community.objects.all()
    return Community.objects.filter(staff__user=user)


@dataclass(frozen=True, slots=True)
class ReviewScope:
    """Which items a moderator works on: all of some communities, some categories of others.

    An item without a category is only for those who have all of its community.
    """

    is_everything: bool
    whole: frozenset[int] = frozenset()
    partly: Mapping[int, frozenset[str]] | None = None

    def allows(self, community_id: int, category: str | None) -> bool:
        if self.is_everything or community_id in self.whole:
            return True
        return category is not None and category in (self.partly or {}).get(community_id, ())

    def condition(self) -> Q:
        """Return what picks the items among reviews.

        Ids rather than a subquery: the index by rank then gives a page without sorting the rest.
        """
        if self.is_everything:
            return Q()
        found = Q(community__in=sorted(self.whole))
        for community_id, categories in sorted((self.partly or {}).items()):
            found |= Q(community=community_id, category__in=sorted(categories))
        return found


def review_scope(user: User) -> ReviewScope:
    if user.is_superuser:
        return ReviewScope(is_everything=True)
    rows = list(user.moderates.values_list("community_id", "categories"))
    return ReviewScope(
        is_everything=False,
        whole=frozenset(pk for pk, categories in rows if not categories),
        partly={pk: frozenset(categories) for pk, categories in rows if categories},
    )


def may_review(user: AnyUser, *, community_id: int, category: str | None) -> bool:
    """Whether an item of a community and a category is one of those that a user works on."""
    return (
        moderates(user, community_id)
        and isinstance(user, User)
        and review_scope(user).allows(community_id, category)
    )
