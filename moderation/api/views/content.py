"""The owner's content service: two addresses, three status words, and `{"detail"}` for errors."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from moderation.api.answers import delay_headers
from moderation.api.authentication import KeyAuthentication, OpenToAll
from moderation.api.base import ApiView, caller_of
from moderation.api.callers import Caller, author_bucket
from moderation.api.errors import write_content_problem
from moderation.api.limits import spend
from moderation.api.serializers import content as shapes
from moderation.conf import get_conf
from moderation.drafts import MAX_ID_CHARS, read_person
from moderation.errors import NotFound
from moderation.fields import Fields, uuid_of
from moderation.pipeline.intake.submit import Accepted, Call, NewPost, Reply, Result, Writer, submit
from moderation.vocabulary import Status

# This dialect knows three words; a post with a moderator has no verdict yet.
_WORD = {
    Status.PENDING: "PENDING",
    Status.IN_REVIEW: "PENDING",
    Status.APPROVED: "APPROVED",
    Status.REJECTED: "REJECTED",
}


class ContentView(ApiView):
    """A key, or nobody in particular where the operator opened it; never a session."""

    authentication_classes = [KeyAuthentication, OpenToAll]
    write_problem = staticmethod(write_content_problem)


class SubmitContent(ContentView):
    @extend_schema(**shapes.SUBMIT_CONTENT)
    def post(self, request: Request) -> Response:
        """Store a text and queue it for screening; limited for each `userId`."""
        caller = caller_of(request)
        spend(request, caller.bucket())
        fields = Fields(request.data)
        text = fields.text("text", most=get_conf().max_body_chars, required=True)
        person = read_person(fields, "userId")
        slug = fields.text("community", most=MAX_ID_CHARS)
        fields.finish()
        community = caller.community(slug)
        spend(request, author_bucket(f"{community.pk}:{person}"))
        post = NewPost(community=community, writer=Writer(person), body=text)
        reply = submit(Call((post,), caller.actor, _answer, priority=caller.priority))
        return Response(reply.body, status=reply.status_code, headers=delay_headers())


def _answer(results: Sequence[Result]) -> Reply:
    (result,) = results
    assert isinstance(result, Accepted)  # a lone refusal is raised, not answered
    return Reply(
        202,
        {"message": "Content accepted for moderation", "contentId": str(result.post.pk)},
    )


class GetContentStatus(ContentView):
    @extend_schema(**shapes.GET_CONTENT_STATUS)
    def get(self, request: Request, content_id: str) -> Response:
        """Return PENDING, APPROVED or REJECTED."""
        known = uuid_of(content_id)
        status = _status_of(caller_of(request), known) if known else None
        if status is None:
            raise NotFound("There is no such content.")
        return Response({"contentId": str(known), "status": _WORD[Status(status)]})


def _status_of(caller: Caller, content_id: UUID) -> str | None:
    found = caller.posts().filter(pk=content_id)
    return found.values_list("status", flat=True).first()
