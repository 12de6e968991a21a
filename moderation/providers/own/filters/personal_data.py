"""Mail addresses and telephone numbers, as people write them in posts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from moderation.providers.own.filters.endings import is_ending
from moderation.providers.own.filters.payment import Place, find_cards, find_ibans

# Read backwards from the @. Folded text holds accents apart.
_MAIL_NAME = re.compile(r"[\w\u0300-\u036f](?:[\w\u0300-\u036f.+%'-]{0,62}[^\W_])?")
_MAIL_NAME_CHARS = 64
_MAIL_HOST = re.compile(r"[\w.\u0300-\u036f-]{4,253}")
_LABEL = re.compile(r"[^\W_](?:[\w\u0300-\u036f-]{0,61}[^\W_])?")

_BLANK_OR_SIGN = r"[ \u00a0().\-/\u2010-\u2015]"
# Digits with at most a few signs between them, as (0)171 / 123-4567.
_MORE_DIGITS = rf"(?:{_BLANK_OR_SIGN}{{0,3}}\d)"
_STARTS = r"(?<![\w+.,/=#&:-])"
_ENDS = r"(?![\w]|[.,:/-]\d)"
_INTERNATIONAL = re.compile(
    rf"(?<![\w+/=#&])(?:\+|00)[ \u00a0]?\(?[1-9]{_MORE_DIGITS}{{6,14}}{_ENDS}"
)
_NORTH_AMERICAN = re.compile(
    rf"{_STARTS}(?:1[ .-]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])[2-9]\d\d[ .-]\d{{4}}{_ENDS}"
)
_WITH_ZERO = re.compile(
    rf"{_STARTS}(?:\(?0[1-9]\d{{0,4}}\)?(?:{_BLANK_OR_SIGN}{{1,3}}\d{{2,8}}){{1,5}}"
    rf"|0[1-9]\d{{8,9}}){_ENDS}"
)
_ANNOUNCED = re.compile(
    r"\b(?:tel|telephone|telefon|telefono|teléfono|telefoon|téléphone|phone|mobile|mobil|móvil|cell"
    r"|handy|fax|fono|whatsapp|viber|telegram|signal|sms|call me|text me|ring me|ruf mich|appelle)"
    rf"\b[^\d\n+]{{0,20}}(\+?\(?\d{_MORE_DIGITS}{{6,14}}){_ENDS}"
)
# Day, month, year: what most resembles a number with a leading zero.
_DATE = re.compile(r"0\d[./-]\d\d[./-](?:\d\d){1,2}(?!\d)")
# Country codes (ITU-T E.164) that are given to nobody.
_UNASSIGNED = tuple(
    str(code)
    for code in (
        *(210, 214, 215, 217, 219, 801, 802, 803, 804, 805, 806, 807, 809, 851, 854),
        *(*range(280, 290), *range(830, 840), *range(857, 860)),
        *(*range(871, 878), 879, *range(890, 900)),
    )
)
_MIN_DIGITS, _MAX_DIGITS = 8, 15
_NATIONAL_DIGITS = range(9, 13)


def find_mails(text: str) -> Iterator[Place]:
    """Yield the mail addresses of an address view's text."""
    at = text.find("@")
    while at != -1:
        name = _MAIL_NAME.match(text[max(0, at - _MAIL_NAME_CHARS) : at][::-1])
        end = _end_of_host(text, at + 1) if name is not None else None
        if name is not None and end is not None:
            yield at - name.end(), end
        at = text.find("@", at + 1)


def find_phones(text: str) -> Iterator[Place]:
    """Yield telephone numbers: international, North American, with a leading zero, announced."""
    taken: list[Place] = []
    for pattern, group, accepts in _PHONES:
        for found in pattern.finditer(text):
            start, end = found.span(group)
            digits = "".join(char for char in text[start:end] if char.isdecimal())
            overlaps = any(start < last and first < end for first, last in taken)
            if not overlaps and accepts(text[start:end], digits):
                taken.append((start, end))
                yield start, end


def _end_of_host(text: str, start: int) -> int | None:
    """Return where the longest host from here on ends, None where there is none."""
    run = _MAIL_HOST.match(text, start)
    labels: list[str] = []
    for label in run[0].split(".") if run else ():
        if not _LABEL.fullmatch(label):
            break
        labels.append(label)
    while len(labels) > 1:
        if is_ending(labels[-1]):
            return start + len(".".join(labels))
        labels.pop()
    return None


def _is_international(written: str, digits: str) -> bool:
    number = digits.removeprefix("00")
    return _MIN_DIGITS <= len(number) <= _MAX_DIGITS and not number.startswith(_UNASSIGNED)


def _is_national(written: str, digits: str) -> bool:
    return len(digits) in _NATIONAL_DIGITS and not _DATE.match(written)


def _is_number(written: str, digits: str) -> bool:
    return len(digits) <= _MAX_DIGITS and len(set(digits)) > 1


_PHONES: tuple[tuple[re.Pattern[str], int, Callable[[str, str], bool]], ...] = (
    (_INTERNATIONAL, 0, _is_international),
    (_NORTH_AMERICAN, 0, _is_number),
    (_WITH_ZERO, 0, _is_national),
    (_ANNOUNCED, 1, _is_number),
)

FINDERS: Mapping[str, Callable[[str], Iterator[Place]]] = {
    "email": find_mails,
    "phone": find_phones,
    "card": find_cards,
    "iban": find_ibans,
}
