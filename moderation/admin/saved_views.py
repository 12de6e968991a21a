"""Views of the queue that moderators keep: made, renamed, shared with a community, deleted."""

from __future__ import annotations

from dataclasses import dataclass

from django import forms
from django.contrib.auth.models import User
from django.db.models import Q
from django.http import HttpRequest, QueryDict

from moderation import queries
from moderation.admin.queue import QueueFilters
from moderation.admin.scoped import own_communities
from moderation.admin.surroundings import staff
from moderation.models import Community, SavedView

# More would no longer be a row to pick from.
MOST_VIEWS = 30


class _SharedWith(forms.ModelChoiceField):  # type: ignore[type-arg]  # generic in the stubs alone
    def label_from_instance(self, obj: object) -> str:
        return f"All moderators of {obj}"


class SaveViewForm(forms.Form):
    """What the reader sees now, under a name; saving a name again changes what it stands for."""

    name = forms.CharField(max_length=60, label="Name of this view")
    query = forms.CharField(required=False, max_length=1000, widget=forms.HiddenInput)
    shared_with = _SharedWith(
        Community.objects.none(),
        required=False,
        empty_label="Only for me",
        label="For",
    )

    def __init__(self, data: QueryDict | None, request: HttpRequest, *, query: str = "") -> None:
        super().__init__(data, initial={"query": query}, prefix="view")
        self.request = request
        shared = self.fields["shared_with"]
        assert isinstance(shared, forms.ModelChoiceField)
        shared.queryset = own_communities(request)
        for field in self.fields.values():
            field.widget.attrs["class"] = "gh-input"

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        own = SavedView.objects.filter(user=staff(self.request.user))
        if not own.filter(name=name).exists() and own.count() >= MOST_VIEWS:
            raise forms.ValidationError(f"You have {MOST_VIEWS} views: delete one first.")
        return name

    def clean_query(self) -> str:
        given = QueryDict(self.cleaned_data["query"]).dict()
        return QueueFilters(given, self.request).query_string()

    def save(self) -> SavedView:
        view, _ = SavedView.objects.update_or_create(
            user=staff(self.request.user),
            name=self.cleaned_data["name"],
            defaults={
                "query": self.cleaned_data["query"],
                "shared_with": self.cleaned_data["shared_with"],
            },
        )
        return view


class RenameForm(forms.Form):
    name = forms.CharField(max_length=60)

    def __init__(self, data: QueryDict, view: SavedView) -> None:
        super().__init__(data)
        self.view = view

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        others = SavedView.objects.filter(user=self.view.user, name=name).exclude(pk=self.view.pk)
        if others.exists():
            raise forms.ValidationError(f"You have a view called {name} already.")
        return name

    def save(self) -> None:
        SavedView.objects.filter(pk=self.view.pk).update(name=self.cleaned_data["name"])


@dataclass(frozen=True, slots=True)
class ViewLink:
    """A view as the queue offers it; `shared_by` is "" for the reader's own."""

    id: int
    name: str
    query: str
    is_own: bool
    is_chosen: bool
    shared_by: str
    shared_with: str


def views_for(reader: User, chosen: str) -> list[ViewLink]:
    """Return the reader's own views, then those that others share with them."""
    communities = queries.communities_moderated_by(reader).values_list("pk", flat=True)
    rows = (
        SavedView.objects.filter(Q(user=reader) | Q(shared_with__in=list(communities)))
        .select_related("user", "shared_with")
        .order_by("name", "pk")[: 2 * MOST_VIEWS]
    )
    links = [
        ViewLink(
            id=row.pk,
            name=row.name,
            query=row.query,
            is_own=row.user_id == reader.pk,
            is_chosen=row.query == chosen,
            shared_by="" if row.user_id == reader.pk else row.user.get_username(),
            shared_with=str(row.shared_with or ""),
        )
        for row in rows
    ]
    return sorted(links, key=lambda link: not link.is_own)
