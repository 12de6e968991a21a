"""What people write: authors, posts, their earlier revisions and their attachments."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now

from moderation.identifiers import new_id
from moderation.models._constraints import one_of
from moderation.models.communities import Community
from moderation.vocabulary import (
    MediaKind,
    MediaState,
    PostKind,
    Standing,
    Status,
    Visibility,
)

# A sanction without an end.
INDEFINITELY = datetime(9999, 1, 1, tzinfo=UTC)


def new_personal_key() -> bytes:
    return secrets.token_bytes(32)


class Author(models.Model):
    """Whoever posts in one community: a user of this site, or an API client's own user id."""

    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="authors")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="authors",
    )
    external_id = models.CharField(max_length=200)
    name = models.CharField(max_length=200, blank=True, default="")
    # What the name is looked up by.
    name_key = models.GeneratedField(
        expression=Lower("name"), output_field=models.CharField(max_length=200), db_persist=True
    )
    standing = models.CharField(max_length=10, choices=Standing, default=Standing.NEW)
    # Seals this person's words in the audit; destroying it erases them, and the chain stays valid.
    personal_key = models.BinaryField(null=True, default=new_personal_key, editable=False)
    # Until when what they write is held, refused, or they are kept out: what their unreversed
    # sanctions come to. None: not at all; `INDEFINITELY`: until reversed.
    held_until = models.DateTimeField(null=True, blank=True, editable=False)
    silenced_until = models.DateTimeField(null=True, blank=True, editable=False)
    suspended_until = models.DateTimeField(null=True, blank=True, editable=False)
    # How their reports of others' posts ended; says how much the next one weighs.
    reports_upheld = models.PositiveIntegerField(default=0, editable=False)
    reports_refused = models.PositiveIntegerField(default=0, editable=False)
    # Whoever keeps reporting without reason is warned, then not listened to for a time.
    reports_warned_at = models.DateTimeField(null=True, blank=True, editable=False)
    reports_muted_until = models.DateTimeField(null=True, blank=True, editable=False)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        permissions = [("erase_person", "Can erase a person and all that they wrote")]
        constraints = [
            models.UniqueConstraint(
                fields=["community", "external_id"], name="author_once_a_community"
            ),
            models.UniqueConstraint(
                fields=["community", "user"],
                condition=Q(user__isnull=False),
                name="author_once_a_user",
            ),
            one_of("standing", Standing, "author"),
        ]
        indexes = [
            # The operators let PostgreSQL find a name by its beginning under any collation.
            models.Index(
                fields=["name_key"], opclasses=["varchar_pattern_ops"], name="author_by_name"
            )
        ]

    def __str__(self) -> str:
        return self.name or self.external_id


