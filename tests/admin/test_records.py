"""What the lists of evidence and of the record say."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from moderation.admin.words import facts_label
from moderation.models import Community, ProviderResult
from tests.admin.conftest import ClientFor
from tests.admin.situations import queued


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"attempts": 1, "policy": 7, "category": None, "not_judged": []}, ""),
        ({"attempts": 3}, "attempts 3"),
        ({"policy": 7, "number": 2}, "revision 2"),
        ({"category": "spam", "score": 0.9, "attempts": 1}, "category Spam · score 0.90"),
    ],
)
def test_a_step_says_only_what_is_remarkable(facts: dict[str, Any], said: str) -> None:
    assert facts_label(facts) == said


@pytest.mark.parametrize(("latency_ms", "said"), [(221.86957099, "221.9 ms"), (None, ">-<")])
def test_an_answers_time_is_told_in_tenths_of_a_millisecond(
    lea: User, garden: Community, as_user: ClientFor, latency_ms: float | None, said: str
) -> None:
    queued(garden)
    ProviderResult.objects.update(latency_ms=latency_ms)
    page = as_user(lea).get(reverse("admin:moderation_providerresult_changelist"))
    assert said in page.content.decode()


@pytest.mark.parametrize("name", ["report", "appeal", "statement", "post", "author", "decision"])
@pytest.mark.parametrize("query", ["in", "community", "author__id"])
def test_a_number_that_no_database_looks_for_is_no_error_of_ours(
    lea: User, garden: Community, as_user: ClientFor, name: str, query: str
) -> None:
    address = reverse(f"admin:moderation_{name}_changelist")
    answer = as_user(lea).get(address, {query: "9" * 23}, follow=True)
    assert answer.status_code == 200
