"""Long work that a lead starts: rescans and exports, from the form to the worker and back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_celery_results.models import TaskResult

from moderation.errors import Conflict
from moderation.models import AuditEvent, Community, Submission
from moderation.operations import export, ledger, rescan
from moderation.pipeline.review import decide_review
from moderation.tasks import export_decisions, rescan_community
from moderation.vocabulary import Action, Lane, Reason, SubmissionState
from tests.admin.conftest import ClientFor
from tests.admin.situations import queued
from tests.factories import PostFactory

LIST = "admin:moderation_operations"
ALWAYS = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC))


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Keep what would go to the broker: its (task, operation), to be run here instead."""
    messages: list[tuple[str, str]] = []

    def keep(task: str, *, kwargs: dict[str, str], **_: Any) -> None:
        if task in ledger.LABELS:  # the doorbell rings through the same door
            messages.append((task, kwargs["operation"]))

    monkeypatch.setattr("moderation.operations.ledger.current_app.send_task", keep)
    return messages


def ask(client: Client, community: Community, kind: str, **fields: str) -> Any:
    today = timezone.now().date().isoformat()
    asked = {
        "kind": kind,
        "community": str(community.pk),
        "first_day": today,
        "last_day": today,
        **fields,
    }
    return client.post(reverse(LIST), asked)


def run(task: Any, operation: str) -> None:
    """Do what a worker does with a message, its result included."""
    task.store_eager_result = True
    task.apply(kwargs={"operation": operation}, task_id=operation, throw=True)


def nothing(_: int, __: int) -> None:
    """Report to nobody."""


def test_a_rescan_from_the_form_to_due_submissions(
    lea: User,
    garden: Community,
    elsewhere: Community,
    as_user: ClientFor,
    sent: list[tuple[str, str]],
) -> None:
    client = as_user(lea)
    old = [PostFactory(author__community=garden) for _ in range(3)]
    waiting = PostFactory(author__community=garden)
    Submission.objects.create(post=waiting, revision=1, content_hash=waiting.content_hash)
    PostFactory(author__community=elsewhere)
    ask(client, garden, "rescan")
    [(task, operation)] = sent
    assert task == ledger.RESCAN_TASK
    run(rescan_community, operation)
    made = Submission.objects.filter(reason=Reason.RESCAN)
    assert set(made.values_list("post_id", flat=True)) == {post.pk for post in old}
    assert set(made.values_list("lane", "state")) == {(Lane.RESCAN, SubmissionState.DUE)}
    assert AuditEvent.objects.filter(kind="post.rescanned").count() == 3
    page = client.get(reverse(LIST)).content.decode()
    assert "Done" in page
    assert "4 of 4 · 3 sent" in page
    assert "by <bdi>lea</bdi>" in page


