"""The answer and the way together."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import User

from moderation.admin.why.answer import Answer, Line, answer_of
from moderation.admin.why.attachments import Shown, caches_of, shown_of
from moderation.admin.why.reading import MOST, read_of
from moderation.admin.why.way import Entry, way_of
from moderation.models import (
    Post,
)


@dataclass(frozen=True, slots=True)
class Why:
    answer: Answer
    path: tuple[Entry, ...]
    attachments: tuple[Shown, ...]
    caches: tuple[Line, ...]
    is_cut: bool

    def about(self, media_id: object) -> Shown | None:
        """Return one of the attachments, None where the post never had it."""
        return next((one for one in self.attachments if one.item.pk == media_id), None)


def why(post: Post, reader: User) -> Why:
    """Explain a post to a reader who may see it."""
    read = read_of(post, reader)
    answer = answer_of(read, reader)
    return Why(
        answer=answer,
        path=tuple(way_of(read, reader)),
        attachments=tuple(shown_of(item, read, answer) for item in read.media),
        caches=tuple(caches_of(read)),
        is_cut=any(
            len(rows) >= MOST
            for rows in (read.submissions, read.results, read.messages, read.attempts)
        ),
    )
