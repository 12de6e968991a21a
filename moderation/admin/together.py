"""Several items before a moderator at once: what they are, what would happen, what did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from django import forms
from django.contrib.auth.models import User
from django.http import QueryDict

from moderation import queries
from moderation.admin import reasons, words
from moderation.admin.queue import QueueRow, rows_of
from moderation.models import Appeal, Decision, DecisionBatch, Enforcement, Review
from moderation.pipeline.review.cluster import MOST_TOGETHER, Picked
from moderation.vocabulary import (
    Action,
    AppealState,
    Category,
    DeskAction,
    ReviewLane,
    ReviewState,
    Visibility,
)

ACTIONS = (Action.ALLOW, Action.WARN, Action.BLOCK)


class TogetherForm(forms.Form):
    """One reason for all that is ticked. The buttons are the actions."""

    action = forms.ChoiceField(choices=[(action.value, action.value) for action in ACTIONS])
    picked_reason = forms.ChoiceField(required=False, label="Reason")
    own_words = forms.CharField(
        required=False,
        label="In your own words",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    category = forms.ChoiceField(
        required=False, choices=[("", "As found"), *Category.choices], label="Category"
    )

    def __init__(
        self, data: QueryDict | None = None, *, community_id: int, category: str | None
    ) -> None:
        super().__init__(data)
        picked = self.fields["picked_reason"]
        assert isinstance(picked, forms.ChoiceField)
        groups = [
            group
            for group in reasons.offered(community_id, category)
            if group.action != DeskAction.ESCALATE
        ]
        self.sentences = {one.key: one.text for group in groups for one in group.reasons}
        picked.choices = [
            ("", "Pick a reason"),
            *((group.title, [(one.key, one.text) for one in group.reasons]) for group in groups),
        ]
        for field in self.fields.values():
            field.widget.attrs["class"] = "gh-input"

    def clean(self) -> dict[str, object]:
        cleaned = super().clean() or {}
        sentence = self.sentences.get(str(cleaned.get("picked_reason", "")), "")
        reason = " ".join(part for part in (sentence, cleaned.get("own_words", "")) if part)
        if not reason.strip():
            raise forms.ValidationError("State the reason: pick a sentence or write your own.")
        cleaned["reason"] = reason
        return cleaned


@dataclass(frozen=True, slots=True)
class Member:
    """An item among those to be decided. `trouble` says why it cannot be, "" when it can."""

    row: QueueRow
    readable_by: str
    is_public: bool
    alike: str
    trouble: str
    is_ticked: bool

    @property
    def may_be_decided(self) -> bool:
        return not self.trouble


@dataclass(frozen=True, slots=True)
class Consequence:
    """What an action would do to all that is ticked, in words."""

    action: str
    posts: str
    authors: str


@dataclass(frozen=True, slots=True)
class Together:
    """The page of several items; `is_cut` says that there may be more like them."""

    members: list[Member]
    consequences: list[Consequence]
    communities: int
    community_id: int
    category: str | None
    is_cut: bool = False
    too_many: bool = False

    @property
    def ticked(self) -> int:
        return sum(member.is_ticked for member in self.members)

    @property
    def left_out(self) -> int:
        return sum(not member.may_be_decided for member in self.members)


def picked_in(values: Iterable[str]) -> list[Picked]:
    """Read what tick boxes sent, each item once; what is no item and revision is left out."""
    found: dict[int, Picked] = {}
    for value in values:
        pk, _, revision = value.partition(":")
        if pk.isdecimal() and revision.isdecimal() and len(pk) < 19 and len(revision) < 10:
            found.setdefault(int(pk), Picked(int(pk), int(revision)))
    return list(found.values())


def lay_out_picked(picked: Sequence[Picked], reader: User) -> Together:
    """Show what was ticked in a list: at most as many as can be decided at once."""
    reviews = _reviews(picked[:MOST_TOGETHER], reader)
    seen = {one.review_id: one.revision for one in picked}
    return _together(reviews, seen, {}, reader, too_many=len(picked) > MOST_TOGETHER)


def lay_out_cluster(review: Review, reader: User) -> Together:
    """Show an item and the open ones that are like it, each at its present revision."""
    found = queries.cluster_of(review, reader)
    alike = {review.pk: "this item"}
    alike |= {one.review.pk: _alike_label(one) for one in found.members}
    reviews = [review, *(one.review for one in found.members)][:MOST_TOGETHER]
    seen = {one.pk: one.revision for one in reviews}
    return _together(reviews, seen, alike, reader, is_cut=found.is_cut)


def _together(
    reviews: list[Review],
    seen: Mapping[int, int],
    alike: Mapping[int, str],
    reader: User,
    *,
    is_cut: bool = False,
    too_many: bool = False,
) -> Together:
    rows = rows_of(reviews, reader, thumbnails=True)
    troubles = troubles_of(reviews, rows, seen, reader)
    members = [
        _member(review, row, alike.get(review.pk, ""), troubles[review.pk])
        for review, row in zip(reviews, rows, strict=True)
    ]
    ticked = [review for review, member in zip(reviews, members, strict=True) if member.is_ticked]
    return Together(
        members=members,
        consequences=_consequences(ticked),
        communities=len({review.community_id for review in ticked}),
        community_id=reviews[0].community_id if reviews else 0,
        category=reviews[0].category if reviews else None,
        is_cut=is_cut,
        too_many=too_many,
    )


def _reviews(picked: Sequence[Picked], reader: User) -> list[Review]:
    """Return the reader's items among those picked, in the order of the queue, open or not."""
    rows = Review.objects.filter(
        queries.review_scope(reader).condition(), pk__in=[one.review_id for one in picked]
    )
    return list(
        rows.select_related("post__author", "community", "holder", "verdict").order_by(
            "rank_at", "pk"
        )
    )


