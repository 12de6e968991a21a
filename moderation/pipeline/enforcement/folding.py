"""Write what a post and its author are now: the fold of the enforcements that stand."""

from __future__ import annotations

from django.db.models import Q
from django.db.models.functions import Now

from moderation import queries
from moderation.models import Author, Effect, Post
from moderation.models.posts import INDEFINITELY
from moderation.policy.fold import Imposed, Limits, PostState, fold, fold_sanctions
from moderation.vocabulary import EffectKind

# What limits an author beyond the one post.
LIMITING = (EffectKind.POST_HOLD, EffectKind.SILENCE, EffectKind.SUSPENSION)


def refold(post: Post) -> None:
    """Write what the post is now. The caller holds its row."""
    state = state_of(post)
    post.status, post.visibility = state.status, state.visibility
    Post.objects.filter(pk=post.pk).update(
        status=state.status, visibility=state.visibility, decided_at=Now()
    )


def state_of(post: Post, *, without: int = 0) -> PostState:
    """Return what a post is by what stands, or would be `without` one enforcement."""
    return fold(
        queries.enforced_on(post.pk, post.revision, without=without),
        judged=post.verdicts.filter(revision=post.revision).exists(),
        shown_before_verdict=post.shown_before_verdict,
        deleted=post.deleted_at is not None,
    )


def refold_author(author_id: int) -> Limits:
    """Write what limits an author now.

    Their row is locked first: two enforcements of one author that come at once each see the
    other's. The caller holds no lock on another author.
    """
    Author.objects.select_for_update(no_key=True).get(pk=author_id)
    limits = limits_of(author_id)
    Author.objects.filter(pk=author_id).update(
        held_until=limits.held_until,
        silenced_until=limits.silenced_until,
        suspended_until=limits.suspended_until,
    )
    return limits


def limits_of(author_id: int, *, without: int = 0) -> Limits:
    """Return what limits an author by what stands, or would `without` one enforcement."""
    standing = Effect.objects.filter(
        Q(expires_at__isnull=True) | Q(expires_at__gt=Now()),
        kind__in=LIMITING,
        enforcement__author_id=author_id,
        enforcement__reversed_at__isnull=True,
    ).exclude(enforcement_id=without)
    return fold_sanctions(
        (
            Imposed(EffectKind(kind), until)
            for kind, until in standing.values_list("kind", "expires_at")
        ),
        now=queries.database_now(),
        for_ever=INDEFINITELY,
    )
