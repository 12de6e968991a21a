"""Times that a community has of its own, to decide and to keep: parts of its form."""

from __future__ import annotations

from typing import Any

from django import forms
from django.forms import ModelForm
from django.utils.functional import lazy
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from moderation.models import Community
from moderation.operations import retention
from moderation.policy.risk import REVIEW_MINUTES
from moderation.vocabulary import ReviewLane

# A quarter of a year: later than that nobody waits any more.
_MOST_MINUTES = 90 * 24 * 60
# A hundred years.
_MOST_DAYS = 36_500
# What a community may keep for a time of its own.
KEPT = ("evidence", "removed_media")


def _minutes(lane: ReviewLane) -> forms.IntegerField:
    return forms.IntegerField(
        label=f"Minutes to decide: {str(lane.label).lower()}",
        required=False,
        min_value=1,
        max_value=_MOST_MINUTES,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=f"Empty: {REVIEW_MINUTES[lane]}. Counts for what is queued from now on.",
    )


def _days(name: str, label: str) -> forms.IntegerField:
    rule = next(rule for rule in retention.RULES if rule.name == name)
    return forms.IntegerField(
        label=f"Days to keep: {label}",
        required=False,
        min_value=1,
        max_value=_MOST_DAYS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=lazy(
            lambda: (
                f"Empty: {retention.days_of(rule) or 'for good'}. "
                f"Never fewer than the {retention.appeal_days()} in which authors may object."
            ),
            str,
        )(),
    )


class CommunityForm(ModelForm):  # type: ignore[type-arg]  # generic in the stubs alone
    """A community with a time for each lane, kept together as `review_minutes`, and `keep_days`."""

    class Meta:
        model = Community
        # The admin says which of its own fields it shows.
        fields = ("name",)

    minutes_new = _minutes(ReviewLane.NEW)
    minutes_escalated = _minutes(ReviewLane.ESCALATED)
    minutes_appeal = _minutes(ReviewLane.APPEAL)
    minutes_report = _minutes(ReviewLane.REPORT)
    minutes_sample = _minutes(ReviewLane.SAMPLE)

    keep_evidence = _days("evidence", "evidence")
    keep_removed_media = _days("removed_media", "attachments of removed posts")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for rule in KEPT:
            if f"keep_{rule}" in self.fields:
                self.initial.setdefault(f"keep_{rule}", self.instance.keep_days.get(rule))
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
        self.instance.keep_days = {
            rule: days for rule in KEPT if (days := self.cleaned_data.get(f"keep_{rule}"))
        }
        return super().save(commit)


MINUTES_FIELDS = tuple(f"minutes_{lane}" for lane in ReviewLane)
KEEP_FIELDS = tuple(f"keep_{rule}" for rule in KEPT)
