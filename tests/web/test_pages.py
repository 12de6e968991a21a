"""Who sees what on the forum's pages."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.urls import reverse

from moderation import queries as read
from moderation.models import Author, Post, Review
from moderation.pipeline.review.review import decide_review
from moderation.vocabulary import Action, Category, Status, Visibility
from platform_site.forum import queries
from tests.factories import PostFactory, site_author
from tests.pipeline.helpers import THREAT, drain_all

# Each would run, or close its element, where it is written into a page as it is.
PAYLOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onfocus=alert(1) autofocus='",
    "</textarea><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "javascript:alert(1)",
    "http://a.example/\"onmouseover='alert(1)'",
    "{{ 7|add:'7' }}{% now 'Y' %}",
)


def test_the_boards_and_their_newest_topic_stand_on_the_first_page(of, bo, board):
    topic = of(bo).start(title="Ripe at last")
    page = of().read("home")
    assert board.name in page
    assert topic.title in page


def test_a_topic_is_there_for_everyone_at_once(of, bo):
    topic = of(bo).start()
    assert topic.status == Status.PENDING
    page = of().read("topic", topic.pk)
    assert "The tomatoes are finally ripe." in page
    assert "Being checked" not in page


def test_the_author_is_told_that_the_check_is_running(of, bo):
    topic = of(bo).start()
    assert "Live, being checked" in of(bo).read("topic", topic.pk)


def test_the_author_is_told_that_the_check_went_well(of, bo):
    topic = of(bo).start()
    drain_all()
    assert "Everyone can read it." in of(bo).read("post", topic.pk)


@pytest.mark.parametrize("page", ["topic", "post", "post_card", "topic_row"])
def test_what_was_taken_down_is_not_there_for_anybody_else(of, bo, cy, page):
    topic = of(bo).start(body=THREAT)
    assert of(cy).get("topic", topic.pk).status_code == 200
    drain_all()
    for stranger in (of(), of(cy)):
        answer = stranger.get(page, topic.pk)
        assert answer.status_code == 404
        assert THREAT not in answer.content.decode()


def test_what_was_taken_down_leaves_the_lists(of, bo, cy, board):
    topic = of(bo).start(title="A remarkable title", body=THREAT)
    drain_all()
    for page in (of(cy).read("board", board.slug), of(cy).read("home")):
        assert topic.title not in page
        assert str(topic.pk) not in page


def test_the_author_reads_why_it_was_taken_down_and_what_to_do(of, bo):
    topic = of(bo).start(title="Gate", body=THREAT)
    drain_all()
    for page in (of(bo).read("post", topic.pk), of(bo).read("my_posts")):
        assert "Taken down" in page
        assert "It reads like" in page
        assert "What led there" in page
        assert "the automatic check" in page
        assert "Change it and send it again" in page
        assert THREAT in page


def test_whoever_may_not_write_is_not_asked_to_send_it_again(of, bo):
    topic = of(bo).start(title="Gate", body=THREAT)
    drain_all()
    Author.objects.filter(pk=topic.author_id).update(
        silenced_until=read.database_now() + timedelta(days=1)
    )
    page = of(bo).read("my_posts")
    assert "You cannot post or change anything at the moment" in page
    assert "send it again" not in page
    assert "Change and send again" not in page
    assert reverse("forum:delete", args=[topic.pk]) in page


def test_the_author_reads_the_reason_that_a_moderator_gave(of, bo, ada):
    topic = of(bo).start()
    drain_all()
    review = Review.objects.create(post=topic, community=topic.community, revision=1)
    decide_review(
        review_id=review.pk,
        moderator=ada,
        action=Action.BLOCK,
        reason="Vegetables have a board of their own.",
        seen_revision=1,
        category=Category.OTHER,
    )
    page = of(bo).read("post", topic.pk)
    assert "Vegetables have a board of their own." in page
    assert "Decided by: a moderator." in page
    # As a word: the ids are hexadecimal and may spell it.
    assert not re.search(r"\bada\b", page)


def test_a_post_with_a_moderator_says_so(of, bo):
    topic = of(bo).start()
    Post.objects.filter(pk=topic.pk).update(status=Status.IN_REVIEW, visibility=Visibility.HELD)
    page = of(bo).read("my_posts")
    assert "With a moderator" in page
    assert "Only you can see it until a moderator has looked." in page


def test_my_posts_are_mine_alone(of, bo, cy):
    of(bo).start(title="By Bo")
    assert "By Bo" not in of(cy).read("my_posts")
    assert "By Bo" in of(bo).read("my_posts")


@pytest.mark.parametrize("away", ["taken down", "deleted"])
def test_who_replied_no_longer_reads_a_topic_that_is_gone_by_their_reply(of, bo, cy, away):
    topic = of(bo).start(title="A title that is gone")
    reply = of(cy).reply(topic)
    assert topic.title in of(cy).read("my_posts")
    if away == "deleted":
        of(bo).client.post(reverse("forum:delete", args=[topic.pk]))
    else:
        Post.objects.filter(pk=topic.pk).update(visibility=Visibility.HIDDEN)
    for name, *args in (("my_posts",), ("post", reply.pk), ("edit", reply.pk)):
        page = of(cy).read(name, *args)
        assert reply.body in page
        assert topic.title not in page


def test_a_card_as_its_author_sees_it_is_for_its_author(of, bo, cy):
    topic = of(bo).start()
    address = reverse("forum:post_card", args=[topic.pk]) + "?as=own"
    assert "post--own" in of(bo).client.get(address).content.decode()
    shown = of(cy).client.get(address)
    assert shown.status_code == 200
    assert "post--own" not in shown.content.decode()


@pytest.mark.parametrize("page", ["topic", "post", "post_card", "topic_row"])
def test_what_a_clients_community_publishes_is_not_published_here(of, bo, cy, community, page):
    topic = of(bo).start()
    community.open_to_site_users = False
    community.save()
    for reader in (None, cy):
        assert of(reader).get(page, topic.pk).status_code == 404
    assert topic.title not in of(cy).read("home")


@pytest.mark.parametrize("page", ["edit", "delete"])
def test_nobody_changes_the_post_of_another(of, bo, cy, page):
    topic = of(bo).start()
    address = reverse(f"forum:{page}", args=[topic.pk])
    assert of(cy).client.get(address).status_code == 404
    answer = of(cy).client.post(address, {"body": "Mine now", "base_revision": 1})
    assert answer.status_code == 404
    topic.refresh_from_db()
    assert (topic.revision, topic.deleted_at) == (1, None)


@pytest.mark.parametrize("name", ["my_posts"])
def test_pages_about_oneself_ask_who_one_is(of, name):
    answer = of().get(name)
    assert answer.status_code == 302
    assert answer["location"].startswith("/accounts/login/")


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_that_people_write_becomes_part_of_the_page(of, bo, cy, board, payload):
    bo.username = payload[:150]
    bo.save()
    topic = of(bo).start(title=payload, body=payload)
    of(bo).reply(topic, body=payload)
    for page in (
        of(bo).read("my_posts"),
        of(bo).read("edit", topic.pk),
        of(bo).read("delete", topic.pk),
        of(cy).read("topic", topic.pk),
        of(cy).read("board", board.slug),
        of(cy).read("home"),
    ):
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "<svg onload" not in page
        assert "' onfocus=" not in page
        assert 'href="javascript:' not in page
        assert "onmouseover='" not in page
        if "<" in payload:
            assert payload not in page


def test_links_in_a_post_are_followed_by_people_only(of, bo):
    topic = of(bo).start(body="See http://tomatoes.example/ripe for more.")
    page = of().read("topic", topic.pk)
    assert '<a href="http://tomatoes.example/ripe" rel="nofollow">' in page


def test_paragraphs_stay_paragraphs(of, bo):
    topic = of(bo).start(body="First.\n\nSecond\nline.")
    assert "<p>First.</p>\n\n<p>Second<br>line.</p>" in of().read("topic", topic.pk)


def test_a_page_is_kept_by_no_cache(of, bo):
    topic = of(bo).start()
    assert "no-store" in of().get("topic", topic.pk)["cache-control"]


def test_a_page_brings_no_script_or_style_of_its_own(of, bo):
    topic = of(bo).start()
    for page in (of(bo).read("topic", topic.pk), of().read("home")):
        assert "style=" not in page
        assert "onclick=" not in page
        assert page.count("<script") == page.count("<script src=")


def test_what_is_not_there_has_a_page_too(of):
    answer = of().get("topic", uuid.uuid4())
    assert answer.status_code == 404
    assert "Not here" in answer.content.decode()


def test_a_place_in_a_list_that_is_none_is_refused(of, board):
    answer = of().client.get(reverse("forum:board", args=[board.slug]), {"before": "yesterday"})
    assert answer.status_code == 400


def test_every_topic_of_a_board_is_reached_by_turning_pages(of, community, bo, board, monkeypatch):
    monkeypatch.setattr(queries, "TOPICS_PER_PAGE", 3)
    author = site_author(bo, community)
    made = {PostFactory.create(author=author, channel=board.slug).pk for _ in range(8)}
    found, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = queries.board_page(bo, board.slug, cursor)
        found += [entry.card.post.pk for entry in page.topics]
        cursor, pages = page.next_cursor, pages + 1
    assert pages == 3
    assert found == sorted(made, reverse=True)


def test_every_reply_is_reached_in_both_directions(community, bo, monkeypatch):
    monkeypatch.setattr(queries, "REPLIES_PER_PAGE", 3)
    author = site_author(bo, community)
    topic = PostFactory.create(author=author)
    made = sorted(PostFactory.create(author=author, parent=topic).pk for _ in range(8))

    def shown(**place):
        page = queries.topic_page(bo, topic.pk, **place)
        return [card.post.pk for card in page.replies], page

    first, page = shown()
    second, page = shown(at=page.next_cursor)
    third, last = shown(at=page.next_cursor)
    assert first + second + third == made
    assert last.is_last
    back, page = shown(before=last.previous_cursor)
    assert back == second
    assert shown(before=page.previous_cursor)[0] == first


def test_a_replys_address_leads_to_the_page_that_shows_it(of, community, bo, cy, monkeypatch):
    monkeypatch.setattr(queries, "REPLIES_PER_PAGE", 2)
    author = site_author(bo, community)
    topic = PostFactory.create(author=author)
    replies = [PostFactory.create(author=author, parent=topic) for _ in range(5)]
    answer = of(cy).client.get(reverse("forum:post", args=[replies[4].pk]), follow=True)
    assert f'id="post-{replies[4].pk}"' in answer.content.decode()


def test_readers_are_warned_of_what_was_let_through_with_a_warning(of, bo, cy, ada):
    topic = of(bo).start()
    drain_all()
    review = Review.objects.create(post=topic, community=topic.community, revision=1)
    decide_review(
        review_id=review.pk,
        moderator=ada,
        action=Action.WARN,
        reason="Mind the children.",
        seen_revision=1,
        category=Category.PROFANITY,
    )
    assert "This may contain strong language." in of(cy).read("topic", topic.pk)
    assert "Mind the children." not in of(cy).read("topic", topic.pk)
    assert "Live, with a note" in of(bo).read("post", topic.pk)


@pytest.mark.parametrize(
    "name",
    [
        "account_login",
        "account_signup",
        "account_reset_password",
        "account_reset_password_done",
        "account_email_verification_sent",
    ],
)
def test_account_pages_for_visitors_wear_the_forums_dress(client, db, name):
    page = client.get(reverse(name)).content.decode()
    assert "forum/forum.css" in page
    assert 'class="masthead"' in page


@pytest.mark.parametrize(
    "name", ["account_change_password", "account_email", "account_logout", "mfa_index"]
)
def test_account_pages_for_members_wear_the_forums_dress(client, bo, name):
    client.force_login(bo)
    page = client.get(reverse(name)).content.decode()
    assert "forum/forum.css" in page
    assert 'class="masthead"' in page


def test_a_broken_link_for_a_new_password_leads_to_another_one(client, db):
    page = client.get(
        reverse("account_reset_password_from_key", args=["1", "abc"])
    ).content.decode()
    assert "This link does not work" in page
    assert reverse("account_reset_password") in page


def test_whoever_comes_to_sign_out_by_address_may_stay(client, bo):
    client.force_login(bo)
    page = client.get(reverse("account_logout")).content.decode()
    assert "Stay signed in" in page


def test_two_step_sign_in_offers_codes_once_there_is_an_app(client, bo):
    client.force_login(bo)
    page = client.get(reverse("mfa_index")).content.decode()
    assert reverse("mfa_activate_totp") in page
    assert "Recovery codes" not in page

    TOTP.activate(bo, generate_totp_secret())
    codes = RecoveryCodes.activate(bo).get_unused_codes()
    page = client.get(reverse("mfa_index")).content.decode()
    assert reverse("mfa_deactivate_totp") in page
    assert f"{len(codes)} codes left." in page


def test_the_second_step_asks_for_a_code_and_can_be_left(client, bo):
    TOTP.activate(bo, generate_totp_secret())
    bo.set_password("a-long-story-7")
    bo.save()
    fields = {"login": bo.username, "password": "a-long-story-7"}
    page = client.post(reverse("account_login"), fields, follow=True).content.decode()
    assert "The second step" in page
    assert 'form="give-up"' in page


def test_recovery_codes_are_listed_for_whoever_just_proved_who_they_are(client, bo):
    TOTP.activate(bo, generate_totp_secret())
    codes = RecoveryCodes.activate(bo).get_unused_codes()
    bo.set_password("a-long-story-7")
    bo.save()
    client.force_login(bo)
    page = client.get(reverse("mfa_view_recovery_codes"), follow=True).content.decode()
    assert "Is it you?" in page
    assert codes[0] not in page

    asked = reverse("account_reauthenticate") + "?next=" + reverse("mfa_view_recovery_codes")
    page = client.post(asked, {"password": "a-long-story-7"}, follow=True).content.decode()
    assert all(code in page for code in codes)


def test_signing_up_leads_into_the_forum(client, db):
    fields = {
        "username": "wen",
        "password1": "a-long-story-7",
        "password2": "a-long-story-7",
        "email": "",
    }
    answer = client.post(reverse("account_signup"), fields, follow=True)
    assert answer.status_code == 200
    assert "wen" in answer.content.decode()
    assert answer.request["PATH_INFO"] == "/"
