"""The shapes of what goes in and out, for the OpenAPI document. Input and output stand apart.

The views read and write plain values (see `bodies` and `answers`); the tests hold every answer
against these shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, PolymorphicProxySerializer
from rest_framework import serializers

from moderation.api.bodies import (
    MAX_ALT_CHARS,
    MAX_CHANNEL_CHARS,
    MAX_ID_CHARS,
    MAX_URL_CHARS,
)
from moderation.api.check_bodies import (
    DEFAULT_DEADLINE_MS,
    LONGEST_DEADLINE_MS,
    SHORTEST_DEADLINE_MS,
)
from moderation.api.errors import CONTENT_TYPE, KINDS
from moderation.conf import get_conf
from moderation.vocabulary import (
    Action,
    Category,
    EffectKind,
    MediaKind,
    MediaState,
    Outcome,
    PostKind,
    PublishingMode,
    Scope,
    Status,
    Visibility,
)

_LIMITS = get_conf()


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "moderation.api.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "gate_…"}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "moderation.api.authentication.SiteSession"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


class OpenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """No key at all: only where an operator opened the content service."""

    target_class = "moderation.api.authentication.OpenToAll"
    # An empty requirement is a way in without any scheme to describe.
    name: list[str] = []

    def get_security_requirement(self, auto_schema: Any) -> dict[str, list[Any]]:
        return {}

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        return []


# In


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


class ContentIn(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=_LIMITS.max_body_chars)
    userId = serializers.CharField(max_length=MAX_ID_CHARS)  # noqa: N815


class HintIn(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=_LIMITS.max_body_chars)
    community = serializers.CharField(max_length=MAX_ID_CHARS, required=False)


class CheckMediaIn(serializers.Serializer[Any]):
    """Either an address or the file itself."""

    url = serializers.URLField(max_length=MAX_URL_CHARS, required=False)
    # Declared fields are taken off the class, so the framework's own `data` stays.
    data = serializers.CharField(  # type: ignore[assignment]
        required=False, help_text="`data:image/png;base64,…`"
    )
    alt_text = serializers.CharField(max_length=MAX_ALT_CHARS, required=False)


class DraftIn(serializers.Serializer[Any]):
    """A draft has a text, a title or an attachment."""

    text = serializers.CharField(max_length=_LIMITS.max_body_chars, required=False)
    body = serializers.CharField(
        max_length=_LIMITS.max_body_chars, required=False, help_text="Another name of `text`."
    )
    title = serializers.CharField(max_length=_LIMITS.max_title_chars, required=False)
    media = serializers.ListField(
        child=CheckMediaIn(), required=False, max_length=_LIMITS.max_media_per_post
    )
    community = serializers.CharField(
        max_length=MAX_ID_CHARS,
        required=False,
        help_text="Its slug; only an organisation's key and a session must name it.",
    )


class CheckIn(DraftIn):
    """One draft, or `items` with a batch of them."""

    items = serializers.ListField(
        child=DraftIn(), required=False, min_length=1, max_length=_LIMITS.max_bulk_items
    )
    deadline_ms = serializers.IntegerField(
        required=False,
        min_value=SHORTEST_DEADLINE_MS,
        max_value=LONGEST_DEADLINE_MS,
        default=DEFAULT_DEADLINE_MS,
        help_text="How long outside providers and addresses are waited for.",
    )
    keep = serializers.BooleanField(
        required=False, default=False, help_text="Whether the verdict goes on record, under an id."
    )


class CheckFormIn(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=_LIMITS.max_body_chars, required=False)
    title = serializers.CharField(max_length=_LIMITS.max_title_chars, required=False)
    community = serializers.CharField(max_length=MAX_ID_CHARS, required=False)
    media = serializers.ListField(
        child=serializers.FileField(), required=False, max_length=_LIMITS.max_media_per_post
    )
    alt_text = serializers.ListField(
        child=serializers.CharField(max_length=MAX_ALT_CHARS), required=False
    )
    deadline_ms = serializers.IntegerField(
        required=False, min_value=SHORTEST_DEADLINE_MS, max_value=LONGEST_DEADLINE_MS
    )
    keep = serializers.BooleanField(required=False, default=False)


# Out


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


class FieldErrorOut(serializers.Serializer[Any]):
    field = serializers.CharField()
    message = serializers.CharField()


class ProblemOut(serializers.Serializer[Any]):
    """RFC 9457. `code` is stable; `type` leads to an explanation."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.ChoiceField(list(KINDS))
    errors = FieldErrorOut(many=True, required=False)  # type: ignore[assignment]


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


