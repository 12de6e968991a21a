"""The first screen: what waits for a person among the reader's items, the most urgent first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.conf.locale import LANG_INFO
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.timesince import timesince, timeuntil

from moderation import queries
from moderation.admin import words
from moderation.admin.display import Piece, excerpt, pieces
from moderation.admin.preferences import preferences_of, veils_for
from moderation.admin.scoped import own_communities
from moderation.admin.surroundings import staff
from moderation.models import Author, Community, Decision, MediaItem, Post, Review
from moderation.policy.verdict import EDITED_AFTER_REJECTION, NOT_JUDGED, NOTHING_FIRED
from moderation.vocabulary import (
    Action,
    Category,
    MediaKind,
    MediaState,
    ReviewLane,
    ReviewState,
    Severity,
)

PAGE = 50
# Beyond this the exact number helps nobody, and counting it would read the whole queue.
COUNTED_UP_TO = 999
# More people of one name, or of names that begin alike, are no longer one that is looked for.
_MOST_AUTHORS = 50

_HOLDERS = (("", "Anyone or nobody"), ("free", "Nobody"), ("me", "Me"), ("others", "Others"))
_MEDIA = (("", "With and without"), ("with", "With attachments"), ("without", "Text only"))
_HOURS: Final = {"1h": 1, "4h": 4, "1d": 24, "3d": 72, "7d": 168}
_AGES = (
    ("", "Any age"),
    ("overdue", "Overdue"),
    ("1h", "Over an hour"),
    ("4h", "Over 4 hours"),
    ("1d", "Over a day"),
    ("3d", "Over 3 days"),
    ("7d", "Over a week"),
)
_UNKNOWN = "unknown"
_FIRST = ("q", "category", "holder")
_LANGUAGES = (
    ("", "Any language"),
    (_UNKNOWN, "Not known"),
    *sorted(
        ((code, str(info["name"])) for code, info in LANG_INFO.items() if len(code) == 2),
        key=lambda pair: pair[1],
    ),
)
# What a policy calls its rules: offered while one is typed, as communities may have others.
_RULES = (
    NOT_JUDGED,
    EDITED_AFTER_REJECTION,
    NOTHING_FIRED,
    *(f"{category}.{Action.REVIEW}" for category in Category.values),
)


class QueueFilters(forms.Form):
    """What the reader narrows the queue to. Each field may be empty."""

    q = forms.CharField(required=False, label="Find", max_length=200)
    community = forms.ModelChoiceField(
        Community.objects.none(), required=False, empty_label="All communities"
    )
    category = forms.ChoiceField(required=False)
    rule = forms.CharField(required=False, label="Reason (rule)", max_length=60)
    severity = forms.TypedChoiceField(required=False, coerce=int, empty_value=None)
    language = forms.ChoiceField(required=False, choices=_LANGUAGES)
    attachments = forms.ChoiceField(required=False, choices=_MEDIA)
    age = forms.ChoiceField(required=False, choices=_AGES)
    holder = forms.ChoiceField(required=False, choices=_HOLDERS, label="Held by")
    lane = forms.ChoiceField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, str] | None, request: HttpRequest) -> None:
        super().__init__(data or {})
        self.request = request
        self.user: User = staff(request.user)
        community = self.fields["community"]
        assert isinstance(community, forms.ModelChoiceField)
        community.queryset = own_communities(request)
        for name, choices, anything in (
            ("category", Category.choices, "Any category"),
            ("lane", ReviewLane.choices, "Any lane"),
            ("severity", list(reversed(Severity.choices)), "Any severity"),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [("", anything), *choices]
        for field in self.fields.values():
            field.widget.attrs["class"] = "gh-input"
        self.fields["q"].widget.attrs |= {
            "type": "search",
            "placeholder": "Post id, author id or name",
            "autocomplete": "off",
        }
        self.fields["rule"].widget.attrs |= {"list": "known-rules", "autocomplete": "off"}

    def first_fields(self) -> list[forms.BoundField]:
        """Return what is always in sight."""
        return [self[name] for name in _FIRST]

    def more_fields(self) -> list[forms.BoundField]:
        return [field for field in self.visible_fields() if field.name not in _FIRST]

    @property
    def narrows_more(self) -> bool:
        """Whether something is chosen that is not always in sight."""
        return bool(self.chosen.keys() - {"lane", *_FIRST})

    @property
    def known_rules(self) -> tuple[str, ...]:
        return _RULES

    @cached_property
    def chosen(self) -> dict[str, str]:
        """What is chosen and makes sense, as it was given."""
        self.is_valid()
        return {name: self.data[name] for name in self.cleaned_data if self.data.get(name)}

    @property
    def lane_chosen(self) -> str:
        return self.chosen.get("lane", "")

    @property
    def narrows(self) -> bool:
        """Whether more than a lane is chosen."""
        return bool(self.chosen.keys() - {"lane"})

    def apply(self, queue: QuerySet[Review]) -> QuerySet[Review]:
        """Narrow a queue; a value that makes no sense narrows nothing."""
        self.is_valid()
        given = self.cleaned_data
        for name in ("community", "category", "lane", "severity", "rule"):
            if given.get(name):
                queue = queue.filter(**{name: given[name]})
        if given.get("language"):
            code = "" if given["language"] == _UNKNOWN else given["language"]
            queue = queue.filter(language=code)
        if given.get("attachments"):
            queue = queue.filter(has_media=given["attachments"] == "with")
        if given.get("age"):
            queue = queue.filter(_older(given["age"]))
        if given.get("holder"):
            queue = self._held(queue, given["holder"])
        return self._found(queue, given["q"]) if given.get("q") else queue

    def query_string(self, **changed: str) -> str:
        """Return what is chosen as a query string, "" for nothing; `changed` "" takes out."""
        return urlencode(
            {name: value for name, value in {**self.chosen, **changed}.items() if value}
        )

    def _held(self, queue: QuerySet[Review], holder: str) -> QuerySet[Review]:
        held = Q(holder__isnull=False, lease_until__gt=Now())
        if holder == "free":
            return queue.exclude(held)
        if holder == "me":
            return queue.filter(held, holder=self.user)
        return queue.filter(held).exclude(holder=self.user)

    def _found(self, queue: QuerySet[Review], text: str) -> QuerySet[Review]:
        text = text.strip().replace("\x00", "")
        try:
            return queue.filter(post_id=UUID(text))
        except ValueError:
            authors = _authors_called(text, self.user)
            return queue.filter(post__author__in=authors) if authors else queue.none()


def _older(age: str) -> Q:
    if age == "overdue":
        return Q(due_at__lt=Now())
    return Q(created_at__lt=Now() - timedelta(hours=_HOURS[age]))


def _authors_called(text: str, reader: User) -> list[int]:
    """Return who has an id, or a name that begins with a text, by index: first the ids.

    The database folds case as it can: SQLite that of plain letters only.
    """
    own = list(queries.communities_moderated_by(reader).values_list("pk", flat=True))
    authors = Author.objects.filter(community__in=own).order_by().values_list("pk", flat=True)
    found = list(authors.filter(external_id=text)[:_MOST_AUTHORS])
    plain = "".join(char.lower() if char.isascii() else char for char in text)
    for beginning in sorted({text.lower(), plain}):
        found += authors.filter(name_key__startswith=beginning)[:_MOST_AUTHORS]
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """An attachment in the list or the grid; `element` is the page's word for what shows it."""

    id: UUID
    element: str
    kind: str
    alt_text: str


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One item as lists show it. `holder` is "" when nobody holds it now, `due` "" without a time.

    `same` is how many open items have its text, 0 when it alone has; `veils` lie over its
    thumbnails until the reader lifts them.
    """

    id: int
    revision: int
    post_id: UUID
    excerpt: tuple[Piece, ...]
    why: str
    severity: str
    severity_name: str
    severity_icon: str
    lane: str
    community: str
    author_pieces: tuple[Piece, ...]
    standing: str
    kind: str
    language: str
    has_media: bool
    reports: int
    created_at: datetime
    due_at: datetime | None
    due: str
    is_overdue: bool
    holder: str
    held_by_reader: bool
    same: int = 0
    veils: tuple[str, ...] = ()
    thumbnails: tuple[Thumbnail, ...] = ()

    @property
    def picked(self) -> str:
        """What a tick box of it sends: the item at the revision that is shown."""
        return f"{self.id}:{self.revision}"


@dataclass(frozen=True, slots=True)
class QueuePage:
    """`next_after` is where the next page begins, "" on the last one."""

    rows: list[QueueRow]
    next_after: str


@dataclass(frozen=True, slots=True)
class LaneTab:
    """A lane with how many of its items fit the other filters, as far as it is worth counting."""

    name: str
    label: str
    count: int
    is_chosen: bool
    address: str

    @property
    def shown(self) -> str:
        return _shown(self.count)


def read_queue(filters: QueueFilters, *, after: str, thumbnails: bool = False) -> QueuePage:
    """Return a page of the queue that begins after a place that an earlier page named."""
    queue = _behind(open_items(filters), after)
    items = list(queue[: PAGE + 1])
    shown = items[:PAGE]
    rows = rows_of(shown, filters.user, thumbnails=thumbnails)
    same = queries.same_text_counts(shown, filters.user)
    rows = [
        replace(row, same=same.get(item.text_mark, 0))
        for row, item in zip(rows, shown, strict=True)
    ]
    return QueuePage(rows, _place(items[PAGE - 1]) if len(items) > PAGE else "")


def rows_of(reviews: list[Review], reader: User, *, thumbnails: bool = False) -> list[QueueRow]:
    """Return items as lists show them; their posts, authors and holders are read already."""
    now = queries.database_now()
    rows = [_row(item, reader, now) for item in reviews]
    if not (thumbnails and rows):
        return rows
    media = queries.media_of([item.post for item in reviews])
    liked = preferences_of(reader)
    return [
        replace(
            row,
            veils=tuple(sorted(veils_for(liked, item.category))),
            thumbnails=tuple(
                _thumbnail(one)
                for one in media.get(item.post_id, ())
                if one.state == MediaState.READY
            ),
        )
        for row, item in zip(rows, reviews, strict=True)
    ]


def open_items(filters: QueueFilters) -> QuerySet[Review]:
    return filters.apply(queries.review_queue(filters.user)).order_by("rank_at", "pk")


def lane_tabs(filters: QueueFilters) -> list[LaneTab]:
    """Return all items, then each lane, with their counts: no more than `COUNTED_UP_TO` each."""
    everywhere = QueueFilters({**filters.data, "lane": ""}, filters.request)
    items = open_items(everywhere).order_by().select_related(None)
    counts = {
        lane: items.filter(lane=lane).values("pk")[: COUNTED_UP_TO + 1].count()
        for lane in ReviewLane
    }
    return [
        _tab(filters, "", "All", min(sum(counts.values()), COUNTED_UP_TO + 1)),
        *(_tab(filters, lane.value, str(lane.label), counts[lane]) for lane in ReviewLane),
    ]


def count_label(tabs: list[LaneTab]) -> str:
    """Return how many items wait under the chosen lane."""
    return next((tab.shown for tab in tabs if tab.is_chosen), tabs[0].shown)


def next_item(filters: QueueFilters, *, besides: int) -> Review | None:
    """Return the most urgent item that nobody else holds."""
    return (
        open_items(filters)
        .exclude(pk=besides)
        .filter(Q(holder__isnull=True) | Q(holder=filters.user) | Q(lease_until__lte=Now()))
        .first()
    )


@dataclass(frozen=True, slots=True)
class QueuePlace:
    """Where a post is in the queue, if anywhere. `opens` says that the item is the reader's."""

    review: Review | None
    opens: bool
    holder: str
    due: str
    decision: Decision | None


