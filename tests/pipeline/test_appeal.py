"""7 · Whoever is restricted objects; somebody else answers, and what is overturned is restored."""

from __future__ import annotations

import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import connection
from django.db.models.functions import Now

from moderation import queries
from moderation.errors import (
    AppealClosed,
    CannotAppeal,
    Conflict,
    InvalidSubmission,
    NotAllowed,
    NotFound,
    NotImpartial,
    ReviewTaken,
    StaleRevision,
    TooLateToAppeal,
)
from moderation.models import (
    Appeal,
    AuditEvent,
    Author,
    Enforcement,
    Post,
    Report,
    Review,
    Statement,
    Submission,
    VerdictRecord,
)
from moderation.pipeline.appeals.appeal import (
    answer_appeal,
    open_appeal,
    open_report_appeal,
    withdraw_appeal,
    write_as_appellant,
    write_as_moderator,
)
from moderation.pipeline.intake.edit import delete_post, edit_post
from moderation.pipeline.review.holding import hold_review
from moderation.pipeline.review.reversal import reverse_enforcement
from moderation.pipeline.review.review import decide_review, escalate_review
from moderation.providers.base import Answer
from moderation.queries import appeals as known
from moderation.vocabulary import (
    Action,
    AppealState,
    Category,
    Outcome,
    Part,
    Reason,
    ReportSource,
    ReportState,
    ReviewLane,
    ReviewState,
    Standing,
    Status,
    SubmissionState,
    Visibility,
)
from tests.factories import AuthorFactory, make_moderator
from tests.pipeline.helpers import CLIENT, HARMLESS, THREAT, add_provider, drain_all, send
from tests.pipeline.test_check import Provider, says
from tests.pipeline.test_enforce import strict, use_policy
from tests.pipeline.test_review import LEAD

WORDS = "It is a line from a play that we rehearse."


@pytest.fixture
def ada(community):
    return make_moderator(community, LEAD, username="ada")


@pytest.fixture
def ben(community):
    return make_moderator(community, LEAD, username="ben")


@pytest.fixture
def blocked(community):
    """A post that the policy rejected, and the enforcement of that."""
    use_policy(community, thresholds=strict("block"))
    [post] = send(community, THREAT)
    drain_all()
    post.refresh_from_db()
    return post, Enforcement.objects.get(post=post)


@pytest.fixture
def decided(community, ada):
    """A post that a machine put before Ada, who rejected it, and the enforcement of that."""
    use_policy(community, thresholds=strict("review"))
    [post] = send(community, THREAT)
    drain_all()
    decide_review(
        review_id=Review.objects.get(post=post).pk,
        moderator=ada,
        action=Action.BLOCK,
        reason="It threatens a person.",
        seen_revision=1,
    )
    post.refresh_from_db()
    return post, Enforcement.objects.get(post=post, decision__isnull=False)


def appeal_of(post, enforcement, words=WORDS):
    return open_appeal(
        enforcement_id=enforcement.pk, author_id=post.author_id, words=words, actor=CLIENT
    )


def answer(appeal, moderator, outcome=AppealState.OVERTURNED, revision=1, reason="It is a quote."):
    return answer_appeal(
        appeal_id=appeal.pk,
        moderator=moderator,
        outcome=outcome,
        answer=reason,
        seen_revision=revision,
    )


def kinds_of(post):
    events = AuditEvent.objects.filter(subject_id=str(post.pk)).order_by("sequence")
    return list(events.values_list("kind", flat=True))


# --- opening -------------------------------------------------------------------------------------


def test_an_appeal_is_kept_with_its_words_its_item_and_its_event(blocked):
    post, enforcement = blocked
    appeal = appeal_of(post, enforcement)
    review = Review.objects.get(post=post)
    assert (review.lane, review.state, appeal.review_id) == ("appeal", "open", review.pk)
    assert review.due_at == appeal.due_at
    assert [message.body for message in appeal.messages.all()] == [WORDS]
    assert kinds_of(post)[-1] == "appeal.opened"
    assert WORDS not in str(list(AuditEvent.objects.values_list("facts", flat=True)))


def test_a_second_appeal_is_answered_with_the_first(blocked):
    post, enforcement = blocked
    first = appeal_of(post, enforcement)
    assert appeal_of(post, enforcement, "Once more.").pk == first.pk
    assert first.messages.count() == 1


