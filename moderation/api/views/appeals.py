"""Object to a decision or to the refusal of a report, and read what became of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from moderation.api import answers
from moderation.api.answers import post_path, time_of
from moderation.api.base import ApiView, caller_of
from moderation.api.bodies import read_idempotency, read_page_size
from moderation.api.callers import Caller
from moderation.api.limits import spend
from moderation.api.pages import Page, page_of
from moderation.api.serializers import appeals as shapes
from moderation.api.views.posts import find_judged_post
from moderation.drafts import MAX_ID_CHARS
from moderation.errors import NotAllowed, NotFound
from moderation.fields import Fields
from moderation.models import Appeal, Enforcement, Post, Report
from moderation.pipeline.appeals.appeal import (
    MAX_WORDS_CHARS,
    open_appeal,
    open_report_appeal,
    withdraw_appeal,
    write_as_appellant,
)
from moderation.pipeline.audit.record import SYSTEM, Actor
from moderation.pipeline.intake.idempotency import Reply, do_once
from moderation.queries import appeals as known
from moderation.vocabulary import ActorKind, AppealState

_LONGEST_NUMBER = 32


class OpenAppeal(ApiView):
    @extend_schema(**shapes.OPEN_APPEAL)
    def post(self, request: Request, post_id: str) -> Response:
        """Object to what was decided of a post; a second appeal is answered with the first."""
        caller = caller_of(request)
        spend(request, caller.bucket())
        post = find_judged_post(caller, post_id)
        fields = Fields(request.data)
        words = fields.text("text", most=MAX_WORDS_CHARS, required=True)
        statement = fields.text("statement", most=_LONGEST_NUMBER)
        number = fields.text("report", most=_LONGEST_NUMBER)
        author = fields.nested("author")
        author_id = author.text("id", most=MAX_ID_CHARS) if author is not None else ""
        if statement and number:
            fields.note("report", "is another thing than `statement`: send one of them")
        fields.finish()

        def act() -> Reply:
            if number:
                return _object_to_refusal(caller, post, number, words, author_id)
            return _object_to_enforcement(caller, post, statement, words, author_id)

        return answers.answer(do_once(read_idempotency(request, caller), act))


def _object_to_enforcement(
    caller: Caller, post: Post, statement: str, words: str, author_id: str
) -> Reply:
    _must_be(author_id, post.author.external_id)
    enforcement = _find_enforcement(caller, post, statement)
    before = known.latest_appeal(enforcement=enforcement, report=None)
    appeal = open_appeal(
        enforcement_id=enforcement.pk, author_id=post.author_id, words=words, actor=caller.actor
    )
    return Reply(200 if before else 201, _whole(_read(caller, appeal.number)))


def _object_to_refusal(
    caller: Caller, post: Post, number: str, words: str, author_id: str
) -> Reply:
    report = _find_report(caller, post, number)
    _must_be(author_id, report.reporter.external_id if report.reporter else "")
    before = known.latest_appeal(enforcement=None, report=report)
    appeal = open_report_appeal(
        report_id=report.pk,
        reporter_id=report.reporter_id,
        words=words,
        actor=caller.actor if caller.speaks_for_others else SYSTEM,
    )
    return Reply(200 if before else 201, _whole(_read(caller, appeal.number)))


def _must_be(sent: str, known_as: str) -> None:
    if sent and sent != known_as:
        raise NotAllowed("Only whoever this concerns can object to it.")


def _find_enforcement(caller: Caller, post: Post, statement: str) -> Enforcement:
    if not caller.owns(post):
        raise NotAllowed("This post is not yours.")
    if not statement:
        return known.last_restriction(post)
    found = known.find_enforcement(statement)
    if found.post_id != post.pk:
        raise NotFound("There is no such statement about this post.")
    return found


def _find_report(caller: Caller, post: Post, number: str) -> Report:
    found = caller.reports().filter(number=number, post=post).first()
    if found is None:
        raise NotFound("There is no such report of this post.")
    return found


class ListAppeals(ApiView):
    @extend_schema(**shapes.LIST_APPEALS)
    def get(self, request: Request) -> Response:
        """List appeals, the newest first: your communities', or your own."""
        caller = _spend_reading(request)
        fields = Fields(request.GET.dict())
        state = fields.text("state", most=MAX_ID_CHARS)
        if state and state not in AppealState.values:
            fields.note("state", f"is one of {', '.join(AppealState.values)}")
        post = fields.uuid("post")
        page = Page(fields.text("cursor", most=MAX_ID_CHARS), read_page_size(fields))
        fields.finish()
        found = caller.appeals()
        if state:
            found = found.filter(state=state)
        if post:
            found = found.filter(post=post)
        if page.cursor:
            found = found.filter(pk__lt=page.number())
        return Response(page_of(request, page, found, lambda row: str(row.pk), _written))


