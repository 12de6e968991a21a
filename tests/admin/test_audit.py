"""The record in the back office: of authors, of decisions, as it was signed; who is forgotten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from moderation.models import Author, Community, Decision, Post
from moderation.pipeline.audit.checkpoint import public_key, sign_checkpoint
from moderation.pipeline.audit.seal import seal_events
from moderation.pipeline.review.reversal import reverse_enforcement
from moderation.pipeline.review.review import decide_review
from moderation.vocabulary import Action
from tests.admin.conftest import ClientFor
from tests.admin.situations import queued


@pytest.fixture(autouse=True)
def _key(settings, tmp_path: Path):  # type: ignore[no-untyped-def]
    settings.MODERATION = {**settings.MODERATION, "audit_key_file": str(tmp_path / "audit.key")}


@pytest.fixture
def decision(garden: Community, lea: User) -> Decision:
    review = queued(garden, title="Marigolds", body="An unkind word")
    return decide_review(
        review_id=review.pk,
        moderator=lea,
        action=Action.BLOCK,
        reason="It is unkind.",
        seen_revision=1,
    )


@pytest.fixture
def eraser(lea: User) -> User:
    lea.user_permissions.add(Permission.objects.get(codename="erase_person"))
    return lea


def test_an_authors_record_tells_of_all_their_posts(
    ada: User, decision: Decision, garden: Community, as_user: ClientFor
) -> None:
    author = decision.post.author
    address = reverse("admin:moderation_author_timeline", args=[author.pk])
    page = as_user(ada).get(address).content.decode()
    assert "lea" in page
    assert reverse("admin:moderation_post_change", args=[decision.post_id]) in page
    change = reverse("admin:moderation_author_change", args=[author.pk])
    assert address in as_user(ada).get(change).content.decode()


def test_a_decisions_record_ends_with_its_reversal(
    lea: User, decision: Decision, as_user: ClientFor
) -> None:
    reverse_enforcement(
        enforcement_id=decision.enforcement.pk, moderator=lea, reason="A misunderstanding."
    )
    address = reverse("admin:moderation_decision_timeline", args=[decision.pk])
    answer = as_user(lea).get(address)
    found = [step.kind for step in answer.context["timeline"]]
    assert found[:2] == ["enforcement.reversed", "decision.rejected"]
    assert found[-1] == "post.queued"
    assert "A misunderstanding." in answer.content.decode()


@pytest.mark.parametrize("page", ["author_timeline", "decision_timeline", "author_erase"])
def test_nothing_of_another_community_is_shown(
    page: str, eraser: User, elsewhere: Community, root: User, as_user: ClientFor
) -> None:
    review = queued(elsewhere)
    made = decide_review(
        review_id=review.pk, moderator=root, action=Action.BLOCK, reason="No.", seen_revision=1
    )
    pk = made.pk if page == "decision_timeline" else review.post.author_id
    address = reverse(f"admin:moderation_{page}", args=[pk])
    assert as_user(eraser).get(address).status_code == 404
    assert as_user(root).get(address).status_code == 200


def test_erasing_needs_its_own_permission_and_a_typed_id(
    ada: User, lea: User, decision: Decision, as_user: ClientFor
) -> None:
    author = decision.post.author
    address = reverse("admin:moderation_author_erase", args=[author.pk])
    assert as_user(ada).get(address).status_code == 403
    assert as_user(lea).get(address).status_code == 403
    lea.user_permissions.add(Permission.objects.get(codename="erase_person"))
    client = as_user(User.objects.get(pk=lea.pk))
    assert "1 post and" in client.get(address).content.decode()
    client.post(address, {"confirmed": "yes"})
    assert Post.objects.get(pk=decision.post_id).body
    answer = client.post(address, {"confirmed": str(author.pk)}, follow=True)
    assert "Erased: 1 posts" in answer.content.decode()
    assert Post.objects.get(pk=decision.post_id).body == ""
    assert Author.objects.get(pk=author.pk).erased_at is not None


def test_every_page_of_an_erased_person_still_opens(
    eraser: User, decision: Decision, as_user: ClientFor
) -> None:
    author = decision.post.author
    client = as_user(eraser)
    client.post(
        reverse("admin:moderation_author_erase", args=[author.pk]), {"confirmed": str(author.pk)}
    )
    pages = [
        reverse("admin:moderation_author_change", args=[author.pk]),
        reverse("admin:moderation_author_timeline", args=[author.pk]),
        reverse("admin:moderation_post_change", args=[decision.post_id]),
        reverse("admin:moderation_decision_change", args=[decision.pk]),
        reverse("admin:moderation_decision_timeline", args=[decision.pk]),
        reverse("admin:moderation_review_change", args=[decision.review_id]),
        reverse("admin:moderation_review_changelist"),
    ]
    answers = {page: client.get(page) for page in pages}
    assert {page: answer.status_code for page, answer in answers.items()} == dict.fromkeys(
        pages, 200
    )
    assert not [page for page, answer in answers.items() if "Marigolds" in answer.content.decode()]


def test_checkpoints_are_shown_with_their_key_and_exported(
    root: User, decision: Decision, as_user: ClientFor
) -> None:
    seal_events()
    made = sign_checkpoint()
    assert made is not None
    client = as_user(root)
    page = client.get(reverse("admin:moderation_auditcheckpoint_changelist")).content.decode()
    assert public_key() in page
    answer = client.get(reverse("admin:moderation_auditcheckpoint_export"))
    lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[arg-type]
    assert [json.loads(line)["signature"] for line in lines] == [made.signature]
