"""Our Akismet dialect, driven by the `akismet` package on a server of ours."""

from __future__ import annotations

from collections.abc import Iterator

import akismet
import pytest
from akismet import _common

from moderation.api.limits import forget_tokens
from moderation.models import Community
from tests.factories import CommunityFactory, make_key
from tests.pipeline.test_enforce import use_policy

BLOG = "https://forum.example.com"
SOMEBODY = "203.0.113.9"
SPAM = "CASINO BONUS 500% FREE SPINS make money fast work from home earn $5000 a week"
HAM = "The tomatoes are finally ripe."


@pytest.fixture
def community(transactional_db: None) -> Community:
    forget_tokens()
    made: Community = CommunityFactory.create(slug="garden")
    return made


@pytest.fixture(params=["", "/akismet"])
def at_ours(
    request: pytest.FixtureRequest, live_server: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Point the package at our server: it has no option for that."""
    monkeypatch.setattr(_common, "_API_URL", f"{live_server}{request.param}")


def client_with(key: str) -> akismet.SyncClient:
    return akismet.SyncClient(config=akismet.Config(key=key, url=BLOG))


@pytest.fixture
def client(at_ours: None, community: Community) -> Iterator[akismet.SyncClient]:
    # Entering verifies the key.
    with client_with(make_key(community, ["check"])[1]) as opened:
        yield opened


def checked(client: akismet.SyncClient, content: str = HAM, **more: str) -> akismet.CheckResponse:
    return client.comment_check(user_ip=SOMEBODY, comment_content=content, **more)


def test_spam_is_told_from_ham(client: akismet.SyncClient) -> None:
    assert checked(client) == akismet.CheckResponse.HAM
    assert checked(client, SPAM) in (akismet.CheckResponse.SPAM, akismet.CheckResponse.DISCARD)


def test_its_own_inputs_are_honoured(client: akismet.SyncClient) -> None:
    assert checked(client, comment_author="viagra-test-123") == akismet.CheckResponse.SPAM
    mail = "akismet-guaranteed-spam@example.com"
    assert checked(client, comment_author_email=mail) == akismet.CheckResponse.SPAM
    assert checked(client, SPAM, user_role="administrator") == akismet.CheckResponse.HAM


def test_blatant_spam_is_to_be_thrown_away(
    client: akismet.SyncClient, community: Community
) -> None:
    steps = {"warn": None, "review": None, "block": 0.5}
    use_policy(community, thresholds={"default": steps, "categories": {}})
    assert checked(client, SPAM) == akismet.CheckResponse.DISCARD


def test_corrections_are_taken(client: akismet.SyncClient, community: Community) -> None:
    assert client.submit_spam(user_ip=SOMEBODY, comment_content=HAM)
    assert client.submit_ham(user_ip=SOMEBODY, comment_content=SPAM)
    assert sorted(kept.score for kept in community.suggested_scores.all()) == [0.0, 1.0]


def test_another_key_is_an_error(at_ours: None, community: Community) -> None:
    bad = client_with("gate_nonsense")
    assert not bad.verify_key()
    with pytest.raises(akismet.APIKeyError):
        checked(bad)
    bad._http_client.close()


def test_a_missing_field_is_said_to_be_missing(client: akismet.SyncClient) -> None:
    with pytest.raises(akismet.ProtocolError, match="Missing required field: user_ip"):
        client.comment_check(user_ip="", comment_content=HAM)


def test_what_nobody_judged_is_an_error_and_no_ham(
    client: akismet.SyncClient, community: Community
) -> None:
    use_policy(community, route={"text": ["gone"]})
    with pytest.raises(akismet.RequestError):
        checked(client)
