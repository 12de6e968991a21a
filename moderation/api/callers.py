"""What a caller may read and write, and in whose name: an integrator's key, or one person.

A key speaks for a whole community: it submits for any of its people and reads all their posts.
A user of this site speaks for themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from django.contrib.auth.models import User
from django.db.models import QuerySet

from moderation import queries
from moderation.api.limits import Bucket
from moderation.conf import get_conf
from moderation.coordination.token_bucket import Limit
from moderation.credentials import DEFAULT_TIER, Tier, tier_of
from moderation.errors import InvalidFields, NotFound
from moderation.models import ApiKey, Appeal, Community, Post, Report
from moderation.pipeline.audit.record import Actor
from moderation.pipeline.intake.submit import Writer
from moderation.queries import appeals as known
from moderation.vocabulary import ActorKind, Priority, Scope


class Caller(Protocol):
    """Who sent a request."""

    @property
    def client(self) -> str:
        """Makes idempotency keys private to the caller; at most 60 characters."""

    @property
    def actor(self) -> Actor:
        """How the record names the caller."""

    @property
    def priority(self) -> Priority:
        """How soon the caller's posts are looked at while many wait."""

    @property
    def speaks_for_others(self) -> bool:
        """Whether a post must say whose it is."""

    def may(self, scope: Scope) -> bool:
        """Whether the caller was given this right."""

    def bucket(self) -> Bucket:
        """Return the bucket that the caller's requests take tokens from."""

    def community(self, slug: str) -> Community:
        """Return the community meant; "" means the only one. Raises `NotFound`, `InvalidFields`."""

    def posts(self) -> QuerySet[Post]:
        """Return what the caller may read."""

    def judged_posts(self) -> QuerySet[Post]:
        """Return the posts of which the caller may read what was decided: what is held against
        an author outlives the post, and can be objected to.
        """

    def history(self, author: str) -> QuerySet[Post]:
        """Return one author's posts; "" means all that a key opens, and a user's own.

        Raises `InvalidFields`.
        """

    def reports(self) -> QuerySet[Report]:
        """Return the reports that the caller may read, the newest first."""

    def appeals(self) -> QuerySet[Appeal]:
        """Return the appeals that the caller may read, the newest first."""

    def owns(self, post: Post) -> bool:
        """Whether the caller may change a post, and read why it was judged as it was."""

    def writer(self) -> Writer | None:
        """Return who writes when the caller does, None when each post says so itself."""