def test_nobody_objects_for_another(blocked):
    _, enforcement = blocked
    cy = AuthorFactory.create(community=enforcement.post.community)
    with pytest.raises(NotAllowed):
        open_appeal(enforcement_id=enforcement.pk, author_id=cy.pk, words=WORDS, actor=CLIENT)


def test_an_appeal_comes_too_late_after_its_period_and_is_told_when_that_was(blocked, settings):
    post, enforcement = blocked
    settings.MODERATION = {**settings.MODERATION, "appeal_period_days": 0}
    with pytest.raises(TooLateToAppeal) as refused:
        appeal_of(post, enforcement)
    told_at = Statement.objects.get(enforcement=enforcement).issued_at
    assert f"{told_at:%-d %B %Y}" in str(refused.value)


def test_the_period_begins_when_the_author_was_told(blocked):
    post, enforcement = blocked
    Enforcement.objects.update(created_at=Now() - timedelta(days=300))
    assert appeal_of(post, enforcement).state == AppealState.OPEN


def test_what_was_reversed_cannot_be_appealed(blocked, ada):
    post, enforcement = blocked
    reverse_enforcement(enforcement_id=enforcement.pk, moderator=ada, reason="A quote.")
    with pytest.raises(CannotAppeal, match="reversed"):
        appeal_of(post, enforcement)


def test_what_everyone_can_read_cannot_be_appealed(decided, ada, community):
    use_policy(community, thresholds=strict("review"))
    [post] = send(community, f"{THREAT} now")
    drain_all()
    decide_review(
        review_id=Review.objects.get(post=post).pk,
        moderator=ada,
        action=Action.ALLOW,
        reason="A quote.",
        seen_revision=1,
    )
    held = Enforcement.objects.get(post=post, verdict__isnull=False)
    with pytest.raises(CannotAppeal):
        appeal_of(post, held)


def test_an_appeal_says_something_and_not_too_much(blocked):
    post, enforcement = blocked
    for words in ("  ", "x" * 5_001):
        with pytest.raises(InvalidSubmission):
            appeal_of(post, enforcement, words)
    assert not Appeal.objects.exists()


def test_the_open_item_of_a_post_is_used_and_keeps_its_place(community):
    use_policy(community, thresholds=strict("review"))
    [post] = send(community, THREAT)
    drain_all()
    Review.objects.update(rank_at=Now() - timedelta(days=9))
    before = Review.objects.get(post=post)
    appeal = appeal_of(post, Enforcement.objects.get(post=post))
    review = Review.objects.get(post=post)
    assert (review.pk, review.lane, review.rank_at) == (before.pk, "appeal", before.rank_at)
    assert appeal.lane_before == ReviewLane.NEW


# --- who answers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("is_superuser", [False, True])
def test_the_first_decider_neither_holds_nor_answers_nor_is_offered_it(decided, ada, is_superuser):
    post, enforcement = decided
    appeal = appeal_of(post, enforcement)
    type(ada).objects.filter(pk=ada.pk).update(is_superuser=is_superuser)
    ada = type(ada).objects.get(pk=ada.pk)
    review = Review.objects.get(pk=appeal.review_id)
    with pytest.raises(NotImpartial):
        hold_review(review_id=review.pk, moderator=ada)
    with pytest.raises(NotImpartial):
        answer(appeal, ada)
    with pytest.raises(NotImpartial):
        write_as_moderator(appeal_id=appeal.pk, moderator=ada, words="Why?")
    assert not queries.review_queue(ada).filter(pk=review.pk).exists()
    appeal.refresh_from_db()
    assert appeal.state == AppealState.OPEN


def test_somebody_else_is_offered_it(decided, ben):
    post, enforcement = decided
    appeal = appeal_of(post, enforcement)
    assert queries.review_queue(ben).filter(pk=appeal.review_id).exists()
    hold_review(review_id=appeal.review_id, moderator=ben)
    assert answer(appeal, ben).state == AppealState.OVERTURNED


def test_an_item_that_its_first_decider_holds_becomes_free(decided, ada, community):
    post, enforcement = decided
    edit_post(post_id=post.pk, base_revision=1, actor=CLIENT, body=f"{THREAT} today")
    drain_all()
    review = Review.objects.get(post=post, state=ReviewState.OPEN)
    hold_review(review_id=review.pk, moderator=ada)
    appeal_of(post, enforcement)
    review.refresh_from_db()
    assert review.holder is None


