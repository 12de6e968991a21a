"""Pulls the brake on a rule or provider that suddenly blocks far more than usual.

Beside a post's way, never on it: a sweeper counts new verdicts into tallies of five minutes,
compares the last of them with the week before, and writes a row. Workers read it with the rules.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F, Max, Q, Sum
from django.db.models.functions import Coalesce
from django.urls import reverse

from moderation import queries
from moderation.conf import get_conf
from moderation.delivery import email
from moderation.errors import Conflict
from moderation.models import BlockTally, Brake, Community, TallyMark, VerdictRecord
from moderation.pipeline.audit.record import record_change
from moderation.policy.agreement import Share
from moderation.policy.brake import exceeds_usual
from moderation.policy.verdict import BRAKED
from moderation.vocabulary import Action, BrakeKind

# How often a sweeper looks. A flood is found a few seconds after it is large enough to be sure.
EVERY_SECONDS: Final = 10.0
BUCKET: Final = timedelta(minutes=5)
# The bucket of now and these before it are "lately".
RECENT: Final = timedelta(minutes=10)
USUAL: Final = timedelta(days=7)
# Longer than any transaction: what is older has all been committed, in the order of its keys.
_SETTLED = timedelta(seconds=2)
# Of one look; the next one goes on.
_MOST_VERDICTS = 20_000
_MOST_FORGOTTEN = 2_000
# A lead has looked: the same figures do not pull it again.
_AFTER_RELEASE = timedelta(hours=1)
_ALL = "all"
_SUBJECT = "brake"
_BLOCKS = f".{Action.BLOCK}"
_LOWERED = f".{BRAKED}"

_last_look: float | None = None


def watch_rates() -> None:
    """Count new verdicts and pull what must be pulled, now and then; a sweeper calls each round."""
    global _last_look  # noqa: PLW0603  # a process's own rhythm
    if _last_look is not None and time.monotonic() - _last_look < EVERY_SECONDS:
        return
    _last_look = time.monotonic()
    look()


def look() -> list[Brake]:
    """Count, release what has expired, and return what was pulled."""
    now = queries.database_now()
    _release_expired(now)
    counted = _count_new(now)
    pulled = [brake for community in counted for brake in _pull(community, now)]
    _forget_old(now)
    for brake in pulled:
        _tell_leads(brake)
    return pulled


def release_brake(*, brake_id: int, user: User) -> Brake:
    """Let a rule or provider block again. Raises `Conflict` when it does already."""
    now = queries.database_now()
    with transaction.atomic():
        brake = Brake.objects.select_related("community").get(pk=brake_id)
        if not _release(brake, now, user):
            raise Conflict("This brake was released already.")
    return brake


# --- counting -----------------------------------------------------------------------------------


def _count_new(now: datetime) -> set[int]:
    """Add the verdicts since the last look to the tallies; return their communities.

    Nobody counts twice: who does not get the mark's lock leaves it to who has it.
    """
    with transaction.atomic():
        mark = _hold_mark()
        if mark is None:
            return set()
        rows = VerdictRecord.objects.filter(pk__gt=mark.last_verdict, judged_at__lt=now - _SETTLED)
        found = list(
            rows.order_by("pk").values_list(
                "pk", "post__community_id", "rule", "provider", "judged_at"
            )[:_MOST_VERDICTS]
        )
        if not found:
            return set()
        _add(_tallies(row[1:] for row in found))
        TallyMark.objects.filter(pk=mark.pk).update(last_verdict=found[-1][0])
    return {row[1] for row in found}


def _hold_mark() -> TallyMark | None:
    mark = TallyMark.objects.select_for_update(skip_locked=True).order_by("pk").first()
    if mark is None and not TallyMark.objects.exists():
        # What was judged before anyone counted tells what is usual, as far as it is not too much.
        newest = VerdictRecord.objects.aggregate(last=Max("pk"))["last"] or 0
        begin = max(newest - _MOST_VERDICTS, 0)
        TallyMark.objects.get_or_create(pk=1, defaults={"last_verdict": begin})
        mark = TallyMark.objects.select_for_update(skip_locked=True).filter(pk=1).first()
    return mark


_Key = tuple[int, datetime, str, str]
# Kind and name, as they stand in a tally and in a brake.
_Name = tuple[str, str]
_Times = tuple[datetime, datetime]


def _tallies(rows: Iterable[tuple[int, str, str | None, datetime]]) -> Counter[_Key]:
    found: Counter[_Key] = Counter()
    for community, rule, provider, judged_at in rows:
        bucket = _bucket(judged_at)
        found[community, bucket, _ALL, ""] += 1
        # What only asks since its brake was pulled still shows whether the flood goes on.
        if rule.endswith(_LOWERED):
            found[community, bucket, BrakeKind.RULE, rule.removesuffix(_LOWERED) + _BLOCKS] += 1
        elif rule.endswith(_BLOCKS):
            found[community, bucket, BrakeKind.RULE, rule] += 1
            found[community, bucket, BrakeKind.PROVIDER, provider or ""] += 1
    return found


def _bucket(moment: datetime) -> datetime:
    size = BUCKET.total_seconds()
    return datetime.fromtimestamp(moment.timestamp() // size * size, tz=moment.tzinfo)


def _add(tallies: Mapping[_Key, int]) -> None:
    for (community, starts_at, kind, name), hits in tallies.items():
        where = {"community_id": community, "starts_at": starts_at, "kind": kind, "name": name}
        if not BlockTally.objects.filter(**where).update(hits=F("hits") + hits):
            BlockTally.objects.create(**where, hits=hits)


def _forget_old(now: datetime) -> None:
    old = BlockTally.objects.filter(starts_at__lt=now - USUAL - RECENT).order_by("starts_at")
    BlockTally.objects.filter(
        pk__in=list(old.values_list("pk", flat=True)[:_MOST_FORGOTTEN])
    ).delete()


# --- pulling ------------------------------------------------------------------------------------


def _pull(community_id: int, now: datetime) -> list[Brake]:
    """Pull the brakes of a community's rules, else of its providers, that exceed their rate."""
    community = Community.objects.get(pk=community_id)
    policy = queries.policy_of(community.policy_id)
    if not policy.watches_rates:
        return []
    exceeding = {
        key: (recent, usual)
        for key, (recent, usual) in _rates(community_id, now).items()
        if exceeds_usual(recent, usual)
    }
    rules = {key: found for key, found in exceeding.items() if key[0] == BrakeKind.RULE}
    if rules or _rule_was_pulled(community_id, now):
        # One rule's flood is no reason to distrust all that its provider says.
        exceeding = rules
    expires_at = None
    if policy.brake_hours is not None:
        expires_at = now + timedelta(hours=policy.brake_hours)
    spared = _spared(community_id, now)
    return [
        brake
        for (kind, name), (recent, usual) in exceeding.items()
        if (kind, name) not in spared
        and (brake := _store(community, BrakeKind(kind), name, recent, usual, expires_at))
    ]


