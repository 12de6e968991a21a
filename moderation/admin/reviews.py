"""The review queue and the desk at which one of its items is decided."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from moderation.admin.desk import DecisionForm, lay_out, take_lease
from moderation.admin.queue import QueueFilters, count_label, next_item, read_queue
from moderation.admin.scoped import ReadOnlyAdmin
from moderation.admin.surroundings import staff
from moderation.errors import Conflict, ModerationError, NotAllowed
from moderation.models import Review
from moderation.pipeline.review import free_review

# Django's own name for what a list was filtered by, carried along to come back to it.
KEPT = "_changelist_filters"


@admin.register(Review)
class ReviewAdmin(ReadOnlyAdmin):
    def get_urls(self) -> list[URLPattern]:
        site = self.admin_site
        return [
            path("count/", site.admin_view(self.count_view), name="moderation_review_count"),
            path(
                "<int:review_id>/free/",
                site.admin_view(require_POST(self.free_view)),
                name="moderation_review_free",
            ),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self._must_see(request)
        filters = QueueFilters(request.GET.dict(), request)
        page = read_queue(filters, after=request.GET.get("after", ""))
        return self._render(
            request,
            "queue.html",
            {
                "title": "Queue",
                "filters": filters,
                "page": page,
                "count": count_label(filters),
                "chosen": filters.query_string(),
                "kept": urlencode({KEPT: filters.query_string()}),
                "is_first_page": not request.GET.get("after"),
            },
        )

    def count_view(self, request: HttpRequest) -> HttpResponse:
        """Answer with the fragment that the page reads again when something has changed."""
        self._must_see(request)
        filters = QueueFilters(request.GET.dict(), request)
        return TemplateResponse(
            request, "moderation/admin/_count.html", {"count": count_label(filters)}
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        review = self._find(request, object_id)
        if request.method == "POST":
            return self._decide(request, review)
        return self._show(request, review, DecisionForm(revision=review.revision))

    def free_view(self, request: HttpRequest, review_id: int) -> HttpResponse:
        """Give an item back undecided, and return to the list."""
        review = self._find(request, str(review_id))
        free_review(review_id=review.pk, moderator=staff(request.user))
        return HttpResponseRedirect(_queue_address(request))

    def _decide(self, request: HttpRequest, review: Review) -> HttpResponse:
        form = DecisionForm(request.POST)
        if not form.is_valid():
            return self._show(request, review, form, status=400)
        try:
            done = form.carry_out(review.pk, staff(request.user))
        except (Conflict, NotAllowed) as error:
            review = self._find(request, str(review.pk))
            status = 403 if isinstance(error, NotAllowed) else 409
            return self._show(request, review, form, refusal=error, status=status)
        except ModerationError as error:
            form.add_error(None, str(error))
            return self._show(request, review, form, status=400)
        self.log_change(request, review, done)
        return self._go_on(request, review, done)

    def _go_on(self, request: HttpRequest, review: Review, done: str) -> HttpResponse:
        kept = request.GET.get(KEPT, "")
        filters = QueueFilters(_parsed(kept), request)
        following = next_item(filters, besides=review.pk)
        if following is None:
            messages.success(request, f"{done} Nothing else waits here.")
            return HttpResponseRedirect(_queue_address(request))
        messages.success(request, f"{done} This is the next item.")
        address = reverse("admin:moderation_review_change", args=[following.pk])
        return redirect(f"{address}?{urlencode({KEPT: kept})}" if kept else address)

    def _show(
        self,
        request: HttpRequest,
        review: Review,
        form: DecisionForm,
        *,
        refusal: ModerationError | None = None,
        status: int = 200,
    ) -> HttpResponse:
        reader = staff(request.user)
        lease = take_lease(review, reader)
        return self._render(
            request,
            "desk.html",
            {
                "title": "Review",
                "subtitle": str(review.post.author),
                "desk": lay_out(review, reader),
                "lease": lease,
                "form": form,
                "refusal": refusal,
                "queue_address": _queue_address(request),
                "kept": urlencode({KEPT: request.GET[KEPT]}) if KEPT in request.GET else "",
                "may_reverse": reader.has_perm("moderation.reverse_enforcement"),
                "may_escalate": reader.has_perm("moderation.escalate_review"),
            },
            status=status,
        )

    def _find(self, request: HttpRequest, object_id: str) -> Review:
        self._must_see(request)
        rows = self.get_queryset(request).select_related(
            "post__author", "post__community", "post__parent", "verdict__policy", "holder"
        )
        review: Review | None = (
            rows.filter(pk=int(object_id)).first()
            if object_id.isdecimal() and len(object_id) < 19
            else None
        )
        if review is None:
            raise Http404("There is no such item in your communities.")
        return review

    def _must_see(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _render(
        self, request: HttpRequest, template: str, context: dict[str, Any], *, status: int = 200
    ) -> HttpResponse:
        return TemplateResponse(
            request,
            f"moderation/admin/{template}",
            {
                **self.admin_site.each_context(request),
                "is_fullwidth": "1",
                **context,
            },
            status=status,
        )


def _parsed(query: str) -> dict[str, str]:
    return QueryDict(query).dict()


def _queue_address(request: HttpRequest) -> str:
    address = reverse("admin:moderation_review_changelist")
    kept = request.GET.get(KEPT, "")
    return f"{address}?{kept}" if kept else address
