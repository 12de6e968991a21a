"""Verdicts, decisions, sanctions, edits, deletions, reversals and time, in any order.

Beside Gatehouse runs a model that knows only what was imposed and what was taken back. Whatever
came before: a post, its author, and what is remembered are what the model makes of the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from django.db import transaction
from django.db.models import F
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from moderation import queries
from moderation.errors import AuthorBarred
from moderation.models import (
    Author,
    Decision,
    Effect,
    Enforcement,
    Post,
    RejectedContent,
    Review,
    Statement,
)
from moderation.pipeline.intake.edit import delete_post, edit_post
from moderation.pipeline.review.reversal import foresee_reversal, reverse_enforcement
from moderation.pipeline.review.review import decide_review
from moderation.pipeline.review.undo import undo_decision
from moderation.policy.sanctions import Asked
from moderation.vocabulary import (
    Action,
    EffectKind,
    ReviewState,
    Sanction,
    Standing,
    Status,
    Visibility,
)
from tests.factories import CommunityFactory, make_moderator
from tests.pipeline.helpers import CLIENT, HARMLESS, THREAT, drain_all, send
from tests.pipeline.test_enforce import strict, use_policy

LEAD = ("view_review", "decide_review", "reverse_enforcement", "decide_escalated")
LIMITS = {
    EffectKind.POST_HOLD: "held_until",
    EffectKind.SILENCE: "silenced_until",
    EffectKind.SUSPENSION: "suspended_until",
}
FOR_EVER = timedelta(days=100_000)


@dataclass
class Imposed:
    """What one verdict or decision imposed, as the model remembers it."""

    pk: int
    post: int
    revision: int
    action: Action
    kinds: dict[EffectKind, timedelta]


class WhatStands(RuleBasedStateMachine):
    """Two posts of one author, and a lead who judges them."""

    def __init__(self) -> None:
        super().__init__()
        self.block = transaction.atomic()
        self.block.__enter__()
        queries.forget_everything()
        self.community = community = CommunityFactory.create()
        self.lead = make_moderator(community, LEAD)
        self.posts = send(community, HARMLESS, "Beans as well, this year")
        drain_all()
        self.standing: list[Imposed] = []
        self.clock = timedelta(0)

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.block.__exit__(None, None, None)

    def now(self, number: int) -> Post:
        return Post.objects.select_related("author").get(pk=self.posts[number].pk)

    def author(self) -> Author:
        return Author.objects.get(pk=self.posts[0].author_id)

    def note(self) -> None:
        """Take down what was imposed since the last look."""
        known = max((one.pk for one in self.standing), default=0)
        for row in Enforcement.objects.filter(pk__gt=known, reversed_at=None).order_by("pk"):
            number = next(n for n, post in enumerate(self.posts) if post.pk == row.post_id)
            ends = {
                EffectKind(effect.kind): self.clock + (effect.expires_at - row.created_at)
                if effect.expires_at
                else FOR_EVER
                for effect in row.effects.all()
            }
            self.standing.append(Imposed(row.pk, number, row.revision, Action(row.action), ends))

    # What may happen

    @rule(
        number=st.integers(0, 1),
        text=st.sampled_from([HARMLESS, f"{THREAT}!", THREAT]),
        is_unsure=st.booleans(),
    )
    def edit(self, number: int, text: str, is_unsure: bool) -> None:
        if self.now(number).deleted_at is not None:
            return
        barred = {EffectKind.SILENCE, EffectKind.SUSPENSION}
        expects_refusal = any(self.ends_of(kind) for kind in barred)
        try:
            edit_post(post_id=self.posts[number].pk, base_revision=None, actor=CLIENT, body=text)
        except AuthorBarred:
            assert expects_refusal
            return
        assert not expects_refusal
        use_policy(self.community, **({"thresholds": strict("review")} if is_unsure else {}))
        drain_all()
        self.note()

    @rule(
        number=st.integers(0, 1),
        action=st.sampled_from([Action.ALLOW, Action.WARN, Action.BLOCK, Action.BLOCK]),
        sanction=st.sampled_from(list(Sanction)),
        days=st.sampled_from([1, 3, None]),
        undone=st.booleans(),
    )
    def decide(
        self, number: int, action: Action, sanction: Sanction, days: int | None, undone: bool
    ) -> None:
        post = self.now(number)
        if post.deleted_at is not None:
            return
        review = Review.objects.filter(post=post, state=ReviewState.OPEN).first()
        if review is None:
            review = Review.objects.create(
                post=post, community_id=post.community_id, revision=post.revision
            )
        milder = {Action.ALLOW: Sanction.NONE, Action.WARN: Sanction.WARNING}
        before = self.seen(number)
        decision = decide_review(
            review_id=review.pk,
            moderator=self.lead,
            action=action,
            reason="As the rules say.",
            seen_revision=post.revision,
            sanction=Asked(milder.get(action, sanction), timedelta(days=days) if days else None),
        )
        if not undone:
            self.note()
            return
        undo_decision(decision_id=decision.pk, moderator=self.lead)
        review.refresh_from_db()
        assert (review.state, review.holder_id) == (ReviewState.OPEN, self.lead.pk)
        assert self.seen(number) == before

    @rule(number=st.integers(0, 1))
    def delete(self, number: int) -> None:
        if self.now(number).deleted_at is None:
            delete_post(post_id=self.posts[number].pk, actor=CLIENT)

    @rule(data=st.data())
    @precondition(lambda self: self.standing)
    def reverse(self, data: st.DataObject) -> None:
        one = data.draw(st.sampled_from(self.standing))
        row = Enforcement.objects.select_related("post__author").get(pk=one.pk)
        foreseen = foresee_reversal(row)
        made = reverse_enforcement(enforcement_id=one.pk, moderator=self.lead, reason="No.")
        assert made.proof.before == foreseen.before
        assert made.proof.after == foreseen.after
        self.standing.remove(one)
        if not any(EffectKind.STRIKE in other.kinds for other in self.standing):
            assert self.author().standing != Standing.WATCHED or (
                EffectKind.STRIKE not in one.kinds
            )

    @rule(days=st.sampled_from([1, 2, 31]))
    def let_time_pass(self, days: int) -> None:
        passed = timedelta(days=days)
        self.clock += passed
        Effect.objects.update(expires_at=F("expires_at") - passed)
        Enforcement.objects.update(created_at=F("created_at") - passed)
        Decision.objects.update(decided_at=F("decided_at") - passed)
        for field in LIMITS.values():
            # No end stays no end.
            Author.objects.filter(**{f"{field}__year__lt": 9000}).update(
                **{field: F(field) - passed}
            )

    @rule()
    def reverse_all(self) -> None:
        for one in list(self.standing):
            reverse_enforcement(enforcement_id=one.pk, moderator=self.lead, reason="No.")
        had_strikes = any(EffectKind.STRIKE in one.kinds for one in self.standing)
        self.standing.clear()
        author = self.author()
        assert [getattr(author, field) for field in LIMITS.values()] == [None] * 3 or (
            self.all_over(author)
        )
        if had_strikes:
            assert author.standing != Standing.WATCHED
        for number in (0, 1):
            post = self.now(number)
            hidden = Visibility.DELETED if post.deleted_at else Visibility.PUBLIC
            assert (post.status, post.visibility) == (Status.APPROVED, hidden)

    # What must be true then

    def ends_of(self, kind: EffectKind) -> list[timedelta]:
        ends = (one.kinds[kind] for one in self.standing if kind in one.kinds)
        return [end for end in ends if end > self.clock]

    def all_over(self, author: Author) -> bool:
        now = queries.database_now()
        return all(
            until is None or until <= now
            for until in (getattr(author, field) for field in LIMITS.values())
        )

    def seen(self, number: int) -> tuple[object, ...]:
        post, now = self.now(number), queries.database_now()
        return (
            post.status,
            post.visibility,
            *(
                until if until and until > now else None
                for until in (getattr(post.author, field) for field in LIMITS.values())
            ),
        )

    @invariant()
    def a_post_is_what_stands_of_it(self) -> None:
        for number in (0, 1):
            post = self.now(number)
            of_it = [
                one for one in self.standing if (one.post, one.revision) == (number, post.revision)
            ]
            status = {
                None: Status.APPROVED,
                Action.ALLOW: Status.APPROVED,
                Action.WARN: Status.APPROVED,
                Action.REVIEW: Status.IN_REVIEW,
                Action.BLOCK: Status.REJECTED,
            }[of_it[-1].action if of_it else None]
            assert post.status == status
            assert post.visibility == self.visible(post, of_it)
            waits = Review.objects.filter(post=post, state=ReviewState.OPEN).exists()
            assert waits or post.deleted_at or status != Status.IN_REVIEW

    def visible(self, post: Post, of_it: list[Imposed]) -> Visibility:
        if post.deleted_at is not None:
            return Visibility.DELETED
        shown = {
            EffectKind.HIDE: Visibility.HIDDEN,
            EffectKind.HOLD: Visibility.HELD,
            EffectKind.PUBLISH: Visibility.PUBLIC,
        }
        said = [shown[kind] for one in of_it for kind in one.kinds if kind in shown]
        return said[-1] if said else Visibility.PUBLIC

    @invariant()
    def an_author_is_limited_by_what_stands_and_has_not_ended(self) -> None:
        author, now = self.author(), queries.database_now()
        for kind, field in LIMITS.items():
            until: datetime | None = getattr(author, field)
            left = until - now if until and until > now else None
            ends = self.ends_of(kind)
            assert bool(left) is bool(ends), (kind, until)
            if left and max(ends) < FOR_EVER:
                assert abs(left - (max(ends) - self.clock)) < timedelta(minutes=5)

    @invariant()
    def a_standing_strike_keeps_its_author_watched(self) -> None:
        recent = Enforcement.objects.filter(
            pk__in=[one.pk for one in self.standing if EffectKind.STRIKE in one.kinds],
            created_at__gt=queries.database_now() - timedelta(days=30),
            effects__kind=EffectKind.STRIKE,
            effects__expires_at=None,
        )
        assert self.author().standing == Standing.WATCHED or not recent.exists()

    @invariant()
    def only_what_stands_is_remembered(self) -> None:
        remembered = RejectedContent.objects.filter(enforcement__reversed_at=None)
        standing = {one.pk for one in self.standing}
        assert set(remembered.values_list("enforcement", flat=True)) <= standing

    @invariant()
    def every_restriction_has_its_statement(self) -> None:
        told = set(Statement.objects.values_list("enforcement", flat=True))
        blocked = Enforcement.objects.filter(action__in=[Action.BLOCK, Action.WARN])
        assert set(blocked.values_list("pk", flat=True)) <= told


@pytest.mark.django_db
@pytest.mark.timeout(180)
def test_what_is_so_now_is_what_stands() -> None:
    run_state_machine_as_test(
        WhatStands,
        settings=settings(
            max_examples=25,
            stateful_step_count=14,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