def _rates(community_id: int, now: datetime) -> dict[_Name, tuple[Share, Share]]:
    """Return the share of blocks by kind and name: lately, and before that."""
    counted = _hits(community_id, now)
    recent_total, usual_total = counted.pop((_ALL, ""), (0, 0))
    rates = {
        name: (Share(recent, recent_total), Share(usual, usual_total))
        for name, (recent, usual) in counted.items()
        if name[1]
    }
    for name, times in _floods(community_id, now).items():
        if name in rates:
            rates[name] = (rates[name][0], _usual_without(times, community_id, name, now))
    return rates


def _hits(community_id: int, now: datetime) -> dict[_Name, tuple[int, int]]:
    border = _bucket(now - RECENT)
    tallies = BlockTally.objects.filter(community_id=community_id, starts_at__gte=now - USUAL)
    rows = (
        tallies.values("kind", "name")
        .annotate(
            recent=Coalesce(Sum("hits", filter=Q(starts_at__gte=border)), 0),
            usual=Coalesce(Sum("hits", filter=Q(starts_at__lt=border)), 0),
        )
        .order_by()
    )
    return {(row["kind"], row["name"]): (row["recent"], row["usual"]) for row in rows}


def _floods(community_id: int, now: datetime) -> dict[_Name, list[_Times]]:
    """Return when brakes were on that no person has released: what came then was not usual.

    Otherwise a flood that outlasts its brake would be taken for what is usual by then.
    """
    brakes = Brake.objects.filter(
        Q(released_at__isnull=True) | Q(released_by__isnull=True),
        community_id=community_id,
        pulled_at__gte=now - USUAL - RECENT,
    )
    found: dict[_Name, list[_Times]] = {}
    for brake in brakes:
        times = (_bucket(brake.pulled_at - RECENT), brake.released_at or now)
        found.setdefault((brake.kind, brake.name), []).append(times)
    return found


