"""How each moderator likes their desk: keys, veils over pictures, how long they hold an item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django import forms
from django.contrib.auth.models import User

from moderation.admin.evidence import USUAL_VEILS
from moderation.models import DeskPreferences
from moderation.pipeline.review.noting import GRAPHIC
from moderation.vocabulary import Category, Veil

# Everything that is not one of the graphic categories.
OTHERS: Final = ""
VEILED_CATEGORIES: Final = (OTHERS, *(item.value for item in Category if item in GRAPHIC))
# Ten times the usual at most, as WCAG 2.2.1 asks of a time that can be adjusted.
LEASE_MINUTES: Final = (5, 10, 20, 50)


def preferences_of(user: User) -> DeskPreferences:
    """Return somebody's preferences; the usual ones, unsaved, where they have set none."""
    found = DeskPreferences.objects.filter(user=user).first()
    return found or DeskPreferences(user=user)


def veils_for(preferences: DeskPreferences, category: str | None) -> frozenset[Veil]:
    """Return what lies over the pictures of an item when somebody opens it."""
    key = category if category in VEILED_CATEGORIES else OTHERS
    chosen = preferences.veils.get(key or OTHERS)
    if chosen is None:
        return USUAL_VEILS
    return frozenset(Veil(name) for name in chosen if name in Veil.values)


@dataclass(frozen=True, slots=True)
class VeilRow:
    label: str
    boxes: tuple[forms.BoundField, ...]


class VeilsForm(forms.Form):
    """A tick for each veil of each category."""

    def __init__(self, data: Mapping[str, str] | None, preferences: DeskPreferences) -> None:
        super().__init__(data)
        for category in VEILED_CATEGORIES:
            worn = veils_for(preferences, category)
            for veil in Veil:
                self.fields[_field(category, veil)] = forms.BooleanField(
                    required=False,
                    initial=veil in worn,
                    label=f"{_name(category)}: {veil.label.lower()}",
                )

    def rows(self) -> list[VeilRow]:
        return [
            VeilRow(_name(category), tuple(self[_field(category, veil)] for veil in Veil))
            for category in VEILED_CATEGORIES
        ]

    def chosen(self) -> dict[str, list[str]]:
        return {
            category: [veil.value for veil in Veil if self.cleaned_data[_field(category, veil)]]
            for category in VEILED_CATEGORIES
        }


class LeaseForm(forms.Form):
    lease_minutes = forms.TypedChoiceField(
        coerce=int,
        choices=[(minutes, f"{minutes} minutes") for minutes in LEASE_MINUTES],
        label="Hold an item for",
        help_text="The time begins anew with whatever you do while the page is in front of you.",
        widget=forms.Select(attrs={"class": "gh-input"}),
    )
    lease_reminder = forms.BooleanField(
        required=False, label="Remind me a minute before an item goes back to the queue"
    )


def _field(category: str, veil: Veil) -> str:
    return f"veil_{category or 'others'}_{veil}"


def _name(category: str) -> str:
    return str(Category(category).label) if category else "Anything else"
