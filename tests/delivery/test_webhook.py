"""Webhooks as their receivers see them: by Standard Webhooks 1.0, believed by its own library."""

from __future__ import annotations

import pytest

from moderation.models import Community, Endpoint, OutboxMessage
from moderation.vocabulary import DeliveryState
from tests.delivery.helpers import deliver, secret_of, verify
from tests.delivery.receiver import Receiver
from tests.pipeline.helpers import THREAT, drain_all, send

pytestmark = pytest.mark.django_db


def test_each_step_of_a_post_arrives_and_is_believed(
    garden: Community, endpoint: Endpoint, receiver: Receiver
) -> None:
    [post] = send(garden, THREAT)
    drain_all()
    deliver()
    told = [verify(one, secret_of(endpoint)) for one in receiver.sent]
    assert [one["type"] for one in told] == ["post.submitted", "post.rejected"]
    assert {one["data"]["id"] for one in told} == {str(post.pk)}
    assert set(OutboxMessage.objects.values_list("state", flat=True)) == {DeliveryState.DELIVERED}
