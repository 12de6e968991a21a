"""Appeals before a moderator: what was decided and why, what was said, and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from moderation.admin import words
from moderation.admin.display import SeenText, excerpt, pieces, plainly, seen_text
from moderation.admin.evidence import Answer, Score, answers
from moderation.admin.posts import as_html
from moderation.admin.scoped import CommunityFilter, ReadOnlyAdmin
from moderation.admin.surroundings import staff
from moderation.errors import ModerationError, NotAllowed, NotImpartial
from moderation.models import Appeal, AppealMessage, Enforcement, ProviderResult, Review
from moderation.pipeline.appeals.appeal import MAX_WORDS_CHARS, answer_appeal, write_as_moderator
from moderation.pipeline.casework import must
from moderation.pipeline.review.reversal import foresee_reversal
from moderation.queries import appeals as known
from moderation.queries.appeals import SecondOpinion
from moderation.vocabulary import AppealState, ReviewState, Status, Visibility

PREVIEW = "preview"
_OUTCOMES = {
    AppealState.UPHELD.value: "Upheld: what was decided stands.",
    AppealState.OVERTURNED.value: "Overturned: what was decided is undone.",
}


class AnswerForm(forms.Form):
    """The reasoned answer; which button was pressed says the outcome."""

    seen_revision = forms.IntegerField(min_value=1, widget=forms.HiddenInput)
    answer = forms.CharField(
        label="Your reasons, which whoever objects will read",
        max_length=MAX_WORDS_CHARS,
        error_messages={"required": "Give your reasons: whoever objected will read them."},
        widget=forms.Textarea(attrs={"rows": 5, "class": "gh-input", "dir": "auto"}),
    )
    act = forms.ChoiceField(choices=[(key, key) for key in (*_OUTCOMES, PREVIEW)])


class AskForm(forms.Form):
    words = forms.CharField(
        label="Ask for more before you answer",
        max_length=MAX_WORDS_CHARS,
        error_messages={"required": "Write what you want to know."},
        widget=forms.Textarea(attrs={"rows": 2, "class": "gh-input", "dir": "auto"}),
    )


@dataclass(frozen=True, slots=True)
class Undone:
    """What overturning would bring: effect by effect, and what the post is then."""

    lines: Sequence[str]
    status: str
    visibility: str


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found in one part under one category: the highest score then and now, with whose.

    None where nobody judged it.
    """

    part: str
    category: str
    first: Score | None
    first_by: str
    second: Score | None
    second_by: str


@dataclass(frozen=True, slots=True)
class Case:
    """One appeal as the desk shows it. `why_not` says what keeps the reader from answering."""

    appeal: Appeal
    decided_by: str
    decided_on: datetime
    why: str
    said: Sequence[tuple[str, str]]
    text: SeenText | None
    thread: Sequence[AppealMessage]
    first: Sequence[Answer]
    first_says: str
    second: SecondOpinion
    second_answers: Sequence[Answer]
    second_says: str
    compared: Sequence[Compared]
    undone: Undone | None
    form: AnswerForm
    ask_form: AskForm
    why_not: str = ""
    preview: str = ""

    @property
    def may_answer(self) -> bool:
        return not self.why_not

    @property
    def is_overdue(self) -> bool:
        return self.appeal.state == AppealState.OPEN and self.appeal.due_at < datetime.now(UTC)


def appeals_shown(review: Review, reader: User) -> dict[str, Any]:
    """Return what the desk shows of the appeals that an item waits for."""
    return {
        "appeals": [case_of(appeal, reader) for appeal in known.open_appeals(review.pk)],
        "answered_appeals": known.answered_appeals(review.pk),
    }


