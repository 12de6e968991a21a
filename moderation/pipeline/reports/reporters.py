"""Who reports: marked as trusted, warned, or not listened to for a time. A lead decides."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.functions import Now

from moderation import queries
from moderation.errors import InvalidFields, InvalidSubmission, NotAllowed, NotFound
from moderation.models import Author, Community, TrustedFlagger
from moderation.pipeline.audit.record import Actor, Event, record_change, record_events
from moderation.vocabulary import ActorKind

PERMISSION: Final = "moderation.judge_reporter"
# "For a reasonable period of time", as the law has it.
LONGEST_MUTE_DAYS: Final = 180


def warn_reporter(*, author_id: int, lead: User, reason: str) -> Author:
    """Warn somebody whose reports are mostly unfounded; they read it above their reports."""
    with transaction.atomic():
        author = _lock(author_id, lead, reason)
        Author.objects.filter(pk=author.pk).update(reports_warned_at=Now())
        _record("reporter.warned", author, lead, reason)
    author.refresh_from_db()
    return author


def mute_reporter(*, author_id: int, lead: User, days: int, reason: str) -> Author:
    """Leave somebody's reports aside for a time. Raises `InvalidSubmission` without a warning."""
    if not 1 <= days <= LONGEST_MUTE_DAYS:
        raise InvalidFields.of("days", f"is a number from 1 to {LONGEST_MUTE_DAYS}")
    with transaction.atomic():
        author = _lock(author_id, lead, reason)
        if author.reports_warned_at is None:
            raise InvalidSubmission("Warn them first: the law asks for it, and it often helps.")
        until = queries.database_now() + timedelta(days=days)
        Author.objects.filter(pk=author.pk).update(reports_muted_until=until)
        _record("reporter.muted", author, lead, reason, days=days)
    author.refresh_from_db()
    return author


def unmute_reporter(*, author_id: int, lead: User, reason: str) -> Author:
    """Listen to somebody's reports again; those to come, not those left aside meanwhile."""
    with transaction.atomic():
        author = _lock(author_id, lead, reason)
        Author.objects.filter(pk=author.pk).update(reports_muted_until=None)
        _record("reporter.unmuted", author, lead, reason)
    author.refresh_from_db()
    return author


def add_trusted_flagger(
    *, community: Community, name: str, lead: User, user: User | None = None, external_id: str = ""
) -> TrustedFlagger:
    """Let what somebody reports come first in a community. Raises `NotAllowed`."""
    _must(lead, community.pk)
    if (user is None) == (external_id.strip() == ""):
        raise InvalidSubmission("Name a user of this site or a client's own id of a person.")
    with transaction.atomic():
        flagger, is_new = TrustedFlagger.objects.get_or_create(
            community=community,
            user=user,
            external_id=external_id.strip(),
            defaults={"name": name.strip()},
        )
        if is_new:
            _record_flagger("flagger.added", flagger, lead)
    return flagger


def remove_trusted_flagger(*, flagger_id: int, lead: User) -> None:
    with transaction.atomic():
        rows = TrustedFlagger.objects.select_for_update()
        flagger = rows.filter(pk=flagger_id).first()
        if flagger is None:
            raise NotFound("There is no such trusted flagger.")
        _must(lead, flagger.community_id)
        _record_flagger("flagger.removed", flagger, lead)
        flagger.delete()


def _lock(author_id: int, lead: User, reason: str) -> Author:
    rows = Author.objects.select_for_update(of=("self",), no_key=True)
    author = rows.filter(pk=author_id).first()
    if author is None:
        raise NotFound("There is no such author.")
    _must(lead, author.community_id)
    if not reason.strip():
        raise InvalidSubmission("State why.")
    return author


def _must(lead: User, community_id: int) -> None:
    if not (lead.has_perm(PERMISSION) and queries.moderates(lead, community_id)):
        raise NotAllowed()


def _record(kind: str, author: Author, lead: User, reason: str, **facts: object) -> None:
    record_events(
        [
            Event(
                kind=kind,
                subject_kind="author",
                subject_id=str(author.pk),
                actor=Actor(ActorKind.MODERATOR, str(lead.pk)),
                community_id=author.community_id,
                facts=facts,
                personal={"note": reason.strip()},
                author=author,
            )
        ]
    )


def _record_flagger(kind: str, flagger: TrustedFlagger, lead: User) -> None:
    record_change(
        kind,
        subject=("flagger", str(flagger.pk)),
        community_id=flagger.community_id,
        user=lead,
        facts={"flagger": flagger.pk},
    )
