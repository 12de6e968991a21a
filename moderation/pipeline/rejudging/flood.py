"""5b · Watch what banks match: an entry that floods asks for people instead, until it is released.

What was judged and matched is counted in this process, beside the work; only where something
matched are the counts of all processes asked for.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Sequence

from django.contrib.auth.models import User
from django.db import DatabaseError
from django.urls import reverse

from moderation.conf import get_conf
from moderation.coordination.match_counts import count_matches, window_of
from moderation.delivery import email
from moderation.models import BankedHash
from moderation.pipeline.judging.judge import Judged
from moderation.pipeline.known.banks import ASKED, quarantine_entry
from moderation.policy.flood import FloodLimit, is_flood

logger = logging.getLogger(__name__)

# A mistake at night is not told to everyone who ever led a community.
_MOST_TOLD = 20


class _Window:
    """What this process has counted since the window began."""

    def __init__(self) -> None:
        self.number = 0
        self.judged = 0
        self.matches: Counter[int] = Counter()
        self._guard = threading.Lock()

    def add(self, number: int, judged: int, matches: Counter[int]) -> tuple[int, Counter[int]]:
        with self._guard:
            if number != self.number:
                self.number, self.judged = number, 0
                self.matches.clear()
            self.judged += judged
            self.matches += matches
            return self.judged, Counter({entry: self.matches[entry] for entry in matches})


_window = _Window()


def watch(judged: Sequence[Judged]) -> None:
    """Count what a batch matched, and quarantine the entries that match too much."""
    limit = _limit()
    matches = _matched(judged)
    number = window_of(limit.window_seconds)
    judged_here, matched_here = _window.add(number, len(judged), matches)
    if not matches:
        return
    everywhere = count_matches(matches, seconds=limit.window_seconds)
    for entry, here in matched_here.items():
        total = everywhere.get(entry, here)
        if is_flood(matches=total, matches_here=here, judged_here=judged_here, limit=limit):
            _quarantine(entry, total, judged_here)


def forget() -> None:
    """Count from nothing again."""
    _window.add(-1, 0, Counter())


def _limit() -> FloodLimit:
    conf = get_conf()
    return FloodLimit(conf.bank_flood_matches, conf.bank_flood_share, conf.bank_flood_seconds)


def _matched(judged: Sequence[Judged]) -> Counter[int]:
    """Return how many posts each entry matched; one that is in doubt already is not counted."""
    found: Counter[int] = Counter()
    for item in judged:
        found.update(set(_entries(item)))
    return found


def _entries(item: Judged) -> Iterable[int]:
    for row in item.screened.results:
        for match in row.raw.get("matches", ()) if row.provider in ASKED else ():
            if not match.get("in_doubt"):
                yield int(match["entry"])


def _quarantine(entry_id: int, matches: int, posts: int) -> None:
    try:
        banked = quarantine_entry(entry_id=entry_id, matches=matches, posts=posts)
    except DatabaseError:
        # The batch is decided; the next one that matches tries again.
        logger.exception("entry_not_quarantined", extra={"entry": entry_id})
        return
    if banked is None:
        return
    email.tell_staff(
        _leads(banked),
        "bank.quarantined",
        {
            "entry": banked,
            "matches": matches,
            "minutes": _limit().window_seconds // 60,
            "page": get_conf().public_url
            + reverse("admin:moderation_bankedhash_change", args=[banked.pk]),
        },
    )


def _leads(banked: BankedHash) -> list[str]:
    """Return the addresses of those who can release an entry."""
    may = User.objects.with_perm(
        "moderation.change_bankedhash", backend="django.contrib.auth.backends.ModelBackend"
    ).filter(is_staff=True)
    community_id = banked.bank.community_id
    if community_id is None:
        may = may.filter(is_superuser=True)
    else:
        may = may.filter(moderates__community=community_id)
    return list(may.exclude(email="").values_list("email", flat=True)[:_MOST_TOLD])
