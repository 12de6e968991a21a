"""The desk's pages: an item is opened, decided, passed on, given back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.core.files.storage import default_storage
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    QueryDict,
)
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from moderation import queries
from moderation.admin import desk
from moderation.admin.appeals import appeals_shown
from moderation.admin.context import TABS, tab_named
from moderation.admin.decision_form import DONE, DecisionForm
from moderation.admin.display import excerpt, pieces, plainly
from moderation.admin.keys import KeysForm, keys_of, shortcuts_of
from moderation.admin.preferences import LeaseForm, VeilsForm, preferences_of
from moderation.admin.queue import QueueFilters
from moderation.admin.scoped import ReadOnlyAdmin
from moderation.admin.surroundings import staff
from moderation.conf import get_conf
from moderation.coordination import presence
from moderation.errors import Conflict, ModerationError, NotAllowed, NotFound, UndoTooLate
from moderation.models import Decision, DeskPreferences, Review
from moderation.pipeline.enforcement.statement import preview_statement
from moderation.pipeline.review import holding, noting
from moderation.pipeline.review.undo import undo_decision
from moderation.vocabulary import Action, DeskAction

# Django's own name for what a list was filtered by, carried along to come back to it.
KEPT = "_changelist_filters"


class DeskPages(ReadOnlyAdmin):
    """What `ReviewAdmin` shows of one item."""

    def desk_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        posted = {
            "free": self.free_view,
            "move": self.move_view,
            "keep": self.keep_view,
            "note": self.note_view,
            "preview": self.preview_view,
            "rested": self.rested_view,
        }
        return [
            *(
                path(
                    f"<int:review_id>/{name}/",
                    view(require_POST(answer)),
                    name=f"moderation_review_{name}",
                )
                for name, answer in posted.items()
            ),
            path(
                "<int:review_id>/context/<slug:tab>/",
                view(require_safe(self.context_view)),
                name="moderation_review_context",
            ),
            path(
                "decisions/<int:decision_id>/undo/",
                view(require_POST(self.undo_view)),
                name="moderation_review_undo",
            ),
            path(
                "media/<uuid:media_id>/frames/<int:number>/",
                view(require_safe(self.frame_view)),
                name="moderation_review_frame",
            ),
            path("preferences/", view(self.preferences_view), name="moderation_desk_preferences"),
        ]

    # One item

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
        return self._show(request, review, DecisionForm(review))

    def context_view(self, request: HttpRequest, review_id: int, tab: str) -> HttpResponse:
        """Answer with what one tab shows, for a page that is open already."""
        review = self._find(request, str(review_id))
        chosen = tab_named(tab)
        return self._render(
            request,
            "_tab.html",
            {"tab": chosen, "shows": chosen.read(review, staff(request.user)), "review": review}
            | _rights(request),
        )

    def preview_view(self, request: HttpRequest, review_id: int) -> HttpResponse:
        """Say what a decision would do and what the author would read of it. Writes nothing."""
        review = self._find(request, str(review_id))
        form = DecisionForm(review, request.POST)
        context = {"preview": _preview(review, form)}
        if request.headers.get("X-Requested-With") == "fetch":
            return self._render(request, "_preview.html", context)
        form.errors.clear()
        return self._show(request, review, form, more=context)

    def keep_view(self, request: HttpRequest, review_id: int) -> HttpResponse:
        """Extend the reader's hold while they look; take the item again if nobody else has."""
        review = self._find(request, str(review_id))
        reader = staff(request.user)
        lease = desk.take_lease(review, reader, preferences_of(reader))
        return JsonResponse(
            {"held": lease.may_decide, "why_not": lease.why_not},
            status=200 if lease.may_decide else 409,
        )

    def free_view(self, request: HttpRequest, review_id: int) -> HttpResponse:
        """Give an item back undecided, and return to the list."""
        review = self._find(request, str(review_id))
        holding.free_review(review_id=review.pk, moderator=staff(request.user))
        return HttpResponseRedirect(queue_address(request))

    def move_view(self, request: HttpRequest, review_id: int) -> HttpResponse:
        """Go to another item: the next, the one before, or, having skipped this one, the first."""
        review = self._find(request, str(review_id))
        reader, filters = staff(request.user), _kept_filters(request)
        to = request.POST.get("to", "next")
        if to == "skip":
            try:
                noting.skip_review(review_id=review.pk, moderator=reader)
            except NotAllowed as error:
                raise PermissionDenied from error
            target = desk.following_item(filters, reader, besides=review.pk)
            said = "Skipped: others see it before you do."
        else:
            holding.free_review(review_id=review.pk, moderator=reader)
            target = desk.neighbour(filters, reader, review, back=to == "previous")
            said = ""
        if target is None:
            messages.info(request, said or "There is nothing further in that direction.")
            return HttpResponseRedirect(queue_address(request))
        if said:
            messages.info(request, said)
        return redirect(desk_address(request, target.pk))

    def note_view(self, request: HttpRequest, review_id: int) -> HttpResponse:
        review = self._find(request, str(review_id))
        try:
            noting.add_note(
                review_id=review.pk,
                moderator=staff(request.user),
                text=request.POST.get("text", ""),
            )
        except NotAllowed as error:
            raise PermissionDenied from error
        except ModerationError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "Your note is kept. Only moderators read it.")
        return redirect(f"{desk_address(request, review.pk)}#notes")

    def undo_view(self, request: HttpRequest, decision_id: int) -> HttpResponse:
        """Take the reader's own decision back and put its item before them again."""
        decision = Decision.objects.filter(pk=decision_id).select_related("review").first()
        if decision is None:
            raise Http404
        review = self._find(request, str(decision.review_id))
        try:
            undo_decision(decision_id=decision.pk, moderator=staff(request.user))
        except NotAllowed as error:
            raise PermissionDenied from error
        except (UndoTooLate, NotFound) as error:
            messages.error(request, f"{error} On the post's page it can still be reversed.")
            return redirect("admin:moderation_post_change", decision.post_id)
        self.log_change(request, review, "Undone.")
        messages.success(request, "Undone: nobody was told. The item is before you again.")
        return redirect(desk_address(request, review.pk))

    def rested_view(self, request: HttpRequest, review_id: int) -> HttpResponse:
        """Wave the suggestion of a break aside for now."""
        review = self._find(request, str(review_id))
        noting.go_on(user=staff(request.user), day=queries.database_now().date())
        return redirect(desk_address(request, review.pk))

    def frame_view(self, request: HttpRequest, media_id: UUID, number: int) -> HttpResponse:
        """Show one still of a video or an animation, as providers saw it."""
        self._must_see(request)
        try:
            item = queries.get_media_for(request.user, media_id)
        except NotFound as error:
            raise Http404 from error
        if not queries.moderates(request.user, item.community_id) or number >= len(item.frames):
            raise Http404
        try:
            with default_storage.open(item.frames[number], "rb") as file:
                content = file.read()
        except FileNotFoundError as error:
            raise Http404 from error
        return HttpResponse(
            content,
            content_type="image/jpeg",
            headers={
                "Cache-Control": "private, no-store",
                "X-Content-Type-Options": "nosniff",
                "Content-Disposition": "inline",
            },
        )

    def preferences_view(self, request: HttpRequest) -> HttpResponse:
        """Let somebody set up their own desk."""
        self._must_see(request)
        preferences = preferences_of(staff(request.user))
        data = request.POST if request.method == "POST" else None
        keys, veils = KeysForm(data, preferences), VeilsForm(data, preferences)
        lease = LeaseForm(
            data,
            initial={
                "lease_minutes": preferences.lease_minutes,
                "lease_reminder": preferences.lease_reminder,
            },
        )
        # Each is asked, so that each can say what is wrong with it.
        are_valid = [form.is_valid() for form in (keys, veils, lease)]
        if all(are_valid):
            _save(preferences, keys, veils, lease)
            messages.success(request, "Your desk is set up.")
            return redirect("admin:moderation_desk_preferences")
        is_wrong = data is not None
        return self._render(
            request,
            "preferences.html",
            {"title": "Your desk", "keys": keys, "veils": veils, "lease": lease},
            status=400 if is_wrong else 200,
        )

    # How it is decided and shown

    def _decide(self, request: HttpRequest, review: Review) -> HttpResponse:
        form = DecisionForm(review, request.POST)
        if not form.is_valid():
            return self._show(request, review, form, status=400)
        try:
            done = form.carry_out(staff(request.user))
        except (Conflict, NotAllowed) as error:
            review = self._find(request, str(review.pk))
            status = 403 if isinstance(error, NotAllowed) else 409
            return self._show(request, review, form, more={"refusal": error}, status=status)
        except ModerationError as error:
            form.add_error(None, str(error))
            return self._show(request, review, form, status=400)
        self.log_change(request, review, done)
        return self._go_on(request, review, done)

    def _go_on(self, request: HttpRequest, review: Review, done: str) -> HttpResponse:
        reader = staff(request.user)
        following = desk.following_item(_kept_filters(request), reader, besides=review.pk)
        if following is None:
            messages.success(request, f"{done} Nothing else waits here.")
            return HttpResponseRedirect(queue_address(request))
        if done == DONE[DeskAction.ESCALATE]:
            # There is no undo bar to say it.
            messages.success(request, f"{done} This is the next item.")
        return redirect(desk_address(request, following.pk))

    def _show(
        self,
        request: HttpRequest,
        review: Review,
        form: DecisionForm,
        *,
        more: dict[str, Any] | None = None,
        status: int = 200,
    ) -> HttpResponse:
        reader = staff(request.user)
        preferences = preferences_of(reader)
        lease = desk.take_lease(review, reader, preferences)
        if lease.is_new:
            noting.count_exposure(user=reader, review=review, day=queries.database_now().date())
        kept = urlencode({KEPT: request.GET[KEPT]}) if KEPT in request.GET else ""
        return self._render(
            request,
            "desk.html",
            {
                "title": "Review",
                "subtitle": plainly(str(review.post.author)),
                "desk": desk.lay_out(
                    review, reader, preferences, tab_named(request.GET.get("tab", ""))
                ),
                "lease": lease,
                "form": form,
                "tabs": TABS,
                "keys": keys_of(preferences),
                "shortcuts": shortcuts_of(preferences),
                "preferences": preferences,
                "looking": presence.who_looks_at(review.pk, besides=reader.pk),
                "queue_address": queue_address(request),
                "kept": kept,
                "undo": undo_offer(reader, preferences),
                **appeals_shown(review, reader),
                **(_deciding(review, reader, preferences) if lease.may_decide else {}),
                **_rights(request),
                **(more or {}),
            },
            status=status,
        )

    def _find(self, request: HttpRequest, object_id: str) -> Review:
        self._must_see(request)
        rows = self.get_queryset(request).select_related(
            "post__author", "post__community", "post__parent__author", "verdict__policy", "holder"
        )
        review: Review | None = (
            rows.filter(pk=int(object_id)).first()
            if object_id.isdecimal() and len(object_id) < 19
            else None
        )
        if review is None:
            raise Http404("There is no such item in your communities.")
        # One instance of each, so that nothing is read twice.
        review.community = review.post.community
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


