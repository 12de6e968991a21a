"""One item before a moderator: what readers saw, why it is here, what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

from django import forms
from django.contrib.auth.models import User
from django.http import QueryDict

from moderation import queries
from moderation.admin import reasons, words
from moderation.admin.display import SeenText, seen_text, spans_of
from moderation.admin.evidence import Answer, Attachment, answers, attachments
from moderation.admin.timeline import Step, post_timeline
from moderation.errors import ReviewTaken
from moderation.models import Author, Decision, Enforcement, Post, PostRevision, Review
from moderation.pipeline import review as stage
from moderation.vocabulary import Action, Category, ReviewLane, ReviewState

ESCALATE = "escalate"
# What each button of the rail asks for, as the log tells it.
DONE = {
    Action.ALLOW.value: "Approved.",
    Action.WARN.value: "Approved with a warning.",
    Action.BLOCK.value: "Rejected.",
    ESCALATE: "Put before a lead.",
}
AUTHORS_POSTS = 8


class DecisionForm(forms.Form):
    """What a moderator decides. The reason is a picked sentence, an own one, or both."""

    action = forms.ChoiceField(choices=[(key, key) for key in DONE])
    seen_revision = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
    picked = forms.ChoiceField(required=False, label="Reason")
    own_words = forms.CharField(
        required=False,
        label="In your own words",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    category = forms.ChoiceField(
        required=False, choices=[("", "As found"), *Category.choices], label="Category"
    )

    def __init__(self, data: QueryDict | None = None, *, revision: int | None = None) -> None:
        super().__init__(data, initial={"seen_revision": revision})
        picked = self.fields["picked"]
        assert isinstance(picked, forms.ChoiceField)
        picked.choices = [
            ("", "Pick a reason"),
            *((name, [(key, text) for key, text in group]) for name, group in reasons.GROUPS),
        ]
        for field in self.fields.values():
            field.widget.attrs["class"] = "gh-input"

    def clean(self) -> dict[str, object]:
        cleaned = super().clean() or {}
        sentence = reasons.SENTENCES.get(str(cleaned.get("picked", "")), "")
        reason = " ".join(part for part in (sentence, cleaned.get("own_words", "")) if part)
        if not reason.strip():
            raise forms.ValidationError("State the reason: pick a sentence or write your own.")
        cleaned["reason"] = reason
        return cleaned

    def carry_out(self, review_id: int, moderator: User) -> str:
        """Do what was decided; return what to log. Raises what the stage raises."""
        asked = self.cleaned_data
        if asked["action"] == ESCALATE:
            stage.escalate_review(
                review_id=review_id,
                moderator=moderator,
                reason=asked["reason"],
                seen_revision=asked["seen_revision"],
            )
        else:
            stage.decide_review(
                review_id=review_id,
                moderator=moderator,
                action=Action(asked["action"]),
                reason=asked["reason"],
                seen_revision=asked["seen_revision"],
                category=Category(asked["category"]) if asked["category"] else None,
            )
        return DONE[asked["action"]]


@dataclass(frozen=True, slots=True)
class Lease:
    """Whether the reader may decide now. `why_not` says in words what keeps them from it."""

    may_decide: bool
    why_not: str = ""


def take_lease(review: Review, reader: User) -> Lease:
    """Take the item for its reader, if they may decide and nobody else has it."""
    if review.state != ReviewState.OPEN:
        return Lease(False, _why_closed(review))
    if not reader.has_perm("moderation.decide_review"):
        return Lease(False, "You may look, not decide.")
    is_for_a_lead = review.lane == ReviewLane.ESCALATED
    if is_for_a_lead and not reader.has_perm("moderation.decide_escalated"):
        return Lease(False, "It was put before a lead. You can read along.")
    try:
        stage.hold_review(review_id=review.pk, moderator=reader)
    except ReviewTaken:
        review.refresh_from_db()
        if review.state != ReviewState.OPEN:
            return Lease(False, _why_closed(review))
        holder = review.holder.get_username() if review.holder else "Someone else"
        return Lease(False, f"{holder} holds this item. You can read along.")
    return Lease(True)


def _why_closed(review: Review) -> str:
    if review.state == ReviewState.SUPERSEDED:
        return "The post has changed since; this item is closed."
    decision = review.decisions.select_related("moderator").order_by("-pk").first()
    if decision is None:
        return "This item is closed."
    action = words.action_label(decision.action).lower()
    return f"{decision.moderator.get_username()} has decided: {action}."


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that the page of one item shows. `now_reads` is the newer text, after an edit."""

    review: Review
    post: Post
    author: Author
    why: str
    text: SeenText
    now_reads: SeenText | None
    newer_review: Review | None
    not_judged: list[str]
    attachments: list[Attachment]
    answers: list[Answer]
    parent: SeenText | None
    authors_posts: list[Post]
    enforcements: list[Enforcement]
    decisions: list[Decision]
    timeline: list[Step]


def lay_out(review: Review, reader: User) -> Desk:
    """Read everything about one item. The caller has checked that the reader may see it."""
    post, verdict = review.post, review.verdict
    results = list(queries.evidence_for(review))
    spans = [span for row in results if row.part_key == "text" for span in spans_of(row.spans)]
    seen = _text_of(post, review.revision)
    edited = post.revision != review.revision
    return Desk(
        review=review,
        post=post,
        author=post.author,
        why=words.why_here(review),
        text=seen_text(*seen, spans),
        now_reads=seen_text(post.title, post.body) if edited else None,
        newer_review=_open_review(post) if edited else None,
        not_judged=sorted(
            {words.part_label(key) for key in (verdict.not_judged if verdict else [])}
        ),
        attachments=attachments(post, verdict),
        answers=answers(results),
        parent=seen_text(post.parent.title, post.parent.body) if post.parent else None,
        authors_posts=list(
            Post.objects.filter(author=post.author)
            .exclude(pk=post.pk)
            .order_by("-pk")[:AUTHORS_POSTS]
        ),
        enforcements=enforcements_on(post),
        decisions=list(
            Decision.objects.filter(post=post).select_related("moderator").order_by("-pk")
        ),
        timeline=post_timeline(post, opens_notes=reader.has_perm("moderation.decide_review")),
    )


def enforcements_on(post: Post) -> list[Enforcement]:
    return list(
        Enforcement.objects.filter(post=post)
        .select_related("verdict", "decision__moderator", "reversed_by")
        .prefetch_related("effects")
        .order_by("-pk")
    )


def _text_of(post: Post, revision: int) -> tuple[str, str]:
    if revision != post.revision:
        kept = PostRevision.objects.filter(post=post, revision=revision).first()
        if kept is not None:
            return kept.title, kept.body
    return post.title, post.body


def _open_review(post: Post) -> Review | None:
    return Review.objects.filter(post=post, state=ReviewState.OPEN).first()
