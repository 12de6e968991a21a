"""Who may come in: API keys, shown once, and people with their roles and communities."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin, TabularInline
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from moderation import communities
from moderation.admin.scoped import CommunityFilter, ReadOnlyAdmin, own_communities
from moderation.admin.surroundings import staff
from moderation.credentials import LARGEST_BURST, MOST_PER_SECOND, Tier, tier_of
from moderation.errors import ModerationError, NotAllowed
from moderation.models import ApiKey, Community, Membership
from moderation.models.communities import Organisation
from moderation.vocabulary import Category, Priority, Scope

# How much of the machine a key may take is for whoever runs it.
TIER_FIELDS = ("rate_per_second", "rate_burst", "priority")


class TierForm(forms.Form):
    """How much a key may send, and how soon that is looked at while many wait."""

    rate_per_second = forms.FloatField(
        required=False,
        min_value=0.01,
        max_value=MOST_PER_SECOND,
        label="Posts a second (empty: as the site's settings say)",
    )
    rate_burst = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=LARGEST_BURST,
        label="Posts at once (empty: as the site's settings say)",
    )
    priority = forms.ChoiceField(
        choices=Priority.choices,
        initial=Priority.NORMAL,
        label="While many posts wait, its own are looked at",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in TIER_FIELDS:
            self.fields[name].widget.attrs["class"] = "gh-input"

    def tier(self) -> Tier:
        return Tier(
            self.cleaned_data.get("rate_per_second"),
            self.cleaned_data.get("rate_burst"),
            Priority(self.cleaned_data.get("priority") or Priority.NORMAL),
        )


class KeyForm(TierForm):
    """A new key: of one community, or, for superusers, of a whole organisation."""

    name = forms.CharField(max_length=100, label="What it is for")
    community = forms.ModelChoiceField(Community.objects.none(), required=False)
    organisation = forms.ModelChoiceField(Organisation.objects.none(), required=False)
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices, widget=forms.CheckboxSelectMultiple, label="What it may do"
    )

    field_order = ("name", "community", "organisation", "scopes")

    def __init__(self, data: Any, request: HttpRequest) -> None:
        super().__init__(data)
        self.fields["community"].queryset = own_communities(request)  # type: ignore[attr-defined]
        if staff(request.user).is_superuser:
            self.fields["organisation"].queryset = Organisation.objects.all()  # type: ignore[attr-defined]
        else:
            for name in ("organisation", *TIER_FIELDS):
                del self.fields[name]
        for name in ("name", "community", "organisation"):
            if name in self.fields:
                self.fields[name].widget.attrs["class"] = "gh-input"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        owners = [cleaned[name] for name in ("community", "organisation") if cleaned.get(name)]
        if len(owners) != 1:
            raise forms.ValidationError("Choose the one community or organisation that owns it.")
        cleaned["owner"] = owners[0]
        return cleaned


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys are issued, replaced and revoked; their secret is shown once and kept nowhere."""

    list_display = ("shown_name", "key_id", "owner", "state", "may", "last_used_at")
    list_filter = (CommunityFilter,)
    list_select_related = ("community", "organisation")
    search_fields = ("name", "=key_id")
    ordering = ("-id",)
    fields = (
        "name",
        "key_id",
        "community",
        "organisation",
        "may",
        "sends",
        "priority",
        "state",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    )
    readonly_fields = fields
    change_form_outer_before_template = "moderation/admin/_key_actions.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("moderation.add_apikey"))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = KeyForm(request.POST or None, request)
        if request.method == "POST" and form.is_valid():
            try:
                key, text = communities.issue_key(
                    owner=form.cleaned_data["owner"],
                    scopes=form.cleaned_data["scopes"],
                    name=form.cleaned_data["name"],
                    user=staff(request.user),
                    tier=form.tier(),
                )
            except NotAllowed as error:
                raise PermissionDenied from error
            except ModerationError as error:
                form.add_error(None, str(error))
            else:
                self.log_addition(request, key, "Issued.")
                return self._show_once(request, key, text)
        return self._render(request, "key_form.html", {"title": "New API key", "form": form})

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "<int:key_pk>/rotate/",
                view(require_POST(self.rotate_view)),
                name="moderation_apikey_rotate",
            ),
            path(
                "<int:key_pk>/revoke/",
                view(require_POST(self.revoke_view)),
                name="moderation_apikey_revoke",
            ),
            path("<int:key_pk>/tier/", view(self.tier_view), name="moderation_apikey_tier"),
            *super().get_urls(),
        ]

    def rotate_view(self, request: HttpRequest, key_pk: int) -> HttpResponse:
        key = self._changeable(request, key_pk)
        successor, text = communities.rotate_key(key=key, user=staff(request.user))
        self.log_change(request, key, f"Replaced by {successor.key_id}.")
        return self._show_once(request, successor, text, replaces=key)

    def revoke_view(self, request: HttpRequest, key_pk: int) -> HttpResponse:
        key = self._changeable(request, key_pk)
        communities.revoke_key(key=key, user=staff(request.user))
        self.log_change(request, key, "Revoked.")
        messages.success(request, "Revoked. It stops working within a second.")
        return redirect("admin:moderation_apikey_change", key.pk)

    def tier_view(self, request: HttpRequest, key_pk: int) -> HttpResponse:
        """Let the site's administrators say how much a key may send."""
        if not staff(request.user).is_superuser:
            raise PermissionDenied
        key = self._changeable(request, key_pk)
        form = TierForm(request.POST or None, initial=asdict(tier_of(key)))
        if request.method == "POST" and form.is_valid():
            communities.change_tier(key=key, tier=form.tier(), user=staff(request.user))
            self.log_change(request, key, "Changed how much it may send.")
            messages.success(request, "Changed. It holds within a second.")
            return redirect("admin:moderation_apikey_change", key.pk)
        return self._render(
            request, "key_tier.html", {"title": f"What {key} may send", "key": key, "form": form}
        )

    @admin.display(description="Key")
    def shown_name(self, key: ApiKey) -> str:
        return key.name or key.key_id

    @admin.display(description="Opens")
    def owner(self, key: ApiKey) -> str:
        return str(key.owner)

    @admin.display(description="May")
    def may(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.display(description="Sends at most")
    def sends(self, key: ApiKey) -> str:
        tier = tier_of(key)
        return f"{tier.per_second:,g} posts a second, {tier.burst:,} at once"

    @admin.display(description="State")
    def state(self, key: ApiKey) -> str:
        if key.revoked_at:
            return "Revoked"
        if key.expires_at and key.expires_at <= timezone.now():
            return "Expired"
        return "Works until it expires" if key.expires_at else "Works"

    def _changeable(self, request: HttpRequest, key_pk: int) -> ApiKey:
        if not request.user.has_perm("moderation.change_apikey"):
            raise PermissionDenied
        key: ApiKey | None = self.get_queryset(request).filter(pk=key_pk).first()
        if key is None:
            raise Http404
        return key

    def _show_once(
        self, request: HttpRequest, key: ApiKey, text: str, *, replaces: ApiKey | None = None
    ) -> HttpResponse:
        return self._render(
            request,
            "key_shown.html",
            {"title": "Your new key", "key": key, "text": text, "replaces": replaces},
        )

    def _render(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        return TemplateResponse(
            request,
            f"moderation/admin/{template}",
            {**self.admin_site.each_context(request), **context},
        )


# People: superusers only, by Django's own permissions


class MembershipForm(forms.ModelForm):  # type: ignore[type-arg]  # generic in the stubs alone
    class Meta:
        model = Membership
        fields = ("community", "categories")

    categories = forms.MultipleChoiceField(
        choices=Category.choices,
        required=False,
        widget=forms.SelectMultiple(attrs={"class": "gh-input"}),
        help_text="None chosen: all of them, and what has no category.",
    )


class MembershipInline(TabularInline):  # type: ignore[misc]  # Unfold is untyped
    model = Membership
    form = MembershipForm
    extra = 1
    verbose_name = "community"
    verbose_name_plural = "communities that they moderate"


admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    """People of this site. A role is a group; the communities they moderate are listed apart."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    inlines = (MembershipInline,)
    # Unfold's two-column picker is wider than its page.
    filter_horizontal = ()
    list_display = ("username", "email", "is_staff", "is_active", "last_login")

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        # Decisions and the record refer to people: deactivate them instead.
        return False


@admin.register(Group)
class RoleAdmin(DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]
    """Roles. `moderation.roles` makes those that Gatehouse comes with."""

    # Deleting several roles at once serves nobody, and its bar styles itself inline (CSP).
    actions = None
    filter_horizontal = ()