class Post(models.Model):
    """What users read. `status` and `visibility` are the fold of its unreversed enforcements."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="posts")
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="posts")
    kind = models.CharField(max_length=10, choices=PostKind, default=PostKind.TOPIC)
    parent = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="replies"
    )
    # Where in the community it was posted, in the words of whoever sent it (a board's slug).
    channel = models.CharField(max_length=100, blank=True, default="")
    # What its client knows it by, "" when it did not say.
    reference = models.CharField(max_length=200, blank=True, default="")
    title = models.CharField(max_length=300, blank=True, default="")
    body = models.TextField(blank=True, default="")
    content_hash = models.CharField(max_length=64)
    revision = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    visibility = models.CharField(max_length=10, choices=Visibility, default=Visibility.HELD)
    # Whether readers may see the current revision before its verdict.
    shown_before_verdict = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    edited_at = models.DateTimeField(null=True, blank=True, editable=False)
    decided_at = models.DateTimeField(null=True, blank=True, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            one_of("kind", PostKind, "post"),
            one_of("status", Status, "post"),
            one_of("visibility", Visibility, "post"),
            models.CheckConstraint(
                name="post_reply_has_parent",
                condition=Q(kind=PostKind.TOPIC, parent__isnull=True)
                | Q(kind=PostKind.REPLY, parent__isnull=False),
            ),
            models.CheckConstraint(
                name="post_deleted_is_not_visible",
                condition=Q(deleted_at__isnull=True) | Q(visibility=Visibility.DELETED),
            ),
        ]
        indexes = [
            models.Index(fields=["author", "-id"], name="post_author_newest"),
            models.Index(fields=["community", "-id"], name="post_community_newest"),
            models.Index(fields=["author", "status"], name="post_author_status"),
            models.Index(
                fields=["community", "reference"],
                condition=~Q(reference=""),
                name="post_by_reference",
            ),
            models.Index(
                fields=["community", "channel", "-id"],
                condition=Q(kind=PostKind.TOPIC),
                name="post_topics_newest",
            ),
            models.Index(
                fields=["community", "decided_at"],
                condition=Q(visibility=Visibility.PUBLIC),
                name="post_public_by_decision",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} r{self.revision}"


class PostRevision(models.Model):
    """What a post said before an edit: kept, so that evidence can be shown beside its text."""

    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="revisions")
    revision = models.PositiveIntegerField()
    title = models.CharField(max_length=300, blank=True, default="")
    body = models.TextField(blank=True, default="")
    content_hash = models.CharField(max_length=64)
    replaced_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["post", "revision"], name="post_revision_once")
        ]

    def __str__(self) -> str:
        return f"{self.post_id} r{self.revision}"


class MediaItem(models.Model):
    """An attachment: where it came from, and our own re-encoded copy of it.

    `file` holds only what we encoded or packed ourselves. `frames` are the sampled stills of an
    animated image or a video, for providers; `frame_seconds` is when a video shows each, `audio`
    what is heard in it. Hashes are of what was sent (`sha256`) and of what is seen (PDQ).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="media")
    author = models.ForeignKey(Author, on_delete=models.CASCADE, related_name="media")
    post = models.ForeignKey(
        Post, on_delete=models.CASCADE, null=True, blank=True, related_name="media"
    )
    position = models.PositiveSmallIntegerField(default=0)
    # Revisions that show it: from the first, up to but not including the second.
    added_in_revision = models.PositiveIntegerField(default=1)
    removed_in_revision = models.PositiveIntegerField(null=True, blank=True)
    kind = models.CharField(max_length=10, choices=MediaKind, default=MediaKind.IMAGE)
    state = models.CharField(max_length=10, choices=MediaState, default=MediaState.WAITING)
    source_url = models.URLField(max_length=2000, blank=True, default="")
    alt_text = models.CharField(max_length=500, blank=True, default="")
    # What was uploaded, until a worker has made our copy of it. Never served.
    incoming = models.FileField(max_length=200, blank=True, default="", upload_to="incoming/")
    file = models.FileField(max_length=200, blank=True, default="")
    frames = models.JSONField(default=list, blank=True)
    # When each frame is shown, and how long it all lasts: of videos and sounds.
    frame_seconds = models.JSONField(default=list, blank=True)
    duration_seconds = models.FloatField(null=True, blank=True)
    # What is heard in a video, as a file of its own.
    audio = models.FileField(max_length=200, blank=True, default="")
    content_type = models.CharField(max_length=50, blank=True, default="")
    width = models.PositiveIntegerField(null=True, blank=True)
    height = models.PositiveIntegerField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True, default="", db_index=True)
    perceptual_hash = models.CharField(max_length=64, blank=True, default="")
    refusal = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            one_of("kind", MediaKind, "media"),
            one_of("state", MediaState, "media"),
            models.CheckConstraint(
                name="media_removed_after_added",
                condition=Q(removed_in_revision__isnull=True)
                | Q(removed_in_revision__gt=F("added_in_revision")),
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    def shows_in(self, revision: int) -> bool:
        return self.added_in_revision <= revision and (
            self.removed_in_revision is None or revision < self.removed_in_revision
        )


_MEDIA_KEYS = "media:"


def media_key(media_id: uuid.UUID) -> str:
    """How evidence names an attachment among the parts of a post."""
    return f"{_MEDIA_KEYS}{media_id}"


def is_media_key(key: str) -> bool:
    return key.startswith(_MEDIA_KEYS)


# How evidence names a post's text, and its author's display name, which readers see above it.
TEXT_KEY = "text"
NAME_KEY = "author_name"


def visible_text(title: str, body: str, alt_texts: Sequence[str]) -> str:
    """Return a post's text as its readers see it, "" for one without any."""
    return "\n".join(text for text in (title, body, *alt_texts) if text)