def test_nobody_answers_their_own_appeal(blocked, ben):
    post, enforcement = blocked
    Author.objects.filter(pk=post.author_id).update(user=ben)
    appeal = appeal_of(post, enforcement)
    with pytest.raises(NotImpartial):
        answer(appeal, ben)


def test_a_machines_verdict_is_answered_by_anyone_entitled(blocked, ada, community):
    post, enforcement = blocked
    appeal = appeal_of(post, enforcement)
    with pytest.raises(NotAllowed):
        answer(appeal, make_moderator(community, ["view_review"]))
    assert answer(appeal, ada).answered_by == ada


def test_an_appeal_that_another_moderator_holds_is_theirs_to_answer(blocked, ada, ben):
    post, enforcement = blocked
    appeal = appeal_of(post, enforcement)
    hold_review(review_id=appeal.review_id, moderator=ada)
    with pytest.raises(ReviewTaken):
        answer(appeal, ben)


def test_an_item_with_an_appeal_is_not_decided_past_it(blocked, ada):
    post, enforcement = blocked
    appeal = appeal_of(post, enforcement)
    with pytest.raises(Conflict, match="appeal"):
        decide_review(
            review_id=appeal.review_id,
            moderator=ada,
            action=Action.ALLOW,
            reason="A quote.",
            seen_revision=1,
        )


def test_an_escalated_appeal_is_answered_by_a_lead(blocked, ada, community):
    post, enforcement = blocked
    appeal = appeal_of(post, enforcement)
    cat = make_moderator(community, ["view_review", "decide_review", "escalate_review"])
    escalate_review(review_id=appeal.review_id, moderator=cat, reason="Play?", seen_revision=1)
    with pytest.raises(NotAllowed):
        answer(appeal, cat)
    answer(appeal, ada)
    assert Review.objects.get(pk=appeal.review_id).state == ReviewState.DECIDED


# --- the answer ----------------------------------------------------------------------------------


def test_overturned_restores_what_the_policy_took(blocked, ada):
    post, enforcement = blocked
    assert Author.objects.get(pk=post.author_id).standing == Standing.WATCHED
    appeal = answer(appeal_of(post, enforcement), ada)
    post.refresh_from_db()
    assert (post.status, post.visibility) == (Status.APPROVED, Visibility.PUBLIC)
    assert Author.objects.get(pk=post.author_id).standing == Standing.NEW
    assert Enforcement.objects.get(pk=enforcement.pk).reversed_by == ada
    assert Review.objects.get(pk=appeal.review_id).state == ReviewState.DECIDED
    assert kinds_of(post)[-2:] == ["enforcement.reversed", "appeal.overturned"]


def test_overturned_takes_the_place_of_the_decision_it_overturns(decided, ben):
    post, enforcement = decided
    answer(appeal_of(post, enforcement), ben)
    post.refresh_from_db()
    assert (post.status, post.visibility) == (Status.APPROVED, Visibility.PUBLIC)
    assert Author.objects.get(pk=post.author_id).standing == Standing.NEW
    assert not Review.objects.filter(post=post, state=ReviewState.OPEN).exists()


def test_upheld_keeps_everything(decided, ben):
    post, enforcement = decided
    appeal = answer(appeal_of(post, enforcement), ben, AppealState.UPHELD)
    post.refresh_from_db()
    assert (post.status, post.visibility) == (Status.REJECTED, Visibility.HIDDEN)
    assert Author.objects.get(pk=post.author_id).standing == Standing.WATCHED
    assert Review.objects.get(pk=appeal.review_id).state == ReviewState.DECIDED
    assert kinds_of(post)[-1] == "appeal.upheld"
    with pytest.raises(CannotAppeal, match="answered"):
        appeal_of(post, enforcement)


def test_what_else_waits_for_a_person_still_does_after_the_answer(community, ada):
    use_policy(community, thresholds=strict("review"))
    [post] = send(community, THREAT)
    drain_all()
    appeal = appeal_of(post, Enforcement.objects.get(post=post))
    answer(appeal, ada, AppealState.UPHELD)
    review = Review.objects.get(pk=appeal.review_id)
    assert (review.state, review.lane, review.holder) == (ReviewState.OPEN, ReviewLane.NEW, None)