def undo_offer(reader: User, preferences: DeskPreferences) -> dict[str, Any] | None:
    """Return what an undo bar shows of the reader's latest decision, None when it is too late."""
    decision = desk.undoable(reader)
    if decision is None:
        return None
    passed = (queries.database_now() - decision.decided_at).total_seconds()
    return {
        "decision": decision,
        "done": DONE[decision.action],
        "excerpt": excerpt(decision.post.title, decision.post.body, limit=60),
        "author_pieces": pieces(str(decision.post.author)),
        "seconds": max(round(get_conf().undo_seconds - passed, 1), 0.0),
        "key": keys_of(preferences)["undo"],
    }


def _deciding(review: Review, reader: User, preferences: DeskPreferences) -> dict[str, Any]:
    """Return what the rail shows of what each decision would do."""
    return {
        "foreseen": desk.foresee_each(review),
        "recommended": desk.recommended(review),
        "pause": desk.suggested_break(review, reader, preferences),
    }


def _preview(review: Review, form: DecisionForm) -> dict[str, Any]:
    action, reason, asked, category = form.chosen()
    wrong = form.what_is_wrong()
    if wrong or action is DeskAction.ESCALATE:
        return {"action": action, "reason": reason, "wrong": wrong}
    decided = Action(action.value)
    return {
        "action": action,
        "reason": reason,
        "foreseen": desk.foresee_one(review, decided, asked),
        "statement": preview_statement(
            review=review,
            action=decided,
            reason=reason or "…",
            category=category,
            sanction=asked,
            legal_ground=form.cleaned_data.get("legal_ground", ""),
        ),
    }


