"""Second looks, figures and golden items in the back office."""

from __future__ import annotations

import csv
import io
import re

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from moderation.models import BlindCheck, Community, Decision, Enforcement, GoldenItem
from moderation.pipeline.review.review import decide_review
from moderation.vocabulary import Action, Category
from tests.admin.conftest import ClientFor
from tests.admin.payloads import PAYLOADS
from tests.admin.situations import queued
from tests.admin.test_hostile_text import Reader
from tests.factories import AuthorFactory, UserFactory

CHECK = reverse("admin:moderation_quality")
FIGURES = reverse("admin:moderation_quality_figures")
DISAGREEMENTS = reverse("admin:moderation_quality_disagreements")


def decided(community: Community, moderator: User, **post_fields: object) -> Decision:
    review = queued(community, **post_fields)
    return decide_review(
        review_id=review.pk,
        moderator=moderator,
        action=Action.BLOCK,
        reason="A reason nobody else gave",
        seen_revision=1,
        category=Category.HARASSMENT,
    )


def waiting(community: Community, moderator: User, **post_fields: object) -> BlindCheck:
    """Return a check of a decision that was drawn, in nobody's hands."""
    decision = decided(community, moderator, **post_fields)
    return BlindCheck.objects.create(
        community=community, decision=decision, category=decision.category
    )


def disagreed(community: Community, first: User, second: User, **post_fields: object) -> BlindCheck:
    check = waiting(community, first, **post_fields)
    BlindCheck.objects.filter(pk=check.pk).update(
        moderator=second, expected="block", answer="allow", agrees=False, answered_at=timezone.now()
    )
    return check


def golden_item(community: Community, lead: User, **fields: object) -> GoldenItem:
    given = {
        "title": "Weather",
        "body": "What a fool wrote this forecast",
        "action": "allow",
        "explanation": "It is rude about a text.",
        "made_by": lead,
        **fields,
    }
    made: GoldenItem = GoldenItem.objects.create(community=community, **given)
    return made


def answer(client: Client, check_id: int, action: str, **more: str) -> str:
    address = reverse("admin:moderation_quality_answer", args=[check_id])
    done = client.post(address, {"action": action, **more}, follow=True)
    return done.content.decode()


def test_a_moderator_sees_the_post_and_no_trace_of_the_decision(
    ada: User, root: User, garden: Community, as_user: ClientFor
) -> None:
    check = waiting(garden, root, body="You idiot, again")
    page = as_user(ada).get(CHECK).content.decode()
    assert "You idiot, again" in page
    [main] = re.findall(r'<div class="gh-page gh-narrow">.*?</form>', page, re.DOTALL)
    traces = ("root", "nobody else gave", "rejected", "0.78", "gh-mark", "authors/", "Harassment")
    # The category can be chosen as an answer; nothing says that it was found.
    told = main.replace('<option value="harassment">Harassment or insult</option>', "")
    assert [trace for trace in traces if trace in told] == []
    assert check.decision is not None
    assert str(check.decision.post_id) not in main


def test_an_answer_leads_to_the_next_question(
    ada: User, root: User, garden: Community, as_user: ClientFor
) -> None:
    first, second = waiting(garden, root, body="First"), waiting(garden, root, body="Second")
    client = as_user(ada)
    assert "First" in client.get(CHECK).content.decode()
    page = answer(client, first.pk, "block", category="harassment")
    assert "Nothing was changed on the post" in page
    assert "Second" in page
    assert "Nothing to check now" in answer(client, second.pk, "leave")
    first.refresh_from_db()
    assert (first.answer, first.agrees, first.moderator) == ("block", True, ada)


def test_what_passed_to_others_is_not_answered(
    ada: User, lea: User, root: User, garden: Community, as_user: ClientFor
) -> None:
    check = waiting(garden, root)
    as_user(lea).get(CHECK)
    page = answer(as_user(ada), check.pk, "allow")
    assert "not in your hands" in page
    check.refresh_from_db()
    assert check.answered_at is None


def test_after_a_golden_item_the_expected_answer_is_explained(
    ada: User, lea: User, garden: Community, as_user: ClientFor
) -> None:
    golden_item(garden, lea)
    client = as_user(ada)
    page = client.get(CHECK).content.decode()
    assert "What a fool wrote" in page
    assert "rude about a text" not in page
    page = answer(client, BlindCheck.objects.get().pk, "block")
    assert "The leads see it differently" in page
    assert "rude about a text" in page


