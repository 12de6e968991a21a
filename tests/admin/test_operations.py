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
from moderation.operations import export, ledger, progress
from moderation.operations.rescan import start_rescan
from moderation.pipeline.rejudging.rescan import Selection
from moderation.pipeline.review.review import decide_review
from moderation.tasks import export_decisions, rescan_community
from moderation.vocabulary import Action, Category, Lane, Reason, Status, SubmissionState
from tests.admin.conftest import ClientFor
from tests.admin.situations import queued
from tests.asking.fakes import FakeService
from tests.factories import PostFactory
from tests.pipeline.helpers import add_provider
from tests.pipeline.test_enforce import use_policy

LIST = "admin:moderation_operations"
RESCAN = "admin:moderation_rescan"
ALWAYS = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC))
Sent = list[tuple[str, dict[str, Any]]]


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Keep what would go to the broker: its (task, parameters), to be done here instead."""
    messages: Sent = []

    def keep(task: str, *, kwargs: dict[str, Any], **_: Any) -> None:
        if task in ledger.LABELS:  # the doorbell rings through the same door
            messages.append((task, kwargs))

    monkeypatch.setattr("moderation.operations.ledger.current_app.send_task", keep)
    return messages


def days(community: Community, **fields: str) -> dict[str, str]:
    today = timezone.now().date().isoformat()
    return {"community": str(community.pk), "first_day": today, "last_day": today, **fields}


def run_export(operation: str) -> None:
    """Do what a worker does with a message, its result included."""
    export_decisions.store_eager_result = True
    export_decisions.apply(kwargs={"operation": operation}, task_id=operation, throw=True)


def start(community: Community, user: User) -> str:
    return start_rescan(selection=Selection(community.pk, *ALWAYS), user=user)


def page(client: Client, name: str = LIST, **asked: str) -> str:
    answer = client.get(reverse(name), asked)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


# --- looking at old posts again ------------------------------------------------------------------


def test_a_rescan_from_the_form_over_its_estimate_to_due_submissions(
    lea: User, garden: Community, elsewhere: Community, as_user: ClientFor, sent: Sent
) -> None:
    client = as_user(lea)
    old = [PostFactory(author__community=garden) for _ in range(3)]
    waiting = PostFactory(author__community=garden)
    Submission.objects.create(post=waiting, revision=1, content_hash=waiting.content_hash)
    PostFactory(author__community=elsewhere)
    shown = page(client, RESCAN, **days(garden))
    assert '<strong>3</strong><span class="gh-meta">of 4 looked through</span>' in shown
    assert "No service would be asked" in shown
    assert sent == []
    client.post(reverse(RESCAN), days(garden))
    [(task, said)] = sent
    assert task == ledger.RESCAN_TASK
    rescan_community(**said)
    made = Submission.objects.filter(reason=Reason.RESCAN)
    assert set(made.values_list("post_id", flat=True)) == {post.pk for post in old}
    assert set(made.values_list("lane", "state")) == {(Lane.RESCAN, SubmissionState.DUE)}
    listed = page(client)
    assert "Done" in listed
    assert "4 of 4 · 3 sent" in listed
    assert "by <bdi>lea</bdi>" in listed


def test_an_estimate_names_who_is_asked_and_the_price(
    lea: User, garden: Community, as_user: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_provider(monkeypatch, FakeService("paid"), cost_micros=30_000, batch_size=2)
    use_policy(garden, route={"text": ["paid", "nobody"]})
    for _ in range(3):
        PostFactory(author__community=garden, author__name="")
    shown = page(as_user(lea), RESCAN, **days(garden))
    assert "<strong>0.09 USD</strong>" in shown
    assert '<td data-label="Questions">3</td><td data-label="Calls">2</td>' in shown
    assert "The policy asks nobody, which is not set up here" in shown


def test_what_was_chosen_is_what_is_started(
    lea: User, garden: Community, as_user: ClientFor, sent: Sent
) -> None:
    asked = days(
        garden,
        status="approved",
        category="toxic",
        at_least="0.5",
        at_most="0.85",
        judged_by="local_text",
        not_judged_by="paid",
    )
    as_user(lea).post(reverse(RESCAN), asked)
    facts = AuditEvent.objects.get(kind="operation.started").facts
    chosen = Selection.from_facts(garden.pk, facts)
    assert (chosen.status, chosen.category) == (Status.APPROVED, Category.TOXIC)
    assert (chosen.at_least, chosen.at_most) == (0.5, 0.85)
    assert (chosen.judged_by, chosen.not_judged_by) == ("local_text", "paid")
    assert chosen.until - chosen.since == timedelta(days=1)
    listed = page(as_user(lea))
    about = "Approved · Toxic 0.50 to 0.85 · judged by local_text · not judged by paid"
    assert about in listed


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"first_day": "2026-02-02", "last_day": "2026-02-01"}, "must not come after the last"),
        ({"at_least": "0.9", "at_most": "0.1"}, "must not exceed the higher one"),
        ({"at_least": "1.5"}, "less than or equal to 1"),
        ({"first_day": "0001-01-01"}, "greater than or equal to 1970-01-03"),
        ({"last_day": "9999-12-31"}, "less than or equal to 2999-12-31"),
        ({"judged_by": "x", "not_judged_by": "x"}, "both judged and not judged"),
    ],
)
def test_what_makes_no_sense_is_neither_estimated_nor_started(
    lea: User,
    garden: Community,
    as_user: ClientFor,
    sent: Sent,
    fields: dict[str, str],
    says: str,
) -> None:
    client = as_user(lea)
    asked = days(garden, **fields)
    for shown in (page(client, RESCAN, **asked), client.post(reverse(RESCAN), asked)):
        text = shown if isinstance(shown, str) else shown.content.decode()
        assert says in text
        assert "What it would take" not in text
    assert sent == []


def test_what_a_sample_did_not_find_can_be_looked_for_all_the_same(
    lea: User, garden: Community, as_user: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moderation.pipeline.rejudging.rescan.MOST_COUNTED", 2)
    monkeypatch.setattr("moderation.pipeline.rejudging.rescan._COUNTING_WINDOW", 1)
    PostFactory.create_batch(3, author__community=garden)
    client = as_user(lea)
    shown = page(client, RESCAN, **days(garden, status="rejected"))
    assert "few, if any" in shown
    assert ">Start</button>" in shown
    monkeypatch.undo()
    shown = page(client, RESCAN, **days(garden, status="rejected"))
    assert "There is nothing to look at." in shown
    assert ">Start</button>" not in shown


def test_pressing_start_twice_starts_one(
    lea: User, garden: Community, as_user: ClientFor, sent: Sent
) -> None:
    client = as_user(lea)
    client.post(reverse(RESCAN), days(garden))
    answer = client.post(reverse(RESCAN), days(garden))
    assert "The same is at work already" in answer.content.decode()
    assert len(sent) == 1


def test_a_policy_in_force_leads_to_its_old_posts(
    lea: User, garden: Community, elsewhere: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    change = reverse("admin:moderation_policyrevision_change", args=[garden.policy_id])
    link = f"{reverse(RESCAN)}?community={garden.pk}"
    assert f'href="{link}"' in client.get(change).content.decode()
    assert f'<option value="{garden.pk}" selected>' in client.get(link).content.decode()


def test_a_rescan_is_paused_resumed_and_stopped_by_buttons(
    lea: User, garden: Community, as_user: ClientFor, sent: Sent
) -> None:
    client = as_user(lea)
    operation = start(garden, lea)

    def press(button: str) -> str:
        address = reverse(f"admin:moderation_operation_{button}", args=[operation])
        return " ".join(client.post(address, follow=True).content.decode().split())

    assert "<span>Paused</span>" in press("pause")
    assert "This operation is not at work" in press("pause")
    assert "<span>Running</span>" in press("resume")
    assert len(sent) == 2
    assert "<span>Stopped</span>" in press("cancel")
    assert "This operation has ended." in press("cancel")


def test_the_page_says_what_a_rescan_waits_for(
    lea: User, garden: Community, as_user: ClientFor, sent: Sent
) -> None:
    live = PostFactory(author__community=garden)
    Submission.objects.create(
        post=live,
        revision=1,
        content_hash=live.content_hash,
        created_at=timezone.now() - timedelta(minutes=1),
    )
    start(garden, lea)
    rescan_community(**sent[0][1])
    assert "Waits: Live posts come first." in page(as_user(lea))


def test_progress_is_seen_while_it_runs(lea: User, garden: Community) -> None:
    operation = start(garden, lea)
    TaskResult.objects.filter(task_id=operation).update(
        status=progress.RUNNING, result=json.dumps({"done": 30, "total": 40})
    )
    seen = ledger.get_operation(operation, lea)
    assert (seen.percent, seen.state_label, seen.is_finished) == (75, "Running", False)


def test_a_silent_operation_is_rung_for_again_and_a_busy_one_is_not(
    lea: User, garden: Community, sent: Sent
) -> None:
    operation = start(garden, lea)
    with pytest.raises(Conflict):
        ledger.ring_again(operation_id=operation, user=lea)
    TaskResult.objects.filter(task_id=operation).update(
        date_done=timezone.now() - timedelta(seconds=progress.SILENT_SECONDS + 1)
    )
    ledger.ring_again(operation_id=operation, user=lea)
    assert [task for task, _ in sent] == [ledger.RESCAN_TASK] * 2


def test_nothing_is_estimated_or_started_in_another_community(
    lea: User, elsewhere: Community, as_user: ClientFor, sent: Sent
) -> None:
    client = as_user(lea)
    assert "What it would take" not in page(client, RESCAN, **days(elsewhere))
    client.post(reverse(RESCAN), days(elsewhere))
    client.post(reverse(LIST), days(elsewhere))
    assert sent == []


@pytest.mark.parametrize("button", ["pause", "resume", "cancel", "again"])
def test_nothing_is_pressed_in_another_community(
    button: str, lea: User, root: User, elsewhere: Community, as_user: ClientFor
) -> None:
    operation = start(elsewhere, root)
    address = reverse(f"admin:moderation_operation_{button}", args=[operation])
    assert as_user(lea).post(address).status_code == 404
    assert ledger.get_operation(operation, root).last == "operation.started"


# --- exports -------------------------------------------------------------------------------------


def test_an_export_from_the_form_to_its_link(
    lea: User, garden: Community, as_user: ClientFor, sent: Sent
) -> None:
    client = as_user(lea)
    client.post(reverse(LIST), days(garden))
    [(task, said)] = sent
    assert task == ledger.EXPORT_TASK
    run_export(said["operation"])
    assert file_of(said["operation"]) in page(client)
    # Celery tidies its rows away after a day; the record stays.
    TaskResult.objects.all().delete()
    assert file_of(said["operation"]) in page(client)


def test_an_export_stops_when_it_is_cancelled(
    lea: User, garden: Community, exported: Callable[[str], str]
) -> None:
    exported("Because.")
    operation = export.start_export(community=garden, since=ALWAYS[0], until=ALWAYS[1], user=lea)

    def cancel(done: int, _: int) -> None:
        if done:
            ledger.cancel_operation(operation_id=operation, user=lea)

    assert export.run_export(operation, cancel)["cancelled"] is True
    seen = ledger.get_operation(operation, lea)
    assert (seen.is_finished, seen.has_file, seen.state_label) == (True, False, "Stopped")


def test_a_failed_operation_says_so(lea: User, garden: Community, as_user: ClientFor) -> None:
    operation = export.start_export(community=garden, since=ALWAYS[0], until=ALWAYS[1], user=lea)
    TaskResult.objects.filter(task_id=operation).update(
        status="FAILURE", result=json.dumps({"exc_type": "OSError", "exc_message": ["x"]})
    )
    assert "Failed" in page(as_user(lea))


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
        run_export(operation)
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
        ("-0.1250", "-0.1250"),
        ("-1+1", "'-1+1"),
        ("-1\n=2", "'-1\n=2"),
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
