"""Ada decided; Cy is asked again; Lea leads and knows what is golden."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from moderation.models import BlindCheck, Community, Decision, GoldenItem, Membership
from moderation.pipeline.review.review import decide_review
from moderation.quality.draw import draw_checks
from moderation.roles import LEAD, MODERATOR, ensure_roles
from moderation.vocabulary import Action, Category
from tests.admin.situations import queued
from tests.factories import CommunityFactory, UserFactory

Decide = Callable[..., Decision]


@pytest.fixture
def garden(db: None) -> Community:
    community: Community = CommunityFactory(name="Garden", slug="garden", second_look_share=1)
    return community


def member(name: str, role: str, community: Community, categories: tuple[str, ...] = ()) -> User:
    user: User = UserFactory(username=name, is_staff=True)
    user.groups.add(ensure_roles()[role])
    Membership.objects.create(user=user, community=community, categories=list(categories))
    return user


@pytest.fixture
def ada(garden: Community) -> User:
    return member("ada", MODERATOR, garden)


@pytest.fixture
def cy(garden: Community) -> User:
    return member("cy", MODERATOR, garden)


@pytest.fixture
def lea(garden: Community) -> User:
    return member("lea", LEAD, garden)


@pytest.fixture
def decide(garden: Community, ada: User) -> Decide:
    """Return what decides a new post as Ada, an hour ago."""

    def make(
        action: Action = Action.BLOCK,
        *,
        moderator: User = ada,
        category: Category = Category.HARASSMENT,
        community: Community = garden,
        **post_fields: object,
    ) -> Decision:
        review = queued(community, **post_fields)
        decision = decide_review(
            review_id=review.pk,
            moderator=moderator,
            action=action,
            reason="It insults somebody.",
            seen_revision=1,
            category=category,
        )
        Decision.objects.filter(pk=decision.pk).update(
            decided_at=timezone.now() - timedelta(hours=1)
        )
        return decision

    return make


@pytest.fixture
def drawn(decide: Decide) -> BlindCheck:
    decide()
    draw_checks()
    return BlindCheck.objects.get()


@pytest.fixture
def golden(garden: Community, lea: User) -> GoldenItem:
    return GoldenItem.objects.create(
        community=garden,
        title="Weather",
        body="What a fool wrote this forecast",
        action=Action.ALLOW,
        category=Category.HARASSMENT,
        explanation="It is rude about a text, not against a person.",
        made_by=lea,
    )
