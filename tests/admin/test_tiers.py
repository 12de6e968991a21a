"""How much a key may send is for whoever runs the site: set with the key, or changed later."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from moderation.credentials import Tier, tier_of
from moderation.models import ApiKey, AuditEvent, Community
from moderation.vocabulary import Priority
from tests.admin.conftest import ClientFor
from tests.factories import make_key

pytestmark = pytest.mark.django_db

ADD = "admin:moderation_apikey_add"
TIER = {"rate_per_second": "5", "rate_burst": "10", "priority": "low"}
LOW = Tier(5.0, 10, Priority.LOW)


def _wanted(community: Community) -> dict[str, object]:
    return {"name": "Ours", "community": community.pk, "scopes": ["submit"]}


def test_an_administrator_makes_a_key_with_a_tier(
    root: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(root)
    assert "rate_per_second" in client.get(reverse(ADD)).content.decode()
    client.post(reverse(ADD), {**_wanted(garden), **TIER})
    key = ApiKey.objects.get()
    assert tier_of(key) == LOW
    page = client.get(reverse("admin:moderation_apikey_change", args=[key.pk])).content.decode()
    assert "5 posts a second, 10 at once" in page
    assert "Change its tier" in page


def test_a_lead_makes_keys_of_the_sites_tier_alone(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    assert "rate_per_second" not in client.get(reverse(ADD)).content.decode()
    client.post(reverse(ADD), {**_wanted(garden), **TIER})
    assert tier_of(ApiKey.objects.get()) == Tier()


def test_an_administrator_changes_a_tier_and_a_lead_does_not(
    root: User, lea: User, garden: Community, as_user: ClientFor
) -> None:
    key, _ = make_key(garden)
    address = reverse("admin:moderation_apikey_tier", args=[key.pk])
    assert as_user(lea).post(address, TIER).status_code == 403
    assert as_user(root).get(address).status_code == 200
    refused = as_user(root).post(address, {**TIER, "rate_burst": "0"})
    assert "greater than or equal to 1" in refused.content.decode()
    key.refresh_from_db()
    assert tier_of(key) == Tier()
    assert as_user(root).post(address, TIER).status_code == 302
    key.refresh_from_db()
    assert tier_of(key) == LOW
    assert AuditEvent.objects.filter(kind="key.changed").count() == 1
