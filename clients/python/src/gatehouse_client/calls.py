"""Each of the API's calls, as data: what is sent, whether it may be repeated, how it is read.

The two clients send the same calls, one waiting and one not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

from gatehouse_client.answers import (
    Accepted,
    Appeal,
    AppealPage,
    Bulk,
    Hint,
    Page,
    Post,
    PostStatus,
    Report,
    ReportPage,
    Verdict,
)
from gatehouse_client.drafts import Author, Draft, Media, NewPost, filled
from gatehouse_client.errors import MalformedAnswer
from gatehouse_client.facts import Facts

T = TypeVar("T")

# What the server takes in one bulk request, and in one batch of checks.
MOST_AT_ONCE = 100
# What may stand in an address.
_NUMBER = re.compile(r"[0-9A-Z-]{1,32}")
_APPEALS_NUMBER = re.compile(r"[0-9A-Za-z-]{1,32}")
_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back on success; `body` is None where there is none."""

    body: object
    replayed: bool

    @property
    def facts(self) -> Facts:
        return Facts(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """One request. `is_repeatable`: doing it twice does no more than doing it once."""

    method: str
    path: str
    read: Callable[[Answer], T]
    is_repeatable: bool
    body: Mapping[str, Any] | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, Any] = field(default_factory=dict)
    files: Sequence[Media] = ()


def submit(post: NewPost, *, idempotency_key: str | None) -> Call[Accepted]:
    files = _files(post.media)
    return Call(
        method="POST",
        path="posts",
        body=None if files else post.as_json(),
        form=post.as_form() if files else {},
        files=files,
        headers=_idempotency(idempotency_key),
        is_repeatable=True,
        read=_read_accepted,
    )


def submit_bulk(
    posts: Sequence[NewPost], *, community: str, idempotency_key: str | None
) -> Call[Bulk]:
    def read(answer: Answer) -> Bulk:
        bulk = Bulk.read(answer.facts, replayed=answer.replayed)
        if [item.index for item in bulk.results] != list(range(len(posts))):
            raise MalformedAnswer("There is not one result for each post, in order.")
        return bulk

    return Call(
        method="POST",
        path="posts/bulk",
        body={"posts": [post.as_json() for post in posts]} | filled(community=community),
        headers=_idempotency(idempotency_key),
        is_repeatable=True,
        read=read,
    )


def edit(
    post_id: str,
    *,
    title: str | None,
    text: str | None,
    media: Sequence[Media],
    keep_media: Sequence[str] | None,
    if_revision: int | None,
) -> Call[Accepted]:
    files = _files(media)
    fields: dict[str, Any] = {"title": title, "text": text}
    if keep_media is not None:
        # A form says with an empty value that nothing is kept.
        fields["keep_media"] = list(keep_media) or ([""] if files else [])
    if media and not files:
        fields["media"] = [item.as_json() for item in media]
    said = {name: value for name, value in fields.items() if value is not None}
    return Call(
        method="PATCH",
        path=_post_path(post_id),
        body=None if files else said,
        form=said if files else {},
        files=files,
        headers={} if if_revision is None else {"If-Match": f'"{if_revision}"'},
        # The post may have been edited by somebody else in between.
        is_repeatable=False,
        read=_read_accepted,
    )


def delete(post_id: str) -> Call[None]:
    return Call(
        method="DELETE", path=_post_path(post_id), is_repeatable=True, read=lambda answer: None
    )


def get_post(post_id: str) -> Call[Post]:
    return Call(
        method="GET",
        path=_post_path(post_id),
        is_repeatable=True,
        read=lambda answer: Post.read(answer.facts),
    )


def get_status(post_id: str) -> Call[PostStatus]:
    return Call(
        method="GET",
        path=f"{_post_path(post_id)}/status",
        is_repeatable=True,
        read=lambda answer: PostStatus.read(answer.facts),
    )


def list_posts(
    *, author: str, status: str, channel: str, community: str, page_size: int, cursor: str
) -> Call[Page]:
    wanted = filled(
        author=author, status=status, channel=channel, community=community, cursor=cursor
    )
    return Call(
        method="GET",
        path="posts",
        params=wanted | {"limit": str(page_size)},
        is_repeatable=True,
        read=_read_page,
    )


def report(
    post_id: str,
    *,
    reporter: Author | str,
    category: str,
    explanation: str,
    idempotency_key: str | None,
) -> Call[Report]:
    who = Author(reporter) if isinstance(reporter, str) else reporter
    return Call(
        method="POST",
        path=f"{_post_path(post_id)}/reports",
        body={"reporter": {"id": who.id} | filled(name=who.name), "category": category}
        | filled(explanation=explanation),
        headers=_idempotency(idempotency_key),
        is_repeatable=True,
        read=lambda answer: Report.read(answer.facts, replayed=answer.replayed),
    )


def get_report(number: str) -> Call[Report]:
    if not _NUMBER.fullmatch(number):
        raise ValueError("This is no report's number.")
    return Call(
        method="GET",
        path=f"reports/{number}",
        is_repeatable=True,
        read=lambda answer: Report.read(answer.facts),
    )


def list_reports(
    *, state: str, post_id: str, reporter: str, page_size: int, cursor: str
) -> Call[ReportPage]:
    wanted = filled(state=state, post=post_id, reporter=reporter, cursor=cursor)
    return Call(
        method="GET",
        path="reports",
        params=wanted | {"limit": str(page_size)},
        is_repeatable=True,
        read=_read_reports,
    )


