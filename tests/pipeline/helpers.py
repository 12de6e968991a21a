"""How these tests send posts and let the pipeline run, in this process and without a broker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from moderation import queries
from moderation.media.decode import prepare_image
from moderation.models import BankedHash, Community, Post
from moderation.pipeline import dispatch
from moderation.pipeline.record import Actor
from moderation.pipeline.submit import (
    Accepted,
    Call,
    Idempotency,
    NewPost,
    Reply,
    Result,
    Writer,
    submit,
)
from moderation.providers import registry
from moderation.vocabulary import ActorKind, Category

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
    BankedHash.objects.create(
        community=community,
        perceptual_hash=prepare_image(picture).perceptual_hash,
        category=Category.EXTREMISM,
        label="case 7",
    )
    # Providers remember a bank for seconds.
    registry.providers.cache_clear()
    try:
        yield
    finally:
        registry.providers.cache_clear()