def _rights(request: HttpRequest) -> dict[str, bool]:
    reader = staff(request.user)
    return {
        "may_reverse": reader.has_perm("moderation.reverse_enforcement"),
        "may_escalate": reader.has_perm("moderation.escalate_review"),
        "may_note": reader.has_perm("moderation.decide_review"),
    }


def _save(preferences: DeskPreferences, keys: KeysForm, veils: VeilsForm, lease: LeaseForm) -> None:
    DeskPreferences.objects.update_or_create(
        user=preferences.user,
        defaults={
            "keys_on": keys.cleaned_data["keys_on"],
            "keys": keys.own_keys(),
            "veils": veils.chosen(),
            "lease_minutes": lease.cleaned_data["lease_minutes"],
            "lease_reminder": lease.cleaned_data["lease_reminder"],
        },
    )


def _kept_filters(request: HttpRequest) -> QueueFilters:
    return QueueFilters(QueryDict(request.GET.get(KEPT, "")).dict(), request)


def desk_address(request: HttpRequest, review_id: int) -> str:
    """Return where an item is opened, with what the list was filtered by."""
    address = reverse("admin:moderation_review_change", args=[review_id])
    kept = request.GET.get(KEPT, "")
    return f"{address}?{urlencode({KEPT: kept})}" if kept else address


def queue_address(request: HttpRequest) -> str:
    address = reverse("admin:moderation_review_changelist")
    kept = request.GET.get(KEPT, "")
    return f"{address}?{kept}" if kept else address
