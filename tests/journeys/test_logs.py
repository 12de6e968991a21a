"""A marked text goes the whole way, and no line of the log has it."""

from __future__ import annotations

import io
import json
import logging
import logging.config
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse

from moderation.delivery import doorbell
from moderation.models import Membership, Post
from moderation.pipeline import dispatch, notify
from moderation.roles import MODERATOR, ensure_roles
from moderation.tasks import look
from moderation.vocabulary import Lane, Scope
from tests.admin.situations import queued
from tests.factories import CommunityFactory, UserFactory, make_key
from tests.pipeline.helpers import drain_all

pytestmark = pytest.mark.django_db
MARK = "quetzalcoatl"
TEXT = f"{MARK}, I will kill you, you worthless idiot"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Write every line there is, as a role writes it, from DEBUG on."""
    config = logging.config.DictConfigurator(settings.LOGGING)
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(config.configure_formatter(dict(settings.LOGGING["formatters"]["json"])))
    root = logging.getLogger()
    before = root.level
    requests = logging.getLogger("django_structlog")
    requests_before = requests.level
    # What makes the tests' rows is no part of a role.
    logging.getLogger("factory").setLevel(logging.WARNING)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    requests.setLevel(logging.INFO)
    yield written
    root.removeHandler(handler)
    root.setLevel(before)
    requests.setLevel(requests_before)


def read(written: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.fixture(autouse=True)
def _no_bell(monkeypatch):
    monkeypatch.setattr(doorbell, "ring", lambda *_: None)


def submit(community, text: str = TEXT, **headers: str) -> str:
    client = Client(headers={"authorization": f"Bearer {make_key(community, Scope.values)[1]}"})
    body = {"title": f"About {MARK}", "body": text, "author": {"id": f"{MARK}-author"}}
    answer = client.post(
        "/api/v1/posts", body, content_type="application/json", headers=headers, follow=True
    )
    assert answer.status_code == 202, answer.content
    return answer.json()["id"]


def test_a_text_that_goes_the_whole_way_is_in_no_line(lines, monkeypatch):
    community = CommunityFactory.create()
    post = submit(community)
    drain_all()
    ada = UserFactory.create(username="ada", is_staff=True)
    ada.groups.add(ensure_roles()[MODERATOR])
    Membership.objects.create(user=ada, community=community)
    desk = Client()
    desk.force_login(ada, backend="django.contrib.auth.backends.ModelBackend")
    assert Post.objects.get(pk=post).status == "rejected"
    review = queued(community, title=f"About {MARK}", body=TEXT)
    page = reverse("admin:moderation_review_change", args=[review.pk])
    assert desk.get(page).status_code == 200
    found = desk.get(reverse("admin:moderation_post_changelist"), {"q": MARK})
    assert found.status_code == 200
    desk.post(page, {"action": "block", "own_words": f"It insults {MARK}.", "seen_revision": 1})
    assert Post.objects.get(pk=review.post_id).status == "rejected"
    notify.drain()
    assert read(lines)
    assert MARK not in lines.getvalue().lower()


@pytest.mark.parametrize(
    "error",
    [
        ValueError(f"cannot judge {TEXT}"),
        IntegrityError(f"violates check\nDETAIL: Failing row contains ({TEXT})."),
    ],
)
def test_a_text_that_breaks_its_judge_is_in_no_line(lines, monkeypatch, error):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(dispatch, "judge", fail)
    post = submit(CommunityFactory.create())
    look(lane=Lane.SCREEN_HIGH.value)
    (line,) = [one for one in read(lines) if one["event"] == "batch_failed"]
    assert line["posts"] == [post]
    assert type(error).__name__ in str(line["exception"])
    assert MARK not in lines.getvalue().lower()


def test_a_page_that_breaks_tells_its_route_and_the_answers_id(lines, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise ValueError(TEXT)

    monkeypatch.setattr("allauth.account.views.LoginView.form_invalid", fail)
    client = Client(raise_request_exception=False, headers={"User-Agent": MARK})
    answer = client.post(f"/accounts/login/?next=/{MARK}", {"login": MARK, "password": TEXT})
    assert answer.status_code == 500
    failed = [one for one in read(lines) if one["event"] == "request_failed"]
    assert [one["request"] for one in failed] == ["POST /accounts/login/"]
    assert {one["request_id"] for one in failed} == {answer["X-Request-ID"]}
    assert MARK not in lines.getvalue().lower()


def test_a_task_names_itself_in_every_line(lines):
    from platform_site import task_ids

    task_ids.bind(task=look, task_id="7b0f", kwargs={"lane": "screen"})
    logging.getLogger("moderation.somewhere").warning("it_hesitates")
    task_ids.unbind()
    logging.getLogger("moderation.somewhere").warning("it_goes_on")
    first, second = [one for one in read(lines) if str(one["event"]).startswith("it_")]
    assert (first["task"], first["task_id"], first["lane"]) == ("moderation.look", "7b0f", "screen")
    assert "task" not in second
