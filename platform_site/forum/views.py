"""The forum's pages. Each view makes one call, of a query or of the pipeline, and renders it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from moderation.errors import ModerationError, NotFound, StaleRevision
from platform_site.forum import posting, queries
from platform_site.forum.forms import EditForm, PostForm, ReplyForm, TopicForm
from platform_site.forum.queries import Card, TopicPage

View = Callable[..., HttpResponse]


def page(view: View) -> View:
    """Answer 404 for what is not there, and keep pages out of shared and back-button caches.

    A page holds what one person may see at one moment: hidden is gone from old copies, too.
    """

    @wraps(view)
    def answered(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except NotFound as error:
            raise Http404(str(error)) from error

    return never_cache(answered)


def _cursor(request: HttpRequest, name: str) -> UUID | None:
    text = request.GET.get(name)
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError as error:
        raise BadRequest(f"{name} is not a place in a list.") from error


def signed_in(request: HttpRequest) -> User:
    """Return who is signed in; only for views behind `login_required`."""
    return cast(User, request.user)


# Reading


@require_safe
@page
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "forum/home.html", {"entries": queries.board_list()})


@require_safe
@page
def board(request: HttpRequest, slug: str) -> HttpResponse:
    found = queries.board_page(request.user, slug, _cursor(request, "before"))
    return render(request, "forum/board.html", {"page": found, "board": found.board})


@require_safe
@page
def topic_row(request: HttpRequest, post_id: UUID) -> HttpResponse:
    """One line of a board, for a page that is already open."""
    entry = queries.topic_entry(request.user, post_id)
    return render(request, "forum/_topic_row.html", {"entry": entry})


@require_safe
@page
def topic(request: HttpRequest, post_id: UUID) -> HttpResponse:
    found = queries.topic_page(
        request.user, post_id, at=_cursor(request, "at"), before=_cursor(request, "before")
    )
    return _render_topic(request, found, ReplyForm())


def _render_topic(
    request: HttpRequest, found: TopicPage, form: PostForm, status: int = 200
) -> HttpResponse:
    context = {"page": found, "board": found.board, "form": form}
    return render(request, "forum/topic.html", context, status=status)


@require_safe
@page
def post(request: HttpRequest, post_id: UUID) -> HttpResponse:
    """A post's own address: its author sees where it stands, readers go to its topic."""
    card = queries.card(request.user, post_id)
    if not card.is_own:
        return redirect(queries.address_of(card.post))
    context = {
        "card": card,
        "board": queries.board_of(card.post),
        "address": queries.address_of(card.post) if _is_readable(request, card) else "",
    }
    return render(request, "forum/post.html", context)


@require_safe
@page
def post_card(request: HttpRequest, post_id: UUID) -> HttpResponse:
    """One post, for a page that is already open."""
    card = queries.card(request.user, post_id)
    as_own = card.is_own and request.GET.get("as") == "own"
    template = "forum/_own_card.html" if as_own else "forum/_card.html"
    return render(request, template, {"card": card})


@require_safe
@login_required
@page
def my_posts(request: HttpRequest) -> HttpResponse:
    found = queries.own_page(signed_in(request), _cursor(request, "before"))
    context = {"page": found, "barred": queries.barred_messages(request.user)}
    return render(request, "forum/my_posts.html", context)


def _is_readable(request: HttpRequest, card: Card) -> bool:
    return queries.topic_exists(request.user, card.post.parent_id or card.post.pk)


# Writing


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@page
def new_topic(request: HttpRequest, slug: str) -> HttpResponse:
    found = queries.get_board(slug)
    form = TopicForm(request.POST or None, request.FILES or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                post_id = posting.send(
                    signed_in(request),
                    community=found.community,
                    channel=found.slug,
                    title=form.cleaned_data["title"],
                    body=form.cleaned_data["body"],
                    pictures=form.pictures(),
                    token=form.cleaned_data["token"],
                )
            except ModerationError as error:
                status = form.refuse(error)
            else:
                return redirect("forum:topic", post_id=post_id)
    context = {
        "board": found,
        "form": form,
        "barred": queries.barred_messages(request.user, found.community),
    }
    return render(request, "forum/compose.html", context, status=status)


@require_http_methods(["POST"])
@login_required
@page
def reply(request: HttpRequest, post_id: UUID) -> HttpResponse:
    found = queries.topic_page(request.user, post_id)
    form = ReplyForm(request.POST, request.FILES)
    status = 422
    if form.is_valid():
        try:
            reply_id = posting.send(
                signed_in(request),
                community=found.topic.post.community,
                channel=found.topic.post.channel,
                parent_id=found.topic.post.pk,
                body=form.cleaned_data["body"],
                pictures=form.pictures(),
                token=form.cleaned_data["token"],
            )
        except NotFound:
            form.add_error(None, "This topic no longer takes replies.")
        except ModerationError as error:
            status = form.refuse(error)
        else:
            place = reverse("forum:topic", args=[post_id])
            return redirect(f"{place}?at={reply_id}#post-{reply_id}")
    return _render_topic(request, found, form, status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@page
def edit(request: HttpRequest, post_id: UUID) -> HttpResponse:
    card = queries.own_post(signed_in(request), post_id)
    form = EditForm(
        request.POST or None, request.FILES or None, post=card.post, kept=list(card.pictures)
    )
    status, is_stale = 200, False
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                posting.change(
                    signed_in(request),
                    card.post,
                    base_revision=form.cleaned_data["base_revision"],
                    title=form.cleaned_data.get("title"),
                    body=form.cleaned_data["body"],
                    pictures=form.pictures(),
                    kept_ids=form.kept_ids(),
                )
            except StaleRevision as error:
                status, is_stale = form.refuse(error), True
                form.rebase(card.post)
            except ModerationError as error:
                status = form.refuse(error)
            else:
                return redirect("forum:post", post_id=post_id)
    context = {"card": card, "form": form, "is_stale": is_stale}
    return render(request, "forum/edit.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@page
def delete(request: HttpRequest, post_id: UUID) -> HttpResponse:
    card = queries.own_post(signed_in(request), post_id)
    if request.method == "POST":
        posting.remove(signed_in(request), card.post)
        messages.success(request, "Your post is deleted.")
        return redirect("forum:my_posts")
    return render(request, "forum/delete.html", {"card": card})