def _member(review: Review, row: QueueRow, alike: str, trouble: str) -> Member:
    return Member(
        row=row,
        readable_by=review.post.get_visibility_display(),
        is_public=review.post.visibility == Visibility.PUBLIC,
        alike=alike,
        trouble=trouble,
        is_ticked=not trouble,
    )


def troubles_of(
    reviews: Sequence[Review], rows: Sequence[QueueRow], seen: Mapping[int, int], reader: User
) -> dict[int, str]:
    """Say of each item why it cannot be decided as it was seen, "" where it can."""
    appeals = Appeal.objects.filter(review__in=reviews, state=AppealState.OPEN)
    disputed = set(appeals.values_list("review_id", flat=True))
    return {
        review.pk: "An appeal waits in it: answer that first."
        if review.pk in disputed
        else _trouble_of(review, row, seen[review.pk], reader)
        for review, row in zip(reviews, rows, strict=True)
    }


def _trouble_of(review: Review, row: QueueRow, seen: int, reader: User) -> str:
    if review.state == ReviewState.SUPERSEDED or review.post.revision != seen:
        return "Edited since: it is judged anew."
    if review.state != ReviewState.OPEN:
        return "Decided meanwhile."
    if row.holder and not row.held_by_reader:
        return f"{row.holder} holds it."
    is_for_a_lead = review.lane == ReviewLane.ESCALATED
    if is_for_a_lead and not reader.has_perm("moderation.decide_escalated"):
        return "It was put before a lead."
    return ""


def _alike_label(one: queries.Alike) -> str:
    said = []
    if one.share is not None:
        same = one.share == 1.0
        said.append("the same text" if same else f"{one.share:.0%} of the text")
    if one.distance is not None:
        said.append(
            "the same picture"
            if one.distance == 0
            else f"a picture that differs in {one.distance} of 256 bits"
        )
    return ", ".join(said)


def _consequences(reviews: list[Review]) -> list[Consequence]:
    public = sum(review.post.visibility == Visibility.PUBLIC for review in reviews)
    others = len(reviews) - public
    authors = len({review.post.author_id for review in reviews})
    shown = _listed(
        (others, "becomes readable for everyone", "become readable for everyone"),
        (public, "stays readable", "stay readable"),
    )
    hidden = _listed(
        (public, "disappears from readers", "disappear from readers"),
        (others, "stays out of sight", "stay out of sight"),
    )
    people = f"{authors} author{'' if authors == 1 else 's'}"
    return [
        Consequence("Approve", shown, "Nothing happens to them."),
        Consequence("Approve with a warning", shown, f"{people} read your reason."),
        Consequence("Reject", hidden, f"{people} get a strike for each post, and your reason."),
    ]


def _listed(*parts: tuple[int, str, str]) -> str:
    said = [f"{count} {one if count == 1 else many}" for count, one, many in parts if count]
    return f"{', '.join(said)}." if said else "Nothing is ticked."


# What a batch came to


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One decision of a batch; `enforcement` None when it caused none."""

    decision: Decision
    row: QueueRow
    enforcement: Enforcement | None


@dataclass(frozen=True, slots=True)
class LeftOut:
    row: QueueRow
    why: str


@dataclass(frozen=True, slots=True)
class BatchPage:
    batch: DecisionBatch
    action: str
    lines: list[BatchLine]
    left_out: list[LeftOut]

    @property
    def standing(self) -> int:
        return sum(
            line.enforcement is not None and line.enforcement.reversed_at is None
            for line in self.lines
        )


def lay_out_batch(
    batch: DecisionBatch, reader: User, *, left_out: Sequence[Picked] = ()
) -> BatchPage:
    """Show what a batch decided, what still stands of it, and what was left out of it just now."""
    decisions = list(batch.decisions.order_by("pk")[:MOST_TOGETHER])
    reviews = {
        review.pk: review
        for review in Review.objects.filter(
            pk__in=[decision.review_id for decision in decisions]
        ).select_related("post__author", "community", "holder", "verdict")
    }
    rows = rows_of([reviews[decision.review_id] for decision in decisions], reader)
    caused = {
        enforcement.decision_id: enforcement
        for enforcement in Enforcement.objects.filter(decision__in=decisions).select_related(
            "reversed_by"
        )
    }
    return BatchPage(
        batch=batch,
        action=words.action_label(batch.action),
        lines=[
            BatchLine(decision, row, caused.get(decision.pk))
            for decision, row in zip(decisions, rows, strict=True)
        ],
        left_out=_left_out(left_out, reader),
    )


def _left_out(picked: Sequence[Picked], reader: User) -> list[LeftOut]:
    reviews = _reviews(picked, reader)
    seen = {one.review_id: one.revision for one in picked}
    rows = rows_of(reviews, reader)
    troubles = troubles_of(reviews, rows, seen, reader)
    return [
        LeftOut(row, troubles[review.pk] or "It can be decided now.")
        for review, row in zip(reviews, rows, strict=True)
    ]
