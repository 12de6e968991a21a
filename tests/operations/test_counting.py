"""Figures that only grow: each new row adds to them once, whoever counts and however often."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db.models.functions import Now

from moderation.models import (
    CountingMark,
    RunningTotal,
    Submission,
    VerdictRecord,
)
from moderation.operations import counting
from moderation.operations.counting import count_new
from moderation.pipeline.audit.record import MACHINE, Event, record_events
from moderation.queries import running_totals, sweeper_silent_seconds
from moderation.queries.totals import ACCEPTED, HAPPENED, JUDGED, SUM, TIME_TO_VERDICT
from moderation.vocabulary import Action, Lane, Reason, SubmissionState
from tests.factories import PostFactory

pytestmark = pytest.mark.django_db
OLD = timedelta(minutes=20)


@pytest.fixture(autouse=True)
def _from_now_on():
    count_new()


def write(*, age: timedelta = OLD, reason: Reason = Reason.NEW) -> Submission:
    post = PostFactory.create()
    row = Submission.objects.create(
        post=post, revision=1, content_hash=post.content_hash, lane=Lane.SCREEN, reason=reason
    )
    Submission.objects.filter(pk=row.pk).update(
        created_at=Now() - age, state=SubmissionState.DECIDED
    )
    row.refresh_from_db()
    return row


def conclude(row: Submission, *, seconds: float, action: Action = Action.ALLOW) -> None:
    made = VerdictRecord.objects.create(
        submission=row,
        post=row.post,
        revision=1,
        content_hash=row.content_hash,
        action=action,
        rule="nothing_fired",
        standing="new",
    )
    VerdictRecord.objects.filter(pk=made.pk).update(
        judged_at=row.created_at + timedelta(seconds=seconds)
    )


def number(name: str, label: str) -> int:
    return running_totals().numbers.get(name, {}).get(label, 0)


def test_each_row_is_counted_once_however_often_somebody_looks():
    for _ in range(3):
        write()
    write(reason=Reason.EDIT)
    for _ in range(3):
        count_new()
    assert (number(ACCEPTED, "new"), number(ACCEPTED, "edit")) == (3, 1)
    write()
    count_new()
    assert number(ACCEPTED, "new") == 4


def test_rows_before_the_first_look_are_left_out():
    CountingMark.objects.all().delete()
    write()
    count_new()
    write()
    count_new()
    assert number(ACCEPTED, "new") == 1


def test_young_row_and_all_behind_it_wait_until_no_lower_key_can_appear():
    write()
    young = write(age=timedelta())
    write()
    count_new()
    assert number(ACCEPTED, "new") == 1
    Submission.objects.filter(pk=young.pk).update(created_at=Now() - OLD)
    count_new()
    assert number(ACCEPTED, "new") == 3


def test_backlog_is_counted_in_turns(monkeypatch):
    monkeypatch.setattr(counting, "MOST_ROWS", 2)
    for _ in range(7):
        write()
    count_new()
    assert number(ACCEPTED, "new") == 7


def test_a_sweepers_round_counts_and_leaves_its_sign_of_life(monkeypatch):
    monkeypatch.setattr(counting, "_last_look", None)
    CountingMark.objects.update(looked_at=Now() - OLD)
    write()
    call_command("sweep", "--once")
    assert number(ACCEPTED, "new") == 1
    silent = sweeper_silent_seconds()
    assert silent is not None
    assert silent < 60


def test_failed_count_leaves_neither_total_nor_mark(monkeypatch):
    write()
    before = set(CountingMark.objects.values_list("table", "last_row"))

    def fail(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        # The last thing before the mark is moved.
        patched.setattr(counting, "Now", fail)
        with pytest.raises(RuntimeError):
            count_new()
    assert not RunningTotal.objects.exists()
    assert set(CountingMark.objects.values_list("table", "last_row")) == before
    count_new()
    assert number(ACCEPTED, "new") == 1


def test_verdicts_are_told_by_action_and_by_how_long_their_authors_waited():
    conclude(write(), seconds=0.1)
    conclude(write(), seconds=0.3)
    conclude(write(), seconds=1_000, action=Action.BLOCK)
    # A look of our own at what was written long ago makes nobody wait; a second opinion is none.
    conclude(write(reason=Reason.RESCAN), seconds=50, action=Action.REVIEW)
    conclude(write(reason=Reason.APPEAL), seconds=50, action=Action.WARN)
    count_new()
    assert running_totals().numbers[JUDGED] == {"allow": 2, "block": 1, "review": 1}
    spread = running_totals().time_to_verdict[Lane.SCREEN]
    assert spread.buckets == {"0.1": 1, "0.5": 1, "+Inf": 1}
    assert spread.seconds == pytest.approx(1_000.4)
    assert RunningTotal.objects.filter(name=TIME_TO_VERDICT, bucket=SUM).count() == 1


def test_steps_in_the_record_are_counted_by_kind(monkeypatch):
    monkeypatch.setattr(counting, "_SETTLED", timedelta(seconds=-1))
    record_events(
        [Event("appeal.overturned", "post", "1", MACHINE), Event("x.y", "post", "2", MACHINE)]
    )
    count_new()
    assert (number(HAPPENED, "appeal.overturned"), number(HAPPENED, "x.y")) == (1, 1)
