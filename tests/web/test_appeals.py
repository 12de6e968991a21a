"""Appeals in the forum: from the post's page, by a mail's link, and by who reported."""

from __future__ import annotations

import re

import pytest
from django.core import signing
from django.db.models.functions import Now
from django.urls import reverse

from moderation.models import Appeal, AppealMessage, Enforcement, Report, Statement
from moderation.pipeline.appeals.appeal import answer_appeal, open_report_appeal, write_as_moderator
from moderation.pipeline.appeals.link import link_token
from moderation.pipeline.intake.edit import edit_post
from moderation.vocabulary import AppealState, Category, ReportSource, ReportState
from tests.factories import AuthorFactory
from tests.pipeline.helpers import CLIENT, THREAT, drain_all
from tests.pipeline.test_enforce import strict, use_policy
from tests.web.conftest import browser

WORDS = "It is a line from a play that we rehearse."


@pytest.fixture
def taken_down(of, bo, community):
    """Bo's post that the policy took down, and what decided that."""
    use_policy(community, thresholds=strict("block"))
    post = of(bo).start(title="Act three", body=THREAT)
    drain_all()
    post.refresh_from_db()
    return post, Enforcement.objects.get(post=post)


def form_of(enforcement):
    number = Statement.objects.get(enforcement=enforcement).number
    return reverse("forum:appeal", args=[number])


def by_mail(enforcement):
    return reverse("forum:appeal_by_mail", args=[link_token(enforcement)])


def answer(appeal, moderator, outcome, text="It is a quote."):
    answer_appeal(
        appeal_id=appeal.pk, moderator=moderator, outcome=outcome, answer=text, seen_revision=1
    )


def test_the_page_of_a_post_leads_to_a_form_that_knows_what_it_is_about(of, bo, taken_down):
    post, enforcement = taken_down
    assert form_of(enforcement) in of(bo).read("post", post.pk)
    page = browser(bo).get(form_of(enforcement)).content.decode()
    assert THREAT in page
    assert "What was done" in page
    assert re.search(r"until \d+ \w+ \d{4}", page)


def test_an_appeal_is_sent_followed_answered_and_withdrawn(of, bo, ada, taken_down):
    _, enforcement = taken_down
    client = browser(bo)
    sent = client.post(form_of(enforcement), {"words": WORDS})
    appeal = Appeal.objects.get()
    status = reverse("forum:appeal_status", args=[appeal.number])
    assert sent["location"] == status
    assert client.get(form_of(enforcement))["location"] == status
    write_as_moderator(appeal_id=appeal.pk, moderator=ada, words="Which play?")
    page = client.get(status).content.decode()
    assert WORDS in page
    assert "Which play?" in page
    assert "A moderator" in page
    assert "ada" not in page
    assert client.post(status, {"act": "reply", "words": "Macbeth."})["location"] == status
    assert "Macbeth." in client.get(status).content.decode()
    assert client.post(status, {"act": "withdraw"})["location"] == status
    assert "You have withdrawn it" in client.get(status).content.decode()
    assert client.post(status, {"act": "reply", "words": "Wait."}).status_code == 409
    assert appeal.number in of(bo).read("my_appeals")


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (AppealState.OVERTURNED, "everyone can read your post"),
        (AppealState.UPHELD, "out-of-court"),
    ],
)
def test_the_answer_stands_on_the_page_with_what_follows_from_it(
    bo, ada, taken_down, outcome, told
):
    _, enforcement = taken_down
    client = browser(bo)
    client.post(form_of(enforcement), {"words": WORDS})
    appeal = Appeal.objects.get()
    answer(appeal, ada, outcome)
    page = client.get(reverse("forum:appeal_status", args=[appeal.number])).content.decode()
    assert "It is a quote." in page
    assert told in page


def test_nobody_else_sees_an_appeal_or_its_form(bo, cy, taken_down):
    _, enforcement = taken_down
    browser(bo).post(form_of(enforcement), {"words": WORDS})
    status = reverse("forum:appeal_status", args=[Appeal.objects.get().number])
    for address in (form_of(enforcement), status):
        assert browser(cy).get(address).status_code == 404
        assert browser(cy).post(address, {"words": "Mine."}).status_code == 404
    assert browser().get(status).status_code == 404
    assert browser().get(form_of(enforcement)).status_code == 302
    assert AppealMessage.objects.count() == 1


def test_a_mails_link_needs_no_sign_in_and_opens_one_decision_only(bo, ada, taken_down):
    post, enforcement = taken_down
    stranger = browser()
    # Made once: another second would sign it anew.
    link = by_mail(enforcement)
    page = stranger.get(link)
    assert page.status_code == 200
    assert page["Cache-Control"].startswith("max-age=0")
    assert stranger.post(link, {"words": WORDS})["location"] == link
    appeal = Appeal.objects.get()
    assert (appeal.enforcement_id, appeal.appellant.user) == (enforcement.pk, bo)
    assert WORDS in stranger.get(link).content.decode()
    stranger.post(link, {"act": "reply", "words": "Macbeth."})
    assert appeal.messages.count() == 2
    # It signs nobody in.
    assert stranger.get(reverse("forum:my_appeals")).status_code == 302
    assert stranger.get(reverse("forum:post", args=[post.pk])).status_code == 404


