"""One question before a moderator: the post as it was decided, and nothing of the decision."""

from __future__ import annotations

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from moderation.admin import words
from moderation.admin.display import excerpt, seen_text
from moderation.admin.evidence import bare_attachments
from moderation.admin.keys import keys_of
from moderation.admin.preferences import preferences_of, veils_for
from moderation.admin.surroundings import staff
from moderation.errors import ModerationError, NotFound
from moderation.models import BlindCheck
from moderation.quality import checks
from moderation.quality.subject import subject_of
from moderation.vocabulary import Action, Category

_LEAVE = "leave"


class AnswerForm(forms.Form):
    action = forms.ChoiceField(
        choices=[
            *((one.value, one.label) for one in checks.ANSWERS),
            (_LEAVE, "Leave it to others"),
        ]
    )
    category = forms.ChoiceField(
        required=False,
        choices=[("", "None, or not sure"), *Category.choices],
        label="What it breaks, if anything",
        widget=forms.Select(attrs={"class": "gh-input"}),
    )


def next_view(request: HttpRequest) -> HttpResponse:
    """Show the question in the reader's hands, or the next one; say so when there is none."""
    reader = _decider(request)
    check = checks.next_check(moderator=reader)
    preferences = preferences_of(reader)
    shown = _laid_out(check, reader) if check else {}
    return _page(
        request,
        "check.html",
        title="Second looks",
        check=check,
        form=AnswerForm(),
        keys=keys_of(preferences),
        **shown,
    )


def answer_view(request: HttpRequest, check_id: int) -> HttpResponse:
    """Keep the answer, or leave the question to others; go on with the next one."""
    reader = _decider(request)
    form = AnswerForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Nothing was kept. Answer with one of the buttons.")
        return redirect("admin:moderation_quality")
    said = form.cleaned_data
    try:
        if said["action"] == _LEAVE:
            checks.pass_check(check_id=check_id, moderator=reader)
            messages.success(request, "Left to others.")
            return redirect("admin:moderation_quality")
        check = checks.answer_check(
            check_id=check_id,
            moderator=reader,
            action=Action(said["action"]),
            category=Category(said["category"]) if said["category"] else None,
        )
    except ModerationError as error:
        messages.warning(request, f"Nothing was kept. {error}")
        return redirect("admin:moderation_quality")
    if check.golden_id is not None:
        return redirect("admin:moderation_quality_answered", check.pk)
    messages.success(request, "Thank you. Nothing was changed on the post.")
    return redirect("admin:moderation_quality")


def answered_view(request: HttpRequest, check_id: int) -> HttpResponse:
    """Show a golden item that the reader has answered beside what leads expect, and why."""
    reader = _decider(request)
    try:
        check = checks.answered_golden(check_id=check_id, moderator=reader)
    except NotFound as error:
        raise Http404(str(error)) from error
    assert check.golden is not None
    return _page(
        request,
        "answered.html",
        title="A golden item",
        check=check,
        expected=words.answer_label(check.expected),
        expected_category=words.category_label(check.golden.category),
        said=words.answer_label(check.answer),
        said_category=words.category_label(check.answer_category),
        explanation=check.golden.explanation,
        **_laid_out(check, reader),
    )


def _laid_out(check: BlindCheck, reader: User) -> dict[str, object]:
    """Neither the decision nor what machines found: an answer that leans on them tells nothing."""
    subject = subject_of(check)
    veils = veils_for(preferences_of(reader), check.category)
    return {
        "text": seen_text(subject.title, subject.body),
        "attachments": bare_attachments(subject.media or (), veils=veils),
        "is_reply": subject.parent is not None,
        "answers": excerpt(subject.parent.title, subject.parent.body, limit=90)
        if subject.parent
        else (),
    }


def _decider(request: HttpRequest) -> User:
    if not request.user.has_perm("moderation.decide_review"):
        raise PermissionDenied
    return staff(request.user)


def _page(request: HttpRequest, template: str, **context: object) -> HttpResponse:
    answer = TemplateResponse(
        request,
        f"moderation/admin/quality/{template}",
        {**admin.site.each_context(request), **context},
    )
    # Going back must not show a question that has passed to others.
    answer["Cache-Control"] = "private, no-store"
    return answer