class ContentAcceptedOut(serializers.Serializer[Any]):
    message = serializers.CharField()
    contentId = serializers.UUIDField()  # noqa: N815


class ContentStatusOut(serializers.Serializer[Any]):
    contentId = serializers.UUIDField()  # noqa: N815
    status = serializers.ChoiceField(["PENDING", "APPROVED", "REJECTED"])


class DetailOut(serializers.Serializer[Any]):
    detail = serializers.CharField()


class WordOut(serializers.Serializer[Any]):
    """Characters `start` to `end` (exclusive) of the text."""

    start = serializers.IntegerField()
    end = serializers.IntegerField()
    term = serializers.CharField()


class GuessOut(serializers.Serializer[Any]):
    category = serializers.ChoiceField(Category.choices)
    text = serializers.CharField()


class HintOut(serializers.Serializer[Any]):
    advise = WordOut(many=True)
    block = WordOut(many=True)
    hints = GuessOut(many=True)


class FlaggedOut(serializers.Serializer[Any]):
    """Characters `start` to `end` (exclusive) of a field as it was sent."""

    field = serializers.CharField(help_text="`text`, `title` or `media.0.alt_text`.")
    start = serializers.IntegerField()
    end = serializers.IntegerField()
    category = serializers.ChoiceField(
        Category.choices, allow_null=True, help_text="Null for a word that the community blocks."
    )


class _ScoresOut(serializers.DictField):
    """By category; one that is absent was not judged, which is not 0."""

    child = serializers.FloatField(min_value=0, max_value=1)


class EvidenceOut(serializers.Serializer[Any]):
    provider = serializers.CharField()
    model = serializers.CharField(allow_blank=True)
    part = serializers.CharField(help_text="`text`, or `media.0` and so on.")
    outcome = serializers.ChoiceField(Outcome.choices)
    scores = _ScoresOut()
    error = serializers.CharField(allow_blank=True)
    stood_in = serializers.CharField(
        allow_blank=True, help_text="Who judged in place of a provider that failed or was late."
    )
    cached = serializers.BooleanField()
    latency_ms = serializers.FloatField()


class PolicyOut(serializers.Serializer[Any]):
    revision = serializers.IntegerField(
        allow_null=True, help_text="Null for the policy that is built in."
    )


class CheckedOut(serializers.Serializer[Any]):
    """What the policy would say, and what it would rest on."""

    action = serializers.ChoiceField(Action.choices)
    rule = serializers.CharField()
    category = serializers.ChoiceField(Category.choices, allow_null=True)
    score = serializers.FloatField(allow_null=True)
    threshold = serializers.FloatField(allow_null=True)
    not_judged = serializers.ListField(child=serializers.CharField())
    flagged_spans = FlaggedOut(many=True)
    scores = _ScoresOut()
    evidence = EvidenceOut(many=True)
    policy = PolicyOut()
    id = serializers.UUIDField(
        required=False, help_text="Of the record, where `keep` asked for one."
    )


class KeptEvidenceOut(EvidenceOut):
    latency_ms = serializers.FloatField(allow_null=True)


class ConcludedOut(serializers.Serializer[Any]):
    """A policy's verdict or a person's decision, and what it caused."""

    by = serializers.ChoiceField(["policy", "person"])
    revision = serializers.IntegerField(min_value=1)
    at = serializers.DateTimeField()
    action = serializers.ChoiceField(Action.choices)
    category = serializers.ChoiceField(Category.choices, allow_null=True)
    rule = serializers.CharField(allow_blank=True)
    score = serializers.FloatField(allow_null=True)
    threshold = serializers.FloatField(allow_null=True)
    provider = serializers.CharField(allow_null=True)
    part = serializers.CharField(allow_null=True)
    not_judged = serializers.ListField(child=serializers.CharField())
    policy = PolicyOut(allow_null=True)
    reason = serializers.CharField(
        allow_blank=True, help_text="A person's, as its author reads it."
    )
    evidence = KeptEvidenceOut(many=True)
    effects = serializers.ListField(child=serializers.ChoiceField(EffectKind.choices))
    reversed_at = serializers.DateTimeField(allow_null=True)