def appeal(
    post_id: str,
    *,
    text: str,
    statement: str,
    report: str,
    author_id: str,
    idempotency_key: str | None,
) -> Call[Appeal]:
    return Call(
        method="POST",
        path=f"{_post_path(post_id)}/appeals",
        body={"text": text}
        | filled(statement=statement, report=report)
        | ({"author": {"id": author_id}} if author_id else {}),
        headers=_idempotency(idempotency_key),
        is_repeatable=True,
        read=_read_appeal,
    )


def get_appeal(number: str) -> Call[Appeal]:
    return Call(method="GET", path=_appeal_path(number), is_repeatable=True, read=_read_appeal)


def list_appeals(*, state: str, post_id: str, page_size: int, cursor: str) -> Call[AppealPage]:
    return Call(
        method="GET",
        path="appeals",
        params=filled(state=state, post=post_id, cursor=cursor) | {"limit": str(page_size)},
        is_repeatable=True,
        read=_read_appeals,
    )


def write_to_appeal(number: str, *, text: str, idempotency_key: str | None) -> Call[Appeal]:
    return Call(
        method="POST",
        path=f"{_appeal_path(number)}/messages",
        body={"text": text},
        headers=_idempotency(idempotency_key),
        is_repeatable=True,
        read=_read_appeal,
    )


def withdraw_appeal(number: str, *, idempotency_key: str | None) -> Call[Appeal]:
    return Call(
        method="POST",
        path=f"{_appeal_path(number)}/withdraw",
        headers=_idempotency(idempotency_key),
        is_repeatable=True,
        read=_read_appeal,
    )


def check(draft: Draft, *, deadline_ms: int | None, keep: bool) -> Call[Verdict]:
    return Call(
        method="POST",
        path="check",
        body=draft.as_json() | filled(deadline_ms=deadline_ms) | ({"keep": True} if keep else {}),
        # What is kept would be on record twice.
        is_repeatable=not keep,
        read=lambda answer: Verdict.read(answer.facts),
    )


def check_batch(
    drafts: Sequence[Draft], *, community: str, deadline_ms: int | None
) -> Call[Sequence[Verdict]]:
    def read(answer: Answer) -> Sequence[Verdict]:
        verdicts = [Verdict.read(item) for item in answer.facts.each("results")]
        if len(verdicts) != len(drafts):
            raise MalformedAnswer(f"{len(drafts)} drafts got {len(verdicts)} verdicts.")
        return verdicts

    return Call(
        method="POST",
        path="check",
        body={"items": [draft.as_json() for draft in drafts]}
        | filled(community=community, deadline_ms=deadline_ms),
        is_repeatable=True,
        read=read,
    )


def hint(text: str, *, community: str) -> Call[Hint]:
    return Call(
        method="POST",
        path="hint",
        body={"text": text} | filled(community=community),
        is_repeatable=True,
        read=lambda answer: Hint.read(answer.facts),
    )


def _read_accepted(answer: Answer) -> Accepted:
    return Accepted.read(answer.facts, replayed=answer.replayed)


def _read_page(answer: Answer) -> Page:
    facts = answer.facts
    following = facts.text_or_none("next")
    return Page(
        posts=[Post.read(item) for item in facts.each("results")],
        next_cursor=None if following is None else _cursor_in(following),
    )


def _read_reports(answer: Answer) -> ReportPage:
    facts = answer.facts
    following = facts.text_or_none("next")
    return ReportPage(
        reports=[Report.read(item) for item in facts.each("results")],
        next_cursor=None if following is None else _cursor_in(following),
    )


def _read_appeal(answer: Answer) -> Appeal:
    return Appeal.read(answer.facts, replayed=answer.replayed)


def _read_appeals(answer: Answer) -> AppealPage:
    facts = answer.facts
    following = facts.text_or_none("next")
    return AppealPage(
        appeals=[Appeal.read(item) for item in facts.each("results")],
        next_cursor=None if following is None else _cursor_in(following),
    )


def _appeal_path(number: str) -> str:
    if not _APPEALS_NUMBER.fullmatch(number):
        raise ValueError("This is no appeal's number.")
    return f"appeals/{number}"


def _cursor_in(address: str) -> str:
    """Return an address's cursor. The address itself is not followed: the key goes nowhere else."""
    cursors = parse_qs(urlsplit(address).query).get("cursor")
    if not cursors:
        raise MalformedAnswer("answer.next has no cursor")
    return cursors[0]


def _post_path(post_id: str) -> str:
    # An id from elsewhere must not name another address.
    try:
        return f"posts/{UUID(post_id)}"
    except ValueError:
        raise ValueError(f"{post_id!r} is no post's id, which is a UUID.") from None


def _files(media: Sequence[Media]) -> Sequence[Media]:
    """Return the attachments that are files, which have to be sent as a form."""
    files = [item for item in media if item.data]
    if files and len(files) != len(media):
        raise ValueError("Send files or addresses; one request cannot take both.")
    return files


def _idempotency(key: str | None) -> Mapping[str, str]:
    chosen = str(uuid4()) if key is None else key
    if not _VISIBLE_ASCII.fullmatch(chosen):
        raise ValueError("An idempotency key has 1 to 255 visible ASCII characters.")
    return {"Idempotency-Key": chosen}


def drafts_of(given: Sequence[Draft | str]) -> Sequence[Draft]:
    return [Draft(text=item) if isinstance(item, str) else item for item in given]


def form_of(call: Call[Any]) -> Mapping[str, Any]:
    """Return a form's fields; the first alternative text belongs to the first file."""
    texts = [item.alt_text for item in call.files]
    return dict(call.form) | ({"alt_text": texts} if any(texts) else {})
