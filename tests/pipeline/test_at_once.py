"""Two steps of casework at the same moment: each is whole, one after the other, and none waits in
a circle.

Each pair is tried a few times: which of the two is first is the machine's to say.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection

from moderation.errors import ModerationError
from moderation.models import (
    Appeal,
    Author,
    Community,
    Decision,
    DecisionBatch,
    Enforcement,
    Post,
    Report,
    Review,
)
from moderation.pipeline.appeals.appeal import open_appeal
from moderation.pipeline.enforcement.folding import limits_of, state_of
from moderation.pipeline.intake.draft import Writer
from moderation.pipeline.intake.edit import delete_post, edit_post
from moderation.pipeline.reports.report import NewReport, report_post
from moderation.pipeline.review.cluster import Picked, decide_together, reverse_together
from moderation.pipeline.review.reversal import reverse_enforcement
from moderation.pipeline.review.review import decide_review, escalate_review
from moderation.pipeline.review.undo import undo_decision
from moderation.policy.sanctions import Asked
from moderation.vocabulary import (
    Action,
    Category,
    ReportSource,
    ReportState,
    ReviewState,
    Sanction,
    Status,
)
from tests.factories import AuthorFactory, CommunityFactory, PostFactory, make_moderator
from tests.pipeline.helpers import CLIENT
from tests.pipeline.test_review import LEAD

ROUNDS = 3
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _can_undo(settings):
    settings.MODERATION = {**settings.MODERATION, "undo_seconds": 60.0}


@pytest.fixture
def garden(transactional_db: None) -> Community:
    community: Community = CommunityFactory.create()
    return community


@pytest.fixture
def people(garden: Community) -> tuple[User, User]:
    return make_moderator(garden, LEAD), make_moderator(garden, LEAD)


def at_once(*acts: Callable[[], object]) -> list[BaseException | None]:
    """Run acts at the same moment; return why each was refused, None for those that went well."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> None:
        start.wait()
        try:
            act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as threads:
        ended = [threads.submit(run, act) for act in acts]
    found = [one.exception() for one in ended]
    for error in found:
        # A deadlock is none of ours.
        if error is not None and not isinstance(error, ModerationError):
            raise error
    return found


def queued(community: Community, author: Author | None = None) -> tuple[Post, Review]:
    """Return a post that waits for a person, because a reader has reported it."""
    author = author or AuthorFactory.create(community=community)
    post = PostFactory.create(author=author, status=Status.PENDING, shown_before_verdict=True)
    return post, reported_by(post, "cy")


def report(post: Post, reader: str) -> Report:
    new = NewReport(post, Writer(reader), Category.HARASSMENT, source=ReportSource.CLIENT)
    return report_post(new).report


def reported_by(post: Post, reader: str) -> Review:
    review = report(post, reader).review
    assert review is not None
    return review


def decide(
    review: Review,
    moderator: User,
    action: Action = Action.BLOCK,
    sanction: Asked | None = None,
) -> Decision:
    return decide_review(
        review_id=review.pk,
        moderator=moderator,
        action=action,
        reason="No insults.",
        seen_revision=review.revision,
        sanction=sanction,
    )


def reverse(enforcement_id: int, moderator: User) -> object:
    return reverse_enforcement(
        enforcement_id=enforcement_id, moderator=moderator, reason="It was a joke."
    )


def edit(post: Post, body: str) -> object:
    return edit_post(post_id=post.pk, base_revision=1, actor=CLIENT, body=body)


def object_to(enforcement_id: int, post: Post) -> object:
    return open_appeal(
        enforcement_id=enforcement_id, author_id=post.author_id, words="Why?", actor=CLIENT
    )


def must_be_whole(*posts: Post) -> None:
    """Whatever came first: everything is what the enforcements that stand make of it."""
    for post in posts:
        now = Post.objects.select_related("author").get(pk=post.pk)
        folded = state_of(now)
        assert (now.status, now.visibility) == (folded.status, folded.visibility)
        waiting = Review.objects.filter(post=post, state=ReviewState.OPEN).count()
        assert waiting <= 1
        assert waiting or now.status != Status.IN_REVIEW or now.deleted_at is not None
        limits = limits_of(now.author_id)
        assert (now.author.silenced_until, now.author.suspended_until) == (
            limits.silenced_until,
            limits.suspended_until,
        )
    for author in Author.objects.all():
        # What ended with its post says nothing of whoever reported it.
        reports = Report.objects.filter(reporter=author, decision__isnull=False)
        assert author.reports_upheld == reports.filter(state=ReportState.ACTED_ON).count()
        assert author.reports_refused == reports.filter(state=ReportState.REFUSED).count()


def test_two_people_who_reported_each_other_are_decided_about(
    garden: Community, people: tuple[User, User]
) -> None:
    ada, ben = people

    def once(number: int) -> None:
        bo, cy = (
            AuthorFactory.create(community=garden, external_id=f"{name}-{number}")
            for name in ("bo", "cy")
        )
        his, hers = PostFactory.create(author=bo), PostFactory.create(author=cy)
        reviews = reported_by(his, cy.external_id), reported_by(hers, bo.external_id)
        taken = at_once(lambda: decide(reviews[0], ada), lambda: decide(reviews[1], ben))
        assert taken == [None, None]
        must_be_whole(his, hers)
        caused = Enforcement.objects.filter(post__in=[his, hers]).values_list("pk", flat=True)
        one, other = caused
        assert at_once(
            lambda: reverse(one, ada),
            lambda: reverse(other, ben),
        ) == [None, None]
        must_be_whole(his, hers)

    for number in range(ROUNDS * 2):
        once(number)