class ConcludedListOut(serializers.Serializer[Any]):
    results = ConcludedOut(many=True)


class CommunityOut(serializers.Serializer[Any]):
    slug = serializers.CharField()
    name = serializers.CharField()
    language = serializers.CharField(allow_blank=True, help_text="ISO 639-1, or none expected.")
    text_mode = serializers.ChoiceField(PublishingMode.choices)
    image_mode = serializers.ChoiceField(PublishingMode.choices)
    gif_mode = serializers.ChoiceField(PublishingMode.choices)
    video_mode = serializers.ChoiceField(PublishingMode.choices)
    open_to_site_users = serializers.BooleanField()
    policy = PolicyOut()
    created_at = serializers.DateTimeField()


class CommunityPageOut(serializers.Serializer[Any]):
    results = CommunityOut(many=True)
    next = serializers.CharField(allow_null=True)


class PolicyRevisionIn(serializers.Serializer[Any]):
    document = serializers.DictField(help_text="As docs/routing.md has it; at most 64 kB.")
    note = serializers.CharField(max_length=300, required=False)


class PolicyRevisionOut(serializers.Serializer[Any]):
    revision = serializers.IntegerField(min_value=1)
    active = serializers.BooleanField()
    note = serializers.CharField(allow_blank=True)
    document = serializers.DictField()
    created_at = serializers.DateTimeField()


class PolicyPageOut(serializers.Serializer[Any]):
    results = PolicyRevisionOut(many=True)
    next = serializers.CharField(allow_null=True)


class KeyIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100, required=False)
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.choices), min_length=1)
    community = serializers.CharField(
        max_length=MAX_ID_CHARS,
        required=False,
        help_text="With an organisation's key; without it the new key is the organisation's too.",
    )
    expires_at = serializers.DateTimeField(required=False)


class KeyOut(serializers.Serializer[Any]):
    id = serializers.CharField()
    name = serializers.CharField(allow_blank=True)
    community = serializers.CharField(allow_null=True, help_text="Null: an organisation's.")
    scopes = serializers.ListField(child=serializers.ChoiceField(Scope.choices))
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)


class KeyPageOut(serializers.Serializer[Any]):
    results = KeyOut(many=True)
    next = serializers.CharField(allow_null=True)


class IssuedKeyOut(KeyOut):
    key = serializers.CharField(help_text="The key itself; never to be had again.")
    replaces = serializers.CharField(required=False)


class DayOut(serializers.Serializer[Any]):
    date = serializers.DateField()
    posts = serializers.IntegerField()
    checks = serializers.IntegerField(help_text="Those that were kept; others leave no record.")


class UsageOut(serializers.Serializer[Any]):
    results = DayOut(many=True)


class OneCheckedOut(CheckedOut):
    took_ms = serializers.FloatField()


class ManyCheckedOut(serializers.Serializer[Any]):
    results = CheckedOut(many=True)
    took_ms = serializers.FloatField()


# Acts: what `extend_schema` is told of each


def _header(
    name: str, description: str, *, response: bool | Sequence[int | str] = False
) -> OpenApiParameter:
    return OpenApiParameter(
        name, OpenApiTypes.STR, "header", description=description, response=response
    )


_LIMIT_HEADERS = [
    _header("RateLimit-Policy", "The bucket: size `q`, filled within `w` seconds.", response=True),
    _header("RateLimit", "What is left (`r`) and when it is full again (`t`).", response=True),
]
_IDEMPOTENCY = [
    _header("Idempotency-Key", "Makes repeating this request safe for 30 days."),
    _header("Idempotent-Replayed", "`true` when this is the first answer again.", response=[202]),
]
_ETAG = _header("ETag", "The revision, for If-Match.", response=True)
_WAITING = [
    _header(
        "Prefer", "`wait=10`: answer when the post has its verdict, or after 10 s (at most 30)."
    ),
    _header(
        "Preference-Applied", "That the answer was held back, or needed not be.", response=True
    ),
    _header("Retry-After", "When to ask again, if the post is pending still.", response=[200]),
]
_QUERY: Literal["query"] = "query"


