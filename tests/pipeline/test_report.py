"""6d · Readers report posts; a person answers, and the answer follows what stands."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from moderation import queries
from moderation.coordination import report_limit
from moderation.coordination.token_bucket import Limit
from moderation.errors import (
    AuthorSuspended,
    IdempotencyMismatch,
    InvalidFields,
    InvalidPolicy,
    NotAllowed,
    NotFound,
    RateLimited,
)
from moderation.models import AuditEvent, Author, Decision, Enforcement, Report, Review, Statement
from moderation.models.posts import INDEFINITELY
from moderation.pipeline.intake.draft import Writer
from moderation.pipeline.intake.edit import delete_post, edit_post
from moderation.pipeline.intake.idempotency import Idempotency, Reply
from moderation.pipeline.reports.report import NewReport, answer_report, report_post
from moderation.pipeline.reports.reporters import add_trusted_flagger, mute_reporter, warn_reporter
from moderation.pipeline.review.reversal import reverse_enforcement
from moderation.pipeline.review.review import decide_review
from moderation.pipeline.review.undo import undo_decision
from moderation.policy import reporting
from moderation.policy.document import DEFAULT_DOCUMENT, parse_policy
from moderation.vocabulary import (
    Action,
    Category,
    ReportSource,
    ReportState,
    ReviewLane,
    ReviewState,
    Severity,
    Status,
    Visibility,
)
from tests.factories import CommunityFactory, PostFactory, make_moderator
from tests.pipeline.helpers import CLIENT, HARMLESS, THREAT, drain_all, send
from tests.pipeline.test_enforce import strict, use_policy

LEAD = ("view_review", "decide_review", "reverse_enforcement", "judge_reporter")


@pytest.fixture
def ada(community):
    return make_moderator(community, LEAD)


@pytest.fixture
def post(community):
    """A post of Bo's that the policy approved."""
    [post] = send(community, HARMLESS)
    drain_all()
    post.refresh_from_db()
    return post


def report(post, reader="cy", category=Category.HARASSMENT, **fields):
    new = NewReport(post, Writer(reader), category, **fields)
    return report_post(new).report


def decide(post, moderator, action=Action.BLOCK):
    review = Review.objects.get(post=post, state=ReviewState.OPEN)
    return decide_review(
        review_id=review.pk,
        moderator=moderator,
        action=action,
        reason="It insults a person.",
        seen_revision=review.revision,
    )


def state_of(found):
    found.refresh_from_db()
    return found.state


def record_of(reader):
    author = Author.objects.get(external_id=reader)
    return author.reports_upheld, author.reports_refused


def kinds_of(post):
    events = AuditEvent.objects.filter(subject_id=str(post.pk)).order_by("sequence")
    return [event.kind for event in events]


# Taking in


def test_a_report_puts_the_post_before_a_person_and_leaves_it_visible(post):
    found = report(post, explanation="  He calls me names. ")
    review = Review.objects.get(post=post)
    post.refresh_from_db()
    assert (found.state, found.explanation) == (ReportState.OPEN, "He calls me names.")
    assert (review.lane, review.category) == (ReviewLane.REPORT, Category.HARASSMENT)
    assert (review.report_count, review.report_weight) == (1, 1.0)
    assert (post.status, post.visibility) == (Status.APPROVED, Visibility.PUBLIC)
    assert review.due_at is not None
    assert kinds_of(post)[-1] == "report.created"


def test_the_same_reader_reports_the_same_content_once(post):
    again = NewReport(post, Writer("cy"), Category.SPAM)
    assert report_post(again).is_new
    second = report_post(again)
    assert not second.is_new
    assert Report.objects.count() == 1
    assert Review.objects.get().report_count == 1


def test_reports_merge_into_the_open_item_which_rises_and_keeps_its_lane(community):
    use_policy(community, thresholds=strict("review"), review_visibility="public")
    [post] = send(community, THREAT)
    drain_all()
    before = Review.objects.get(post=post)
    report(post, "cy", Category.SPAM)
    report(post, "di", Category.SEXUAL_MINORS)
    after = Review.objects.get(post=post)
    assert (after.lane, after.report_count, after.report_weight) == (ReviewLane.NEW, 2, 2.0)
    assert after.severity == Severity.CRITICAL
    assert after.rank_at < before.rank_at


def test_nobody_reports_what_they_cannot_see(post):
    [own] = send(post.community, "A second post", writer="bo")
    with pytest.raises(NotAllowed):
        report(own, "bo")
    delete_post(post_id=post.pk, actor=CLIENT)
    with pytest.raises(NotFound):
        report(post)
    hidden = PostFactory.create(
        community=post.community, author=post.author, visibility=Visibility.HIDDEN
    )
    with pytest.raises(NotFound):
        report(hidden)
    assert not Report.objects.exists()


