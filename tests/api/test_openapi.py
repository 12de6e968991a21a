"""The document is a sound one: it validates, its examples fit, and Postman can read it."""

import json
import re
from io import StringIO

import jsonschema
import pytest
from django.core.management import call_command
from django.urls import Resolver404, resolve
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from moderation.api.errors import KINDS
from moderation.api.views.documents import openapi_document
from moderation.delivery.event_types import EVENT_TYPES, NEVER_SENT, PING
from moderation.models import OutboxMessage
from tests.api.conftest import POSTS, person
from tests.delivery.conftest import _running_receiver, receiver
from tests.delivery.helpers import add_webhook
from tests.pipeline.helpers import drain_all

__all__ = ["_running_receiver", "receiver"]


@pytest.fixture(scope="module")
def document():
    return json.loads(json.dumps(openapi_document()))


def acts_of(document):
    for path, acts in document["paths"].items():
        for method, act in acts.items():
            yield path, method, act


def holds(document, value, schema):
    jsonschema.validate(
        value,
        {**schema, "components": document["components"]},
        cls=jsonschema.Draft202012Validator,
        format_checker=jsonschema.FormatChecker(),
    )


def test_it_validates(document):
    validate(document, cls=OpenAPIV31SpecValidator)


def _bodies(act):
    yield from act.get("requestBody", {}).get("content", {}).items()
    for answer in act["responses"].values():
        yield from answer.get("content", {}).items()


def test_every_act_has_examples_that_its_schemas_allow(document):
    for path, method, act in acts_of(document):
        for content_type, body in _bodies(act):
            if content_type == "text/event-stream":
                continue
            shown = [one["value"] for one in body.get("examples", {}).values()]
            shown += [body["example"]] if "example" in body else []
            assert shown, (path, method, content_type)
            if content_type == "multipart/form-data":
                continue
            for value in shown:
                holds(document, value, body["schema"])


def test_every_act_tells_of_its_problems_by_code(document):
    shown = set()
    for path, method, act in acts_of(document):
        if path.startswith("/api/v1/content/"):
            continue
        statuses = {int(status) for status in act["responses"] if status.isdecimal()}
        assert {401, 403} <= statuses, (path, method)
        for answer in act["responses"].values():
            shown |= set(
                answer.get("content", {}).get("application/problem+json", {}).get("examples", {})
            )
    # Told by any address at all, not by an act.
    assert set(KINDS) - shown <= {"method_not_allowed"}


# What we send


def test_every_event_that_is_sent_is_a_webhook_of_the_document(document):
    assert set(document["webhooks"]) == set(EVENT_TYPES) - NEVER_SENT | {PING}
    for name, told in document["webhooks"].items():
        body = told["post"]["requestBody"]["content"]["application/json"]
        holds(document, body["example"], body["schema"])
        assert body["example"]["type"] == name
        facts = EVENT_TYPES[name].facts if name != PING else ()
        shown = body["example"]["data"].get("facts", {})
        assert set(shown) == set(facts)
        assert None not in shown.values(), name


def test_what_is_sent_is_as_the_document_describes_it(document, keyed, community, receiver):
    add_webhook(community, receiver.url())
    keyed.send("POST", POSTS, person())
    drain_all()
    sent = [json.loads(one.payload) for one in OutboxMessage.objects.all()]
    assert [one["type"] for one in sent] == ["post.submitted", "post.approved"]
    for one in sent:
        holds(document, one, document["components"]["schemas"]["WebhookEvent"])
        example = document["webhooks"][one["type"]]["post"]["requestBody"]["content"]
        assert set(one["data"]) == set(example["application/json"]["example"]["data"])


# Postman


@pytest.fixture
def collection():
    out = StringIO()
    call_command("export_postman", "--base-url", "https://forum.example.org/", stdout=out)
    return json.loads(out.getvalue())


def requests_of(collection):
    return [item for folder in collection["item"] for item in folder["item"]]


def test_a_collection_has_every_act_once(collection, document):
    assert collection["info"]["schema"].endswith("/v2.1.0/collection.json")
    names = sorted(item["name"] for item in requests_of(collection))
    assert names == sorted(act["operationId"].replace("_", " ") for *_, act in acts_of(document))
    assert {"key": "base_url", "value": "https://forum.example.org"} in collection["variable"]


def test_each_request_of_a_collection_leads_somewhere_and_can_be_sent(collection):
    for item in requests_of(collection):
        request = item["request"]
        url = request["url"]
        values = {one["key"]: one["value"] for one in url["variable"]}
        assert all(values.values()), item["name"]
        path = "/".join(values.get(part.removeprefix(":"), part) for part in url["path"])
        assert url["raw"] == "{{base_url}}/" + "/".join(url["path"])
        try:
            view = resolve(f"/{path}").func.cls
        except Resolver404:
            pytest.fail(path)
        assert hasattr(view, request["method"].lower())
        assert "nowhere" not in str(resolve(f"/{path}").url_name)
        if "body" in request:
            assert json.loads(request["body"]["raw"]) is not None
        assert all(re.fullmatch(r"\d{3}", str(one["code"])) for one in item["response"])


def test_a_collection_is_written_to_a_file(tmp_path):
    call_command("export_postman", "--output", str(tmp_path / "gatehouse.json"))
    assert json.loads((tmp_path / "gatehouse.json").read_text())["item"]
