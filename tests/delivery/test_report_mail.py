"""What whoever reported gets by mail, and what nobody is written to about."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.core import mail
from pytest_django.fixtures import Settings

from moderation import webhooks
from moderation.models import Author, Community, Enforcement, OutboxMessage, Post, Report, Review
from moderation.pipeline.intake.draft import Writer
from moderation.pipeline.reports.notice import Notice, give_notice
from moderation.pipeline.reports.report import NewReport, report_post
from moderation.pipeline.reports.reporters import warn_reporter
from moderation.pipeline.review.reversal import reverse_enforcement
from moderation.pipeline.review.review import decide_review
from moderation.vocabulary import Action, Category, EndpointKind, ReviewState
from moderation.webhooks import SetUp
from tests.delivery.helpers import deliver, make_due
from tests.factories import PostFactory, UserFactory, make_moderator

pytestmark = pytest.mark.django_db

CY = "cy@people.example"
NORA = "nora@people.example"
WHY = "The second sentence calls for violence against a group of people."


@pytest.fixture(autouse=True)
def _site(settings: Settings, garden: Community) -> None:
    settings.MODERATION = {
        **settings.MODERATION,
        "undo_seconds": 10,
        "reports_page": "https://garden.example/me/reports/",
        "notice_page": "https://garden.example/notice/{report}/",
    }
    Community.objects.update(open_to_site_users=True)
    webhooks.add_endpoint(
        community=garden,
        kind=EndpointKind.EMAIL,
        wanted=SetUp(name="Notices"),
        user=None,
    )


@pytest.fixture
def post(garden: Community) -> Post:
    made: Post = PostFactory.create(author__community=garden)
    return made


@pytest.fixture
def cy() -> User:
    made: User = UserFactory.create(username="cy", email=CY)
    return made


@pytest.fixture
def ada(garden: Community) -> User:
    permissions = ("view_review", "decide_review", "reverse_enforcement", "judge_reporter")
    return make_moderator(garden, permissions, username="ada")


def report(post: Post, user: User) -> Report:
    writer = Writer.for_user(user.pk, user.get_username())
    return report_post(NewReport(post, writer, Category.HARASSMENT)).report


def notice(post: Post, email: str = NORA) -> Report:
    said = Notice([post.pk], Category.HATE, WHY, name="Nora Notifier", email=email, good_faith=True)
    [made] = give_notice(said, address="203.0.113.9")
    return made


def decide(post: Post, moderator: User, action: Action) -> None:
    review = Review.objects.get(post=post, state=ReviewState.OPEN)
    decide_review(
        review_id=review.pk,
        moderator=moderator,
        action=action,
        reason="For the author alone.",
        seen_revision=review.revision,
    )


def let_go_out() -> None:
    """What waits for a decision to be undone is due now."""
    make_due()
    deliver()


def test_a_notice_is_confirmed_at_once_and_answered_with_redress(post: Post, ada: User) -> None:
    made = notice(post)
    deliver()
    [confirmed] = mail.outbox
    assert confirmed.to == [NORA]
    assert made.number in confirmed.subject
    assert f"https://garden.example/notice/{made.number}/" in confirmed.body
    decide(post, ada, Action.ALLOW)
    let_go_out()
    answered = mail.outbox[-1]
    assert answered.to == [NORA]
    assert "keeps to the rules" in answered.body
    assert "A person decided, without a machine." in answered.body
    assert "out-of-court dispute settlement body" in answered.body
    for sent in mail.outbox:
        [(html, _)] = sent.alternatives
        for text in (sent.body, str(html)):
            assert "calls for violence" not in text
            assert "For the author alone" not in text


def test_a_reader_hears_of_the_answer_and_not_of_the_arrival(
    post: Post, cy: User, ada: User
) -> None:
    report(post, cy)
    deliver()
    assert mail.outbox == []
    assert not OutboxMessage.objects.exists()
    decide(post, ada, Action.BLOCK)
    deliver()
    # While the decision can be undone, nobody hears of it.
    assert mail.outbox == []
    let_go_out()
    [sent] = mail.outbox
    assert sent.to == [CY]
    assert "acted on it" in sent.body
    assert "https://garden.example/me/reports/" in sent.body
    assert "For the author alone" not in sent.body


def test_an_answer_that_changed_before_it_was_sent_is_told_once(
    post: Post, cy: User, ada: User
) -> None:
    report(post, cy)
    decide(post, ada, Action.BLOCK)
    reverse_enforcement(enforcement_id=Enforcement.objects.get().pk, moderator=ada, reason="Wrong.")
    let_go_out()
    [sent] = mail.outbox
    assert "keeps to the rules" in sent.body


def test_a_report_that_an_earlier_decision_answers_brings_no_mail(
    post: Post, cy: User, ada: User
) -> None:
    notice(post)
    decide(post, ada, Action.ALLOW)
    let_go_out()
    before = len(mail.outbox)
    report(post, cy)
    let_go_out()
    assert len(mail.outbox) == before


def test_who_is_warned_is_written_to(post: Post, cy: User, ada: User) -> None:
    report(post, cy)
    warn_reporter(author_id=Author.objects.get(user=cy).pk, lead=ada, reason="Ten of ten.")
    deliver()
    [sent] = mail.outbox
    assert sent.to == [CY]
    assert "report only what breaks the rules" in sent.body
    assert "Ten of ten" not in sent.body


def test_whoever_gave_no_address_is_not_written_to(post: Post) -> None:
    said = Notice([post.pk], Category.SEXUAL_MINORS, WHY, good_faith=True)
    give_notice(said, address="203.0.113.9")
    deliver()
    assert mail.outbox == []
    assert OutboxMessage.objects.get().last_error == "no_address"
