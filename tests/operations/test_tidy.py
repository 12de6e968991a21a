"""What was left behind goes; what somebody may still need stays."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from moderation.models import MediaItem
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


def test_session_that_has_ended_is_forgotten():
    for key, hours in (("old", -1), ("young", 1)):
        Session.objects.create(
            session_key=key, session_data="x", expire_date=timezone.now() + timedelta(hours=hours)
        )
    assert tidy().sessions == 1
    assert Session.objects.get().session_key == "young"
