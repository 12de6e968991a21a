"""The provider `filters`: what moderators look for themselves, found without any service.

A rule that fires is as sure as its score says. A text in which none fires is "not judged": that
moderators' own lists know nothing of it is no reason to publish it.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from moderation.coordination.short_memory import Reloaded
from moderation.errors import ProviderUnavailable
from moderation.providers.base import Answer, AnyPart, Span, TextPart
from moderation.providers.own.filters.reading import Reading
from moderation.providers.own.filters.rule_set import RuleSet
from moderation.providers.own.filters.rules import Hit, Rule
from moderation.vocabulary import Category, Outcome, Part

# How long a change to the rules may take to be noticed by every process.
RELOAD_SECONDS = 5.0
# Changes whenever the same rules could find something else in the same text.
REVISION = "1"
_EVERYBODY = ""
# More of them tell a moderator nothing new.
_MAX_SPANS = 100
_MAX_SPANS_OF_A_RULE = 20
_MAX_RULES_TOLD = 40
TOO_SLOW = "too_slow"


@dataclass(frozen=True, slots=True)
class _Loaded:
    """Every rule there is, by scope. `rules` is how they were read, to notice a change."""

    rules: frozenset[Rule]
    sets: Mapping[str, RuleSet]
    version: str


class CommunityFilterProvider:
    """Judges texts by the rules of all communities and of the text's own.

    `load` returns all rules; it is called again when the last copy is older than
    `reload_seconds`. Rules are made ready again only in scopes that changed.
    """

    name: ClassVar[str] = "filters"
    parts: ClassVar[frozenset[Part]] = frozenset({Part.TEXT})
    is_local: ClassVar[bool] = True

    def __init__(
        self, load: Callable[[], Iterable[Rule]], *, reload_seconds: float = RELOAD_SECONDS
    ) -> None:
        self._rules = Reloaded[_Loaded](
            lambda before: _read(load(), before), seconds=reload_seconds
        )

    @property
    def model_version(self) -> str:
        return self._rules.get().version

    def is_available(self) -> bool:
        return True

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        """Return one answer a part, in order; parts other than text are not judged."""
        loaded = self._rules.get()
        return [_answer(part, loaded) for part in parts]


def _read(rules: Iterable[Rule], before: _Loaded | None) -> _Loaded:
    read = frozenset(rules)
    if before is not None and before.rules == read:
        return before
    by_scope: dict[str, list[Rule]] = {}
    # In one order always, so that the same rules have the same version in every process.
    for rule in sorted(read):
        by_scope.setdefault(rule.scope, []).append(rule)
    known = before.sets if before is not None else {}
    digest = hashlib.sha256(repr(sorted(by_scope.items())).encode("utf-8", "replace")).hexdigest()
    return _Loaded(
        rules=read,
        sets={
            scope: known[scope]
            if scope in known and known[scope].rules == tuple(of_scope)
            else RuleSet(of_scope)
            for scope, of_scope in by_scope.items()
        },
        version=f"filters-{REVISION}:{digest[:12]}",
    )


def _answer(part: AnyPart, loaded: _Loaded) -> Answer:
    if not isinstance(part, TextPart):
        return Answer(Outcome.NOT_JUDGED, model_version=loaded.version)
    reading = Reading(part.text)
    hits: list[Hit] = []
    try:
        for scope in dict.fromkeys((_EVERYBODY, part.scope)):
            if scope in loaded.sets:
                hits.extend(loaded.sets[scope].find(reading))
    except ProviderUnavailable:
        # Some rules have not been asked: what the others did not find is no result.
        return Answer(Outcome.FAILED, error=TOO_SLOW, model_version=loaded.version)
    return Answer(
        outcome=Outcome.JUDGED if hits else Outcome.NOT_JUDGED,
        scores=_scores(hits),
        spans=_spans(hits),
        raw={"rules": _told(hits)} if hits else {},
        model_version=loaded.version,
    )


def _scores(hits: Iterable[Hit]) -> dict[Category, float]:
    scores: dict[Category, float] = {}
    for hit in hits:
        scores[hit.rule.category] = max(scores.get(hit.rule.category, 0.0), hit.rule.score)
    return scores


def _spans(hits: Iterable[Hit]) -> list[Span]:
    """Return the places of the hits in order; of a rule that fires everywhere, the first."""
    seen: Counter[Rule] = Counter()
    spans: set[Span] = set()
    for hit in hits:
        seen[hit.rule] += 1
        if seen[hit.rule] <= _MAX_SPANS_OF_A_RULE:
            spans.add(Span(hit.start, hit.end, hit.rule.category))
    return sorted(spans, key=lambda span: (span.start, span.end, span.category))[:_MAX_SPANS]


def _told(hits: Iterable[Hit]) -> list[dict[str, object]]:
    """Return which rules fired, the highest scores first, and how often."""
    counts = Counter(hit.rule for hit in hits)
    ordered = sorted(counts, key=lambda rule: (-rule.score, rule))
    return [
        {
            "rule": rule.told,
            "kind": rule.kind.value,
            "category": rule.category.value,
            "score": rule.score,
            "hits": counts[rule],
        }
        for rule in ordered[:_MAX_RULES_TOLD]
    ]
