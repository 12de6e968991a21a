"""The yearly transparency report: the parts of the harmonised templates that the data supports.

Each part is one CSV file (RFC 4180, UTF-8). Counts are whole numbers, medians are in hours, a true
zero is `0` and what does not apply is blank. Every measure is counted once, under the category that
fits best; the rows of a category's keywords come to the row of the category.

What is not kept here is not invented: orders of authorities (part 3), people and their languages
(9), active recipients (10) and the words about it all (11) are the operator's to add.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any, Final

from django.db.models import Q

from moderation.models import Appeal, Community, Report, Statement
from moderation.models.enforcement import UNDONE
from moderation.policy.reasons import OWN_INITIATIVE
from moderation.transparency.records import FILED, record_of
from moderation.transparency.schema import words
from moderation.vocabulary import AppealState, Category, ReportSource, ReportState

_CHUNK = 2_000
_NOTICES: Final = (ReportSource.NOTICE, ReportSource.TRUSTED_FLAGGER)
_TERMS_ONLY: Final = "STATEMENT_CATEGORY_OTHER_VIOLATION_TC"
# Neither is a category that a measure of one's own can have.
_UNSPECIFIED: Final = frozenset(
    {"STATEMENT_CATEGORY_NOT_SPECIFIED_ORDER", "STATEMENT_CATEGORY_NOT_SPECIFIED_NOTICE"}
)

VISIBILITY: Final = tuple(words()["decision_visibility"])
MONETARY: Final = tuple(words()["decision_monetary"])
PROVISION: Final = ("suspension", "termination")
ACCOUNT: Final = ("suspension", "termination")

Row = Sequence[object]


@dataclass(frozen=True, slots=True)
class Period:
    """From the first day to the last, both included, in UTC."""

    first: date
    last: date

    def holds(self, name: str) -> Q:
        begins = f"{self.first.isoformat()}T00:00:00+00:00"
        ends = f"{(self.last + timedelta(days=1)).isoformat()}T00:00:00+00:00"
        return Q(
            **{
                f"{name}__gte": datetime.fromisoformat(begins),
                f"{name}__lt": datetime.fromisoformat(ends),
            }
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """What the report is about: whose service, which communities of it, which time."""

    provider: str
    service: str
    communities: Sequence[Community]
    period: Period
    published_on: date
    published_before: date | None = None


def write_report(asked: Asked) -> dict[str, str]:
    """Return every part's text under the name of its file."""
    measures = _measures(asked)
    parts: dict[str, Callable[[], Iterator[Row]]] = {
        "1_report_identification.csv": lambda: _identification(asked),
        "2_categories_names.csv": _category_names,
        "4_notices.csv": lambda: _notices(asked),
        "5_own_initiative_illegal.csv": lambda: _own_initiative(measures, is_illegal=True),
        "6_own_initiative_TC.csv": lambda: _own_initiative(measures, is_illegal=False),
        "7_appeals_and_recidivism.csv": lambda: _appeals(asked, measures),
        "8_automated_means.csv": lambda: _automated(asked, measures),
    }
    return {name: _as_csv(rows()) for name, rows in parts.items()}


