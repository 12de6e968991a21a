"""Card numbers and IBANs, told from other numbers by their issuers, lengths and check digits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

Place = tuple[int, int]

# Digits in groups, not inside a word, a longer number or a URL.
_GROUPS = re.compile(r"(?<![\w+.,/=#-])\d{4,19}(?:([ -])\d{3,19}(?:\1\d{3,19}){0,40})?(?!\w)")
_GROUP = re.compile(r"\d+")
# How cards print their numbers, beside all digits together.
_PRINTED = frozenset(
    {(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 5), (6, 13), (8, 8), (4, 12)}
)
_IBAN = re.compile(r"(?<![^\W_])[a-z]{2}\d{2}(?=[ \u00a0-]?[a-z0-9])", re.IGNORECASE)
_MAY_PART = " \u00a0-"

# First digits, from and to, with the lengths that the issuers use.
_ISSUERS: tuple[tuple[int, int, frozenset[int]], ...] = (
    (4, 4, frozenset({13, 16, 19})),  # Visa
    (51, 55, frozenset({16})),  # Mastercard
    (2221, 2720, frozenset({16})),
    (34, 34, frozenset({15})),  # American Express
    (37, 37, frozenset({15})),
    (300, 305, frozenset({14, 16})),  # Diners Club
    (3095, 3095, frozenset({14, 16})),
    (36, 36, frozenset({14, 16})),
    (38, 39, frozenset({14, 16})),
    (6011, 6011, frozenset({16, 19})),  # Discover
    (644, 649, frozenset({16, 19})),
    (65, 65, frozenset({16, 19})),
    (3528, 3589, frozenset({16, 19})),  # JCB
    (62, 62, frozenset({16, 17, 18, 19})),  # UnionPay
    (5018, 5018, frozenset({12, 13, 16, 18, 19})),  # Maestro
    (5020, 5020, frozenset({12, 13, 16, 18, 19})),
    (5038, 5038, frozenset({12, 13, 16, 18, 19})),
    (6304, 6304, frozenset({12, 13, 16, 18, 19})),
    (6759, 6759, frozenset({12, 13, 16, 18, 19})),
    (6761, 6763, frozenset({12, 13, 16, 18, 19})),
    (2200, 2204, frozenset({16, 19})),  # Mir
)
# How many characters an IBAN of each country has.
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27,
    "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27,
    "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32,
    "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24,
    "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31,
    "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23,
    "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip


def find_cards(text: str) -> Iterator[Place]:
    """Yield card numbers, also where other groups of digits stand beside them."""
    for found in _GROUPS.finditer(text):
        groups = [group.span() for group in _GROUP.finditer(text, *found.span())]
        after = 0
        for first in range(len(groups)):
            if groups[first][0] < after:
                continue
            for last in range(first, min(first + 5, len(groups))):
                if _is_card([text[slice(*group)] for group in groups[first : last + 1]]):
                    after = groups[last][1]
                    yield groups[first][0], after
                    break


def find_ibans(text: str) -> Iterator[Place]:
    for found in _IBAN.finditer(text):
        length = _IBAN_LENGTHS.get(found[0][:2].upper())
        end = _end_of(text, found.start(), length) if length else None
        if end is not None and passes_mod_97(text[found.start() : end]):
            yield found.start(), end


def passes_luhn(digits: str) -> bool:
    """Whether the last digit of a number of decimals is its check digit."""
    total = 0
    for place, digit in enumerate(reversed([int(char) for char in digits])):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def passes_mod_97(iban: str) -> bool:
    """Whether the check digits of an IBAN are right (ISO 7064); blanks do not matter."""
    plain = "".join(char for char in iban if char.isalnum()).upper()
    turned = plain[4:] + plain[:4]
    return int("".join(str(int(char, 36)) for char in turned)) % 97 == 1


def _is_card(groups: Sequence[str]) -> bool:
    digits = "".join(groups)
    if len(groups) > 1 and tuple(map(len, groups)) not in _PRINTED:
        return False
    # All the same digit passes every check, and is nobody's card.
    if not 12 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    issued = any(
        first <= int(digits[: len(str(first))]) <= last and len(digits) in lengths
        for first, last, lengths in _ISSUERS
    )
    return issued and passes_luhn(digits)


def _end_of(text: str, start: int, length: int) -> int | None:
    """Return where `length` letters and digits end, None where they are not there."""
    at, left = start, length
    while left:
        char = text[at : at + 1]
        if char.isascii() and char.isalnum():
            left -= 1
        elif not char or char not in _MAY_PART or text[at - 1] in _MAY_PART:
            return None
        at += 1
    after = text[at : at + 1]
    return None if after.isalnum() else at