def test_an_overturned_hold_ends_its_item(community, ada):
    use_policy(community, thresholds=strict("review"))
    [post] = send(community, THREAT)
    drain_all()
    appeal = answer(appeal_of(post, Enforcement.objects.get(post=post)), ada)
    post.refresh_from_db()
    assert (post.status, post.visibility) == (Status.APPROVED, Visibility.PUBLIC)
    assert Review.objects.get(pk=appeal.review_id).state != ReviewState.OPEN


@pytest.mark.parametrize("outcome", [AppealState.OPEN, AppealState.WITHDRAWN])
def test_an_answer_upholds_or_overturns(blocked, ada, outcome):
    post, enforcement = blocked
    with pytest.raises(InvalidSubmission):
        answer(appeal_of(post, enforcement), ada, outcome)


def test_an_answer_states_its_reasons(blocked, ada):
    post, enforcement = blocked
    with pytest.raises(InvalidSubmission):
        answer(appeal_of(post, enforcement), ada, reason=" ")


def test_an_answer_is_given_once(blocked, ada):
    post, enforcement = blocked
    appeal = appeal_of(post, enforcement)
    answer(appeal, ada, AppealState.UPHELD)
    with pytest.raises(AppealClosed):
        answer(appeal, ada)
    assert Enforcement.objects.get(pk=enforcement.pk).reversed_at is None


def test_what_a_lead_reversed_meanwhile_is_overturned_without_being_reversed_twice(blocked, ada):
    post, enforcement = blocked
    appeal = appeal_of(post, enforcement)
    reverse_enforcement(enforcement_id=enforcement.pk, moderator=ada, reason="A quote.")
    assert answer(appeal, ada).state == AppealState.OVERTURNED
    assert kinds_of(post).count("enforcement.reversed") == 1


# --- meanwhile -----------------------------------------------------------------------------------


def test_what_was_reversed_meanwhile_cannot_be_upheld(blocked, ada):
    post, enforcement = blocked
    appeal = appeal_of(post, enforcement)
    reverse_enforcement(enforcement_id=enforcement.pk, moderator=ada, reason="A quote.")
    with pytest.raises(Conflict, match="reversed meanwhile"):
        answer(appeal, ada, AppealState.UPHELD)
    appeal.refresh_from_db()
    assert appeal.state == AppealState.OPEN


def test_an_edit_neither_ends_an_appeal_nor_is_approved_by_its_answer(decided, ben):
    post, enforcement = decided
    appeal = appeal_of(post, enforcement)
    edit_post(post_id=post.pk, base_revision=1, actor=CLIENT, body=f"{THREAT} today")
    drain_all()
    with pytest.raises(StaleRevision):
        answer(appeal, ben)
    answer(appeal, ben, revision=2)
    post.refresh_from_db()
    # The new text is for a person to look at, who has not: the strike alone is gone.
    assert (post.revision, post.status, post.visibility) == (2, Status.IN_REVIEW, Visibility.HELD)
    assert Author.objects.get(pk=post.author_id).standing == Standing.NEW
    review = Review.objects.get(post=post, state=ReviewState.OPEN)
    assert (review.pk, review.lane, review.revision) == (appeal.review_id, ReviewLane.NEW, 2)


def test_a_deletion_leaves_the_strike_to_be_appealed(decided, ben):
    post, enforcement = decided
    appeal = appeal_of(post, enforcement)
    delete_post(post_id=post.pk, actor=CLIENT)
    answer(appeal, ben)
    post.refresh_from_db()
    assert post.visibility == Visibility.DELETED
    assert Author.objects.get(pk=post.author_id).standing == Standing.NEW
    assert Review.objects.get(pk=appeal.review_id).state == ReviewState.DECIDED


def test_a_withdrawn_appeal_leaves_everything_and_may_be_made_again(blocked, ada):
    post, enforcement = blocked
    appeal = appeal_of(post, enforcement)
    withdraw_appeal(appeal_id=appeal.pk, actor=CLIENT)
    assert Review.objects.get(pk=appeal.review_id).state == ReviewState.DECIDED
    for attempt in (
        lambda: withdraw_appeal(appeal_id=appeal.pk, actor=CLIENT),
        lambda: answer(appeal, ada),
        lambda: write_as_appellant(appeal_id=appeal.pk, words="Wait.", actor=CLIENT),
    ):
        with pytest.raises(AppealClosed):
            attempt()
    again = appeal_of(post, enforcement)
    assert again.pk != appeal.pk
    assert again.second_opinion_id == appeal.second_opinion_id


