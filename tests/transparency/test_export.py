"""Statements reach the register once each, whatever breaks on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from moderation import queries
from moderation.models import Community, RegisterEntry, Review, Statement
from moderation.pipeline.review.review import decide_review
from moderation.pipeline.review.undo import undo_decision
from moderation.policy.reasons import Facts, Imposed, state_reasons
from moderation.transparency import register as api
from moderation.transparency.export import Exported, file_statements
from moderation.transparency.records import FILED, record_of
from moderation.transparency.schema import words, wrong_with
from moderation.vocabulary import Action, Category, EffectKind, RegisterState, ReportSource
from tests.factories import CommunityFactory, make_moderator
from tests.pipeline.helpers import THREAT, drain_all, send
from tests.pipeline.test_enforce import strict, use_policy
from tests.transparency.register import TOKEN, Register, running_register

pytestmark = pytest.mark.django_db


@pytest.fixture
def register(settings: Settings) -> Iterator[Register]:
    with running_register() as running:
        settings.MODERATION = {
            **settings.MODERATION,
            "dsa_url": running.url,
            "dsa_token": TOKEN,
            "delivery_allowed_hosts": frozenset({running.address}),
        }
        yield running
        api._client(frozenset({running.address})).close()


@pytest.fixture
def community() -> Community:
    made: Community = CommunityFactory(name="Garden")
    return made


@pytest.fixture
def rejected(community: Community) -> list[Statement]:
    """Three posts that the policy rejected, each with its statement."""
    send(community, *(f"{THREAT} {number}" for number in range(3)))
    drain_all()
    return list(Statement.objects.order_by("pk"))


def run_again() -> Exported:
    RegisterEntry.objects.update(due_at=Now())
    return file_statements()


def states() -> list[str]:
    return list(RegisterEntry.objects.order_by("pk").values_list("state", flat=True))


def document_of(**facts: Any) -> dict[str, Any]:
    now = queries.database_now()
    said: dict[str, Any] = {
        "community": "Garden",
        "action": Action.BLOCK,
        "category": Category.THREAT,
        "issued_at": now,
        "appeal_until": now,
        "decided_by_machine": False,
        "found_by_machine": False,
        "hides": True,
        "written_reason": "Bo Baker of 7 Mill Lane threatens Cy.",
        "content": ("text",),
        "posted_on": now.date(),
    }
    return state_reasons(Facts(**{**said, **facts}))


def record_for(**facts: Any) -> dict[str, Any] | None:
    return record_of(Statement(number="a1", document=document_of(**facts)), territory=["DE"])


# Records


@pytest.mark.parametrize("category", Category)
@pytest.mark.parametrize("legal_ground", ["", "A law."])
@pytest.mark.parametrize("action", [Action.BLOCK, Action.WARN])
def test_every_statement_makes_a_record_that_is_in_order(
    category: Category, legal_ground: str, action: Action
):
    record = record_for(
        category=category, legal_ground=legal_ground, action=action, hides=action is Action.BLOCK
    )

    assert record is not None
    assert wrong_with(record) == []


def test_keywords_belong_to_their_category():
    tree = words()["template_category_keywords"]

    assert set(FILED) == set(Category)
    for filed in FILED.values():
        assert filed.keyword in tree[filed.category]
        assert bool(filed.other) == (filed.keyword == "KEYWORD_OTHER")


def test_a_record_holds_nothing_that_a_person_wrote():
    assert "Mill Lane" not in str(record_for())


@pytest.mark.parametrize(
    ("facts", "detection", "decision", "source"),
    [
        (
            {"decided_by_machine": True, "found_by_machine": True},
            "Yes",
            "FULLY",
            "SOURCE_VOLUNTARY",
        ),
        ({"found_by_machine": True}, "Yes", "NOT_AUTOMATED", "SOURCE_VOLUNTARY"),
        ({}, "No", "NOT_AUTOMATED", "SOURCE_VOLUNTARY"),
        ({"source": ReportSource.NOTICE}, "No", "NOT_AUTOMATED", "SOURCE_ARTICLE_16"),
        (
            {"source": ReportSource.TRUSTED_FLAGGER},
            "No",
            "NOT_AUTOMATED",
            "SOURCE_TRUSTED_FLAGGER",
        ),
        (
            {"source": ReportSource.READER, "found_by_machine": True},
            "Yes",
            "NOT_AUTOMATED",
            "SOURCE_TYPE_OTHER_NOTIFICATION",
        ),
    ],
)
def test_who_found_and_who_decided_are_told_apart(
    facts: dict[str, Any], detection: str, decision: str, source: str
):
    record = record_for(**facts)

    assert record is not None
    assert record["automated_detection"] == detection
    assert record["automated_decision"] == f"AUTOMATED_DECISION_{decision}"
    assert record["source_type"] == source


def test_sanctions_are_decisions_with_their_ends():
    until = queries.database_now()
    record = record_for(
        sanctions=[Imposed(EffectKind.SILENCE, until), Imposed(EffectKind.SUSPENSION, None)]
    )

    assert record is not None
    assert record["decision_provision"] == "DECISION_PROVISION_PARTIAL_SUSPENSION"
    assert record["end_date_service_restriction"] == until.date().isoformat()
    assert record["decision_account"] == "DECISION_ACCOUNT_SUSPENDED"
    assert "end_date_account_restriction" not in record
    assert wrong_with(record) == []


def test_a_mere_warning_is_no_restriction():
    assert record_for(hides=False, sanctions=[Imposed(EffectKind.WARNING, None)]) is None


# On their way


def test_what_was_rejected_is_in_the_register(register: Register, rejected: list[Statement]):
    done = file_statements()

    assert (done.filed, done.error) == (3, "")
    assert set(register.stored) == {one.number for one in rejected}
    entry = RegisterEntry.objects.first()
    assert entry is not None
    assert entry.uuid == register.stored[entry.statement.number]["uuid"]
    assert run_again().filed == 0
    assert register.batches == [3]


def test_what_its_moderator_undoes_in_time_is_never_filed(
    register: Register, community: Community, settings: Settings
):
    settings.MODERATION = {**settings.MODERATION, "undo_seconds": 10.0}
    use_policy(community, thresholds=strict("review"))
    ada = make_moderator(community, ("view_review", "decide_review"))
    undone, stands = send(community, f"{THREAT} 1", f"{THREAT} 2")
    drain_all()
    file_statements()
    decided = [
        decide_review(
            review_id=Review.objects.get(post=post).pk,
            moderator=ada,
            action=Action.BLOCK,
            reason="It threatens a person.",
            seen_revision=1,
        )
        for post in (undone, stands)
    ]

    assert file_statements().filed == 0
    undo_decision(decision_id=decided[0].pk, moderator=ada)
    done = run_again()

    assert (done.filed, done.skipped) == (1, 1)
    entries = RegisterEntry.objects.filter(statement__enforcement__decision__in=decided)
    assert list(entries.order_by("pk").values_list("state", flat=True)) == ["skipped", "filed"]


def test_nothing_is_asked_without_a_register(rejected: list[Statement]):
    assert file_statements() == Exported()
    assert not RegisterEntry.objects.exists()


def test_more_than_a_hundred_go_in_batches(register: Register, community: Community):
    send(community, *(f"{THREAT} {number}" for number in range(123)))
    drain_all()

    assert file_statements().filed == 123
    assert register.batches == [100, 23]


def test_an_answer_that_is_lost_makes_no_second_record(
    register: Register, rejected: list[Statement]
):
    register.faults = ["lose"]
    assert file_statements().error == api.UNREACHABLE

    done = run_again()

    assert done.filed == 3
    assert states() == [RegisterState.FILED] * 3
    assert len(register.stored) == 3


def test_a_record_that_is_said_to_be_known_and_is_not_is_sent_again(
    register: Register, rejected: list[Statement]
):
    register.faults = ["locked"]
    assert file_statements().filed == 0
    assert states() == [RegisterState.DUE] * 3

    assert run_again().filed == 3
    assert len(register.stored) == 3


def test_one_that_is_refused_does_not_keep_the_others(
    register: Register, rejected: list[Statement]
):
    register.faults = [{"statement_1": {"category": ["The category is invalid."]}}]

    done = file_statements()

    assert (done.filed, done.invalid) == (2, 1)
    assert states() == [RegisterState.FILED, RegisterState.INVALID, RegisterState.FILED]
    refused = RegisterEntry.objects.get(state=RegisterState.INVALID)
    assert refused.wrong == [["category", "The category is invalid."]]


@pytest.mark.parametrize(
    ("status", "error"),
    [(429, api.SLOW_DOWN), (500, api.FAILING), (401, api.NOT_AUTHORISED), (418, "HTTP 418")],
)
def test_a_register_that_does_not_take_them_is_asked_later(
    register: Register, rejected: list[Statement], status: int, error: str
):
    register.faults = [status]

    assert file_statements().error == error
    assert len(register.requests) == 1
    assert file_statements() == Exported()
    wait = (RegisterEntry.objects.first().due_at - queries.database_now()).total_seconds()  # type: ignore[union-attr]
    assert wait > (30 if status == 429 else 20)

    assert run_again().filed == 3


def test_exempt_categories_are_not_filed(
    register: Register, rejected: list[Statement], settings: Settings
):
    found = {one.document["facts"]["category"] for one in rejected}
    settings.MODERATION = {**settings.MODERATION, "dsa_exempt_categories": frozenset(found)}

    assert file_statements().skipped == 3
    assert register.requests == []


def test_the_register_is_asked_whether_it_knows_us(
    register: Register, settings: Settings, capsys: pytest.CaptureFixture[str]
):
    call_command("check_register")
    assert "knows this platform" in capsys.readouterr().out
    settings.MODERATION = {**settings.MODERATION, "dsa_token": "of a stranger"}
    with pytest.raises(CommandError, match="token"):
        call_command("check_register")