def case_of(
    appeal: Appeal,
    reader: User,
    *,
    form: AnswerForm | None = None,
    ask_form: AskForm | None = None,
    preview: str = "",
) -> Case:
    """Read everything about an appeal. The caller has checked that the reader may see it."""
    second = known.second_opinion(appeal)
    first_results = _first_results(appeal)
    enforcement = appeal.enforcement
    return Case(
        appeal=appeal,
        decided_by=_decided_by(appeal),
        decided_on=enforcement.created_at if enforcement is not None else _settled_at(appeal),
        why=_why(appeal),
        said=_said(enforcement),
        text=_text_of(appeal),
        thread=list(appeal.messages.select_related("moderator")),
        first=answers(first_results),
        first_says=_first_says(appeal),
        second=second,
        second_answers=answers(second.results),
        second_says=_says(second),
        compared=_compare(answers(first_results), answers(second.results)),
        undone=_undone(enforcement),
        form=form or AnswerForm(initial={"seen_revision": appeal.post.revision}),
        ask_form=ask_form or AskForm(),
        why_not=_why_not(appeal, reader),
        preview=preview,
    )


def _settled_at(appeal: Appeal) -> datetime:
    assert appeal.report is not None  # a constraint: it is about the one or the other
    return appeal.report.settled_at or appeal.report.created_at


def _decided_by(appeal: Appeal) -> str:
    decision = appeal.enforcement.decision if appeal.enforcement is not None else None
    if appeal.report is not None:
        decision = appeal.report.decision
    if decision is not None:
        return decision.moderator.get_username()
    if appeal.report is not None:
        return "an earlier decision"
    verdict = appeal.enforcement.verdict if appeal.enforcement is not None else None
    number = verdict.policy.number if verdict is not None and verdict.policy is not None else None
    return f"policy {number}, without a person" if number else "the policy, without a person"


def _why(appeal: Appeal) -> str:
    if appeal.report is not None:
        decision = appeal.report.decision
        return decision.reason if decision is not None else "Answered by a decision before."
    assert appeal.enforcement is not None  # a constraint: it is about the one or the other
    if appeal.enforcement.decision is not None:
        return appeal.enforcement.decision.reason
    assert appeal.enforcement.verdict is not None  # a constraint: it has one cause
    return words.why_verdict(appeal.enforcement.verdict)


def _said(enforcement: Enforcement | None) -> list[tuple[str, str]]:
    """Return what the author was told."""
    statement = getattr(enforcement, "statement", None)
    said = statement.document.get("said", []) if statement is not None else []
    return [(one["title"], one["text"]) for one in said if one["key"] in ("what", "why", "rule")]


def _text_of(appeal: Appeal) -> SeenText | None:
    """Return the appealed text where the post says something else by now."""
    revision = _revision_of(appeal)
    if revision == appeal.post.revision:
        return None
    kept = appeal.post.revisions.filter(revision=revision).first()
    return seen_text(kept.title, kept.body) if kept is not None else None


def _revision_of(appeal: Appeal) -> int:
    if appeal.enforcement is not None:
        return appeal.enforcement.revision
    assert appeal.report is not None  # a constraint: it is about the one or the other
    return appeal.report.revision


def _first_results(appeal: Appeal) -> list[ProviderResult]:
    verdict = _first_verdict(appeal)
    if verdict is None:
        return []
    rows = ProviderResult.objects.filter(submission=verdict.submission_id, shadow=False)
    return list(rows.order_by("pk"))


def _first_verdict(appeal: Appeal) -> Any:
    """Return the verdict that the decision rests on, or followed."""
    if appeal.enforcement is not None and appeal.enforcement.verdict is not None:
        return appeal.enforcement.verdict
    rows = appeal.post.verdicts.filter(revision=_revision_of(appeal))
    if appeal.second_opinion_id is not None:
        rows = rows.exclude(submission=appeal.second_opinion_id)
    return rows.filter(judged_at__lte=appeal.created_at).order_by("-pk").first()


def _first_says(appeal: Appeal) -> str:
    verdict = _first_verdict(appeal)
    return words.why_verdict(verdict) if verdict is not None else "No machine judged it."


def _says(second: SecondOpinion) -> str:
    if second.why_none:
        return second.why_none
    assert second.verdict is not None  # else it says why there is none
    return f"The policy {words.policy_does(second.verdict.action)}. " + words.why_verdict(
        second.verdict
    )


