"""What a moderator decides at the desk: an action, a reason, what it brings the author."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from django import forms
from django.contrib.auth.models import User
from django.http import QueryDict

from moderation.admin.reasons import ReasonGroup, offered
from moderation.models import Review
from moderation.pipeline.review import review as stage
from moderation.policy.sanctions import MOST_DAYS, UNFITTING, Asked, default_for, fits
from moderation.vocabulary import Action, Category, DeskAction, Sanction

# What each button of the rail asks for, as the log tells it.
DONE = {
    DeskAction.ALLOW.value: "Approved.",
    DeskAction.WARN.value: "Approved with a warning.",
    DeskAction.BLOCK.value: "Rejected.",
    DeskAction.ESCALATE.value: "Put before a lead.",
}
_LASTING = frozenset({Sanction.POST_HOLD, Sanction.SILENCE, Sanction.SUSPENSION})


@dataclass(frozen=True, slots=True)
class Choice:
    """A reason as the page offers it: `number` picks it from the keyboard."""

    id: str
    key: str
    text: str
    number: int
    fits: bool
    is_picked: bool


@dataclass(frozen=True, slots=True)
class ChoiceGroup:
    action: str
    title: str
    choices: tuple[Choice, ...]


class DecisionForm(forms.Form):
    """The reason is a picked sentence, own words, or both."""

    action = forms.ChoiceField(choices=DeskAction.choices)
    seen_revision = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
    picked = forms.ChoiceField(required=False, label="Reason", widget=forms.RadioSelect)
    own_words = forms.CharField(
        required=False,
        label="In your own words",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    category = forms.ChoiceField(
        required=False, choices=[("", "As found"), *Category.choices], label="Category"
    )
    legal_ground = forms.CharField(
        required=False,
        max_length=500,
        label="Law that it breaks",
        help_text="Only if it is illegal; empty: the community's own rules.",
    )
    sanction = forms.ChoiceField(
        required=False,
        choices=[("", "As usual: a strike if rejected"), *Sanction.choices],
        label="What it brings the author",
    )
    days = forms.IntegerField(
        required=False, min_value=1, max_value=MOST_DAYS, label="For how many days"
    )

    def __init__(self, review: Review, data: QueryDict | None = None) -> None:
        super().__init__(data, initial={"seen_revision": review.revision})
        self.review = review
        self.offered: tuple[ReasonGroup, ...] = offered(review.community_id, review.category)
        self._sentences = {
            reason.key: reason.text for group in self.offered for reason in group.reasons
        }
        picked = self.fields["picked"]
        assert isinstance(picked, forms.ChoiceField)
        picked.choices = [("", ""), *self._sentences.items()]
        for name in ("own_words", "category", "legal_ground", "sanction", "days"):
            self.fields[name].widget.attrs["class"] = "gh-input"
        self.fields["days"].help_text = "Empty: until it is reversed."

    def groups(self) -> Iterator[ChoiceGroup]:
        """Yield the reasons as the page offers them, numbered within their group."""
        picked = str(self["picked"].value() or "")
        for group in self.offered:
            yield ChoiceGroup(
                group.action.value,
                group.title,
                tuple(
                    Choice(
                        id=f"picked-{reason.key}",
                        key=reason.key,
                        text=reason.text,
                        number=number if number <= 9 else 0,
                        fits=reason.fits,
                        is_picked=reason.key == picked,
                    )
                    for number, reason in enumerate(group.reasons, start=1)
                ),
            )

    def clean(self) -> dict[str, object]:
        cleaned = super().clean() or {}
        cleaned["reason"] = self._reason(cleaned)
        if not cleaned["reason"]:
            raise forms.ValidationError("State the reason: pick a sentence or write your own.")
        cleaned["asked"] = self._asked(cleaned)
        return cleaned

    def carry_out(self, moderator: User) -> str:
        """Do what was decided; return what to log. Raises what the stage raises."""
        asked = self.cleaned_data
        if asked["action"] == DeskAction.ESCALATE:
            stage.escalate_review(
                review_id=self.review.pk,
                moderator=moderator,
                reason=asked["reason"],
                seen_revision=asked["seen_revision"],
            )
        else:
            stage.decide_review(
                review_id=self.review.pk,
                moderator=moderator,
                action=Action(asked["action"]),
                reason=asked["reason"],
                seen_revision=asked["seen_revision"],
                category=Category(asked["category"]) if asked["category"] else None,
                sanction=asked["asked"],
                legal_ground=asked["legal_ground"],
            )
        return DONE[asked["action"]]

    def chosen(self) -> tuple[DeskAction, str, Asked, Category | None]:
        """Return what is filled in so far: action, reason, sanction, category. Never raises."""
        self.is_valid()
        filled = getattr(self, "cleaned_data", {})
        action = self._chosen_action(
            str(filled.get("action") or ""), str(filled.get("picked") or "")
        )
        category = Category(filled["category"]) if filled.get("category") else None
        asked = self._asked(filled)
        if asked is None:
            asked = (
                default_for(Action(action))
                if action != DeskAction.ESCALATE
                else Asked(Sanction.NONE)
            )
        return action, self._reason(filled), asked, category

    def what_is_wrong(self) -> list[str]:
        """Return why what is filled in so far would be refused, but for what is still missing."""
        action, _, asked, _ = self.chosen()
        found = [
            f"{self.fields[name].label}: {wrong}"
            for name, errors in self.errors.items()
            if name in ("picked", "own_words", "category", "legal_ground", "sanction", "days")
            for wrong in errors
        ]
        if action != DeskAction.ESCALATE and not fits(asked, Action(action)):
            found.append(UNFITTING)
        return found

    def _chosen_action(self, action: str, picked: str) -> DeskAction:
        """Return the action; without one what the picked reason suits, else rejecting."""
        if action in DeskAction.values:
            return DeskAction(action)
        suits = (
            group.action
            for group in self.offered
            if any(reason.key == picked for reason in group.reasons)
        )
        return next(suits, DeskAction.BLOCK)

    def _reason(self, filled: dict[str, object]) -> str:
        sentence = self._sentences.get(str(filled.get("picked") or ""), "")
        own = str(filled.get("own_words") or "").strip()
        return " ".join(part for part in (sentence, own) if part)

    def _asked(self, filled: dict[str, object]) -> Asked | None:
        """Return the sanction that was chosen, None for the usual one."""
        if not filled.get("sanction"):
            return None
        kind = Sanction(str(filled["sanction"]))
        days = filled.get("days")
        lasts = timedelta(days=days) if isinstance(days, int) and kind in _LASTING else None
        return Asked(kind, lasts)