def test_a_lead_makes_a_golden_item_of_a_decision(
    lea: User, ada: User, root: User, garden: Community, as_user: ClientFor
) -> None:
    decision = decided(garden, root, body="You idiot, again")
    client = as_user(lea)
    address = reverse("admin:moderation_goldenitem_of_decision", args=[decision.pk])
    assert (
        address
        in client.get(
            reverse("admin:moderation_decision_change", args=[decision.pk])
        ).content.decode()
    )
    assert "You idiot, again" in client.get(address).content.decode()
    said = {"action": "block", "category": "harassment", "explanation": "It insults a person."}
    assert "required" in client.post(address, {**said, "explanation": " "}).content.decode()
    done = client.post(address, said, follow=True).content.decode()
    assert "You idiot, again" in done
    item = GoldenItem.objects.get()
    assert (item.decision, item.title, item.body, item.made_by) == (decision, "", "", lea)
    change = reverse("admin:moderation_goldenitem_change", args=[item.pk])
    assert client.get(address)["Location"] == change
    assert "You idiot, again" in client.get(change).content.decode()
    client.post(change, {**said, "action": "warn"})
    item.refresh_from_db()
    assert (item.action, item.active) == ("warn", False)
    assert address not in (
        as_user(ada)
        .get(reverse("admin:moderation_decision_change", args=[decision.pk]))
        .content.decode()
    )


def test_a_lead_writes_a_golden_item_that_shows_something(
    lea: User, garden: Community, elsewhere: Community, as_user: ClientFor
) -> None:
    client, address = as_user(lea), reverse("admin:moderation_goldenitem_add")
    said = {
        "community": garden.pk,
        "title": "",
        "body": "Vote early, vote often",
        "action": "allow",
        "category": "",
        "explanation": "It is a joke.",
        "active": "on",
    }
    for wrong in (
        {"body": " "},
        {"explanation": ""},
        {"action": "review"},
        {"community": elsewhere.pk},
    ):
        assert client.post(address, {**said, **wrong}).status_code == 200
    assert not GoldenItem.objects.exists()
    assert client.post(address, said).status_code == 302
    assert GoldenItem.objects.get().made_by == lea


def test_figures_say_with_how_little_they_were_counted(
    ada: User, lea: User, root: User, garden: Community, as_user: ClientFor
) -> None:
    disagreed(garden, root, ada)
    page = as_user(lea).get(FIGURES).content.decode()
    assert "0 of 1: 0.0" in page
    assert "Only 1: too few to rely on." in page
    assert "Harassment or insult" in page
    assert page.count('<svg class="gh-spark"') >= 2


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"first_day": "2024-01-01", "last_day": "2026-01-01"}, "Choose a year at most."),
        ({"first_day": "2026-02-01", "last_day": "2026-01-01"}, "must not come after the last"),
        ({"first_day": "x", "last_day": ""}, "Enter a valid date."),
        ({"first_day": "2026-01-01", "last_day": "2026-01-02", "community": "77"}, "valid choice"),
    ],
)
def test_a_period_that_cannot_be_counted_is_said_to_be_wrong(
    lea: User, garden: Community, as_user: ClientFor, asked: dict[str, str], said: str
) -> None:
    client = as_user(lea)
    asked = {"community": str(garden.pk), **asked}
    for address in (FIGURES, DISAGREEMENTS):
        assert said in client.get(address, asked).content.decode()
    file = client.get(reverse("admin:moderation_quality_csv", args=["agreement"]), asked)
    assert file.status_code == 400


def test_a_table_as_csv_holds_numbers_and_no_formula(
    lea: User, root: User, garden: Community, as_user: ClientFor
) -> None:
    formula = UserFactory(username="@SUM(1+1)", is_staff=True, is_superuser=True)
    disagreed(garden, formula, root)
    verdict = queued(garden).verdict
    assert verdict is not None
    type(verdict).objects.filter(pk=verdict.pk).update(rule="=cmd|' /C calc'!A0")
    Enforcement.objects.filter(verdict=verdict).update(action=Action.BLOCK)
    client = as_user(lea)
    names = re.findall(r"figures/([a-z-]+)\.csv", client.get(FIGURES).content.decode())
    assert {"agreement", "overturned-rule", "overturned-provider", "overturned-people"} <= set(
        names
    )
    rows = {
        name: list(csv.reader(io.StringIO(client.get(address).content.decode())))
        for name in names
        for address in [reverse("admin:moderation_quality_csv", args=[name])]
    }
    assert rows["agreement"][0] == ["category", "hits", "total", "share", "low", "high", "kappa"]
    assert rows["agreement"][1][:4] == ["All", "0", "1", "0.0000"]
    assert rows["overturned-rule"][1][0] == "'=cmd|' /C calc'!A0"
    assert ["'@SUM(1+1)", "0", "1"] in [row[:3] for row in rows["overturned-people"]]
    unknown = reverse("admin:moderation_quality_csv", args=["secrets"])
    assert client.get(unknown).status_code == 404


