"""What has been kept for its time goes, step by step; what an open case needs stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from io import StringIO

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from moderation.models import (
    Appeal,
    BlindCheck,
    CallbackMessage,
    Community,
    Decision,
    DeliveryAttempt,
    Endpoint,
    Enforcement,
    IdempotencyRecord,
    MediaItem,
    OutboxMessage,
    Post,
    ProviderCall,
    ProviderJob,
    ProviderResult,
    Report,
    RetentionMark,
    Review,
    Submission,
)
from moderation.operations import retention
from moderation.operations.retention import RULES, finish_rounds, keep_retaining, take_step
from moderation.pipeline.audit.seal import seal_events, verify_record
from moderation.queries import removed_by_retention
from moderation.vocabulary import (
    Action,
    AppealState,
    JobState,
    MediaState,
    Outcome,
    Part,
    ReportSource,
    ReportState,
    ReviewState,
    SubmissionState,
    Visibility,
)
from tests.factories import CommunityFactory, PostFactory, UserFactory
from tests.pipeline.helpers import drain_all, send

pytestmark = pytest.mark.django_db


@pytest.fixture
def community() -> Community:
    return CommunityFactory.create()


def age(row: object, days: float, field: str = "created_at") -> None:
    """Let a row look as if it had been written so many days ago."""
    type(row).objects.filter(pk=row.pk).update(**{field: Now() - timedelta(days=days)})  # type: ignore[attr-defined]


def judged(community: Community, days: float = 500) -> ProviderResult:
    """Keep an answer about a post that was decided so many days ago."""
    post = PostFactory.create(author__community=community)
    submission = Submission.objects.create(
        post=post, revision=1, content_hash=post.content_hash, state=SubmissionState.DECIDED
    )
    row = ProviderResult.objects.create(
        submission=submission,
        provider="local_text",
        part_kind=Part.TEXT,
        part_key="text",
        outcome=Outcome.JUDGED,
        raw={"said": "much"},
    )
    age(row, days)
    return row


def left() -> set[int]:
    return set(ProviderResult.objects.values_list("pk", flat=True))


# --- evidence ------------------------------------------------------------------------------------


def test_evidence_is_kept_for_its_time(community: Community):
    old, young = judged(community, 401), judged(community, 399)
    assert finish_rounds()["evidence"] == 1
    assert left() == {young.pk} != {old.pk}


def test_no_time_that_is_set_is_shorter_than_authors_may_object(
    settings: Settings, community: Community
):
    settings.MODERATION = {**settings.MODERATION, "keep_evidence_days": 1}
    old, young = judged(community, 186), judged(community, 184)
    assert finish_rounds()["evidence"] == 1
    settings.MODERATION = {**settings.MODERATION, "appeal_period_days": 400}
    older = judged(community, 390)
    assert finish_rounds()["evidence"] == 0
    assert left() == {young.pk, older.pk} != {old.pk}


def test_zero_keeps_for_good(settings: Settings, community: Community):
    settings.MODERATION = {**settings.MODERATION, "keep_evidence_days": 0}
    row = judged(community, 5_000)
    assert finish_rounds()["evidence"] == 0
    assert left() == {row.pk}


def test_community_keeps_for_a_time_of_its_own(settings: Settings, community: Community):
    longer, shorter = CommunityFactory.create(), CommunityFactory.create()
    Community.objects.filter(pk=longer.pk).update(keep_days={"evidence": 1_000})
    Community.objects.filter(pk=shorter.pk).update(keep_days={"evidence": 200})
    ages = ((longer, 1_001), (longer, 900), (community, 401), (community, 300))
    rows = [judged(*one) for one in (*ages, (shorter, 201), (shorter, 199))]
    gone, kept = rows[::2], rows[1::2]
    assert finish_rounds()["evidence"] == len(gone)
    assert left() == {row.pk for row in kept}
    settings.MODERATION = {**settings.MODERATION, "keep_evidence_days": 0}
    Community.objects.filter(pk=longer.pk).update(keep_days={})
    assert finish_rounds()["evidence"] == 0
    age(kept[2], 201)
    assert finish_rounds()["evidence"] == 1
    assert left() == {kept[0].pk, kept[1].pk}


def review_of(post: Post, state: ReviewState = ReviewState.OPEN) -> Review:
    return Review.objects.create(post=post, community=post.community, revision=1, state=state)


def decision_on(post: Post, days: float = 300) -> Decision:
    row = Decision.objects.create(
        review=review_of(post, ReviewState.DECIDED),
        post=post,
        revision=1,
        moderator=UserFactory.create(),
        action=Action.BLOCK,
        reason="No",
    )
    age(row, days, "decided_at")
    return row


def enforcement_on(post: Post, days: float = 300) -> Enforcement:
    row = Enforcement.objects.create(
        post=post,
        author=post.author,
        revision=1,
        action=Action.BLOCK,
        decision=decision_on(post, days),
    )
    age(row, days)
    return row


def appealed(post: Post) -> None:
    Appeal.objects.create(
        number=post.pk.hex[:32],
        community=post.community,
        post=post,
        enforcement=enforcement_on(post),
        due_at=timezone.now(),
        state=AppealState.OPEN,
    )


def reported(post: Post, state: ReportState, settled_days: float | None = None) -> None:
    Report.objects.create(
        number=post.pk.hex[:32],
        community=post.community,
        post=post,
        revision=1,
        content_hash=post.content_hash,
        source=ReportSource.READER,
        state=state,
        settled_at=None if settled_days is None else timezone.now() - timedelta(days=settled_days),
    )


def asked_again(post: Post) -> None:
    Submission.objects.create(
        post=post, revision=2, content_hash=post.content_hash, state=SubmissionState.DUE
    )


def checked_blind(post: Post) -> None:
    BlindCheck.objects.create(community=post.community, decision=decision_on(post))


@pytest.mark.parametrize(
    "needs",
    [
        review_of,
        appealed,
        asked_again,
        checked_blind,
        lambda post: enforcement_on(post, days=100),
        lambda post: reported(post, ReportState.OPEN),
        lambda post: reported(post, ReportState.REFUSED, settled_days=100),
    ],
)
def test_what_an_open_case_needs_stays_until_it_is_closed(
    needs: Callable[[Post], object], community: Community
):
    row, other = judged(community), judged(community)
    needs(row.submission.post)
    assert finish_rounds()["evidence"] == 1
    assert left() == {row.pk} != {other.pk}


@pytest.mark.parametrize(
    "was",
    [
        lambda post: review_of(post, ReviewState.DECIDED),
        enforcement_on,
        lambda post: reported(post, ReportState.REFUSED, settled_days=300),
    ],
)
def test_what_was_closed_long_ago_needs_nothing(
    was: Callable[[Post], object], community: Community
):
    was(judged(community).submission.post)
    assert finish_rounds()["evidence"] == 1


def test_record_verifies_when_evidence_has_gone(community: Community):
    send(community, "I will kill you, you worthless idiot", "The tomatoes are ripe")
    drain_all()
    ProviderResult.objects.update(created_at=Now() - timedelta(days=500))
    Enforcement.objects.update(created_at=Now() - timedelta(days=500))
    Review.objects.update(state=ReviewState.SUPERSEDED)
    seal_events()
    assert finish_rounds()["evidence"] > 0
    assert not left()
    assert verify_record().fault == ""


# --- steps ---------------------------------------------------------------------------------------


def rule(name: str) -> retention.Rule:
    return next(one for one in RULES if one.name == name)


def called(*days: float) -> None:
    """Note calls of so many days ago."""
    for number in days:
        row = ProviderCall.objects.create(
            provider="openai", parts=1, outcome=Outcome.JUDGED, latency_ms=number
        )
        age(row, number, "started_at")


def test_step_is_bounded_and_the_next_goes_on_from_its_mark(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(retention, "MOST_ROWS", 2)
    called(*[40] * 5, 1)
    steps = [take_step(rule("calls"))]
    assert ProviderCall.objects.count() == 4
    assert RetentionMark.objects.get(rule="calls").place
    steps += [take_step(rule("calls")), take_step(rule("calls"))]
    assert steps == [True, True, False]
    assert ProviderCall.objects.count() == 1
    assert RetentionMark.objects.get(rule="calls").place == ""
    assert removed_by_retention()["calls"] == 5


def test_round_that_is_over_begins_again_an_hour_later():
    take_step(rule("calls"))
    called(40)
    assert not take_step(rule("calls"))
    assert ProviderCall.objects.count() == 1
    age(RetentionMark.objects.get(rule="calls"), 1 / 23, "finished_at")
    take_step(rule("calls"))
    assert not ProviderCall.objects.exists()


def test_sweeper_takes_steps(monkeypatch: pytest.MonkeyPatch, community: Community):
    monkeypatch.setattr(retention, "_last_look", None)
    called(40)
    judged(community)
    call_command("sweep", "--once")
    assert removed_by_retention() == {
        **dict.fromkeys((one.name for one in RULES), 0),
        "calls": 1,
        "evidence": 1,
    }
    called(40)
    keep_retaining()
    assert ProviderCall.objects.count() == 1


# --- the other rules -----------------------------------------------------------------------------


def test_single_calls_are_kept_for_a_month():
    called(45, 31, 29, 0)
    assert finish_rounds()["calls"] == 2
    assert list(ProviderCall.objects.order_by("pk").values_list("latency_ms", flat=True)) == [29, 0]


def test_answers_are_kept_for_their_time_and_no_longer():
    for key, days in (("old", 31), ("young", 29)):
        row = IdempotencyRecord.objects.create(
            client="key:1", key=key, request_digest="d", status_code=202, body={}
        )
        age(row, days)
    assert finish_rounds()["replies"] == 1
    assert IdempotencyRecord.objects.get().key == "young"


def test_what_went_out_is_kept_for_a_month_and_what_is_due_for_good(community: Community):
    endpoint = Endpoint.objects.create(community=community, name="Ours")
    for number, (days, state) in enumerate(
        [(45, "delivered"), (45, "due"), (31, "failed"), (29, "delivered")]
    ):
        row = OutboxMessage.objects.create(
            endpoint=endpoint, message_id=f"msg_{number}", event_type="post.approved", state=state
        )
        age(row, days)
        DeliveryAttempt.objects.create(message=row, number=1, latency_ms=1)
    assert finish_rounds()["deliveries"] == 2
    kept = OutboxMessage.objects.order_by("pk").values_list("message_id", flat=True)
    assert list(kept) == ["msg_1", "msg_3"]
    assert DeliveryAttempt.objects.count() == 2


def test_jobs_outlast_the_messages_about_them_and_what_still_waits(community: Community):
    for name, days, state in (
        ("old", 32, JobState.SETTLED),
        ("expired", 32, JobState.EXPIRED),
        ("waiting", 32, JobState.WAITING),
        ("young", 30, JobState.SETTLED),
    ):
        job = ProviderJob.objects.create(
            submission=judged(community, 1).submission,
            provider="hive",
            part_kind=Part.TEXT,
            part_key="text",
            job_id=name,
            state=state,
            poll_at=timezone.now(),
            expires_at=timezone.now(),
        )
        age(job, days)
    for name, days, handled in (("old", 31, True), ("young", 29, True), ("unhandled", 31, False)):
        row = CallbackMessage.objects.create(
            provider="hive", message_id=name, handled_at=timezone.now() if handled else None
        )
        age(row, days, "received_at")
    removed = finish_rounds()
    assert (removed["jobs"], removed["callbacks"]) == (2, 1)
    assert set(ProviderJob.objects.values_list("job_id", flat=True)) == {"waiting", "young"}
    kept = set(CallbackMessage.objects.values_list("message_id", flat=True))
    assert kept == {"young", "unhandled"}


def showing(post: Post) -> MediaItem:
    item = MediaItem(
        author=post.author, community=post.community, post=post, state=MediaState.READY, sha256="a"
    )
    item.file.name = default_storage.save(f"posts/{item.pk.hex}/media.png", ContentFile(b"png"))
    item.frames = [default_storage.save(f"posts/{item.pk.hex}/frame-0.jpg", ContentFile(b"jpg"))]
    item.save()
    age(item, 800)
    return item


@pytest.mark.parametrize(
    ("visibility", "fields", "days", "goes"),
    [
        (Visibility.HIDDEN, "decided_at", 191, True),
        (Visibility.HIDDEN, "decided_at", 189, False),
        (Visibility.DELETED, "deleted_at", 191, True),
        (Visibility.DELETED, "deleted_at", 189, False),
        (Visibility.PUBLIC, "decided_at", 700, False),
        (Visibility.HELD, "decided_at", 700, False),
    ],
)
def test_attachments_of_removed_posts_go_after_their_time(
    visibility: Visibility, fields: str, days: float, goes: bool, settings: Settings, tmp_path
):
    settings.MEDIA_ROOT = str(tmp_path)
    post = PostFactory.create(visibility=visibility, **{fields: timezone.now()})
    item = showing(post)
    age(post, days, fields)
    files = [item.file.name, *item.frames]
    assert finish_rounds()["removed_media"] == int(goes)
    assert [default_storage.exists(name) for name in files] == [not goes] * 2
    item.refresh_from_db()
    assert item.sha256 == "a"
    if goes:
        assert (item.state, item.refusal) == (MediaState.REFUSED, retention.NOT_KEPT)
        assert (item.file.name, item.frames) == ("", [])
    else:
        assert item.state == MediaState.READY


def test_attachments_that_an_appeal_is_about_stay(settings: Settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path)
    post = PostFactory.create(
        visibility=Visibility.HIDDEN, decided_at=timezone.now() - timedelta(days=700)
    )
    item = showing(post)
    appealed(post)
    assert finish_rounds()["removed_media"] == 0
    Appeal.objects.update(state=AppealState.WITHDRAWN)
    assert finish_rounds()["removed_media"] == 1
    assert not default_storage.exists(item.file.name)


def test_few_files_go_in_one_step(settings: Settings, tmp_path, monkeypatch: pytest.MonkeyPatch):
    settings.MEDIA_ROOT = str(tmp_path)
    gone = timezone.now() - timedelta(days=700)
    for _ in range(retention.MOST_FILES + 1):
        showing(PostFactory.create(visibility=Visibility.DELETED, deleted_at=gone))
    assert take_step(rule("removed_media"))
    assert removed_by_retention()["removed_media"] == retention.MOST_FILES
    assert not take_step(rule("removed_media"))
    assert removed_by_retention()["removed_media"] == retention.MOST_FILES + 1


# --- the command ---------------------------------------------------------------------------------


def test_command_says_what_would_go_and_takes_it_when_told(community: Community):
    Community.objects.filter(pk=community.pk).update(keep_days={"evidence": 1})
    judged(community, 300)
    called(40, 1)
    said = StringIO()
    call_command("retention", stdout=said)
    assert "evidence       400 days             1 would go" in said.getvalue()
    assert f"  in {community.slug}: 185 days" in said.getvalue()
    assert "calls          30 days              1 would go" in said.getvalue()
    assert (len(left()), ProviderCall.objects.count()) == (1, 2)
    said = StringIO()
    call_command("retention", "--yes", stdout=said)
    assert "calls                  1 removed" in said.getvalue()
    assert (len(left()), ProviderCall.objects.count()) == (0, 1)


def test_lead_sets_a_communitys_days_on_its_page(client: Client, community: Community):
    root = UserFactory.create(is_staff=True, is_superuser=True)
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    address = reverse("admin:moderation_community_change", args=[community.pk])
    page = client.get(address)
    assert "Empty: 400. Never fewer than the 185 in which authors may object." in str(page.content)
    shown = page.context["adminform"].form
    sent = {
        name: shown[name].value()
        for name in shown.fields
        if shown[name].value() not in (None, "", False)
    }
    words = {"words-TOTAL_FORMS": "0", "words-INITIAL_FORMS": "0"}
    for given, kept in (("500", {"evidence": 500}), ("0", {"evidence": 500}), ("", {})):
        client.post(address, {**sent, **words, "keep_evidence": given})
        community.refresh_from_db()
        assert community.keep_days == kept
