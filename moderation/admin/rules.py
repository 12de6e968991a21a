"""What leads change: communities, policies, words and banked images, each through `communities`."""

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
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from moderation import communities
from moderation.admin.scoped import CommunityFilter, ScopedAdmin
from moderation.admin.surroundings import staff
from moderation.conf import get_conf
from moderation.errors import InvalidPolicy, MediaRefused
from moderation.media.decode import prepare_image
from moderation.models import BankedHash, Community, CommunityWord, PolicyRevision
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


class PolicyForm(ModelForm):  # type: ignore[type-arg]
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
        communities.activate_policy(revision=revision, user=staff(request.user))
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


class WordForm(ModelForm):  # type: ignore[type-arg]
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


class BankForm(ModelForm):  # type: ignore[type-arg]
    """A known-bad image, given as a picture or as its PDQ hash; only the hash is kept."""

    class Meta:
        model = BankedHash
        fields = ("perceptual_hash", "category", "label", "community", "max_distance", "active")

    picture = forms.FileField(
        required=False,
        widget=UnfoldAdminFileFieldWidget,
        help_text="JPEG, PNG, WebP or GIF. It is hashed, not stored.",
    )
    perceptual_hash = forms.RegexField(
        r"\A[0-9a-fA-F]{64}\Z",
        required=False,
        label="PDQ hash",
        widget=UnfoldAdminTextInputWidget,
        help_text="Instead of a picture: 64 hexadecimal digits.",
        error_messages={"invalid": "A PDQ hash has 64 hexadecimal digits."},
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        picture = cleaned.get("picture")
        if picture is not None:
            cleaned["perceptual_hash"] = _hash_of(picture)
        elif cleaned.get("perceptual_hash"):
            cleaned["perceptual_hash"] = cleaned["perceptual_hash"].lower()
        elif "perceptual_hash" not in self.errors:
            raise ValidationError("Give a picture or a PDQ hash.")
        return cleaned


def _hash_of(picture: Any) -> str:
    if picture.size > get_conf().max_upload_bytes:
        raise ValidationError({"picture": "The file is too large."})
    try:
        made = prepare_image(picture.read())
    except MediaRefused as error:
        raise ValidationError({"picture": str(error)}) from error
    if not made.perceptual_hash:
        raise ValidationError({"picture": "This picture is too plain to be known again."})
    return made.perceptual_hash


@admin.register(BankedHash)
class BankedHashAdmin(ScopedAdmin):
    list_display = ("banked", "category", "community", "max_distance", "active", "created_at")
    list_filter = (CommunityFilter, "category", "active")
    list_select_related = ("community",)
    search_fields = ("label", "perceptual_hash")
    ordering = ("-id",)
    form = BankForm

    @admin.display(description="Image")
    def banked(self, banked: BankedHash) -> str:
        return str(banked)

    def get_fields(self, request: HttpRequest, obj: BankedHash | None = None) -> tuple[str, ...]:
        given = ("picture", "perceptual_hash") if obj is None else ("perceptual_hash",)
        return (*given, "category", "label", "community", "max_distance", "active")

    def get_readonly_fields(
        self, request: HttpRequest, obj: BankedHash | None = None
    ) -> tuple[str, ...]:
        return () if obj is None else ("perceptual_hash", "community")

    def get_form(
        self, request: HttpRequest, obj: BankedHash | None = None, **kwargs: Any
    ) -> type[forms.ModelForm[BankedHash]]:
        if obj is not None:
            kwargs["form"] = ModelForm
        form: type[forms.ModelForm[BankedHash]] = super().get_form(request, obj, **kwargs)
        community = form.base_fields.get("community")
        if community is not None:
            # Only those who answer for all communities bank an image for all of them.
            community.required = not staff(request.user).is_superuser
        return form

    def save_model(self, request: HttpRequest, obj: BankedHash, form: Any, change: bool) -> None:
        communities.bank_hash(banked=obj, user=staff(request.user))
