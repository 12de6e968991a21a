"""Who moderates what."""

from __future__ import annotations

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db.models import QuerySet

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
