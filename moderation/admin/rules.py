"""What leads change: communities, policies and words, each through `communities`."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.views.decorators.http import require_POST
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminTextareaWidget

from moderation import communities
from moderation.admin.review_times import KEEP_FIELDS, MINUTES_FIELDS, CommunityForm
from moderation.admin.scoped import CommunityFilter, ScopedAdmin
from moderation.admin.surroundings import staff
from moderation.errors import InvalidPolicy
from moderation.models import Community, CommunityWord, PolicyRevision
from moderation.models.communities import Organisation
from moderation.vocabulary import Category, WordAction


@admin.register(Organisation)
class OrganisationAdmin(ScopedAdmin):
    """For superusers: an organisation's communities belong together, its moderators do not."""

    community_path = None
    list_display = ("name", "slug", "client_id", "created_at")
    search_fields = ("name", "slug")
    ordering = ("name",)
    readonly_fields = ("client_id", "created_at")


class WordInline(TabularInline):  # type: ignore[misc]  # Unfold is untyped
    """The words as they are; they change on their own page, where each change is recorded."""

    model = CommunityWord
    fields = ("term", "action", "category")
    readonly_fields = fields
    ordering = ("term",)
    extra = 0
    can_delete = False
    show_change_link = True
    per_page = 20

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Community)
class CommunityAdmin(ScopedAdmin):
    community_path = ""
    form = CommunityForm
    list_display = ("name", "slug", "policy", "text_mode", "image_mode", "gif_mode", "language")
    list_select_related = ("policy__community",)
    search_fields = ("name", "slug")
    ordering = ("name",)
    fields = (
        "organisation",
        "name",
        "slug",
        "language",
        "text_mode",
        "image_mode",
        "gif_mode",
        "video_mode",
        *MINUTES_FIELDS,
        "break_after",
        "second_look_share",
        *KEEP_FIELDS,
        "policy",
        "words_version",
        "created_at",
    )
    readonly_fields = ("policy", "words_version", "created_at")
    inlines = (WordInline,)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Community | None = None
    ) -> tuple[str, ...]:
        # Its address and its owner are known to clients; moving it is not an edit.
        fixed = ("organisation", "slug") if obj else ()
        return (*self.readonly_fields, *fixed)


class PolicyForm(ModelForm):  # type: ignore[type-arg]  # generic in the stubs alone
    """A revision to be: its document starts as the one in force."""

    class Meta:
        model = PolicyRevision
        fields = ("community", "document", "note")

    document = forms.CharField(
        widget=UnfoldAdminTextareaWidget(
            attrs={"rows": 28, "class": "gh-code", "spellcheck": "false"}
        ),
        help_text="JSON. Saving makes the next revision; it judges once it is put in force.",
    )

    def clean_document(self) -> dict[str, Any]:
        text = self.cleaned_data["document"]
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValidationError(
                f"This is not JSON: line {error.lineno}, column {error.colno}: {error.msg}."
            ) from error
        if not isinstance(document, dict):
            raise ValidationError("A policy is a JSON object: it begins with {.")
        try:
            communities.check_policy(document)
        except InvalidPolicy as error:
            raise ValidationError(str(error)) from error
        return document