def _as_csv(rows: Iterator[Row]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


# 1 and 2


def _identification(asked: Asked) -> Iterator[Row]:
    yield "field", "value"
    yield "Name of the service provider", asked.provider
    yield "Name of the service", asked.service
    yield "Date of publication", asked.published_on.isoformat()
    before = asked.published_before
    yield "Date of the previous publication", before.isoformat() if before else ""
    yield "Beginning of the reporting period", asked.period.first.isoformat()
    yield "End of the reporting period", asked.period.last.isoformat()


def _category_names() -> Iterator[Row]:
    yield "code", "keyword", "ours", "contextual information"
    for category, filed in FILED.items():
        yield filed.category, filed.keyword, str(category.label), filed.other


# 4 · Notices


@dataclass(slots=True)
class _Notices:
    """Those about one category. Each list is of all, and of trusted flaggers' alone."""

    count: list[int] = field(default_factory=lambda: [0, 0])
    items: list[set[object]] = field(default_factory=lambda: [set(), set()])
    hours: list[list[float]] = field(default_factory=lambda: [[], []])
    by_law: list[int] = field(default_factory=lambda: [0, 0])
    by_terms: list[int] = field(default_factory=lambda: [0, 0])


def _notices(asked: Asked) -> Iterator[Row]:
    yield (
        "category",
        "notices",
        "notices of trusted flaggers",
        "items",
        "items of trusted flaggers",
        "median hours to act",
        "median hours to act, trusted flaggers",
        "actions on the basis of law",
        "actions on the basis of law, trusted flaggers",
        "actions on the basis of terms",
        "actions on the basis of terms, trusted flaggers",
        "contextual information",
    )
    found: dict[str, _Notices] = defaultdict(_Notices)
    rows = Report.objects.filter(
        asked.period.holds("created_at"), community__in=asked.communities, source__in=_NOTICES
    ).select_related("decision__enforcement__statement")
    for report in rows.order_by("pk").iterator(_CHUNK):
        _count_notice(report, found[FILED[Category(report.category)].category])
    for category in words()["template_category_keywords"]:
        one = found.get(category, _Notices())
        yield (
            category,
            *one.count,
            *(len(items) for items in one.items),
            *(_median(hours) for hours in one.hours),
            *one.by_law,
            *one.by_terms,
            "",
        )


def _count_notice(report: Report, row: _Notices) -> None:
    is_trusted = report.source == ReportSource.TRUSTED_FLAGGER
    for place in (0, 1) if is_trusted else (0,):
        row.count[place] += 1
        row.items[place].add(report.post_id)
        if report.state == ReportState.ACTED_ON and report.settled_at:
            row.hours[place].append(_hours(report.created_at, report.settled_at))
            (row.by_law if _is_by_law(report) else row.by_terms)[place] += 1


def _is_by_law(report: Report) -> bool:
    enforcement = getattr(report.decision, "enforcement", None)
    statement = getattr(enforcement, "statement", None)
    return statement is not None and statement.document["ground"]["kind"] == "law"


# 5 and 6 · Own initiative


@dataclass(frozen=True, slots=True)
class Measure:
    """One restriction as the register is told of it; `is_own` without anybody's notice."""

    record: Mapping[str, Any]
    is_own: bool
    source: str

    @property
    def is_illegal(self) -> bool:
        return bool(self.record["decision_ground"] == "DECISION_GROUND_ILLEGAL_CONTENT")

    @property
    def is_detected_alone(self) -> bool:
        return bool(self.record["automated_detection"] == "Yes")

    @property
    def is_decided_alone(self) -> bool:
        return bool(self.record["automated_decision"] == "AUTOMATED_DECISION_FULLY")


def _measures(asked: Asked) -> list[Measure]:
    rows = Statement.objects.filter(
        asked.period.holds("issued_at"), community__in=asked.communities
    ).exclude(
        # Nobody was ever told of it, the register neither.
        enforcement__reversal_reason=UNDONE
    )
    found = []
    for statement in rows.order_by("pk").iterator(_CHUNK):
        record = record_of(statement, territory=())
        if record is not None:
            source = str(statement.document["facts"]["source"])
            found.append(Measure(record, source == OWN_INITIATIVE, source))
    return found


def _own_initiative(measures: Sequence[Measure], *, is_illegal: bool) -> Iterator[Row]:
    yield (
        "category",
        "keyword",
        "measures",
        "measures after detection with solely automated means",
        *VISIBILITY,
        *MONETARY,
        *(f"DECISION_PROVISION {kind}" for kind in PROVISION),
        *(f"DECISION_ACCOUNT {kind}" for kind in ACCOUNT),
        "description of other",
        "contextual information",
    )
    own = [one for one in measures if one.is_own and one.is_illegal is is_illegal]
    by_place: dict[tuple[str, str], list[Measure]] = defaultdict(list)
    for one in own:
        by_place[one.record["category"], one.record["category_specification"][0]].append(one)
    for category, keywords in words()["template_category_keywords"].items():
        if category in _UNSPECIFIED or (is_illegal and category == _TERMS_ONLY):
            continue
        of_category = [one for one in own if one.record["category"] == category]
        yield category, "", *_counted(of_category), "", ""
        for keyword in keywords:
            if keyword == "KEYWORD_OTHER":
                yield from _others(category, by_place.get((category, keyword), []))
            else:
                yield category, keyword, *_counted(by_place.get((category, keyword), [])), "", ""


def _others(category: str, measures: Sequence[Measure]) -> Iterator[Row]:
    """Yield a row for each description, as the template asks; one without, if there is none."""
    by_words: dict[str, list[Measure]] = defaultdict(list)
    for one in measures:
        by_words[one.record.get("category_specification_other", "")].append(one)
    for description, of_it in sorted(by_words.items()) or [("", [])]:
        yield category, "KEYWORD_OTHER", *_counted(of_it), description, ""


def _counted(measures: Sequence[Measure]) -> Iterator[int]:
    yield len(measures)
    yield sum(one.is_detected_alone for one in measures)
    for word in VISIBILITY:
        yield sum(word in one.record.get("decision_visibility", ()) for one in measures)
    for word in MONETARY:
        yield sum(one.record.get("decision_monetary") == word for one in measures)
    for kind in PROVISION:
        yield sum(_is(one, "decision_provision", kind) for one in measures)
    for kind in ACCOUNT:
        yield sum(_is(one, "decision_account", kind) for one in measures)


def _is(measure: Measure, name: str, kind: str) -> bool:
    stem = {"suspension": "SUSPE", "termination": "TERMINAT"}[kind]
    return stem in measure.record.get(name, "")


# 7 · Appeals and misuse


def _appeals(asked: Asked, measures: Sequence[Measure]) -> Iterator[Row]:
    yield "scope", "total", "upheld", "partially reversed", "reversed", "median hours", "omitted"
    rows = Appeal.objects.filter(
        asked.period.holds("created_at"), community__in=asked.communities
    ).select_related("enforcement__statement", "report")
    by_scope: dict[str, list[Appeal]] = defaultdict(list)
    for appeal in rows.order_by("pk").iterator(_CHUNK):
        by_scope["complaints"].append(appeal)
        by_scope[_scope_of(appeal)].append(appeal)
    for scope in (
        "complaints",
        "visibility",
        "service",
        "account",
        "monetisation",
        "no action on a notice",
        "no action on a notice of a trusted flagger",
    ):
        found = by_scope.get(scope, [])
        answered = [one for one in found if one.state in _ANSWERED]
        yield (
            scope,
            len(found),
            sum(one.state == AppealState.UPHELD for one in found),
            # An enforcement is reversed as a whole.
            0,
            sum(one.state == AppealState.OVERTURNED for one in found),
            _median([_hours(one.created_at, one.closed_at or one.created_at) for one in answered]),
            sum(one.state == AppealState.WITHDRAWN for one in found),
        )
    suspended = sum("decision_account" in one.record and one.is_illegal for one in measures)
    yield "suspensions for manifestly illegal content", suspended, "", "", "", "", ""


_ANSWERED: Final = (AppealState.UPHELD, AppealState.OVERTURNED)


def _scope_of(appeal: Appeal) -> str:
    if appeal.report is not None:
        is_trusted = appeal.report.source == ReportSource.TRUSTED_FLAGGER
        return "no action on a notice" + (" of a trusted flagger" if is_trusted else "")
    statement = getattr(appeal.enforcement, "statement", None)
    restricted = {one["on"] for one in statement.document["restrictions"]} if statement else set()
    return next(
        (name for name in ("account", "visibility", "service") if name in restricted), "visibility"
    )


# 8 · Automated means


def _automated(asked: Asked, measures: Sequence[Measure]) -> Iterator[Row]:
    yield "quantity", "value"
    own = [one for one in measures if one.is_own]
    noticed = [one for one in measures if one.source in _NOTICES]
    yield "Measures taken solely by automated means", _alone(measures)
    yield "Measures taken solely by automated means, own initiative", _alone(own)
    yield "Measures taken not by automated means", len(measures) - _alone(measures)
    yield "Measures taken not by automated means, own initiative", len(own) - _alone(own)
    yield "Notices acted on solely by automated means", _alone(noticed)
    yield "Notices acted on not by automated means", len(noticed) - _alone(noticed)
    appealed = Appeal.objects.filter(
        asked.period.holds("closed_at"),
        community__in=asked.communities,
        state__in=_ANSWERED,
        enforcement__verdict__isnull=False,
    )
    answered = appealed.count()
    reversed_count = appealed.filter(state=AppealState.OVERTURNED).count()
    yield "Appeals against automated measures that were answered", answered
    yield "Appeals against automated measures that were reversed", reversed_count
    share = f"{reversed_count / answered:.4f}" if answered else ""
    yield "Share of appealed automated measures that were reversed", share


def _alone(measures: Sequence[Measure]) -> int:
    return sum(one.is_decided_alone for one in measures)


# Numbers


def _hours(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds() / 3600


def _median(hours: Sequence[float]) -> str:
    """Return a median in hours, blank where there is nothing to take it of."""
    return f"{median(hours):.2f}" if hours else ""
