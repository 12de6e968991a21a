"""Where services call back: whoever asks, only an authentic message gets in."""

from uuid import uuid4

import pytest
from django.test import Client

from moderation.errors import ProviderUnavailable
from moderation.models import CallbackMessage, ProviderJob
from moderation.vocabulary import JobState
from moderation.web import callbacks
from tests.asking.fakes import FakeService, LaterService
from tests.factories import CommunityFactory
from tests.pipeline.helpers import HARMLESS, add_provider, drain_all, send
from tests.pipeline.test_enforce import use_policy


@pytest.fixture
def later(monkeypatch, db):
    """A service that works on one post of Bo's."""
    made = LaterService(f"later-{uuid4().hex[:8]}")
    add_provider(monkeypatch, made)
    community = CommunityFactory.create()
    use_policy(community, route={"text": [made.name]})
    send(community, HARMLESS)
    drain_all()
    return made


def address(service, token=None):
    token = ProviderJob.objects.get().token if token is None else token
    return f"/callbacks/{service.name}/{token}"


def post(path, body=b"m1:clean", client=None, **headers):
    client = client or Client(enforce_csrf_checks=True)
    return client.post(path, body, content_type="application/octet-stream", headers=headers)


# Who asks does not matter: no session and no key opens this door, and none closes it.
@pytest.mark.parametrize("has_session", [False, True])
def test_a_message_to_a_jobs_address_is_taken_in_and_settles_it(later, has_session, admin_user):
    client = Client(enforce_csrf_checks=True)
    if has_session:
        client.force_login(admin_user)
    assert post(address(later), client=client).status_code == 204
    assert ProviderJob.objects.get().state == JobState.SETTLED


def test_a_repeat_is_answered_alike(later):
    assert [post(address(later)).status_code for _ in range(3)] == [204, 204, 204]
    assert CallbackMessage.objects.count() == 1


@pytest.mark.parametrize("token", ["guessed", "token-9", "x" * 500])
def test_other_addresses_are_not_there(later, token):
    assert post(address(later, token)).status_code == 404
    assert not CallbackMessage.objects.exists()


def test_an_address_without_a_token_is_not_there(later):
    assert post(f"/callbacks/{later.name}").status_code == 404


def test_a_forged_message_is_told_nothing(later):
    answer = post(address(later), b"forged:clean")
    assert (answer.status_code, answer.content) == (404, b"")


def test_a_service_that_calls_nobody_back_has_no_address(later, monkeypatch):
    other = FakeService("quick")
    add_provider(monkeypatch, other)
    assert post("/callbacks/quick/token-1").status_code == 404
    assert post("/callbacks/nobody/token-1").status_code == 404


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
def test_only_messages_are_posted(later, method):
    assert getattr(Client(), method)(address(later)).status_code == 405


def test_a_message_that_is_too_long_is_refused_unread(later, monkeypatch):
    monkeypatch.setattr(callbacks, "MAX_BYTES", 100)
    assert post(address(later), b"m" * 101).status_code == 413


def test_a_message_that_cannot_be_checked_now_is_to_be_sent_again(later, monkeypatch):
    def away(callback):
        raise ProviderUnavailable("no certificate")

    monkeypatch.setattr(later, "read_callback", away)
    assert post(address(later)).status_code == 503
    assert not CallbackMessage.objects.exists()
