"""A decision can be taken back before anybody outside has heard of it, and not after."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F
from pytest_django.fixtures import Settings

from moderation.delivery import outbox
from moderation.delivery.listeners import forget_listeners
from moderation.errors import NotAllowed, NotFound, UndoTooLate
from moderation.models import (
    AuditEvent,
    Author,
    Community,
    Decision,
    Endpoint,
    Enforcement,
    OutboxMessage,
    Post,
    Review,
)
from moderation.pipeline.appeals.appeal import open_appeal
from moderation.pipeline.intake.edit import edit_post
from moderation.pipeline.review.holding import hold_review
from moderation.pipeline.review.reversal import reverse_enforcement
from moderation.pipeline.review.review import decide_review
from moderation.pipeline.review.undo import undo_decision
from moderation.policy.sanctions import Asked
from moderation.queries import database_now
from moderation.queries.conduct import conduct_of
from moderation.queries.statements import statements_of
from moderation.vocabulary import (
    Action,
    DeliveryState,
    EndpointKind,
    ReviewState,
    Sanction,
    Visibility,
)
from moderation.webhooks import replay_range
from tests.delivery.helpers import add_webhook, deliver, make_due
from tests.delivery.receiver import Receiver
from tests.factories import CommunityFactory, make_moderator
from tests.pipeline.helpers import CLIENT, HARMLESS, drain_all, send
from tests.pipeline.test_enforce import strict, use_policy

pytestmark = pytest.mark.django_db

KINDS = ("decision.approved", "decision.rejected", "decision.undone", "enforcement.reversed")


@pytest.fixture(autouse=True)
def _can_undo(_told_at_once: None, settings: Settings) -> None:
    settings.MODERATION = {**settings.MODERATION, "undo_seconds": 10.0}


@pytest.fixture
def ada(garden: Community) -> User:
    return make_moderator(garden, ("view_review", "decide_review", "reverse_enforcement"))


def queued(community: Community) -> Review:
    use_policy(community, thresholds=strict("review"))
    [post] = send(community, HARMLESS)
    drain_all()
    return Review.objects.get(post=post)


def decide(review: Review, moderator: User, action: Action = Action.BLOCK) -> Decision:
    return decide_review(
        review_id=review.pk,
        moderator=moderator,
        action=action,
        reason="No insults.",
        seen_revision=1,
        sanction=Asked(Sanction.SILENCE) if action is Action.BLOCK else None,
    )


def pass_time(seconds: float) -> None:
    """Let a decision, and what waits to be told of it, be so much older."""
    passed = timedelta(seconds=seconds)
    Decision.objects.update(decided_at=F("decided_at") - passed)
    OutboxMessage.objects.update(due_at=F("due_at") - passed)


def told(receiver: Receiver) -> list[str]:
    return [one.json["type"] for one in receiver.sent if one.json["type"] in KINDS]


def test_a_decision_is_told_when_it_can_no_longer_be_undone(
    garden: Community, endpoint: Endpoint, receiver: Receiver, ada: User
) -> None:
    decision = decide(queued(garden), ada)
    # The state is there at once.
    assert Post.objects.get().visibility == Visibility.HIDDEN
    deliver()
    assert told(receiver) == []
    pass_time(10.5)
    deliver()
    assert told(receiver) == ["decision.rejected"]
    with pytest.raises(UndoTooLate):
        undo_decision(decision_id=decision.pk, moderator=ada)
    assert Enforcement.objects.get(decision=decision).reversed_at is None


def test_nobody_outside_hears_of_what_was_undone(
    garden: Community, endpoint: Endpoint, receiver: Receiver, ada: User
) -> None:
    review = queued(garden)
    hold_review(review_id=review.pk, moderator=ada)
    before = Post.objects.get()
    decision = decide(review, ada)
    made = undo_decision(decision_id=decision.pk, moderator=ada)
    post, author = Post.objects.get(), Author.objects.get()
    assert (post.status, post.visibility) == (before.status, before.visibility)
    assert (author.silenced_until, author.standing) == (None, "new")
    assert made.proof.before.limits.silenced_until is not None
    after = Review.objects.get()
    assert (after.state, after.holder, after.closed_at) == (ReviewState.OPEN, ada, None)
    assert (after.rank_at, after.lane) == (review.rank_at, review.lane)
    pass_time(60)
    make_due()
    deliver()
    assert told(receiver) == []
    # Nor when all that happened is sent once more.
    happened = AuditEvent.objects.order_by("happened_at")
    replay_range(
        endpoint_id=endpoint.pk,
        since=happened[0].happened_at,
        until=happened.reverse()[0].happened_at + timedelta(seconds=1),
        with_delivered=True,
        user=None,
    )
    pass_time(60)
    deliver()
    assert told(receiver) == []
    assert [event.kind for event in AuditEvent.objects.filter(kind__in=KINDS).order_by("pk")] == [
        "decision.rejected",
        "decision.undone",
    ]


def test_after_an_undo_the_same_moderator_decides_again(
    garden: Community, endpoint: Endpoint, receiver: Receiver, ada: User
) -> None:
    review = queued(garden)
    undo_decision(decision_id=decide(review, ada).pk, moderator=ada)
    decide(review, ada, Action.ALLOW)
    pass_time(11)
    deliver()
    assert told(receiver) == ["decision.approved"]
    assert Post.objects.get().visibility == Visibility.PUBLIC


def test_an_undone_warning_hides_the_post_again_and_leaves_no_mark_on_its_author(
    garden: Community, endpoint: Endpoint, receiver: Receiver, ada: User
) -> None:
    review = queued(garden)
    before = Post.objects.get()
    decision = decide_review(
        review_id=review.pk,
        moderator=ada,
        action=Action.WARN,
        reason="Mind the tone.",
        seen_revision=1,
        sanction=Asked(Sanction.WARNING),
    )
    assert Post.objects.get().visibility == Visibility.PUBLIC
    [given] = [one for one in statements_of(before) if one.enforcement.decision == decision]
    undo_decision(decision_id=decision.pk, moderator=ada)
    post = Post.objects.get()
    assert (post.status, post.visibility) == (before.status, before.visibility)
    given.enforcement.refresh_from_db()
    assert given.enforcement.reversed_at is not None
    # Nobody has warned them: the next one is the first.
    assert not conduct_of(post.author, database_now()).was_warned
    assert Review.objects.get().state == ReviewState.OPEN
    pass_time(60)
    deliver()
    assert told(receiver) == []


def test_only_whoever_decided_undoes_it_and_once(garden: Community, ada: User) -> None:
    decision = decide(queued(garden), ada)
    ben = make_moderator(garden)
    with pytest.raises(NotAllowed):
        undo_decision(decision_id=decision.pk, moderator=ben)
    undo_decision(decision_id=decision.pk, moderator=ada)
    with pytest.raises(NotFound):
        undo_decision(decision_id=decision.pk, moderator=ada)


def test_what_somebody_has_objected_to_cannot_be_undone(garden: Community, ada: User) -> None:
    decision = decide(queued(garden), ada)
    enforcement = Enforcement.objects.get(decision=decision)
    open_appeal(
        enforcement_id=enforcement.pk,
        author_id=enforcement.author_id,
        words="It is a quotation.",
        actor=CLIENT,
    )
    with pytest.raises(UndoTooLate):
        undo_decision(decision_id=decision.pk, moderator=ada)
    enforcement.refresh_from_db()
    assert enforcement.reversed_at is None


def test_undo_of_a_post_that_has_moved_on_opens_no_item(garden: Community, ada: User) -> None:
    review = queued(garden)
    decision = decide(review, ada, Action.ALLOW)
    edit_post(post_id=review.post_id, base_revision=1, actor=CLIENT, body="The peas are ripe")
    undo_decision(decision_id=decision.pk, moderator=ada)
    assert Review.objects.get(pk=review.pk).state == ReviewState.DECIDED


def test_a_reversal_is_told_after_what_it_reverses(
    garden: Community, endpoint: Endpoint, receiver: Receiver, ada: User
) -> None:
    decision = decide(queued(garden), ada)
    reverse_enforcement(enforcement_id=decision.enforcement.pk, moderator=ada, reason="A quote.")
    deliver()
    assert told(receiver) == []
    pass_time(11)
    deliver()
    assert told(receiver) == ["decision.rejected", "enforcement.reversed"]


def test_a_stream_gets_what_came_of_a_post_after_the_decision_that_may_be_undone(
    garden: Community, ada: User
) -> None:
    stream = Endpoint.objects.create(
        community=garden,
        kind=EndpointKind.STREAM,
        name="Ours",
        options={"service": "redis", "topic": "events"},
    )
    forget_listeners()
    review = queued(garden)
    outbox.claim(stream, 100)
    decide(review, ada, Action.ALLOW)
    edit_post(post_id=review.post_id, base_revision=1, actor=CLIENT, body="The peas are ripe")
    [other] = send(garden, "Somebody else's peas")
    assert [one.event.subject_id for one in outbox.claim(stream, 100)] == [str(other.pk)]  # type: ignore[union-attr]
    pass_time(11)
    kinds = [one.event_type for one in outbox.claim(stream, 100)]
    assert kinds == ["decision.approved", "post.edited"]


def test_without_time_to_undo_everything_is_told_at_once(
    garden: Community, endpoint: Endpoint, receiver: Receiver, ada: User, settings: Settings
) -> None:
    settings.MODERATION = {**settings.MODERATION, "undo_seconds": 0.0}
    decision = decide(queued(garden), ada)
    deliver()
    assert told(receiver) == ["decision.rejected"]
    with pytest.raises(UndoTooLate):
        undo_decision(decision_id=decision.pk, moderator=ada)


def test_message_that_a_courier_holds_makes_it_too_late(
    garden: Community, endpoint: Endpoint, ada: User
) -> None:
    decision = decide(queued(garden), ada)
    OutboxMessage.objects.filter(event_type="decision.rejected").update(
        due_at=F("due_at") - timedelta(seconds=20)
    )
    outbox.claim(endpoint, 10)
    with pytest.raises(UndoTooLate):
        undo_decision(decision_id=decision.pk, moderator=ada)
    assert Post.objects.get().visibility == Visibility.HIDDEN
    assert Author.objects.get().silenced_until is not None


@pytest.mark.django_db(transaction=True)
def test_courier_and_undo_at_once_never_both_win(receiver: Receiver) -> None:
    garden = CommunityFactory.create()
    endpoint = add_webhook(garden, receiver.url(), "decision.*")
    ada = make_moderator(garden)
    for number in range(12):
        use_policy(garden, thresholds=strict("review"))
        [post] = send(garden, f"{HARMLESS}, the {number}th time", writer=f"bo{number}")
        drain_all()
        decision = decide(Review.objects.get(post=post), ada)
        OutboxMessage.objects.filter(event_type="decision.rejected").update(
            due_at=F("due_at") - timedelta(seconds=20)
        )
        together = threading.Barrier(2)
        undone: list[bool] = []
        taken: list[OutboxMessage] = []

        def undo(
            decision: Decision = decision,
            undone: list[bool] = undone,
            together: threading.Barrier = together,
        ) -> None:
            together.wait()
            try:
                undo_decision(decision_id=decision.pk, moderator=ada)
                undone.append(True)
            except UndoTooLate:
                pass
            finally:
                connection.close()

        def take(
            taken: list[OutboxMessage] = taken, together: threading.Barrier = together
        ) -> None:
            together.wait()
            try:
                taken.extend(outbox.claim(endpoint, 10))
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for work in (undo, take)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert bool(undone) is not bool(taken)
        states = OutboxMessage.objects.filter(event__facts__decision=decision.pk)
        assert states.get().state == (DeliveryState.CANCELLED if undone else DeliveryState.DUE)
        reversed_at = Enforcement.objects.get(decision=decision).reversed_at
        assert (reversed_at is not None) is bool(undone)
        outbox.give_back(taken)
        OutboxMessage.objects.all().delete()
