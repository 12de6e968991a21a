"""The sandbox's OpenAI, driven by OpenAI's own library."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import openai
import pytest

from moderation.sandbox.server import Sandbox, running_sandbox

PICTURE = b"\x89PNG\r\n\x1a\n[[sexual=0.9]] [[hate=0.9]]"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    return running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[openai.OpenAI]:
    with client_for(sandbox) as made:
        yield made


def client_for(sandbox: Sandbox, key: str = "sk-test") -> openai.OpenAI:
    url = f"{sandbox.base_url}/openai/v1"
    return openai.OpenAI(api_key=key, base_url=url, max_retries=0, timeout=5)


def picture() -> dict[str, object]:
    data = base64.b64encode(PICTURE).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}


def test_a_text_has_thirteen_categories(client: openai.OpenAI) -> None:
    answer = client.moderations.create(input="hello [[self-harm/intent=0.9]] [[sexual_minors=0.8]]")
    assert (answer.id[:5], answer.model) == ("modr-", "omni-moderation-latest")
    [result] = answer.results
    assert result.flagged
    assert result.categories.self_harm_intent
    assert not result.categories.hate
    assert result.category_scores.sexual_minors == 0.8
    assert len(result.category_scores.model_dump(by_alias=True)) == 13
    assert result.category_applied_input_types.hate == ["text"]


def test_texts_are_answered_in_order(client: openai.OpenAI) -> None:
    given = ["[[hate=0.1]]", "[[hate=0.9]]", "[[hate=0.4]]"]
    answer = client.moderations.create(model="omni-moderation-2024-09-26", input=given)
    assert [result.category_scores.hate for result in answer.results] == [0.1, 0.9, 0.4]
    assert [result.flagged for result in answer.results] == [False, True, False]


def test_a_text_and_an_image_are_one_result(client: openai.OpenAI) -> None:
    text = {"type": "text", "text": "[[violence=0.7]] [[sexual=0.2]]"}
    answer = client.moderations.create(model="omni-moderation-latest", input=[text, picture()])
    [result] = answer.results
    assert result.category_scores.violence == 0.7
    assert result.category_scores.sexual == 0.9
    assert result.category_applied_input_types.violence == ["image", "text"]


def test_an_image_alone_is_not_looked_at_for_hate(client: openai.OpenAI) -> None:
    [result] = client.moderations.create(input=[picture()]).results
    assert result.category_scores.hate == 0
    assert result.category_applied_input_types.hate == []
    assert result.category_scores.sexual == 0.9
    assert result.category_applied_input_types.sexual == ["image"]


def test_every_answer_has_a_request_id(client: openai.OpenAI) -> None:
    answer = client.moderations.create(input="hello")
    assert answer._request_id
    raw = client.moderations.with_raw_response.create(input="hello")
    assert raw.headers["x-request-id"] == answer._request_id
    assert raw.headers["openai-processing-ms"].isdecimal()


def test_two_images_are_too_many(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.moderations.create(input=[picture(), picture()])
    assert (caught.value.code, caught.value.param) == ("too_many_images", "input")
    assert "Number of images (2) exceeds maximum of 1" in caught.value.message


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ([], None),
        ([{"type": "sound"}], None),
        (
            [{"type": "image_url", "image_url": {"url": "data:image/png;base64,?"}}],
            "invalid_base64",
        ),
        ([{"type": "image_url", "image_url": {"url": "gopher://example.com"}}], None),
    ],
)
def test_an_input_of_another_shape_is_refused(
    client: openai.OpenAI, given: list[dict[str, object]], code: str | None
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.moderations.create(input=given)
    assert (caught.value.type, caught.value.code) == ("invalid_request_error", code)


def test_a_text_model_judges_texts_only(client: openai.OpenAI) -> None:
    model = "text-moderation-stable"
    [result] = client.moderations.create(model=model, input="hello").results
    assert "illicit" not in result.category_scores.model_dump(by_alias=True, exclude_unset=True)
    with pytest.raises(openai.BadRequestError):
        client.moderations.create(model=model, input=[picture()])


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.moderations.create(model="omni-moderation-1900", input="hello")
    assert caught.value.code == "model_not_found"


def test_another_address_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.models.list()


def test_a_bad_key_is_refused(sandbox: Sandbox) -> None:
    refused = pytest.raises(openai.AuthenticationError)
    with client_for(sandbox, "bad-key") as client, refused as caught:
        client.moderations.create(input="hello")
    assert caught.value.code == "invalid_api_key"
    assert "Incorrect API key provided:" in caught.value.message


def test_a_used_up_quota_is_a_rate_limit_with_its_own_code(sandbox: Sandbox) -> None:
    refused = pytest.raises(openai.RateLimitError)
    with client_for(sandbox, "spent-key") as client, refused as caught:
        client.moderations.create(input="hello")
    assert caught.value.code == caught.value.type == "insufficient_quota"


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_a_scripted_status_is_an_error_with_words(
    client: openai.OpenAI, sandbox: Sandbox, status: int, wanted: type[openai.APIStatusError]
) -> None:
    sandbox.fail("openai", status, retry_after=7)
    with pytest.raises(wanted) as caught:
        client.moderations.create(input="hello")
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.request_id
    assert isinstance(caught.value.body, dict)
    assert caught.value.body.keys() == {"message", "type", "param", "code"}
    assert len(sandbox.requests("openai")) == 1


def test_a_scripted_reset_and_a_slow_answer_are_errors(sandbox: Sandbox) -> None:
    sandbox.fail("openai", "reset", count=1)
    sandbox.fail("openai", "slow", delay_seconds=0.5)
    with client_for(sandbox) as client:
        with pytest.raises(openai.APIConnectionError):
            client.moderations.create(input="hello")
        with pytest.raises(openai.APITimeoutError):
            client.with_options(timeout=0.1).moderations.create(input="hello")
