"""A post's life in any order: edits, late verdicts, decisions, reversals, deletion, by chance.

After every step the same few things must be true, whatever came before.
"""

from __future__ import annotations

import pytest
from django.db import transaction
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
from moderation.errors import ModerationError
from moderation.models import Enforcement, Post, Review, Submission, VerdictRecord
from moderation.pipeline.audit.seal import verify_record
from moderation.pipeline.enforcement.enforce import enforce
from moderation.pipeline.intake.edit import delete_post, edit_post
from moderation.pipeline.judging.judge import Judged, judge
from moderation.pipeline.judging.lease import claim
from moderation.pipeline.judging.screen import screen
from moderation.pipeline.review.reversal import reverse_enforcement
from moderation.pipeline.review.review import decide_review
from moderation.policy.fold import fold
from moderation.vocabulary import (
    Action,
    Lane,
    Reason,
    ReviewState,
    Standing,
    Status,
    SubmissionState,
    Visibility,
)
from tests.factories import CommunityFactory, make_moderator
from tests.pipeline.helpers import CLIENT, HARMLESS, THREAT, drain_all, send

LEAD = ("view_review", "decide_review", "reverse_enforcement", "decide_escalated")
TEXTS = st.sampled_from([HARMLESS, "Beans too", THREAT, f"{THREAT}!"])


class PostLife(RuleBasedStateMachine):
    """One post and everybody who may touch it."""

    def __init__(self) -> None:
        super().__init__()
        self.block = transaction.atomic()
        self.block.__enter__()
        queries.forget_everything()
        self.community = CommunityFactory.create()
        self.lead = make_moderator(self.community, LEAD)
        self.post = send(self.community, HARMLESS)[0]
        self.in_flight: list[list[Judged]] = []

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.block.__exit__(None, None, None)

    def now(self) -> Post:
        return Post.objects.get(pk=self.post.pk)

    @property
    def is_deleted(self) -> bool:
        return self.now().deleted_at is not None

    @rule(text=TEXTS)
    @precondition(lambda self: not self.is_deleted)
    def edit(self, text: str) -> None:
        edit_post(post_id=self.post.pk, base_revision=None, actor=CLIENT, body=text)

    @rule()
    def decide_what_is_due(self) -> None:
        drain_all()

    @rule()
    def take_and_dawdle(self) -> None:
        """A worker reaches its verdict and is then slow to deliver it."""
        for lane in (Lane.SCREEN_HIGH, Lane.SCREEN, Lane.SCREEN_LOW):
            claims = claim(lane, 10)
            if claims:
                self.in_flight.append(judge(screen(claims)))

    @rule(data=st.data())
    @precondition(lambda self: self.in_flight)
    def deliver_late(self, data: st.DataObject) -> None:
        """Late verdicts come in any order, and some of them twice."""
        number = data.draw(st.integers(0, len(self.in_flight) - 1))
        enforce(self.in_flight[number])

    @rule()
    def lose_every_lease(self) -> None:
        Submission.objects.filter(state=SubmissionState.DUE).update(
            lease_token=None, lease_until=None
        )

    @rule(action=st.sampled_from([Action.ALLOW, Action.WARN, Action.BLOCK]))
    def moderate(self, action: Action) -> None:
        review = Review.objects.filter(post=self.post, state=ReviewState.OPEN).first()
        if review is not None:
            decide_review(
                review_id=review.pk,
                moderator=self.lead,
                action=action,
                reason="Seen.",
                seen_revision=review.revision,
            )

    @rule(data=st.data())
    def reverse(self, data: st.DataObject) -> None:
        standing = list(Enforcement.objects.filter(post=self.post, reversed_at=None))
        if standing:
            chosen = data.draw(st.integers(0, len(standing) - 1))
            reverse_enforcement(
                enforcement_id=standing[chosen].pk, moderator=self.lead, reason="Taken back."
            )

    @rule()
    @precondition(lambda self: not self.is_deleted)
    def look_again(self) -> None:
        post = self.now()
        if not Submission.objects.filter(post=post, state=SubmissionState.DUE).exists():
            Submission.objects.create(
                post=post,
                revision=post.revision,
                content_hash=post.content_hash,
                reason=Reason.RESCAN,
            )

    @rule()
    def delete(self) -> None:
        try:
            delete_post(post_id=self.post.pk, actor=CLIENT)
        except ModerationError:
            assert self.is_deleted

    @invariant()
    def one_verdict_a_submission_and_one_first_verdict_a_revision(self) -> None:
        first = VerdictRecord.objects.filter(
            post=self.post, submission__reason__in=[Reason.NEW, Reason.EDIT]
        )
        revisions = list(first.values_list("revision", flat=True))
        assert len(revisions) == len(set(revisions))
        due = Submission.objects.filter(post=self.post, state=SubmissionState.DUE)
        assert due.count() <= 1

    @invariant()
    def row_is_the_fold_of_what_stands(self) -> None:
        post = self.now()
        state = fold(
            queries.enforced_on(post.pk, post.revision),
            judged=VerdictRecord.objects.filter(post=post, revision=post.revision).exists(),
            shown_before_verdict=post.shown_before_verdict,
            deleted=post.deleted_at is not None,
        )
        assert (post.status, post.visibility) == (state.status, state.visibility)

    @invariant()
    def threat_is_public_only_by_a_person_or_before_its_verdict(self) -> None:
        post = self.now()
        if post.visibility != Visibility.PUBLIC or not post.body.startswith(THREAT):
            return
        if post.status == Status.PENDING:
            assert post.author.standing != Standing.WATCHED or post.shown_before_verdict
            return
        on_this = Enforcement.objects.filter(post=post, revision=post.revision)
        assert (
            on_this.filter(decision__isnull=False).exists()
            or on_this.exclude(reversed_at=None).exists()
        )

    @invariant()
    def record_holds(self) -> None:
        assert verify_record().fault == ""


@pytest.mark.django_db
@pytest.mark.timeout(120)
def test_post_keeps_its_promises_whatever_happens_to_it():
    run_state_machine_as_test(
        PostLife,
        settings=settings(
            max_examples=40,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
