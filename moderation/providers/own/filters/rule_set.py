"""The rules of one scope, made ready once and then only read, so that threads may share them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from moderation.errors import InvalidFields, ProviderUnavailable
from moderation.providers.own.filters.checking import check_domain
from moderation.providers.own.filters.expressions import (
    BUDGET_SECONDS,
    Unusable,
    compile_expression,
)
from moderation.providers.own.filters.languages import group_of
from moderation.providers.own.filters.links import Link, normal_host, suffixes
from moderation.providers.own.filters.personal_data import FINDERS
from moderation.providers.own.filters.reading import Reading
from moderation.providers.own.filters.rules import Hit, Rule, listed
from moderation.text.matcher import WordMatcher
from moderation.vocabulary import FilterKind

logger = logging.getLogger(__name__)


class _Lists(NamedTuple):
    """Rules with what their pattern lists."""

    rule: Rule
    entries: frozenset[str]


class RuleSet:
    """Rules that apply together. A rule that cannot be made ready is left out, and logged."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        of_kind = {kind: [rule for rule in rules if rule.kind == kind] for kind in FilterKind}
        words = of_kind[FilterKind.WORD]
        self._words = WordMatcher.build((rule.pattern, rule) for rule in words) if words else None
        self._expressions = list(_compiled(of_kind[FilterKind.REGEX]))
        self._domains = _by_domain(of_kind[FilterKind.LINK])
        self._allowed_domains = [
            _Lists(rule, frozenset(map(normal_host, listed(rule.pattern))))
            for rule in of_kind[FilterKind.LINK_ELSEWHERE]
        ]
        self._languages = [
            _Lists(rule, frozenset(group_of(code.lower()) for code in listed(rule.pattern)))
            for rule in of_kind[FilterKind.LANGUAGE]
        ]
        self._personal = [
            rule
            for rule in of_kind[FilterKind.PERSONAL_DATA]
            if rule.pattern.strip().lower() in FINDERS
        ]

    def find(self, reading: Reading) -> Iterator[Hit]:
        """Yield every hit. Raises `ProviderUnavailable` where expressions take too long."""
        yield from self._find_words(reading)
        yield from self._find_expressions(reading)
        yield from self._find_links(reading)
        yield from self._find_language(reading)
        for rule in self._personal:
            for start, end in reading.personal(rule.pattern.strip().lower()):
                yield Hit(rule, start, end)

    def _find_words(self, reading: Reading) -> Iterator[Hit]:
        if self._words is not None:
            for match in self._words.find(reading.text):
                yield Hit(match.payload, match.start, match.end)

    def _find_expressions(self, reading: Reading) -> Iterator[Hit]:
        started = time.thread_time()
        for rule, expression in self._expressions:
            for start, end in reading.places_of(expression):
                yield Hit(rule, start, end)
            if time.thread_time() - started > BUDGET_SECONDS:
                raise ProviderUnavailable("The expressions took too long on this text.")

    def _find_links(self, reading: Reading) -> Iterator[Hit]:
        if not self._domains and not self._allowed_domains:
            return
        for link in reading.links:
            for rule in self._rules_about(link):
                yield Hit(rule, link.start, link.end)

    def _rules_about(self, link: Link) -> Iterator[Rule]:
        names = list(suffixes(link.host))
        for name in names:
            # An ending alone, as `.zip`, is also that of files.
            if "." in name or link.is_sure:
                yield from self._domains.get(name, ())
        for rule, allowed in self._allowed_domains:
            if link.is_sure and allowed.isdisjoint(names):
                yield rule

    def _find_language(self, reading: Reading) -> Iterator[Hit]:
        if not self._languages or reading.language is None:
            return
        for rule, allowed in self._languages:
            if reading.language.is_beyond(allowed):
                yield Hit(rule, 0, len(reading.text))


def _compiled(rules: Sequence[Rule]) -> Iterator[tuple[Rule, Any]]:
    for rule in rules:
        try:
            yield rule, compile_expression(rule.pattern)
        except Unusable:
            _leave_out(rule)


def _by_domain(rules: Sequence[Rule]) -> Mapping[str, Sequence[Rule]]:
    found: dict[str, list[Rule]] = {}
    for rule in rules:
        try:
            check_domain(rule.pattern.strip())
        except InvalidFields:
            _leave_out(rule)
        else:
            found.setdefault(normal_host(rule.pattern.strip()), []).append(rule)
    return found


def _leave_out(rule: Rule) -> None:
    logger.warning("filter_rule_left_out", extra={"kind": rule.kind, "rule": rule.told})