def _compare(first: Sequence[Answer], second: Sequence[Answer]) -> list[Compared]:
    """Set the highest scores of two rounds beside each other, part by part, the worst first."""
    then, now = _highest(first), _highest(second)
    found = [
        Compared(part, label, *then.get((part, label), _NOBODY), *now.get((part, label), _NOBODY))
        for part, label in dict.fromkeys([*then, *now])
    ]
    worst = sorted(
        found, key=lambda row: -max(one.value for one in (row.first, row.second) if one is not None)
    )
    shown = [row for number, row in enumerate(worst) if number < _MOST_COMPARED]
    return sorted(shown, key=lambda row: row.part != _THE_TEXT)


_NOBODY: tuple[Score | None, str] = (None, "")
_MOST_COMPARED = 8
_THE_TEXT = words.part_label("text")


def _highest(given: Sequence[Answer]) -> dict[tuple[str, str], tuple[Score | None, str]]:
    found: dict[tuple[str, str], tuple[Score | None, str]] = {}
    for answer in given:
        for score in answer.scores if answer.is_judged else ():
            place = (answer.part, score.label)
            known_score, _ = found.get(place, _NOBODY)
            if known_score is None or score.value > known_score.value:
                found[place] = (score, answer.provider)
    return found


def _undone(enforcement: Enforcement | None) -> Undone | None:
    if enforcement is None or enforcement.reversed_at is not None:
        return None
    proof = foresee_reversal(enforcement)
    status, visibility = proof.after.post.status, proof.after.post.visibility
    if status is Status.IN_REVIEW and enforcement.decision_id is not None:
        # Whoever overturns has looked at it in the first decider's place.
        status, visibility = Status.APPROVED, Visibility.PUBLIC
    return Undone(words.consequences(proof.effects), str(status.label), str(visibility.label))


def _why_not(appeal: Appeal, reader: User) -> str:
    if appeal.state != AppealState.OPEN:
        return "It is answered."
    review = appeal.review
    if review is None or review.state != ReviewState.OPEN:
        return "" if reader.has_perm("moderation.decide_review") else "You may look, not answer."
    try:
        must(reader, "moderation.decide_review", review.pk)
    except NotImpartial as error:
        return str(error)
    except NotAllowed:
        return "You may look, not answer."
    return ""


