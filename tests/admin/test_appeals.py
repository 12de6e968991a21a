"""Appeals in the back office: on the desk and in their list, answered by who may."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from moderation.models import Appeal, AppealMessage, Author, Community, Post
from moderation.pipeline.intake.edit import edit_post
from moderation.vocabulary import Action, AppealState, Visibility
from tests.admin.conftest import ClientFor
from tests.factories import AuthorFactory, PostFactory, UserFactory
from tests.pipeline.helpers import CLIENT
from tests.restrictions import make_appeal

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture
def appeal(garden: Community) -> Appeal:
    author = AuthorFactory.create(community=garden, name="Bo")
    post = PostFactory.create(author=author, visibility=Visibility.HIDDEN, status="rejected")
    return make_appeal(post, action=Action.BLOCK)


def desk(appeal: Appeal) -> str:
    return reverse("admin:moderation_review_change", args=[appeal.review_id])


def own_page(appeal: Appeal) -> str:
    return reverse("admin:moderation_appeal_change", args=[appeal.pk])


def send(client: Client, appeal: Appeal, act: str = "overturned", **sent: object):  # type: ignore[no-untyped-def]
    address = reverse("admin:moderation_appeal_answer", args=[appeal.pk])
    return client.post(
        address, {"answer": "It is a quote.", "seen_revision": 1, "act": act, **sent}
    )


@pytest.mark.parametrize("address_of", [desk, own_page])
def test_whoever_answers_reads_the_objection_the_decision_and_both_opinions(
    address_of: Callable[[Appeal], str], appeal: Appeal, ada: User, as_user: ClientFor
) -> None:
    shown = as_user(ada).get(address_of(appeal)).content.decode()
    assert "It is a line from a play that we rehearse." in shown
    assert "First verdict" in shown
    assert "It is being judged again." in shown
    assert "to be answered within" in shown
    assert reverse("admin:moderation_appeal_answer", args=[appeal.pk]) in shown
    # The item is not decided past its appeal.
    assert 'value="block"' not in shown


@pytest.mark.parametrize(("act", "visibility"), [("overturned", "public"), ("upheld", "hidden")])
def test_an_answer_is_carried_out_and_logged(
    act: str, visibility: str, appeal: Appeal, ada: User, as_user: ClientFor
) -> None:
    answered = send(as_user(ada), appeal, act)
    assert (answered.status_code, answered["location"]) == (
        302,
        reverse("admin:moderation_review_changelist") + "?lane=appeal",
    )
    appeal.refresh_from_db()
    assert (appeal.state, appeal.answer, appeal.answered_by) == (act, "It is a quote.", ada)
    assert Post.objects.get(pk=appeal.post_id).visibility == visibility
    assert LogEntry.objects.filter(object_id=str(appeal.pk)).count() == 1


def test_a_preview_answers_nothing_and_keeps_what_was_typed(
    appeal: Appeal, ada: User, as_user: ClientFor
) -> None:
    shown = send(as_user(ada), appeal, "preview").content.decode()
    assert shown.count("It is a quote.") == 2
    appeal.refresh_from_db()
    assert appeal.state == AppealState.OPEN


def test_an_answer_without_reasons_is_asked_for_them(
    appeal: Appeal, ada: User, as_user: ClientFor
) -> None:
    answered = send(as_user(ada), appeal, answer=" ")
    assert answered.status_code == 400
    assert "Give your reasons" in answered.content.decode()


def test_an_answer_to_a_text_that_was_edited_meanwhile_is_kept_and_asked_again(
    appeal: Appeal, ada: User, as_user: ClientFor
) -> None:
    client = as_user(ada)
    edit_post(post_id=appeal.post_id, base_revision=1, actor=CLIENT, body="Another text.")
    refused = send(client, appeal)
    assert refused.status_code == 409
    page = refused.content.decode()
    assert "It is a quote." in page
    assert "Another text." in page
    assert "The text that this is about" in page
    assert send(client, appeal, seen_revision=2).status_code == 302


def test_the_first_decider_reads_along_and_is_told_why(
    appeal: Appeal, ada: User, as_user: ClientFor
) -> None:
    Appeal.objects.update(first_decider=ada)
    client = as_user(ada)
    for page in (desk(appeal), own_page(appeal)):
        shown = client.get(page).content.decode()
        assert "somebody else answers it" in shown
        assert reverse("admin:moderation_appeal_answer", args=[appeal.pk]) not in shown
    assert send(client, appeal).status_code == 403
    assert str(appeal.review_id) not in str(
        client.get(reverse("admin:moderation_review_changelist")).context["page"].rows
    )


def test_who_only_looks_and_who_moderates_elsewhere_answer_nothing(
    appeal: Appeal, rea: User, elsewhere: Community, as_user: ClientFor
) -> None:
    assert send(as_user(rea), appeal).status_code == 403
    cy: User = UserFactory.create(username="cy")
    assert send(as_user(cy), appeal).status_code == 302
    Appeal.objects.update(community=elsewhere)
    assert as_user(rea).get(own_page(appeal)).status_code == 404
    appeal.refresh_from_db()
    assert appeal.state == AppealState.OPEN


def test_a_question_is_sent_and_stands_in_the_thread(
    appeal: Appeal, ada: User, as_user: ClientFor
) -> None:
    client = as_user(ada)
    address = reverse("admin:moderation_appeal_ask", args=[appeal.pk])
    assert client.post(address, {"words": " "}).status_code == 400
    assert client.post(address, {"words": "Which play?"})["location"] == desk(appeal)
    assert "Which play?" in client.get(desk(appeal)).content.decode()


def test_nothing_that_a_person_wrote_is_markup(
    appeal: Appeal, ada: User, as_user: ClientFor
) -> None:
    AppealMessage.objects.update(body=HOSTILE)
    Post.objects.update(title=HOSTILE, body=HOSTILE)
    Author.objects.update(name=HOSTILE)
    client = as_user(ada)
    shown = [client.get(page).content.decode() for page in (desk(appeal), own_page(appeal))]
    shown.append(client.get(reverse("admin:moderation_appeal_changelist")).content.decode())
    shown.append(send(client, appeal, "preview", answer=HOSTILE).content.decode())
    for page in shown:
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "alert(1)" in page


def test_the_list_says_what_is_overdue(appeal: Appeal, ada: User, as_user: ClientFor) -> None:
    client, page = as_user(ada), reverse("admin:moderation_appeal_changelist")
    assert "overdue" not in client.get(page).content.decode()
    Appeal.objects.update(due_at=appeal.created_at)
    assert "overdue" in client.get(page).content.decode()
    assert "overdue for" in client.get(desk(appeal)).content.decode()
