"""The sandbox's Mistral, driven by Mistral's own library."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from mistralai.client import Mistral
from mistralai.client.errors import HTTPValidationError, SDKError

from moderation.sandbox.mistral import LABELS_2411, LABELS_2603
from moderation.sandbox.server import Sandbox, running_sandbox

MODEL = "mistral-moderation-2603"


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.reset()
    return running


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Mistral]:
    with client_for(sandbox) as made:
        yield made


def client_for(sandbox: Sandbox, key: str = "good-key") -> Mistral:
    return Mistral(api_key=key, server_url=f"{sandbox.base_url}/mistral", timeout_ms=5000)


def turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


@pytest.mark.parametrize(
    ("model", "labels"),
    [
        (MODEL, LABELS_2603),
        ("mistral-moderation-latest", LABELS_2603),
        ("mistral-moderation-2411", LABELS_2411),
    ],
)
def test_texts_are_answered_in_order(client: Mistral, model: str, labels: dict[str, str]) -> None:
    given = ["[[violence=0.9]]", "hello", "[[violence=0.3]]"]
    answer = client.classifiers.moderate(model=model, inputs=given)
    assert answer.model == model
    scores = [result.category_scores for result in answer.results]
    assert [one.keys() for one in scores] == [labels.keys()] * 3
    assert scores[0]["violence_and_threats"] == 0.9
    assert scores[2]["violence_and_threats"] == 0.3
    flags = [result.categories["violence_and_threats"] for result in answer.results]
    assert flags == [True, False, False]


def test_one_text_may_be_no_array(client: Mistral) -> None:
    answer = client.classifiers.moderate(model=MODEL, inputs="[[personal_info=0.8]]")
    assert [result.category_scores["pii"] for result in answer.results] == [0.8]


def test_a_conversation_is_judged_by_its_last_turn(client: Mistral) -> None:
    first = [turn("user", "[[hate=0.9]]"), turn("assistant", "[[hate=0.2]]")]
    second = [turn("user", "[[hate=0.7]]")]
    answer = client.classifiers.moderate_chat(model=MODEL, inputs=first)
    assert [one.category_scores["hate_and_discrimination"] for one in answer.results] == [0.2]
    both = client.classifiers.moderate_chat(model=MODEL, inputs=[first, second])
    assert [one.category_scores["hate_and_discrimination"] for one in both.results] == [0.2, 0.7]


def test_an_empty_input_is_a_validation_error(client: Mistral) -> None:
    with pytest.raises(HTTPValidationError) as caught:
        client.classifiers.moderate(model=MODEL, inputs=[])
    assert caught.value.status_code == 422
    assert json.loads(caught.value.body)["detail"][0]["loc"] == ["body", "input"]


def test_metadata_is_taken(client: Mistral, sandbox: Sandbox) -> None:
    answer = client.classifiers.moderate(model=MODEL, inputs=["hello"], metadata={"job": "9f1a"})
    assert len(answer.results) == 1
    assert sandbox.requests("mistral")[0].request.json()["metadata"] == {"job": "9f1a"}


def test_an_unknown_model_is_refused(client: Mistral) -> None:
    with pytest.raises(SDKError) as caught:
        client.classifiers.moderate(model="mistral-moderation-1900", inputs=["hello"])
    assert caught.value.status_code == 400


def test_a_bad_key_is_refused(sandbox: Sandbox) -> None:
    with client_for(sandbox, "bad-key") as client, pytest.raises(SDKError) as caught:
        client.classifiers.moderate(model=MODEL, inputs=["hello"])
    assert caught.value.status_code == 401


@pytest.mark.parametrize("status", [403, 404, 429, 500, 502, 503, 504])
def test_a_scripted_status_is_an_error_with_words(
    client: Mistral, sandbox: Sandbox, status: int
) -> None:
    sandbox.fail("mistral", status, retry_after=7)
    with pytest.raises(SDKError) as caught:
        client.classifiers.moderate(model=MODEL, inputs=["hello"])
    assert caught.value.status_code == status
    assert caught.value.headers["retry-after"] == "7"
    assert json.loads(caught.value.body)["object"] == "error"
    assert len(sandbox.requests("mistral")) == 1