@admin.register(Appeal)
class AppealAdmin(ReadOnlyAdmin):
    list_display = ("about", "community", "state", "decided_by", "created_at", "due", "answered_by")
    list_filter = ("state", CommunityFilter)
    list_select_related = ("post", "community", "first_decider", "answered_by", "report")
    search_fields = ("=number", "=post__id", "=appellant__external_id")
    search_help_text = "Number, post id or the author's id"
    ordering = ("-id",)

    @admin.display(description="Post")
    def about(self, appeal: Appeal) -> str:
        shown = as_html(excerpt(appeal.post.title, appeal.post.body, limit=70))
        return shown or "Attachment only"

    @admin.display(description="Decided by")
    def decided_by(self, appeal: Appeal) -> str:
        if appeal.first_decider is not None:
            return appeal.first_decider.get_username()
        return "an earlier decision" if appeal.report_id is not None else "the policy"

    @admin.display(description="Due", ordering="due_at")
    def due(self, appeal: Appeal) -> str:
        late = appeal.state == AppealState.OPEN and appeal.due_at < datetime.now(UTC)
        shown = f"{appeal.due_at:%Y-%m-%d %H:%M} UTC"
        return f"{shown}, overdue" if late else shown

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "<int:appeal_id>/answer/",
                view(require_POST(self.answer_view)),
                name="moderation_appeal_answer",
            ),
            path(
                "<int:appeal_id>/ask/",
                view(require_POST(self.ask_view)),
                name="moderation_appeal_ask",
            ),
            *super().get_urls(),
        ]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        appeal = self._find(request, object_id)
        return self._show(request, case_of(appeal, staff(request.user)))

    def answer_view(self, request: HttpRequest, appeal_id: int) -> HttpResponse:
        appeal, reader = self._find(request, str(appeal_id)), staff(request.user)
        form = AnswerForm(request.POST)
        if not form.is_valid():
            return self._show(request, case_of(appeal, reader, form=form), status=400)
        act, answer = form.cleaned_data["act"], form.cleaned_data["answer"]
        if act == PREVIEW:
            form = AnswerForm(initial=form.cleaned_data)
            return self._show(request, case_of(appeal, reader, form=form, preview=answer))
        try:
            answer_appeal(
                appeal_id=appeal.pk,
                moderator=reader,
                outcome=AppealState(act),
                answer=answer,
                seen_revision=form.cleaned_data["seen_revision"],
            )
        except ModerationError as error:
            status = 403 if isinstance(error, NotAllowed) else 409
            appeal = self._find(request, str(appeal_id))
            form = _as_of_now(request.POST, appeal)
            return self._show(
                request, case_of(appeal, reader, form=form), refusal=error, status=status
            )
        self.log_change(request, appeal, _OUTCOMES[act])
        messages.success(request, f"{_OUTCOMES[act]} Whoever objected is told so.")
        return HttpResponseRedirect(reverse("admin:moderation_review_changelist") + "?lane=appeal")

    def ask_view(self, request: HttpRequest, appeal_id: int) -> HttpResponse:
        appeal, reader = self._find(request, str(appeal_id)), staff(request.user)
        form = AskForm(request.POST)
        if not form.is_valid():
            return self._show(request, case_of(appeal, reader, ask_form=form), status=400)
        try:
            write_as_moderator(
                appeal_id=appeal.pk, moderator=reader, words=form.cleaned_data["words"]
            )
        except ModerationError as error:
            status = 403 if isinstance(error, NotAllowed) else 409
            return self._show(
                request, case_of(appeal, reader, ask_form=form), refusal=error, status=status
            )
        messages.success(request, "Your message has been sent.")
        return HttpResponseRedirect(self._back(appeal))

    def _back(self, appeal: Appeal) -> str:
        review = appeal.review
        if review is not None and review.state == ReviewState.OPEN:
            return reverse("admin:moderation_review_change", args=[review.pk])
        return reverse("admin:moderation_appeal_change", args=[appeal.pk])

    def _find(self, request: HttpRequest, object_id: str) -> Appeal:
        if not self.has_view_permission(request):
            raise PermissionDenied
        rows: QuerySet[Appeal] = self.get_queryset(request).select_related(
            "post__community",
            "review",
            "appellant",
            "answered_by",
            "enforcement__verdict__policy",
            "enforcement__decision__moderator",
            "enforcement__statement",
            "report__decision__moderator",
            "second_opinion",
        )
        known_id = int(object_id) if object_id.isdecimal() and len(object_id) < 19 else 0
        appeal = rows.filter(pk=known_id).first()
        if appeal is None:
            raise Http404("There is no such appeal in your communities.")
        return appeal

    def _show(
        self,
        request: HttpRequest,
        case: Case,
        *,
        refusal: ModerationError | None = None,
        status: int = 200,
    ) -> HttpResponse:
        post = case.appeal.post
        return TemplateResponse(
            request,
            "moderation/admin/appeal.html",
            {
                **self.admin_site.each_context(request),
                "is_fullwidth": "1",
                "title": "Appeal",
                "subtitle": plainly(str(post.author)),
                "case": case,
                "post": post,
                "author_pieces": pieces(str(post.author)),
                "text": seen_text(post.title, post.body),
                "refusal": refusal,
            },
            status=status,
        )


def _as_of_now(sent: QueryDict, appeal: Appeal) -> AnswerForm:
    """Keep what was typed; the next attempt is made from what the post says now."""
    data = sent.copy()
    data["seen_revision"] = str(appeal.post.revision)
    return AnswerForm(data)
