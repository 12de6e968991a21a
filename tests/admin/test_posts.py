"""A post's page: its story and now; and the reversal of what was done to it."""

from __future__ import annotations

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.urls import reverse

from moderation.models import Community, Enforcement, Post
from moderation.models.posts import INDEFINITELY
from moderation.pipeline.review.review import decide_review
from moderation.vocabulary import Action, Status, Visibility
from tests.admin.conftest import ClientFor
from tests.admin.situations import queued


@pytest.fixture
def rejected(garden: Community, ada: User) -> Enforcement:
    """Return what a moderator's rejection caused."""
    review = queued(garden)
    decision = decide_review(
        review_id=review.pk,
        moderator=ada,
        action=Action.BLOCK,
        reason="It insults.",
        seen_revision=1,
    )
    return decision.enforcement


def page_of(post: Post) -> str:
    return reverse("admin:moderation_post_change", args=[post.pk])


def reversal_of(enforcement: Enforcement) -> str:
    return reverse(
        "admin:moderation_enforcement_reverse", args=[enforcement.post_id, enforcement.pk]
    )


def test_a_post_tells_its_story_and_what_it_is_now(
    ada: User, rejected: Enforcement, as_user: ClientFor
) -> None:
    page = as_user(ada).get(page_of(rejected.post)).content.decode()
    for line in (
        "ada</bdi></strong> rejected it",
        "Policy and providers</bdi></strong> put it before a moderator",
        "Its author, with the reason",
        "It insults.",
        "Harassment or insult scored 0.78",
    ):
        assert line in page


def test_a_lead_is_told_what_a_reversal_changes(
    lea: User, rejected: Enforcement, as_user: ClientFor
) -> None:
    page = as_user(lea).get(reversal_of(rejected)).content.decode()
    assert "It no longer hides the post from readers." in page
    assert "The strike against the author is taken back." in page
    # What stands below it: the policy had held the post for a person.
    assert "<strong>With a moderator</strong>" in page
    assert "What it will change" in page
    rejected.refresh_from_db()
    assert rejected.reversed_at is None


def test_a_reversal_undoes_exactly_this_enforcement(
    lea: User, rejected: Enforcement, as_user: ClientFor
) -> None:
    answer = as_user(lea).post(reversal_of(rejected), {"reason": "It was irony."})
    rejected.refresh_from_db()
    post = Post.objects.get(pk=rejected.post_id)
    assert answer["Location"] == reversal_of(rejected)
    assert (rejected.reversed_by, rejected.reversal_reason) == (lea, "It was irony.")
    assert (post.status, post.visibility) == (Status.IN_REVIEW, Visibility.HELD)
    assert LogEntry.objects.get().change_message == f"Reversed enforcement {rejected.pk}."


def test_a_reversal_is_proven_by_what_the_record_says(
    lea: User, rejected: Enforcement, as_user: ClientFor
) -> None:
    client = as_user(lea)
    client.post(reversal_of(rejected), {"reason": "It was irony."})
    # What happens later is no part of it.
    Post.objects.update(status=Status.APPROVED)
    page = client.get(reversal_of(rejected)).content.decode()
    assert "What it changed, as the record has it" in page
    assert "It was irony." in page
    assert "<td>Rejected</td><td><strong>With a moderator</strong></td>" in page
    assert "Yes, in its old place" in page
    assert 'name="reason"' not in page
    assert reversal_of(rejected) in client.get(page_of(rejected.post)).content.decode()


def test_a_reversal_needs_a_reason(lea: User, rejected: Enforcement, as_user: ClientFor) -> None:
    answer = as_user(lea).post(reversal_of(rejected), {"reason": " "})
    rejected.refresh_from_db()
    assert "This field is required." in answer.content.decode()
    assert rejected.reversed_at is None


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_moderator_cannot_reverse(
    method: str, ada: User, rejected: Enforcement, as_user: ClientFor
) -> None:
    answer = getattr(as_user(ada), method)(reversal_of(rejected), {"reason": "x"})
    rejected.refresh_from_db()
    assert answer.status_code == 403
    assert rejected.reversed_at is None


def test_a_second_reversal_changes_nothing(
    lea: User, rejected: Enforcement, as_user: ClientFor
) -> None:
    client = as_user(lea)
    client.post(reversal_of(rejected), {"reason": "First."})
    answer = client.post(reversal_of(rejected), {"reason": "Second."}, follow=True)
    rejected.refresh_from_db()
    assert rejected.reversal_reason == "First."
    assert "This enforcement is reversed already." in answer.content.decode()
    assert "Second." not in answer.content.decode()
    assert LogEntry.objects.count() == 1


def test_an_enforcement_is_not_reversed_through_another_post(
    lea: User, garden: Community, rejected: Enforcement, as_user: ClientFor
) -> None:
    other = queued(garden).post
    address = reverse("admin:moderation_enforcement_reverse", args=[other.pk, rejected.pk])
    assert as_user(lea).post(address, {"reason": "x"}).status_code == 404


@pytest.mark.parametrize("name", ["status", "visibility", "title", "body", "revision"])
def test_no_field_of_a_post_is_written_through_its_page(
    name: str, root: User, garden: Community, as_user: ClientFor
) -> None:
    post = queued(garden).post
    before = getattr(post, name)
    as_user(root).post(page_of(post), {name: "approved", "_save": "Save"})
    post.refresh_from_db()
    assert getattr(post, name) == before


def test_an_authors_page_says_which_sanctions_run(
    root: User, rejected: Enforcement, as_user: ClientFor
) -> None:
    author = rejected.author
    address = reverse("admin:moderation_author_change", args=[author.pk])
    author.silenced_until, author.held_until = INDEFINITELY, rejected.created_at
    author.save()
    page = as_user(root).get(address).content.decode()
    assert "Silenced until reversed" in page
    # What has ended is not said.
    assert "Posts held" not in page
