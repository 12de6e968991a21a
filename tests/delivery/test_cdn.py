"""A cache that a community has set up: what it may keep, and that it forgets what is hidden."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from moderation import queries, webhooks
from moderation.delivery import cdn, outbox
from moderation.delivery.listeners import forget_listeners
from moderation.models import Community, Endpoint, MediaItem, OutboxMessage, Post
from moderation.pipeline.audit.record import MACHINE, Event, record_events
from moderation.pipeline.intake.edit import delete_post, edit_post
from moderation.vocabulary import DeliveryState, EndpointKind, MediaState, Visibility
from moderation.webhooks import SetUp
from tests.delivery.helpers import deliver, make_due
from tests.delivery.receiver import Answer, Receiver
from tests.factories import PostFactory, UserFactory, site_author
from tests.pipeline.helpers import CLIENT

pytestmark = pytest.mark.django_db

SITE = "https://media.garden.example"
AddCache = Callable[..., Endpoint]


@pytest.fixture
def add_cache(garden: Community, receiver: Receiver) -> AddCache:
    def add(service: str, by: str = cdn.BY_KEY, **options: str) -> Endpoint:
        zone = {} if service == "varnish" else {"zone": "zone1"}
        endpoint, _ = webhooks.add_endpoint(
            community=garden,
            kind=EndpointKind.CDN,
            wanted=SetUp(
                name="Edge",
                url=receiver.url(""),
                options={"service": service, "by": by, "site": SITE, **zone, **options},
                token="t0ken",
            ),
            user=None,
        )
        return endpoint

    return add


@pytest.fixture
def picture(garden: Community) -> Iterator[MediaItem]:
    """A picture of a post of Bo's that everybody may see."""
    Community.objects.update(open_to_site_users=True)
    author = site_author(UserFactory.create(username="bo"), garden)
    post = PostFactory.create(author=author)
    made = MediaItem.objects.create(
        community=garden,
        author=author,
        post=post,
        state=MediaState.READY,
        content_type="image/png",
    )
    made.file.name = default_storage.save("posts/test.png", ContentFile(b"\x89PNG"))
    made.save()
    yield made
    default_storage.delete(made.file.name)


def hide(post: Post) -> None:
    Post.objects.filter(pk=post.pk).update(visibility=Visibility.HIDDEN)
    record(post, "decision.rejected", Visibility.HIDDEN)


def record(post: Post, kind: str, visibility: str) -> None:
    record_events(
        [
            Event(
                kind,
                "post",
                str(post.pk),
                MACHINE,
                community_id=post.community_id,
                facts={"visibility": visibility},
            )
        ]
    )


def fetch(item: MediaItem, client: Client | None = None) -> dict[str, str]:
    forget_listeners()
    queries.forget_everything()
    answer = (client or Client()).get(reverse("media", args=[item.pk]))
    assert answer.status_code == 200
    return dict(answer.headers)


# What it may keep


def test_without_a_cache_nobody_keeps_anything(picture: MediaItem) -> None:
    headers = fetch(picture)
    assert headers["Cache-Control"] == "private, no-store"
    assert not {"Surrogate-Control", "Surrogate-Key", "Cache-Tag", "xkey"} & set(headers)


@pytest.mark.parametrize(
    ("service", "named"),
    [
        ("fastly", ("Surrogate-Control", "Surrogate-Key")),
        ("cloudflare", ("Cloudflare-CDN-Cache-Control", "Cache-Tag")),
        ("varnish", ("Surrogate-Control", "xkey")),
    ],
)
def test_a_cache_may_keep_for_a_while_what_everybody_may_see(
    picture: MediaItem, add_cache: AddCache, service: str, named: tuple[str, str]
) -> None:
    add_cache(service, seconds="90")
    headers = fetch(picture)
    kept_by, keyed_by = named
    assert headers[kept_by] == "max-age=90"
    assert headers[keyed_by] == f"post-{picture.post_id}"
    # Browsers keep nothing, and the answer is the same for all.
    assert headers["Cache-Control"] == "no-store"
    assert "Vary" not in headers
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize("visibility", [Visibility.HELD, Visibility.HIDDEN])
def test_what_only_some_may_see_is_kept_by_nobody(
    picture: MediaItem, add_cache: AddCache, visibility: str
) -> None:
    add_cache("fastly")
    Post.objects.update(visibility=visibility)
    author = Client()
    author.force_login(picture.author.user, backend="django.contrib.auth.backends.ModelBackend")
    headers = fetch(picture, author)
    assert headers["Cache-Control"] == "private, no-store"
    assert "Surrogate-Control" not in headers


