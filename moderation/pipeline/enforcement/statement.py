"""5b · Give reasons: one statement for each restriction, kept as it was issued.

What counts as a restriction, for the law and here: a post that is hidden or shown under a note; a
post that readers could see and that is held until a person has looked, if something was found in
it; every sanction. A post that nobody could see yet and that waits for a person is not restricted
but undecided: its author reads that on its page.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from moderation import queries
from moderation.conf import get_conf
from moderation.models import Enforcement, MediaItem, Post, Report, Review, Statement
from moderation.models.posts import NAME_KEY, TEXT_KEY
from moderation.policy.reasons import Facts, Imposed, restricts, state_reasons
from moderation.policy.sanctions import Asked, default_for, effects_of
from moderation.queries.appeals import appeal_until
from moderation.vocabulary import Action, Category, EffectKind, ReportSource, Sanction

# Who counts when several reported one post, the most weighty last.
_BY_WEIGHT = (
    ReportSource.CLIENT,
    ReportSource.READER,
    ReportSource.NOTICE,
    ReportSource.TRUSTED_FLAGGER,
)


def issue_statements(issued: Sequence[tuple[Enforcement, Facts]]) -> list[Statement]:
    """Keep a statement for every enforcement that restricts. Costs nothing where none does."""
    rows = [
        Statement(
            number=secrets.token_hex(12),
            enforcement=enforcement,
            community_id=enforcement.post.community_id,
            author_id=enforcement.author_id,
            document=state_reasons(facts),
            issued_at=facts.issued_at,
        )
        for enforcement, facts in issued
        if restricts(facts)
    ]
    return Statement.objects.bulk_create(rows) if rows else []


def preview_statement(
    *,
    review: Review,
    action: Action,
    reason: str,
    category: Category | None = None,
    sanction: Asked | None = None,
    legal_ground: str = "",
) -> dict[str, Any] | None:
    """Return what the author would be told of a decision, None when there is nothing to tell."""
    now = queries.database_now()
    facts = facts_of_decision(
        review=review,
        post=review.post,
        action=action,
        reason=reason,
        category=category,
        imposed=imposed_by(sanction or default_for(action), now),
        legal_ground=legal_ground,
        now=now,
    )
    return state_reasons(facts) if restricts(facts) else None


def facts_of_decision(
    *,
    review: Review,
    post: Post,
    action: Action,
    reason: str,
    category: Category | None,
    imposed: Sequence[Imposed],
    legal_ground: str,
    now: datetime,
) -> Facts:
    """Return what a person's decision rests on."""
    verdict = review.verdict
    media = queries.media_of([post]).get(post.pk, ())
    known = category or (Category(review.category) if review.category else None)
    fits = verdict is not None and verdict.category == known
    return Facts(
        community=post.community.name,
        action=action,
        category=known,
        issued_at=now,
        appeal_until=appeal_until(now),
        decided_by_machine=False,
        found_by_machine=verdict is not None and verdict.category is not None,
        hides=action is Action.BLOCK,
        rule=verdict.rule if verdict is not None and fits else "",
        policy=queries.policy_number_of(verdict.policy_id) if verdict is not None else None,
        written_reason=reason,
        source=source_of(reports_on([post.pk]).get(post.pk, ())) if review.report_count else None,
        legal_ground=legal_ground,
        part=_part_kind(verdict.part_key, media) if verdict is not None and fits else "",
        content=content_kinds(post, (item.kind for item in media)),
        language=review.language,
        posted_on=post.created_at.date(),
        sanctions=imposed,
        watched_until=watched_until(imposed, now),
    )


def imposed_by(asked: Asked, now: datetime) -> list[Imposed]:
    """Return a sanction as it begins now. A strike that comes with a severer one has no end."""
    until = now + asked.duration if asked.duration is not None else None
    return [
        Imposed(kind, until if kind.value == asked.kind.value else None)
        for kind in effects_of(asked)
    ]


def watched_until(imposed: Iterable[Imposed], now: datetime) -> datetime | None:
    """Return until when a strike makes its author's posts wait, None without a strike."""
    for one in imposed:
        if one.kind is EffectKind.STRIKE:
            until = now + timedelta(days=get_conf().watch_days)
            return min(until, one.until or until)
    return None


def by_verdict(now: datetime) -> list[Imposed]:
    """Return what the policy's rejection brings an author."""
    return imposed_by(Asked(Sanction.STRIKE), now)


def content_kinds(post: Post, media_kinds: Iterable[str]) -> tuple[str, ...]:
    """Return of what a post consists, in the vocabulary's words for parts."""
    text = ("text",) if post.title or post.body else ()
    return (*text, *sorted(set(media_kinds)))


def part_kind(part_key: str | None, kinds: Mapping[str, str]) -> str:
    """Name the kind of a part by its key; `kinds` tells those of attachments."""
    if part_key in (TEXT_KEY, NAME_KEY):
        return "name" if part_key == NAME_KEY else "text"
    return kinds.get(part_key or "", "")


def _part_kind(part_key: str | None, media: Sequence[MediaItem]) -> str:
    if part_key in (TEXT_KEY, NAME_KEY):
        return part_kind(part_key, {})
    # A part may be of an attachment only: its text, or the sound of a video.
    return next((item.kind for item in media if part_key and str(item.pk) in part_key), "")


def reports_on(post_ids: Collection[UUID]) -> dict[UUID, list[ReportSource]]:
    """Return who reported posts, by what kind of reporter they are; never who."""
    found: dict[UUID, list[ReportSource]] = {}
    for post_id, source in (
        Report.objects.filter(post_id__in=post_ids).values_list("post_id", "source").distinct()
    ):
        found.setdefault(post_id, []).append(ReportSource(source))
    return found


def source_of(sources: Iterable[ReportSource]) -> ReportSource | None:
    return max(sources, key=_BY_WEIGHT.index, default=None)
