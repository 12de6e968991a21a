"""Posts: submitted, read, edited and deleted."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from moderation.api.serializers.shared import LIMIT_HEADERS, QUERY, ProblemOut, answers, header
from moderation.conf import get_conf
from moderation.drafts import MAX_ALT_CHARS, MAX_CHANNEL_CHARS, MAX_ID_CHARS, MAX_URL_CHARS
from moderation.vocabulary import (
    Action,
    Category,
    MediaKind,
    MediaState,
    PostKind,
    Status,
    Visibility,
)

_LIMITS = get_conf()


class AuthorIn(serializers.Serializer[Any]):
    id = serializers.CharField(
        max_length=MAX_ID_CHARS, help_text="Your own id of the person; not beginning with `user:`."
    )
    name = serializers.CharField(max_length=MAX_ID_CHARS, required=False)


class MediaIn(serializers.Serializer[Any]):
    url = serializers.URLField(max_length=MAX_URL_CHARS)
    alt_text = serializers.CharField(max_length=MAX_ALT_CHARS, required=False)


class PostIn(serializers.Serializer[Any]):
    author = AuthorIn(
        required=False, help_text="Whose post it is: required with a key, ignored in a session."
    )
    title = serializers.CharField(max_length=_LIMITS.max_title_chars, required=False)
    body = serializers.CharField(max_length=_LIMITS.max_body_chars, required=False)
    text = serializers.CharField(
        max_length=_LIMITS.max_body_chars, required=False, help_text="Another name of `body`."
    )
    channel = serializers.CharField(max_length=MAX_CHANNEL_CHARS, required=False)
    reference = serializers.CharField(
        max_length=MAX_ID_CHARS, required=False, help_text="Your own id of the post."
    )
    # Declared fields are taken off the class, so the framework's own `parent` stays.
    parent = serializers.UUIDField(  # type: ignore[assignment]
        required=False, help_text="The topic that this replies to."
    )
    media = serializers.ListField(
        child=MediaIn(), required=False, max_length=_LIMITS.max_media_per_post
    )
    community = serializers.CharField(
        max_length=MAX_ID_CHARS,
        required=False,
        help_text="Its slug; only an organisation's key and a session must name it.",
    )


class PostFormIn(serializers.Serializer[Any]):
    author_id = serializers.CharField(max_length=MAX_ID_CHARS, required=False)
    author_name = serializers.CharField(max_length=MAX_ID_CHARS, required=False)
    title = serializers.CharField(max_length=_LIMITS.max_title_chars, required=False)
    body = serializers.CharField(max_length=_LIMITS.max_body_chars, required=False)
    channel = serializers.CharField(max_length=MAX_CHANNEL_CHARS, required=False)
    reference = serializers.CharField(max_length=MAX_ID_CHARS, required=False)
    parent = serializers.UUIDField(required=False)  # type: ignore[assignment]
    community = serializers.CharField(max_length=MAX_ID_CHARS, required=False)
    media = serializers.ListField(
        child=serializers.FileField(), required=False, max_length=_LIMITS.max_media_per_post
    )
    alt_text = serializers.ListField(
        child=serializers.CharField(max_length=MAX_ALT_CHARS), required=False
    )


class BulkIn(serializers.Serializer[Any]):
    posts = serializers.ListField(child=PostIn(), min_length=1, max_length=_LIMITS.max_bulk_items)
    community = serializers.CharField(
        max_length=MAX_ID_CHARS, required=False, help_text="For every post that names none itself."
    )


class EditIn(serializers.Serializer[Any]):
    """What is absent stays as it is."""

    title = serializers.CharField(
        max_length=_LIMITS.max_title_chars, required=False, allow_blank=True
    )
    body = serializers.CharField(
        max_length=_LIMITS.max_body_chars, required=False, allow_blank=True
    )
    text = serializers.CharField(
        max_length=_LIMITS.max_body_chars, required=False, help_text="Another name of `body`."
    )
    media = MediaIn(many=True, required=False, help_text="Attachments to add.")
    keep_media = serializers.ListField(
        child=serializers.UUIDField(), required=False, help_text="Attachments that stay."
    )


class LinksOut(serializers.Serializer[Any]):
    self = serializers.CharField()
    status = serializers.CharField()


class AcceptedOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    revision = serializers.IntegerField(min_value=1)
    status = serializers.ChoiceField(Status.choices)
    visibility = serializers.ChoiceField(Visibility.choices)
    links = LinksOut()


class ReasonOut(serializers.Serializer[Any]):
    """Why a post is where it is; only its author and its community's keys are told."""

    by = serializers.ChoiceField(["policy", "person"])
    action = serializers.ChoiceField(Action.choices)
    rule = serializers.CharField(allow_blank=True)
    category = serializers.ChoiceField(Category.choices, allow_null=True)
    text = serializers.CharField()


class StatusOut(AcceptedOut):
    decided_at = serializers.DateTimeField(allow_null=True)
    reason = ReasonOut(allow_null=True)


class AuthorOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField(allow_blank=True)


class AttachmentOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(MediaKind.choices)
    state = serializers.ChoiceField(MediaState.choices)
    alt_text = serializers.CharField(allow_blank=True)
    content_type = serializers.CharField(allow_blank=True)
    width = serializers.IntegerField(allow_null=True)
    height = serializers.IntegerField(allow_null=True)
    duration_seconds = serializers.FloatField(
        allow_null=True, help_text="How long a video or a sound lasts."
    )


class PostOut(StatusOut):
    community = serializers.CharField()
    reference = serializers.CharField(
        allow_blank=True, help_text="Your own id of the post, empty if you gave none."
    )
    kind = serializers.ChoiceField(PostKind.choices)
    parent = serializers.UUIDField(allow_null=True)  # type: ignore[assignment]
    channel = serializers.CharField(allow_blank=True)
    author = AuthorOut()
    title = serializers.CharField(allow_blank=True)
    body = serializers.CharField(allow_blank=True)
    media = AttachmentOut(many=True)
    created_at = serializers.DateTimeField()
    edited_at = serializers.DateTimeField(allow_null=True)


class PageOut(serializers.Serializer[Any]):
    results = PostOut(many=True)
    next = serializers.CharField(allow_null=True, help_text="Where the following page is.")


class BulkItemOut(serializers.Serializer[Any]):
    """Either the accepted post or what refused it."""

    index = serializers.IntegerField(min_value=0)
    status = serializers.IntegerField()
    post = AcceptedOut(required=False)
    problem = ProblemOut(required=False)


class BulkOut(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = BulkItemOut(many=True)


class AllRefusedOut(ProblemOut):
    accepted = serializers.IntegerField(required=False)
    refused = serializers.IntegerField(required=False)
    results = BulkItemOut(many=True, required=False)


_IDEMPOTENCY = [
    header("Idempotency-Key", "Makes repeating this request safe for 30 days."),
    header("Idempotent-Replayed", "`true` when this is the first answer again.", response=[202]),
]
_ETAG = header("ETag", "The revision, for If-Match.", response=True)
_WAITING = [
    header(
        "Prefer", "`wait=10`: answer when the post has its verdict, or after 10 s (at most 30)."
    ),
    header("Preference-Applied", "That the answer was held back, or needed not be.", response=True),
    header("Retry-After", "When to ask again, if the post is pending still.", response=[200]),
]
SUBMIT_POST: dict[str, Any] = {
    "operation_id": "submit_post",
    "request": {"application/json": PostIn, "multipart/form-data": PostFormIn},
    "parameters": [
        *_IDEMPOTENCY,
        *LIMIT_HEADERS,
        header("Location", "Where the post is read.", response=[202]),
    ],
    "responses": answers({202: AcceptedOut}, 400, 401, 403, 404, 409, 413, 415, 422, 429, 503),
}
SUBMIT_POSTS: dict[str, Any] = {
    "operation_id": "submit_posts",
    "request": BulkIn,
    "parameters": [*_IDEMPOTENCY, *LIMIT_HEADERS],
    "responses": answers(
        {202: BulkOut}, 400, 401, 403, 409, 413, 415, 422, 429, 503, problem=AllRefusedOut
    ),
}
LIST_POSTS: dict[str, Any] = {
    "operation_id": "list_posts",
    "parameters": [
        OpenApiParameter("author", str, QUERY, description="Your own id of the person."),
        OpenApiParameter("status", str, QUERY, enum=Status.values),
        OpenApiParameter("channel", str, QUERY),
        OpenApiParameter("reference", str, QUERY, description="Your own id of the post."),
        OpenApiParameter("community", str, QUERY),
        OpenApiParameter("created_after", OpenApiTypes.DATETIME, QUERY, description="Inclusive."),
        OpenApiParameter("created_before", OpenApiTypes.DATETIME, QUERY, description="Exclusive."),
        OpenApiParameter("limit", int, QUERY, description="1 to 100; 50 when absent."),
        OpenApiParameter("cursor", str, QUERY, description="As `next` has it."),
    ],
    "responses": answers({200: PageOut}, 400, 401, 403),
}
GET_POST: dict[str, Any] = {
    "operation_id": "get_post",
    "parameters": [_ETAG, *_WAITING],
    "responses": answers({200: PostOut}, 401, 403, 404),
}
GET_STATUS: dict[str, Any] = {
    "operation_id": "get_status",
    "parameters": [_ETAG, *_WAITING],
    "responses": answers({200: StatusOut}, 401, 403, 404),
}
EDIT_POST: dict[str, Any] = {
    "operation_id": "edit_post",
    "request": {"application/json": EditIn},
    "parameters": [
        header("If-Match", "The ETag that was read; a newer revision then answers 412."),
        _ETAG,
        *LIMIT_HEADERS,
    ],
    "responses": answers(
        {200: AcceptedOut, 202: AcceptedOut}, 400, 401, 403, 404, 412, 413, 415, 429, 503
    ),
}
DELETE_POST: dict[str, Any] = {
    "operation_id": "delete_post",
    "parameters": LIMIT_HEADERS,
    "responses": answers({204: None}, 401, 403, 404, 429, 503),
}
