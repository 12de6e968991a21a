"""Notices to authors: who gets which, what stands in them, and what becomes of those that fail."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from pytest_django.fixtures import Settings

from moderation import webhooks
from moderation.delivery import email
from moderation.models import (
    Author,
    Community,
    DeliveryAttempt,
    Endpoint,
    Enforcement,
    OutboxMessage,
    Post,
    Review,
    Statement,
)
from moderation.pipeline import notify
from moderation.pipeline.intake.edit import delete_post, edit_post
from moderation.pipeline.review.reversal import reverse_enforcement
from moderation.pipeline.review.review import decide_review
from moderation.policy.document import DEFAULT_DOCUMENT
from moderation.policy.sanctions import Asked
from moderation.vocabulary import Action, DeliveryState, DisabledBecause, EndpointKind, Sanction
from moderation.webhooks import SetUp
from tests.delivery.helpers import deliver
from tests.factories import CommunityFactory, UserFactory, make_moderator, site_author
from tests.pipeline.helpers import CLIENT, HARMLESS, THREAT, drain_all, send

pytestmark = pytest.mark.django_db

BO = "bo@people.example"
REASON = "We do not want this here.\n<b>Really</b> & truly."


@pytest.fixture(autouse=True)
def _site(settings: Settings) -> None:
    settings.MODERATION = {
        **settings.MODERATION,
        "post_page": "https://garden.example/p/{post}/",
    }
    settings.DEFAULT_FROM_EMAIL = "Garden <gate@garden.example>"


@pytest.fixture
def bo(garden: Community) -> Iterator[Author]:
    Community.objects.update(open_to_site_users=True)
    user = UserFactory.create(username="bo", email=BO)
    return site_author(user, garden)


@pytest.fixture
def ada(garden: Community) -> User:
    permissions = ("view_review", "decide_review", "reverse_enforcement")
    return make_moderator(garden, permissions, username="ada")


@pytest.fixture
def notices(garden: Community) -> Endpoint:
    return add_notices(garden)


def add_notices(community: Community, *event_types: str) -> Endpoint:
    endpoint, _ = webhooks.add_endpoint(
        community=community,
        kind=EndpointKind.EMAIL,
        wanted=SetUp(name="Notices", event_types=event_types),
        user=None,
    )
    return endpoint


def write(author: Author, body: str) -> Post:
    [post] = send(author.community, body, writer=author.external_id)
    drain_all()
    post.refresh_from_db()
    return post


def judge(post: Post, moderator: User, action: Action) -> None:
    review = Review.objects.get(post=post, state="open")
    decide_review(
        review_id=review.pk,
        moderator=moderator,
        action=action,
        reason=REASON,
        seen_revision=post.revision,
    )


def hold_everything(community: Community) -> None:
    """Let every post wait for a person."""
    document = {**DEFAULT_DOCUMENT, "route": {"text": []}, "on_failure": "hold"}
    community.policy = community.policy_revisions.create(number=2, document=document)
    community.save()


def outcomes() -> list[tuple[str, str]]:
    rows = OutboxMessage.objects.order_by("pk")
    return list(rows.values_list("state", "last_error"))


# Who gets which


def test_an_author_learns_of_a_rejection(bo: Author, notices: Endpoint) -> None:
    post = write(bo, THREAT)
    deliver()
    [sent] = mail.outbox
    assert sent.to == [BO]
    assert sent.from_email == "Garden <gate@garden.example>"
    assert sent.subject == "Your post in Garden is hidden"
    assert "The automatic check found that its text contains" in sent.body
    assert "You can object until " in sent.body
    assert Statement.objects.get(enforcement__post=post).number in sent.body
    assert f"https://garden.example/p/{post.pk}/" in sent.body
    [(html, kind)] = sent.alternatives
    assert kind == "text/html"
    assert f'href="https://garden.example/p/{post.pk}/"' in str(html)
    assert outcomes() == [(DeliveryState.DELIVERED, "")]


@pytest.mark.parametrize(
    ("action", "subject"),
    [
        (Action.ALLOW, "A moderator has approved your post in Garden"),
        (Action.BLOCK, "A moderator has hidden your post in Garden"),
    ],
)
def test_an_author_learns_what_a_moderator_decided(
    garden: Community,
    bo: Author,
    ada: User,
    notices: Endpoint,
    action: Action,
    subject: str,
) -> None:
    hold_everything(garden)
    post = write(bo, HARMLESS)
    deliver()
    assert mail.outbox == []
    judge(post, ada, action)
    deliver()
    [sent] = mail.outbox
    assert sent.subject == subject
    assert (REASON in sent.body) is (action is Action.BLOCK)
    assert ("A person decided" in sent.body) is (action is Action.BLOCK)


def test_an_author_learns_of_a_reversal(
    garden: Community, bo: Author, ada: User, notices: Endpoint
) -> None:
    post = write(bo, THREAT)
    reverse_enforcement(
        enforcement_id=Enforcement.objects.get(post=post).pk, moderator=ada, reason="A joke."
    )
    deliver()
    [sent] = mail.outbox
    assert "has changed" in sent.subject
    assert "Everyone can read the post." in sent.body
    # Why a colleague was wrong is between moderators.
    assert "A joke." not in sent.body


def test_a_reason_is_text_wherever_it_stands(
    garden: Community, bo: Author, ada: User, notices: Endpoint
) -> None:
    hold_everything(garden)
    judge(write(bo, HARMLESS), ada, Action.BLOCK)
    deliver()
    [sent] = mail.outbox
    assert "<b>Really</b> & truly." in sent.body
    [(html, _)] = sent.alternatives
    assert "&lt;b&gt;Really&lt;/b&gt; &amp; truly." in str(html)


def test_a_notice_holds_no_word_of_the_post(bo: Author, notices: Endpoint) -> None:
    write(bo, f"{THREAT} xyzzy")
    deliver()
    [sent] = mail.outbox
    [(html, _)] = sent.alternatives
    assert "xyzzy" not in f"{sent.subject}{sent.body}{html}"


def test_without_the_endpoint_nobody_is_mailed(bo: Author) -> None:
    write(bo, THREAT)
    deliver()
    assert mail.outbox == []
    assert outcomes() == []


def test_a_community_chooses_of_what_authors_learn(garden: Community, bo: Author) -> None:
    add_notices(garden, "decision.rejected")
    write(bo, THREAT)
    assert outcomes() == []


@pytest.mark.parametrize("what", ["no address", "left", "a client's"])
def test_who_has_no_address_gets_nothing(
    garden: Community, bo: Author, notices: Endpoint, what: str
) -> None:
    changes = {"no address": {"email": ""}, "left": {"is_active": False}}.get(what, {})
    if changes:
        User.objects.filter(username="bo").update(**changes)
        write(bo, THREAT)
    else:
        send(garden, THREAT, writer="a-clients-own")
        drain_all()
    deliver()
    assert mail.outbox == []
    assert outcomes() == [(DeliveryState.SKIPPED, email.NO_ADDRESS)]


@pytest.mark.parametrize("how", ["edited", "deleted", "decided anew"])
def test_nobody_is_told_what_is_no_longer_so(
    garden: Community, bo: Author, ada: User, notices: Endpoint, how: str
) -> None:
    post = write(bo, THREAT)
    if how == "edited":
        edit_post(post_id=post.pk, base_revision=None, actor=CLIENT, body=HARMLESS)
    elif how == "deleted":
        delete_post(post_id=post.pk, actor=CLIENT)
    else:
        reverse_enforcement(
            enforcement_id=Enforcement.objects.get(post=post).pk, moderator=ada, reason="No."
        )
    deliver()
    assert outcomes()[0] == (DeliveryState.SKIPPED, email.MOVED_ON)
    assert len(mail.outbox) == (1 if how == "decided anew" else 0)


def test_an_author_is_told_of_a_silence_though_the_post_is_gone(
    garden: Community, bo: Author, ada: User, notices: Endpoint
) -> None:
    hold_everything(garden)
    post = write(bo, HARMLESS)
    review = Review.objects.get(post=post, state="open")
    decide_review(
        review_id=review.pk,
        moderator=ada,
        action=Action.BLOCK,
        reason=REASON,
        seen_revision=1,
        sanction=Asked(Sanction.SILENCE, timedelta(days=2)),
    )
    delete_post(post_id=post.pk, actor=CLIENT)
    deliver()
    [sent] = mail.outbox
    assert "not write any, until" in sent.body
    assert f"/p/{post.pk}/" not in sent.body
    # And of its end as well.
    reverse_enforcement(
        enforcement_id=Enforcement.objects.get(decision__isnull=False).pk,
        moderator=ada,
        reason="Too hard.",
    )
    deliver()
    assert "What it had imposed on your account is lifted" in mail.outbox[1].body


def test_nobody_is_flooded(garden: Community, bo: Author, notices: Endpoint) -> None:
    for _ in range(email.MOST_A_DAY + 2):
        email.send(email.Notice("decision.approved", "msg_1", BO, {"community": "Garden"}))
    assert len(mail.outbox) == email.MOST_A_DAY
    # Somebody else is not meant by it.
    email.send(email.Notice("decision.approved", "msg_1", "cy@people.example", {}))
    assert len(mail.outbox) == email.MOST_A_DAY + 1


# Those who set up endpoints


@pytest.mark.parametrize("kind", ["gone", "failing", "person"])
def test_leads_learn_that_an_endpoint_was_disabled_by_itself(garden: Community, kind: str) -> None:
    endpoint = add_notices(garden)
    lena = make_moderator(garden, ["change_endpoint"], username="lena", email="lena@staff.example")
    make_moderator(garden, username="ada", email="ada@staff.example")
    other = add_notices(CommunityFactory.create())
    make_moderator(other.community, ["change_endpoint"], username="cy", email="cy@staff.example")
    notify.disable_endpoint(
        endpoint_id=endpoint.pk,
        because=DisabledBecause(kind),
        user=lena if kind == "person" else None,
    )
    assert [sent.to for sent in mail.outbox] == ([] if kind == "person" else [[lena.email]])
    for sent in mail.outbox:
        assert "Notices" in sent.subject
        assert f"/admin/moderation/endpoint/{endpoint.pk}/change/" in sent.body


def test_a_mail_server_that_is_away_does_not_keep_an_endpoint_enabled(
    garden: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise ConnectionRefusedError

    endpoint = add_notices(garden)
    make_moderator(garden, ["change_endpoint"], username="lena", email="lena@staff.example")
    monkeypatch.setattr(EmailBackend, "send_messages", fail)
    assert notify.disable_endpoint(endpoint_id=endpoint.pk, because=DisabledBecause.GONE)
    endpoint.refresh_from_db()
    assert not endpoint.active


# Mail itself


def test_a_repeat_is_the_same_mail_to_whoever_compares(bo: Author, notices: Endpoint) -> None:
    write(bo, THREAT)
    deliver()
    message = OutboxMessage.objects.get()
    webhooks.replay_message(message_id=message.pk, user=None)
    deliver()
    first, second = (sent.message() for sent in mail.outbox)
    assert first["Message-ID"] == second["Message-ID"] == f"<{message.message_id}@garden.example>"
    assert first["Auto-Submitted"] == "auto-generated"


def test_a_name_with_a_line_break_makes_no_header(
    garden: Community, bo: Author, notices: Endpoint
) -> None:
    Community.objects.update(name="Garden\nBcc: cy@people.example")
    write(bo, THREAT)
    deliver()
    [sent] = mail.outbox
    assert "\n" not in sent.subject
    assert sent.recipients() == [BO]


@pytest.mark.parametrize(
    ("error", "state", "named"),
    [
        (ConnectionRefusedError(111, "refused"), DeliveryState.DUE, "ConnectionRefusedError"),
        (TimeoutError(), DeliveryState.DUE, "TimeoutError"),
        (smtplib.SMTPServerDisconnected("gone"), DeliveryState.DUE, "SMTPServerDisconnected"),
        (smtplib.SMTPDataError(451, b"later"), DeliveryState.DUE, "SMTP 451"),
        (smtplib.SMTPRecipientsRefused({BO: (450, b"busy")}), DeliveryState.DUE, "SMTP 450"),
        (smtplib.SMTPRecipientsRefused({BO: (550, b"no")}), DeliveryState.FAILED, "SMTP 550"),
        (smtplib.SMTPAuthenticationError(535, b"no"), DeliveryState.DUE, "SMTP 535"),
    ],
)
def test_a_mail_server_that_fails_is_tried_again_and_no_address_is_kept(
    bo: Author,
    notices: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    state: str,
    named: str,
) -> None:
    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr(EmailBackend, "send_messages", fail)
    write(bo, THREAT)
    deliver()
    assert outcomes() == [(state, named)]
    attempt = DeliveryAttempt.objects.get()
    assert BO not in f"{attempt.request}{attempt.response}{attempt.error}"
