"""What a mail server really gets: whole, readable in any script, and to one person alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from pytest_django.fixtures import Settings

from moderation import webhooks
from moderation.models import (
    Appeal,
    Author,
    Community,
    Endpoint,
    Enforcement,
    OutboxMessage,
    Post,
    Report,
    Review,
    Statement,
)
from moderation.pipeline.appeals.appeal import answer_appeal, open_appeal
from moderation.pipeline.intake.draft import Writer
from moderation.pipeline.notify import GIVEN_UP_AFTER
from moderation.pipeline.reports.notice import Notice, give_notice
from moderation.pipeline.reports.report import NewReport, report_post
from moderation.pipeline.review.review import decide_review
from moderation.vocabulary import (
    Action,
    AppealState,
    Category,
    DeliveryState,
    EndpointKind,
    ReviewState,
)
from moderation.webhooks import SetUp
from tests.delivery.helpers import deliver
from tests.delivery.mail_server import MailServer, running_mail_server
from tests.delivery.test_email import hold_everything, write
from tests.factories import PostFactory, UserFactory, make_moderator, site_author
from tests.pipeline.helpers import CLIENT, HARMLESS, THREAT

pytestmark = pytest.mark.django_db

BO, CY, NORA = "bo@people.test", "cy@people.test", "nora@people.test"
# Hebrew, Arabic, a flag of two code points, a family of seven, and a line that begins with a dot.
ANY_SCRIPT = "זה לא מתאים לכאן.\nهذا لا يناسب هنا 🇮🇱 👨‍👩‍👧‍👦\n.\n.hidden\nFrom here on: “no”."


@pytest.fixture(scope="module")
def _running_mail_server() -> Iterator[MailServer]:
    with running_mail_server() as running:
        yield running


@pytest.fixture
def server(_running_mail_server: MailServer, settings: Settings) -> MailServer:
    _running_mail_server.received.clear()
    _running_mail_server.refused.clear()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", _running_mail_server.port
    settings.DEFAULT_FROM_EMAIL = "Gartenfreunde Öl 🍅 <gate@garden.test>"
    return _running_mail_server


@pytest.fixture(autouse=True)
def notices(garden: Community) -> Endpoint:
    Community.objects.update(open_to_site_users=True)
    endpoint, _ = webhooks.add_endpoint(
        community=garden, kind=EndpointKind.EMAIL, wanted=SetUp(name="Notices"), user=None
    )
    return endpoint


@pytest.fixture
def bo(garden: Community) -> Author:
    return site_author(UserFactory.create(username="bo", email=BO), garden)


@pytest.fixture
def ada(garden: Community) -> User:
    return make_moderator(garden, ("view_review", "decide_review"), username="ada")


def decide(post: Post, moderator: User, action: Action, reason: str = "No insults.") -> None:
    review = Review.objects.get(post=post, state=ReviewState.OPEN)
    decide_review(
        review_id=review.pk,
        moderator=moderator,
        action=action,
        reason=reason,
        seen_revision=post.revision,
    )


def parts_of(server: MailServer) -> tuple[str, str]:
    """Return the text and the HTML of the last mail, as they are read."""
    mail = server.mails[-1]
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content().replace("\r\n", "\n"), html.get_content()


def test_a_statement_arrives_word_for_word_in_any_script(
    garden: Community, bo: Author, ada: User, server: MailServer
) -> None:
    garden.name = "حديقة 🍅 Gärten"
    hold_everything(garden)
    post = write(bo, HARMLESS)
    decide(post, ada, Action.BLOCK, ANY_SCRIPT)
    deliver()
    assert server.recipients == [[BO]]
    [mail] = server.mails
    assert mail["Subject"].strip() == "A moderator has hidden your post in حديقة 🍅 Gärten"
    assert mail["From"].addresses[0].display_name == "Gartenfreunde Öl 🍅"
    text, html = parts_of(server)
    for line in Statement.objects.get().document["said"]:
        assert f"{line['title']}: {line['text']}" in text
    assert ANY_SCRIPT in text
    assert ANY_SCRIPT.splitlines()[0] in html
    # Servers may refuse or break longer lines.
    assert max(map(len, server.received[0][1].splitlines())) <= 998


@pytest.mark.parametrize(
    "name", ["Garden\r\nBcc: cy@people.test", "Garden\n\n<h1>Body</h1>", "=?utf-8?q?x=0ABcc:_cy?="]
)
def test_no_name_adds_a_recipient_a_header_or_a_body(
    bo: Author, server: MailServer, name: str
) -> None:
    Community.objects.update(name=name)
    write(bo, THREAT)
    deliver()
    assert server.recipients == [[BO]]
    [mail] = server.mails
    assert mail["Bcc"] is None
    assert mail["Cc"] is None
    assert "<h1>" not in parts_of(server)[1]


def test_the_link_in_a_mail_opens_its_decision_signed_out_and_no_other(
    garden: Community, bo: Author, server: MailServer
) -> None:
    write(bo, THREAT)
    deliver()
    text, html = parts_of(server)
    found = re.search(r"Object to this:\n(\S+)\n", text)
    assert found is not None
    address = found[1]
    assert f'href="{address}"' in html
    path = urlsplit(address).path
    start, token = path.rstrip("/").rsplit("/", 1)
    visitor = Client()
    assert visitor.get(path).status_code == 200
    body, _, signature = token.rpartition(":")
    for forged in (f"{body}:{signature[::-1]}", f"{body[:-1]}:{signature}", f"{token}x", body):
        assert visitor.get(f"{start}/{forged}/").status_code == 404
    sent = visitor.post(path, {"words": "It is a line from a play."})
    assert sent.status_code == 302
    assert Appeal.objects.get().appellant == bo
    deliver()
    assert server.mails[-1]["Subject"] == "We have your appeal in Garden"
    # It signs nobody in.
    assert "_auth_user_id" not in visitor.session


def test_a_reader_and_whoever_gave_notice_are_answered(
    garden: Community, ada: User, server: MailServer
) -> None:
    post = PostFactory.create(author__community=garden)
    cy = UserFactory.create(username="cy", email=CY)
    report_post(NewReport(post, Writer.for_user(cy.pk, "cy"), Category.HARASSMENT))
    why = "The second sentence calls for violence against a group of people."
    said = Notice([post.pk], Category.HATE, why, name="Nora\r\nBcc: x", email=NORA, good_faith=True)
    give_notice(said, address="203.0.113.9")
    deliver()
    assert server.recipients == [[NORA]]
    number = Report.objects.get(source="notice").number
    assert server.mails[0]["Subject"] == f"We have your notice {number}"
    assert f"/notice/{number}/\n" in parts_of(server)[0]
    decide(post, ada, Action.BLOCK)
    deliver()
    assert sorted(server.recipients[1:]) == [[CY], [NORA]]
    for mail in server.mails:
        assert "Bcc" not in mail
        assert why not in str(mail)
        assert "ada" not in str(mail.get_body(("plain",)))


@pytest.mark.parametrize(
    ("refusal", "is_well"),
    [
        ("550 5.1.1 There is no such mailbox here", True),
        ("552 5.2.2 This mailbox is full", True),
        ("554 5.7.1 Relay access denied", False),
        # It may mean either.
        ("550 No", False),
    ],
)
def test_one_mailbox_that_does_not_exist_says_nothing_of_the_mail_server(
    bo: Author, notices: Endpoint, server: MailServer, refusal: str, is_well: bool
) -> None:
    server.refused[BO] = refusal
    write(bo, THREAT)
    deliver()
    message = OutboxMessage.objects.get()
    assert (message.state, message.last_error) == (DeliveryState.FAILED, f"SMTP {refusal[:3]}")
    notices.refresh_from_db()
    assert (notices.failing_since is None) is is_well
    # Nothing else was mailed for days, and they have not mended their address.
    long_ago = Now() - GIVEN_UP_AFTER - timedelta(days=1)
    Endpoint.objects.exclude(failing_since=None).update(failing_since=long_ago)
    write(bo, f"{THREAT}, again")
    deliver()
    notices.refresh_from_db()
    assert notices.active is is_well


def test_the_answer_to_an_appeal_arrives_with_its_reasons(
    bo: Author, ada: User, server: MailServer
) -> None:
    enforcement = Enforcement.objects.get(post=write(bo, THREAT))
    appeal = open_appeal(enforcement_id=enforcement.pk, author_id=bo.pk, words="Why?", actor=CLIENT)
    answer_appeal(
        appeal_id=appeal.pk,
        moderator=ada,
        outcome=AppealState.OVERTURNED,
        answer=ANY_SCRIPT,
        seen_revision=1,
    )
    deliver()
    assert server.mails[-1]["Subject"] == "Your appeal in Garden was granted"
    assert ANY_SCRIPT in parts_of(server)[0]
