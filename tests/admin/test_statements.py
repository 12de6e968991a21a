"""What authors were told, read by staff; what the register refused is filed again by leads."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from moderation.models import Community, RegisterEntry, Statement
from moderation.vocabulary import RegisterState
from tests.admin.conftest import ClientFor
from tests.pipeline.helpers import THREAT, drain_all, send


@pytest.fixture
def refused(garden: Community) -> Statement:
    send(garden, THREAT)
    drain_all()
    statement = Statement.objects.get()
    RegisterEntry.objects.create(
        statement=statement,
        state=RegisterState.INVALID,
        wrong=[["category", "<b>is invalid</b>"]],
    )
    return statement


def test_a_statement_is_shown_as_it_was_issued(
    refused: Statement, ada: User, as_user: ClientFor
) -> None:
    page = as_user(ada).get(reverse("admin:moderation_statement_change", args=[refused.pk]))

    text = page.content.decode()
    assert "How to object" in text
    assert "&lt;b&gt;is invalid" in text
    assert "File again" not in text


def test_a_lead_files_again_what_was_refused(
    refused: Statement, lea: User, as_user: ClientFor
) -> None:
    client = as_user(lea)
    page = client.get(reverse("admin:moderation_statement_change", args=[refused.pk]))
    assert "File again" in page.content.decode()

    client.post(reverse("admin:moderation_statement_file_again", args=[refused.pk]))

    entry = RegisterEntry.objects.get()
    assert (entry.state, entry.wrong) == (RegisterState.DUE, [])


def test_others_do_not(
    refused: Statement, ada: User, elsewhere: Community, as_user: ClientFor
) -> None:
    address = reverse("admin:moderation_statement_file_again", args=[refused.pk])

    assert as_user(ada).post(address).status_code == 403
    assert RegisterEntry.objects.get().state == RegisterState.INVALID
