"""What nobody asks for any more goes; what somebody may still need stays."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models.functions import Now

from moderation.models import (
    CallbackMessage,
    DeliveryAttempt,
    Endpoint,
    IdempotencyRecord,
    MediaItem,
    OutboxMessage,
    ProviderCall,
)
from moderation.operations import tidy as tidying
from moderation.operations.tidy import tidy
from moderation.vocabulary import Outcome
from tests.factories import AuthorFactory, CommunityFactory

pytestmark = pytest.mark.django_db
DAY = 24 * 3600


def keep(name: str, *, age_seconds: float) -> str:
    """Store a file that looks as if it had been there for a while."""
    stored = default_storage.save(name, ContentFile(b"x"))
    then = time.time() - age_seconds
    os.utime(default_storage.path(stored), (then, then))
    return stored


def test_answers_are_kept_for_their_time_and_no_longer():
    for key, days in (("old", 31), ("young", 29)):
        row = IdempotencyRecord.objects.create(
            client="key:1", key=key, request_digest="d", status_code=202, body={}
        )
        IdempotencyRecord.objects.filter(pk=row.pk).update(created_at=Now() - timedelta(days=days))
    tidy()
    assert list(IdempotencyRecord.objects.values_list("key", flat=True)) == ["young"]


def test_upload_without_a_post_goes_after_a_day():
    author = AuthorFactory.create()
    lost = keep("incoming/lost", age_seconds=2 * DAY)
    fresh = keep("incoming/fresh", age_seconds=60)
    waiting = keep("incoming/waiting", age_seconds=2 * DAY)
    MediaItem.objects.create(author=author, community=author.community, incoming=waiting)
    tidy()
    assert [default_storage.exists(name) for name in (lost, fresh, waiting)] == [
        False,
        True,
        True,
    ]


def test_old_export_goes():
    old, young = (
        keep("exports/old.csv", age_seconds=8 * DAY),
        keep("exports/young.csv", age_seconds=6 * DAY),
    )
    assert tidy().exports >= 1
    assert [default_storage.exists(name) for name in (old, young)] == [False, True]


def called(*days: int) -> None:
    """Note calls of so many days ago."""
    for number in days:
        row = ProviderCall.objects.create(
            provider="openai", parts=1, outcome=Outcome.JUDGED, latency_ms=number
        )
        ProviderCall.objects.filter(pk=row.pk).update(started_at=Now() - timedelta(days=number))


def test_single_calls_are_kept_for_a_month():
    called(45, 31, 29, 0)
    assert tidy().calls == 2
    assert list(ProviderCall.objects.order_by("pk").values_list("latency_ms", flat=True)) == [29, 0]
    assert tidy().calls == 0


def test_many_old_calls_go_in_batches_up_to_a_bound(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tidying, "MOST_ROWS", 2)
    monkeypatch.setattr(tidying, "MOST_CALL_BATCHES", 2)
    called(*[40] * 5, 1)
    assert tidy().calls == 4
    assert tidy().calls == 1
    assert ProviderCall.objects.count() == 1


def test_what_went_out_is_kept_for_a_month_and_what_is_due_for_good():
    endpoint = Endpoint.objects.create(community=CommunityFactory.create(), name="Ours")
    for number, (days, state) in enumerate(
        [(45, "delivered"), (45, "due"), (31, "failed"), (29, "delivered")]
    ):
        row = OutboxMessage.objects.create(
            endpoint=endpoint, message_id=f"msg_{number}", event_type="post.approved", state=state
        )
        OutboxMessage.objects.filter(pk=row.pk).update(created_at=Now() - timedelta(days=days))
        DeliveryAttempt.objects.create(message=row, number=1, latency_ms=1)
    assert tidy().deliveries == 2
    left = OutboxMessage.objects.order_by("pk").values_list("message_id", flat=True)
    assert list(left) == ["msg_1", "msg_3"]
    assert DeliveryAttempt.objects.count() == 2
    assert tidy().deliveries == 0


def test_messages_are_kept_for_a_month_and_until_they_are_handled():
    for name, days, handled in (("old", 31, True), ("young", 29, True), ("waiting", 31, False)):
        row = CallbackMessage.objects.create(provider="hive", message_id=name)
        CallbackMessage.objects.filter(pk=row.pk).update(
            received_at=Now() - timedelta(days=days), handled_at=Now() if handled else None
        )
    assert tidy().messages == 1
    assert set(CallbackMessage.objects.values_list("message_id", flat=True)) == {"young", "waiting"}
