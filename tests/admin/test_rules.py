"""Policies, words and keys: what a lead changes, and what the record says of it."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from moderation.credentials import find_key, forget_keys
from moderation.models import (
    ApiKey,
    AuditEvent,
    Community,
    CommunityWord,
    PolicyRevision,
)
from moderation.policy.document import DEFAULT_DOCUMENT
from moderation.vocabulary import Scope
from tests.admin.conftest import ClientFor
from tests.factories import make_key

ADD_POLICY = "admin:moderation_policyrevision_add"


def kinds() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))


def asked(community: Community, document: str) -> dict[str, object]:
    return {"community": community.pk, "document": document, "note": "Stricter"}


def test_a_new_policy_begins_with_the_one_in_force(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    form = as_user(lea).get(reverse(ADD_POLICY)).context["adminform"].form
    assert json.loads(form["document"].value()) == DEFAULT_DOCUMENT
    assert form["community"].value() == garden.pk


def test_saving_a_policy_makes_the_next_number_and_changes_nothing_in_force(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    answer = as_user(lea).post(reverse(ADD_POLICY), asked(garden, json.dumps(DEFAULT_DOCUMENT)))
    made = PolicyRevision.objects.get(number=2)
    garden.refresh_from_db()
    assert answer.status_code == 302
    assert (made.community, made.author, made.note) == (garden, lea, "Stricter")
    assert garden.policy_id != made.pk
    assert kinds() == ["policy.revised"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("{", "This is not JSON: line 1, column 2"),
        ("[]", "A policy is a JSON object"),
        ("{}", "is a required property"),
        (
            json.dumps({**DEFAULT_DOCUMENT, "on_failure": "approve"}),
            "on_failure: &#x27;approve&#x27; is not one of",
        ),
        (
            json.dumps({**DEFAULT_DOCUMENT, "thresholds": {"categories": {"hate": {"warn": 7}}}}),
            "thresholds.categories.hate.warn: 7 is greater than the maximum",
        ),
        (
            json.dumps(
                {**DEFAULT_DOCUMENT, "thresholds": {"default": {"warn": 0.9, "block": 0.2}}}
            ),
            "must not fall in this order",
        ),
    ],
)
def test_a_policy_that_breaks_its_schema_is_refused_with_the_place(
    document: str, said: str, lea: User, garden: Community, as_user: ClientFor
) -> None:
    answer = as_user(lea).post(reverse(ADD_POLICY), asked(garden, document))
    assert said in answer.content.decode()
    assert PolicyRevision.objects.count() == 1


def test_a_revision_is_never_edited(lea: User, garden: Community, as_user: ClientFor) -> None:
    revision = garden.policy
    assert revision is not None
    address = reverse("admin:moderation_policyrevision_change", args=[revision.pk])
    assert as_user(lea).post(address, asked(garden, "{}")).status_code == 403
    revision.refresh_from_db()
    assert revision.document == DEFAULT_DOCUMENT


@pytest.mark.parametrize(("who", "status"), [("lea", 302), ("ada", 403), ("rea", 403)])
def test_only_leads_put_a_policy_in_force(
    who: str,
    status: int,
    request: pytest.FixtureRequest,
    garden: Community,
    as_user: ClientFor,
) -> None:
    revision = PolicyRevision.objects.create(community=garden, number=2)
    address = reverse("admin:moderation_policyrevision_activate", args=[revision.pk])
    assert as_user(request.getfixturevalue(who)).post(address).status_code == status
    garden.refresh_from_db()
    assert (garden.policy_id == revision.pk) == (status == 302)
    assert kinds() == (["policy.activated"] if status == 302 else [])


def test_a_policy_is_not_put_in_force_by_a_link(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    revision = PolicyRevision.objects.create(community=garden, number=2)
    address = reverse("admin:moderation_policyrevision_activate", args=[revision.pk])
    assert as_user(lea).get(address).status_code == 405


# Words


def test_each_change_of_a_word_reaches_every_process_and_the_record(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(lea)
    word = {"community": garden.pk, "term": " Bad   word ", "action": "block", "category": "spam"}
    client.post(reverse("admin:moderation_communityword_add"), word)
    made = CommunityWord.objects.get()
    client.post(
        reverse("admin:moderation_communityword_change", args=[made.pk]),
        {**word, "action": "advise"},
    )
    made.refresh_from_db()
    assert (made.term, made.action) == ("Bad word", "advise")
    client.post(reverse("admin:moderation_communityword_delete", args=[made.pk]), {"post": "yes"})
    garden.refresh_from_db()
    assert not CommunityWord.objects.exists()
    assert garden.words_version == 3
    assert kinds() == ["words.changed", "words.changed", "words.removed"]


def test_a_word_that_the_list_has_is_refused_beside_its_field(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    CommunityWord.objects.create(community=garden, term="casino")
    word = {"community": garden.pk, "term": "casino", "action": "block", "category": "spam"}
    answer = as_user(lea).post(reverse("admin:moderation_communityword_add"), word)
    assert answer.status_code == 200
    assert "already exists" in answer.content.decode()


# Keys


def test_a_key_is_shown_once_and_works(lea: User, garden: Community, as_user: ClientFor) -> None:
    client = as_user(lea)
    answer = client.post(
        reverse("admin:moderation_apikey_add"),
        {"name": "Site", "community": garden.pk, "scopes": [Scope.SUBMIT, Scope.READ]},
    )
    text = answer.context["text"]
    key = ApiKey.objects.get()
    again = client.get(reverse("admin:moderation_apikey_change", args=[key.pk])).content.decode()
    assert text in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    assert find_key(text) == key
    assert text not in again
    assert key.secret_digest not in again
    assert kinds() == ["key.issued"]


def test_a_replaced_key_has_a_successor_that_works(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    key, _ = make_key(garden)
    answer = as_user(lea).post(reverse("admin:moderation_apikey_rotate", args=[key.pk]))
    successor = find_key(answer.context["text"])
    assert successor is not None
    assert successor.scopes == key.scopes
    assert kinds() == ["key.rotated", "key.issued"]


def test_a_revoked_key_opens_nothing(lea: User, garden: Community, as_user: ClientFor) -> None:
    key, text = make_key(garden)
    as_user(lea).post(reverse("admin:moderation_apikey_revoke", args=[key.pk]))
    forget_keys()
    assert find_key(text) is None
    assert kinds() == ["key.revoked"]


@pytest.mark.parametrize("step", ["rotate", "revoke"])
def test_a_moderator_changes_no_key(
    step: str, ada: User, garden: Community, as_user: ClientFor
) -> None:
    key, text = make_key(garden)
    answer = as_user(ada).post(reverse(f"admin:moderation_apikey_{step}", args=[key.pk]))
    assert answer.status_code == 403
    assert find_key(text) == key


def test_a_key_belongs_to_one_owner(root: User, garden: Community, as_user: ClientFor) -> None:
    both = {
        "name": "x",
        "community": garden.pk,
        "organisation": garden.organisation_id,
        "scopes": [Scope.READ],
    }
    answer = as_user(root).post(reverse("admin:moderation_apikey_add"), both)
    assert "Choose the one community or organisation" in answer.content.decode()
    assert not ApiKey.objects.exists()