@pytest.mark.parametrize("until", [INDEFINITELY, None])
def test_who_is_suspended_does_not_report(post, until):
    Author.objects.create(
        community=post.community, external_id="cy", suspended_until=until or INDEFINITELY
    )
    with pytest.raises(AuthorSuspended):
        report(post)


@pytest.mark.parametrize("text", ["x" * 5_001, "a\x00b", "\ud800"])
def test_an_explanation_that_cannot_be_kept_is_refused(post, text):
    with pytest.raises(InvalidFields):
        report(post, explanation=text)


def test_who_reports_too_much_is_asked_to_wait(post, monkeypatch):
    monkeypatch.setattr(report_limit, "REPORTS", Limit(1, 0.001))
    report(post)
    with pytest.raises(RateLimited) as refused:
        report(post)
    assert refused.value.retry_after_seconds > 0
    report(post, "di")


def test_a_repeated_request_gets_the_first_answer(post):
    new = NewReport(post, Writer("cy"), Category.SPAM, source=ReportSource.CLIENT)

    def answer(stored):
        return Reply(201 if stored.is_new else 200, {"number": stored.report.number})

    key = Idempotency("key:1", "k1", "digest")
    first = answer_report(new, answer, key)
    second = answer_report(new, answer, key)
    assert (first.status_code, second.status_code, second.replayed) == (201, 201, True)
    assert first.body == second.body
    with pytest.raises(IdempotencyMismatch):
        answer_report(new, answer, Idempotency("key:1", "k1", "another"))


@pytest.mark.django_db(transaction=True)
def test_fifty_readers_at_once_make_one_item_with_the_right_count():
    community = CommunityFactory.create()
    [post] = send(community, HARMLESS)
    drain_all()
    start = threading.Barrier(50)
    failed = []

    def work(number):
        start.wait()
        try:
            report(post, f"reader-{number}")
        except Exception as error:  # noqa: BLE001
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    review = Review.objects.get(post=post)
    assert (review.report_count, review.report_weight) == (50, 50.0)
    assert Report.objects.filter(review=review, state=ReportState.OPEN).count() == 50
    sequences = AuditEvent.objects.filter(subject_id=str(post.pk)).values_list(
        "sequence", flat=True
    )
    assert sorted(sequences) == list(range(1, len(sequences) + 1))


# Weight


@pytest.mark.parametrize(
    ("upheld", "refused", "weight"),
    [(0, 0, 1.0), (1, 0, 4 / 3), (0, 1, 2 / 3), (9, 0, 20 / 11), (0, 8, 0.2), (5, 5, 1.0)],
)
def test_weight_follows_accuracy(upheld, refused, weight):
    assert reporting.weight_of(upheld, refused) == pytest.approx(weight)


def test_a_report_weighs_what_its_reader_was_worth(post):
    Author.objects.create(
        community=post.community, external_id="cy", reports_upheld=0, reports_refused=8
    )
    assert report(post, category=Category.SEXUAL_MINORS).weight == pytest.approx(0.2)
    # A word of alarm from somebody who is mostly wrong makes nothing more urgent.
    assert Review.objects.get().severity == Severity.MEDIUM


def test_a_trusted_flagger_counts_more(post, community, ada):
    add_trusted_flagger(community=community, name="Hotline", lead=ada, external_id="hotline")
    found = report(post, "hotline")
    assert (found.source, found.weight) == (ReportSource.TRUSTED_FLAGGER, 5.0)


# Answers


@pytest.mark.parametrize(
    ("action", "state", "counts"),
    [
        (Action.ALLOW, ReportState.REFUSED, (0, 1)),
        (Action.WARN, ReportState.ACTED_ON, (1, 0)),
        (Action.BLOCK, ReportState.ACTED_ON, (1, 0)),
    ],
)
def test_a_decision_answers_all_reports(post, ada, action, state, counts):
    found = [report(post, "cy"), report(post, "di")]
    decision = decide(post, ada, action)
    assert [state_of(one) for one in found] == [state, state]
    assert {one.decision_id for one in found} == {decision.pk}
    assert record_of("cy") == record_of("di") == counts
    assert kinds_of(post)[-2:] == ["report.settled"] * 2


def test_a_reversal_corrects_answers_and_counts_exactly(post, ada):
    found = report(post)
    decide(post, ada, Action.BLOCK)
    assert (state_of(found), record_of("cy")) == (ReportState.ACTED_ON, (1, 0))
    reverse_enforcement(enforcement_id=Enforcement.objects.get().pk, moderator=ada, reason="Wrong.")
    assert (state_of(found), record_of("cy")) == (ReportState.REFUSED, (0, 1))


