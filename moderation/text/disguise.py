"""Names how a text spells a word otherwise than a list does, for whoever wonders at a hit."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from itertools import groupby

from moderation.text.alphabets import WILDCARD
from moderation.text.normalise import (
    View,
    bases,
    folded,
    joined,
    masked,
    raw_view,
    skeleton,
    squeezed,
    unleeted,
    unmarked,
)

SEVERAL = "disguised in several ways"


def name_disguise(term: str, shown: str) -> str:
    """Return in which view `shown`, where `term` was found, spells it; "" where it does plainly."""
    if _words(shown).casefold() == _words(term).casefold():
        return ""
    wanted = _letters(folded(raw_view(term)))
    stored, *turned = bases(shown)
    for name, reads in _VIEWS:
        if reads(stored, wanted):
            return name
    # What turned it round may stand before the word.
    for base in (*turned, raw_view(shown[::-1])):
        if any(reads(base, wanted) for _, reads in _VIEWS):
            return "written backwards or upside down"
    return SEVERAL


def _letters(view: View) -> str:
    return _words(view.text)


def _words(text: str) -> str:
    return " ".join(text.split())


def _with_gaps_nobody_sees(base: View, wanted: str) -> bool:
    seen = "".join(sign for sign in base.text if unicodedata.category(sign) != "Cf")
    return seen != base.text and _letters(folded(raw_view(seen))) == wanted


def _in_other_forms(base: View, wanted: str) -> bool:
    return _letters(folded(base)) == wanted


def _with_marks(base: View, wanted: str) -> bool:
    return _letters(unmarked(folded(base))) == _letters(unmarked(raw_view(wanted)))


def _in_look_alikes(base: View, wanted: str) -> bool:
    return _letters(skeleton(base)) == wanted


def _set_apart(base: View, wanted: str) -> bool:
    closed = joined(skeleton(base))
    return closed is not None and _letters(closed) == wanted


def _drawn_out(base: View, wanted: str) -> bool:
    made = squeezed(skeleton(base))
    return made is not None and _letters(made[0]) == "".join(sign for sign, _ in groupby(wanted))


def _in_signs(base: View, wanted: str) -> bool:
    read = unleeted(skeleton(base))
    # That view has one letter for `i` and `l`, which are written with the same signs.
    return read is not None and _letters(read[0]) == wanted.replace("l", "i")


def _half_hidden(base: View, wanted: str) -> bool:
    view = masked(skeleton(base))
    if view is None or len(_letters(view)) != len(wanted):
        return False
    return all(
        sign in (WILDCARD, letter) for sign, letter in zip(_letters(view), wanted, strict=True)
    )


# The simplest first.
_VIEWS: tuple[tuple[str, Callable[[View, str], bool]], ...] = (
    ("with invisible signs in it", _with_gaps_nobody_sees),
    ("in other forms of its letters", _in_other_forms),
    ("with marks on its letters", _with_marks),
    ("in letters that look alike", _in_look_alikes),
    ("with its letters set apart", _set_apart),
    ("with letters drawn out", _drawn_out),
    ("with digits or signs for letters", _in_signs),
    ("with letters hidden", _half_hidden),
)
