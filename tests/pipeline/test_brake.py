"""A flood of false blocks: noticed beside the hot path, told to leads, held for everyone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail
from django.db.models import F, Sum
from django.utils import timezone

from moderation import queries
from moderation.errors import Conflict
from moderation.models import (
    AuditEvent,
    BlockTally,
    Brake,
    Community,
    Effect,
    Enforcement,
    Post,
    Submission,
    VerdictRecord,
)
from moderation.pipeline.rejudging import brake as braking
from moderation.pipeline.rejudging.brake import look, release_brake
from moderation.vocabulary import Action, BrakeKind, Status, SubmissionState, Visibility
from tests.asking.fakes import FakeService, toxic
from tests.factories import AuthorFactory, CommunityFactory, PostFactory, make_moderator
from tests.pipeline.helpers import HARMLESS, add_provider, drain_all, send
from tests.pipeline.test_enforce import use_policy


@pytest.fixture
def lea(community: Community) -> User:
    user = make_moderator(community, username="lea", email="lea@example.org")
    user.user_permissions.add(Permission.objects.get(codename="change_policyrevision"))
    return user


def judged(
    community: Community,
    number: int,
    *,
    rule: str = "nothing_fired",
    provider: str = "local_text",
    at: datetime | None = None,
) -> None:
    """Store verdicts as the pipeline leaves them, of a while ago."""
    author = AuthorFactory(community=community)
    at = at or timezone.now() - timedelta(seconds=30)
    for _ in range(number):
        post = PostFactory(author=author)
        submission = Submission.objects.create(
            post=post, revision=1, content_hash=post.content_hash, state=SubmissionState.DECIDED
        )
        VerdictRecord.objects.create(
            submission=submission,
            post=post,
            revision=1,
            content_hash=post.content_hash,
            policy=community.policy,
            action=Action.BLOCK if rule.endswith(".block") else Action.ALLOW,
            rule=rule,
            provider=provider,
            standing="known",
            judged_at=at,
        )


def usually(
    community: Community, hits: int = 8, total: int = 800, rule: str = "toxic.block"
) -> None:
    """Let a week have passed in which so many verdicts of all were blocks."""
    at = braking._bucket(timezone.now() - timedelta(days=2))
    for kind, name, number in (
        ("all", "", total),
        (BrakeKind.RULE, rule, hits),
        (BrakeKind.PROVIDER, "local_text", hits),
    ):
        BlockTally.objects.create(
            community=community, starts_at=at, kind=kind, name=name, hits=number
        )


def counted() -> dict[str, int]:
    """Return what was counted of each kind; five minutes may have ended in between."""
    rows = BlockTally.objects.order_by().values("kind").annotate(sum=Sum("hits"))
    return dict(rows.values_list("kind", "sum"))


def flood(community: Community, rule: str = "toxic.block", number: int = 40) -> None:
    judged(community, 20)
    judged(community, number, rule=rule)


def test_a_flood_pulls_the_brake_on_its_rule_once(community: Community, lea: User) -> None:
    usually(community)
    flood(community)
    [brake] = look()
    assert (brake.kind, brake.name) == (BrakeKind.RULE, "toxic.block")
    assert (brake.recent_hits, brake.recent_total) == (40, 60)
    assert (brake.usual_hits, brake.usual_total) == (8, 800)
    judged(community, 5, rule="toxic.block")
    assert look() == []
    event = AuditEvent.objects.get(kind="brake.pulled")
    assert (event.facts["name"], event.community_id) == ("toxic.block", community.pk)
    [told] = mail.outbox
    assert told.to == ["lea@example.org"]
    assert "the rule for toxic blocks far more than usual" in told.subject
    assert "40 of the last 60" in told.body


@pytest.mark.parametrize("usual_total", [0, 399])
def test_without_a_usual_rate_nothing_is_pulled(community: Community, usual_total: int) -> None:
    usually(community, hits=0, total=usual_total)
    flood(community)
    assert look() == []


def test_a_usual_rate_is_no_flood(community: Community) -> None:
    usually(community, hits=500, total=800)
    flood(community)
    assert look() == []


def test_another_communitys_flood_is_its_own(community: Community) -> None:
    usually(community)
    judged(community, 60)
    flood(CommunityFactory.create())
    assert look() == []


def test_verdicts_are_counted_once_however_often_somebody_looks(community: Community) -> None:
    flood(community, number=10)
    for _ in range(3):
        look()
    assert counted() == {"all": 30, "rule": 10, "provider": 10}


def test_a_provider_whose_rules_all_rise_is_braked_itself(community: Community) -> None:
    usually(community)
    judged(community, 60)
    for category in ("toxic", "threat", "hate", "spam"):
        judged(community, 15, rule=f"{category}.block")
    [brake] = look()
    assert (brake.kind, brake.name) == (BrakeKind.PROVIDER, "local_text")


def test_a_policy_may_do_without(community: Community) -> None:
    use_policy(community, brake={"watch": False})
    usually(community)
    flood(community)
    assert look() == []


# While it is pulled


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch, community: Community) -> FakeService:
    """A service that has gone mad: everything is toxic."""
    service = FakeService(f"wrong-{uuid4().hex[:8]}", toxic)
    add_provider(monkeypatch, service)
    use_policy(community, route={"text": [service.name]}, review_visibility="public")
    return service


def pull(community: Community, **fields: Any) -> Brake:
    counts = {"recent_hits": 40, "recent_total": 60, "usual_hits": 1, "usual_total": 800}
    made = {"kind": BrakeKind.RULE, "name": "toxic.block", **counts, **fields}
    brake = Brake.objects.create(community=community, **made)
    queries.forget_everything()
    return brake


def test_what_would_be_blocked_is_kept_for_a_person_without_a_strike(
    community: Community, wrong: FakeService
) -> None:
    pull(community)
    [post] = send(community, HARMLESS)
    drain_all()
    post = Post.objects.get(pk=post.pk)
    assert (post.status, post.visibility) == (Status.IN_REVIEW, Visibility.HELD)
    assert post.reviews.get().rule == "toxic.braked"
    effects = Effect.objects.filter(enforcement=Enforcement.objects.get())
    assert set(effects.values_list("kind", flat=True)) == {"hold", "queue"}


@pytest.mark.parametrize(
    "fields",
    [
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"released_at": timezone.now()},
        {"name": "hate.block"},
    ],
)
def test_it_holds_only_as_long_and_only_what_it_names(
    community: Community, wrong: FakeService, fields: dict[str, Any]
) -> None:
    pull(community, **fields)
    [post] = send(community, HARMLESS)
    drain_all()
    assert Post.objects.get(pk=post.pk).status == Status.REJECTED


def test_it_costs_no_query_of_its_own_for_a_batch(
    community: Community, wrong: FakeService, django_assert_num_queries: Any
) -> None:
    pull(community)
    assert queries.braked_in(community.pk).rules == {"toxic.block"}
    with django_assert_num_queries(0):
        for _ in range(100):
            queries.braked_in(community.pk)


def test_its_flood_still_counts_while_it_only_asks(community: Community) -> None:
    judged(community, 10, rule="toxic.braked")
    look()
    assert counted() == {"all": 10, "rule": 10}


# Its end


def test_a_lead_releases_it_and_it_is_not_pulled_for_the_same_again(
    community: Community, lea: User
) -> None:
    usually(community)
    flood(community)
    [brake] = look()
    release_brake(brake_id=brake.pk, user=lea)
    judged(community, 1, rule="toxic.block")
    assert look() == []
    with pytest.raises(Conflict):
        release_brake(brake_id=brake.pk, user=lea)
    event = AuditEvent.objects.get(kind="brake.released")
    assert (event.actor_id, event.facts["name"]) == (str(lea.pk), "toxic.block")


def test_it_ends_by_itself_as_the_policy_says_and_on_the_record(community: Community) -> None:
    use_policy(community, brake={"watch": True, "hours": 2})
    usually(community)
    flood(community)
    [brake] = look()
    assert brake.expires_at is not None
    assert timedelta(hours=1, minutes=59) < brake.expires_at - timezone.now() <= timedelta(hours=2)
    Brake.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    look()
    brake.refresh_from_db()
    assert brake.released_at is not None
    assert AuditEvent.objects.get(kind="brake.released").actor_kind == "system"


def passes(time: timedelta) -> None:
    """Let everything that happened lie further back."""
    # The oldest first: none takes the place of one that has not moved yet.
    for tally in BlockTally.objects.order_by("starts_at"):
        BlockTally.objects.filter(pk=tally.pk).update(starts_at=tally.starts_at - time)
    Brake.objects.update(pulled_at=F("pulled_at") - time, expires_at=F("expires_at") - time)


def test_a_flood_that_outlasts_its_brake_pulls_it_again(community: Community) -> None:
    """What nobody has looked at does not become usual by going on."""
    use_policy(community, brake={"watch": True, "hours": 1})
    usually(community)
    flood(community)
    [first] = look()
    for _ in range(6):
        passes(timedelta(minutes=11))
        flood(community, rule="toxic.braked", number=200)
        found = look()
    [again] = found
    first.refresh_from_db()
    assert first.released_at is not None
    assert again.pk != first.pk
    assert (again.usual_hits, again.usual_total) == (8, 800)


def test_what_a_lead_has_looked_at_is_usual_from_then_on(community: Community, lea: User) -> None:
    usually(community)
    flood(community)
    [brake] = look()
    release_brake(brake_id=brake.pk, user=lea)
    for _ in range(8):
        passes(timedelta(minutes=11))
        Brake.objects.update(released_at=F("released_at") - timedelta(minutes=11))
        flood(community, number=200)
        assert look() == []


def test_a_policy_may_leave_its_end_to_people(community: Community) -> None:
    use_policy(community, brake={"watch": True, "hours": None})
    usually(community)
    flood(community)
    [brake] = look()
    assert brake.expires_at is None


def test_old_counts_are_forgotten(community: Community) -> None:
    usually(community)
    BlockTally.objects.update(starts_at=timezone.now() - timedelta(days=8))
    judged(community, 1)
    look()
    assert set(BlockTally.objects.values_list("hits", flat=True)) == {1}
