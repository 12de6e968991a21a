"""What the tutorial and the how-tos have people write works."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from moderation.errors import ProviderMalformed, ProviderUnavailable
from moderation.policy.document import DEFAULT_DOCUMENT, parse_policy
from moderation.providers.base import Account, Adapter, Answer, TextPart
from moderation.vocabulary import Category, Outcome, Status, Visibility
from tests.factories import CommunityFactory
from tests.pipeline.helpers import drain_all, send

DOCS = Path(__file__).parents[2] / "docs"
TUTORIAL = (DOCS / "tutorial.md").read_text()
# A page of several pictures should come at once over a slow line.
LARGEST_PICTURE_BYTES = 150_000


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


@pytest.mark.django_db
def test_the_tutorials_posts_are_published_hidden_and_put_before_a_person() -> None:
    texts = re.findall(r"^> (.+)$", TUTORIAL, re.MULTILINE)
    posts = [send(CommunityFactory.create(), text)[0] for text in texts]
    drain_all()
    for post in posts:
        post.refresh_from_db()
    assert [(post.status, post.visibility) for post in posts] == [
        (Status.APPROVED, Visibility.PUBLIC),
        (Status.REJECTED, Visibility.HIDDEN),
        (Status.IN_REVIEW, Visibility.HELD),
    ]


def test_the_tutorials_pictures_are_there_and_small() -> None:
    pictures = [DOCS / name for name in re.findall(r"\]\((img/[^)]+)\)", TUTORIAL)]
    assert 4 <= len(pictures) <= 6
    for picture in pictures:
        assert picture.stat().st_size <= LARGEST_PICTURE_BYTES, picture.name


def test_the_policy_of_the_page_is_the_usual_one_with_its_change() -> None:
    (document,) = map(json.loads, blocks((DOCS / "howto/write-a-policy.md").read_text(), "json"))
    parse_policy(document)
    expected = copy.deepcopy(DEFAULT_DOCUMENT)
    expected["thresholds"]["categories"]["harassment"] = {"review": 0.6, "block": None}
    assert document == expected


@pytest.fixture
def notary(httpserver: HTTPServer) -> Adapter:
    """The adapter that the page has people write, before a service of that kind."""
    written = next(
        code
        for code in blocks((DOCS / "howto/add-a-provider.md").read_text(), "python")
        if "class NotaryAdapter" in code
    )
    module: dict[str, type[Adapter]] = {"__name__": "notary"}
    exec(compile(written, "notary.py", "exec", dont_inherit=True), module)
    return module["NotaryAdapter"](
        Account(
            name="notary",
            options={"base_url": httpserver.url_for("").rstrip("/")},
            secrets={"key": "good-key"},
            allow_private_hosts=frozenset({f"{httpserver.host}:{httpserver.port}"}),
        )
    )


def ask(notary: Adapter) -> Answer:
    (answer,) = notary.judge([TextPart("text", "Good day")])
    return answer


def test_the_adapter_of_the_page_takes_scores(notary: Adapter, httpserver: HTTPServer) -> None:
    httpserver.expect_request(
        "/judge", method="POST", headers={"X-Key": "good-key"}, json={"text": "Good day"}
    ).respond_with_json({"topics": {"insult": 0.9, "menace": 0.25, "weather": 1}})
    answer = ask(notary)
    assert answer.outcome is Outcome.JUDGED
    assert answer.scores == {Category.HARASSMENT: 0.9, Category.THREAT: 0.25}


def test_the_adapter_of_the_page_makes_up_no_score(notary: Adapter, httpserver: HTTPServer) -> None:
    asked = httpserver.expect_ordered_request
    asked("/judge").respond_with_json({"topics": {"weather": 1}})
    assert ask(notary).outcome is Outcome.NOT_JUDGED
    asked("/judge").respond_with_json({"topics": {"insult": 2}})
    with pytest.raises(ProviderMalformed):
        ask(notary)
    asked("/judge").respond_with_json([])
    with pytest.raises(ProviderMalformed):
        ask(notary)
    asked("/judge").respond_with_data(status=503)
    with pytest.raises(ProviderUnavailable):
        ask(notary)