def test_a_lead_gets_from_a_disagreement_to_its_reversal(
    ada: User, lea: User, root: User, garden: Community, as_user: ClientFor
) -> None:
    check = disagreed(garden, root, ada, title="Roses")
    assert check.decision is not None
    client = as_user(lea)
    page = client.get(DISAGREEMENTS).content.decode()
    reversal = reverse(
        "admin:moderation_enforcement_reverse",
        args=[check.decision.post_id, check.decision.enforcement.pk],
    )
    assert reversal in page
    assert "Roses" in page
    client.post(reversal, {"reason": "The second answer is right."})
    assert "no longer stands" in client.get(DISAGREEMENTS).content.decode()


def test_a_page_of_disagreements_takes_as_many_queries_as_one(
    ada: User, lea: User, root: User, garden: Community, as_user: ClientFor
) -> None:
    client, taken = as_user(lea), []
    client.get(DISAGREEMENTS)
    for _ in range(2):
        disagreed(garden, root, ada)
        disagreed(garden, root, ada)
        with CaptureQueriesContext(connection) as queries:
            client.get(DISAGREEMENTS)
        taken.append(len(queries))
    assert taken[0] == taken[1]


def test_disagreements_are_paged(
    ada: User,
    lea: User,
    root: User,
    garden: Community,
    as_user: ClientFor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("moderation.admin.quality.pages._PAGE", 2)
    for number in range(3):
        disagreed(garden, root, ada, title=f"Roses {number}")
    client = as_user(lea)
    first = client.get(DISAGREEMENTS).content.decode()
    assert ("Roses 2" in first, "Roses 1" in first, "Roses 0" in first) == (True, True, False)
    assert "page=2" in first
    second = client.get(DISAGREEMENTS, {"page": "2"}).content.decode()
    assert ("Roses 0" in second, "page=3" in second) == (True, False)


def test_nothing_of_another_community_is_told(
    ada: User, lea: User, root: User, elsewhere: Community, as_user: ClientFor
) -> None:
    check = disagreed(elsewhere, root, ada, title="Foreign roses")
    item = golden_item(elsewhere, root, title="Foreign weather")
    client = as_user(lea)
    days = {"community": elsewhere.pk, "first_day": "2026-01-01", "last_day": "2026-12-31"}
    for address in (FIGURES, DISAGREEMENTS):
        assert "Foreign" not in client.get(address, days).content.decode()
    assert (
        "Foreign"
        not in client.get(reverse("admin:moderation_goldenitem_changelist")).content.decode()
    )
    closed = [
        reverse("admin:moderation_goldenitem_of_decision", args=[check.decision_id]),
        reverse("admin:moderation_quality_answered", args=[check.pk]),
    ]
    assert [client.get(address).status_code for address in closed] == [404, 404]
    change = reverse("admin:moderation_goldenitem_change", args=[item.pk])
    assert client.get(change).status_code != 200
    assert "Nothing to check now" in as_user(ada).get(CHECK).content.decode()


def test_no_payload_becomes_markup(
    ada: User, lea: User, root: User, garden: Community, as_user: ClientFor
) -> None:
    text = " ".join(PAYLOADS).replace("\x00", "")
    author = AuthorFactory(community=garden, name=text[:200])
    hostile = {"author": author, "title": text[:300], "body": text}
    disagreed(garden, root, ada, **hostile)
    item = golden_item(garden, root, title=text[:300], body=text, explanation=text[:2000])
    moderator, lead = as_user(ada), as_user(lea)
    pages = [moderator.get(CHECK).content.decode()]
    pages.append(answer(moderator, BlindCheck.objects.get(golden=item).pk, "block"))
    waiting(garden, root, **hostile)
    pages.append(moderator.get(CHECK).content.decode())
    latest = BlindCheck.objects.latest("pk").decision_id
    addresses = (
        FIGURES,
        DISAGREEMENTS,
        reverse("admin:moderation_goldenitem_changelist"),
        reverse("admin:moderation_goldenitem_change", args=[item.pk]),
        reverse("admin:moderation_goldenitem_of_decision", args=[latest]),
    )
    pages += [lead.get(address).content.decode() for address in addresses]
    shown = [number for number, page in enumerate(pages) if "&lt;script&gt;alert(1)" in page]
    assert shown == [0, 1, 2, 4, 5, 6, 7]
    for number, page in enumerate(pages):
        assert Reader(page).live == [], number
        assert re.search(r"""\sstyle=["']""", page) is None, number