def test_two_appeals_about_one_post_share_its_item(decided, ben):
    post, first = decided
    edit_post(post_id=post.pk, base_revision=1, actor=CLIENT, body=f"{THREAT} today")
    drain_all()
    held = Enforcement.objects.get(post=post, revision=2)
    one, other = appeal_of(post, first), appeal_of(post, held)
    assert one.review_id == other.review_id
    answer(one, ben, revision=2)
    assert Review.objects.get(pk=one.review_id).lane == ReviewLane.APPEAL
    answer(other, ben, revision=2)
    post.refresh_from_db()
    assert (post.status, post.visibility) == (Status.APPROVED, Visibility.PUBLIC)
    assert Review.objects.get(pk=one.review_id).state == ReviewState.DECIDED


def test_a_conversation_keeps_its_order_and_whose_word_it_is(blocked, ada):
    post, enforcement = blocked
    appeal = appeal_of(post, enforcement)
    write_as_moderator(appeal_id=appeal.pk, moderator=ada, words="Which play?")
    write_as_appellant(appeal_id=appeal.pk, words="Hamlet.", actor=CLIENT)
    thread = [(message.written_by, message.body) for message in appeal.messages.all()]
    assert thread == [("author", WORDS), ("moderator", "Which play?"), ("author", "Hamlet.")]
    assert kinds_of(post)[-2:] == ["appeal.asked", "appeal.replied"]


# --- the second opinion --------------------------------------------------------------------------


class Careful:
    """A service that finds everything harmless, or does not answer; it counts its calls."""

    name = "careful"
    model_version = "careful-1"
    is_local = True
    kinds = frozenset({Part.TEXT})

    def __init__(self, outcome=Outcome.JUDGED):
        self.outcome = outcome
        self.asked: list[str] = []

    def judge(self, parts):
        self.asked += [part.text for part in parts]
        scores = {Category.THREAT: 0.01} if self.outcome is Outcome.JUDGED else {}
        return [Answer(self.outcome, scores) for _ in parts]


def route_appeals_to_careful(community, monkeypatch, **fields):
    careful = Careful(**fields)
    add_provider(monkeypatch, careful)
    use_policy(community, appeal_route={"text": ["careful"]})
    return careful


def opinion_on(appeal):
    return known.second_opinion(Appeal.objects.select_related("second_opinion").get(pk=appeal.pk))


def test_what_is_appealed_is_judged_again_and_stays_as_it_is(blocked, community, monkeypatch):
    post, enforcement = blocked
    careful = route_appeals_to_careful(community, monkeypatch)
    appeal = appeal_of(post, enforcement)
    before = Post.objects.get(pk=post.pk)
    assert opinion_on(appeal).is_waiting
    drain_all()
    opinion = opinion_on(appeal)
    assert (opinion.verdict.action, [row.provider for row in opinion.results]) == (
        Action.ALLOW,
        ["careful"],
    )
    assert careful.asked == [THREAT]
    after = Post.objects.get(pk=post.pk)
    assert (after.status, after.visibility, after.decided_at) == (
        before.status,
        before.visibility,
        before.decided_at,
    )
    assert Enforcement.objects.filter(post=post).count() == 1
    assert Author.objects.get(pk=post.author_id).standing == Standing.WATCHED
    assert kinds_of(post)[-1] == "appeal.judged_again"


def test_a_second_opinion_that_finds_worse_changes_nothing_either(community, ada):
    use_policy(community, thresholds=strict("review"))
    [post] = send(community, THREAT)
    drain_all()
    use_policy(community, thresholds=strict("block"))
    appeal = appeal_of(post, Enforcement.objects.get(post=post))
    drain_all()
    assert opinion_on(appeal).verdict.action == Action.BLOCK
    post.refresh_from_db()
    assert (post.status, post.visibility) == (Status.IN_REVIEW, Visibility.HELD)


def test_without_a_route_of_its_own_everyone_is_asked_but_who_repeats_the_decision(
    blocked, community
):
    post, enforcement = blocked
    appeal = appeal_of(post, enforcement)
    drain_all()
    asked = {row.provider for row in opinion_on(appeal).results}
    assert "local_text" in asked
    assert "reposts" not in asked