class GetAppeal(ApiView):
    @extend_schema(**shapes.GET_APPEAL)
    def get(self, request: Request, number: str) -> Response:
        """Return an appeal with its conversation and its answer."""
        return Response(_whole(_read(_spend_reading(request), number)))


class WriteToAppeal(ApiView):
    @extend_schema(**shapes.WRITE_TO_APPEAL)
    def post(self, request: Request, number: str) -> Response:
        """Add what whoever objects has to say."""
        caller = caller_of(request)
        spend(request, caller.bucket())
        appeal = _read(caller, number)
        fields = Fields(request.data)
        words = fields.text("text", most=MAX_WORDS_CHARS, required=True)
        fields.finish()

        def act() -> Reply:
            write_as_appellant(appeal_id=appeal.pk, words=words, actor=_actor(caller, appeal))
            return Reply(201, _whole(_read(caller, number)))

        return answers.answer(do_once(read_idempotency(request, caller), act))


class WithdrawAppeal(ApiView):
    @extend_schema(**shapes.WITHDRAW_APPEAL)
    def post(self, request: Request, number: str) -> Response:
        """End an appeal: what was decided stands."""
        caller = caller_of(request)
        spend(request, caller.bucket())
        appeal = _read(caller, number)

        def act() -> Reply:
            withdraw_appeal(appeal_id=appeal.pk, actor=_actor(caller, appeal))
            return Reply(200, _whole(_read(caller, number)))

        return answers.answer(do_once(read_idempotency(request, caller), act))


def _actor(caller: Caller, appeal: Appeal) -> Actor:
    """The record of a post names nobody who reported it."""
    is_reporter = appeal.report_id is not None and not caller.speaks_for_others
    return SYSTEM if is_reporter else caller.actor


def _spend_reading(request: Request) -> Caller:
    caller = caller_of(request)
    own = caller.bucket()
    spend(request, replace(own, whose=f"{own.whose}:read"))
    return caller


def _read(caller: Caller, number: str) -> Appeal:
    found = caller.appeals().filter(number=number[: _LONGEST_NUMBER + 1])
    # The database takes no NUL.
    appeal = found.first() if "\x00" not in number else None
    if appeal is None:
        raise NotFound("There is no such appeal.")
    return appeal


def _whole(appeal: Appeal) -> dict[str, Any]:
    return {
        **_written(appeal),
        "messages": [
            {
                "by": "moderator" if message.written_by == ActorKind.MODERATOR else "author",
                "text": message.body,
                "at": time_of(message.created_at),
            }
            for message in appeal.messages.all()
        ],
    }


def _written(appeal: Appeal) -> dict[str, Any]:
    person = appeal.appellant
    path = reverse("api:appeal", args=[appeal.number])
    is_open = appeal.state == AppealState.OPEN
    return {
        "number": appeal.number,
        "post": str(appeal.post_id),
        "community": appeal.community.slug,
        "appellant": {"id": person.external_id, "name": person.name} if person else None,
        "statement": _statement_of(appeal.enforcement),
        "report": appeal.report.number if appeal.report is not None else None,
        "state": appeal.state,
        "answer": appeal.answer,
        "created_at": time_of(appeal.created_at),
        "due_at": time_of(appeal.due_at),
        "is_overdue": is_open and appeal.due_at < datetime.now(UTC),
        "closed_at": time_of(appeal.closed_at),
        "links": {
            "self": path,
            "post": post_path(appeal.post_id),
            "messages": reverse("api:appeal-messages", args=[appeal.number]),
            "withdraw": reverse("api:appeal-withdraw", args=[appeal.number]),
        },
    }


def _statement_of(enforcement: Enforcement | None) -> str | None:
    statement = getattr(enforcement, "statement", None)
    return statement.number if statement is not None else None
