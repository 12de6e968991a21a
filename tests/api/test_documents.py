"""The OpenAPI document says what the API does, and its page needs no other machine."""

import re
from pathlib import Path

import jsonschema
import pytest
from django.contrib.staticfiles import finders
from django.db import OperationalError

from moderation import errors
from moderation.api.errors import KINDS, problem_of
from moderation.api.views import posts as posts_view
from moderation.models import Post
from tests.api.conftest import POSTS, person

DOCUMENT = "/api/v1/openapi.json"
PAGE = "/api/v1/docs"
MANUAL = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture
def document(anonymous):
    return anonymous.get(DOCUMENT).json()


def conforms(document, answer, operation_id):
    """Hold an answer against the document's schema of it."""
    operation = next(
        operation
        for acts in document["paths"].values()
        for operation in acts.values()
        if operation["operationId"] == operation_id
    )
    described = operation["responses"][str(answer.status_code)]
    content_type = answer["Content-Type"]
    schema = described["content"][content_type]["schema"]
    jsonschema.validate(
        answer.json(),
        {**schema, "components": document["components"]},
        format_checker=jsonschema.FormatChecker(),
    )


def test_the_document_is_openapi_and_names_every_act(document):
    assert document["openapi"].startswith("3.1")
    acts = {
        operation["operationId"]
        for acts in document["paths"].values()
        for operation in acts.values()
    }
    assert acts == {
        "submit_post",
        "submit_posts",
        "list_posts",
        "get_post",
        "get_status",
        "edit_post",
        "delete_post",
        "activate_policy",
        "follow_events",
        "get_usage",
        "issue_key",
        "list_communities",
        "list_webhooks",
        "add_webhook",
        "get_webhook",
        "change_webhook",
        "remove_webhook",
        "rotate_webhook_secret",
        "disable_webhook",
        "enable_webhook",
        "ping_webhook",
        "list_deliveries",
        "get_delivery",
        "replay_delivery",
        "replay_deliveries",
        "list_keys",
        "list_policies",
        "revise_policy",
        "revoke_key",
        "rotate_key",
        "list_decisions",
        "list_statements",
        "submit_content",
        "get_content_status",
        "check",
        "hint",
        "open_appeal",
        "list_appeals",
        "get_appeal",
        "write_to_appeal",
        "withdraw_appeal",
        "report_post",
        "list_reports",
        "get_report",
    }


def test_the_document_is_written_without_a_warning(capsys):
    from moderation.api.views.documents import openapi_document

    openapi_document.cache_clear()
    openapi_document()
    assert capsys.readouterr().err == ""


def test_answers_are_as_the_document_describes_them(keyed, document):
    media = [{"url": "https://example.org/a.png"}]
    accepted = keyed.send("POST", POSTS, person(media=media))
    conforms(document, accepted, "submit_post")
    conforms(document, keyed.send("POST", POSTS, {}), "submit_post")
    bulk = keyed.send("POST", f"{POSTS}/bulk", {"posts": [person(), {}]})
    conforms(document, bulk, "submit_posts")
    refused = keyed.send("POST", f"{POSTS}/bulk", {"posts": [{}]})
    conforms(document, refused, "submit_posts")
    path = accepted["Location"]
    conforms(document, keyed.get(f"{POSTS}?author=bo"), "list_posts")
    conforms(document, keyed.get(path), "get_post")
    conforms(document, keyed.get(f"{path}/status"), "get_status")
    conforms(document, keyed.get(f"{POSTS}/7"), "get_post")
    conforms(document, keyed.send("PATCH", path, {"body": "Riper."}), "edit_post")
    stale = keyed.send("PATCH", path, {"body": "Ripest."}, if_match='"1"')
    conforms(document, stale, "edit_post")
    conforms(document, keyed.send("POST", "/api/v1/hint", {"text": "Ripe."}), "hint")
    for asked in ({"text": "Ripe."}, {"items": [{"text": "Ripe."}]}, {}):
        conforms(document, keyed.send("POST", "/api/v1/check", asked), "check")
    content = keyed.send("POST", "/api/v1/content/submit", {"text": "Hi", "userId": "bo"})
    conforms(document, content, "submit_content")
    address = f"/api/v1/content/{content.json()['contentId']}/status"
    conforms(document, keyed.get(address), "get_content_status")
    conforms(document, keyed.get("/api/v1/content/7/status"), "get_content_status")


def test_the_page_loads_nothing_from_elsewhere_and_nothing_inline(anonymous):
    page = anonymous.get(PAGE)
    html = page.content.decode()
    addresses = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(addresses) >= 4
    assert all(address.startswith("/") for address in addresses)
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    assert not re.search(r"<style|\sstyle=|\son\w+=", html)
    assert "default-src 'self'" in page["Content-Security-Policy"]
    for address in addresses:
        if address.startswith("/static/"):
            assert finders.find(address.removeprefix("/static/")), address
    script = next(address for address in addresses if "script" in address and "?" in address)
    answer = anonymous.get(script)
    assert answer["Content-Type"].startswith("application/javascript")
    assert DOCUMENT in answer.content.decode().replace("\\u002D", "-")


# Problems


def test_every_deliberate_error_has_an_answer():
    def all_of(kind):
        yield kind
        for child in kind.__subclasses__():
            yield from all_of(child)

    ours = [kind for kind in all_of(errors.ModerationError) if kind.__module__ == errors.__name__]
    inward = {
        "error",
        "invalid_policy",
        "not_impartial",
        "review_taken",
        "fetch_refused",
        "callback_refused",
    }
    for kind in ours:
        if issubclass(kind, errors.ProviderError):
            continue
        assert kind.code in KINDS or kind.code in inward, kind


@pytest.mark.parametrize("code", KINDS)
def test_a_problems_type_leads_to_an_explanation(anonymous, code):
    answer = anonymous.get(f"/problems/{code}")
    assert answer.status_code == 200
    assert answer.json()["status"] == KINDS[code].status
    assert answer.json()["advice"]


def test_a_problem_that_does_not_exist_is_not_found(anonymous):
    assert anonymous.get("/problems/nothing").status_code == 404


@pytest.mark.parametrize("code", KINDS)
def test_every_problem_stands_in_the_manual(code):
    assert f"`{code}`" in MANUAL.read_text()


def test_every_address_stands_in_the_manual(document):
    manual = MANUAL.read_text()
    for address in document["paths"]:
        assert re.sub(r"\{(\w+)\}", "{id}", address) in manual.replace("{contentId}", "{id}")


def test_what_nobody_raised_on_purpose_is_not_dressed_up():
    assert problem_of(ZeroDivisionError()) is None
    assert problem_of(errors.ReviewTaken()) is None


def test_without_its_database_the_api_asks_to_come_back(keyed, monkeypatch):
    def fail(call):
        raise OperationalError("gone")

    monkeypatch.setattr(posts_view, "submit", fail)
    answer = keyed.send("POST", POSTS, person())
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert answer["Retry-After"] == "1"
    assert "gone" not in answer.content.decode()
    assert not Post.objects.exists()