def test_an_appeal_goes_on_when_nobody_can_judge_again(blocked, community, ada, monkeypatch):
    post, enforcement = blocked
    route_appeals_to_careful(community, monkeypatch, outcome=Outcome.FAILED)
    appeal = appeal_of(post, enforcement)
    drain_all()
    opinion = opinion_on(appeal)
    assert not opinion.is_judged
    assert "no second opinion" in opinion.why_none
    assert answer(appeal, ada).state == AppealState.OVERTURNED


def test_an_appeal_goes_on_when_its_route_names_a_service_that_was_removed(
    blocked, community, ada, monkeypatch
):
    post, enforcement = blocked
    with monkeypatch.context() as while_it_was_there:
        route_appeals_to_careful(community, while_it_was_there)
        appeal = appeal_of(post, enforcement)
    drain_all()
    opinion = opinion_on(appeal)
    assert not opinion.is_judged
    assert opinion.why_none
    post.refresh_from_db()
    assert post.status == Status.REJECTED
    assert answer(appeal, ada).state == AppealState.OVERTURNED


def test_the_appealed_text_is_judged_again_whatever_the_author_wrote_since(
    decided, community, monkeypatch
):
    post, enforcement = decided
    careful = route_appeals_to_careful(community, monkeypatch)
    appeal = appeal_of(post, enforcement)
    edit_post(post_id=post.pk, base_revision=1, actor=CLIENT, body=HARMLESS)
    drain_all()
    assert careful.asked == [THREAT]
    verdict = opinion_on(appeal).verdict
    assert (verdict.revision, verdict.content_hash) == (1, appeal.second_opinion.content_hash)
    assert VerdictRecord.objects.filter(post=post, revision=2).exists()
    post.refresh_from_db()
    assert post.body == HARMLESS


def test_what_a_service_said_before_is_not_taken_for_its_second_opinion(community, monkeypatch):
    service = Provider(says(Category.THREAT, 0.97))
    service.facts = SimpleNamespace(answers_later=False)
    add_provider(monkeypatch, service, cache_seconds=60)
    use_policy(community, route={"text": ["somewhere"]})
    [post] = send(community, HARMLESS)
    drain_all()
    send(community, HARMLESS, writer="cy")
    drain_all()
    assert len(service.calls) == 1
    appeal = appeal_of(post, Enforcement.objects.get(post=post))
    drain_all()
    assert len(service.calls) == 2
    assert [row.cached for row in opinion_on(appeal).results] == [False]


# --- reporters -----------------------------------------------------------------------------------


@pytest.fixture
def refused(community, ada):
    """A harmless post, Cy's report of it, and that Ada refused it."""
    use_policy(community)
    [post] = send(community, HARMLESS)
    drain_all()
    cy = AuthorFactory.create(community=community, reports_refused=1)
    report = Report.objects.create(
        number="r" * 24,
        community=community,
        post=post,
        revision=1,
        content_hash=post.content_hash,
        reporter=cy,
        source=ReportSource.READER,
        category=Category.HARASSMENT,
        state=ReportState.REFUSED,
        settled_at=Now(),
    )
    return post, report


def test_a_refused_report_that_is_overturned_waits_for_a_lead(refused, ben):
    post, report = refused
    appeal = open_report_appeal(
        report_id=report.pk, reporter_id=report.reporter_id, words="Look again.", actor=CLIENT
    )
    answer(appeal, ben)
    report.refresh_from_db()
    review = Review.objects.get(post=post, state=ReviewState.OPEN)
    assert (report.state, report.review_id) == (ReportState.OPEN, review.pk)
    assert (review.lane, review.report_count) == (ReviewLane.ESCALATED, 1)
    post.refresh_from_db()
    assert post.visibility == Visibility.PUBLIC


def test_a_refusal_that_is_upheld_ends_it(refused, ben):
    post, report = refused
    appeal = open_report_appeal(
        report_id=report.pk, reporter_id=report.reporter_id, words="Look again.", actor=CLIENT
    )
    answer(appeal, ben, AppealState.UPHELD)
    report.refresh_from_db()
    assert report.state == ReportState.REFUSED
    assert not Review.objects.filter(post=post, state=ReviewState.OPEN).exists()


