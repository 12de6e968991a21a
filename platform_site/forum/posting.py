"""Turns what a page sent into one call of the pipeline."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from uuid import UUID

from django.contrib.auth.models import User

from moderation.coordination.author_limit import take_turn
from moderation.models import Community, Post
from moderation.pipeline.audit.record import Actor
from moderation.pipeline.intake.draft import NewPost, Writer
from moderation.pipeline.intake.edit import delete_post, edit_post
from moderation.pipeline.intake.idempotency import Idempotency, Reply
from moderation.pipeline.intake.submit import Accepted, Call, Result, submit
from moderation.pipeline.media import NewMedia
from moderation.vocabulary import ActorKind


def send(
    user: User,
    *,
    community: Community,
    channel: str,
    body: str,
    pictures: Sequence[NewMedia],
    token: UUID,
    title: str = "",
    parent_id: UUID | None = None,
) -> UUID:
    """Post a topic or a reply; return its id. Raises what the pipeline refuses it for.

    The same form sent twice is one post.
    """
    writer = Writer.for_user(user.pk, user.get_username())
    take_turn(writer.external_id)
    post = NewPost(
        community=community,
        writer=writer,
        title=title,
        body=body,
        channel=channel,
        parent_id=parent_id,
        media=tuple(pictures),
    )
    digest = _digest(post)
    reply = submit(
        Call(
            posts=(post,),
            actor=_actor(user),
            answer=_answer,
            # A changed text under the same token is a new attempt, not a repetition.
            idempotency=Idempotency(f"forum:{user.pk}", f"{token}:{digest[:16]}", digest),
        )
    )
    return UUID(reply.body["post"])


def change(
    user: User,
    post: Post,
    *,
    base_revision: int,
    title: str | None,
    body: str,
    pictures: Sequence[NewMedia],
    kept_ids: Sequence[UUID],
) -> None:
    """Store an author's new version. Raises what the pipeline refuses it for."""
    take_turn(post.author.external_id)
    edit_post(
        post_id=post.pk,
        base_revision=base_revision,
        actor=_actor(user),
        title=title,
        body=body,
        media=pictures,
        keep_media_ids=kept_ids,
    )


def remove(user: User, post: Post) -> None:
    delete_post(post_id=post.pk, actor=_actor(user))


def _actor(user: User) -> Actor:
    return Actor(ActorKind.AUTHOR, str(user.pk))


def _answer(results: Sequence[Result]) -> Reply:
    (result,) = results
    # A lone refusal is raised before it gets here.
    assert isinstance(result, Accepted)
    return Reply(201, {"post": str(result.post.pk)})


def _digest(post: NewPost) -> str:
    said = [
        post.community.pk,
        post.channel,
        str(post.parent_id or ""),
        post.title,
        post.body,
        [[item.sha256, item.alt_text] for item in post.media],
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
