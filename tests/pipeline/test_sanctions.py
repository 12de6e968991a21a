"""What a sanction keeps an author from, for how long, and what they read of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from moderation.errors import AuthorSilenced, AuthorSuspended, InvalidSubmission
from moderation.models import Author, Community, Decision, Effect, Enforcement, Post, Review
from moderation.pipeline.erase import erase_person
from moderation.pipeline.intake.edit import delete_post, edit_post
from moderation.pipeline.review.reversal import reverse_enforcement
from moderation.pipeline.review.review import decide_review
from moderation.policy.fold import Limits
from moderation.policy.sanctions import Asked
from moderation.vocabulary import (
    Action,
    EffectKind,
    Lane,
    PublishingMode,
    ReviewState,
    Sanction,
    Standing,
    Status,
    Visibility,
)
from tests.factories import CommunityFactory, make_moderator
from tests.pipeline.helpers import CLIENT, HARMLESS, drain_all, send

pytestmark = pytest.mark.django_db

Decide = Callable[..., Decision]
DAY = timedelta(days=1)


@pytest.fixture
def garden() -> Community:
    community: Community = CommunityFactory.create(text_mode=PublishingMode.PUBLISH_THEN_VERIFY)
    return community


@pytest.fixture
def ada(garden: Community) -> User:
    return make_moderator(garden, ("view_review", "decide_review", "reverse_enforcement"))


@pytest.fixture
def post(garden: Community) -> Post:
    [post] = send(garden, HARMLESS)
    drain_all()
    return post


@pytest.fixture
def decide(post: Post, ada: User) -> Decide:
    """Block Bo's post, with a sanction."""

    def act(kind: Sanction, duration: timedelta | None = None, **fields: object) -> Decision:
        review = Review.objects.create(post=post, community=post.community, revision=1)
        return decide_review(
            **{
                "review_id": review.pk,
                "moderator": ada,
                "action": Action.BLOCK,
                "reason": "No insults.",
                "seen_revision": 1,
                "sanction": Asked(kind, duration),
                **fields,
            }
        )

    return act


def bo(post: Post) -> Author:
    return Author.objects.get(pk=post.author_id)


def test_silenced_author_reads_and_deletes_but_does_not_write(
    garden: Community, post: Post, decide: Decide
) -> None:
    decide(Sanction.SILENCE, 2 * DAY)
    with pytest.raises(AuthorSilenced) as refused:
        send(garden, "May I?")
    statement = Enforcement.objects.get(decision__isnull=False).statement
    assert refused.value.statement == statement.number
    assert refused.value.until == bo(post).silenced_until
    assert "until" in str(refused.value)
    assert "how to object" in str(refused.value)
    with pytest.raises(AuthorSilenced):
        edit_post(post_id=post.pk, base_revision=1, actor=CLIENT, body="Beans")
    delete_post(post_id=post.pk, actor=CLIENT)
    # Others are not meant.
    assert send(garden, "I am Cy", writer="cy")


def test_silence_of_a_bulk_call_refuses_only_the_silenced(
    garden: Community, decide: Decide
) -> None:
    decide(Sanction.SILENCE, DAY)
    with CaptureQueriesContext(connection) as asked:
        codes = _send_for(garden, "bo", "cy", "dee")
    assert codes[0] == "author_silenced"
    assert len([code for code in codes if "-" in code]) == 2
    assert len([query for query in asked if "moderation_effect" in query["sql"]]) == 1


def _send_for(community: Community, *writers: str) -> list[str]:
    from moderation.pipeline.intake.submit import Call, NewPost, Writer, submit
    from tests.pipeline.helpers import answer

    posts = tuple(NewPost(community, Writer(name), body="Hello all") for name in writers)
    found: list[str] = submit(Call(posts, CLIENT, answer)).body["posts"]
    return found


def test_a_sanction_ends_by_the_clock_alone(garden: Community, post: Post, decide: Decide) -> None:
    decide(Sanction.SUSPENSION, DAY)
    with pytest.raises(AuthorSuspended):
        send(garden, "May I?")
    Author.objects.update(suspended_until=bo(post).created_at)
    assert send(garden, "May I?")


def test_held_author_shows_nothing_before_the_verdict_and_all_that_is_clean_after_it(
    garden: Community, post: Post, decide: Decide
) -> None:
    decide(Sanction.POST_HOLD, 3 * DAY)
    # The strike alone would hold as well: only the sanction is looked at.
    Author.objects.update(standing=Standing.TRUSTED)
    [held] = send(garden, "The beans are ripe, too")
    assert (held.visibility, held.shown_before_verdict) == (Visibility.HELD, False)
    assert held.submissions.get().lane == Lane.SCREEN_HIGH
    drain_all()
    held.refresh_from_db()
    assert (held.status, held.visibility) == (Status.APPROVED, Visibility.PUBLIC)


@pytest.mark.parametrize(
    ("sanction", "kinds", "standing"),
    [
        (Sanction.NONE, set(), Standing.NEW),
        (Sanction.WARNING, {EffectKind.WARNING}, Standing.NEW),
        (Sanction.STRIKE, {EffectKind.STRIKE}, Standing.WATCHED),
        (Sanction.SILENCE, {EffectKind.STRIKE, EffectKind.SILENCE}, Standing.WATCHED),
    ],
)
def test_each_sanction_is_an_effect_of_the_same_enforcement(
    post: Post,
    decide: Decide,
    sanction: Sanction,
    kinds: set[EffectKind],
    standing: Standing,
) -> None:
    decision = decide(sanction)
    found = Effect.objects.filter(enforcement__decision=decision)
    assert {effect.kind for effect in found} == kinds | {EffectKind.HIDE, EffectKind.NOTICE}
    assert bo(post).standing == standing


