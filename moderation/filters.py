"""How moderators' own filters change, all on the record, and what they would find in a text.

Each rule is a subject of the audit: its history says who changed what.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q

from moderation import queries
from moderation.errors import Conflict, InvalidFields, InvalidSubmission, NotAllowed
from moderation.models import Community, FilterRule
from moderation.pipeline.audit.record import SYSTEM, Actor, Event, record_change, record_events
from moderation.providers.own.filters import CommunityFilterProvider, check_rule
from moderation.providers.own.filters.reading import Reading
from moderation.providers.own.filters.rule_set import RuleSet
from moderation.providers.own.filters.rules import Hit, listed
from moderation.providers.registry import filter_rule
from moderation.text.disguise import name_disguise
from moderation.vocabulary import SEVERITY_OF_ACTION, Action, ActorKind, Category, FilterKind, Part

_SUBJECT = "filter"
MAX_LINES = 500
# Each is tried on texts that are bad for it, which takes up to a third of a second.
MAX_EXPRESSIONS = 100
# More places tell nobody more.
MAX_FOUND = 100
_PERSONAL = {
    "email": "a mail address",
    "phone": "a telephone number",
    "card": "a payment card's number",
    "iban": "an account's number (IBAN)",
}


# Changes


def set_filter(
    *,
    community: Community | None,
    kind: FilterKind,
    pattern: str,
    category: Category,
    user: User | None,
    score: float = 1.0,
    label: str = "",
    active: bool = True,
    rule_id: int | None = None,
) -> FilterRule:
    """Add a rule, or change the one that `rule_id` names; None for a community means every one.

    `user` None is Gatehouse itself. Raises `InvalidSubmission`, `Conflict` for a rule that is gone,
    and `NotAllowed` where a rule for every community is not the user's to make.
    """
    _must_answer_for(community, user)
    wanted = {
        "kind": kind.value,
        "pattern": tidy(kind, pattern),
        "category": category.value,
        "score": score,
        "label": " ".join(label.split()),
        "active": active,
    }
    try:
        with transaction.atomic():
            return _store(community, wanted, user, rule_id)
    except IntegrityError:
        raise InvalidFields.of("pattern", "This rule is on the list already.") from None


def drop_filter(*, rule: FilterRule, user: User | None) -> None:
    """Take a rule away; what it found stays with its posts.

    Raises `Conflict` for a rule that is gone, and `NotAllowed`.
    """
    _must_answer_for(rule.community, user)
    with transaction.atomic():
        row = _locked(rule.pk, rule.community)
        _record("filter.removed", row, user, _facts(row))
        row.delete()


@dataclass(frozen=True, slots=True)
class Added:
    """How many rules a list brought, and how many of its lines were rules before."""

    added: int
    known: int


def add_filters(
    *,
    community: Community | None,
    kind: FilterKind,
    lines: Sequence[str],
    category: Category,
    user: User | None,
    score: float = 1.0,
    label: str = "",
) -> Added:
    """Add a rule for each line that is not blank: all of them, or none.

    Rules that exist already stay as they are. Raises `InvalidFields`, whose fields are named
    "line 1" and so on, `NotAllowed`, and `Conflict` where somebody adds the same at that moment.
    """
    _must_answer_for(community, user)
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    _refuse_too_many(kind, len(numbered))
    patterns = list(dict.fromkeys(_checked(kind, numbered)))
    known = FilterRule.objects.filter(community=community, kind=kind)
    try:
        with transaction.atomic():
            there = set(known.values_list("pattern", flat=True))
            rows = [
                _checked_row(
                    FilterRule(
                        community=community,
                        kind=kind,
                        pattern=pattern,
                        category=category,
                        score=score,
                        label=label,
                    )
                )
                for pattern in patterns
                if pattern not in there
            ]
            FilterRule.objects.bulk_create(rows)
            record_events([_added(row, user) for row in rows])
    except IntegrityError:
        raise Conflict("Somebody added one of these just now. Send the list again.") from None
    return Added(len(rows), len(numbered) - len(rows))


def tidy(kind: FilterKind, pattern: str) -> str:
    """Return a pattern as it is kept, so that two spellings of one rule are one rule."""
    if kind == FilterKind.REGEX:
        return pattern.strip()
    if kind == FilterKind.WORD:
        return " ".join(pattern.split())
    return ", ".join(listed(pattern)).lower() or pattern.strip()


def _refuse_too_many(kind: FilterKind, count: int) -> None:
    most = MAX_EXPRESSIONS if kind == FilterKind.REGEX else MAX_LINES
    if not count:
        raise InvalidFields.of("lines", "Write at least one line.")
    if count > most:
        raise InvalidFields.of("lines", f"At most {most} lines at once; these are {count}.")


def _checked(kind: FilterKind, numbered: Iterable[tuple[int, str]]) -> Iterator[str]:
    wrong: list[tuple[str, str]] = []
    for number, line in numbered:
        pattern = tidy(kind, line)
        try:
            check_rule(kind, pattern)
        except InvalidFields as error:
            wrong += [(f"line {number}", said) for _, said in error.errors]
        else:
            yield pattern
    if wrong:
        raise InvalidFields(wrong)


def _store(
    community: Community | None, wanted: dict[str, Any], user: User | None, rule_id: int | None
) -> FilterRule:
    row = FilterRule(community=community)
    if rule_id is not None:
        row = _locked(rule_id, community)
    before = _facts(row)
    if rule_id is None or any(wanted[name] != before[name] for name in ("kind", "pattern")):
        # A rule that was good when it was made can always be switched off.
        check_rule(FilterKind(wanted["kind"]), wanted["pattern"])
    for name, value in wanted.items():
        setattr(row, name, value)
    if rule_id is not None and wanted == before:
        return row
    _checked_row(row).save()
    if rule_id is None:
        _record("filter.added", row, user, wanted)
    else:
        changed = {name: before[name] for name in before if before[name] != wanted[name]}
        _record("filter.changed", row, user, {**wanted, "before": changed})
    return row


def _locked(rule_id: int, community: Community | None) -> FilterRule:
    rows = FilterRule.objects.select_for_update().filter(pk=rule_id, community=community)
    row = rows.first()
    if row is None:
        raise Conflict("This rule was removed meanwhile.")
    return row


def _checked_row(row: FilterRule) -> FilterRule:
    if not 0 < row.score <= 1:
        raise InvalidFields.of("score", "Between 0 and 1, and more than 0.")
    try:
        row.full_clean(exclude=("community",), validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        raise InvalidSubmission(" ".join(error.messages)) from error
    return row


def _must_answer_for(community: Community | None, user: User | None) -> None:
    if community is None and user is not None and not user.is_superuser:
        raise NotAllowed("A rule for every community needs somebody who answers for all of them.")


def _facts(row: FilterRule) -> dict[str, Any]:
    names = ("kind", "pattern", "category", "score", "label", "active")
    return {name: getattr(row, name) for name in names}


def _record(kind: str, row: FilterRule, user: User | None, facts: dict[str, Any]) -> None:
    record_change(
        kind,
        subject=(_SUBJECT, str(row.pk)),
        community_id=row.community_id,
        user=user,
        facts=facts,
    )


def _added(row: FilterRule, user: User | None) -> Event:
    return Event(
        kind="filter.added",
        subject_kind=_SUBJECT,
        subject_id=str(row.pk),
        actor=Actor(ActorKind.MODERATOR, str(user.pk)) if user is not None else SYSTEM,
        community_id=row.community_id,
        facts=_facts(row),
        is_first=True,
    )


# Trying them


@dataclass(frozen=True, slots=True)
class Found:
    """A rule that hits characters `start` to `end` (exclusive) of a text.

    `read_as` says in which view of the text it stands there. `asks_for` is what the policy in
    force would make of it, None for nothing or where there is no policy to ask.
    """

    rule: FilterRule
    start: int
    end: int
    read_as: str
    asks_for: Action | None = None


def rules_for(community: Community | None) -> list[FilterRule]:
    """Return the active rules of a community and of everybody; of None, those of everybody."""
    mine = Q(community__isnull=True)
    if community is not None:
        mine |= Q(community=community)
    return list(FilterRule.objects.filter(mine, active=True).select_related("community"))


def test_filter(
    *, text: str, rules: Sequence[FilterRule], community: Community | None
) -> list[Found]:
    """Return what rules, saved or not, would hit in a post of a community, in order of place.

    Nothing is kept of it. At most `MAX_FOUND`. Raises `ProviderUnavailable` where expressions
    take too long.
    """
    rows = {filter_rule(row): row for row in rules}
    reading = Reading(text)
    hits = islice(RuleSet(list(rows)).find(reading), MAX_FOUND)
    ordered = sorted(hits, key=lambda hit: (hit.start, hit.end))
    return [
        Found(
            rule=rows[hit.rule],
            start=hit.start,
            end=hit.end,
            read_as=_read_as(hit, reading),
            asks_for=_asks_for(hit, community),
        )
        for hit in ordered
    ]


def asks_filters(community: Community) -> bool:
    """Whether the policy in force has texts judged by these rules at all."""
    stages = queries.policy_of(community.policy_id).route[Part.TEXT]
    return any(ask.provider == CommunityFilterProvider.name for one in stages for ask in one.asks)


def _asks_for(hit: Hit, community: Community | None) -> Action | None:
    if community is None:
        return None
    steps = queries.policy_of(community.policy_id).thresholds[hit.rule.category]
    reached = [action for action, threshold in steps.items() if hit.rule.score >= threshold]
    return max(reached, key=lambda action: SEVERITY_OF_ACTION[action], default=None)


def _read_as(hit: Hit, reading: Reading) -> str:
    if hit.rule.kind == FilterKind.WORD:
        shown = reading.text[hit.start : hit.end]
        return name_disguise(hit.rule.pattern, shown) or "as written"
    if hit.rule.kind in (FilterKind.LINK, FilterKind.LINK_ELSEWHERE):
        hosts = {link.host for link in reading.links if (link.start, link.end) == hit[1:]}
        return f"a link to {', '.join(sorted(hosts))}"
    if hit.rule.kind == FilterKind.LANGUAGE:
        return _language_of(reading)
    if hit.rule.kind == FilterKind.PERSONAL_DATA:
        return _PERSONAL.get(hit.rule.pattern.strip().lower(), "personal data")
    return "as written"


def _language_of(reading: Reading) -> str:
    shares = reading.language.shares if reading.language else {}
    likeliest = max(shares, key=lambda code: shares[code], default="")
    return f"{likeliest}, to {shares[likeliest]:.0%}" if likeliest else "of no known language"
