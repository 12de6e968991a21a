"""Golden items: questions whose answer leads have agreed on. Only leads read them here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from moderation.admin import words
from moderation.admin.display import excerpt, seen_text
from moderation.admin.evidence import bare_attachments
from moderation.admin.scoped import CommunityFilter, ScopedAdmin, own_communities
from moderation.admin.surroundings import staff
from moderation.errors import InvalidFields
from moderation.models import Decision, GoldenItem
from moderation.quality import golden
from moderation.quality.checks import ANSWERS
from moderation.quality.subject import Subject, subject_of_golden

_ANSWERS = [
    ("", "Choose the right answer"),
    *((one.value, words.answer_label(one)) for one in ANSWERS),
]


class GoldenForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs alone
    class Meta:
        model = GoldenItem
        fields: tuple[str, ...] = ("title", "body", "action", "category", "explanation", "active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        action = self.fields["action"]
        assert isinstance(action, forms.ChoiceField)
        action.choices = _ANSWERS
        action.label = "Right answer"
        self.fields["category"].help_text = "It is asked of those who moderate this category."
        self.fields["explanation"].help_text = "Whoever has answered reads it. Name nobody."

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if "body" in self.fields and not (cleaned.get("title") or cleaned.get("body")):
            self.add_error("body", "Write what is asked about.")
        return cleaned


class OfDecisionForm(GoldenForm):
    """The same of a decision, whose post it shows: it has no text of its own."""

    class Meta(GoldenForm.Meta):
        fields = ("action", "category", "explanation")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = "gh-input"


@admin.register(GoldenItem)
class GoldenItemAdmin(ScopedAdmin):
    """Retired rather than deleted: answers refer to them."""

    form = GoldenForm
    list_display = (
        "shows",
        "right_answer",
        "category",
        "community",
        "active",
        "made_by",
        "created_at",
    )
    list_filter = (CommunityFilter, "category", "active")
    list_select_related = ("community", "made_by", "decision__post", "decision__enforcement")
    ordering = ("-id",)

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "of-decision/<int:decision_id>/",
                self.admin_site.admin_view(self.of_decision_view),
                name="moderation_goldenitem_of_decision",
            ),
            *super().get_urls(),
        ]

    def get_fields(self, request: HttpRequest, obj: GoldenItem | None = None) -> tuple[str, ...]:
        shows = ("post",) if obj and obj.decision_id else ("title", "body")
        return ("community", *shows, "action", "category", "explanation", "active")

    def get_readonly_fields(
        self, request: HttpRequest, obj: GoldenItem | None = None
    ) -> tuple[str, ...]:
        return () if obj is None else ("community", "post")

    @admin.display(description="Shows")
    def shows(self, item: GoldenItem) -> str:
        post = item.decision.post if item.decision else item
        pieces = excerpt(post.title, post.body, limit=90)
        return render_to_string("moderation/admin/_pieces.html", {"pieces": pieces})

    @admin.display(description="Right answer", ordering="action")
    def right_answer(self, item: GoldenItem) -> str:
        label = words.answer_label(item.action)
        enforcement = getattr(item.decision, "enforcement", None)
        if enforcement is None or enforcement.reversed_at is None:
            return label
        is_contradicted = item.decision is not None and item.action == item.decision.action
        return f"{label} (reversed since: not asked)" if is_contradicted else label

    @admin.display(description="Post, as it was decided")
    def post(self, item: GoldenItem) -> str:
        subject = subject_of_golden(item)
        text = seen_text(subject.title, subject.body)
        return render_to_string("moderation/admin/_text.html", {"text": text})

    def save_model(self, request: HttpRequest, obj: GoldenItem, form: Any, change: bool) -> None:
        golden.keep_golden(item=obj, user=staff(request.user))

    def of_decision_view(self, request: HttpRequest, decision_id: int) -> HttpResponse:
        """Make a golden item of a decision; lead to it where there is one already."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        decision = (
            Decision.objects.select_related("post__community", "post__parent", "post__author")
            .filter(pk=decision_id, post__community__in=own_communities(request))
            .first()
        )
        if decision is None or decision.post.author.erased_at is not None:
            raise Http404("There is no such decision in your communities.")
        made = GoldenItem.objects.filter(decision=decision).first()
        if made is not None:
            return redirect("admin:moderation_goldenitem_change", made.pk)
        item = GoldenItem(
            community=decision.post.community,
            decision=decision,
            action=decision.action,
            category=decision.category,
        )
        subject = subject_of_golden(item)
        form = OfDecisionForm(request.POST or None, instance=item)
        if request.method == "POST" and form.is_valid() and self._keep(request, form):
            return redirect("admin:moderation_goldenitem_changelist")
        return self._of_decision_page(request, decision, subject, form)

    def _keep(self, request: HttpRequest, form: OfDecisionForm) -> bool:
        item: GoldenItem = form.instance
        try:
            golden.keep_golden(item=item, user=staff(request.user))
        except InvalidFields as error:
            for field, wrong in error.errors:
                form.add_error(field if field in form.fields else None, wrong)
            return False
        self.log_addition(request, item, "Made of a decision.")
        messages.success(request, "Kept. Each moderator is asked it once.")
        return True

    def _of_decision_page(
        self, request: HttpRequest, decision: Decision, subject: Subject, form: OfDecisionForm
    ) -> HttpResponse:
        return TemplateResponse(
            request,
            "moderation/admin/quality/golden_of_decision.html",
            {
                **self.admin_site.each_context(request),
                "title": "Golden item of a decision",
                "decision": decision,
                "text": seen_text(subject.title, subject.body),
                "attachments": bare_attachments(subject.media or ()),
                "form": form,
            },
        )