def queue_place(post: Post, reader: User) -> QueuePlace:
    """Say whether a post waits for a person: where and with whom, or who decided it last."""
    review = post.reviews.filter(state=ReviewState.OPEN).select_related("holder").first()
    decision = post.decisions.select_related("moderator").order_by("-pk").first()
    if review is None:
        return QueuePlace(None, opens=False, holder="", due="", decision=decision)
    now = queries.database_now()
    return QueuePlace(
        review,
        opens=queries.review_scope(reader).allows(review.community_id, review.category),
        holder=_holder(review, now),
        due=due_label(review.due_at, now),
        decision=decision,
    )


def _holder(item: Review, now: datetime) -> str:
    held = item.holder is not None and item.lease_until is not None and item.lease_until > now
    return item.holder.get_username() if held and item.holder else ""


def due_label(due_at: datetime | None, now: datetime) -> str:
    """Say in words how much time is left, or since when it is over."""
    if due_at is None:
        return ""
    if due_at <= now:
        return f"overdue by {timesince(due_at, now, depth=1)}"
    return f"{timeuntil(due_at, now, depth=1)} left"


def _shown(count: int) -> str:
    return str(count) if count <= COUNTED_UP_TO else f"{COUNTED_UP_TO}+"


def _tab(filters: QueueFilters, name: str, label: str, count: int) -> LaneTab:
    return LaneTab(name, label, count, filters.lane_chosen == name, filters.query_string(lane=name))


