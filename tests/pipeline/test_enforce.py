"""5 · What verdicts cause."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from moderation import queries
from moderation.models import (
    AuditEvent,
    Author,
    Effect,
    Enforcement,
    PolicyRevision,
    Post,
    ProviderResult,
    Review,
    Submission,
    VerdictRecord,
)
from moderation.pipeline import dispatch
from moderation.policy.document import DEFAULT_DOCUMENT
from moderation.providers import registry
from moderation.providers.base import Answer
from moderation.vocabulary import (
    Action,
    Category,
    EffectKind,
    Lane,
    Outcome,
    Reason,
    ReviewLane,
    Standing,
    Status,
    Visibility,
)
from tests.pipeline.helpers import HARMLESS, THREAT, drain_all, send


def use_policy(community, **changes):
    number = community.policy_revisions.count() + 1
    community.policy = PolicyRevision.objects.create(
        community=community, number=number, document={**DEFAULT_DOCUMENT, **changes}
    )
    community.save()


def strict(action: str) -> dict[str, object]:
    """Thresholds at which any judged text asks for one action."""
    steps = {"warn": None, "review": None, "block": None, action: 0.0}
    return {"default": steps, "categories": {}}


def test_harmless_post_is_approved_without_an_enforcement(community):
    [post] = send(community, HARMLESS)
    assert drain_all() == 1
    post.refresh_from_db()
    assert (post.status, post.visibility) == (Status.APPROVED, Visibility.PUBLIC)
    assert VerdictRecord.objects.get(post=post).action == Action.ALLOW
    assert not Enforcement.objects.exists()


def test_threat_is_kept_from_readers(community):
    [post] = send(community, THREAT)
    drain_all()
    post.refresh_from_db()
    assert post.status in (Status.REJECTED, Status.IN_REVIEW)
    assert post.visibility in (Visibility.HIDDEN, Visibility.HELD)


def test_evidence_names_provider_model_scores_and_time(community):
    send(community, THREAT)
    drain_all()
    result = ProviderResult.objects.get()
    assert (result.provider, result.outcome) == ("local_text", Outcome.JUDGED)
    assert result.model_version
    assert result.latency_ms > 0
    assert max(result.scores.values()) > 0.5


@pytest.mark.parametrize(
    ("action", "status", "visibility", "effects"),
    [
        ("warn", Status.APPROVED, Visibility.PUBLIC, {EffectKind.PUBLISH, EffectKind.NOTICE}),
        ("review", Status.IN_REVIEW, Visibility.HELD, {EffectKind.HOLD, EffectKind.QUEUE}),
        (
            "block",
            Status.REJECTED,
            Visibility.HIDDEN,
            {EffectKind.HIDE, EffectKind.STRIKE, EffectKind.NOTICE},
        ),
    ],
)
def test_action_causes_its_effects(community, action, status, visibility, effects):
    use_policy(community, thresholds=strict(action))
    [post] = send(community, THREAT)
    drain_all()
    post.refresh_from_db()
    assert (post.status, post.visibility) == (status, visibility)
    assert set(Effect.objects.values_list("kind", flat=True)) == effects


def test_blocked_author_is_watched_and_held_next_time(community):
    use_policy(community, thresholds=strict("block"))
    send(community, THREAT)
    drain_all()
    assert Author.objects.get().standing == Standing.WATCHED
    [next_post] = send(community, HARMLESS)
    assert next_post.visibility == Visibility.HELD


def test_author_with_enough_approved_posts_becomes_known(community):
    send(community, *[f"{HARMLESS} {number}" for number in range(5)])
    drain_all()
    assert Author.objects.get().standing == Standing.KNOWN


@pytest.mark.parametrize(
    ("on_failure", "visibility"),
    [("hold", Visibility.HELD), ("publish_and_queue", Visibility.PUBLIC)],
)
def test_post_that_nobody_could_judge_reaches_a_person(community, on_failure, visibility):
    use_policy(community, route={"text": ["no_such_provider"]}, on_failure=on_failure)
    [post] = send(community, HARMLESS)
    drain_all()
    post.refresh_from_db()
    assert (post.status, post.visibility) == (Status.IN_REVIEW, visibility)
    assert Review.objects.get(post=post).rule == "not_judged"
    assert ProviderResult.objects.get().outcome == Outcome.FAILED


def test_sampled_post_stays_public_and_is_queued(community):
    use_policy(community, sampling={"share": 1.0})
    [post] = send(community, HARMLESS)
    drain_all()
    post.refresh_from_db()
    assert (post.status, post.visibility) == (Status.APPROVED, Visibility.PUBLIC)
    assert Review.objects.get(post=post).lane == ReviewLane.SAMPLE


def test_batch_is_decided_post_by_post(community):
    posts = send(community, HARMLESS, THREAT, "Beans too", THREAT)
    assert drain_all() == 4
    states = [Post.objects.get(pk=post.pk).status for post in posts]
    assert states[0] == states[2] == Status.APPROVED
    assert Status.APPROVED not in (states[1], states[3])


def test_round_trips_do_not_grow_with_the_batch(community):
    def queries_for(size: int) -> int:
        send(community, *[f"{HARMLESS} {number}" for number in range(size)], writer=f"w{size}")
        with CaptureQueriesContext(connection) as captured:
            assert dispatch.drain(Lane.SCREEN_HIGH) == size
        return len(captured)

    queries_for(1)
    # SQLite takes a large insert in several statements: a few more, never one a post.
    assert queries_for(40) <= queries_for(4) + 6


def test_stored_state_is_the_fold_of_what_was_enforced(community):
    send(community, HARMLESS, THREAT)
    drain_all()
    from moderation.policy.fold import fold

    for post in Post.objects.all():
        state = fold(
            queries.enforced_on(post.pk, post.revision),
            judged=True,
            shown_before_verdict=post.shown_before_verdict,
            deleted=False,
        )
        assert (post.status, post.visibility) == (state.status, state.visibility)


def test_every_step_is_on_the_record(community):
    [post] = send(community, THREAT)
    drain_all()
    events = AuditEvent.objects.filter(subject_id=str(post.pk)).order_by("sequence")
    submitted, decided = events
    assert submitted.kind == "post.submitted"
    assert decided.kind in ("post.rejected", "post.queued")
    assert decided.facts["provider"] == "local_text"
    assert decided.previous_digest == submitted.digest
    assert THREAT not in str(decided.facts)


def test_machine_does_not_overrule_a_person_on_the_same_revision(community):
    from moderation.pipeline.review.review import decide_review
    from tests.factories import make_moderator

    use_policy(community, thresholds=strict("review"))
    ada = make_moderator(community)
    [post] = send(community, THREAT)
    drain_all()
    decide_review(
        review_id=Review.objects.get().pk,
        moderator=ada,
        action=Action.ALLOW,
        reason="A quote from the play.",
        seen_revision=1,
    )
    use_policy(community, thresholds=strict("block"))
    Submission.objects.create(
        post=post, revision=1, content_hash=post.content_hash, reason=Reason.RESCAN
    )
    drain_all()
    post.refresh_from_db()
    assert post.status == Status.IN_REVIEW
    assert Review.objects.filter(post=post, state="open").exists()


def ask_again(post, reason=Reason.RESCAN):
    post.refresh_from_db()
    Submission.objects.create(
        post=post, revision=post.revision, content_hash=post.content_hash, reason=reason
    )
    assert drain_all() == 1
    post.refresh_from_db()


def decide(post, community, action):
    from moderation.pipeline.review.review import decide_review
    from tests.factories import make_moderator

    decide_review(
        review_id=Review.objects.get(post=post).pk,
        moderator=make_moderator(community),
        action=action,
        reason="Read in context.",
        seen_revision=1,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"thresholds": strict("warn")},
        {"thresholds": strict("review"), "review_visibility": "public"},
        {"thresholds": strict("block")},
        {"route": {"text": ["no_such_provider"]}, "on_failure": "publish_and_queue"},
    ],
    ids=["warn", "public review", "block", "failure"],
)
@pytest.mark.parametrize("reason", [Reason.RESCAN, Reason.REPORT, Reason.APPEAL])
@pytest.mark.parametrize("by_person", [True, False], ids=["by a person", "by the machine"])
def test_second_look_never_shows_what_is_hidden(community, change, reason, by_person):
    use_policy(community, thresholds=strict("review" if by_person else "block"))
    [post] = send(community, THREAT)
    drain_all()
    if by_person:
        decide(post, community, Action.BLOCK)
    use_policy(community, **change)
    ask_again(post, reason)
    assert post.visibility == Visibility.HIDDEN


def test_rescan_does_not_queue_what_a_person_rejected(community):
    use_policy(community, thresholds=strict("review"))
    [post] = send(community, THREAT)
    drain_all()
    decide(post, community, Action.BLOCK)
    ask_again(post)
    assert (post.status, post.visibility) == (Status.REJECTED, Visibility.HIDDEN)
    assert not Review.objects.filter(post=post, state="open").exists()


def test_second_look_does_not_hide_what_a_person_approved(community):
    use_policy(community, thresholds=strict("review"))
    [post] = send(community, THREAT)
    drain_all()
    decide(post, community, Action.ALLOW)
    ask_again(post)
    assert (post.status, post.visibility) == (Status.IN_REVIEW, Visibility.PUBLIC)
    assert Review.objects.filter(post=post, state="open").exists()


class Answering:
    """A provider that says what it was told to, whatever it is asked."""

    model_version = "1"

    def __init__(self, *answers):
        self.answers = list(answers)

    def judge(self, parts):
        return self.answers


@pytest.mark.parametrize(
    "answers",
    [
        [Answer(Outcome.JUDGED, {Category.HATE: math.nan})],
        [Answer(Outcome.JUDGED, {Category.HATE: math.inf})],
        [Answer(Outcome.JUDGED, {Category.HATE: 1.5})],
        [Answer(Outcome.JUDGED, {Category.HATE: -0.1})],
        [Answer(Outcome.JUDGED, {Category.HATE: "0.1"})],
        [Answer(Outcome.JUDGED, {Category.HATE: None})],
        [Answer(Outcome.JUDGED)],
        [],
        [Answer(Outcome.JUDGED, {Category.HATE: 0.0})] * 2,
    ],
    ids=["nan", "infinite", "too high", "too low", "text", "null", "none", "no answer", "two"],
)
def test_answer_without_proper_scores_approves_nothing(community, answers, monkeypatch):
    use_policy(community, route={"text": ["faulty"]})
    monkeypatch.setattr(registry, "get_provider", lambda name: Answering(*answers))
    [post] = send(community, HARMLESS)
    assert drain_all() == 1
    post.refresh_from_db()
    assert (post.status, post.visibility) == (Status.IN_REVIEW, Visibility.HELD)
    assert ProviderResult.objects.get().outcome == Outcome.FAILED


def test_strike_is_forgotten_after_its_time(community):
    use_policy(community, thresholds=strict("block"))
    send(community, THREAT)
    drain_all()
    use_policy(community)
    send(community, HARMLESS)
    drain_all()
    assert Author.objects.get().standing == Standing.WATCHED
    Enforcement.objects.update(created_at=Now() - timedelta(days=31))
    send(community, "Beans too")
    drain_all()
    assert Author.objects.get().standing == Standing.NEW


def test_new_authors_name_is_judged_and_a_known_ones_is_not_asked_again(community):
    author = Author.objects.create(community=community, external_id="bo", name="kill_all_jews")
    [post] = send(community, HARMLESS)
    drain_all()
    post.refresh_from_db()
    assert post.visibility != Visibility.PUBLIC
    assert VerdictRecord.objects.get(post=post).part_key == "author_name"
    Author.objects.filter(pk=author.pk).update(standing=Standing.KNOWN)
    [post] = send(community, HARMLESS)
    drain_all()
    assert not ProviderResult.objects.filter(submission__post=post, part_key="author_name").exists()


def test_name_in_no_known_language_is_no_reason_to_wait(community):
    Author.objects.create(community=community, external_id="bo", name="Νίκος")
    [post] = send(community, HARMLESS)
    drain_all()
    post.refresh_from_db()
    assert post.status == Status.APPROVED
