"""What nobody asks for any more goes; what somebody may still need stays."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models.functions import Now

from moderation.models import IdempotencyRecord, MediaItem
from moderation.operations.tidy import tidy
from tests.factories import AuthorFactory

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