def _place(item: Review) -> str:
    return f"{item.rank_at.isoformat()}~{item.pk}"


def _behind(queue: QuerySet[Review], after: str) -> QuerySet[Review]:
    at_text, _, pk_text = after.partition("~")
    try:
        at = parse_datetime(at_text)
    except ValueError:
        return queue
    if at is None or at.tzinfo is None or not pk_text.isdecimal() or len(pk_text) > 18:
        return queue
    # The first condition follows from the second, which no index can begin at.
    return queue.filter(rank_at__gte=at).filter(Q(rank_at__gt=at) | Q(pk__gt=int(pk_text)))


def _row(item: Review, reader: User, now: datetime) -> QueueRow:
    holder = _holder(item, now)
    severity = Severity(item.severity)
    return QueueRow(
        id=item.pk,
        revision=item.revision,
        post_id=item.post_id,
        excerpt=excerpt(item.post.title, item.post.body),
        why=words.why_here(item),
        severity=str(severity.label),
        severity_name=severity.name.lower(),
        severity_icon=words.SEVERITY_ICON[severity],
        lane=str(ReviewLane(item.lane).label),
        community=item.community.name,
        author_pieces=pieces(str(item.post.author)),
        standing=item.post.author.get_standing_display(),
        kind=item.post.get_kind_display(),
        language=item.language,
        has_media=item.has_media,
        reports=item.report_count,
        created_at=item.created_at,
        due_at=item.due_at,
        due=due_label(item.due_at, now),
        is_overdue=item.due_at is not None and item.due_at <= now,
        holder=holder,
        held_by_reader=bool(holder) and item.holder_id == reader.pk,
    )


def _thumbnail(item: MediaItem) -> Thumbnail:
    is_picture = item.kind not in (MediaKind.VIDEO, MediaKind.AUDIO)
    return Thumbnail(
        id=item.pk,
        element="img" if is_picture else item.kind,
        kind=item.get_kind_display(),
        alt_text=item.alt_text,
    )
