"""What the desk does around a decision: context, notes, skips, previews, undo, preferences."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from moderation.admin.context import TABS
from moderation.identifiers import new_id
from moderation.models import (
    AuditEvent,
    Author,
    CannedReason,
    Community,
    Decision,
    DeskPreferences,
    Enforcement,
    ExposureDay,
    MediaItem,
    Post,
    ProviderResult,
    Report,
    Review,
    Statement,
)
from moderation.models.posts import media_key
from moderation.pipeline.audit.record import Actor
from moderation.pipeline.intake.edit import edit_post
from moderation.pipeline.review.holding import hold_review
from moderation.pipeline.review.review import decide_review
from moderation.vocabulary import (
    Action,
    ActorKind,
    EffectKind,
    MediaKind,
    MediaState,
    Outcome,
    Part,
    ReportSource,
    ReviewState,
    Standing,
    Status,
)
from tests.admin.conftest import ClientFor
from tests.admin.situations import DECISION, queued
from tests.factories import AuthorFactory, PostFactory, UserFactory

BO = Actor(ActorKind.AUTHOR, "1")


def desk_of(review: Review) -> str:
    return reverse("admin:moderation_review_change", args=[review.pk])


def part_of(review: Review, name: str, *more: Any) -> str:
    return reverse(f"admin:moderation_review_{name}", args=[review.pk, *more])


@pytest.fixture
def review(garden: Community) -> Review:
    return queued(garden)


# Context


@pytest.mark.parametrize("tab", [tab.name for tab in TABS])
def test_each_tab_opens_as_a_page_and_into_one(
    tab: str, ada: User, review: Review, as_user: ClientFor
) -> None:
    client = as_user(ada)
    page = client.get(f"{desk_of(review)}?tab={tab}").content.decode()
    fragment = client.get(part_of(review, "context", tab)).content.decode()
    assert f'tab={tab}#context" aria-current="true"' in page
    assert "<html" not in fragment
    assert fragment.strip()[:80] in page


@pytest.mark.parametrize("tab", [tab.name for tab in TABS])
def test_a_name_that_turns_the_writing_round_is_shown_by_its_code(
    tab: str, ada: User, garden: Community, as_user: ClientFor
) -> None:
    author = AuthorFactory.create(community=garden, name="Bo \u202eevil")
    review = queued(garden, author=author, channel="gar\u202eden")
    queued(garden, author=author)
    client = as_user(ada)
    shown = client.get(f"{desk_of(review)}?tab={tab}").content.decode()
    # What the undo bar says of it, on the next item.
    after = client.post(desk_of(review), DECISION, follow=True).content.decode()
    posts_own = client.get(reverse("admin:moderation_post_change", args=[review.post_id]))
    for page in (shown, after, posts_own.content.decode()):
        assert "U+202E" in page
        assert "\u202e" not in page


def test_a_tab_that_means_nothing_is_the_first_one(
    ada: User, review: Review, as_user: ClientFor
) -> None:
    page = as_user(ada).get(f"{desk_of(review)}?tab=<b>").content.decode()
    assert 'tab=scores#context" aria-current="true"' in page


def test_tabs_of_other_communities_are_not_there(
    ada: User, elsewhere: Community, as_user: ClientFor
) -> None:
    strange = queued(elsewhere)
    assert as_user(ada).get(part_of(strange, "context", "author")).status_code == 404
    assert as_user(ada).post(part_of(strange, "preview"), DECISION).status_code == 404


def test_the_thread_shows_what_stands_around_the_post(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    # Those of one millisecond would stand in any order.
    first, second, third = sorted(new_id() for _ in range(3))
    topic = PostFactory(author=AuthorFactory(community=garden), title="Roses or tulips?")
    before = PostFactory(id=first, author=topic.author, parent=topic, title="", body="Roses.")
    review = queued(garden, id=second, parent=topic, title="", body="You idiot")
    PostFactory(id=third, author=topic.author, parent=review.post, title="", body="Calm down.")
    fragment = as_user(ada).get(part_of(review, "context", "thread")).content.decode()
    places = [fragment.index(text) for text in ("tulips", "Roses.", "You idiot", "Calm down.")]
    assert places == sorted(places)
    assert str(before.pk) in fragment


def test_the_author_tab_tells_what_stands_against_them(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    review = queued(garden)
    Author.objects.filter(pk=review.post.author_id).update(
        silenced_until=timezone.now() + timedelta(days=2)
    )
    other = queued(garden, author=review.post.author, title="Worse\u202e")
    decide_review(
        review_id=other.pk, moderator=ada, action=Action.BLOCK, reason="No.", seen_revision=1
    )
    fragment = as_user(ada).get(part_of(review, "context", "author")).content.decode()
    assert "They can read, not write" in fragment
    assert "Strike against the author" in fragment
    assert "U+202E" in fragment


def test_similar_posts_come_with_what_was_decided(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    decide_review(
        review_id=queued(garden, body="You idiot, go home").pk,
        moderator=ada,
        action=Action.BLOCK,
        reason="It insults.",
        seen_revision=1,
    )
    review = queued(garden, body="You idiot, go away")
    fragment = as_user(ada).get(part_of(review, "context", "similar")).content.decode()
    assert "go home" in fragment
    assert "It insults." in fragment


def test_reports_are_shown_with_their_weight(ada: User, review: Review, as_user: ClientFor) -> None:
    Report.objects.create(
        number="r1",
        community=review.community,
        post=review.post,
        revision=1,
        content_hash=review.post.content_hash,
        reporter=AuthorFactory(community=review.community, name="Cy"),
        source=ReportSource.READER,
        explanation="Rude to <b>everybody</b>.",
        weight=0.5,
    )
    fragment = as_user(ada).get(part_of(review, "context", "reports")).content.decode()
    assert "Rude to &lt;b&gt;everybody&lt;/b&gt;." in fragment
    assert "weighs 0.5" in fragment


def test_an_edit_is_shown_word_by_word(ada: User, review: Review, as_user: ClientFor) -> None:
    client = as_user(ada)
    client.get(desk_of(review))
    edit_post(post_id=review.post_id, base_revision=1, actor=BO, body="You <b>kind</b>")
    page = client.get(desk_of(review)).content.decode()
    assert '<del class="gh-cut-out"><span class="gh-sr">gone: </span>idiot</del>' in page
    assert "&lt;" in page[page.index("gh-put-in") :][:80]
    assert "The author has edited it" in page
    assert "Open the item of the newer text" not in page
    newer = queued(review.community)
    Review.objects.filter(pk=newer.pk).update(post=review.post, revision=2)
    page = client.get(desk_of(review)).content.decode()
    assert f'href="{desk_of(newer)}">Open the item of the newer text' in page


def test_a_long_thread_and_a_busy_author_cost_no_more_queries(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    client = as_user(ada)
    quiet = queued(garden, parent=PostFactory(author=AuthorFactory(community=garden)))
    busy = queued(garden, parent=PostFactory(author=AuthorFactory(community=garden)))
    for number in range(25):
        PostFactory(author=busy.post.author, parent=busy.post.parent, body=f"Reply {number}")
    for number in range(5):
        decide_review(
            review_id=queued(garden, author=busy.post.author, body=f"Idiot {number}").pk,
            moderator=ada,
            action=Action.BLOCK,
            reason="No.",
            seen_revision=1,
        )
    client.get(desk_of(quiet))
    for tab in TABS:
        with CaptureQueriesContext(
            connection,
        ) as few:
            client.get(f"{desk_of(quiet)}?tab={tab.name}")
        with CaptureQueriesContext(connection) as many:
            client.get(f"{desk_of(busy)}?tab={tab.name}")
        assert len(many) <= len(few) + 6, tab.name


@pytest.mark.parametrize("name", ["free", "move", "keep", "note", "preview", "rested"])
def test_the_desks_addresses_are_for_staff_and_only_posted_to(
    name: str, ada: User, review: Review, as_user: ClientFor
) -> None:
    stranger: User = UserFactory(username="cy")
    answer = as_user(stranger).post(part_of(review, name))
    assert (answer.status_code, "/login/" in answer["Location"]) == (302, True)
    assert as_user(ada).get(part_of(review, name)).status_code == 405


# Holding, walking on, skipping


def test_looking_on_keeps_the_item(
    ada: User, lea: User, review: Review, as_user: ClientFor
) -> None:
    client = as_user(ada)
    client.get(desk_of(review))
    Review.objects.filter(pk=review.pk).update(lease_until=timezone.now() + timedelta(seconds=5))
    assert client.post(part_of(review, "keep")).json()["held"] is True
    review.refresh_from_db()
    assert review.lease_until is not None
    assert review.lease_until > timezone.now() + timedelta(minutes=4)
    answer = as_user(lea).post(part_of(review, "keep"))
    assert (answer.status_code, answer.json()["held"]) == (409, False)
    assert "ada holds this item" in answer.json()["why_not"]


def test_how_long_an_item_is_held_is_each_persons_choice(
    ada: User, review: Review, as_user: ClientFor
) -> None:
    DeskPreferences.objects.create(user=ada, lease_minutes=50)
    page = as_user(ada).get(desk_of(review)).content.decode()
    review.refresh_from_db()
    assert review.lease_until is not None
    assert review.lease_until > timezone.now() + timedelta(minutes=45)
    assert 'data-lease-seconds="3000"' in page


def test_what_is_skipped_comes_back_last_to_who_skipped_it(
    ada: User, lea: User, garden: Community, as_user: ClientFor
) -> None:
    first, second = queued(garden), queued(garden)
    client = as_user(ada)
    client.get(desk_of(first))
    answer = client.post(part_of(first, "move"), {"to": "skip"})
    assert answer["Location"] == desk_of(second)
    first.refresh_from_db()
    assert first.holder is None
    assert AuditEvent.objects.filter(kind="review.skipped").count() == 1
    third = queued(garden)
    assert client.post(desk_of(second), DECISION)["Location"] == desk_of(third)
    assert client.post(desk_of(third), DECISION)["Location"] == desk_of(first)


def test_others_meet_a_skipped_item_as_if_nothing_had_happened(
    ada: User, lea: User, garden: Community, as_user: ClientFor
) -> None:
    first, second = queued(garden), queued(garden)
    as_user(ada).post(part_of(first, "move"), {"to": "skip"})
    assert as_user(lea).post(desk_of(second), DECISION)["Location"] == desk_of(first)


def test_next_and_previous_walk_the_queue_and_free_what_they_leave(
    ada: User, lea: User, garden: Community, as_user: ClientFor
) -> None:
    first, held, third = queued(garden), queued(garden), queued(garden)
    hold_review(review_id=held.pk, moderator=lea)
    client = as_user(ada)
    client.get(desk_of(first))
    assert client.post(part_of(first, "move"), {"to": "next"})["Location"] == desk_of(third)
    assert client.post(part_of(third, "move"), {"to": "previous"})["Location"] == desk_of(first)
    queue = reverse("admin:moderation_review_changelist")
    assert client.post(part_of(third, "move"), {"to": "next"})["Location"] == queue
    first.refresh_from_db()
    assert first.holder is None


# Notes


def test_a_note_is_read_by_moderators_only(
    ada: User, rea: User, review: Review, as_user: ClientFor
) -> None:
    client = as_user(ada)
    answer = client.post(part_of(review, "note"), {"text": "Third time <i>this</i> week."})
    assert answer["Location"] == f"{desk_of(review)}#notes"
    assert (
        "Third time &lt;i&gt;this&lt;/i&gt; week." in client.get(desk_of(review)).content.decode()
    )
    timeline = client.get(part_of(review, "context", "timeline")).content.decode()
    assert "left a note" in timeline
    for address in (desk_of(review), part_of(review, "context", "timeline")):
        assert "Third time" not in as_user(rea).get(address).content.decode()
    assert "Third time" not in str(list(AuditEvent.objects.values_list("facts")))


@pytest.mark.parametrize("text", ["", "   ", "x" * 2001])
def test_a_note_says_something_and_not_too_much(
    text: str, ada: User, review: Review, as_user: ClientFor
) -> None:
    as_user(ada).post(part_of(review, "note"), {"text": text})
    assert not AuditEvent.objects.filter(kind="review.noted").exists()


@pytest.mark.parametrize(("act", "data"), [("note", {"text": "Hello"}), ("move", {"to": "skip"})])
def test_whoever_only_reads_leaves_nothing_behind(
    act: str, data: dict[str, str], rea: User, review: Review, as_user: ClientFor
) -> None:
    before = AuditEvent.objects.count()
    assert as_user(rea).post(part_of(review, act), data).status_code == 403
    assert AuditEvent.objects.count() == before


def test_erasing_the_author_erases_the_notes_about_them(
    ada: User, review: Review, as_user: ClientFor
) -> None:
    client = as_user(ada)
    client.post(part_of(review, "note"), {"text": "Third time this week."})
    Author.objects.update(personal_key=None)
    page = client.get(desk_of(review)).content.decode()
    assert "Third time" not in page
    assert "(Erased with its author.)" in page


# Reasons, sanctions, what will happen


def test_a_communitys_own_reasons_take_the_place_of_those_for_that_action(
    ada: User, garden: Community, review: Review, as_user: ClientFor
) -> None:
    own = {"community": garden, "action": "block"}
    mine = CannedReason.objects.create(text="See house rule 3 <b>.", **own)
    CannedReason.objects.create(text="For spam", category="spam", **own)
    CannedReason.objects.create(text="Retired", active=False, **own)
    client = as_user(ada)
    page = client.get(desk_of(review)).content.decode()
    assert "See house rule 3 &lt;b&gt;." in page
    assert "It insults or harasses someone." not in page
    assert "It keeps to the rules." in page
    assert "For spam" not in page
    assert "Retired" not in page
    client.post(desk_of(review), {**DECISION, "picked": f"own-{mine.pk}"})
    assert Decision.objects.get().reason == "See house rule 3 <b>."


def test_reasons_that_fit_what_was_found_come_first(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    review = queued(garden)
    Review.objects.filter(pk=review.pk).update(category="spam")
    page = as_user(ada).get(desk_of(review)).content.decode()
    assert page.index("It advertises, or repeats itself.") < page.index("It threatens someone.")


def test_a_reason_of_another_community_is_none_here(
    ada: User, elsewhere: Community, review: Review, as_user: ClientFor
) -> None:
    theirs = CannedReason.objects.create(community=elsewhere, text="Elsewhere's rule")
    answer = as_user(ada).post(desk_of(review), {**DECISION, "picked": f"own-{theirs.pk}"})
    assert answer.status_code == 400
    assert not Decision.objects.exists()


def test_leads_write_reasons_and_the_record_keeps_that(
    ada: User, lea: User, garden: Community, as_user: ClientFor
) -> None:
    fields = {
        "community": garden.pk,
        "action": "warn",
        "category": "",
        "text": "Mind the house rules.",
        "position": 0,
        "active": "on",
    }
    add = reverse("admin:moderation_cannedreason_add")
    assert as_user(ada).post(add, fields).status_code == 403
    assert as_user(lea).post(add, fields).status_code == 302
    row = CannedReason.objects.get()
    assert row.text == "Mind the house rules."
    delete = reverse("admin:moderation_cannedreason_delete", args=[row.pk])
    as_user(lea).post(delete, {"post": "yes"})
    assert not CannedReason.objects.exists()
    kinds = AuditEvent.objects.filter(subject_kind="reasons").order_by("pk")
    assert [event.kind for event in kinds] == ["reason.changed", "reason.removed"]


@pytest.mark.parametrize(
    ("sanction", "days", "effects"),
    [
        ("", "", {EffectKind.STRIKE}),
        ("none", "", set()),
        ("warning", "", {EffectKind.WARNING}),
        ("silence", "7", {EffectKind.STRIKE, EffectKind.SILENCE}),
    ],
)
def test_a_sanction_is_what_was_chosen_and_never_more(
    sanction: str,
    days: str,
    effects: set[EffectKind],
    ada: User,
    review: Review,
    as_user: ClientFor,
) -> None:
    as_user(ada).post(desk_of(review), {**DECISION, "sanction": sanction, "days": days})
    made = Enforcement.objects.get(decision__isnull=False).effects
    kinds = set(made.values_list("kind", flat=True)) - {EffectKind.HIDE, EffectKind.NOTICE}
    assert kinds == effects
    author = Author.objects.get(pk=review.post.author_id)
    if sanction == "silence":
        assert author.silenced_until is not None
        left = author.silenced_until - timezone.now()
        assert timedelta(days=6) < left <= timedelta(days=7)
    else:
        assert author.silenced_until is None


def test_the_recommended_sanction_is_said_and_not_chosen(
    ada: User, review: Review, as_user: ClientFor
) -> None:
    page = as_user(ada).get(desk_of(review)).content.decode()
    assert "Recommended: warning" in page
    assert '<option value="" selected>As usual' in page


def test_who_is_let_through_brings_their_author_no_sanction(
    ada: User, review: Review, as_user: ClientFor
) -> None:
    asked = {**DECISION, "action": "allow", "picked": "within_rules", "sanction": "suspension"}
    answer = as_user(ada).post(desk_of(review), asked)
    assert answer.status_code == 400
    assert not Decision.objects.exists()


@pytest.mark.parametrize("fetched", [True, False])
def test_a_preview_says_what_the_author_would_read_and_writes_nothing(
    fetched: bool, ada: User, review: Review, as_user: ClientFor
) -> None:
    client = as_user(ada)
    client.get(desk_of(review))
    before = AuditEvent.objects.count()
    headers = {"X-Requested-With": "fetch"} if fetched else {}
    asked = {**DECISION, "own_words": "See <b>rule</b> 3.", "sanction": "silence", "days": 7}
    answer = client.post(part_of(review, "preview"), asked, headers=headers)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert ("<html" in page) is not fetched
    assert "If you reject" in page
    assert "The moderator wrote: It insults or harasses someone. See &lt;b&gt;rule" in page
    assert "The author can read but not write, until" in page
    assert AuditEvent.objects.count() == before
    assert not Decision.objects.exists()
    assert not Statement.objects.exists()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"picked": "within_rules"}, "If you approve"),
        ({"picked": "harsh_tone"}, "If you approve with a warning"),
        ({"picked": "danger"}, "If you put it before a lead"),
        ({}, "If you reject"),
        ({"action": "nonsense", "days": "x"}, "If you reject"),
    ],
)
def test_a_preview_follows_the_picked_reason(
    asked: dict[str, str], said: str, ada: User, review: Review, as_user: ClientFor
) -> None:
    page = as_user(ada).post(part_of(review, "preview"), asked).content.decode()
    assert said in page


def test_the_preview_is_what_is_then_issued(ada: User, review: Review, as_user: ClientFor) -> None:
    client = as_user(ada)
    page = client.post(part_of(review, "preview"), DECISION).content.decode()
    client.post(desk_of(review), DECISION)
    for part in Statement.objects.get().document["said"]:
        assert part["text"].replace("'", "&#x27;") in page


# Undo


def test_a_decision_is_undone_and_its_item_comes_back(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    review, following = queued(garden), queued(garden)
    client = as_user(ada)
    client.get(desk_of(review))
    answer = client.post(desk_of(review), DECISION, follow=True)
    page = answer.content.decode()
    assert answer.redirect_chain[-1][0] == desk_of(following)
    decision = Decision.objects.get()
    undo = reverse("admin:moderation_review_undo", args=[decision.pk])
    assert f'action="{undo}"' in page
    assert "<strong>Rejected.</strong>" in page
    back = client.post(undo, follow=True)
    assert back.redirect_chain[-1][0] == desk_of(review)
    review.refresh_from_db()
    post = Post.objects.get(pk=review.post_id)
    assert (review.state, review.holder) == (ReviewState.OPEN, ada)
    assert post.status == Status.IN_REVIEW
    assert Author.objects.get(pk=post.author_id).standing == Standing.NEW
    assert f'action="{undo}"' not in back.content.decode()


def test_the_last_decision_is_undone_from_the_queue(
    ada: User, review: Review, as_user: ClientFor
) -> None:
    page = as_user(ada).post(desk_of(review), DECISION, follow=True).content.decode()
    undo = reverse("admin:moderation_review_undo", args=[Decision.objects.get().pk])
    assert f'action="{undo}?' in page


def test_nobody_undoes_what_another_decided(
    ada: User, lea: User, review: Review, as_user: ClientFor
) -> None:
    as_user(ada).post(desk_of(review), DECISION)
    undo = reverse("admin:moderation_review_undo", args=[Decision.objects.get().pk])
    assert as_user(lea).post(undo).status_code == 403
    assert Post.objects.get(pk=review.post_id).status == Status.REJECTED
    assert (
        "data-undo"
        not in as_user(lea).get(reverse("admin:moderation_review_changelist")).content.decode()
    )


def test_when_it_is_too_late_to_undo_the_way_to_a_reversal_is_shown(
    ada: User, review: Review, as_user: ClientFor
) -> None:
    client = as_user(ada)
    client.post(desk_of(review), DECISION)
    Decision.objects.update(decided_at=timezone.now() - timedelta(seconds=11))
    undo = reverse("admin:moderation_review_undo", args=[Decision.objects.get().pk])
    answer = client.post(undo, follow=True)
    post_page = reverse("admin:moderation_post_change", args=[review.post_id])
    assert answer.redirect_chain[-1][0] == post_page
    assert "can still be reversed" in answer.content.decode()
    assert Post.objects.get(pk=review.post_id).status == Status.REJECTED


# Pictures, videos, what is hard to look at


def attached(review: Review, kind: MediaKind = MediaKind.IMAGE, **fields: Any) -> MediaItem:
    return MediaItem.objects.create(
        community=review.community,
        author=review.post.author,
        post=review.post,
        kind=kind,
        state=MediaState.READY,
        alt_text="Waves",
        **fields,
    )


def found_in(item: MediaItem, review: Review, **fields: Any) -> None:
    ProviderResult.objects.create(
        submission=review.post.submissions.get(),
        part_kind=Part.VIDEO if item.kind == MediaKind.VIDEO else Part.IMAGE,
        part_key=media_key(item.pk),
        outcome=Outcome.JUDGED,
        **fields,
    )


@pytest.mark.parametrize(
    ("veils", "checked"),
    [
        (None, {"blur", "grey"}),
        ({"": []}, set()),
        ({"": ["small"]}, {"small"}),
        ({"violence": ["small"]}, {"blur", "grey"}),
        ({"": ["bogus", "blur"]}, {"blur"}),
    ],
)
def test_pictures_meet_each_person_as_they_chose(
    veils: dict[str, list[str]] | None,
    checked: set[str],
    ada: User,
    review: Review,
    as_user: ClientFor,
) -> None:
    if veils is not None:
        DeskPreferences.objects.create(user=ada, veils=veils)
    item = attached(review)
    page = as_user(ada).get(desk_of(review)).content.decode()
    for veil in ("blur", "grey", "small"):
        is_on = f'id="{veil}-{item.pk}" data-veil="{veil}" checked' in page
        assert is_on == (veil in checked), veil
    assert f'id="mute-{item.pk}"' not in page


def test_boxes_that_a_provider_drew_lie_over_the_picture(
    ada: User, review: Review, as_user: ClientFor
) -> None:
    item = attached(review)
    boxes = [[0.1, 0.25, 0.5, 2.0, "<b>"], ["broken"], [None, 0, 0, 0, "x"]]
    found_in(item, review, provider="local_image", regions=boxes)
    page = as_user(ada).get(desk_of(review)).content.decode()
    assert '<rect x="0.1" y="0.25" width="0.5" height="1.0"' in page
    assert page.count("<rect") == 1
    assert "Marked: &lt;b&gt;" in page


def test_a_video_is_shown_moment_by_moment(ada: User, review: Review, as_user: ClientFor) -> None:
    item = attached(review, MediaKind.VIDEO, frames=["a.jpg", "b.jpg"], frame_seconds=[0.0, 2.5])
    frames = [
        {"second": 0.0, "scores": {"sexual": 0.1}},
        {"second": 2.5, "scores": {"sexual": 0.9}},
    ]
    found_in(item, review, provider="local_video", raw={"frames": frames})
    labels = [{"Timestamp": 4000, "ModerationLabel": {"Name": "<i>Blood", "Confidence": 80.0}}]
    found_in(item, review, provider="rekognition_video", raw={"ModerationLabels": labels})
    page = as_user(ada).get(desk_of(review)).content.decode()
    assert 'data-seek="2.5"' in page
    assert 'data-seek="4.0"' in page
    assert "&lt;i&gt;Blood <strong>0.80</strong>" in page
    assert page.count("gh-moment-striking") == 2
    assert part_frame(item, 1) in page
    assert f'id="mute-{item.pk}" data-veil="mute" checked' in page
    assert " muted>" in page


def part_frame(item: MediaItem, number: int) -> str:
    return reverse("admin:moderation_review_frame", args=[item.pk, number])


@pytest.mark.parametrize(
    "raw",
    [
        {"frames": "x"},
        {"frames": [{"scores": [1]}, 7]},
        {"ModerationLabels": [{"Timestamp": "x"}, {"ModerationLabel": 3}]},
        {"worst_frames": [["LIKELY", "soon"], 3, [1, 2, 3]]},
        {"detections": [{"frame": "x", "confidence": True}]},
    ],
)
@pytest.mark.parametrize(
    "provider", ["local_video", "local_image", "rekognition_video", "google_video", "hive"]
)
def test_evidence_in_another_form_is_left_out(
    raw: dict[str, Any], provider: str, ada: User, review: Review, as_user: ClientFor
) -> None:
    item = attached(review, MediaKind.VIDEO, frames=["a.jpg"], frame_seconds=[0.0])
    found_in(item, review, provider=provider, raw=raw)
    assert as_user(ada).get(desk_of(review)).status_code == 200


def test_stills_are_shown_to_those_who_moderate_there(
    ada: User, root: User, review: Review, elsewhere: Community, as_user: ClientFor
) -> None:
    name = default_storage.save("test/still.jpg", ContentFile(b"jpeg"))
    item = attached(review, MediaKind.VIDEO, frames=[name])
    answer = as_user(ada).get(part_frame(item, 0))
    assert (answer.status_code, answer.content) == (200, b"jpeg")
    assert answer["Cache-Control"].startswith("private, no-store")
    assert as_user(ada).get(part_frame(item, 1)).status_code == 404
    theirs = attached(queued(elsewhere), MediaKind.VIDEO, frames=[name])
    assert as_user(ada).get(part_frame(theirs, 0)).status_code == 404
    assert as_user(root).get(part_frame(theirs, 0)).status_code == 200


def graphic(garden: Community, number: int) -> list[Review]:
    reviews = [queued(garden) for _ in range(number)]
    Review.objects.update(category="graphic")
    return reviews


def test_after_many_hard_items_a_break_is_suggested_until_it_is_waved_aside(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    Community.objects.update(break_after=2)
    one, two, three, four = graphic(garden, 4)
    client = as_user(ada)
    assert "Time for a break?" not in client.get(desk_of(one)).content.decode()
    # The same item once more is no other item.
    assert "Time for a break?" not in client.get(desk_of(one)).content.decode()
    assert "You opened 2 items" in client.get(desk_of(two)).content.decode()
    client.post(part_of(two, "rested"))
    assert "Time for a break?" not in client.get(desk_of(three)).content.decode()
    assert "You opened 4 items" in client.get(desk_of(four)).content.decode()
    assert ExposureDay.objects.get().seen == 4


def test_where_the_lead_wants_no_breaks_none_is_suggested(
    ada: User, garden: Community, as_user: ClientFor
) -> None:
    Community.objects.update(break_after=0)
    pages = [as_user(ada).get(desk_of(item)).content.decode() for item in graphic(garden, 3)]
    assert not any("Time for a break?" in page for page in pages)


def test_items_of_other_categories_are_not_counted(
    ada: User, review: Review, as_user: ClientFor
) -> None:
    as_user(ada).get(desk_of(review))
    assert not ExposureDay.objects.exists()


def test_the_lead_sets_the_break_where_the_community_is_set_up(
    lea: User, garden: Community, as_user: ClientFor
) -> None:
    page = as_user(lea).get(reverse("admin:moderation_community_change", args=[garden.pk]))
    assert "Suggest a break after" in page.content.decode()


# Preferences

PREFERENCES = "admin:moderation_desk_preferences"


def filled(as_user: ClientFor, who: User, **changed: str) -> dict[str, str]:
    """Return what the page's form sends when only some of it is changed."""
    form = as_user(who).get(reverse(PREFERENCES)).context
    fields = {
        field.name: "on" if field.value() is True else str(field.value() or "")
        for which in ("keys", "veils", "lease")
        for field in form[which]
        if field.value() is not False
    }
    return {**fields, **changed}


