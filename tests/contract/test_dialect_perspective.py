"""Our own Perspective on a running server, asked by Google's generic client for Python.

The client knows of the service only what our discovery document says.
"""

from __future__ import annotations

import json
from typing import Any

import httplib2
import pytest
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from moderation.models import SuggestedScore
from moderation.vocabulary import Scope
from tests.factories import CommunityFactory, make_key
from tests.pipeline.helpers import THREAT

pytestmark = pytest.mark.django_db(transaction=True)
GERMAN = "Die Tomaten sind endlich reif, und wir haben heute Abend viel Spaß im Garten."


@pytest.fixture
def community() -> Any:
    return CommunityFactory.create(slug="garden")


@pytest.fixture
def ask(community: Any, live_server: Any) -> Any:
    """Call a method of the service that the document describes."""

    def call(method: str, body: dict[str, Any], key: str = "") -> Any:
        with build(
            "commentanalyzer",
            "v1alpha1",
            developerKey=key or make_key(community, [Scope.CHECK])[1],
            discoveryServiceUrl=f"{live_server.url}/$discovery/rest?version=v1alpha1",
            static_discovery=False,
            cache_discovery=False,
            http=httplib2.Http(timeout=30),
        ) as service:
            return getattr(service.comments(), method)(body=body).execute(num_retries=0)

    return call


def question(text: str = THREAT, *attributes: str, **more: Any) -> dict[str, Any]:
    return {
        "comment": {"text": text, "type": "PLAIN_TEXT"},
        "requestedAttributes": {name: {} for name in attributes or ("TOXICITY", "THREAT")},
        **more,
    }


def refusal(ask: Any, *given: Any) -> tuple[int, dict[str, Any]]:
    with pytest.raises(HttpError) as caught:
        ask(*given)
    return caught.value.status_code, json.loads(caught.value.content)["error"]


def test_a_comment_is_analysed(ask: Any) -> None:
    more = {"languages": ["en"], "doNotStore": True, "spanAnnotations": True, "clientToken": "c-7"}
    answer = ask("analyze", question(**more))
    threat = answer["attributeScores"]["THREAT"]
    assert threat["summaryScore"]["type"] == "PROBABILITY"
    assert threat["summaryScore"]["value"] > 0.85
    [span] = threat["spanScores"]
    assert "kill you" in THREAT[span["begin"] : span["end"]]
    assert (answer["languages"], answer["detectedLanguages"]) == (["en"], ["en"])
    assert answer["clientToken"] == "c-7"


def test_a_score_below_its_threshold_is_left_out(ask: Any) -> None:
    wanted = {"SEXUALLY_EXPLICIT": {"scoreThreshold": 0.9}, "THREAT": {"scoreThreshold": 0.5}}
    answer = ask("analyze", {**question(), "requestedAttributes": wanted})
    assert answer["attributeScores"].keys() == {"THREAT"}


def test_a_suggested_score_is_kept(ask: Any) -> None:
    scores = {"TOXICITY": {"summaryScore": {"value": 1, "type": "PROBABILITY"}}}
    body = {"comment": {"text": THREAT}, "attributeScores": scores, "clientToken": "c-8"}
    assert ask("suggestscore", body)["clientToken"] == "c-8"
    assert SuggestedScore.objects.get().score == 1


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (question(""), "COMMENT_EMPTY"),
        (question("a" * 20_481), "COMMENT_TOO_LONG"),
        ({**question(), "requestedAttributes": {}}, "NO_REQUESTED_ATTRIBUTES"),
        (question(THREAT, "KINDNESS"), "INVALID_REQUEST"),
        (question(GERMAN, "THREAT"), "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"),
    ],
)
def test_a_bad_question_is_refused(ask: Any, body: dict[str, Any], kind: str) -> None:
    status, error = refusal(ask, "analyze", body)
    assert (status, error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["details"][0]["errorType"] == kind


def test_a_bad_key_is_refused(ask: Any) -> None:
    status, error = refusal(ask, "analyze", question(), "unknown")
    assert (status, error["details"][0]["reason"]) == (400, "API_KEY_INVALID")


def test_a_limit_is_kept(ask: Any, community: Any, settings: Any) -> None:
    limits = {"key_rate_burst": 1, "key_rate_per_second": 0.01}
    settings.MODERATION = {**settings.MODERATION, **limits}
    key = make_key(community, [Scope.CHECK])[1]
    ask("analyze", question(), key)
    status, error = refusal(ask, "analyze", question(), key)
    assert (status, error["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert error["details"][0]["reason"] == "RATE_LIMIT_EXCEEDED"