def test_that_a_file_is_not_there_is_kept_by_nobody(
    picture: MediaItem, add_cache: AddCache
) -> None:
    add_cache("fastly")
    Post.objects.update(visibility=Visibility.HIDDEN)
    answer = Client().get(reverse("media", args=[picture.pk]))
    assert answer.status_code == 404
    assert answer["Cache-Control"] == "private, no-store"


def test_a_cache_of_another_community_keeps_nothing(
    picture: MediaItem, add_cache: AddCache
) -> None:
    endpoint = add_cache("fastly")
    webhooks.disable_endpoint(endpoint_id=endpoint.pk, user=None)
    assert "Surrogate-Control" not in fetch(picture)


# What it forgets


def test_fastly_forgets_by_key(picture: MediaItem, add_cache: AddCache, receiver: Receiver) -> None:
    add_cache("fastly")
    hide(picture.post)
    deliver()
    [sent] = receiver.sent
    assert (sent.method, sent.path) == ("POST", "/service/zone1/purge")
    assert sent.headers["fastly-key"] == "t0ken"
    assert sent.json == {"surrogate_keys": [f"post-{picture.post_id}"]}


def test_fastly_forgets_by_address(
    picture: MediaItem, add_cache: AddCache, receiver: Receiver
) -> None:
    add_cache("fastly", cdn.BY_URL)
    hide(picture.post)
    deliver()
    [sent] = receiver.sent
    assert sent.path == f"/purge/media.garden.example/media/{picture.pk}"


@pytest.mark.parametrize("by", [cdn.BY_KEY, cdn.BY_URL])
def test_cloudflare_forgets(
    picture: MediaItem, add_cache: AddCache, receiver: Receiver, by: str
) -> None:
    add_cache("cloudflare", by)
    hide(picture.post)
    deliver()
    [sent] = receiver.sent
    assert (sent.method, sent.path) == ("POST", "/client/v4/zones/zone1/purge_cache")
    assert sent.headers["authorization"] == "Bearer t0ken"
    assert sent.json == (
        {"tags": [f"post-{picture.post_id}"]}
        if by == cdn.BY_KEY
        else {"files": [f"{SITE}/media/{picture.pk}"]}
    )


def test_varnish_forgets_by_key(
    picture: MediaItem, add_cache: AddCache, receiver: Receiver
) -> None:
    add_cache("varnish")
    hide(picture.post)
    deliver()
    [sent] = receiver.sent
    assert (sent.method, sent.path) == ("PURGE", "/")
    assert sent.headers["xkey"] == f"post-{picture.post_id}"


def test_varnish_forgets_by_address(
    picture: MediaItem, add_cache: AddCache, receiver: Receiver
) -> None:
    add_cache("varnish", cdn.BY_URL)
    hide(picture.post)
    deliver()
    [sent] = receiver.sent
    assert (sent.method, sent.path) == ("PURGE", f"/media/{picture.pk}")
    assert sent.headers["host"] == "media.garden.example"


def test_many_posts_are_forgotten_in_one_call(
    picture: MediaItem, garden: Community, add_cache: AddCache, receiver: Receiver
) -> None:
    add_cache("fastly")
    for _ in range(4):
        post = PostFactory.create(author=picture.author)
        MediaItem.objects.create(community=garden, author=picture.author, post=post)
        hide(post)
    hide(picture.post)
    deliver()
    [sent] = receiver.sent
    assert len(sent.json["surrogate_keys"]) == 5
    done = OutboxMessage.objects.filter(state=DeliveryState.DELIVERED)
    assert done.count() == 5


