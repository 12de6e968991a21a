"""The smallest valid things, each with what its kind needs and nothing more.

Named people: Ada moderates, Bo writes, Cy is a stranger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import factory
from django.contrib.auth.models import Permission, User
from factory.django import DjangoModelFactory

from moderation.credentials import issue_key
from moderation.models import (
    ApiKey,
    Author,
    Community,
    HashBank,
    Membership,
    Organisation,
    PolicyRevision,
    Post,
)
from moderation.policy.document import DEFAULT_DOCUMENT
from moderation.roles import ensure_roles
from moderation.vocabulary import PostKind, Scope, Status, Visibility


class UserFactory(DjangoModelFactory[User]):
    """A user of this site, who can log in with `password`."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda number: f"bo{number}")
    password = factory.django.Password("password")


class OrganisationFactory(DjangoModelFactory[Organisation]):
    class Meta:
        model = Organisation

    slug = factory.Sequence(lambda number: f"organisation-{number}")
    name = factory.LazyAttribute(lambda made: made.slug.replace("-", " ").title())


class CommunityFactory(DjangoModelFactory[Community]):
    """A community whose policy is in force: `policy__document` makes it another one."""

    class Meta:
        model = Community
        skip_postgeneration_save = True

    organisation = factory.SubFactory(OrganisationFactory)
    slug = factory.Sequence(lambda number: f"community-{number}")
    name = factory.LazyAttribute(lambda made: made.slug.replace("-", " ").title())

    @factory.post_generation
    def policy(made: Community, create: bool, extracted: object, **fields: object) -> None:  # noqa: N805
        if not create:
            return
        fields.setdefault("document", DEFAULT_DOCUMENT)
        made.policy = PolicyRevision.objects.create(community=made, number=1, **fields)
        made.save(update_fields=["policy"])


class AuthorFactory(DjangoModelFactory[Author]):
    """An API client's person; with `user` (and `external_id=f"user:{user.pk}"`) one of the site."""

    class Meta:
        model = Author

    community = factory.SubFactory(CommunityFactory)
    user = None
    external_id = factory.Sequence(lambda number: f"person-{number}")
    name = factory.LazyAttribute(lambda made: made.user.username if made.user else "Bo")


class PostFactory(DjangoModelFactory[Post]):
    """A stored topic that nothing was asked about yet: without submission, verdict or record."""

    class Meta:
        model = Post

    author = factory.SubFactory(AuthorFactory)
    community = factory.SelfAttribute("author.community")
    kind = factory.LazyAttribute(lambda made: PostKind.REPLY if made.parent else PostKind.TOPIC)
    parent = None
    title = "Tomatoes"
    body = "The tomatoes are finally ripe."
    content_hash = factory.LazyAttribute(
        lambda made: hashlib.sha256(f"{made.title}\n{made.body}".encode()).hexdigest()
    )
    status = Status.APPROVED
    visibility = Visibility.PUBLIC


class HashBankFactory(DjangoModelFactory[HashBank]):
    """A bank of pictures for all communities; of one with `community`, of texts with `kind`."""

    class Meta:
        model = HashBank

    name = factory.Sequence(lambda number: f"Known {number}")


def site_author(user: User, community: Community) -> Author:
    """Return the author that a user of this site is in a community, as the pipeline makes it."""
    author: Author = AuthorFactory.create(
        community=community, user=user, external_id=f"user:{user.pk}", name=user.username
    )
    return author


def make_moderator(
    community: Community,
    permissions: Iterable[str] = ("view_review", "decide_review"),
    **fields: str,
) -> User:
    """Return a member of staff who may see and decide the reviews of one community."""
    user: User = UserFactory.create(is_staff=True, **fields)
    Membership.objects.create(user=user, community=community)
    user.user_permissions.set(Permission.objects.filter(codename__in=list(permissions)))
    return user


def member_of(community: Community, role: str, **fields: str) -> User:
    """Return a member of staff with a role, in one community."""
    user: User = UserFactory.create(is_staff=True, **fields)
    user.groups.add(ensure_roles()[role])
    Membership.objects.create(user=user, community=community)
    return user


def make_key(
    owner: Community | Organisation, scopes: Iterable[str] = (Scope.SUBMIT, Scope.READ)
) -> tuple[ApiKey, str]:
    """Return a new API key and its text."""
    return issue_key(owner=owner, scopes=scopes)