def test_a_link_that_was_not_made_for_this_opens_nothing(taken_down):
    _, enforcement = taken_down
    said = {"enforcement": enforcement.pk, "author": enforcement.author_id}
    another_author = {**said, "author": enforcement.author_id + 1}
    for token in (
        "guessed",
        link_token(enforcement)[:-1],
        signing.dumps(said, salt="another purpose"),
        signing.dumps(another_author, salt="moderation.appeal"),
        signing.dumps(["nonsense"], salt="moderation.appeal"),
    ):
        address = reverse("forum:appeal_by_mail", args=[token])
        assert browser().get(address).status_code == 404
        assert browser().post(address, {"words": WORDS}).status_code == 404
    assert not Appeal.objects.exists()


def test_a_link_expires_with_the_time_to_object(taken_down, settings):
    _, enforcement = taken_down
    address = by_mail(enforcement)
    settings.MODERATION = {**settings.MODERATION, "appeal_period_days": 0}
    late = browser().post(address, {"words": WORDS})
    assert late.status_code == 422
    assert "could be appealed until" in late.content.decode()
    settings.MODERATION = {**settings.MODERATION, "appeal_period_days": -8}
    assert browser().get(address).status_code == 404


def test_who_writes_on_and_on_is_asked_to_wait_and_keeps_the_text(bo, taken_down):
    _, enforcement = taken_down
    client = browser(bo)
    client.post(form_of(enforcement), {"words": WORDS})
    status = reverse("forum:appeal_status", args=[Appeal.objects.get().number])
    codes = {client.post(status, {"act": "reply", "words": "And so on."}).status_code}
    for _ in range(20):
        answered = client.post(status, {"act": "reply", "words": "And so on."})
        codes.add(answered.status_code)
    assert codes == {302, 429}
    assert "And so on." in answered.content.decode()


def test_an_empty_objection_is_asked_for_words(bo, taken_down):
    _, enforcement = taken_down
    refused = browser(bo).post(form_of(enforcement), {"words": " "})
    assert refused.status_code == 422
    assert "Say in your own words why you object." in refused.content.decode()


def test_the_page_shows_the_text_that_was_judged_and_no_markup_of_it(bo, taken_down):
    post, enforcement = taken_down
    client = browser(bo)
    client.post(form_of(enforcement), {"words": "<script>alert(1)</script>"})
    edit_post(post_id=post.pk, base_revision=1, actor=CLIENT, body="Something else.")
    page = client.get(
        reverse("forum:appeal_status", args=[Appeal.objects.get().number])
    ).content.decode()
    assert THREAT in page
    assert "Something else." not in page
    assert "<script>alert" not in page


# Reporters


def a_refused_report(post, reporter):
    return Report.objects.create(
        number="R-1234-5678",
        community=post.community,
        post=post,
        revision=1,
        content_hash=post.content_hash,
        reporter=reporter,
        source=ReportSource.READER if reporter else ReportSource.NOTICE,
        category=Category.HARASSMENT,
        state=ReportState.REFUSED,
        settled_at=Now(),
    )


@pytest.fixture
def approved(of, bo):
    post = of(bo).start()
    drain_all()
    return post


def test_a_reporter_objects_to_the_refusal_and_nobody_else_may(of, bo, cy, community, approved):
    reply = of(cy).reply(approved)
    report = a_refused_report(approved, reply.author)
    address = reverse("forum:appeal_report", args=[report.number])
    assert browser(bo).get(address).status_code == 404
    assert browser().post(address, {"words": "Look again."}).status_code == 404
    page = browser(cy).get(address).content.decode()
    assert "You were answered" in page
    sent = browser(cy).post(address, {"words": "Look again."})
    appeal = Appeal.objects.get()
    assert sent["location"] == reverse("forum:appeal_status", args=[appeal.number])
    assert "Look again." in browser(cy).get(sent["location"]).content.decode()
    assert browser(bo).get(sent["location"]).status_code == 404


def test_what_a_client_reported_or_objected_to_for_its_own_people_is_not_a_strangers(
    community, approved
):
    reader = AuthorFactory.create(community=community, user=None)
    report = a_refused_report(approved, reader)
    assert browser().get(reverse("forum:appeal_report", args=[report.number])).status_code == 404
    appeal = open_report_appeal(
        report_id=report.pk, reporter_id=reader.pk, words="Look again.", actor=CLIENT
    )
    status = reverse("forum:appeal_status", args=[appeal.number])
    assert browser().get(status).status_code == 404
    assert browser().post(status, {"act": "withdraw"}).status_code == 404


def test_whoever_gave_notice_without_an_account_objects_by_its_number(approved):
    report = a_refused_report(approved, None)
    client = browser()
    sent = client.post(
        reverse("forum:appeal_report", args=[report.number]), {"words": "Look again."}
    )
    assert "Look again." in client.get(sent["location"]).content.decode()
    assert Appeal.objects.get().appellant is None