def test_a_cache_is_told_once_more_a_little_later(
    picture: MediaItem, add_cache: AddCache, receiver: Receiver
) -> None:
    add_cache("fastly")
    hide(picture.post)
    deliver()
    again = OutboxMessage.objects.get(state=DeliveryState.DUE)
    wait = again.due_at - queries.database_now()
    assert timedelta(seconds=cdn.REPEAT_SECONDS - 3) < wait
    assert wait <= timedelta(seconds=cdn.REPEAT_SECONDS)
    make_due()
    deliver()
    assert [one.body for one in receiver.sent] == [receiver.sent[0].body] * 2


def test_a_post_without_media_costs_no_call(
    garden: Community, add_cache: AddCache, receiver: Receiver
) -> None:
    add_cache("fastly")
    hide(PostFactory.create(author__community=garden))
    deliver()
    message = OutboxMessage.objects.order_by("pk").first()
    assert message is not None
    assert (message.state, message.last_error) == (DeliveryState.SKIPPED, cdn.NO_MEDIA)
    assert receiver.sent == []


@pytest.mark.parametrize(
    ("kind", "visibility", "told"),
    [
        ("post.submitted", "held", False),
        ("post.approved", "public", False),
        ("post.queued", "public", False),
        ("post.queued", "held", True),
        ("post.rejected", "hidden", True),
        ("post.edited", "public", True),
        ("post.edited", "held", True),
        ("post.deleted", "deleted", True),
        ("decision.approved", "public", False),
        ("enforcement.reversed", "hidden", True),
    ],
)
def test_whatever_takes_something_from_sight_is_told(
    picture: MediaItem, add_cache: AddCache, kind: str, visibility: str, told: bool
) -> None:
    add_cache("fastly")
    record(picture.post, kind, visibility)
    assert OutboxMessage.objects.exists() is told


def test_an_edit_and_a_deletion_are_told_as_they_happen(
    picture: MediaItem, add_cache: AddCache
) -> None:
    add_cache("fastly")
    edit_post(post_id=picture.post_id, base_revision=None, actor=CLIENT, keep_media_ids=[])
    delete_post(post_id=picture.post_id, actor=CLIENT)
    assert list(
        OutboxMessage.objects.exclude(message_id__endswith="_again")
        .order_by("pk")
        .values_list("event_type", flat=True)
    ) == ["post.edited", "post.deleted"]


def test_a_cache_that_fails_is_told_again_soon(
    picture: MediaItem, add_cache: AddCache, receiver: Receiver
) -> None:
    add_cache("fastly")
    receiver.answer(Answer(500), Answer(), path="/service/zone1/purge")
    hide(picture.post)
    deliver()
    message = OutboxMessage.objects.order_by("pk").first()
    assert message is not None
    assert message.state == DeliveryState.DUE
    assert message.due_at - queries.database_now() < timedelta(seconds=2)
    assert sum(outbox.PURGE_SCHEDULE) < 600
    OutboxMessage.objects.filter(pk=message.pk).update(due_at=Now())
    deliver()
    message.refresh_from_db()
    assert message.state == DeliveryState.DELIVERED


def test_a_cache_that_cannot_be_told_may_keep_nothing(
    picture: MediaItem, add_cache: AddCache, receiver: Receiver
) -> None:
    add_cache("fastly")
    receiver.answer(Answer(500), Answer(), path="/service/zone1/purge")
    hide(picture.post)
    deliver()
    Post.objects.update(visibility=Visibility.PUBLIC)
    assert "Surrogate-Control" not in fetch(picture)
    make_due()
    deliver()
    assert "Surrogate-Control" in fetch(picture)


def test_the_log_does_not_hold_the_token(
    picture: MediaItem, add_cache: AddCache, receiver: Receiver
) -> None:
    add_cache("cloudflare")
    hide(picture.post)
    deliver()
    message = OutboxMessage.objects.get(state=DeliveryState.DELIVERED)
    attempt = message.tries.get()
    assert "t0ken" not in str(attempt.request)
    assert attempt.request["headers"]["Authorization"] == "(hidden)"


def test_a_cache_cannot_be_told_within_our_network(
    picture: MediaItem, add_cache: AddCache, receiver: Receiver, settings: Settings
) -> None:
    add_cache("varnish")
    settings.MODERATION = {**settings.MODERATION, "delivery_allowed_hosts": frozenset()}
    hide(picture.post)
    deliver()
    assert receiver.sent == []