@dataclass(frozen=True, slots=True)
class KeyCaller:
    """An integrator: one community's key, or an organisation's for all its communities."""

    key: ApiKey
    speaks_for_others = True

    @property
    def client(self) -> str:
        return f"key:{self.key.key_id}"

    @property
    def actor(self) -> Actor:
        return Actor(ActorKind.API_KEY, self.key.key_id)

    @property
    def priority(self) -> Priority:
        return Priority(self.key.priority)

    def may(self, scope: Scope) -> bool:
        return scope.value in self.key.scopes

    def bucket(self) -> Bucket:
        return _client_bucket("key", self.client, tier_of(self.key))

    def community(self, slug: str) -> Community:
        own = self.key.community
        if own is not None:
            if slug and slug != own.slug:
                raise NotFound(f"This key does not open a community {slug!r}.")
            return own
        if not slug:
            raise InvalidFields.of("community", "An organisation's key must name a community.")
        community = queries.get_community(slug)
        if community.organisation_id != self.key.organisation_id:
            raise NotFound(f"This key does not open a community {slug!r}.")
        return community

    def communities(self) -> QuerySet[Community]:
        """Return every community that the key opens."""
        if self.key.community_id is not None:
            return Community.objects.filter(pk=self.key.community_id)
        return Community.objects.filter(organisation=self.key.organisation_id)

    def posts(self) -> QuerySet[Post]:
        owner = self.key.community or self.key.organisation
        assert owner is not None  # a constraint of the table
        return queries.posts_of(owner)

    def judged_posts(self) -> QuerySet[Post]:
        owner = self.key.community or self.key.organisation
        assert owner is not None  # a constraint of the table
        return queries.posts_once_of(owner)

    def history(self, author: str) -> QuerySet[Post]:
        return self.posts().filter(author__external_id=author) if author else self.posts()

    def reports(self) -> QuerySet[Report]:
        owner = self.key.community or self.key.organisation
        assert owner is not None  # a constraint of the table
        return queries.reports_in(owner)

    def appeals(self) -> QuerySet[Appeal]:
        owner = self.key.community or self.key.organisation
        assert owner is not None  # a constraint of the table
        return known.appeals_in(owner)

    def owns(self, post: Post) -> bool:
        return True

    def writer(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class SiteCaller:
    """A user of this site, by their session."""

    user: User
    speaks_for_others = False
    priority = Priority.NORMAL

    @property
    def client(self) -> str:
        return f"user:{self.user.pk}"

    @property
    def actor(self) -> Actor:
        return Actor(ActorKind.AUTHOR, str(self.user.pk))

    def may(self, scope: Scope) -> bool:
        return scope in (Scope.SUBMIT, Scope.READ, Scope.CHECK)

    def bucket(self) -> Bucket:
        return author_bucket(self.client)

    def community(self, slug: str) -> Community:
        if not slug:
            raise InvalidFields.of("community", "Name the community to post in.")
        community = queries.get_community(slug)
        if not community.open_to_site_users:
            raise NotFound(f"There is no community {slug!r} for users of this site.")
        return community

    def posts(self) -> QuerySet[Post]:
        return queries.posts_for(self.user)

    def judged_posts(self) -> QuerySet[Post]:
        return self.posts() | Post.objects.filter(author__user=self.user.pk)

    def history(self, author: str) -> QuerySet[Post]:
        if author not in ("", self.client):
            raise InvalidFields.of("author", "You can list your own posts only.")
        return queries.own_posts(self.user)

    def reports(self) -> QuerySet[Report]:
        return queries.reports_of(self.user)

    def appeals(self) -> QuerySet[Appeal]:
        return known.appeals_of(self.user)

    def owns(self, post: Post) -> bool:
        return post.author.user_id == self.user.pk

    def writer(self) -> Writer:
        return Writer.for_user(self.user.pk, self.user.get_username())


@dataclass(frozen=True, slots=True)
class OpenCaller:
    """Whoever uses the keyless endpoints that an operator opened; all are one client."""

    client = "open"
    speaks_for_others = True
    priority = Priority.NORMAL

    @property
    def actor(self) -> Actor:
        return Actor(ActorKind.API_KEY, self.client)

    def may(self, scope: Scope) -> bool:
        return scope in (Scope.SUBMIT, Scope.READ)

    def bucket(self) -> Bucket:
        return _client_bucket("open", self.client, DEFAULT_TIER)

    def community(self, slug: str) -> Community:
        only = get_conf().open_content_community
        if slug not in ("", only):
            raise NotFound(f"There is no open community {slug!r}.")
        return queries.get_community(only)

    def posts(self) -> QuerySet[Post]:
        return queries.posts_of(self.community(""))

    def judged_posts(self) -> QuerySet[Post]:
        return self.posts()

    def history(self, author: str) -> QuerySet[Post]:
        return self.posts().filter(author__external_id=author)

    def reports(self) -> QuerySet[Report]:
        return Report.objects.none()

    def appeals(self) -> QuerySet[Appeal]:
        return Appeal.objects.none()

    def owns(self, post: Post) -> bool:
        return False

    def writer(self) -> None:
        return None


OPEN_CALLER = OpenCaller()


# A share so small that what a process forfeits is never missed.
_AHEAD_SHARE = 200


def _client_bucket(name: str, client: str, tier: Tier) -> Bucket:
    return Bucket(
        name, client, Limit(tier.burst, tier.per_second), ahead=tier.burst // _AHEAD_SHARE
    )


def author_bucket(author: str) -> Bucket:
    """Return what one person may send: a site user, or a client's own id of somebody."""
    conf = get_conf()
    return Bucket("author", author, Limit(conf.rate_burst, conf.rate_per_second))
