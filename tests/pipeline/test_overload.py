"""When verdicts come too late, the policy says what happens meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from moderation import queries
from moderation.models import ProviderResult, Submission
from moderation.vocabulary import Visibility
from tests.pipeline.helpers import HARMLESS, drain_all, send
from tests.pipeline.test_enforce import use_policy


@pytest.fixture
def backlog(community):
    """A submission that has waited for two minutes."""
    send(community, "An old post", writer="old")
    Submission.objects.update(created_at=Now() - timedelta(minutes=2))
    queries.forget_everything()


@pytest.mark.parametrize(
    ("seconds", "then", "visibility"),
    [
        (60, "hold", Visibility.HELD),
        (600, "hold", Visibility.PUBLIC),  # not late enough
        (60, "local_only", Visibility.PUBLIC),
    ],
)
def test_new_posts_wait_while_verdicts_are_late(community, backlog, seconds, then, visibility):
    use_policy(community, overload={"oldest_due_seconds": seconds, "then": then})
    queries.forget_everything()
    assert send(community, HARMLESS)[0].visibility == visibility


def test_holding_ends_by_itself(community, backlog):
    use_policy(community, overload={"oldest_due_seconds": 60, "then": "hold"})
    assert send(community, HARMLESS)[0].visibility == Visibility.HELD
    drain_all()
    queries.forget_everything()
    assert send(community, "Beans too")[0].visibility == Visibility.PUBLIC


def test_only_local_providers_are_asked_while_verdicts_are_late(community, backlog):
    use_policy(
        community,
        route={"text": ["local_text", "somewhere_else"]},
        overload={"oldest_due_seconds": 60, "then": "local_only"},
    )
    drain_all()
    said = set(ProviderResult.objects.values_list("provider", "error"))
    assert said == {("local_text", ""), ("somewhere_else", "overload")}
    send(community, HARMLESS)
    drain_all()
    said = set(ProviderResult.objects.values_list("provider", "error"))
    assert ("somewhere_else", "unknown_provider") in said
