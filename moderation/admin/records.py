"""What was asked, answered, concluded and decided, and the record of it all: to read only."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from moderation.admin import words
from moderation.admin.scoped import ReadOnlyAdmin, community_filter, field_names, own_communities
from moderation.admin.surroundings import staff
from moderation.admin.timeline import actor_names
from moderation.models import (
    AuditEvent,
    AuditSeal,
    Decision,
    ProviderResult,
    Submission,
    VerdictRecord,
)


@admin.register(Submission)
class SubmissionAdmin(ReadOnlyAdmin):
    community_path = "post__community"
    list_display = ("id", "post", "revision", "reason", "state", "lane", "attempts", "due_at")
    list_filter = ("state", "lane", "reason", community_filter("post__community"))
    list_select_related = ("post",)
    search_fields = ("=post__id",)
    ordering = ("-id",)
    # A lease's token is what lets a worker decide: nobody else needs it.
    fields = field_names(Submission, leave_out=("lease_token",))
    readonly_fields = fields


@admin.register(ProviderResult)
class ProviderResultAdmin(ReadOnlyAdmin):
    community_path = "submission__post__community"
    list_display = ("id", "provider", "part_kind", "outcome", "took", "error", "created_at")
    list_filter = (
        "provider",
        "outcome",
        "part_kind",
        community_filter("submission__post__community"),
    )
    search_fields = ("=submission__post__id",)
    ordering = ("-id",)
    fields = field_names(ProviderResult)
    readonly_fields = fields

    @admin.display(description="Took", ordering="latency_ms")
    def took(self, result: ProviderResult) -> str:
        return "" if result.latency_ms is None else f"{result.latency_ms:.1f} ms"


@admin.register(VerdictRecord)
class VerdictRecordAdmin(ReadOnlyAdmin):
    community_path = "post__community"
    list_display = ("id", "post", "revision", "action", "category", "score", "judged_at")
    list_filter = ("action", "category", community_filter("post__community"))
    list_select_related = ("post",)
    search_fields = ("=post__id",)
    ordering = ("-id",)
    fields = field_names(VerdictRecord)
    readonly_fields = fields


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    community_path = "post__community"
    list_display = ("decided_at", "moderator", "action", "category", "reason", "post_link")
    list_filter = ("action", "category", community_filter("post__community"))
    list_select_related = ("moderator", "post")
    search_fields = ("=post__id", "moderator__username")
    ordering = ("-id",)
    fields = field_names(Decision)
    readonly_fields = fields
    change_form_outer_before_template = "moderation/admin/_decision_bar.html"

    @admin.display(description="Post")
    def post_link(self, decision: Decision) -> str:
        return format_html(
            '<a class="gh-link" href="{}">Open</a>',
            reverse("admin:moderation_post_change", args=[decision.post_id]),
        )


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """Events carry their community as a plain number: they outlive what they tell of."""

    list_display = ("happened_at", "who", "what", "subject", "why")
    list_filter = ("kind", "subject_kind", "actor_kind")
    search_fields = ("=subject_id",)
    search_help_text = "Id of the post or other subject"
    ordering = ("-id",)
    fields = field_names(AuditEvent, leave_out=("sealed",))
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEvent]:
        rows = AuditEvent.objects.all()
        if staff(request.user).is_superuser:
            return rows
        own = list(own_communities(request).values_list("pk", flat=True))
        return rows.filter(community_id__in=own)

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        """Resolve the names of a whole page at once."""
        page: ChangeList = super().get_changelist_instance(request)
        events = list(page.result_list)
        names = actor_names(events)
        for event in events:
            event.actor_name = names[event.actor_kind, event.actor_id]
        page.result_list = events
        return page

    @admin.display(description="Who")
    def who(self, event: AuditEvent) -> str:
        return str(event.actor_name)  # type: ignore[attr-defined]  # set for each page of the list

    @admin.display(description="What")
    def what(self, event: AuditEvent) -> str:
        return words.step_label(event.kind)

    @admin.display(description="Subject")
    def subject(self, event: AuditEvent) -> str:
        if event.subject_kind != "post":
            return f"{event.subject_kind} {event.subject_id}"
        return format_html(
            '<a class="gh-link" href="{}">post {}</a>',
            reverse("admin:moderation_post_change", args=[event.subject_id]),
            event.subject_id[-12:],
        )

    @admin.display(description="Because")
    def why(self, event: AuditEvent) -> str:
        return words.facts_label(event.facts)


@admin.register(AuditSeal)
class AuditSealAdmin(ReadOnlyAdmin):
    """Links of the chain across all communities: for superusers."""

    community_path = None
    list_display = ("position", "event_count", "first_id", "last_id", "sealed_at", "digest")
    ordering = ("-position",)
    fields = field_names(AuditSeal)
    readonly_fields = fields
