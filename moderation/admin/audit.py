"""What is on the record of an author or a decision; how the record is signed; who is forgotten."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from moderation.admin.display import plainly
from moderation.admin.scoped import ReadOnlyAdmin, field_names, own_communities
from moderation.admin.surroundings import staff
from moderation.admin.timeline import author_timeline, decision_timeline
from moderation.errors import ModerationError
from moderation.models import AuditCheckpoint, Author, Decision
from moderation.pipeline import erase
from moderation.pipeline.audit.checkpoint import as_json, public_key


def urls() -> list[URLPattern]:
    """Return the addresses of the record's pages, below the admin's own."""
    view = admin.site.admin_view
    return [
        path("authors/<int:author_id>/", view(author_view), name="moderation_author_timeline"),
        path("authors/<int:author_id>/erase/", view(erase_view), name="moderation_author_erase"),
        path(
            "decisions/<int:decision_id>/",
            view(decision_view),
            name="moderation_decision_timeline",
        ),
    ]


def author_view(request: HttpRequest, author_id: int) -> HttpResponse:
    """Show what is on the record of a person and of their latest posts."""
    author = _find_author(request, author_id)
    found = author_timeline(author, opens_notes=_opens_notes(request))
    return _page(
        request,
        "author_timeline.html",
        title="On the record",
        subtitle=plainly(str(author)),
        author=author,
        timeline=found.steps,
        posts=found.posts,
        is_cut=found.is_cut,
    )


def decision_view(request: HttpRequest, decision_id: int) -> HttpResponse:
    """Show what led to a decision, what it caused, and what became of it."""
    if not request.user.has_perm("moderation.view_decision"):
        raise PermissionDenied
    decision = (
        Decision.objects.select_related("post__author", "post__community", "moderator")
        .filter(pk=decision_id, post__community__in=own_communities(request))
        .first()
    )
    if decision is None:
        raise Http404("There is no such decision in your communities.")
    return _page(
        request,
        "decision_timeline.html",
        title="On the record",
        subtitle=f"Decision {decision.pk}",
        decision=decision,
        timeline=decision_timeline(decision, opens_notes=_opens_notes(request)),
    )


class ErasureForm(forms.Form):
    """Typing the id takes a moment's thought."""

    confirmed = forms.CharField(label="Type the author's id to confirm", max_length=20)

    def __init__(self, data: Any, author: Author) -> None:
        super().__init__(data)
        self._author = author
        self.fields["confirmed"].widget.attrs |= {"class": "gh-input", "autocomplete": "off"}

    def clean_confirmed(self) -> str:
        said = str(self.cleaned_data["confirmed"]).strip()
        if said != str(self._author.pk):
            raise forms.ValidationError(f"Type {self._author.pk} to confirm.")
        return said


def erase_view(request: HttpRequest, author_id: int) -> HttpResponse:
    """List what an erasure takes away; after confirmation, do it."""
    if not request.user.has_perm(erase.PERMISSION):
        raise PermissionDenied
    author = _find_author(request, author_id)
    form = ErasureForm(request.POST or None, author)
    if request.method == "POST" and form.is_valid():
        try:
            done = erase.erase_person(author_id=author.pk, user=staff(request.user))
        except ModerationError as error:
            form.add_error(None, str(error))
        else:
            messages.success(
                request, f"Erased: {done.posts} posts and {done.attachments} attachments."
            )
            return redirect("admin:moderation_author_timeline", author.pk)
    return _page(
        request,
        "erase_person.html",
        title="Erase a person",
        author=author,
        extent=erase.extent_of(author),
        form=form,
    )


def _find_author(request: HttpRequest, author_id: int) -> Author:
    if not request.user.has_perm("moderation.view_author"):
        raise PermissionDenied
    authors = Author.objects.select_related("community", "user")
    author = authors.filter(pk=author_id, community__in=own_communities(request)).first()
    if author is None:
        raise Http404("There is no such person in your communities.")
    return author


def _opens_notes(request: HttpRequest) -> bool:
    return request.user.has_perm("moderation.decide_review")


def _page(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    return TemplateResponse(
        request,
        f"moderation/admin/{template}",
        {**admin.site.each_context(request), **context},
    )


@admin.register(AuditCheckpoint)
class AuditCheckpointAdmin(ReadOnlyAdmin):
    """What was signed of the chain across all communities: for superusers."""

    community_path = None
    list_display = ("position", "events", "signed_at", "public_key")
    ordering = ("-position",)
    fields = field_names(AuditCheckpoint)
    readonly_fields = fields
    list_before_template = "moderation/admin/_checkpoints_bar.html"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            key = public_key()
        except (ModerationError, OSError) as error:
            key = f"cannot be read: {error}"
        context = {**(extra_context or {}), "audit_public_key": key}
        response: HttpResponse = super().changelist_view(request, context)
        return response

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "export.jsonl",
                self.admin_site.admin_view(self.export_view),
                name="moderation_auditcheckpoint_export",
            ),
            *super().get_urls(),
        ]

    def export_view(self, request: HttpRequest) -> StreamingHttpResponse:
        """Give all checkpoints, one a line, to keep elsewhere."""
        if not staff(request.user).is_superuser:
            raise PermissionDenied
        rows = AuditCheckpoint.objects.order_by("position").iterator(chunk_size=1_000)
        return StreamingHttpResponse(
            (json.dumps(as_json(row)) + "\n" for row in rows),
            content_type="application/jsonl; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="checkpoints.jsonl"'},
        )
