"""`seed_demo`: a community that covers what can become of a post, founded once."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command
from PIL import Image

from moderation import queries
from moderation.media.pdq import hamming, pdq_hash
from moderation.models import AuditEvent, Community, CommunityWord, Post, Review
from moderation.providers import registry
from moderation.vocabulary import Action, ReviewState, Status, Visibility, WordAction
from platform_site.forum.demo import PASSWORD, script
from platform_site.forum.demo.pictures import draw
from platform_site.forum.models import Board


@pytest.fixture
def demo(db):
    # The bank of pictures is read every few seconds only; another test may just have read its own.
    registry._own_judges.cache_clear()
    call_command("seed_demo", verbosity=0)
    return Community.objects.get(slug="demo")


def test_the_demo_shows_what_can_become_of_a_post(demo, client):
    posts = Post.objects.filter(community=demo)
    assert not posts.filter(status=Status.PENDING).exists()
    assert posts.filter(status=Status.APPROVED, visibility=Visibility.PUBLIC).count() > 20
    rejected = posts.filter(status=Status.REJECTED)
    assert rejected.filter(enforcements__decision__isnull=False).exists()
    assert rejected.exclude(enforcements__decision__isnull=False).exists()
    assert rejected.filter(verdicts__provider="hash_bank").exists()
    assert posts.filter(enforcements__action=Action.WARN, status=Status.APPROVED).exists()
    assert Review.objects.filter(community=demo, state=ReviewState.OPEN).exists()
    words = CommunityWord.objects.filter(community=demo)
    assert {word.action for word in words} == set(WordAction)
    assert demo.policy is not None


def test_the_demos_people_can_sign_in_and_do_what_their_roles_say(demo, django_user_model):
    people = {user.username: user for user in django_user_model.objects.all()}
    assert set(people) == {"ada", "ben", "lena", "rey", "olga", "bo", "cy"}
    assert all(user.check_password(PASSWORD) for user in people.values())
    assert people["ada"].has_perm("moderation.decide_review")
    assert not people["ada"].has_perm("moderation.reverse_enforcement")
    assert people["lena"].has_perm("moderation.reverse_enforcement")
    assert people["rey"].has_perm("moderation.view_review")
    assert not people["rey"].has_perm("moderation.decide_review")
    assert not people["bo"].is_staff
    assert {name for name, user in people.items() if queries.moderates(user, demo.pk)} == {
        "ada",
        "ben",
        "lena",
        "rey",
    }


def test_founding_it_again_changes_nothing(demo):
    before = (Post.objects.count(), AuditEvent.objects.count(), Board.objects.count())
    call_command("seed_demo", verbosity=0)
    assert (Post.objects.count(), AuditEvent.objects.count(), Board.objects.count()) == before


def test_a_founding_that_was_cut_short_is_finished(demo):
    before = Post.objects.count()
    Board.objects.all().delete()
    call_command("seed_demo", verbosity=0)
    assert Board.objects.count() == len(script.BOARDS)
    assert Post.objects.count() == before


def test_the_banned_hash_is_the_posters():
    picture = Image.open(io.BytesIO(draw("poster")))
    digest, _quality = pdq_hash(picture)
    assert hamming(digest, script.BANNED_HASH) <= 8


def test_the_command_says_what_it_did(db):
    out = io.StringIO()
    call_command("seed_demo", stdout=out)
    assert PASSWORD in out.getvalue()
    call_command("seed_demo", stdout=out)
    assert "there already" in out.getvalue()
