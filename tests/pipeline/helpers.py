"""How these tests send posts and let the pipeline run, in this process and without a broker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID, uuid4

from moderation import queries
from moderation.media.decode import prepare_image
from moderation.models import BankedHash, Community, HashBank, Post
from moderation.pipeline import dispatch
from moderation.pipeline.audit.record import Actor
from moderation.pipeline.intake.submit import (
    Accepted,
    Call,
    Idempotency,
    NewPost,
    Reply,
    Result,
    Writer,
    submit,
)
from moderation.pipeline.known.banks import save_entry
from moderation.providers import registry
from moderation.vocabulary import ActorKind, Category
from tests.factories import HashBankFactory

CLIENT = Actor(ActorKind.API_KEY, "1")

THREAT = "I will kill you, you worthless idiot"
HARMLESS = "The tomatoes are finally ripe"


def answer(results: Sequence[Result]) -> Reply:
    """Answer as an edge would: the ids of what was accepted, the codes of what was refused."""
    return Reply(
        202,
        {
            "posts": [
                str(result.post.pk) if isinstance(result, Accepted) else result.code
                for result in results
            ]
        },
    )


def send(
    community: Community,
    *bodies: str,
    writer: str = "bo",
    idempotency: Idempotency | None = None,
    **fields: object,
) -> list[Post]:
    """Submit one post a body in one call; return the stored posts."""
    posts = tuple(
        NewPost(community, Writer(writer), body=body, **fields)  # type: ignore[arg-type]
        for body in bodies
    )
    reply = submit(Call(posts, CLIENT, answer, idempotency))
    ids = [UUID(made) for made in reply.body["posts"]]
    found = Post.objects.in_bulk(ids)
    return [found[made] for made in ids]


def drain_all() -> int:
    """Decide everything that is due; return the number of verdicts."""
    queries.forget_everything()
    return sum(dispatch.drain(lane) for lane in dispatch.SCREENING_LANES)


@contextmanager
def banking(community: Community, picture: bytes) -> Iterator[None]:
    """Let a community know a picture to be extremist, as long as this lasts."""
    bank_picture(HashBankFactory.create(community=community), picture, Category.EXTREMISM)
    try:
        yield
    finally:
        registry._own_judges.cache_clear()


def bank_picture(bank: HashBank, picture: bytes, category: Category) -> BankedHash:
    """Let a bank know a picture, and every provider of this process know it at once."""
    entry = BankedHash(
        bank=bank,
        perceptual_hash=prepare_image(picture).perceptual_hash,
        category=category,
        label="case 7",
    )
    save_entry(banked=entry, user=None)
    # Providers remember a bank for seconds.
    registry._own_judges.cache_clear()
    return entry


def add_provider(monkeypatch, provider, **terms: object) -> None:  # type: ignore[no-untyped-def]
    """Let policies route to a provider of a test: one of ours, or a service on these terms."""
    if provider.is_local:
        monkeypatch.setitem(registry._own_judges(), provider.name, provider)
        return
    usual = registry.Terms(
        batch_size=32,
        media_batch_size=1,
        per_second=None,
        concurrency=8,
        timeout_seconds=5.0,
        cost_micros=0,
        daily_budget_micros=None,
        cache_seconds=0,
    )
    service = registry.Service(provider, replace(usual, **terms), changed=uuid4().hex)
    known = {**registry._services(), provider.name: service}
    monkeypatch.setattr(registry, "_services", lambda: known)
