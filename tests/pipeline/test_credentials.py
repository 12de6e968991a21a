"""API keys."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from moderation.credentials import find_key, forget_keys, issue_key, revoke_key, rotate_key
from moderation.errors import InvalidSubmission
from moderation.models import ApiKey
from moderation.vocabulary import Scope


def test_key_is_found_by_its_text_and_never_stored(community):
    row, text = issue_key(owner=community, scopes=[Scope.SUBMIT])
    found = find_key(text)
    assert found is not None
    assert (found.pk, found.community) == (row.pk, community)
    assert text.split("_")[2][:32] not in str(ApiKey.objects.values().get())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"),
        lambda text: text.replace("gate_", "gat_"),
        lambda text: text + "0",
        lambda text: text[:20],
        lambda text: "",
    ],
)
def test_spoiled_key_is_no_key(community, spoil):
    _, text = issue_key(owner=community, scopes=[Scope.READ])
    assert find_key(spoil(text)) is None


def test_right_id_with_another_keys_secret_is_no_key(community):
    _, one = issue_key(owner=community, scopes=[Scope.READ])
    _, other = issue_key(owner=community, scopes=[Scope.READ])
    mixed = "_".join([*one.split("_")[:2], other.split("_")[2]])
    assert find_key(mixed) is None


def test_revoked_and_expired_keys_end(community):
    row, text = issue_key(owner=community, scopes=[Scope.READ])
    revoke_key(row)
    forget_keys()
    assert find_key(text) is None
    row, text = issue_key(owner=community, scopes=[Scope.READ])
    successor, new_text = rotate_key(row, overlap=timedelta(seconds=-1))
    forget_keys()
    assert find_key(text) is None
    found = find_key(new_text)
    assert found is not None
    assert (found.pk, found.scopes) == (successor.pk, row.scopes)


@pytest.mark.parametrize("scopes", [[], ["everything"], ["read", "fly"]])
def test_unknown_scope_is_refused(community, scopes):
    with pytest.raises(InvalidSubmission, match="submit"):
        issue_key(owner=community, scopes=scopes)


def test_command_prints_a_working_key_as_its_last_line(community, capsys):
    call_command("apikey", "create", "--community", community.slug, "--scopes", "submit,read")
    last = capsys.readouterr().out.strip().splitlines()[-1]
    found = find_key(last)
    assert found is not None
    assert found.scopes == ["read", "submit"]


def test_command_names_what_is_wrong(community):
    with pytest.raises(CommandError, match="no community 'nowhere'"):
        call_command("apikey", "create", "--community", "nowhere")
    with pytest.raises(CommandError, match="Scopes are among"):
        call_command("apikey", "create", "--community", community.slug, "--scopes", "fly")


def test_rotation_never_lengthens_a_key(community):
    soon = timezone.now() + timedelta(minutes=5)
    row, _ = issue_key(owner=community, scopes=[Scope.READ], expires_at=soon)
    rotate_key(row, overlap=timedelta(days=1))
    row.refresh_from_db()
    assert row.expires_at == soon
