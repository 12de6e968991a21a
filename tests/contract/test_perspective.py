"""The sandbox's Perspective, driven by Google's generic client for Python.

The client reads a discovery document to know a service. The sandbox serves a short one of its own,
so what is proven here is the method, its errors and its answers, not the document.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httplib2
import pytest
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from moderation.sandbox.server import Sandbox, running_sandbox

TEXT = "You [[toxic=0.9]] one. Good day."


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running_sandbox() as running:
        yield running


def service(sandbox: Sandbox, key: str = "good-key") -> Any:
    return build(
        "commentanalyzer",
        "v1alpha1",
        developerKey=key,
        discoveryServiceUrl=f"{sandbox.base_url}/perspective/$discovery/rest?version=v1alpha1",
        static_discovery=False,
        cache_discovery=False,
        http=httplib2.Http(timeout=5),
    )


def analyze(sandbox: Sandbox, body: dict[str, Any], key: str = "good-key") -> Any:
    with service(sandbox, key) as opened:
        return opened.comments().analyze(body=body).execute(num_retries=0)


def question(text: str = TEXT, *attributes: str) -> dict[str, Any]:
    return {
        "comment": {"text": text},
        "requestedAttributes": {name: {} for name in attributes or ("TOXICITY", "THREAT")},
        "languages": ["en"],
        "doNotStore": True,
        "spanAnnotations": True,
        "clientToken": "content-7",
    }


def refusal(sandbox: Sandbox, body: dict[str, Any], key: str = "good-key") -> tuple[int, Any]:
    with pytest.raises(HttpError) as caught:
        analyze(sandbox, body, key)
    return caught.value.status_code, json.loads(caught.value.content)["error"]


def test_an_analysis_is_read(sandbox: Sandbox) -> None:
    answer = analyze(sandbox, question())
    toxicity = answer["attributeScores"]["TOXICITY"]
    assert toxicity["summaryScore"] == {"value": 0.9, "type": "PROBABILITY"}
    first = toxicity["spanScores"][0]
    assert TEXT[first["begin"] : first["end"]] == "You [[toxic=0.9]] one."
    assert answer["clientToken"] == "content-7"
    assert answer["detectedLanguages"] == ["en"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (question(""), "COMMENT_EMPTY"),
        (question("a" * 20_481), "COMMENT_TOO_LONG"),
        ({**question(), "requestedAttributes": {}}, "NO_REQUESTED_ATTRIBUTES"),
        (question(TEXT, "KINDNESS"), "INVALID_REQUEST"),
        ({**question(), "languages": ["fi"]}, "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"),
    ],
)
def test_a_bad_question_is_refused(sandbox: Sandbox, body: dict[str, Any], kind: str) -> None:
    status, error = refusal(sandbox, body)
    assert (status, error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["details"][0]["errorType"] == kind


def test_a_bad_key_is_refused(sandbox: Sandbox) -> None:
    status, error = refusal(sandbox, question(), "bad-key")
    assert (status, error["details"][0]["reason"]) == (400, "API_KEY_INVALID")


def test_a_quota_is_enforced(sandbox: Sandbox) -> None:
    sandbox.fail("perspective", 429, count=1, path="analyze")
    status, error = refusal(sandbox, question())
    assert (status, error["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert error["details"][0]["reason"] == "RATE_LIMIT_EXCEEDED"
