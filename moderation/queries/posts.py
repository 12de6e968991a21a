"""Which posts and files somebody may read, and why a post is what it is."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet

from moderation.errors import NotFound
from moderation.models import Community, Enforcement, MediaItem, Organisation, Post, PostRevision
from moderation.policy.explanation import Explanation, explain_decision, explain_verdict
from moderation.policy.fold import Enforced
from moderation.queries.people import AnyUser, moderates
from moderation.vocabulary import Action, EffectKind, Status, Visibility

# Everyone else's site is theirs: what a client's community publishes is not published here.
_PUBLIC_HERE = Q(visibility=Visibility.PUBLIC, community__open_to_site_users=True)


def public_posts() -> QuerySet[Post]:
    """Return what every visitor of this site may read."""
    return Post.objects.filter(_PUBLIC_HERE)


def posts_for(user: AnyUser) -> QuerySet[Post]:
    """Return the posts that a user of this site may read: public ones and their own."""
    allowed = _PUBLIC_HERE
    if user.is_authenticated:
        allowed |= Q(author__user=user.pk) & ~Q(visibility=Visibility.DELETED)
    return Post.objects.filter(allowed)


def get_post_for(user: AnyUser, post_id: UUID) -> Post:
    """Raises `NotFound` for what is not there and for what this user may not read alike."""
    post = posts_for(user).select_related("author", "community", "parent").filter(pk=post_id)
    found = post.first()
    if found is None:
        raise NotFound("There is no such post.")
    return found


def may_read_as(author_id: int, post: Post) -> bool:
    """Whether whoever is this author may read a post of the same community."""
    if post.visibility == Visibility.PUBLIC:
        return True
    return post.author_id == author_id and post.visibility != Visibility.DELETED


def own_posts(user: User) -> QuerySet[Post]:
    return (
        Post.objects.filter(author__user=user)
        .exclude(visibility=Visibility.DELETED)
        .select_related("community", "author", "parent")
    )


def posts_of(owner: Community | Organisation) -> QuerySet[Post]:
    """Return what an API client reads: every post of its community or communities.

    All but the deleted ones, which nobody reads.
    """
    return posts_once_of(owner).exclude(visibility=Visibility.DELETED)


def posts_once_of(owner: Community | Organisation) -> QuerySet[Post]:
    """Return every post of a community or an organisation, deleted ones too."""
    mine = Q(community=owner) if isinstance(owner, Community) else Q(community__organisation=owner)
    return Post.objects.filter(mine).select_related("community", "author", "parent")


def explanations_of(posts: Collection[Post]) -> dict[UUID, Explanation]:
    """Return why each post's current revision is what it is, in words for its author.

    A post that is still being checked, or was approved without remark, is absent.
    """
    wanted = {post.pk: post.revision for post in posts if post.status != Status.PENDING}
    if not wanted:
        return {}
    standing = (
        Enforcement.objects.filter(post_id__in=wanted, reversed_at__isnull=True)
        .select_related("verdict", "decision")
        .order_by("pk")
    )
    # The last word on a post counts, as in the fold of its state.
    latest = {row.post_id: row for row in standing if row.revision == wanted[row.post_id]}
    return {
        post_id: explanation_of(row)
        for post_id, row in latest.items()
        if row.action != Action.ALLOW
    }


def explanation_of(enforcement: Enforcement) -> Explanation:
    """Return why an enforcement was made, in words for the author of its post."""
    decision, verdict = enforcement.decision, enforcement.verdict
    if decision is not None:
        return explain_decision(Action(decision.action), decision.category, decision.reason)
    assert verdict is not None  # a constraint: an enforcement has one cause
    return explain_verdict(Action(enforcement.action), verdict.rule, verdict.category)


def current_media(post: Post) -> QuerySet[MediaItem]:
    return post.media.filter(
        Q(removed_in_revision__isnull=True) | Q(removed_in_revision__gt=post.revision),
        added_in_revision__lte=post.revision,
    )


def media_of(posts: Collection[Post]) -> dict[UUID, list[MediaItem]]:
    """Return what the current revision of each post shows; a post without attachments is absent."""
    revisions = {post.pk: post.revision for post in posts}
    found: dict[UUID, list[MediaItem]] = {}
    for item in MediaItem.objects.filter(post_id__in=revisions):
        if item.post_id is not None and item.shows_in(revisions[item.post_id]):
            found.setdefault(item.post_id, []).append(item)
    return found


def get_media_for(user: AnyUser, media_id: UUID) -> MediaItem:
    """Return an attachment whose bytes a user may read now. Raises `NotFound`.

    Readers get what the current revision of a public post shows; authors their own; moderators
    what belongs to a community of theirs.
    """
    items = MediaItem.objects.select_related("post", "author", "community")
    item = items.filter(pk=media_id).first()
    if item is None or not _may_read_media(user, item):
        raise NotFound("There is no such file.")
    return item


def is_for_everyone(item: MediaItem) -> bool:
    """Whether every visitor of this site may read an attachment's bytes now."""
    return (
        item.post is not None
        and item.post.visibility == Visibility.PUBLIC
        and item.community.open_to_site_users
        and item.shows_in(item.post.revision)
    )


def _may_read_media(user: AnyUser, item: MediaItem) -> bool:
    # First: whoever looks at the user makes the answer depend on cookies.
    if is_for_everyone(item) or moderates(user, item.community_id):
        return True
    if item.post is None or item.post.visibility == Visibility.DELETED:
        return False
    return user.is_authenticated and item.author.user_id == user.pk


def text_at(post: Post, revision: int) -> tuple[str, str]:
    """Return title and body of a revision; those of the present one where it was not kept."""
    kept: Post | PostRevision = post
    if revision != post.revision:
        kept = PostRevision.objects.filter(post=post, revision=revision).first() or post
    return kept.title, kept.body


def enforced_on(post_id: UUID, revision: int, *, without: int = 0) -> list[Enforced]:
    """Return a revision's unreversed enforcements in the order they were made.

    `without` leaves one out by its id, to see what its reversal would bring.
    """
    return [
        Enforced(
            action=Action(row.action),
            effects=tuple(EffectKind(effect.kind) for effect in row.effects.all()),
        )
        for row in Enforcement.objects.filter(
            post_id=post_id, revision=revision, reversed_at__isnull=True
        )
        .exclude(pk=without)
        .prefetch_related("effects")
        .order_by("pk")
    ]
