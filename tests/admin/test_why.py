"""Why a post or an attachment is visible: the answer in plain words, and the whole way to it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from moderation.errors import ProviderUnavailable
from moderation.models import (
    AuditEvent,
    Community,
    DeliveryAttempt,
    Endpoint,
    LanePause,
    MediaItem,
    OutboxMessage,
    Post,
    ProviderResult,
    Submission,
)
from moderation.pipeline.intake.edit import delete_post, edit_post
from moderation.pipeline.review.reversal import reverse_enforcement
from moderation.pipeline.review.review import decide_review
from moderation.vocabulary import (
    Action,
    EndpointKind,
    Lane,
    MediaState,
    Outcome,
    Part,
    PublishingMode,
)
from tests.admin.conftest import ClientFor
from tests.admin.situations import queued
from tests.asking.fakes import FakeService, LaterService
from tests.factories import PostFactory
from tests.pipeline.helpers import CLIENT, HARMLESS, THREAT, add_provider, drain_all, send
from tests.pipeline.test_enforce import use_policy

# As many as it takes for a post that all kinds of things have happened to.
MOST_QUERIES = 30


def change(community: Community, **fields: object) -> None:
    Community.objects.filter(pk=community.pk).update(**fields)
    community.refresh_from_db()


def why_page(post: Post) -> str:
    return reverse("admin:moderation_post_why", args=[post.pk])


def read(client: Any, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_what_was_published_before_its_verdict_says_so_and_what_it_waits_for(
    garden: Community, ada: User, as_user: ClientFor
) -> None:
    change(garden, text_mode=PublishingMode.PUBLISH_THEN_VERIFY, open_to_site_users=True)
    [post] = send(garden, THREAT)
    page = read(as_user(ada), why_page(post))
    assert "Why is this still visible?" in page
    assert "Everyone can see it." in page
    assert "has no verdict yet, and the community publishes first and checks behind." in page
    assert "It has waited for a worker for" in page
    assert "in the lane of New and watched authors (screen.high)" in page
    drain_all()
    page = read(as_user(ada), why_page(post))
    assert "Why is this hidden?" in page
    assert "it was taken down" in page
    assert "the policy&#x27;s verdict (block), hides it from readers." in page
    assert "local_text" in page


def test_a_paused_lane_is_named(garden: Community, ada: User, as_user: ClientFor) -> None:
    [post] = send(garden, HARMLESS)
    LanePause.objects.create(lane=Lane.SCREEN_HIGH)
    assert "somebody paused its lane" in read(as_user(ada), why_page(post))


def test_who_let_it_pass_is_named_and_what_reversing_that_would_do(
    garden: Community, lea: User, ada: User, as_user: ClientFor
) -> None:
    review = queued(garden)
    decision = decide_review(
        review_id=review.pk,
        moderator=ada,
        action=Action.ALLOW,
        reason="It is a joke.",
        seen_revision=1,
    )
    page = read(as_user(lea), why_page(review.post))
    enforcement = decision.enforcement
    assert f"Enforcement {enforcement.pk}, a decision of ada (allow), shows it to everyone" in page
    assert f"Reversing enforcement {enforcement.pk}: then only its author and moderators" in page
    assert (
        reverse("admin:moderation_enforcement_reverse", args=[review.post_id, enforcement.pk])
        in page
    )
    reverse_enforcement(enforcement_id=enforcement.pk, moderator=lea, reason="It insults.")
    page = read(as_user(lea), why_page(review.post))
    assert "no longer counts: lea reversed it." in page
    assert "held" in page


def test_a_service_that_fails_or_answers_later_is_named(
    garden: Community, ada: User, as_user: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    down = FakeService(f"down-{uuid4().hex[:8]}", ProviderUnavailable("No."))
    later = LaterService(f"later-{uuid4().hex[:8]}")
    add_provider(monkeypatch, down)
    add_provider(monkeypatch, later)
    use_policy(garden, route={"text": [down.name, later.name]})
    [post] = send(garden, HARMLESS)
    drain_all()
    page = read(as_user(ada), why_page(post))
    assert f"It has waited for {later.name} for" in page
    assert f"Asked without an answer: {down.name}." in page
    assert "began to look at the text, and answers later" in page


def test_a_deleted_post_says_that_nothing_brings_it_back(
    garden: Community, ada: User, as_user: ClientFor
) -> None:
    [post] = send(garden, HARMLESS)
    delete_post(post_id=post.pk, actor=CLIENT)
    page = read(as_user(ada), why_page(post))
    assert "it was deleted" in page
    assert "Nothing brings a deleted post back." in page


def picture(post: Post, **fields: Any) -> MediaItem:
    values = {"state": MediaState.READY, "content_type": "image/png", **fields}
    return MediaItem.objects.create(
        community=post.community, author=post.author, post=post, **values
    )


def media_page(item: MediaItem) -> str:
    return reverse("admin:moderation_media_why", args=[item.pk])


def test_each_attachment_has_its_own_answer(
    garden: Community, ada: User, as_user: ClientFor
) -> None:
    change(garden, open_to_site_users=True)
    post = PostFactory(community=garden, visibility="public", status="approved")
    ready = picture(post)
    waiting = picture(post, state=MediaState.WAITING)
    refused = picture(post, state=MediaState.REFUSED, refusal="It is too large.")
    gone = picture(post, removed_in_revision=1, added_in_revision=0)
    client = as_user(ada)
    assert "Everyone can open it, by its address." in read(client, media_page(ready))
    assert "we have no copy of it yet" in read(client, media_page(waiting))
    assert "It is too large." in read(client, media_page(refused))
    assert "revision 1 is without it" in read(client, media_page(gone))
    for item in (ready, waiting, refused, gone):
        assert media_page(item) in read(client, why_page(post))


def test_what_was_pasted_leads_there(garden: Community, ada: User, as_user: ClientFor) -> None:
    post = PostFactory(community=garden)
    item = picture(post)
    posts = reverse("admin:moderation_post_changelist")
    client = as_user(ada)
    for pasted in (f"https://forum.example.org/media/{item.pk}?token=1", str(item.pk)):
        answer = client.get(posts, {"q": pasted})
        assert (answer.status_code, answer["Location"]) == (302, media_page(item))
    for pasted in (f"https://forum.example.org/p/{post.pk}/", f" {post.pk} "):
        assert str(post.pk) in read(client, f"{posts}?q={pasted}")
    assert why_page(post) in read(client, reverse("admin:moderation_post_change", args=[post.pk]))


def test_another_communitys_post_is_explained_to_nobody(
    elsewhere: Community, ada: User, as_user: ClientFor
) -> None:
    item = picture(PostFactory(community=elsewhere))
    client = as_user(ada)
    assert item.post is not None
    for address in (why_page(item.post), media_page(item)):
        assert client.get(address).status_code == 404
    answer = client.get(reverse("admin:moderation_post_changelist"), {"q": str(item.pk)})
    assert answer.status_code == 200


def test_deliveries_are_on_the_way_and_named_only_to_those_who_may_see_them(
    garden: Community, ada: User, rea: User, root: User, as_user: ClientFor
) -> None:
    [post] = send(garden, HARMLESS)
    deliver_once(garden, post, error="HTTP 500")
    page = read(as_user(root), why_page(post))
    assert "<bdi>Our hook</bdi>" in page
    assert "was not reached: post.submitted" in page
    assert "1 to deliver: Webhook" in page
    page = read(as_user(rea), why_page(post))
    assert "Our hook" not in page
    assert "was not reached: post.submitted" in page


def deliver_once(community: Community, post: Post, *, error: str = "") -> None:
    endpoint = Endpoint.objects.create(
        community=community, kind=EndpointKind.WEBHOOK, name="Our hook", url="https://hook.example"
    )
    event = AuditEvent.objects.get(subject_id=str(post.pk), kind="post.submitted")
    message = OutboxMessage.objects.create(
        endpoint=endpoint, event=event, message_id=uuid4().hex, event_type=event.kind
    )
    for number in range(1, 4):
        DeliveryAttempt.objects.create(message=message, number=number, latency_ms=12.5, error=error)


def test_words_of_others_are_text_wherever_they_stand(
    garden: Community, ada: User, as_user: ClientFor
) -> None:
    nasty = "<script>alert(1)</script>"
    post = PostFactory(community=garden, title=nasty, body=nasty)
    picture(post, state=MediaState.REFUSED, refusal=nasty)
    assert nasty not in as_user(ada).get(why_page(post)).content.decode()


def test_a_long_way_costs_no_more_queries_than_a_short_one(
    garden: Community, lea: User, as_user: ClientFor, django_assert_max_num_queries: Any
) -> None:
    client = as_user(lea)
    post = a_lot_happened(garden, lea, times=1)
    client.get(why_page(post))
    with django_assert_max_num_queries(MOST_QUERIES) as short:
        client.get(why_page(post))
    few = len(short)
    post = a_lot_happened(garden, lea, times=10)
    client.get(why_page(post))
    with django_assert_max_num_queries(MOST_QUERIES) as long:
        client.get(why_page(post))
    # What a process remembers for a second may be read again: less than one for each revision.
    assert len(long) < few + 6


def a_lot_happened(community: Community, lead: User, *, times: int) -> Post:
    review = queued(community)
    post = review.post
    decision = decide_review(
        review_id=review.pk, moderator=lead, action=Action.BLOCK, reason="No.", seen_revision=1
    )
    reverse_enforcement(enforcement_id=decision.enforcement.pk, moderator=lead, reason="Yes.")
    for number in range(times):
        post = edit_post(
            post_id=post.pk, actor=CLIENT, base_revision=None, body=f"{HARMLESS} {number}"
        )
        drain_all()
        submission = Submission.objects.filter(post=post).latest("pk")
        gone = picture(post, state=MediaState.REFUSED, removed_in_revision=post.revision + 1)
        ProviderResult.objects.create(
            submission=submission,
            provider=f"service-{number}",
            part_kind=Part.IMAGE,
            part_key=f"media:{gone.pk}",
            outcome=Outcome.FAILED,
            error="late",
        )
    return post


def test_the_trace_is_linked_where_the_operator_says(
    garden: Community, ada: User, as_user: ClientFor, settings: Any
) -> None:
    settings.MODERATION = {
        **settings.MODERATION,
        "trace_page": "https://jaeger.example/trace/{trace}",
    }
    review = queued(garden)
    trace = uuid4().hex
    event = AuditEvent.objects.get(subject_id=str(review.post_id), kind="post.queued")
    traced = {**event.facts, "trace": f"00-{trace}-b7ad6b7169203331-01"}
    event.pk, event.sequence, event.facts = None, event.sequence + 1, traced
    event.save()
    for address in (
        why_page(review.post),
        reverse("admin:moderation_post_change", args=[review.post_id]),
    ):
        page = read(as_user(ada), address)
        assert f'href="https://jaeger.example/trace/{trace}"' in page
