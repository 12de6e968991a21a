"""When a person is erased, the site's other apps forget their account."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt
from django.test import Client
from django.urls import reverse

from moderation.pipeline.erase import erase_person
from tests.factories import CommunityFactory, PostFactory, UserFactory, site_author


@pytest.mark.django_db
def test_addresses_factors_and_attempts_go_and_nobody_signs_in(client: Client) -> None:
    bo = UserFactory.create(username="bo", email="bo@example.org")
    EmailAddress.objects.create(user=bo, email="bo@example.org", primary=True, verified=True)
    Authenticator.objects.create(user=bo, type="totp", data={"secret": "x"})
    AccessAttempt.objects.create(username="bo", ip_address="127.0.0.1", failures_since_start=1)
    author = site_author(bo, CommunityFactory.create())
    erase_person(author_id=author.pk, user=None)
    left = [EmailAddress.objects, Authenticator.objects, AccessAttempt.objects]
    assert [rows.exists() for rows in left] == [False] * 3
    asked = {"login": "bo", "password": "password"}
    assert client.post(reverse("account_login"), asked).status_code == 200


@pytest.mark.django_db
def test_a_topic_of_an_erased_person_says_nothing(client: Client) -> None:
    bo = UserFactory.create(username="bo")
    place = CommunityFactory.create(open_to_site_users=True)
    topic = PostFactory.create(author=site_author(bo, place), title="Marigolds")
    erase_person(author_id=topic.author_id, user=None)
    assert client.get(f"/p/{topic.pk}/").status_code == 404
