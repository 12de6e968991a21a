"""Who may open what: roles against pages, and nothing of another community anywhere."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from moderation import communities
from moderation.models import ApiKey, Community, Decision, PolicyRevision
from moderation.pipeline.review.review import decide_review
from moderation.vocabulary import Action, Category, Scope, WordAction
from tests.admin.conftest import ClientFor
from tests.admin.situations import DECISION, queued
from tests.factories import UserFactory, make_key

LISTS = (
    "review",
    "post",
    "author",
    "policyrevision",
    "cannedreason",
    "communityword",
    "community",
    "bankedhash",
    "hashbank",
    "decision",
    "appeal",
    "report",
    "trustedflagger",
    "submission",
    "providerresult",
    "verdictrecord",
    "auditevent",
    "decisionbatch",
    "statement",
)


@pytest.fixture
def people(ada: User, lea: User, rea: User, root: User) -> dict[str, User]:
    cy: User = UserFactory(username="cy")
    return {"ada": ada, "lea": lea, "rea": rea, "root": root, "cy": cy}


@pytest.mark.parametrize(
    ("who", "status"), [("ada", 200), ("lea", 200), ("rea", 200), ("root", 200), ("cy", 302)]
)
def test_staff_read_every_list_and_others_are_sent_to_log_in(
    who: str, status: int, people: dict[str, User], garden: Community, as_user: ClientFor
) -> None:
    queued(garden)
    client = as_user(people[who])
    answers = {
        model: client.get(reverse(f"admin:moderation_{model}_changelist")).status_code
        for model in LISTS
    }
    assert answers == dict.fromkeys(LISTS, status)


LEADS = {"lea", "root"}
ONLY_FOR: dict[str, set[str]] = {
    "moderation_operations": LEADS,
    "moderation_studio": LEADS,
    "moderation_apikey_changelist": LEADS,
    "moderation_apikey_add": LEADS,
    "moderation_policyrevision_add": LEADS,
    "moderation_communityword_add": LEADS,
    "moderation_bankedhash_add": LEADS,
    "moderation_hashbank_add": LEADS,
    "moderation_trustedflagger_add": LEADS,
    "moderation_goldenitem_changelist": LEADS,
    "moderation_goldenitem_add": LEADS,
    "moderation_quality_figures": LEADS,
    "moderation_quality_disagreements": LEADS,
    "moderation_quality": {"ada", "lea", "root"},
    "moderation_organisation_changelist": {"root"},
    "moderation_organisation_add": {"root"},
    "moderation_community_add": {"root"},
    "moderation_auditseal_changelist": {"root"},
    "moderation_auditcheckpoint_changelist": {"root"},
    "moderation_auditcheckpoint_export": {"root"},
    "auth_user_changelist": {"root"},
    "auth_group_changelist": {"root"},
    # Written by the pipeline alone, whoever asks.
    "moderation_post_add": set(),
    "moderation_review_add": set(),
    "moderation_auditevent_add": set(),
    "moderation_report_add": set(),
    "moderation_verdictrecord_add": set(),
    "moderation_decision_add": set(),
    "moderation_statement_add": set(),
    "moderation_decisionbatch_add": set(),
    "moderation_review_grid": {"ada", "lea", "rea", "root"},
    "moderation_review_live": {"ada", "lea", "rea", "root"},
}


@pytest.mark.parametrize("who", ["ada", "lea", "rea", "root"])
def test_other_pages_open_for_certain_roles_only(
    who: str, people: dict[str, User], as_user: ClientFor
) -> None:
    client = as_user(people[who])
    opened = {name for name in ONLY_FOR if client.get(reverse(f"admin:{name}")).status_code == 200}
    assert opened == {name for name, allowed in ONLY_FOR.items() if who in allowed}


def test_the_first_screen_is_the_queue(ada: User, as_user: ClientFor) -> None:
    answer = as_user(ada).get(reverse("admin:index"))
    assert answer.status_code == 302
    assert answer["Location"] == reverse("admin:moderation_review_changelist")


def test_whoever_may_not_see_the_queue_gets_the_plain_index(db: None, as_user: ClientFor) -> None:
    clerk = UserFactory(is_staff=True)
    assert as_user(clerk).get(reverse("admin:index")).status_code == 200


@pytest.fixture
def foreign(elsewhere: Community, root: User) -> dict[str, str]:
    """Return the addresses of everything that belongs to a community of others."""
    review = queued(elsewhere, title="Foreign title", body="Foreign body")
    decided = queued(elsewhere, title="Foreign title", body="Foreign body")
    decision = decide_review(
        review_id=decided.pk,
        moderator=root,
        action=Action.BLOCK,
        reason="Foreign reason",
        seen_revision=1,
    )
    key, _ = make_key(elsewhere)
    word = communities.set_word(
        community=elsewhere,
        term="foreignword",
        action=WordAction.ADVISE,
        category=Category.SPAM,
        user=root,
    )
    assert elsewhere.policy is not None
    rows = {
        "review": review.pk,
        "post": review.post_id,
        "author": review.post.author_id,
        "apikey": key.pk,
        "communityword": word.pk,
        "policyrevision": elsewhere.policy.pk,
        "community": elsewhere.pk,
        "decision": decision.pk,
        "submission": review.post.submissions.get().pk,
        "verdictrecord": review.verdict_id,
    }
    return {
        model: reverse(f"admin:moderation_{model}_change", args=[pk]) for model, pk in rows.items()
    }


@pytest.mark.parametrize("who", ["ada", "lea", "rea"])
def test_nothing_of_another_community_opens(
    who: str, people: dict[str, User], foreign: dict[str, str], as_user: ClientFor
) -> None:
    client = as_user(people[who])
    opened = [model for model, address in foreign.items() if client.get(address).status_code == 200]
    assert opened == []


def test_lists_name_nothing_of_another_community(
    lea: User, foreign: dict[str, str], as_user: ClientFor
) -> None:
    client = as_user(lea)
    told = [
        (model, secret)
        for model in (*LISTS, "apikey")
        for page in [client.get(reverse(f"admin:moderation_{model}_changelist")).content.decode()]
        for secret in ("Foreign", "foreignword", "Elsewhere", "elsewhere")
        if secret in page
    ]
    assert told == []


@pytest.mark.parametrize("who", ["ada", "rea", "lea"])
def test_a_post_of_another_community_is_not_decided(
    who: str, people: dict[str, User], foreign: dict[str, str], as_user: ClientFor
) -> None:
    before = Decision.objects.count()
    assert as_user(people[who]).post(foreign["review"], DECISION).status_code == 404
    assert Decision.objects.count() == before


def test_a_lead_gives_no_key_to_another_community(
    lea: User, elsewhere: Community, as_user: ClientFor
) -> None:
    asked = {"name": "x", "community": elsewhere.pk, "scopes": [Scope.READ]}
    answer = as_user(lea).post(reverse("admin:moderation_apikey_add"), asked)
    assert "Select a valid choice" in answer.content.decode()
    assert not ApiKey.objects.exists()


def test_a_lead_writes_no_policy_for_another_community(
    lea: User, elsewhere: Community, as_user: ClientFor
) -> None:
    before = PolicyRevision.objects.count()
    asked = {
        "community": elsewhere.pk,
        "document": '{"version": 1, "route": {"text": []}, "on_failure": "hold"}',
        "note": "",
    }
    as_user(lea).post(reverse("admin:moderation_policyrevision_add"), asked)
    assert PolicyRevision.objects.count() == before


def test_nothing_that_is_evidence_can_be_deleted(
    root: User, garden: Community, as_user: ClientFor
) -> None:
    review = queued(garden)
    rows = {
        "post": review.post_id,
        "review": review.pk,
        "author": review.post.author_id,
        "verdictrecord": review.verdict_id,
        "community": garden.pk,
    }
    client: Client = as_user(root)
    statuses = {
        model: client.post(
            reverse(f"admin:moderation_{model}_delete", args=[pk]), {"post": "yes"}
        ).status_code
        for model, pk in rows.items()
    }
    assert set(statuses.values()) == {403}