@pytest.mark.parametrize("state", [ReportState.OPEN, ReportState.ACTED_ON])
def test_only_a_refusal_is_appealed(refused, state):
    _, report = refused
    Report.objects.filter(pk=report.pk).update(state=state)
    with pytest.raises(CannotAppeal):
        open_report_appeal(
            report_id=report.pk, reporter_id=report.reporter_id, words="Why?", actor=CLIENT
        )


def test_only_whoever_reported_appeals_the_refusal(refused):
    post, report = refused
    with pytest.raises(NotAllowed):
        open_report_appeal(
            report_id=report.pk, reporter_id=post.author_id, words="Why?", actor=CLIENT
        )


# --- races ---------------------------------------------------------------------------------------


def at_once(*acts):
    """Run acts at the same moment; return what they raised, None for those that went well."""
    start = threading.Barrier(len(acts))
    raised: list[Exception | None] = []

    def run(act):
        start.wait()
        try:
            act()
        except (Conflict, NotFound) as error:
            raised.append(error)
        else:
            raised.append(None)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


ROUNDS = 50


@pytest.fixture
def many_blocked(transactional_db):
    from tests.factories import CommunityFactory

    community = CommunityFactory.create()
    use_policy(community, thresholds=strict("block"))
    posts = []
    for number in range(ROUNDS):
        posts += send(community, f"{THREAT} {number}", writer=f"bo{number}")
    drain_all()
    found = {row.post_id: row for row in Enforcement.objects.select_related("post")}
    return community, [(post, found[post.pk]) for post in posts]


def test_two_moderators_who_answer_at_once_give_one_answer(many_blocked):
    community, cases = many_blocked
    ada, ben = make_moderator(community, LEAD), make_moderator(community, LEAD)
    for post, enforcement in cases:
        appeal = appeal_of(post, enforcement)
        raised = at_once(
            lambda appeal=appeal: answer(appeal, ada, AppealState.UPHELD),
            lambda appeal=appeal: answer(appeal, ben, AppealState.OVERTURNED),
        )
        assert len([error for error in raised if error is None]) == 1
        appeal.refresh_from_db()
        is_reversed = Enforcement.objects.get(pk=enforcement.pk).reversed_at is not None
        assert is_reversed == (appeal.state == AppealState.OVERTURNED)
        assert (
            len([kind for kind in kinds_of(post) if kind in ("appeal.upheld", "appeal.overturned")])
            == 1
        )


def test_an_author_who_acts_while_it_is_answered_loses_nothing(many_blocked):
    community, cases = many_blocked
    ada = make_moderator(community, LEAD)
    for number, (post, enforcement) in enumerate(cases):
        appeal = appeal_of(post, enforcement)
        act = (
            lambda post=post: edit_post(
                post_id=post.pk, base_revision=1, actor=CLIENT, body=HARMLESS
            ),
            lambda post=post: delete_post(post_id=post.pk, actor=CLIENT),
            lambda appeal=appeal: withdraw_appeal(appeal_id=appeal.pk, actor=CLIENT),
            lambda post=post, enforcement=enforcement: appeal_of(post, enforcement, "Again."),
        )[number % 4]
        at_once(act, lambda appeal=appeal: answer(appeal, ada))
        appeal.refresh_from_db()
        if appeal.state == AppealState.OPEN:
            answer(appeal, ada, revision=Post.objects.get(pk=post.pk).revision)
            appeal.refresh_from_db()
        is_reversed = Enforcement.objects.get(pk=enforcement.pk).reversed_at is not None
        assert is_reversed == (appeal.state == AppealState.OVERTURNED)
        assert not Review.objects.filter(
            post=post, state=ReviewState.OPEN, lane=ReviewLane.APPEAL
        ).exists()


def test_one_who_opens_an_appeal_twice_at_once_has_opened_one(many_blocked):
    _, cases = many_blocked
    for post, enforcement in cases[:10]:
        raised = at_once(*[lambda: appeal_of(post, enforcement)] * 2)  # noqa: B023
        assert raised == [None, None]
        assert Appeal.objects.filter(enforcement=enforcement).count() == 1
        assert Submission.objects.filter(post=post, reason=Reason.APPEAL).count() == 1
        assert Submission.objects.filter(post=post, state=SubmissionState.DUE).count() == 1
