"""Akismet 1.1: a comment as a form, and a word as the answer. Is it spam?

Whatever the community's policy blocks is spam here, and whatever it takes for spam. Where nobody
could tell there is no word for it: the call fails, and its client does as when Akismet is away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, ClassVar, cast
from urllib.parse import parse_qs

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from moderation.api.base import caller_of
from moderation.api.dialects.base import (
    FLAGGING,
    DialectView,
    answer,
    community_of,
    judge,
    model_id,
    policy_of_number,
)
from moderation.api.errors import Problem
from moderation.conf import get_conf
from moderation.drafts import MAX_ID_CHARS, MAX_URL_CHARS
from moderation.errors import ProviderUnavailable
from moderation.fields import Fields
from moderation.labels import Suggestion, keep_suggestions
from moderation.models import Community
from moderation.models.posts import visible_text
from moderation.pipeline.judging.check import Checked, Draft
from moderation.policy.document import Policy
from moderation.vocabulary import Action, Category, Dialect

VALID, INVALID, SPAM, HAM = "valid", "invalid", "true", "false"
THANKS = "Thanks for making the web a better place."
DEBUG_HEADER = "X-akismet-debug-help"
# Akismet's own inputs for trying it out.
SPAMMER, SPAM_MAIL = "viagra-test-123", "akismet-guaranteed-spam@example.com"
ADMINISTRATOR = "administrator"
# What labels of comments are about, by the name that other clients use for it too.
ATTRIBUTE = "SPAM"
# Clients throw such spam away unseen: only what the policy blocks, and as good as certain.
DISCARD_FROM = 0.98
# An underscore cannot stand in the name of a host, nor a hyphen in a key.
_HOST_PREFIX = "gate-"
_MOST_FIELDS = 1_000


class FormParser(BaseParser):
    """A form without files, in UTF-8 or nearly so."""

    media_type = "application/x-www-form-urlencoded"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, str]:
        assert parser_context is not None
        # `body` has the limit that the stream has not.
        raw: bytes = parser_context["request"]._request.body
        try:
            found = parse_qs(
                raw.decode(errors="replace"), keep_blank_values=True, max_num_fields=_MOST_FIELDS
            )
        except ValueError:
            raise ParseError(f"The form has more than {_MOST_FIELDS} fields.") from None
        return {name: values[0] for name, values in found.items()}


class TextRenderer(BaseRenderer):
    media_type = "text/plain"
    charset = "utf-8"

    def render(
        self,
        data: str,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return data.encode()


class AkismetView(DialectView):
    dialect = Dialect.AKISMET
    parser_classes = [FormParser]
    renderer_classes = [TextRenderer]
    key_field: ClassVar[str] = "api_key"

    def sent_key(self, request: Request) -> str:
        form = cast("Mapping[str, str]", request.data)
        return form.get(self.key_field, "") or _key_in_host(request)

    def write_problem(self, problem: Problem) -> HttpResponse:
        """Return an error. To Akismet's clients a key that is no good is a word, not a status."""
        text, status = problem.detail, problem.status
        if problem.code in ("not_authenticated", "not_allowed"):
            text, status = INVALID, 200
        headers = {**problem.headers, DEBUG_HEADER: _in_a_header(problem.detail)}
        return HttpResponse(
            text, status=status, content_type="text/plain; charset=utf-8", headers=headers
        )


def _key_in_host(request: Request) -> str:
    """Return the key that an older client puts before the host, "" where there is none.

    Most clients make hosts' names small, which spoils a key: those send it in the form.
    """
    label = request.META.get("HTTP_HOST", "").partition(".")[0]
    return label.replace("-", "_") if label.startswith(_HOST_PREFIX) else ""


def _in_a_header(text: str) -> str:
    return "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in text)


class VerifyKey(AkismetView):
    key_field = "key"

    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        """Say that the key is good: with any other the call does not come this far."""
        return Response(VALID)


class CommentCheck(AkismetView):
    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        """Say whether a comment is spam."""
        fields = Fields(request.data)
        comment = _read(fields)
        community = community_of(request, fields)
        fields.finish()
        if comment.missing:
            return _refused(comment.missing)
        if comment.fixed_answer:
            return Response(comment.fixed_answer)
        (checked,) = judge(request, [comment.draft(community)])
        return _answer(checked, community)


