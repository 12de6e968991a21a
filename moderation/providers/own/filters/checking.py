"""Whether a rule can work, said to whoever writes it in a sentence that tells what to change."""

from __future__ import annotations

from moderation.errors import InvalidFields
from moderation.providers.own.filters.expressions import Unusable, check_expression
from moderation.providers.own.filters.languages import KNOWN
from moderation.providers.own.filters.links import MAX_HOST_CHARS, MAX_LABEL_CHARS, normal_host
from moderation.providers.own.filters.personal_data import FINDERS
from moderation.providers.own.filters.rules import listed
from moderation.text.normalise import folded, raw_view
from moderation.vocabulary import FilterKind

MAX_PATTERN_CHARS = 1000
MAX_WORD_CHARS = 200


def check_rule(kind: FilterKind, pattern: str) -> None:
    """Raise `InvalidFields` for a pattern that its kind of rule cannot work with."""
    if not pattern.strip():
        raise _wrong("Fill this in: an empty rule would find nothing.")
    if len(pattern) > MAX_PATTERN_CHARS:
        raise _wrong(f"Use at most {MAX_PATTERN_CHARS} characters; make several rules of it.")
    _CHECKS[kind](pattern)


def check_domain(domain: str) -> None:
    """Raise `InvalidFields` for what is no domain, and no ending such as `.zip`."""
    if any(sign in domain for sign in ":/?#@ \\"):
        raise _wrong("Write the domain alone, such as example.com: no https://, no path.")
    if domain.startswith("*"):
        raise _wrong("Leave the asterisk out: subdomains are always meant as well.")
    host = normal_host(domain)
    labels = host.split(".")
    if len(host) > MAX_HOST_CHARS or not all(map(_is_label, labels)):
        raise _wrong(f"{domain[:80]!r} is no domain. Write it as example.com.")
    if len(labels) == 1 and not domain.startswith("."):
        raise _wrong("Write a whole domain, such as example.com, or an ending, such as .zip.")


def _check_word(pattern: str) -> None:
    if len(pattern) > MAX_WORD_CHARS:
        raise _wrong(f"A word or phrase has at most {MAX_WORD_CHARS} characters.")
    spelling = "".join(folded(raw_view(pattern)).text.split())
    if not spelling:
        raise _wrong("Nothing of this can be seen in a text. Write a word or a phrase.")
    if len(spelling) == 1 and spelling.isascii():
        raise _wrong("One letter alone is in nearly every text. Write a word or a phrase.")


def _check_regex(pattern: str) -> None:
    try:
        check_expression(pattern)
    except Unusable as unusable:
        raise _wrong(str(unusable)) from unusable


def _check_domains(pattern: str) -> None:
    for domain in _entries(pattern, "example.com, example.org"):
        check_domain(domain)


def _check_languages(pattern: str) -> None:
    for code in _entries(pattern, "en, de"):
        if code.lower() not in KNOWN:
            raise _wrong(
                f"{code[:20]!r} is no language that can be told. Use codes such as en, de."
            )


def _check_personal_data(pattern: str) -> None:
    if pattern.strip().lower() not in FINDERS:
        raise _wrong(f"Choose one of: {', '.join(FINDERS)}.")


_CHECKS = {
    FilterKind.WORD: _check_word,
    FilterKind.REGEX: _check_regex,
    FilterKind.LINK: lambda pattern: check_domain(pattern.strip()),
    FilterKind.LINK_ELSEWHERE: _check_domains,
    FilterKind.LANGUAGE: _check_languages,
    FilterKind.PERSONAL_DATA: _check_personal_data,
}


def _entries(pattern: str, example: str) -> list[str]:
    entries = listed(pattern)
    if not entries:
        raise _wrong(f"Write at least one, separated by commas: {example}.")
    return entries


def _is_label(label: str) -> bool:
    plain = label.replace("-", "a").replace("_", "a")
    inside = bool(plain) and not any(char.isspace() or char in _NO_LABEL for char in plain)
    return inside and len(label) <= MAX_LABEL_CHARS and not label.startswith("-")


_NO_LABEL = frozenset("!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~")


def _wrong(sentence: str) -> InvalidFields:
    return InvalidFields.of("pattern", sentence)
