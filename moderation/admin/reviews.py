"""The review queue; the desk at which one of its items is decided is in `desk_pages`."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from moderation import queries
from moderation.admin.desk_pages import KEPT, undo_offer
from moderation.admin.preferences import preferences_of
from moderation.admin.queue import QueueFilters, count_label, lane_tabs, read_queue
from moderation.admin.saved_views import RenameForm, SaveViewForm, views_for
from moderation.admin.surroundings import staff
from moderation.admin.together_pages import TogetherPages
from moderation.models import Review, SavedView

_GRID = "grid"


@admin.register(Review)
class ReviewAdmin(TogetherPages):
    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("grid/", view(self.grid_view), name="moderation_review_grid"),
            path("live/", view(self.live_view), name="moderation_review_live"),
            path("views/", view(require_POST(self.save_view)), name="moderation_review_views"),
            path(
                "views/<int:view_id>/",
                view(require_POST(self.change_saved_view)),
                name="moderation_review_saved_view",
            ),
            *self.together_urls(),
            *self.desk_urls(),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Review]:
        rows: QuerySet[Review] = super().get_queryset(request)
        return rows.filter(queries.review_scope(staff(request.user)).condition())

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return self._list(request, "queue.html")

    def grid_view(self, request: HttpRequest) -> HttpResponse:
        """Show the same queue by its pictures: only what has attachments, unless asked for all."""
        return self._list(request, "grid.html", is_grid=True)

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """Answer with what of the list changes by itself: its lanes and the items of this page."""
        is_grid = request.GET.get("as") == _GRID
        return self._list(request, "_queue_live.html", is_grid=is_grid)

    def save_view(self, request: HttpRequest) -> HttpResponse:
        """Keep the filters of the page under a name."""
        self._must_see(request)
        form = SaveViewForm(request.POST, request)
        if not form.is_valid():
            _complain(request, form)
            return _to_queue(str(form.cleaned_data.get("query", "")))
        view = form.save()
        messages.success(request, f"Saved as {view.name}.")
        return _to_queue(view.query)

    def change_saved_view(self, request: HttpRequest, view_id: int) -> HttpResponse:
        """Rename or delete a view of one's own."""
        self._must_see(request)
        view = SavedView.objects.filter(pk=view_id, user=staff(request.user)).first()
        if view is None:
            raise Http404("You have no such view.")
        if "delete" in request.POST:
            view.delete()
            messages.success(request, f"{view.name} is deleted.")
            return _to_queue("")
        form = RenameForm(request.POST, view)
        if form.is_valid():
            form.save()
            messages.success(request, f"{view.name} is now {form.cleaned_data['name']}.")
        else:
            _complain(request, form)
        return _to_queue(view.query)

    def _list(self, request: HttpRequest, template: str, *, is_grid: bool = False) -> HttpResponse:
        self._must_see(request)
        filters = QueueFilters(request.GET.dict(), request)
        tabs = lane_tabs(filters)
        chosen = filters.query_string()
        context = {
            "title": "Queue",
            "filters": filters,
            "tabs": tabs,
            "page": read_queue(filters, after=request.GET.get("after", ""), thumbnails=is_grid),
            "count": count_label(tabs),
            "chosen": chosen,
            "kept": urlencode({KEPT: chosen}),
            "picture_query": filters.query_string(attachments="with"),
            "after": request.GET.get("after", ""),
            "is_grid": is_grid,
            "is_shown": request.GET.get("shown") == "all",
            "may_decide": request.user.has_perm("moderation.decide_review"),
        }
        if template.startswith("_"):
            return TemplateResponse(request, f"moderation/admin/{template}", context)
        context["undo"] = undo_offer(filters.user, preferences_of(filters.user))
        context["views"] = views_for(filters.user, chosen)
        context["view_form"] = SaveViewForm(None, request, query=chosen)
        return self._render(request, template, context)


def _to_queue(query: str) -> HttpResponse:
    address = reverse("admin:moderation_review_changelist")
    return HttpResponseRedirect(f"{address}?{query}" if query else address)


def _complain(request: HttpRequest, form: SaveViewForm | RenameForm) -> None:
    for errors in form.errors.values():
        for error in errors:
            messages.error(request, str(error))