def test_reports_wait_again_once_nothing_stands_that_answers_them(post, ada):
    found = report(post)
    decide(post, ada, Action.ALLOW)
    assert record_of("cy") == (0, 1)
    reverse_enforcement(enforcement_id=Enforcement.objects.get().pk, moderator=ada, reason="Wrong.")
    assert (state_of(found), record_of("cy")) == (ReportState.OPEN, (0, 0))
    assert found.decision is None
    assert Review.objects.get(post=post, state=ReviewState.OPEN).report_count == 1
    decide(post, ada, Action.BLOCK)
    assert (state_of(found), record_of("cy")) == (ReportState.ACTED_ON, (1, 0))


@pytest.mark.parametrize("action", [Action.ALLOW, Action.WARN, Action.BLOCK])
def test_an_undone_decision_leaves_reports_as_they_were(post, ada, action):
    found = report(post)
    before = Review.objects.get(post=post)
    decision = decide(post, ada, action)
    undo_decision(decision_id=decision.pk, moderator=ada)
    assert (state_of(found), record_of("cy"), found.decision) == (ReportState.OPEN, (0, 0), None)
    again = Review.objects.get(post=post)
    assert (again.pk, again.state, again.holder) == (before.pk, ReviewState.OPEN, ada)
    assert (again.report_count, again.report_weight) == (1, 1.0)
    assert again.rank_at == before.rank_at


def test_a_reversed_rejection_by_the_policy_leaves_what_a_person_answered(community, ada):
    use_policy(community, thresholds=strict("review"), review_visibility="public")
    [post] = send(community, THREAT)
    drain_all()
    found = report(post)
    decide(post, ada, Action.ALLOW)
    policys = Enforcement.objects.get(verdict__isnull=False)
    reverse_enforcement(enforcement_id=policys.pk, moderator=ada, reason="Needless.")
    assert (state_of(found), record_of("cy")) == (ReportState.REFUSED, (0, 1))


def test_what_a_person_decided_mutes_reports_until_the_content_changes(post, ada):
    report(post, "cy")
    decision = decide(post, ada, Action.ALLOW)
    muted = report(post, "di")
    assert (muted.state, muted.decision) == (ReportState.MUTED, decision)
    assert "before" in queries.answer_of(muted).text
    assert not Review.objects.filter(state=ReviewState.OPEN).exists()
    assert record_of("di") == (0, 0)
    edit_post(post_id=post.pk, base_revision=1, actor=CLIENT, body="Another text")
    assert report(post, "di").state == ReportState.OPEN
    # What it said before, it says again: the decision about that counts again.
    edit_post(post_id=post.pk, base_revision=2, actor=CLIENT, body=HARMLESS)
    assert report(post, "ed").state == ReportState.MUTED


def test_a_reversed_decision_mutes_nothing(post, ada):
    report(post, "cy")
    decide(post, ada, Action.ALLOW)
    reverse_enforcement(enforcement_id=Enforcement.objects.get().pk, moderator=ada, reason="Wrong.")
    assert report(post, "di").state == ReportState.OPEN


def test_a_muted_report_shares_the_fate_of_the_decision_that_muted_it(post, ada):
    answered = report(post, "cy")
    decide(post, ada, Action.ALLOW)
    muted = report(post, "di")
    reverse_enforcement(enforcement_id=Enforcement.objects.get().pk, moderator=ada, reason="Wrong.")
    assert (state_of(answered), state_of(muted)) == (ReportState.OPEN, ReportState.OPEN)
    assert Review.objects.get(post=post, state=ReviewState.OPEN).report_count == 2
    decide(post, ada, Action.BLOCK)
    assert state_of(muted) == ReportState.ACTED_ON
    assert (record_of("cy"), record_of("di")) == ((1, 0), (1, 0))


def test_a_report_that_a_lead_muted_its_reporter_for_stays_muted(post, ada):
    report(post, "cy")
    Author.objects.create(
        community=post.community,
        external_id="di",
        reports_muted_until=queries.database_now() + timedelta(days=1),
    )
    muted = report(post, "di")
    decide(post, ada, Action.BLOCK)
    assert (state_of(muted), record_of("di")) == (ReportState.MUTED, (0, 0))


def test_reports_follow_an_edit_into_the_new_revisions_item(post, ada):
    found = report(post)
    edit_post(post_id=post.pk, base_revision=1, actor=CLIENT, body="Milder words")
    review = Review.objects.get(post=post, state=ReviewState.OPEN)
    assert (review.revision, review.report_count, review.lane) == (2, 1, ReviewLane.REPORT)
    drain_all()
    assert Review.objects.get(post=post, state=ReviewState.OPEN) == review
    decide(post, ada, Action.ALLOW)
    assert state_of(found) == ReportState.REFUSED


