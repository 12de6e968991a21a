"""Submit, read, edit and delete posts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import RequestDataTooBig
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from moderation import queries
from moderation.api import answers
from moderation.api.base import ApiView, caller_of
from moderation.api.bodies import (
    Edit,
    Query,
    read_edit,
    read_idempotency,
    read_if_match,
    read_new_post,
    read_new_posts,
    read_query,
)
from moderation.api.callers import Caller
from moderation.api.errors import KINDS, Problem, problem_of
from moderation.api.limits import spend
from moderation.api.parsers import BoundedFormParser, BoundedJSONParser
from moderation.api.serializers import posts as shapes
from moderation.api.waiting import COME_BACK_SECONDS, read_wait, wait_until
from moderation.errors import InvalidFields, ModerationError, NotAllowed, NotFound
from moderation.fields import uuid_of
from moderation.identifiers import first_id_at
from moderation.models import Post
from moderation.pipeline.intake.edit import delete_post, edit_post
from moderation.pipeline.intake.submit import Accepted, Call, NewPost, Reply, Result, submit
from moderation.vocabulary import Status


class SubmitPost(ApiView):
    parser_classes = [BoundedJSONParser, BoundedFormParser]

    @extend_schema(**shapes.SUBMIT_POST)
    def post(self, request: Request) -> Response:
        """Store a post and queue it for screening."""
        caller = caller_of(request)
        spend(request, caller.bucket())
        post = read_new_post(request, caller)
        idempotency = read_idempotency(request, caller)
        call = Call((post,), caller.actor, _answer_one, idempotency, caller.priority)
        return answers.answer(submit(call))


def _answer_one(results: Sequence[Result]) -> Reply:
    (result,) = results
    assert isinstance(result, Accepted)  # a lone refusal is raised, not answered
    return Reply(202, answers.accepted(result.post))


class ListPosts(ApiView):
    @extend_schema(**shapes.LIST_POSTS)
    def get(self, request: Request) -> Response:
        """List posts, the newest first: a community's, or one author's."""
        caller = caller_of(request)
        query = read_query(request)
        page, following = _page(request, query, caller.history(query.author))
        body = {"results": _read(caller, page), "next": following}
        return Response(body)


class Posts(SubmitPost, ListPosts):
    """`/posts`"""


class SubmitPosts(ApiView):
    @extend_schema(**shapes.SUBMIT_POSTS)
    def post(self, request: Request) -> Response:
        """Store up to 100 posts in one transaction; each has a result of its own."""
        caller = caller_of(request)
        posts = _read_and_spend(request, caller)
        idempotency = read_idempotency(request, caller)

        def answer(results: Sequence[Result]) -> Reply:
            return _answer_many(posts, results)

        sound = tuple(post for post in posts if isinstance(post, NewPost))
        try:
            reply = submit(Call(sound, caller.actor, answer, idempotency, caller.priority))
        except ModerationError as error:
            # A call of one post raises what refused it; here that is the post's own result.
            if len(sound) != 1 or not _is_about_the_post(error):
                raise
            reply = answer([error])
        return answers.answer(reply)


def _read_and_spend(request: Request, caller: Caller) -> list[NewPost | ModerationError]:
    try:
        posts = read_new_posts(request, caller)
    except (InvalidFields, APIException, RequestDataTooBig):
        spend(request, caller.bucket())
        raise
    spend(request, caller.bucket(), tokens=len(posts))
    return posts


def _is_about_the_post(error: ModerationError) -> bool:
    problem = problem_of(error)
    return problem is not None and problem.status in (400, 404)


def _answer_many(posts: Sequence[NewPost | ModerationError], results: Sequence[Result]) -> Reply:
    """Put each result where its post stood in the request."""
    stored = iter(results)
    items = [
        _item(number, next(stored) if isinstance(post, NewPost) else post)
        for number, post in enumerate(posts)
    ]
    count = sum("post" in item for item in items)
    body = {"accepted": count, "refused": len(items) - count, "results": items}
    if count:
        return Reply(202, body)
    problem = Problem("all_refused", KINDS["all_refused"].advice, extra=body)
    return Reply(problem.status, problem.body())


def _item(number: int, result: Result) -> dict[str, Any]:
    if isinstance(result, Accepted):
        return {"index": number, "status": 202, "post": answers.accepted(result.post)}
    problem = problem_of(result)
    assert problem is not None  # what refuses a post is among the problems
    return {"index": number, "status": problem.status, "problem": problem.body()}


class GetPost(ApiView):
    @extend_schema(**shapes.GET_POST)
    def get(self, request: Request, post_id: str) -> Response:
        """Return a post with its text, as its current revision stands."""
        caller = caller_of(request)
        post, waited = _find_settled(request, caller, post_id)
        (body,) = _read(caller, [post])
        return Response(body, headers={"ETag": answers.etag_of(post), **waited})


class EditPost(ApiView):
    parser_classes = [BoundedJSONParser, BoundedFormParser]

    @extend_schema(**shapes.EDIT_POST)
    def patch(self, request: Request, post_id: str) -> Response:
        """Make a new revision; it is judged before it is trusted."""
        caller = caller_of(request)
        spend(request, caller.bucket())
        edit = read_edit(request)
        base_revision = read_if_match(request)
        before = _find_own(caller, post_id)
        post = _edit(before, edit, base_revision, caller)
        return Response(
            answers.accepted(post),
            status=202 if post.revision != before.revision else 200,
            headers={"ETag": answers.etag_of(post), "Location": answers.post_path(post.pk)},
        )


def _edit(post: Post, edit: Edit, base_revision: int | None, caller: Caller) -> Post:
    return edit_post(
        post_id=post.pk,
        base_revision=base_revision,
        actor=caller.actor,
        title=edit.title,
        body=edit.body,
        media=edit.media,
        keep_media_ids=edit.keep_media_ids,
        priority=caller.priority,
    )


class DeletePost(ApiView):
    @extend_schema(**shapes.DELETE_POST)
    def delete(self, request: Request, post_id: str) -> Response:
        """Take a post away from every reader."""
        caller = caller_of(request)
        spend(request, caller.bucket())
        post = _find_own(caller, post_id)
        delete_post(post_id=post.pk, actor=caller.actor)
        return Response(status=204)


class OnePost(GetPost, EditPost, DeletePost):
    """`/posts/{id}`"""


class GetStatus(ApiView):
    @extend_schema(**shapes.GET_STATUS)
    def get(self, request: Request, post_id: str) -> Response:
        """Return where a post stands, and why."""
        caller = caller_of(request)
        post, waited = _find_settled(request, caller, post_id)
        explanations = queries.explanations_of([post] if caller.owns(post) else [])
        body = answers.status_of(post, explanations.get(post.pk))
        return Response(body, headers={"ETag": answers.etag_of(post), **waited})


def find_post(caller: Caller, post_id: str) -> Post:
    """Return a post that a caller may read. Raises `NotFound`."""
    known = uuid_of(post_id)
    posts = caller.posts().select_related("author", "community")
    post = posts.filter(pk=known).first() if known else None
    if post is None:
        raise NotFound("There is no such post.")
    return post


def find_judged_post(caller: Caller, post_id: str) -> Post:
    """Return a post of which a caller may read what was decided, even if it is deleted.

    Raises `NotFound`.
    """
    known = uuid_of(post_id)
    posts = caller.judged_posts().select_related("author", "community")
    post = posts.filter(pk=known).first() if known else None
    if post is None:
        raise NotFound("There is no such post.")
    return post


def _find_settled(request: Request, caller: Caller, post_id: str) -> tuple[Post, dict[str, str]]:
    """Return a post, after its verdict where the client waits for it, and what to say of that."""
    post = find_post(caller, post_id)
    seconds = read_wait(request)
    if seconds == 0:
        return post, {}
    headers = {}
    if post.status == Status.PENDING:
        pending = caller.posts().filter(pk=post.pk, status=Status.PENDING)
        if wait_until(lambda: not pending.exists(), seconds):
            headers["Preference-Applied"] = f"wait={seconds}"
        post = find_post(caller, post_id)
    else:
        headers["Preference-Applied"] = f"wait={seconds}"
    if post.status == Status.PENDING:
        headers["Retry-After"] = str(COME_BACK_SECONDS)
    return post, headers


def _find_own(caller: Caller, post_id: str) -> Post:
    post = find_post(caller, post_id)
    if not caller.owns(post):
        raise NotAllowed("This post is not yours.")
    return post


def _read(caller: Caller, posts: Sequence[Post]) -> list[dict[str, Any]]:
    """Return posts as the caller sees them; only their own come with a reason."""
    own = [post for post in posts if caller.owns(post)]
    return answers.posts_of(posts, queries.explanations_of(own), queries.media_of(posts))


# Pages: a cursor is the last id that was seen; ids sort by the time they were made.


def _page(request: Request, query: Query, history: QuerySet[Post]) -> tuple[list[Post], str | None]:
    """Return a page and the address of the one that follows it."""
    if query.status:
        history = history.filter(status=query.status)
    if query.channel:
        history = history.filter(channel=query.channel)
    if query.reference:
        history = history.filter(reference=query.reference)
    if query.community:
        history = history.filter(community__slug=query.community)
    # Ids are made with the post and stand in an index; times are not in one.
    if query.created_after:
        history = history.filter(pk__gte=first_id_at(query.created_after))
    if query.created_before:
        history = history.filter(pk__lt=first_id_at(query.created_before))
    if query.cursor:
        history = history.filter(pk__lt=_read_cursor(query.cursor))
    found = list(history.order_by("-pk")[: query.limit + 1])
    if len(found) <= query.limit:
        return found, None
    page = found[: query.limit]
    asked = request.GET.dict() | {"cursor": _cursor(page[-1].pk)}
    return page, f"{request.path}?{urlencode(asked)}"


def _cursor(post_id: UUID) -> str:
    return base64.urlsafe_b64encode(post_id.bytes).rstrip(b"=").decode()


def _read_cursor(text: str) -> UUID:
    try:
        return UUID(bytes=base64.urlsafe_b64decode(text + "=="))
    except (ValueError, binascii.Error):
        raise InvalidFields.of("cursor", "is not one that we gave") from None
