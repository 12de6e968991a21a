"""Our own `/v1/moderations` on a running server, asked by OpenAI's own library."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types import ModerationCreateResponse

from moderation.vocabulary import Scope
from tests.factories import CommunityFactory, make_key
from tests.pipeline.helpers import HARMLESS, THREAT
from tests.pipeline.test_media import picture

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def community() -> Any:
    return CommunityFactory.create(slug="garden")


@pytest.fixture
def url(live_server: Any) -> str:
    return f"{live_server.url}/v1"


@pytest.fixture
def client(community: Any, url: str) -> Iterator[openai.OpenAI]:
    with client_for(make_key(community, [Scope.CHECK])[1], url) as made:
        yield made


def client_for(key: str, url: str) -> openai.OpenAI:
    return openai.OpenAI(api_key=key, base_url=url, max_retries=0, timeout=30)


def image() -> dict[str, Any]:
    data = base64.b64encode(picture()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}


def hold_to_the_types(answer: ModerationCreateResponse) -> None:
    """Read the answer again, strictly: the library itself takes whatever it is given."""
    ModerationCreateResponse.model_validate(answer.model_dump(by_alias=True), strict=True)


def test_a_text_is_judged(client: openai.OpenAI) -> None:
    answer = client.moderations.create(input=THREAT)
    hold_to_the_types(answer)
    [result] = answer.results
    assert answer.id.startswith("modr-")
    assert answer.model.startswith("gatehouse-1-")
    assert result.flagged
    assert result.categories.harassment_threatening
    assert result.category_scores.harassment_threatening > 0.85
    assert result.category_applied_input_types.hate == ["text"]
    assert len(result.category_scores.model_dump(by_alias=True)) == 13


def test_texts_are_judged_in_order(client: openai.OpenAI) -> None:
    answer = client.moderations.create(model="omni-moderation-latest", input=[HARMLESS, THREAT, ""])
    hold_to_the_types(answer)
    assert [result.flagged for result in answer.results] == [False, True, False]


def test_a_text_and_pictures_are_one_result(client: openai.OpenAI) -> None:
    parts = [{"type": "text", "text": THREAT}, image(), image()]
    answer = client.moderations.create(model="omni-moderation-2024-09-26", input=parts)
    hold_to_the_types(answer)
    [result] = answer.results
    assert result.flagged
    assert result.categories.harassment_threatening


def test_the_headers_say_who_judged(client: openai.OpenAI) -> None:
    raw = client.moderations.with_raw_response.create(input=HARMLESS)
    assert raw.headers["x-gatehouse-model"] == raw.parse().model
    assert raw.headers["x-gatehouse-judged-by"].startswith("local_text=local-text-")
    assert "sexual/minors" in raw.headers["x-gatehouse-not-judged"]
    assert raw.headers["x-ratelimit-limit-requests"] == "5000"
    assert raw.headers["x-request-id"] == raw.parse()._request_id


@pytest.mark.parametrize(
    ("given", "param"),
    [([], "input"), ([{"type": "sound"}], "input.0.type"), ("a\x00", "input")],
)
def test_a_bad_input_is_a_bad_request(client: openai.OpenAI, given: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.moderations.create(input=given)
    assert (caught.value.type, caught.value.param) == ("invalid_request_error", param)
    assert caught.value.request_id


def test_too_large_a_body_is_an_error_of_its_own(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        client.moderations.create(input="a" * 10 * 1024 * 1024)
    assert caught.value.status_code == 413


def test_an_unknown_key_is_an_authentication_error(url: str, community: Any) -> None:
    refused = pytest.raises(openai.AuthenticationError)
    with client_for("sk-unknown", url) as client, refused as caught:
        client.moderations.create(input=HARMLESS)
    assert caught.value.code == "invalid_api_key"
    assert "Incorrect API key provided" in caught.value.message


def test_a_key_without_the_scope_is_denied(url: str, community: Any) -> None:
    refused = pytest.raises(openai.PermissionDeniedError)
    with client_for(make_key(community, [Scope.READ])[1], url) as client, refused:
        client.moderations.create(input=HARMLESS)


def test_too_many_requests_are_a_rate_limit(client: openai.OpenAI, settings: Any) -> None:
    limits = {"key_rate_burst": 2, "key_rate_per_second": 0.01}
    settings.MODERATION = {**settings.MODERATION, **limits}
    client.moderations.create(input=[HARMLESS, HARMLESS])
    with pytest.raises(openai.RateLimitError) as caught:
        client.moderations.create(input=HARMLESS)
    assert caught.value.code == "rate_limit_exceeded"
    assert int(caught.value.response.headers["retry-after"]) > 0
    assert caught.value.response.headers["x-ratelimit-remaining-requests"] == "0"


def test_it_works_without_v1_too(community: Any, live_server: Any) -> None:
    with client_for(make_key(community, [Scope.CHECK])[1], live_server.url) as client:
        assert client.moderations.create(input=THREAT).results[0].flagged


def test_another_address_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.models.list()
