"""Posts and their authors: the whole story of each, and the reversal of what was done to it."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from moderation.admin import words
from moderation.admin.desk import enforcements_on
from moderation.admin.display import Piece, excerpt, pieces, plainly, seen_text
from moderation.admin.evidence import answers, attachments
from moderation.admin.proof import changes_of, recorded_proof
from moderation.admin.queue import queue_place
from moderation.admin.scoped import CommunityFilter, ReadOnlyAdmin
from moderation.admin.surroundings import staff
from moderation.admin.timeline import post_timeline
from moderation.admin.why.explain import why
from moderation.errors import ModerationError, NotAllowed
from moderation.models import (
    Author,
    Enforcement,
    MediaItem,
    Post,
    ProviderResult,
    VerdictRecord,
)
from moderation.models.posts import INDEFINITELY
from moderation.pipeline.review.reversal import foresee_reversal, reverse_enforcement


class ReversalForm(forms.Form):
    reason = forms.CharField(
        label="Why it is reversed",
        max_length=1000,
        widget=forms.Textarea(attrs={"rows": 3, "class": "gh-input"}),
    )


@admin.register(Post)
class PostAdmin(ReadOnlyAdmin):
    list_display = ("text", "author", "community", "status", "visibility", "created_at")
    list_filter = ("status", "visibility", CommunityFilter, "author__standing", "kind")
    list_select_related = ("author", "community")
    search_fields = ("=id", "author__name", "=author__external_id")
    search_help_text = "Post id or address, attachment's address, author's name or id"
    ordering = ("-id",)

    @admin.display(description="Post")
    def text(self, post: Post) -> str:
        return as_html(excerpt(post.title, post.body, limit=90)) or "Attachment only"

    def get_urls(self) -> list[URLPattern]:
        return [
            path(
                "<uuid:post_id>/why/",
                self.admin_site.admin_view(self.why_view),
                name="moderation_post_why",
            ),
            path(
                "attachments/<uuid:media_id>/why/",
                self.admin_site.admin_view(self.why_media_view),
                name="moderation_media_why",
            ),
            path(
                "<uuid:post_id>/enforcements/<int:enforcement_id>/reverse/",
                self.admin_site.admin_view(self.reverse_view),
                name="moderation_enforcement_reverse",
            ),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """List posts; whoever pastes the address of an attachment wants to know about that."""
        wanted = _id_in(request.GET.get(SEARCH_VAR, ""))
        if wanted is not None and self.has_view_permission(request):
            item = MediaItem.objects.filter(pk=wanted, post__in=self.get_queryset(request)).first()
            if item is not None:
                return redirect("admin:moderation_media_why", item.pk)
        return super().changelist_view(request, extra_context)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Post], search_term: str
    ) -> tuple[QuerySet[Post], bool]:
        wanted = _id_in(search_term)
        if wanted is not None:
            # A client's own ids of its people may look the same.
            return queryset.filter(Q(pk=wanted) | Q(author__external_id=search_term.strip())), False
        found: tuple[QuerySet[Post], bool] = super().get_search_results(
            request, queryset, search_term
        )
        return found

    def why_view(self, request: HttpRequest, post_id: UUID) -> HttpResponse:
        """Say why readers see a post or do not, and show its whole way."""
        return self._explain(request, self._find(request, str(post_id)))

    def why_media_view(self, request: HttpRequest, media_id: UUID) -> HttpResponse:
        """The same about an attachment, whose post is shown with it."""
        item = MediaItem.objects.filter(pk=media_id, post__isnull=False).first()
        if item is None:
            if not self.has_view_permission(request):
                raise PermissionDenied
            raise Http404
        return self._explain(request, self._find(request, str(item.post_id)), media_id)

    def _explain(
        self, request: HttpRequest, post: Post, media_id: UUID | None = None
    ) -> HttpResponse:
        found = why(post, staff(request.user))
        about = found.about(media_id)
        answer = about.answer if about else found.answer
        subject = "this attachment" if about else "this"
        return self._render(
            request,
            "why.html",
            {
                "title": f"Why is {subject} {'still visible' if answer.is_visible else 'hidden'}?",
                "subtitle": plainly(str(post.author)),
                "post": post,
                "why": found,
                "about": about,
                "answer": answer,
                "excerpt": excerpt(post.title, post.body, limit=160),
            },
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        post = self._find(request, object_id)
        reader = staff(request.user)
        results = list(
            ProviderResult.objects.filter(
                submission__post=post, submission__revision=post.revision
            ).order_by("pk")
        )
        verdicts = list(
            VerdictRecord.objects.filter(post=post).select_related("policy").order_by("-pk")
        )
        latest = verdicts[0] if verdicts and verdicts[0].revision == post.revision else None
        return self._render(
            request,
            "post.html",
            {
                "title": "Post",
                "subtitle": plainly(str(post.author)),
                "post": post,
                "author_pieces": pieces(str(post.author)),
                "channel_pieces": pieces(post.channel),
                "text": seen_text(post.title, post.body),
                "parent": post.parent,
                "attachments": attachments(post, latest),
                "answers": answers(results),
                "verdicts": [(item, words.why_verdict(item)) for item in verdicts],
                "enforcements": enforcements_on(post),
                "place": queue_place(post, reader),
                "timeline": post_timeline(
                    post, opens_notes=reader.has_perm("moderation.decide_review")
                ),
                "may_reverse": reader.has_perm("moderation.reverse_enforcement"),
            },
        )

    def reverse_view(
        self, request: HttpRequest, post_id: UUID, enforcement_id: int
    ) -> HttpResponse:
        """List what a reversal changes; after confirmation with a reason, do it."""
        post = self._find(request, str(post_id))
        reader = staff(request.user)
        if not reader.has_perm("moderation.reverse_enforcement"):
            raise PermissionDenied
        enforcement = (
            Enforcement.objects.filter(pk=enforcement_id, post=post)
            .select_related("post__author", "reversed_by")
            .prefetch_related("effects")
            .first()
        )
        if enforcement is None:
            raise Http404
        form = ReversalForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                reverse_enforcement(
                    enforcement_id=enforcement.pk,
                    moderator=reader,
                    reason=form.cleaned_data["reason"],
                )
            except NotAllowed as error:
                raise PermissionDenied from error
            except ModerationError as error:
                messages.error(request, str(error))
                return redirect("admin:moderation_post_change", post.pk)
            self.log_change(request, post, f"Reversed enforcement {enforcement.pk}.")
            messages.success(request, "Reversed. Below is the proof of what it changed.")
            # The page now shows what the record says.
            return redirect(request.path)
        is_reversed = enforcement.reversed_at is not None
        return self._render(
            request,
            "reverse.html",
            {
                "title": "What the reversal changed" if is_reversed else "Reverse an enforcement",
                "post": post,
                "enforcement": enforcement,
                "action": words.action_label(enforcement.action),
                "consequences": words.consequences(enforcement.effects.all()),
                "changes": changes_of(
                    recorded_proof(enforcement)
                    if is_reversed
                    else foresee_reversal(enforcement).facts()
                ),
                "form": form,
            },
        )

    def _find(self, request: HttpRequest, object_id: str) -> Post:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            wanted = UUID(object_id)
        except ValueError:
            raise Http404 from None
        post: Post | None = (
            self.get_queryset(request)
            .select_related("author", "community", "parent")
            .filter(pk=wanted)
            .first()
        )
        if post is None:
            raise Http404("There is no such post in your communities.")
        return post

    def _render(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        return TemplateResponse(
            request,
            f"moderation/admin/{template}",
            {
                **self.admin_site.each_context(request),
                "is_fullwidth": "1",
                **context,
            },
        )


_ID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def _id_in(text: str) -> UUID | None:
    """Return the id in what somebody pasted: alone, or in an address of a post or attachment."""
    found = _ID.findall(text[:2000])
    return UUID(found[-1]) if found else None


def as_html(pieces: tuple[Piece, ...]) -> str:
    """Return pieces for a cell of a list, escaped, with invisible signs named."""
    return format_html_join(
        "",
        "{}",
        (
            (format_html('<span class="gh-hidden" title="{}">{}</span>', item.hidden, item.text),)
            if item.hidden
            else (item.text,)
            for item in pieces
        ),
    )


@admin.register(Author)
class AuthorAdmin(ReadOnlyAdmin):
    """Who they are and how far they are trusted; standing moves with verdicts and decisions."""

    list_display = ("shown_name", "external_id", "community", "standing", "created_at")
    list_filter = ("standing", CommunityFilter)
    list_select_related = ("community",)
    search_fields = ("name", "=external_id")
    ordering = ("-id",)
    fields = (
        "name",
        "external_id",
        "user",
        "community",
        "standing",
        "sanctions",
        "created_at",
        "reports",
        "latest_posts",
    )
    readonly_fields = fields
    change_form_outer_before_template = "moderation/admin/_author_bar.html"

    @admin.display(description="Author")
    def shown_name(self, author: Author) -> str:
        return as_html(excerpt(str(author), "", limit=60))

    @admin.display(description="Reports that they made")
    def reports(self, author: Author) -> str:
        return format_html(
            '<a class="gh-link" href="{}">{} acted on, {} refused</a>',
            reverse("admin:moderation_reporter", args=[author.pk]),
            author.reports_upheld,
            author.reports_refused,
        )

    @admin.display(description="Sanctions now")
    def sanctions(self, author: Author) -> str:
        """Say what limits them now; what has ended limits nobody."""
        now = timezone.now()
        running = [
            (said, until)
            for said, until in (
                ("Posts held", author.held_until),
                ("Silenced", author.silenced_until),
                ("Suspended", author.suspended_until),
            )
            if until is not None and until > now
        ]
        return (
            "; ".join(
                f"{said} until "
                + ("reversed" if until >= INDEFINITELY else f"{until:%Y-%m-%d %H:%M} UTC")
                for said, until in running
            )
            or "None"
        )

    @admin.display(description="Latest posts")
    def latest_posts(self, author: Author) -> str:
        newest: QuerySet[Post] = Post.objects.filter(author=author).order_by("-pk")[:10]
        return format_html(
            "<ul>{}</ul>",
            format_html_join(
                "",
                '<li><a class="gh-link" href="{}">{}</a> · {}</li>',
                (
                    (
                        f"../../../post/{post.pk}/change/",
                        as_html(excerpt(post.title, post.body, limit=80)) or "Attachment only",
                        post.get_status_display(),
                    )
                    for post in newest
                ),
            ),
        )