def test_without_a_word_a_block_is_a_strike(post: Post, decide: Decide) -> None:
    decision = decide(Sanction.NONE, sanction=None)
    assert Effect.objects.filter(
        enforcement__decision=decision, kind=EffectKind.STRIKE, expires_at=None
    ).exists()


@pytest.mark.parametrize(
    "fields",
    [
        {"action": Action.ALLOW, "sanction": Asked(Sanction.WARNING)},
        {"action": Action.WARN, "sanction": Asked(Sanction.SILENCE)},
        {"sanction": Asked(Sanction.SILENCE, timedelta(0))},
        {"sanction": Asked(Sanction.SILENCE, timedelta(days=4000))},
    ],
)
def test_sanction_that_does_not_fit_is_refused(decide: Decide, fields: dict[str, object]) -> None:
    with pytest.raises(InvalidSubmission):
        decide(Sanction.NONE, **fields)
    assert not Decision.objects.exists()


def test_the_longer_of_two_counts_and_the_shorter_again_once_it_is_reversed(
    post: Post, decide: Decide, ada: User
) -> None:
    shorter = decide(Sanction.SILENCE, DAY)
    until = bo(post).silenced_until
    longer = decide(Sanction.SILENCE, None)
    assert bo(post).silenced_until.year == 9999
    made = reverse_enforcement(
        enforcement_id=longer.enforcement.pk, moderator=ada, reason="Too hard."
    )
    assert bo(post).silenced_until == until
    assert made.proof.before.limits.silenced_until.year == 9999
    assert made.proof.after.limits.silenced_until == until
    reverse_enforcement(enforcement_id=shorter.enforcement.pk, moderator=ada, reason="Nor this.")
    assert bo(post).silenced_until is None


def test_author_is_trusted_again_as_if_the_strike_had_never_been(
    garden: Community, post: Post, decide: Decide, ada: User, settings
) -> None:
    settings.MODERATION = {**settings.MODERATION, "known_after_approved": 2}
    send(garden, "Beans", "Peas and more of them")
    drain_all()
    decision = decide(Sanction.STRIKE)
    assert bo(post).standing == Standing.WATCHED
    reverse_enforcement(enforcement_id=decision.enforcement.pk, moderator=ada, reason="A quote.")
    assert bo(post).standing == Standing.KNOWN


def test_reversed_hold_of_a_person_comes_before_a_person_again(
    garden: Community, ada: User
) -> None:
    from tests.pipeline.test_enforce import strict, use_policy

    use_policy(garden, thresholds=strict("review"))
    [post] = send(garden, HARMLESS)
    drain_all()
    review = Review.objects.get(post=post)
    decision = decide_review(
        review_id=review.pk,
        moderator=ada,
        action=Action.ALLOW,
        reason="Fine.",
        seen_revision=1,
    )
    made = reverse_enforcement(
        enforcement_id=decision.enforcement.pk, moderator=ada, reason="Not fine."
    )
    review.refresh_from_db()
    assert made.proof.review_reopened == review.pk
    assert (review.state, review.closed_at) == (ReviewState.OPEN, None)
    machine = Enforcement.objects.get(verdict__isnull=False)
    made = reverse_enforcement(enforcement_id=machine.pk, moderator=ada, reason="Nor this.")
    review.refresh_from_db()
    assert (made.proof.review_closed, review.state) == (review.pk, ReviewState.SUPERSEDED)


def test_asking_whether_an_author_may_write_costs_no_query(garden: Community, post: Post) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as asked:
            send(garden, "The peas are ripe as well")
        assert not [query for query in asked if "moderation_effect" in query["sql"]]
        return len(asked)

    count()
    before = count()
    Author.objects.update(held_until=post.created_at + DAY, silenced_until=post.created_at)
    assert count() == before


def test_reversal_works_when_the_author_was_erased(post: Post, decide: Decide, ada: User) -> None:
    decision = decide(Sanction.SUSPENSION)
    erase_person(author_id=post.author_id, user=None)
    made = reverse_enforcement(
        enforcement_id=decision.enforcement.pk, moderator=ada, reason="Late."
    )
    assert made.proof.before.limits.suspended_until is not None
    assert made.proof.after.limits == Limits()
    assert bo(post).suspended_until is None
    assert Post.objects.get(pk=post.pk).visibility == Visibility.DELETED


@pytest.mark.django_db(transaction=True)
def test_two_decisions_on_one_author_at_once_both_count() -> None:
    garden: Community = CommunityFactory.create()
    moderators = [make_moderator(garden), make_moderator(garden)]
    for number in range(6):
        posts = send(garden, f"{HARMLESS} {number}", "Beans as well", writer=f"bo{number}")
        reviews = [Review.objects.create(post=post, community=garden, revision=1) for post in posts]
        drain_all()
        start = threading.Barrier(2)

        def work(review: Review, moderator: User, days: int, start: threading.Barrier) -> None:
            start.wait()
            try:
                decide_review(
                    review_id=review.pk,
                    moderator=moderator,
                    action=Action.BLOCK,
                    reason="No.",
                    seen_revision=1,
                    sanction=Asked(Sanction.SILENCE, timedelta(days=days)),
                )
            finally:
                connection.close()

        threads = [
            threading.Thread(target=work, args=(review, moderator, days, start))
            for review, moderator, days in zip(reviews, moderators, (1, 9), strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ends = Effect.objects.filter(
            kind=EffectKind.SILENCE, enforcement__author=posts[0].author_id
        ).values_list("expires_at", flat=True)
        assert len(ends) == 2
        assert bo(posts[0]).silenced_until == max(ends)