def test_an_interrupted_rescan_goes_on_where_it_stopped(
    lea: User, garden: Community, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescan, "BATCH", 2)
    for _ in range(5):
        PostFactory(author__community=garden)
    operation = rescan.start_rescan(community=garden, since=ALWAYS[0], until=ALWAYS[1], user=lea)

    def die_after_the_first(done: int, _: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rescan.run_rescan(operation, die_after_the_first)
    Submission.objects.update(state=SubmissionState.DECIDED)
    assert rescan.run_rescan(operation, nothing)["sent"] == 3
    assert Submission.objects.filter(reason=Reason.RESCAN).count() == 5


def test_a_rescan_stops_when_it_is_cancelled(
    lea: User, garden: Community, monkeypatch: pytest.MonkeyPatch, as_user: ClientFor
) -> None:
    monkeypatch.setattr(rescan, "BATCH", 1)
    for _ in range(3):
        PostFactory(author__community=garden)
    operation = rescan.start_rescan(community=garden, since=ALWAYS[0], until=ALWAYS[1], user=lea)
    client = as_user(lea)

    def cancel_after_the_first(done: int, _: int) -> None:
        if done == 1:
            client.post(reverse("admin:moderation_operation_cancel", args=[operation]))

    outcome = rescan.run_rescan(operation, cancel_after_the_first)
    assert outcome == {"done": 1, "total": 3, "sent": 1, "cancelled": True}
    assert ledger.get_operation(operation, lea).is_finished


def test_progress_is_recorded_while_it_runs(lea: User, garden: Community) -> None:
    operation = rescan.start_rescan(community=garden, since=ALWAYS[0], until=ALWAYS[1], user=lea)
    TaskResult.objects.filter(task_id=operation).update(
        status=ledger.PROGRESS, result=json.dumps({"done": 30, "total": 40})
    )
    seen = ledger.get_operation(operation, lea)
    assert (seen.percent, seen.state_label, seen.is_finished) == (75, "Running", False)


def test_a_failed_operation_says_so(lea: User, garden: Community, as_user: ClientFor) -> None:
    operation = rescan.start_rescan(community=garden, since=ALWAYS[0], until=ALWAYS[1], user=lea)
    TaskResult.objects.filter(task_id=operation).update(
        status="FAILURE", result=json.dumps({"exc_type": "OSError", "exc_message": ["x"]})
    )
    assert "Failed" in as_user(lea).get(reverse(LIST)).content.decode()


def test_a_silent_operation_is_rung_for_again_and_a_busy_one_is_not(
    lea: User, garden: Community, sent: list[tuple[str, str]]
) -> None:
    operation = rescan.start_rescan(community=garden, since=ALWAYS[0], until=ALWAYS[1], user=lea)
    with pytest.raises(Conflict):
        ledger.ring_again(operation_id=operation, user=lea)
    TaskResult.objects.filter(task_id=operation).update(
        date_done=timezone.now() - timedelta(seconds=ledger.SILENT_SECONDS + 1)
    )
    ledger.ring_again(operation_id=operation, user=lea)
    assert sent == [(ledger.RESCAN_TASK, operation)] * 2


def test_days_in_the_wrong_order_start_nothing(
    lea: User, garden: Community, as_user: ClientFor, sent: list[tuple[str, str]]
) -> None:
    answer = ask(as_user(lea), garden, "rescan", first_day="2026-02-02", last_day="2026-02-01")
    assert "must not come after the last" in answer.content.decode()
    assert sent == []


def test_nothing_is_started_in_another_community(
    lea: User, elsewhere: Community, as_user: ClientFor, sent: list[tuple[str, str]]
) -> None:
    ask(as_user(lea), elsewhere, "rescan")
    assert sent == []


@pytest.fixture
def exported(lea: User, ada: User, garden: Community) -> Callable[[str], str]:
    """Return a maker of finished exports: of one decision with a reason."""

    def make(reason: str) -> str:
        decide_review(
            review_id=queued(garden).pk,
            moderator=ada,
            action=Action.BLOCK,
            reason=reason,
            seen_revision=1,
        )
        operation = export.start_export(
            community=garden, since=ALWAYS[0], until=ALWAYS[1], user=lea
        )
        run(export_decisions, operation)
        return operation

    return make


def file_of(operation: str) -> str:
    return reverse("admin:moderation_operation_file", args=[operation])


def test_an_export_holds_the_decisions_for_the_one_who_asked(
    lea: User, exported: Callable[[str], str], as_user: ClientFor
) -> None:
    operation = exported('It says "no", twice.')
    answer = as_user(lea).get(file_of(operation))
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    [row] = csv.DictReader(io.StringIO(text))
    assert answer["Content-Disposition"] == 'attachment; filename="decisions.csv"'
    assert (row["moderator"], row["action"]) == ("ada", "block")
    assert row["reason"] == 'It says "no", twice.'
    assert row["rule"] == "harassment.review"


@pytest.mark.parametrize("who", ["ada", "root"])
def test_an_export_is_for_nobody_else(
    who: str,
    request: pytest.FixtureRequest,
    exported: Callable[[str], str],
    as_user: ClientFor,
) -> None:
    operation = exported("Because.")
    answer = as_user(request.getfixturevalue(who)).get(file_of(operation))
    assert answer.status_code in (403, 404)


def test_whoever_moderates_no_longer_gets_no_file(
    lea: User, exported: Callable[[str], str], as_user: ClientFor
) -> None:
    operation = exported("Because.")
    lea.moderates.all().delete()
    assert as_user(lea).get(file_of(operation)).status_code == 404


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("\x00=1", "'\x00=1"),
        ("  =1", "'  =1"),
        ("＝1", "'＝1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠x", "'＠x"),
        ("a=1", "a=1"),
        ("", ""),
        (None, ""),
        (0.5, "0.5"),
    ],
)
def test_no_cell_is_a_formula(value: object, cell: str) -> None:
    assert export.safe_cell(value) == cell


def test_a_formula_in_a_reason_stays_text(
    lea: User, exported: Callable[[str], str], as_user: ClientFor
) -> None:
    operation = exported('=HYPERLINK("http://example.org")')
    answer = as_user(lea).get(file_of(operation))
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    [row] = csv.DictReader(io.StringIO(text))
    assert row["reason"] == '\'=HYPERLINK("http://example.org")'
