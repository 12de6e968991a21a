"""Within which time a community's people decide, lane by lane: a part of its form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.forms import ModelForm
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from moderation.models import Community
from moderation.policy.risk import REVIEW_MINUTES
from moderation.vocabulary import ReviewLane

# A quarter of a year: later than that nobody waits any more.
_MOST_MINUTES = 90 * 24 * 60


def _minutes(lane: ReviewLane) -> forms.IntegerField:
    return forms.IntegerField(
        label=f"Minutes to decide: {str(lane.label).lower()}",
        required=False,
        min_value=1,
        max_value=_MOST_MINUTES,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=f"Empty: {REVIEW_MINUTES[lane]}. Counts for what is queued from now on.",
    )


class CommunityForm(ModelForm):  # type: ignore[type-arg]
    """A community with a time for each lane, kept together as `review_minutes`."""

    class Meta:
        model = Community
        # The admin says which of its own fields it shows.
        fields = ("name",)

    minutes_new = _minutes(ReviewLane.NEW)
    minutes_escalated = _minutes(ReviewLane.ESCALATED)
    minutes_appeal = _minutes(ReviewLane.APPEAL)
    minutes_report = _minutes(ReviewLane.REPORT)
    minutes_sample = _minutes(ReviewLane.SAMPLE)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for lane in ReviewLane:
            name = f"minutes_{lane}"
            if name in self.fields:
                self.initial.setdefault(name, self.instance.review_minutes.get(lane.value))

    def save(self, commit: bool = True) -> Any:
        self.instance.review_minutes = {
            lane.value: minutes
            for lane in ReviewLane
            if (minutes := self.cleaned_data.get(f"minutes_{lane}"))
        }
        return super().save(commit)


MINUTES_FIELDS = tuple(f"minutes_{lane}" for lane in ReviewLane)
