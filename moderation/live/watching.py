"""What a watcher may see now: short reads, each made anew, never from what a socket remembers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from uuid import UUID

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from moderation import queries
from moderation.coordination.short_memory import ShortMemory
from moderation.models import Author, Post, Review
from moderation.queries import AnyUser
from moderation.vocabulary import Visibility

# What one page shows, and some more.
SNAPSHOT_POSTS = 200
MOST_COUNTED = 1000


@dataclass(frozen=True, slots=True)
class Watched:
    """What decides who may be told of a post."""

    id: UUID
    revision: int
    status: str
    visibility: str
    community_id: int
    owner_id: int | None
    is_open: bool

    def line(self) -> dict[str, object]:
        """Return a snapshot's line: enough to see that a page is out of date, no content."""
        return {
            "post": str(self.id),
            "revision": self.revision,
            "status": self.status,
            "visibility": self.visibility,
        }

    def is_for(self, user: AnyUser) -> bool:
        is_public_here = self.is_open and self.visibility == Visibility.PUBLIC
        return is_public_here or self.is_of(user)

    def is_of(self, user: AnyUser) -> bool:
        """Whether it is the user's own, or belongs to a community that they moderate."""
        if self.visibility == Visibility.DELETED:
            return False
        is_owner = self.owner_id is not None and self.owner_id == user.pk
        return is_owner or queries.moderates(user, self.community_id)


def user_of_session(session_key: str | None) -> AnyUser:
    """Return who a session belongs to now: nobody once it ended or its user was shut out."""
    if not session_key:
        return AnonymousUser()
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    return auth.get_user(request)


def topic_posts(user: AnyUser, topic_id: UUID) -> list[Watched]:
    """Return the newest posts of a topic that a user may read, the topic itself first."""
    posts = list(
        _watched(
            queries.posts_for(user)
            .filter(Q(pk=topic_id) | Q(parent=topic_id))
            .order_by("-pk")[:SNAPSHOT_POSTS]
        )
    )
    if len(posts) == SNAPSHOT_POSTS and topic_id not in {post.id for post in posts}:
        topic = find_post(topic_id)
        if topic is not None and topic.is_for(user):
            posts.append(topic)
    return posts


def own_posts(user: User) -> list[Watched]:
    return list(_watched(queries.own_posts(user).order_by("-pk")[:SNAPSHOT_POSTS]))


def own_author_ids(user: User) -> set[int]:
    """Return whom a user is, in each community where they have posted."""
    return set(Author.objects.filter(user=user).values_list("pk", flat=True))


def moderated_communities(user: User) -> tuple[set[int], queries.ReviewScope]:
    """Return the communities whose queue a user may watch, none without the right to see it; and
    which items of them are theirs.
    """
    ids = set(queries.communities_moderated_by(user).values_list("pk", flat=True))
    # The right is the same for all of them: asking once is enough.
    if not ids or not queries.moderates(user, next(iter(ids))):
        return set(), queries.ReviewScope(is_everything=False)
    return ids, queries.review_scope(user)


def count_open_reviews(user: User) -> int:
    """Return how many items wait for a moderator, at most `MOST_COUNTED`."""
    waiting = queries.review_queue(user).order_by().select_related(None)
    return waiting[:MOST_COUNTED].count()


def find_post(post_id: UUID) -> Watched | None:
    return next(_watched(Post.objects.filter(pk=post_id)), None)


_at_hint: ShortMemory[Watched | None] = ShortMemory()


def post_at_hint(post_id: UUID, sequence: int) -> Watched | None:
    """Return a post as it is when its hint has come: one read for all watchers of this process.

    The hint was sent after the commit of that step, so a read made for it is never older.
    """
    return _at_hint.get((post_id, sequence), lambda: find_post(post_id))


_categories: ShortMemory[str | None] = ShortMemory()


def category_at_hint(post_id: UUID, sequence: int) -> str | None:
    """Return the category of a post's newest item in the queue, read once as `post_at_hint` is."""

    def read() -> str | None:
        found = Review.objects.filter(post_id=post_id).order_by("-pk")
        return found.values_list("category", flat=True).first()

    return _categories.get((post_id, sequence), read)


def _watched(posts: QuerySet[Post]) -> Iterator[Watched]:
    rows = posts.select_related(None).values_list(
        "pk",
        "revision",
        "status",
        "visibility",
        "community_id",
        "author__user_id",
        "community__open_to_site_users",
    )
    return (Watched(*row) for row in rows)