def test_a_deleted_post_ends_its_reports_without_counting_them(post):
    found = report(post)
    delete_post(post_id=post.pk, actor=CLIENT)
    assert (state_of(found), record_of("cy")) == (ReportState.ACTED_ON, (0, 0))
    assert queries.answer_of(found).by == "author"


# Held until a person looks


def proven(community, *names):
    for name in names:
        Author.objects.create(community=community, external_id=name, reports_upheld=8)


def test_newcomers_hide_nothing_however_many_they_are(community, ada):
    use_policy(community, reports={"hold_at_weight": 2})
    [post] = send(community, HARMLESS)
    drain_all()
    for number in range(12):
        report(post, f"new-{number}")
    post.refresh_from_db()
    assert post.visibility == Visibility.PUBLIC


def test_proven_readers_hold_a_post_where_the_policy_says_so(community, ada):
    use_policy(community, reports={"hold_at_weight": 3})
    [post] = send(community, HARMLESS)
    drain_all()
    proven(community, "cy", "di")
    report(post, "cy")
    post.refresh_from_db()
    assert post.visibility == Visibility.PUBLIC
    report(post, "di")
    post.refresh_from_db()
    assert (post.status, post.visibility) == (Status.IN_REVIEW, Visibility.HELD)
    assert kinds_of(post)[-1] == "post.queued"
    told = Statement.objects.get(author=post.author).document
    said = {one["key"]: one["text"] for one in told["said"]}
    assert "hidden from others until a moderator has looked" in said["what"]
    assert "insults or harassment" in said["why"]
    assert "reported" in said["detection"]
    assert told["facts"] == {
        "source": "reader",
        "detected_automatically": False,
        "decided": "fully",
        "category": "harassment",
        "part": None,
    }
    decide(post, ada, Action.ALLOW)
    post.refresh_from_db()
    assert (post.status, post.visibility) == (Status.APPROVED, Visibility.PUBLIC)


def test_without_a_weight_in_the_policy_nothing_is_held(post):
    proven(post.community, "cy", "di", "ed")
    for name in ("cy", "di", "ed"):
        report(post, name)
    post.refresh_from_db()
    assert post.visibility == Visibility.PUBLIC


@pytest.mark.parametrize("weight", [0, -1, "3", None])
def test_a_policy_with_a_senseless_weight_is_refused(weight):
    with pytest.raises(InvalidPolicy):
        parse_policy({**DEFAULT_DOCUMENT, "reports": {"hold_at_weight": weight}})


# Misuse


@pytest.mark.parametrize(
    ("upheld", "refused", "warned", "advice"),
    [
        (0, 9, None, "none"),
        (1, 9, None, "warn"),
        (2, 9, None, "none"),
        (0, 10, INDEFINITELY, "mute"),
    ],
)
def test_misuse_is_a_matter_of_number_and_share(upheld, refused, warned, advice):
    found = reporting.ReportersRecord(upheld, refused, warned)
    assert reporting.advice_for(found) == advice


def test_a_lead_warns_before_leaving_reports_aside(post, ada):
    report(post)
    cy = Author.objects.get(external_id="cy")
    with pytest.raises(Exception, match="Warn them first"):
        mute_reporter(author_id=cy.pk, lead=ada, days=30, reason="Eleven of eleven.")
    warn_reporter(author_id=cy.pk, lead=ada, reason="Ten of ten.")
    mute_reporter(author_id=cy.pk, lead=ada, days=30, reason="Eleven of eleven.")
    [second] = send(post.community, "Another harmless post")
    drain_all()
    muted = report(second)
    assert (muted.state, muted.decision) == (ReportState.MUTED, None)
    assert not Review.objects.filter(post=second).exists()
    events = AuditEvent.objects.filter(subject_kind="author").order_by("pk")
    assert [event.kind for event in events] == ["reporter.warned", "reporter.muted"]
    assert "Eleven" not in str([event.facts for event in events])


def test_only_a_lead_of_the_community_judges_reporters(post, community):
    report(post)
    cy = Author.objects.get(external_id="cy")
    for user in (make_moderator(community), make_moderator(CommunityFactory.create(), LEAD)):
        with pytest.raises(NotAllowed):
            warn_reporter(author_id=cy.pk, lead=user, reason="No.")


def test_decisions_know_nothing_of_who_reported(post, ada):
    report(post, "cy")
    decide(post, ada)
    assert "cy" not in Decision.objects.values_list("reason", flat=True)
    facts = [event.facts for event in AuditEvent.objects.filter(kind__startswith="report.")]
    assert all("reporter" not in fact for fact in facts)
