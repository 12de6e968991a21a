"""Reports in the back office: read by those of the community, and reporters judged by its leads."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.urls import reverse

from moderation.admin.report_panel import reports_panel
from moderation.models import AuditEvent, Author, Community, Report, Review, TrustedFlagger
from moderation.pipeline.intake.draft import Writer
from moderation.pipeline.reports.notice import Notice, give_notice
from moderation.pipeline.reports.report import NewReport, report_post
from moderation.vocabulary import Category
from tests.admin.conftest import ClientFor
from tests.factories import PostFactory

HOSTILE = "<script>alert(1)</script>\u202e"
LIST = "admin:moderation_report_changelist"


def reported(community: Community, reader: str = "cy", text: str = HOSTILE) -> Report:
    post = PostFactory.create(author__community=community)
    new = NewReport(post, Writer(reader, name=HOSTILE), Category.HARASSMENT, text)
    return report_post(new).report


def test_a_moderator_reads_their_communities_reports_escaped(
    ada: User, garden: Community, elsewhere: Community, as_user: ClientFor
) -> None:
    own, foreign = reported(garden), reported(elsewhere)
    client = as_user(ada)
    pages = [
        client.get(reverse(LIST)),
        client.get(reverse("admin:moderation_report_change", args=[own.pk])),
        client.get(reverse("admin:moderation_reporter", args=[own.reporter_id])),
    ]
    for page in pages:
        assert page.status_code == 200
        text = page.content.decode()
        assert "<script>alert(1)" not in text
        assert "\u202e" not in text
    assert own.number in pages[1].content.decode()
    for name, pk in (("report_change", foreign.pk), ("reporter", foreign.reporter_id)):
        answer = client.get(reverse(f"admin:moderation_{name}", args=[pk]))
        assert answer.status_code in (302, 404)


def test_a_moderator_of_some_categories_reads_the_reports_of_those(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    found = reported(garden)
    client = as_user(ada)
    for categories, status in ((["spam"], 302), (["spam", "harassment"], 200), ([], 200)):
        ada.moderates.update(categories=categories)
        listed = client.get(reverse(LIST)).content.decode()
        assert (found.number in listed or str(found.post_id) in listed) is (status == 200)
        shown = client.get(reverse("admin:moderation_report_change", args=[found.pk]))
        assert shown.status_code == status


def test_the_panel_shows_the_weightiest_first_and_escapes_what_people_wrote(
    garden: Community,
) -> None:
    first = reported(garden)
    Community.objects.update(open_to_site_users=True)
    Author.objects.create(community=garden, external_id="di", reports_upheld=8)
    report_post(NewReport(first.post, Writer("di"), Category.SPAM, "Second"))
    said = Notice(
        [first.post.pk],
        Category.HATE,
        "It calls for violence against a group.",
        name="Nora <b>Notifier</b>",
        email="nora@people.example",
        good_faith=True,
    )
    give_notice(said, address="203.0.113.9")
    review = Review.objects.get(post=first.post)
    panel = reports_panel(review)
    assert [line.report.category for line in panel.lines] == ["spam", "harassment", "hate"]
    assert [count for _, count in panel.categories] == [1, 1, 1]
    html = render_to_string("moderation/admin/_reports.html", {"panel": panel, "review": review})
    assert "Nora &lt;b&gt;Notifier&lt;/b&gt;" in html
    assert "<script>alert(1)" not in html
    assert "nora@people.example" not in html


def test_the_panel_costs_the_same_for_one_report_and_for_many(
    garden: Community, django_assert_num_queries: object
) -> None:
    first = reported(garden)
    for number in range(20):
        report_post(NewReport(first.post, Writer(f"p{number}"), Category.SPAM))
    review = Review.objects.get(post=first.post)
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert len(reports_panel(review).lines) == 21


def test_a_lead_warns_mutes_and_listens_again_on_the_record(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    author_id = reported(garden).reporter_id
    page, client = reverse("admin:moderation_reporter", args=[author_id]), as_user(lea)
    client.post(page, {"act": "mute", "days": 30, "reason": "Too soon."})
    assert Author.objects.get(pk=author_id).reports_muted_until is None
    client.post(page, {"act": "warn", "reason": "Ten of ten."})
    client.post(page, {"act": "mute", "days": 30, "reason": "It went on."})
    assert Author.objects.get(pk=author_id).reports_muted_until is not None
    client.post(page, {"act": "unmute", "reason": "A new start."})
    assert Author.objects.get(pk=author_id).reports_muted_until is None
    kinds = AuditEvent.objects.filter(subject_kind="author").values_list("kind", flat=True)
    assert list(kinds) == ["reporter.warned", "reporter.muted", "reporter.unmuted"]


def test_a_moderator_who_is_no_lead_judges_no_reporter(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    author_id = reported(garden).reporter_id
    page, client = reverse("admin:moderation_reporter", args=[author_id]), as_user(ada)
    assert 'name="act"' not in client.get(page).content.decode()
    assert client.post(page, {"act": "warn", "reason": "Ten of ten."}).status_code == 403


@pytest.mark.parametrize(
    ("fields", "made"),
    [
        ({"external_id": "hotline"}, 1),
        ({"username": "ada"}, 1),
        ({"username": "nobody"}, 0),
        ({"username": "ada", "external_id": "hotline"}, 0),
        ({"external_id": " "}, 0),
        ({}, 0),
    ],
)
def test_a_lead_marks_a_trusted_flagger_and_takes_the_mark_away(
    lea: User,
    ada: User,
    garden: Community,
    as_user: ClientFor,
    fields: dict[str, str],
    made: int,
) -> None:
    client = as_user(lea)
    add = reverse("admin:moderation_trustedflagger_add")
    assert client.get(add).status_code == 200
    client.post(add, {"community": garden.pk, "name": "Hotline", **fields})
    assert TrustedFlagger.objects.count() == made
    for flagger in TrustedFlagger.objects.all():
        shown = client.get(reverse("admin:moderation_trustedflagger_change", args=[flagger.pk]))
        assert shown.status_code == 200
        away = reverse("admin:moderation_trustedflagger_delete", args=[flagger.pk])
        client.post(away, {"post": "yes"})
    assert not TrustedFlagger.objects.exists()
    kinds = AuditEvent.objects.filter(subject_kind="flagger").values_list("kind", flat=True)
    assert list(kinds) == ["flagger.added", "flagger.removed"][: made * 2]
