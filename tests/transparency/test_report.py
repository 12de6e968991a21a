"""The yearly report counts every measure once, and says blank where there is nothing to say."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from moderation.models import Appeal, Community, Enforcement, Statement
from moderation.pipeline.review.review import decide_review
from moderation.pipeline.review.undo import undo_decision
from moderation.transparency.report import Asked, Period, write_report
from moderation.vocabulary import Action, AppealState
from tests.admin.situations import queued
from tests.factories import CommunityFactory, UserFactory, make_moderator
from tests.pipeline.helpers import HARMLESS, THREAT, drain_all, send

pytestmark = pytest.mark.django_db

OWN_BY_TERMS = "6_own_initiative_TC.csv"


@pytest.fixture
def community() -> Community:
    made: Community = CommunityFactory(slug="garden")
    return made


def report(community: Community, name: str, *, back: int = 0) -> list[dict[str, str]]:
    """Return a part about today and yesterday, or so many days before."""
    day = datetime.now(UTC).date() - timedelta(days=back)
    period = Period(day - timedelta(days=1), day)
    text = write_report(Asked("Ours", "Garden", [community], period, day))[name]
    return list(csv.DictReader(io.StringIO(text)))


def test_measures_of_ones_own_are_counted_by_ground_and_category(community: Community):
    send(community, *(f"{THREAT} {number}" for number in range(3)), HARMLESS)
    drain_all()

    rows = report(community, OWN_BY_TERMS)

    totals = [row for row in rows if not row["keyword"]]
    filed = [row for row in rows if row["measures"] != "0"]
    assert sum(int(row["measures"]) for row in totals) == 3
    assert sum(int(row["measures"]) for row in filed if row["keyword"]) == 3
    for row in filed:
        assert row["measures after detection with solely automated means"] == row["measures"]
        assert row["DECISION_VISIBILITY_CONTENT_DISABLED"] == row["measures"]
        assert row["DECISION_VISIBILITY_CONTENT_REMOVED"] == "0"
    illegal = report(community, "5_own_initiative_illegal.csv")
    assert {row["measures"] for row in illegal} == {"0"}
    for_terms_alone = "STATEMENT_CATEGORY_OTHER_VIOLATION_TC"
    assert for_terms_alone in {row["category"] for row in totals}
    assert for_terms_alone not in {row["category"] for row in illegal}


def test_what_another_time_or_community_did_is_not_counted(community: Community):
    other = CommunityFactory()
    send(other, THREAT)
    drain_all()
    assert Statement.objects.exists()

    for found in (report(community, OWN_BY_TERMS), report(other, OWN_BY_TERMS, back=9)):
        assert {row["measures"] for row in found} == {"0"}


def test_what_was_undone_before_anybody_heard_of_it_is_no_measure(community: Community, settings):
    settings.MODERATION = {**settings.MODERATION, "undo_seconds": 60.0}
    ada = make_moderator(community)
    reviews = [queued(community) for _ in range(2)]
    first, _ = [
        decide_review(
            review_id=review.pk,
            moderator=ada,
            action=Action.BLOCK,
            reason="It insults somebody.",
            seen_revision=1,
        )
        for review in reviews
    ]
    undo_decision(decision_id=first.pk, moderator=ada)
    assert Statement.objects.count() == 2

    rows = report(community, OWN_BY_TERMS)

    assert sum(int(row["measures"]) for row in rows if not row["keyword"]) == 1


def test_what_machines_did_alone_is_told_apart(community: Community):
    send(community, THREAT, f"{THREAT} again")
    drain_all()

    rows = report(community, "8_automated_means.csv")

    found = {row["quantity"]: row["value"] for row in rows}
    assert found["Measures taken solely by automated means"] == "2"
    assert found["Measures taken not by automated means"] == "0"
    assert found["Share of appealed automated measures that were reversed"] == ""


def test_appeals_are_counted_by_what_they_are_about(community: Community):
    send(community, THREAT, f"{THREAT} again")
    drain_all()
    now, ada = datetime.now(UTC), UserFactory()
    states = (AppealState.OVERTURNED, AppealState.OPEN)
    for enforcement, state in zip(Enforcement.objects.all(), states, strict=True):
        is_closed = state is AppealState.OVERTURNED
        appeal = Appeal.objects.create(
            number=f"A{enforcement.pk}",
            community=community,
            post=enforcement.post,
            enforcement=enforcement,
            state=state,
            answer="We were wrong." if is_closed else "",
            answered_by=ada if is_closed else None,
            due_at=now,
            closed_at=now if is_closed else None,
        )
        Appeal.objects.filter(pk=appeal.pk).update(created_at=now - timedelta(hours=6))

    rows = report(community, "7_appeals_and_recidivism.csv")

    found = {row["scope"]: row for row in rows}
    assert found["complaints"]["total"] == found["visibility"]["total"] == "2"
    assert found["complaints"]["reversed"] == "1"
    assert found["complaints"]["median hours"] == "6.00"
    assert found["account"]["median hours"] == ""


def test_the_command_writes_a_file_a_part(community: Community, tmp_path: Path):
    folder = tmp_path / "report"
    about = ("--provider", "Ours", "--service", "Garden")

    call_command("transparency_report", str(folder), *about)

    assert sorted(path.name[0] for path in folder.iterdir()) == ["1", "2", "4", "5", "6", "7", "8"]
    identification = (folder / "1_report_identification.csv").read_bytes()
    assert b"Name of the service,Garden\r\n" in identification
    with pytest.raises(CommandError, match="nowhere"):
        call_command("transparency_report", str(folder), *about, "--community", "nowhere")
