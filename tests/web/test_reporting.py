"""Readers report a post and hear back; anybody gives notice of illegal content."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from moderation.coordination import report_limit
from moderation.coordination.token_bucket import Limit
from moderation.models import Author, Report, Review
from moderation.pipeline.reports.reporters import add_trusted_flagger
from moderation.pipeline.review.review import decide_review
from moderation.vocabulary import Action, ReportSource, ReportState, ReviewState, Visibility
from tests.factories import CommunityFactory, PostFactory, make_moderator, site_author
from tests.web.conftest import browser

WHY = "The second sentence calls for violence against a group of people."


@pytest.fixture
def post(bo, community, board):
    return PostFactory.create(author=site_author(bo, community), channel=board.slug)


def report(user, post, **fields):
    sent = {"category": "harassment", "explanation": "He calls me <b>names</b>.", **fields}
    return browser(user).post(reverse("forum:report", args=[post.pk]), sent)


def decide(post, moderator, action):
    review = Review.objects.get(post=post, state=ReviewState.OPEN)
    decide_review(
        review_id=review.pk,
        moderator=moderator,
        action=action,
        reason="For the author alone.",
        seen_revision=review.revision,
    )


# Reports


def test_every_post_of_others_has_a_link_and_ones_own_has_none(of, bo, cy, post):
    link = reverse("forum:report", args=[post.pk])
    assert link in of(cy).read("topic", post.pk)
    assert link in of().read("topic", post.pk)
    assert link not in of(bo).read("topic", post.pk)


def test_a_reader_reports_and_finds_it_among_their_reports(cy, post):
    answer = report(cy, post)
    assert answer.status_code == 302
    found = Report.objects.get()
    assert (found.reporter.user, found.source) == (cy, ReportSource.READER)
    page = browser(cy).get(answer["location"]).content.decode()
    assert found.number in page
    assert "A moderator will look at it." in page
    assert "He calls me &lt;b&gt;names&lt;/b&gt;." in page


def test_whoever_is_not_signed_in_signs_in_first(post):
    answer = report(None, post)
    assert answer["location"].startswith(reverse("account_login"))
    assert not Report.objects.exists()


def test_a_report_without_a_category_is_asked_again_and_keeps_what_was_typed(cy, post):
    answer = report(cy, post, category="")
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "Choose what is wrong with it." in page
    assert "He calls me &lt;b&gt;names&lt;/b&gt;." in page


def test_ones_own_post_and_what_one_cannot_see_are_not_reported(of, bo, cy, post):
    assert of(bo).get("report", post.pk)["location"] == reverse("forum:post", args=[post.pk])
    post.visibility = Visibility.HIDDEN
    post.save()
    assert report(cy, post).status_code == 404


def test_too_many_reports_are_asked_to_wait(cy, post, monkeypatch):
    monkeypatch.setattr(report_limit, "REPORTS", Limit(1, 0.001))
    report(cy, post)
    answer = report(cy, post)
    assert answer.status_code == 429
    assert "Try again in" in answer.content.decode()


@pytest.mark.parametrize(
    ("action", "says", "is_readable"),
    [
        (Action.BLOCK, "A moderator looked at the post and acted on it.", False),
        (Action.ALLOW, "keeps to the rules", True),
    ],
)
def test_a_reporter_hears_back_and_nothing_of_the_author(
    of, cy, ada, post, action, says, is_readable
):
    report(cy, post)
    decide(post, ada, action)
    page = of(cy).read("my_reports")
    assert says in page
    assert "For the author alone" not in page
    assert (post.title in page) is is_readable


def test_a_second_report_shows_where_the_first_one_stands(cy, post):
    report(cy, post)
    again = browser(cy).post(
        reverse("forum:report", args=[post.pk]), {"category": "spam"}, follow=True
    )
    assert "You have reported this already." in again.content.decode()
    assert Report.objects.count() == 1


def test_whoever_was_warned_reads_so(of, cy, post):
    report(cy, post)
    Author.objects.filter(user=cy).update(reports_warned_at="2026-01-01T00:00:00Z")
    assert "ask you to report only what breaks the rules" in of(cy).read("my_reports")
    Author.objects.filter(user=cy).update(reports_muted_until="2999-01-01T00:00:00Z")
    assert "are not looked at until" in of(cy).read("my_reports")


def test_reports_are_read_page_by_page_at_a_steady_price(
    of, cy, community, django_assert_max_num_queries
):
    author = site_author(cy, community)
    for number in range(25):
        post = PostFactory.create(author__community=community, title=f"Number {number}")
        Report.objects.create(
            number=f"R-{number}",
            community=community,
            post=post,
            revision=1,
            content_hash=post.content_hash,
            reporter=author,
            source="reader",
        )
    pages = of(cy)
    with django_assert_max_num_queries(8):
        first = pages.read("my_reports")
    assert "Number 24" in first
    assert "Number 4<" not in first
    before = Report.objects.get(number="R-5").pk
    last = pages.client.get(reverse("forum:my_reports"), {"before": before}).content.decode()
    assert "Number 4" in last
    assert pages.client.get(reverse("forum:my_reports"), {"before": "x"}).status_code == 400


# Notices of illegal content


def notice(post=None, user=None, **fields):
    sent = {
        "locations": f"http://testserver/t/{post.pk}/#post-{post.pk}" if post else "",
        "category": "hate",
        "explanation": WHY,
        "name": "Nora Notifier",
        "email": "nora@people.example",
        "good_faith": "on",
        **fields,
    }
    return browser(user).post(reverse("forum:notice"), sent)


def test_anybody_gives_notice_and_gets_a_number(post):
    answer = notice(post)
    assert answer.status_code == 302, answer.content.decode()
    found = Report.objects.get()
    assert (found.source, found.reporter, found.good_faith) == (ReportSource.NOTICE, None, True)
    assert found.notifier == {"name": "Nora Notifier", "email": "nora@people.example"}
    page = browser().get(answer["location"]).content.decode()
    assert found.number in page
    status = browser().get(reverse("forum:notice_status", args=[found.number])).content.decode()
    assert "A moderator will look at it." in status
    for private in ("Nora", "nora@", "calls for violence"):
        assert private not in status


def test_name_and_address_do_not_stand_in_the_database(post):
    notice(post)
    with connection.cursor() as cursor:
        cursor.execute("SELECT notifier FROM moderation_report")
        [[stored]] = cursor.fetchall()
    assert stored
    assert "Nora" not in stored
    assert "people.example" not in stored


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"locations": ""}, "Say where it is"),
        ({"locations": "http://testserver/b/garden/"}, "There is no post that everyone can read"),
        ({"locations": "https://elsewhere.example/t/1/"}, "There is no post that everyone"),
        ({"locations": "http://[bad"}, "There is no post that everyone"),
        ({"category": ""}, "Choose what kind"),
        ({"explanation": "Bad."}, "Say in a sentence or two"),
        ({"name": ""}, "Say who you are"),
        ({"email": ""}, "Give an address"),
        ({"email": "nora"}, "This is not an e-mail address."),
        ({"good_faith": ""}, "Confirm that"),
    ],
)
def test_what_is_missing_is_named_and_what_was_typed_is_kept(post, fields, says):
    answer = notice(post, **fields)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert says in page
    kept = {"explanation": WHY, "name": "Nora Notifier", **fields}
    assert kept["explanation"] in page
    assert kept["name"] in page
    assert not Report.objects.exists()


def test_abuse_of_children_is_told_without_a_name(post):
    answer = notice(post, category="sexual_minors", name="", email="")
    assert answer.status_code == 302
    assert Report.objects.get().notifier == {}


def test_one_notice_names_several_posts(bo, cy, community, post):
    reply = PostFactory.create(author=site_author(cy, community), parent=post)
    locations = f"/p/{post.pk}/\nhttp://testserver/t/{post.pk}/?at={reply.pk}#post-{reply.pk}"
    answer = notice(locations=locations)
    assert answer.status_code == 302
    assert set(Report.objects.values_list("post_id", flat=True)) == {post.pk, reply.pk}
    page = browser().get(answer["location"]).content.decode()
    assert all(found.number in page for found in Report.objects.all())


def test_a_hidden_post_and_a_clients_post_are_no_subject(post):
    post.visibility = Visibility.HIDDEN
    post.save()
    assert notice(post).status_code == 422
    foreign = PostFactory.create(author__community=CommunityFactory.create())
    assert notice(foreign).status_code == 422


def test_the_form_sent_twice_is_one_notice(post):
    assert notice(post)["location"] == notice(post)["location"]
    assert Report.objects.count() == 1


def test_typing_somebodys_address_does_not_lead_to_their_notice(post):
    theirs = notice(post)["location"]
    assert notice(post, explanation="It is against the law, as I see it.")["location"] != theirs
    assert Report.objects.count() == 2


def test_one_address_gives_only_so_many(post, monkeypatch):
    monkeypatch.setattr(report_limit, "NOTICES", Limit(1, 0.001))
    assert notice(post).status_code == 302
    answer = notice(post, email="another@people.example")
    assert answer.status_code == 429
    assert WHY in answer.content.decode()


def test_a_forged_form_is_refused(post):
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(reverse("forum:notice"), {}).status_code == 403


def test_a_trusted_flagger_comes_first_when_signed_in_and_not_by_typing_their_address(
    cy, community, post
):
    lead = make_moderator(community, ("view_review", "judge_reporter"))
    add_trusted_flagger(community=community, name="Hotline", lead=lead, user=cy)
    cy.email = "nora@people.example"
    cy.save()
    notice(post)
    assert Report.objects.get().source == ReportSource.NOTICE
    notice(post, user=cy, category="threat")
    flagged = Report.objects.get(category="threat")
    assert (flagged.source, flagged.weight) == (ReportSource.TRUSTED_FLAGGER, 5.0)


def test_a_decision_by_the_rules_does_not_answer_a_notice(cy, ada, post):
    report(cy, post)
    decide(post, ada, Action.ALLOW)
    notice(post)
    first = Report.objects.get(source=ReportSource.NOTICE)
    assert first.state == ReportState.OPEN
    decide(post, ada, Action.ALLOW)
    notice(post, email="another@people.example")
    second = Report.objects.filter(source=ReportSource.NOTICE).latest("pk")
    assert second.state == ReportState.MUTED
    page = browser().get(reverse("forum:notice_status", args=[second.number])).content.decode()
    assert "looked at this very content before" in page
    assert "A person decided; a machine found that decision" in page
    assert "out-of-court dispute settlement body" in page


def test_a_readers_report_is_not_open_to_whoever_has_its_number(cy, post):
    report(cy, post)
    number = Report.objects.get().number
    assert browser().get(reverse("forum:notice_status", args=[number])).status_code == 404


@pytest.mark.django_db
def test_an_unknown_number_is_not_found():
    assert browser().get("/notice/R-NOPE/").status_code == 404
    assert browser().get("/notice/received/?numbers=R-NOPE").status_code == 404
