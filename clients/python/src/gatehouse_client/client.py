"""The client that waits for each answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

import httpx2

from gatehouse_client import calls
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
from gatehouse_client.calls import Call
from gatehouse_client.drafts import Author, Draft, Media, NewPost
from gatehouse_client.events import Event, Following
from gatehouse_client.exchange import TIMEOUT_SECONDS, Exchange, Settings, options_of
from gatehouse_client.patience import Patience
from gatehouse_client.retries import Retries

T = TypeVar("T")


class Gatehouse:
    """A server, asked with one key. Close it after use, or use it in `with`.

    `url` and `key` are taken from `GATEHOUSE_URL` and `GATEHOUSE_KEY` where they are not given.
    `community` is the one meant where a call names none; only an organisation's key needs it.
    One client serves many threads.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        community: str = "",
        timeout_seconds: float = TIMEOUT_SECONDS,
        retries: Retries | None = None,
    ) -> None:
        self._settings = Settings.read(
            url, key, community=community, timeout_seconds=timeout_seconds, retries=retries
        )
        self._http = httpx2.Client(**options_of(self._settings))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._settings.url!r})"

    def close(self) -> None:
        """Close the connections that are open."""
        self._http.close()

    # Posts

    def submit(
        self,
        *,
        author: Author | str,
        text: str = "",
        title: str = "",
        channel: str = "",
        reference: str = "",
        parent: str = "",
        media: Sequence[Media] = (),
        community: str = "",
        idempotency_key: str | None = None,
    ) -> Accepted:
        """Store a post for good and queue it for screening.

        Each call has an idempotency key of its own, so that repeating it is safe; give one that
        you keep where a call must be the same after your program starts again.
        """
        post = NewPost(
            author=author,
            text=text,
            title=title,
            channel=channel,
            reference=reference,
            parent=parent,
            media=media,
            community=community or self._settings.community,
        )
        return self._send(calls.submit(post, idempotency_key=idempotency_key))

    def submit_bulk(
        self,
        posts: Sequence[NewPost],
        *,
        community: str = "",
        idempotency_key: str | None = None,
    ) -> Bulk:
        """Store up to 100 posts in one transaction; each has a result of its own.

        Raises `AllRefused`, with the same results, when none was accepted.
        """
        meant = community or self._settings.community
        return self._send(
            calls.submit_bulk(posts, community=meant, idempotency_key=idempotency_key)
        )

    def edit(
        self,
        post_id: str,
        *,
        title: str | None = None,
        text: str | None = None,
        media: Sequence[Media] = (),
        keep_media: Sequence[str] | None = None,
        if_revision: int | None = None,
    ) -> Accepted:
        """Make a new revision; what is None stays as it is. Never sent twice.

        `keep_media` holds the ids of the attachments that stay. With `if_revision`, raises
        `StaleRevision` when the post is no longer at that revision.
        """
        return self._send(
            calls.edit(
                post_id,
                title=title,
                text=text,
                media=media,
                keep_media=keep_media,
                if_revision=if_revision,
            )
        )

    def delete(self, post_id: str) -> None:
        """Take a post from every reader."""
        self._send(calls.delete(post_id))

    def get_post(self, post_id: str) -> Post:
        """Return a post with its text."""
        return self._send(calls.get_post(post_id))

    def list_page(
        self,
        *,
        author: str,
        status: str = "",
        channel: str = "",
        community: str = "",
        page_size: int = 50,
        cursor: str = "",
    ) -> Page:
        """Return one page of an author's posts, the newest first."""
        return self._send(
            calls.list_posts(
                author=author,
                status=status,
                channel=channel,
                community=community or self._settings.community,
                page_size=page_size,
                cursor=cursor,
            )
        )

    def list_posts(
        self,
        *,
        author: str,
        status: str = "",
        channel: str = "",
        community: str = "",
        page_size: int = 50,
    ) -> Iterator[Post]:
        """Yield all of an author's posts, the newest first; pages are fetched when needed."""
        cursor: str | None = ""
        while cursor is not None:
            page = self.list_page(
                author=author,
                status=status,
                channel=channel,
                community=community,
                page_size=page_size,
                cursor=cursor,
            )
            yield from page.posts
            cursor = page.next_cursor

    # Where a post stands

    def get_status(self, post_id: str) -> PostStatus:
        """Return where a post stands, and why."""
        return self._send(calls.get_status(post_id))

    def wait_for_verdict(
        self, post_id: str, *, timeout_seconds: float = 60.0, through_review: bool = False
    ) -> PostStatus:
        """Ask again and again until a post is judged. Raises `StillPending` after the timeout.

        A post that a moderator has to look at counts as judged, unless `through_review`.
        """
        patience = Patience(timeout_seconds, through_review=through_review)
        while True:
            status = self.get_status(post_id)
            wait = patience.wait_after(status)
            if wait is None:
                return status
            time.sleep(wait)

    # Reports

    def report(
        self,
        post_id: str,
        *,
        reporter: Author | str,
        category: str,
        explanation: str = "",
        idempotency_key: str | None = None,
    ) -> Report:
        """Report a post as one of your people; the same one's report of the same content is one."""
        return self._send(
            calls.report(
                post_id,
                reporter=reporter,
                category=category,
                explanation=explanation,
                idempotency_key=idempotency_key,
            )
        )

    def get_report(self, number: str) -> Report:
        """Return a report with what it was answered."""
        return self._send(calls.get_report(number))

    def list_reports(
        self,
        *,
        state: str = "",
        post_id: str = "",
        reporter: str = "",
        page_size: int = 50,
        cursor: str = "",
    ) -> ReportPage:
        """Return one page of reports, the newest first."""
        return self._send(
            calls.list_reports(
                state=state,
                post_id=post_id,
                reporter=reporter,
                page_size=page_size,
                cursor=cursor,
            )
        )

    # Appeals

    def appeal(
        self,
        post_id: str,
        text: str,
        *,
        statement: str = "",
        report: str = "",
        author_id: str = "",
        idempotency_key: str | None = None,
    ) -> Appeal:
        """Object to what was decided of a post: the newest restriction, or that of a statement.

        With `report`, to the refusal of that report. `author_id` makes sure whose appeal it is.
        """
        return self._send(
            calls.appeal(
                post_id,
                text=text,
                statement=statement,
                report=report,
                author_id=author_id,
                idempotency_key=idempotency_key,
            )
        )

    def get_appeal(self, number: str) -> Appeal:
        """Return an appeal with its conversation and its answer."""
        return self._send(calls.get_appeal(number))

    def list_appeals(
        self, *, state: str = "", post_id: str = "", page_size: int = 50, cursor: str = ""
    ) -> AppealPage:
        """Return one page of appeals, the newest first, without their conversations."""
        return self._send(
            calls.list_appeals(state=state, post_id=post_id, page_size=page_size, cursor=cursor)
        )

    def write_to_appeal(
        self, number: str, text: str, *, idempotency_key: str | None = None
    ) -> Appeal:
        """Add what whoever objects has to say."""
        return self._send(calls.write_to_appeal(number, text=text, idempotency_key=idempotency_key))

    def withdraw_appeal(self, number: str, *, idempotency_key: str | None = None) -> Appeal:
        """End an appeal: what was decided stands."""
        return self._send(calls.withdraw_appeal(number, idempotency_key=idempotency_key))

    # Asking without posting

    def check(
        self,
        text: str = "",
        *,
        title: str = "",
        media: Sequence[Media] = (),
        community: str = "",
        deadline_ms: int | None = None,
        keep: bool = False,
    ) -> Verdict:
        """Return what the community's policy would say.

        `keep` puts the verdict on record; such a check is never sent twice.
        """
        draft = Draft(
            text=text, title=title, media=media, community=community or self._settings.community
        )
        return self._send(calls.check(draft, deadline_ms=deadline_ms, keep=keep))

    def check_batch(
        self,
        drafts: Sequence[Draft | str],
        *,
        community: str = "",
        deadline_ms: int | None = None,
    ) -> Sequence[Verdict]:
        """Return a verdict for each of up to 100 drafts, in their order."""
        meant = community or self._settings.community
        return self._send(
            calls.check_batch(calls.drafts_of(drafts), community=meant, deadline_ms=deadline_ms)
        )

    def hint(self, text: str, *, community: str = "") -> Hint:
        """Return what to tell a person who is still typing."""
        return self._send(calls.hint(text, community=community or self._settings.community))

    # What happens

    def events(
        self, *, types: Sequence[str] = (), community: str = "", after: str = ""
    ) -> Iterator[Event]:
        """Follow what happens to posts from now on, or after the event with the id `after`.

        `types` are types of events or groups as `post.*`. Goes on after breaks where it was, and
        never ends by itself; raises what the server says is wrong, or `Unreachable` after as many
        failures in a row as there are attempts.
        """
        following = Following(
            types=types,
            community=community or self._settings.community,
            after=after,
            retries=self._settings.retries,
        )
        while True:
            try:
                response = self._http.send(following.request(self._http), stream=True)
                try:
                    if response.is_success:
                        for line in response.iter_lines():
                            event = following.feed(line)
                            if event is not None:
                                yield event
                        wait = following.pause_seconds
                    else:
                        response.read()
                        wait = following.wait_after_refusal(response)
                finally:
                    response.close()
            except httpx2.RequestError as error:
                wait = following.wait_after_failure(error)
            time.sleep(wait)

    def _send(self, call: Call[T]) -> T:
        exchange = Exchange(call, self._settings.retries)
        while True:
            try:
                response = self._http.send(exchange.request(self._http))
            except httpx2.RequestError as error:
                wait = exchange.wait_after_failure(error)
            else:
                told = exchange.wait_after_answer(response)
                if told is None:
                    return exchange.read(response)
                wait = told
            time.sleep(wait)
