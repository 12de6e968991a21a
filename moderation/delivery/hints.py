"""What watchers are told: that something changed, never what it says. They read it again."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from moderation import tracing
from moderation.models import AuditEvent, Post


@dataclass(frozen=True, slots=True)
class Hint:
    """A change of one post. `sequence` grows with each audit event of the post.

    `topic_id` is the topic whose page shows it: its parent, or the post itself. `trace` is the
    trace that the change belongs to, "" for none.
    """

    kind: str
    post_id: UUID
    topic_id: UUID
    author_id: int
    community_id: int
    revision: int
    sequence: int
    queue_changed: bool = False
    trace: str = ""

    @classmethod
    def of(cls, post: Post, event: AuditEvent, *, queue_changed: bool = True) -> Hint:
        """Return the hint that an audit event of a post gives to those who watch it."""
        return cls(
            kind=event.kind,
            post_id=post.pk,
            topic_id=post.parent_id or post.pk,
            author_id=post.author_id,
            community_id=post.community_id,
            revision=post.revision,
            sequence=event.sequence,
            queue_changed=queue_changed,
            trace=event.facts.get(tracing.FACT, ""),
        )

    def groups(self) -> tuple[str, ...]:
        """Return the names of those who may be watching; made here, never by a client."""
        always = (
            post_group(self.post_id),
            topic_group(self.topic_id),
            author_group(self.author_id),
        )
        return (*always, queue_group(self.community_id)) if self.queue_changed else always

    def message(self) -> dict[str, object]:
        """Return the message for a consumer's `hint` handler."""
        message: dict[str, object] = {
            "type": "hint",
            "kind": self.kind,
            "post": str(self.post_id),
            "revision": self.revision,
            "sequence": self.sequence,
        }
        return {**message, tracing.FACT: self.trace} if self.trace else message


@dataclass(frozen=True, slots=True)
class QueueHint:
    """Somebody took an open item, or gave it back: told to those who watch the queue."""

    kind: str
    post_id: UUID
    community_id: int
    revision: int

    def groups(self) -> tuple[str, ...]:
        return (queue_group(self.community_id),)

    def message(self) -> dict[str, object]:
        return {
            "type": "hint",
            "kind": self.kind,
            "post": str(self.post_id),
            "revision": self.revision,
            # No step of the post: its record has not grown.
            "sequence": 0,
        }


def post_group(post_id: UUID) -> str:
    return f"post.{post_id}"


def topic_group(topic_id: UUID) -> str:
    return f"topic.{topic_id}"


def author_group(author_id: int) -> str:
    return f"author.{author_id}"


def queue_group(community_id: int) -> str:
    return f"queue.{community_id}"
