"""What readers reported, what they were answered, and who may be heard first or not at all."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminTextInputWidget

from moderation import queries
from moderation.admin.display import excerpt, pieces
from moderation.admin.posts import as_html
from moderation.admin.report_panel import reporter_url
from moderation.admin.scoped import CommunityFilter, ReadOnlyAdmin, ScopedAdmin, own_communities
from moderation.admin.surroundings import staff
from moderation.errors import ModerationError, NotAllowed
from moderation.models import Author, Report, TrustedFlagger
from moderation.pipeline.reports.reporters import (
    LONGEST_MUTE_DAYS,
    PERMISSION,
    add_trusted_flagger,
    mute_reporter,
    remove_trusted_flagger,
    unmute_reporter,
    warn_reporter,
)
from moderation.policy.reporting import Advice, ReportersRecord, advice_for
from moderation.vocabulary import ReportState


class WarningForm(forms.Form):
    reason = forms.CharField(
        label="Why; kept on the record, not sent",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 2, "class": "gh-input"}),
    )


class MutingForm(WarningForm):
    days = forms.IntegerField(
        label="For how many days",
        min_value=1,
        max_value=LONGEST_MUTE_DAYS,
        initial=30,
        widget=forms.NumberInput(attrs={"class": "gh-input"}),
    )
    field_order = ["days", "reason"]


_ADVICE: dict[Advice, str] = {
    "none": "Nothing calls for a warning.",
    "warn": "Nearly all of their reports were refused: consider a warning.",
    "mute": "They were warned, and it went on: consider leaving their reports aside for a time.",
}


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    """Reports are answered by what a moderator decides of the post; here they are read."""

    list_display = (
        "created_at",
        "shown_post",
        "category",
        "source",
        "shown_reporter",
        "shown_weight",
        "state",
    )
    list_filter = ("state", "source", "category", CommunityFilter)
    list_select_related = ("post", "community", "reporter")
    search_fields = ("=number", "=post__id", "=reporter__external_id")
    search_help_text = "Report's number, post's id, or the id of whoever reported"
    ordering = ("-id",)
    fields = (
        "number",
        "community",
        "shown_post",
        "revision",
        "source",
        "category",
        "shown_explanation",
        "shown_reporter",
        "shown_notifier",
        "good_faith",
        "shown_weight",
        "state",
        "shown_answer",
        "decision",
        "created_at",
        "settled_at",
    )
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Report]:
        rows: QuerySet[Report] = super().get_queryset(request)
        return rows.filter(queries.review_scope(staff(request.user)).condition())

    @admin.display(description="Post")
    def shown_post(self, report: Report) -> str:
        post = report.post
        return format_html(
            '<a class="gh-link" href="{}">{}</a>',
            reverse("admin:moderation_post_change", args=[post.pk]),
            as_html(excerpt(post.title, post.body, limit=80)) or "Attachment only",
        )

    @admin.display(description="Reported by")
    def shown_reporter(self, report: Report) -> str:
        if report.reporter is None:
            return "Without an account"
        return format_html(
            '<a class="gh-link" href="{}">{}</a>',
            reporter_url(report.reporter.pk),
            as_html(excerpt(str(report.reporter), "", limit=60)),
        )

    @admin.display(description="Weight", ordering="weight")
    def shown_weight(self, report: Report) -> str:
        return f"{report.weight:.2f}"

    @admin.display(description="Explanation")
    def shown_explanation(self, report: Report) -> str:
        return as_html(pieces(report.explanation))

    @admin.display(description="Name and e-mail of whoever gave notice")
    def shown_notifier(self, report: Report) -> str:
        return as_html(pieces(", ".join(report.notifier.values()))) or "None"

    @admin.display(description="What they were answered")
    def shown_answer(self, report: Report) -> str:
        return queries.answer_of(report).text

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "reporters/<int:author_id>/",
                self.admin_site.admin_view(self.reporter_view),
                name="moderation_reporter",
            ),
            *super().get_urls(),
        ]

    def reporter_view(self, request: HttpRequest, author_id: int) -> HttpResponse:
        """Show how somebody's reports ended; a lead may warn and mute them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        authors = Author.objects.select_related("community", "user")
        author = authors.filter(pk=author_id, community__in=own_communities(request)).first()
        if author is None:
            raise Http404("There is no such person in your communities.")
        wanted = request.POST.get("act", "")
        warning = WarningForm(request.POST if wanted in ("warn", "unmute") else None)
        muting = MutingForm(request.POST if wanted == "mute" else None)
        form = muting if wanted == "mute" else warning
        if request.method == "POST" and form.is_valid():
            self._judge(request, author, wanted, form.cleaned_data)
            return redirect("admin:moderation_reporter", author.pk)
        return TemplateResponse(
            request,
            "moderation/admin/reporter.html",
            {
                **self.admin_site.each_context(request),
                "title": "Reports by one person",
                "author": author,
                "name": excerpt(str(author), "", limit=60),
                **_conduct(author, self.get_queryset(request)),
                "may_judge": staff(request.user).has_perm(PERMISSION),
                "warning": warning,
                "muting": muting,
            },
        )

    def _judge(
        self, request: HttpRequest, author: Author, wanted: str, said: dict[str, Any]
    ) -> None:
        lead = staff(request.user)
        try:
            if wanted == "warn":
                warn_reporter(author_id=author.pk, lead=lead, reason=said["reason"])
                done = "Warned. They read it above their reports, and get a mail."
            elif wanted == "mute":
                mute_reporter(
                    author_id=author.pk, lead=lead, days=said["days"], reason=said["reason"]
                )
                done = "Their reports are left aside from now on."
            else:
                unmute_reporter(author_id=author.pk, lead=lead, reason=said["reason"])
                done = "Their reports are looked at again."
        except NotAllowed as error:
            raise PermissionDenied from error
        except ModerationError as error:
            messages.error(request, str(error))
        else:
            self.log_change(request, author, done)
            messages.success(request, done)