class Submit(AkismetView):
    """Somebody corrects us: what they say is kept as a label, and judges nothing yet."""

    score: ClassVar[float]

    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        """Keep what a comment should have been called, beside what it scores."""
        fields = Fields(request.data)
        comment = _read(fields)
        community = community_of(request, fields)
        is_test = fields.text("is_test", most=MAX_ID_CHARS) not in ("", "0", "false")
        fields.finish()
        if comment.missing:
            return _refused(comment.missing)
        # What is only tried out would spoil the labels.
        if not (is_test or comment.fixed_answer):
            self._keep(request, comment.draft(community))
        return Response(THANKS)

    def _keep(self, request: Request, draft: Draft) -> None:
        (checked,) = judge(request, [draft])
        ours = checked.scores.get(Category.SPAM)
        keep_suggestions(
            Suggestion(
                community=draft.community,
                text=visible_text(draft.title, draft.body, []),
                scores={ATTRIBUTE: self.score},
                ours={} if ours is None else {ATTRIBUTE: ours},
                model=model_id(draft.community, [checked]),
                client=caller_of(request).client,
            )
        )


class SubmitSpam(Submit):
    score = 1.0


class SubmitHam(Submit):
    score = 0.0


def _answer(checked: Checked, community: Community) -> Response:
    policy = policy_of_number(community, checked.policy_number)
    is_spam = _is_spam(checked, policy)
    if checked.verdict.not_judged and not is_spam:
        raise ProviderUnavailable("Nobody could judge this comment now.")
    response = answer(
        SPAM if is_spam else HAM,
        community=community,
        checked=[checked],
        # Others judged the text: that it is no spam is then what nobody said.
        not_judged=() if Category.SPAM in checked.scores else (Category.SPAM.value,),
    )
    if _is_blatant(checked, policy):
        response.headers["X-akismet-pro-tip"] = "discard"
    return response


def _is_spam(checked: Checked, policy: Policy) -> bool:
    score = checked.scores.get(Category.SPAM, 0.0)
    steps = policy.thresholds[Category.SPAM].items()
    return checked.verdict.action is Action.BLOCK or any(
        action in FLAGGING and score >= threshold for action, threshold in steps
    )


def _is_blatant(checked: Checked, policy: Policy) -> bool:
    blocks_from = policy.thresholds[Category.SPAM].get(Action.BLOCK)
    score = checked.scores.get(Category.SPAM, 0.0)
    return blocks_from is not None and score >= max(blocks_from, DISCARD_FROM)


# --- what was sent --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Comment:
    """A comment and who wrote it. Mail and role are looked at for Akismet's own inputs alone."""

    content: str
    author: str
    url: str
    mail: str
    role: str
    # The first field that Akismet asks for and that was not sent, "" for none.
    missing: str

    @property
    def fixed_answer(self) -> str:
        """What Akismet answers whatever else is sent, "" for most comments."""
        if self.role == ADMINISTRATOR:
            return HAM
        if self.author == SPAMMER or self.mail == SPAM_MAIL:
            return SPAM
        return ""

    def draft(self, community: Community) -> Draft:
        # All that readers would see: spam is often in the name, and in where it leads.
        body = "\n".join(text for text in (self.content, self.url) if text)
        return Draft(community, title=self.author, body=body)


def _read(fields: Fields) -> _Comment:
    conf = get_conf()
    needed = {name: fields.text(name, most=MAX_URL_CHARS) for name in ("blog", "user_ip")}
    shown = {
        "comment_content": fields.text("comment_content", most=conf.max_body_chars),
        "comment_author": fields.text("comment_author", most=conf.max_title_chars),
        "comment_author_url": fields.text("comment_author_url", most=MAX_URL_CHARS),
    }
    if not any(shown.values()):
        needed["comment_content"] = ""
    return _Comment(
        content=shown["comment_content"],
        author=shown["comment_author"],
        url=shown["comment_author_url"],
        mail=fields.text("comment_author_email", most=MAX_ID_CHARS),
        role=fields.text("user_role", most=MAX_ID_CHARS),
        missing=next((name for name, value in needed.items() if not value), ""),
    )


def _refused(missing: str) -> Response:
    sentence = f"Missing required field: {missing}"
    return Response(sentence, headers={DEBUG_HEADER: sentence})
