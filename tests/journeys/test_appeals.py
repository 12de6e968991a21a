"""From a rejection with a strike to the mail, the appeal, and all of it restored."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from moderation import webhooks
from moderation.delivery import handover
from moderation.models import Appeal, Author, Enforcement, Post, Review
from moderation.pipeline.review.holding import hold_review
from moderation.roles import MODERATOR, ensure_roles
from moderation.vocabulary import (
    AppealState,
    EndpointKind,
    ReviewState,
    Standing,
    Status,
    Visibility,
)
from moderation.webhooks import SetUp
from platform_site.forum.models import Board
from tests.delivery.helpers import add_webhook, deliver
from tests.delivery.receiver import running_receiver
from tests.factories import CommunityFactory, UserFactory, make_moderator
from tests.pipeline.helpers import THREAT, drain_all
from tests.pipeline.test_enforce import strict, use_policy
from tests.web.conftest import Pages, browser

pytestmark = pytest.mark.django_db

WORDS = "It is a line from a play that we rehearse."


@pytest.fixture
def receiver(settings):
    with running_receiver() as running:
        settings.MODERATION = {
            **settings.MODERATION,
            "undo_seconds": 0.0,
            "delivery_allowed_hosts": frozenset({running.address}),
        }
        yield running
        running.released.set()
        handover._client(frozenset({running.address})).close()


@pytest.fixture
def street(receiver):
    community = CommunityFactory.create(slug="street", open_to_site_users=True)
    webhooks.add_endpoint(
        community=community, kind=EndpointKind.EMAIL, wanted=SetUp(name="Mail"), user=None
    )
    add_webhook(community, receiver.url(), "appeal.*")
    return community


def moderator_of(community, name):
    user = make_moderator(community, (), username=name)
    user.groups.add(ensure_roles()[MODERATOR])
    return user


def send_mail():
    """Hand over what waits; return the newest mail."""
    deliver()
    return mail.outbox[-1]


def state_of(post):
    post = Post.objects.get(pk=post.pk)
    return post.status, post.visibility, Author.objects.get(pk=post.author_id).standing


def test_what_was_rejected_with_a_strike_is_appealed_by_mail_and_all_restored(street, receiver):
    board = Board.objects.create(community=street, slug="garden", name="Garden")
    bo = UserFactory.create(username="bo", email="bo@people.example")
    ada, ben = moderator_of(street, "ada"), moderator_of(street, "ben")
    use_policy(street, thresholds=strict("review"))
    post = Pages(bo, board).start(title="Act three", body=THREAT)
    drain_all()

    # Ada rejects it; Bo is struck, and told why and how to object.
    review = Review.objects.get(post=post)
    answered = browser(ada).post(
        reverse("admin:moderation_review_change", args=[review.pk]),
        {
            "action": "block",
            "picked": "",
            "own_words": "It threatens a person.",
            "sanction": "strike",
            "seen_revision": 1,
        },
    )
    assert answered.status_code == 302, answered.content.decode()
    assert state_of(post) == (Status.REJECTED, Visibility.HIDDEN, Standing.WATCHED)
    enforcement = Enforcement.objects.get(decision__isnull=False)
    assert enforcement.rejected_content.exists()
    told = send_mail()
    assert "It threatens a person." in told.body
    link = re.search(r"https?://[^/]+(/appeals/by-mail/\S+)", told.body).group(1)

    # Bo objects from the mail, without signing in.
    stranger = Client()
    assert THREAT in stranger.get(link).content.decode()
    assert stranger.post(link, {"words": WORDS}).status_code == 302
    appeal = Appeal.objects.get()
    assert "We have your appeal" in send_mail().subject
    drain_all()

    # It is not Ada's to answer. Ben takes it, reads both opinions and overturns.
    refused = browser(ada).post(
        reverse("admin:moderation_appeal_answer", args=[appeal.pk]),
        {"answer": "No.", "seen_revision": 1, "act": "upheld"},
    )
    assert refused.status_code == 403
    hold_review(review_id=appeal.review_id, moderator=ben)
    answered = browser(ben).post(
        reverse("admin:moderation_appeal_answer", args=[appeal.pk]),
        {"answer": "It is a quote.", "seen_revision": 1, "act": "overturned"},
    )
    assert answered.status_code == 302, answered.content.decode()

    # The post is back, the strike gone, what was remembered forgotten, nothing waits.
    assert state_of(post) == (Status.APPROVED, Visibility.PUBLIC, Standing.NEW)
    enforcement.refresh_from_db()
    assert enforcement.reversed_by == ben
    assert not Review.objects.filter(post=post, state=ReviewState.OPEN).exists()
    use_policy(street)
    again = Pages(bo, board).reply(post, body="Ripe, all of them.")
    drain_all()
    assert Post.objects.get(pk=again.pk).visibility == Visibility.PUBLIC

    # Bo reads the answer, once, by mail and on the page; programs hear of it too.
    before = len(mail.outbox)
    told = send_mail()
    assert "was granted" in told.subject
    assert "It is a quote." in told.body
    assert [sent.subject for sent in mail.outbox[before:]].count(told.subject) == 1
    assert not any("has changed" in sent.subject for sent in mail.outbox)
    assert "It is a quote." in stranger.get(link).content.decode()
    appeal.refresh_from_db()
    assert appeal.state == AppealState.OVERTURNED
    types = [sent.json["type"] for sent in receiver.sent]
    assert types == ["appeal.opened", "appeal.overturned"]
    assert WORDS not in str([sent.json for sent in receiver.sent])
    page = stranger.get(reverse("forum:topic", args=[post.pk])).content.decode()
    assert THREAT in page