def _conduct(author: Author, readable: QuerySet[Report]) -> dict[str, object]:
    record = ReportersRecord(
        author.reports_upheld, author.reports_refused, author.reports_warned_at
    )
    until = author.reports_muted_until
    latest = readable.filter(reporter=author).select_related("post").order_by("-pk")
    return {
        "advice": advice_for(record),
        "advice_text": _ADVICE[advice_for(record)],
        "is_muted": until is not None and until > queries.database_now(),
        "latest": [
            (report, excerpt(report.post.title, report.post.body, limit=80))
            for report in latest[:20]
        ],
        "open_state": ReportState.OPEN,
    }


class FlaggerForm(ModelForm):  # type: ignore[type-arg]  # generic in the stubs alone
    username = forms.CharField(
        required=False,
        max_length=150,
        label="User name",
        help_text="Who signs in here for it: this, or a client's own id of a person.",
        widget=UnfoldAdminTextInputWidget,
    )

    class Meta:
        model = TrustedFlagger
        fields = ("community", "name", "external_id")
        labels = {"external_id": "Client's own id"}
        help_texts = {
            "name": "The organisation, as its status was awarded to it.",
            "external_id": "As a client sends it with a report.",
        }

    def clean_username(self) -> str:
        username: str = self.cleaned_data["username"].strip()
        if username and not User.objects.filter(username=username, is_active=True).exists():
            raise forms.ValidationError("Nobody signs in here by this name.")
        return username

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "username" in self.errors:
            return cleaned
        if bool(cleaned.get("username")) == bool((cleaned.get("external_id") or "").strip()):
            raise forms.ValidationError("Name a user of this site or a client's own id, not both.")
        return cleaned

    def _post_clean(self) -> None:
        # Before the row is checked: it must say who it is.
        name = self.cleaned_data.get("username", "")
        self.instance.user = User.objects.filter(username=name).first() if name else None
        super()._post_clean()  # type: ignore[misc]  # Django's own, which the stubs leave out


@admin.register(TrustedFlagger)
class TrustedFlaggerAdmin(ScopedAdmin):
    """Whose notices come first. Known by whom they sign in as, not by what they type."""

    list_display = ("name", "community", "user", "external_id", "created_at")
    list_filter = (CommunityFilter,)
    list_select_related = ("community", "user")
    search_fields = ("name", "=external_id")
    ordering = ("name",)
    form = FlaggerForm
    fields = ("community", "name", "username", "external_id")

    def get_fields(
        self, request: HttpRequest, obj: TrustedFlagger | None = None
    ) -> tuple[str, ...]:
        return self.fields if obj is None else ("community", "name", "user", "external_id")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(PERMISSION))

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        return bool(request.user.has_perm(PERMISSION))

    def save_model(
        self, request: HttpRequest, obj: TrustedFlagger, form: FlaggerForm, change: bool
    ) -> None:
        made = add_trusted_flagger(
            community=obj.community,
            name=obj.name,
            lead=staff(request.user),
            user=obj.user,
            external_id=obj.external_id,
        )
        obj.pk = made.pk

    def delete_model(self, request: HttpRequest, obj: TrustedFlagger) -> None:
        remove_trusted_flagger(flagger_id=obj.pk, lead=staff(request.user))