@admin.register(PolicyRevision)
class PolicyRevisionAdmin(ScopedAdmin):
    """Revisions are written once, then read; a lead chooses which one is in force."""

    list_display = ("community", "number", "in_force", "author", "note", "created_at")
    list_filter = (CommunityFilter,)
    list_select_related = ("community", "author")
    ordering = ("community__name", "-number")
    form = PolicyForm
    readonly_fields = ("community", "number", "shown_document", "note", "author", "created_at")
    change_form_outer_before_template = "moderation/admin/_activate.html"

    def get_fields(
        self, request: HttpRequest, obj: PolicyRevision | None = None
    ) -> tuple[str, ...]:
        return ("community", "document", "note") if obj is None else self.readonly_fields

    def get_readonly_fields(
        self, request: HttpRequest, obj: PolicyRevision | None = None
    ) -> tuple[str, ...]:
        return () if obj is None else self.readonly_fields

    def has_change_permission(
        self, request: HttpRequest, obj: PolicyRevision | None = None
    ) -> bool:
        return False

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin with the policy in force: of the community asked for, or of the first one."""
        initial: dict[str, Any] = super().get_changeform_initial_data(request)
        asked = str(initial.get("community", ""))
        in_force = self.get_queryset(request).filter(active_in__isnull=False)
        if asked.isdecimal():
            in_force = in_force.filter(community_id=int(asked))
        active = in_force.order_by("community__name").first()
        if active is not None:
            initial |= {
                "community": active.community_id,
                "document": json.dumps(active.document, indent=2),
            }
        return initial

    def save_model(
        self, request: HttpRequest, obj: PolicyRevision, form: PolicyForm, change: bool
    ) -> None:
        made = communities.revise_policy(
            community=form.cleaned_data["community"],
            document=form.cleaned_data["document"],
            note=form.cleaned_data["note"],
            user=staff(request.user),
        )
        obj.pk, obj.number = made.pk, made.number
        messages.info(request, "It is not in force yet: open it to put it in force.")

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<int:revision_id>/activate/",
                self.admin_site.admin_view(require_POST(self.activate_view)),
                name="moderation_policyrevision_activate",
            ),
            *super().get_urls(),
        ]

    def activate_view(self, request: HttpRequest, revision_id: int) -> HttpResponse:
        revision = get_object_or_404(
            self.get_queryset(request).select_related("community"), pk=revision_id
        )
        if not request.user.has_perm("moderation.change_policyrevision"):
            raise PermissionDenied
        try:
            communities.activate_policy(revision=revision, user=staff(request.user))
        except InvalidPolicy as error:
            messages.error(request, f"It was not put in force. {error}")
            return redirect("admin:moderation_policyrevision_change", revision.pk)
        self.log_change(request, revision, "Put in force.")
        messages.success(request, f"Policy {revision.number} is in force in {revision.community}.")
        return redirect("admin:moderation_policyrevision_change", revision.pk)

    @admin.display(description="In force", boolean=True)
    def in_force(self, revision: PolicyRevision) -> bool:
        return revision.community.policy_id == revision.pk

    @admin.display(description="Document")
    def shown_document(self, revision: PolicyRevision) -> str:
        return format_html(
            '<pre class="gh-document" tabindex="0">{}</pre>',
            json.dumps(revision.document, indent=2),
        )


class WordForm(ModelForm):  # type: ignore[type-arg]  # generic in the stubs alone
    """Saving happens in `communities.set_word`; what it would refuse is said beside the field."""

    class Meta:
        model = CommunityWord
        fields = ("community", "term", "action", "category")

    def clean_term(self) -> str:
        return " ".join(self.cleaned_data["term"].split())


@admin.register(CommunityWord)
class CommunityWordAdmin(ScopedAdmin):
    list_display = ("term", "community", "action", "category")
    list_filter = (CommunityFilter, "action", "category")
    list_select_related = ("community",)
    search_fields = ("term",)
    ordering = ("community__name", "term")
    form = WordForm
    fields = ("community", "term", "action", "category")

    def get_readonly_fields(
        self, request: HttpRequest, obj: CommunityWord | None = None
    ) -> tuple[str, ...]:
        return () if obj is None else ("community",)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # A word is a rule, not evidence: what it caused is kept with its posts.
        return bool(request.user.has_perm("moderation.delete_communityword"))

    def save_model(
        self, request: HttpRequest, obj: CommunityWord, form: WordForm, change: bool
    ) -> None:
        word = communities.set_word(
            community=obj.community,
            term=obj.term,
            action=WordAction(obj.action),
            category=Category(obj.category),
            user=staff(request.user),
            word_id=obj.pk,
        )
        obj.pk = word.pk

    def delete_model(self, request: HttpRequest, obj: CommunityWord) -> None:
        communities.drop_word(word=obj, user=staff(request.user))