def _usual_without(
    floods: Iterable[_Times], community_id: int, name: _Name, now: datetime
) -> Share:
    calm = BlockTally.objects.filter(
        community_id=community_id, starts_at__gte=now - USUAL, starts_at__lt=_bucket(now - RECENT)
    )
    for begin, end in floods:
        calm = calm.exclude(starts_at__gte=begin, starts_at__lt=end)
    counted = calm.aggregate(
        blocked=Coalesce(Sum("hits", filter=Q(kind=name[0], name=name[1])), 0),
        total=Coalesce(Sum("hits", filter=Q(kind=_ALL)), 0),
    )
    return Share(counted["blocked"], counted["total"])


def _rule_was_pulled(community_id: int, now: datetime) -> bool:
    """Whether blocks of a rule that was pulled may still be among the recent ones."""
    return Brake.objects.filter(
        community_id=community_id, kind=BrakeKind.RULE, pulled_at__gte=now - RECENT - BUCKET
    ).exists()


def _spared(community_id: int, now: datetime) -> set[tuple[str, str]]:
    """Return what is pulled already, or was released by a person a moment ago."""
    rows = Brake.objects.filter(
        Q(released_at__isnull=True)
        | Q(released_at__gte=now - _AFTER_RELEASE, released_by__isnull=False),
        community_id=community_id,
    )
    return set(rows.values_list("kind", "name"))


def _store(
    community: Community,
    kind: BrakeKind,
    name: str,
    recent: Share,
    usual: Share,
    expires_at: datetime | None,
) -> Brake | None:
    """Return the brake, None when another sweeper was faster."""
    counts = {
        "recent_hits": recent.hits,
        "recent_total": recent.total,
        "usual_hits": usual.hits,
        "usual_total": usual.total,
    }
    try:
        with transaction.atomic():
            brake = Brake.objects.create(
                community=community, kind=kind, name=name, expires_at=expires_at, **counts
            )
            _record("brake.pulled", brake, None, {"kind": kind, "name": name, **counts})
    except IntegrityError:
        return None
    return brake


def _release_expired(now: datetime) -> None:
    expired = Brake.objects.filter(released_at__isnull=True, expires_at__lte=now)
    for brake in expired.select_related("community"):
        with transaction.atomic():
            _release(brake, now, None)


def _release(brake: Brake, now: datetime, user: User | None) -> bool:
    released = Brake.objects.filter(pk=brake.pk, released_at__isnull=True).update(
        released_at=now, released_by=user
    )
    if released:
        _record("brake.released", brake, user, {"kind": brake.kind, "name": brake.name})
    return bool(released)


def _record(kind: str, brake: Brake, user: User | None, facts: Mapping[str, object]) -> None:
    record_change(
        kind,
        subject=(_SUBJECT, str(brake.pk)),
        community_id=brake.community_id,
        user=user,
        facts=facts,
    )


def _tell_leads(brake: Brake) -> None:
    leads = User.objects.with_perm(
        "moderation.change_policyrevision", backend="django.contrib.auth.backends.ModelBackend"
    ).filter(moderates__community=brake.community_id, is_staff=True, is_active=True)
    email.tell_staff(
        list(leads.exclude(email="").values_list("email", flat=True)),
        "brake.pulled",
        {
            "brake": brake,
            "community": brake.community.name,
            "recent": f"{brake.recent_hits} of the last {brake.recent_total}",
            "usual": f"{brake.usual_hits} of {brake.usual_total}",
            "page": get_conf().public_url + reverse("admin:moderation_studio"),
        },
    )
