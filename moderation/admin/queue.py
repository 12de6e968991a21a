"""The first screen: what waits for a person in the reader's communities, the most urgent first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.dateparse import parse_datetime

from moderation import queries
from moderation.admin import words
from moderation.admin.display import Piece, excerpt
from moderation.admin.scoped import own_communities
from moderation.admin.surroundings import staff
from moderation.models import Community, Review
from moderation.vocabulary import Category, ReviewLane, Severity

PAGE = 50
# Beyond this the exact number helps nobody, and counting it would read the whole queue.
COUNTED_UP_TO = 999

_HOLDERS = (("", "Anyone or nobody"), ("free", "Nobody"), ("me", "Me"), ("others", "Others"))


class QueueFilters(forms.Form):
    """What the reader narrows the queue to. Each field may be empty."""

    q = forms.CharField(required=False, label="Post id or author", max_length=200)
    community = forms.ModelChoiceField(
        Community.objects.none(), required=False, empty_label="All communities"
    )
    category = forms.ChoiceField(required=False)
    lane = forms.ChoiceField(required=False)
    severity = forms.TypedChoiceField(required=False, coerce=int, empty_value=None)
    holder = forms.ChoiceField(required=False, choices=_HOLDERS, label="Held by")

    def __init__(self, data: Mapping[str, str] | None, request: HttpRequest) -> None:
        super().__init__(data or {})
        self.user: User = staff(request.user)
        community = self.fields["community"]
        assert isinstance(community, forms.ModelChoiceField)
        community.queryset = own_communities(request)
        for name, choices in (
            ("category", Category.choices),
            ("lane", ReviewLane.choices),
            ("severity", list(reversed(Severity.choices))),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [("", f"Any {name}"), *choices]
        for field in self.fields.values():
            field.widget.attrs["class"] = "gh-input"
        self.fields["q"].widget.attrs |= {"type": "search", "placeholder": "Post id or author"}

    def apply(self, queue: QuerySet[Review]) -> QuerySet[Review]:
        """Narrow a queue; a value that makes no sense narrows nothing."""
        self.is_valid()
        chosen = self.cleaned_data
        for name in ("community", "category", "lane", "severity"):
            if chosen.get(name):
                queue = queue.filter(**{name: chosen[name]})
        if chosen.get("holder"):
            queue = self._held(queue, chosen["holder"])
        return self._found(queue, chosen["q"]) if chosen.get("q") else queue

    def query_string(self) -> str:
        """Return what is chosen as a query string, "" for nothing."""
        self.is_valid()
        return urlencode(
            {name: self.data[name] for name in self.cleaned_data if self.data.get(name)}
        )

    def _held(self, queue: QuerySet[Review], holder: str) -> QuerySet[Review]:
        held = Q(holder__isnull=False, lease_until__gt=Now())
        if holder == "free":
            return queue.exclude(held)
        if holder == "me":
            return queue.filter(held, holder=self.user)
        return queue.filter(held).exclude(holder=self.user)

    @staticmethod
    def _found(queue: QuerySet[Review], text: str) -> QuerySet[Review]:
        text = text.strip().replace("\x00", "")
        try:
            return queue.filter(post_id=UUID(text))
        except ValueError:
            return queue.filter(
                Q(post__author__external_id=text) | Q(post__author__name__icontains=text)
            )


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One item as the list shows it. `holder` is "" when nobody holds it now."""

    id: int
    excerpt: tuple[Piece, ...]
    why: str
    severity: str
    severity_name: str
    severity_icon: str
    lane: str
    community: str
    author: str
    standing: str
    kind: str
    created_at: datetime
    holder: str
    held_by_reader: bool


@dataclass(frozen=True, slots=True)
class QueuePage:
    """`next_after` is where the next page begins, "" on the last one."""

    rows: list[QueueRow]
    next_after: str


def read_queue(filters: QueueFilters, *, after: str) -> QueuePage:
    """Return a page of the queue that begins after a place that an earlier page named."""
    queue = _behind(open_items(filters), after)
    items = list(queue[: PAGE + 1])
    now = queries.database_now()
    rows = [_row(item, filters.user, now) for item in items[:PAGE]]
    return QueuePage(rows, _place(items[PAGE - 1]) if len(items) > PAGE else "")


def open_items(filters: QueueFilters) -> QuerySet[Review]:
    return filters.apply(queries.review_queue(filters.user)).order_by("rank_at", "pk")


def count_label(filters: QueueFilters) -> str:
    """Return how many items wait, "999+" beyond what is worth counting."""
    found = open_items(filters).order_by().values("pk")[: COUNTED_UP_TO + 1].count()
    return str(found) if found <= COUNTED_UP_TO else f"{COUNTED_UP_TO}+"


def next_item(filters: QueueFilters, *, besides: int) -> Review | None:
    """Return the most urgent item that nobody else holds."""
    return (
        open_items(filters)
        .exclude(pk=besides)
        .filter(Q(holder__isnull=True) | Q(holder=filters.user) | Q(lease_until__lte=Now()))
        .first()
    )


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
    return queue.filter(Q(rank_at__gt=at) | Q(rank_at=at, pk__gt=int(pk_text)))


def _row(item: Review, reader: User, now: datetime) -> QueueRow:
    held = item.holder is not None and item.lease_until is not None and item.lease_until > now
    severity = Severity(item.severity)
    return QueueRow(
        id=item.pk,
        excerpt=excerpt(item.post.title, item.post.body),
        why=words.why_here(item),
        severity=str(severity.label),
        severity_name=severity.name.lower(),
        severity_icon=words.SEVERITY_ICON[severity],
        lane=str(ReviewLane(item.lane).label),
        community=item.community.name,
        author=str(item.post.author),
        standing=item.post.author.get_standing_display(),
        kind=item.post.get_kind_display(),
        created_at=item.created_at,
        holder=item.holder.get_username() if held and item.holder else "",
        held_by_reader=held and item.holder_id == reader.pk,
    )
