"""Pages on which several items are decided as one, and a batch is taken back."""

from __future__ import annotations

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST

from moderation.admin.desk_pages import KEPT, DeskPages, queue_address
from moderation.admin.posts import ReversalForm
from moderation.admin.scoped import CommunityFilter, ReadOnlyAdmin
from moderation.admin.surroundings import staff
from moderation.admin.together import (
    Together,
    TogetherForm,
    lay_out_batch,
    lay_out_cluster,
    lay_out_picked,
    picked_in,
)
from moderation.errors import ModerationError, NotAllowed
from moderation.models import DecisionBatch
from moderation.pipeline.review.cluster import (
    DecidedTogether,
    Picked,
    decide_together,
    reverse_together,
)
from moderation.vocabulary import Action, Category, ReviewState


class TogetherPages(DeskPages):
    """What `ReviewAdmin` shows of several items."""

    def together_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "together/",
                view(require_POST(self.together_view)),
                name="moderation_review_together",
            ),
            path("<int:review_id>/alike/", view(self.alike_view), name="moderation_review_alike"),
        ]

    def together_view(self, request: HttpRequest) -> HttpResponse:
        """Show what was ticked and what would happen; with an action and a reason, do it."""
        self._must_decide(request)
        picked = picked_in(request.POST.getlist("picked"))
        if not picked:
            messages.error(request, "Tick at least one item.")
            return HttpResponseRedirect(queue_address(request))
        shown = lay_out_picked(picked, staff(request.user))
        if not shown.members:
            raise Http404("There are no such items among yours.")
        if "action" not in request.POST:
            return self._show_together(request, shown, _form(shown))
        form = _form(shown, request.POST)
        if form.is_valid():
            try:
                done = self._carry_out(request, picked, form)
            except NotAllowed as error:
                raise PermissionDenied from error
            except ModerationError as error:
                form.add_error(None, str(error))
            else:
                if done.batch is not None:
                    return self._go_to_batch(request, done, picked)
                form.add_error(None, "Nothing was decided: see beside each item why.")
        shown = lay_out_picked(picked, staff(request.user))
        return self._show_together(request, shown, form, status=400)

    def alike_view(self, request: HttpRequest, review_id: int) -> HttpResponse:
        """Show the open items that are like one, to decide them as one."""
        self._must_decide(request)
        review = self._find(request, str(review_id))
        if review.state != ReviewState.OPEN:
            messages.info(request, "This item is closed: nothing is to be decided with it.")
            return redirect("admin:moderation_review_change", review.pk)
        shown = lay_out_cluster(review, staff(request.user))
        return self._show_together(request, shown, _form(shown), alike_to=review.pk)

    def _carry_out(
        self, request: HttpRequest, picked: list[Picked], form: TogetherForm
    ) -> DecidedTogether:
        asked = form.cleaned_data
        done = decide_together(
            picked=picked,
            moderator=staff(request.user),
            action=Action(asked["action"]),
            reason=str(asked["reason"]),
            category=Category(asked["category"]) if asked["category"] else None,
        )
        if done.batch is not None:
            self.log_addition(request, done.batch, f"Decided {len(done.decisions)} items as one.")
        return done

    def _go_to_batch(
        self, request: HttpRequest, done: DecidedTogether, picked: list[Picked]
    ) -> HttpResponse:
        assert done.batch is not None
        count = len(done.decisions)
        said = f"{count} item{'' if count == 1 else 's'} decided as one."
        if done.left_out:
            messages.warning(request, f"{said} {len(done.left_out)} left out, named below.")
        else:
            messages.success(request, said)
        left = [
            f"{one.review_id}:{one.revision}" for one in picked if one.review_id in done.left_out
        ]
        kept = [(KEPT, request.GET[KEPT])] if request.GET.get(KEPT) else []
        query = urlencode([*kept, *(("left", one) for one in left)])
        address = reverse("admin:moderation_decisionbatch_change", args=[done.batch.pk])
        return redirect(f"{address}?{query}" if query else address)

    def _show_together(
        self,
        request: HttpRequest,
        shown: Together,
        form: TogetherForm,
        *,
        alike_to: int | None = None,
        status: int = 200,
    ) -> HttpResponse:
        return self._render(
            request,
            "together.html",
            {
                "title": "Alike" if alike_to else "Decide together",
                "together": shown,
                "form": form,
                "alike_to": alike_to,
                "queue_address": queue_address(request),
                "kept": urlencode({KEPT: request.GET[KEPT]}) if KEPT in request.GET else "",
            },
            status=status,
        )

    def _must_decide(self, request: HttpRequest) -> None:
        self._must_see(request)
        if not request.user.has_perm("moderation.decide_review"):
            raise PermissionDenied


def _form(shown: Together, data: QueryDict | None = None) -> TogetherForm:
    return TogetherForm(data, community_id=shown.community_id, category=shown.category)


@admin.register(DecisionBatch)
class DecisionBatchAdmin(ReadOnlyAdmin):
    """What was decided as one, and can be taken back as one."""

    list_display = ("created_at", "action", "moderator", "community", "reversed_at")
    list_filter = (CommunityFilter, "action")
    list_select_related = ("moderator", "community")
    ordering = ("-id",)

    def has_view_permission(self, request: HttpRequest, obj: DecisionBatch | None = None) -> bool:
        return bool(request.user.has_perm("moderation.view_decision"))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, object] | None = None,
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        batch = self._batch(request, object_id)
        form = ReversalForm(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            try:
                return self._reverse(request, batch, form.cleaned_data["reason"])
            except NotAllowed as error:
                raise PermissionDenied from error
        left_out = picked_in(request.GET.getlist("left")[:100])
        return TemplateResponse(
            request,
            "moderation/admin/batch.html",
            {
                **self.admin_site.each_context(request),
                "is_fullwidth": "1",
                "title": "Decided together",
                "page": lay_out_batch(batch, staff(request.user), left_out=left_out),
                "form": form,
                "may_reverse": request.user.has_perm("moderation.reverse_enforcement"),
                "queue_address": queue_address(request),
            },
        )

    def _reverse(self, request: HttpRequest, batch: DecisionBatch, reason: str) -> HttpResponse:
        back = reverse_together(batch_id=batch.pk, moderator=staff(request.user), reason=reason)
        said = f"{len(back.reversed)} reversed."
        if back.already:
            said += f" {len(back.already)} had been reversed before."
        if back.left_out:
            messages.warning(request, f"{said} {len(back.left_out)} are not yours to reverse.")
        else:
            messages.success(request, said)
        self.log_change(request, batch, said)
        return redirect("admin:moderation_decisionbatch_change", batch.pk)

    def _batch(self, request: HttpRequest, object_id: str) -> DecisionBatch:
        rows = self.get_queryset(request).select_related("moderator", "community")
        is_number = object_id.isdecimal() and len(object_id) < 19
        batch: DecisionBatch | None = rows.filter(pk=int(object_id)).first() if is_number else None
        if batch is None:
            raise Http404("There is no such batch in your communities.")
        return batch
