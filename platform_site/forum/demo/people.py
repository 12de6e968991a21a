"""The demo's accounts and what each may do."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User

from moderation.models import Community, Membership
from moderation.roles import LEAD, MODERATOR, OPERATOR, READ_ONLY, ensure_roles

# Shown to whoever starts the demo; it protects nothing else.
PASSWORD = "gatehouse-demo"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Person:
    username: str
    role: str = ""


PEOPLE = (
    Person("ada", MODERATOR),
    Person("ben", MODERATOR),
    Person("lena", LEAD),
    Person("rey", READ_ONLY),
    Person("olga", OPERATOR),
    Person("bo"),
    Person("cy"),
)


def make_people(community: Community) -> dict[str, User]:
    """Return the demo's users by name; those who are there already stay as they are."""
    roles = ensure_roles()
    # One hash for all: it is slow on purpose, and they share the password anyway.
    password = make_password(PASSWORD)
    users = {}
    for person in PEOPLE:
        user, is_new = User.objects.get_or_create(
            username=person.username,
            defaults={
                "password": password,
                "first_name": person.username.capitalize(),
                "is_staff": bool(person.role),
            },
        )
        if is_new and person.role:
            user.groups.add(roles[person.role])
        if is_new and person.role not in ("", OPERATOR):
            Membership.objects.get_or_create(user=user, community=community)
        users[person.username] = user
    return users
