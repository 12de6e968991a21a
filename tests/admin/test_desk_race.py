"""Two moderators decide one item in the same moment, two hundred times over."""

from __future__ import annotations

import threading

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from moderation.models import AuditEvent, Community, Decision, Enforcement
from tests.admin.situations import DECISION, queued
from tests.factories import CommunityFactory, make_moderator

ROUNDS = 200


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def at_once(browsers: list[Client], address: str) -> list[int]:
    """Send everybody's decision in the same moment; return the answers' codes, lowest first."""
    start = threading.Barrier(len(browsers))
    codes: list[int] = []

    def decide(client: Client) -> None:
        try:
            start.wait(timeout=30)
            codes.append(client.post(address, DECISION).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=(client,)) for client in browsers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(codes)


# Two hundred rounds take a few seconds; the rest is for a machine that has more to do.
@pytest.mark.timeout(400)
@pytest.mark.django_db(transaction=True)
def test_of_two_who_decide_at_once_one_does_and_the_other_sees_a_conflict() -> None:
    community: Community = CommunityFactory.create()
    browsers = [browser_of(make_moderator(community, username=name)) for name in ("ada", "ben")]
    answers = [
        at_once(browsers, reverse("admin:moderation_review_change", args=[review.pk]))
        for review in [queued(community, title=f"Item {number}") for number in range(ROUNDS)]
    ]
    assert answers == [[302, 409]] * ROUNDS
    assert Decision.objects.count() == ROUNDS
    assert Enforcement.objects.filter(decision__isnull=False).count() == ROUNDS
    assert AuditEvent.objects.filter(kind="decision.rejected").count() == ROUNDS