def test_a_key_is_moved_and_shown_on_its_button(
    ada: User, review: Review, as_user: ClientFor
) -> None:
    client = as_user(ada)
    answer = client.post(reverse(PREFERENCES), filled(as_user, ada, block="X", skip=""))
    assert answer.status_code == 302
    page = client.get(desk_of(review)).content.decode()
    assert 'value="block" data-key="x"' in page
    assert 'value="skip" data-leaves' in page
    assert DeskPreferences.objects.get().keys == {"block": "x", "skip": ""}


def test_keys_can_be_switched_off_as_a_whole(ada: User, review: Review, as_user: ClientFor) -> None:
    fields = filled(as_user, ada)
    del fields["keys_on"]
    as_user(ada).post(reverse(PREFERENCES), fields)
    page = as_user(ada).get(desk_of(review)).content.decode()
    assert "data-key=" not in page
    assert "gh-kbd" not in page
    assert "Single keys are switched off." in page


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"block": "a"}, "a is taken: Approve."),
        ({"block": "3"}, "digits pick reasons"),
        ({"block": "\t"}, ""),
        ({"lease_minutes": "7"}, "Select a valid choice"),
    ],
)
def test_keys_that_cannot_work_are_refused(
    changed: dict[str, str], said: str, ada: User, as_user: ClientFor
) -> None:
    answer = as_user(ada).post(reverse(PREFERENCES), filled(as_user, ada, **changed))
    if said:
        assert answer.status_code == 400
        assert said in answer.content.decode()
        assert not DeskPreferences.objects.exists()
    else:
        # White space is no key: the field counts as empty.
        assert DeskPreferences.objects.get().keys == {"block": ""}


def test_preferences_are_each_persons_own(
    ada: User, lea: User, review: Review, as_user: ClientFor
) -> None:
    as_user(ada).post(reverse(PREFERENCES), filled(as_user, ada, block="x"))
    assert 'value="block" data-key="r"' in as_user(lea).get(desk_of(review)).content.decode()


def test_veils_are_chosen_for_each_category(ada: User, review: Review, as_user: ClientFor) -> None:
    fields = filled(as_user, ada)
    del fields["veil_graphic_blur"]
    as_user(ada).post(reverse(PREFERENCES), fields)
    item = attached(review)
    Review.objects.update(category="graphic")
    page = as_user(ada).get(desk_of(review)).content.decode()
    assert f'id="blur-{item.pk}" data-veil="blur">' in page
    assert f'id="grey-{item.pk}" data-veil="grey" checked' in page
