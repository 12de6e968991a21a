"""Before old posts are looked at again: which they are, and what that would take."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import HttpRequest
from django.utils import timezone

from moderation.admin.scoped import own_communities
from moderation.models import Community
from moderation.pipeline.rejudging.rescan import Selection
from moderation.providers import registry
from moderation.vocabulary import Category, Status

_ANY = ("", "Any")
# What was never judged is in its lane already; it needs no second look.
_STATUSES = (Status.APPROVED, Status.REJECTED, Status.IN_REVIEW)


def _score_field(label: str) -> forms.FloatField:
    step = {"step": "0.01", "inputmode": "decimal"}
    return forms.FloatField(
        min_value=0,
        max_value=1,
        required=False,
        label=label,
        widget=forms.NumberInput(attrs=step),
    )


def _day_field() -> forms.DateField:
    return forms.DateField(
        widget=forms.DateInput(attrs={"type": "date"}),
        # Times before and after these cannot be reckoned with.
        validators=[MinValueValidator(date(1970, 1, 3)), MaxValueValidator(date(2999, 12, 31))],
    )


class DaysForm(forms.Form):
    """A community and whole days in UTC, the last one included."""

    community = forms.ModelChoiceField(Community.objects.none(), empty_label=None)
    first_day = _day_field()
    last_day = _day_field()

    def __init__(self, request: HttpRequest, data: Any = None) -> None:
        today = timezone.now().date()
        initial = {
            "first_day": today - timedelta(days=30),
            "last_day": today,
            "community": request.GET.get("community"),
        }
        # Labels stand around their fields, which may come twice on a page.
        super().__init__(data, initial=initial, auto_id=False)
        self.fields["community"].queryset = own_communities(request)  # type: ignore[attr-defined]
        for field in self.fields.values():
            field.widget.attrs["class"] = "gh-input"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("first_day"), cleaned.get("last_day")
        if first and last and first > last:
            raise forms.ValidationError("The first day must not come after the last.")
        return cleaned

    @property
    def since(self) -> datetime:
        return datetime.combine(self.cleaned_data["first_day"], time.min, UTC)

    @property
    def until(self) -> datetime:
        return datetime.combine(self.cleaned_data["last_day"], time.min, UTC) + timedelta(days=1)


class SelectionForm(DaysForm):
    """Which old posts. Scores and judges are those of the newest verdict."""

    status = forms.ChoiceField(
        choices=[_ANY, *((one.value, one.label) for one in _STATUSES)],
        required=False,
        label="Where they stand",
    )
    category = forms.ChoiceField(choices=[_ANY, *Category.choices], required=False)
    at_least = _score_field("Score from")
    at_most = _score_field("Score to")
    judged_by = forms.CharField(max_length=50, required=False, label="Judged by")
    not_judged_by = forms.CharField(max_length=50, required=False, label="Not judged by")

    def __init__(self, request: HttpRequest, data: Any = None) -> None:
        super().__init__(request, data)
        for name in ("judged_by", "not_judged_by"):
            self.fields[name].widget.attrs["list"] = "gh-judges"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        least, most = cleaned.get("at_least"), cleaned.get("at_most")
        if least is not None and most is not None and least > most:
            raise forms.ValidationError("The lower score must not exceed the higher one.")
        judge = cleaned.get("judged_by")
        if judge and judge == cleaned.get("not_judged_by"):
            raise forms.ValidationError("Nothing is both judged and not judged by the same.")
        return cleaned

    @property
    def selection(self) -> Selection:
        """Return what was asked for; the form is valid."""
        asked = self.cleaned_data
        return Selection(
            community_id=asked["community"].pk,
            since=self.since,
            until=self.until,
            status=Status(asked["status"]) if asked["status"] else None,
            category=Category(asked["category"]) if asked["category"] else None,
            at_least=asked["at_least"],
            at_most=asked["at_most"],
            judged_by=asked["judged_by"],
            not_judged_by=asked["not_judged_by"],
        )


def judges() -> list[str]:
    """Return everyone who can be asked here, to choose from; others may have judged once."""
    return sorted(registry.providers())


def about(facts: Mapping[str, Any]) -> list[str]:
    """Say what a recorded rescan chooses posts by, besides its days."""
    if "every_days" in facts:
        return [f"every {facts['every_days']:g} days, as the policy says"]
    said = []
    if "status" in facts:
        said.append(str(Status(facts["status"]).label))
    said += _scores(facts)
    if "judged_by" in facts:
        said.append(f"judged by {facts['judged_by']}")
    if "not_judged_by" in facts:
        said.append(f"not judged by {facts['not_judged_by']}")
    return said


def _scores(facts: Mapping[str, Any]) -> list[str]:
    least, most = facts.get("at_least"), facts.get("at_most")
    category = str(Category(facts["category"]).label) if "category" in facts else ""
    if least is None and most is None:
        return [f"{category} judged"] if category else []
    return [f"{category or 'highest score'} {least or 0:.2f} to {1 if most is None else most:.2f}"]


def dollars(micros: int) -> str:
    """Return an amount to the cent; what is less than one is not shown as nothing."""
    return "less than 0.01 USD" if 0 < micros < 10_000 else f"{micros / 1_000_000:,.2f} USD"


def duration(seconds: float) -> str:
    """Return about how long something takes, in the largest unit that says enough."""
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{round(seconds / size)} {unit}"
    return "a minute or two" if seconds > 60 else "a minute"