def test_a_reversal_against_whatever_else_happens_to_the_post(
    garden: Community, people: tuple[User, User]
) -> None:
    ada, ben = people

    def once(against: str, number: int) -> None:
        post, review = queued(garden)
        decision = decide(review, ada, sanction=Asked(Sanction.POST_HOLD, DAY))
        caused = Enforcement.objects.get(decision=decision).pk
        others: dict[str, Callable[[], object]] = {
            "edit": lambda: edit(post, f"Beans {number}"),
            "delete": lambda: delete_post(post_id=post.pk, actor=CLIENT),
            "undo": lambda: undo_decision(decision_id=decision.pk, moderator=ada),
            "appeal": lambda: object_to(caused, post),
            "reverse": lambda: reverse(caused, ada),
        }
        refused = at_once(lambda: reverse(caused, ben), others[against])
        assert Enforcement.objects.get(pk=caused).reversed_at is not None
        if against in ("undo", "reverse"):
            assert refused.count(None) == 1
        must_be_whole(post)

    for against in ("edit", "delete", "undo", "appeal", "reverse"):
        for number in range(ROUNDS):
            once(against, number)


def test_a_decision_against_whatever_else_happens_to_the_post(
    garden: Community, people: tuple[User, User]
) -> None:
    ada, ben = people

    def once(against: str, number: int) -> None:
        post, review = queued(garden)
        others: dict[str, Callable[[], object]] = {
            "escalate": lambda: escalate_review(
                review_id=review.pk, moderator=ben, reason="A quote?", seen_revision=1
            ),
            "edit": lambda: edit(post, f"Beans {number}"),
            "delete": lambda: delete_post(post_id=post.pk, actor=CLIENT),
            "report": lambda: report(post, "dee"),
            "decide": lambda: decide(review, ben, Action.ALLOW),
        }
        at_once(lambda: decide(review, ada), others[against])
        assert Decision.objects.filter(review=review).count() <= 1
        if against == "report":
            assert not Report.objects.filter(post=post, state=ReportState.OPEN).exists()
        must_be_whole(post)

    for against in ("escalate", "edit", "delete", "report", "decide"):
        for number in range(ROUNDS):
            once(against, number)


def test_an_undo_against_an_appeal_ends_in_one_of_them(
    garden: Community, people: tuple[User, User]
) -> None:
    ada, _ = people

    def once() -> None:
        post, review = queued(garden)
        decision = decide(review, ada)
        caused = Enforcement.objects.get(decision=decision)
        refused = at_once(
            lambda: undo_decision(decision_id=decision.pk, moderator=ada),
            lambda: object_to(caused.pk, post),
        )
        assert refused.count(None) == 1
        caused.refresh_from_db()
        assert Appeal.objects.filter(enforcement=caused).exists() is (caused.reversed_at is None)
        must_be_whole(post)

    for _ in range(ROUNDS):
        once()


def test_batches_in_opposite_order_and_a_single_decision_decide_each_item_once(
    garden: Community, people: tuple[User, User]
) -> None:
    ada, ben = people

    def once() -> None:
        cases = [queued(garden), queued(garden)]
        posts, reviews = [post for post, _ in cases], [review for _, review in cases]
        at_once(
            lambda: decide_together(
                picked=picks(reviews),
                moderator=ada,
                action=Action.BLOCK,
                reason="Spam.",
            ),
            lambda: decide_together(
                picked=picks(reviews[::-1]),
                moderator=ben,
                action=Action.WARN,
                reason="Spam.",
            ),
            lambda: decide(reviews[1], ben, Action.ALLOW),
        )
        for review in reviews:
            assert Decision.objects.filter(review=review).count() == 1
        assert not DecisionBatch.objects.filter(decisions=None).exists()
        must_be_whole(*posts)

    for _ in range(ROUNDS):
        once()


def test_a_batch_that_two_leads_take_back_is_taken_back_once(
    garden: Community, people: tuple[User, User]
) -> None:
    ada, ben = people

    def once() -> None:
        cases = [queued(garden), queued(garden)]
        batch = decide_together(
            picked=picks([review for _, review in cases]),
            moderator=ada,
            action=Action.BLOCK,
            reason="Spam.",
        ).batch
        assert batch is not None
        caused = Enforcement.objects.filter(decision__batch=batch)
        first = caused.order_by("pk")[0].pk
        at_once(
            lambda: reverse_together(batch_id=batch.pk, moderator=ada, reason="No."),
            lambda: reverse_together(batch_id=batch.pk, moderator=ben, reason="No."),
            lambda: reverse(first, ben),
        )
        batch.refresh_from_db()
        assert batch.reversed_at is not None
        assert not caused.filter(reversed_at=None).exists()
        must_be_whole(*(post for post, _ in cases))

    for _ in range(ROUNDS):
        once()


def test_a_sanction_that_expires_while_another_comes_leaves_the_other(
    garden: Community, people: tuple[User, User]
) -> None:
    ada, ben = people

    def once() -> None:
        author = AuthorFactory.create(community=garden)
        (post, review), (_, second) = queued(garden, author), queued(garden, author)
        # Over before or while the next one is decided.
        short = Asked(Sanction.SILENCE, timedelta(milliseconds=40))
        caused = Enforcement.objects.get(decision=decide(review, ada, sanction=short)).pk
        assert at_once(
            lambda: reverse(caused, ben),
            lambda: decide(second, ada, sanction=Asked(Sanction.SUSPENSION, DAY)),
        ) == [None, None]
        author.refresh_from_db()
        assert author.silenced_until is None
        assert author.suspended_until is not None
        must_be_whole(post)

    for _ in range(ROUNDS):
        once()


def picks(reviews: Sequence[Review]) -> list[Picked]:
    return [Picked(review.pk, review.revision) for review in reviews]