def _answers(
    good: Mapping[Any, Any], *problems: int, problem: type[serializers.Serializer[Any]] = ProblemOut
) -> dict[Any, Any]:
    listed: dict[Any, Any] = dict(good)
    for status in problems:
        codes = ", ".join(code for code, kind in KINDS.items() if kind.status == status)
        listed[status, CONTENT_TYPE] = OpenApiResponse(problem, description=codes)
    return listed


def _detail_answers(good: dict[int, Any], *statuses: int) -> dict[Any, Any]:
    return good | dict.fromkeys(statuses, DetailOut)


SUBMIT_POST: dict[str, Any] = {
    "operation_id": "submit_post",
    "request": {"application/json": PostIn, "multipart/form-data": PostFormIn},
    "parameters": [
        *_IDEMPOTENCY,
        *_LIMIT_HEADERS,
        _header("Location", "Where the post is read.", response=[202]),
    ],
    "responses": _answers({202: AcceptedOut}, 400, 401, 403, 404, 409, 413, 415, 422, 429, 503),
}
SUBMIT_POSTS: dict[str, Any] = {
    "operation_id": "submit_posts",
    "request": BulkIn,
    "parameters": [*_IDEMPOTENCY, *_LIMIT_HEADERS],
    "responses": _answers(
        {202: BulkOut}, 400, 401, 403, 409, 413, 415, 422, 429, 503, problem=AllRefusedOut
    ),
}
LIST_POSTS: dict[str, Any] = {
    "operation_id": "list_posts",
    "parameters": [
        OpenApiParameter("author", str, _QUERY, description="Your own id of the person."),
        OpenApiParameter("status", str, _QUERY, enum=Status.values),
        OpenApiParameter("channel", str, _QUERY),
        OpenApiParameter("community", str, _QUERY),
        OpenApiParameter("created_after", OpenApiTypes.DATETIME, _QUERY, description="Inclusive."),
        OpenApiParameter("created_before", OpenApiTypes.DATETIME, _QUERY, description="Exclusive."),
        OpenApiParameter("limit", int, _QUERY, description="1 to 100; 50 when absent."),
        OpenApiParameter("cursor", str, _QUERY, description="As `next` has it."),
    ],
    "responses": _answers({200: PageOut}, 400, 401, 403),
}
GET_POST: dict[str, Any] = {
    "operation_id": "get_post",
    "parameters": [_ETAG, *_WAITING],
    "responses": _answers({200: PostOut}, 401, 403, 404),
}
GET_STATUS: dict[str, Any] = {
    "operation_id": "get_status",
    "parameters": [_ETAG, *_WAITING],
    "responses": _answers({200: StatusOut}, 401, 403, 404),
}
EDIT_POST: dict[str, Any] = {
    "operation_id": "edit_post",
    "request": {"application/json": EditIn},
    "parameters": [
        _header("If-Match", "The ETag that was read; a newer revision then answers 412."),
        _ETAG,
        *_LIMIT_HEADERS,
    ],
    "responses": _answers(
        {200: AcceptedOut, 202: AcceptedOut}, 400, 401, 403, 404, 412, 413, 415, 429, 503
    ),
}
DELETE_POST: dict[str, Any] = {
    "operation_id": "delete_post",
    "parameters": _LIMIT_HEADERS,
    "responses": _answers({204: None}, 401, 403, 404, 429, 503),
}
SUBMIT_CONTENT: dict[str, Any] = {
    "operation_id": "submit_content",
    "request": ContentIn,
    "parameters": _LIMIT_HEADERS,
    "responses": _detail_answers({202: ContentAcceptedOut}, 400, 401, 429),
}
GET_CONTENT_STATUS: dict[str, Any] = {
    "operation_id": "get_content_status",
    "responses": _detail_answers({200: ContentStatusOut}, 401, 404),
}
HINT: dict[str, Any] = {
    "operation_id": "hint",
    "request": HintIn,
    "parameters": _LIMIT_HEADERS,
    "responses": _answers({200: HintOut}, 400, 401, 403, 404, 413, 415, 429, 503),
}
CHECK: dict[str, Any] = {
    "operation_id": "check",
    "request": {"application/json": CheckIn, "multipart/form-data": CheckFormIn},
    "parameters": _LIMIT_HEADERS,
    "responses": _answers(
        {
            200: PolymorphicProxySerializer(
                component_name="CheckOut",
                serializers=[OneCheckedOut, ManyCheckedOut],
                resource_type_field_name=None,
            )
        },
        *(400, 401, 403, 404, 413, 415, 429, 503),
    ),
}
FOLLOW_EVENTS: dict[str, Any] = {
    "operation_id": "follow_events",
    "parameters": [
        _header("Last-Event-ID", "Go on after this event; without it from now on."),
        OpenApiParameter("types", str, _QUERY, description="`post.rejected,decision.*`"),
        OpenApiParameter("community", str, _QUERY, description="One of an organisation's."),
        *_LIMIT_HEADERS,
    ],
    "responses": _answers(
        {(200, "text/event-stream"): OpenApiTypes.STR}, 400, 401, 403, 404, 429, 503
    ),
}
LIST_DECISIONS: dict[str, Any] = {
    "operation_id": "list_decisions",
    "parameters": _LIMIT_HEADERS,
    "responses": _answers({200: ConcludedListOut}, 401, 403, 404, 429, 503),
}
_PAGING = [
    OpenApiParameter("limit", int, _QUERY, description="1 to 100; 50 when absent."),
    OpenApiParameter("cursor", str, _QUERY, description="As `next` has it."),
]
LIST_COMMUNITIES: dict[str, Any] = {
    "operation_id": "list_communities",
    "parameters": [*_PAGING, *_LIMIT_HEADERS],
    "responses": _answers({200: CommunityPageOut}, 400, 401, 403, 429, 503),
}
LIST_POLICIES: dict[str, Any] = {
    "operation_id": "list_policies",
    "parameters": [*_PAGING, *_LIMIT_HEADERS],
    "responses": _answers({200: PolicyPageOut}, 400, 401, 403, 404, 429, 503),
}
REVISE_POLICY: dict[str, Any] = {
    "operation_id": "revise_policy",
    "request": PolicyRevisionIn,
    "parameters": _LIMIT_HEADERS,
    "responses": _answers({201: PolicyRevisionOut}, 400, 401, 403, 404, 413, 415, 429, 503),
}
ACTIVATE_POLICY: dict[str, Any] = {
    "operation_id": "activate_policy",
    "request": None,
    "parameters": _LIMIT_HEADERS,
    "responses": _answers({200: PolicyRevisionOut}, 401, 403, 404, 429, 503),
}
LIST_KEYS: dict[str, Any] = {
    "operation_id": "list_keys",
    "parameters": [*_PAGING, *_LIMIT_HEADERS],
    "responses": _answers({200: KeyPageOut}, 400, 401, 403, 429, 503),
}
ISSUE_KEY: dict[str, Any] = {
    "operation_id": "issue_key",
    "request": KeyIn,
    "parameters": _LIMIT_HEADERS,
    "responses": _answers({201: IssuedKeyOut}, 400, 401, 403, 404, 413, 415, 429, 503),
}
REVOKE_KEY: dict[str, Any] = {
    "operation_id": "revoke_key",
    "parameters": _LIMIT_HEADERS,
    "responses": _answers({204: None}, 401, 403, 404, 429, 503),
}
ROTATE_KEY: dict[str, Any] = {
    "operation_id": "rotate_key",
    "request": None,
    "parameters": _LIMIT_HEADERS,
    "responses": _answers({201: IssuedKeyOut}, 401, 403, 404, 429, 503),
}
GET_USAGE: dict[str, Any] = {
    "operation_id": "get_usage",
    "parameters": [
        OpenApiParameter("first", OpenApiTypes.DATE, _QUERY, description="29 days before `last`."),
        OpenApiParameter("last", OpenApiTypes.DATE, _QUERY, description="Today when absent."),
        OpenApiParameter("community", str, _QUERY),
        OpenApiParameter("key", str, _QUERY, description="A key's id: what it sent alone."),
        *_LIMIT_HEADERS,
    ],
    "responses": _answers({200: UsageOut}, 400, 401, 403, 404, 429, 503),
}
