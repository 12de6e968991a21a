"""Views of a text: the same text with one disguise after the other taken off.

Each view knows where its characters stood in the raw text, so that whatever is found in a view
can be shown to people in the raw text. Plain ASCII text, by far the most common, has its own
short way: it lacks most disguises, and a few regular expressions tell which it may have.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from moderation.text.alphabets import (
    FLIPPED,
    FLIPPED_PLAIN,
    FLIPPED_SIGNS,
    LEET,
    MASKS,
    NEVER_DOUBLED,
    OPTIONAL_MARK,
    OPTIONAL_MARKS,
    WILDCARD,
    fold_char,
    skeleton_char,
)


@dataclass(frozen=True, slots=True)
class View:
    """A text made from `raw`; `origin[i]` is where its character i stood there.

    `origin` is None where nothing moved.
    """

    text: str
    raw: str
    origin: Sequence[int] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the raw offsets of the view's characters `start` to `end` (exclusive).

        Marks and invisible characters that hang on the last one belong to it.
        """
        if self.origin is None:
            return start, end
        # Text drawn right to left, or upside down, stands the other way round in the raw text.
        first, last = self.origin[start], self.origin[end - 1]
        if first > last:
            first, last = last, first
        stop = last + 1
        while stop < len(self.raw) and unicodedata.category(self.raw[stop]) in ("Mn", "Me"):
            stop += 1
        return first, stop


class CharTable(dict[str, str]):
    """A function of one character, remembered as characters are met."""

    # A text may hold any of a million code points; only a flood of rare ones reaches this.
    _LIMIT = 20_000

    def __init__(self, function: Callable[[str], str]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, char: str) -> str:
        value = self._function(char)
        if len(self) < self._LIMIT:
            self[char] = value
        return value


_FOLDED = CharTable(fold_char)
_SKELETON = CharTable(skeleton_char)

_RIGHT_TO_LEFT = "\u202e"
_BIDI_OPENERS = "\u202a\u202b\u202d\u202e\u2066\u2067\u2068"
_BIDI_CLOSERS = "\u202c\u2069"

# One letter (or a sign standing for one), a few separators, one letter, ...: at least three.
_SPACED = re.compile(
    r"(?<![^\W_])(?:[^\W_]|[@$!])(?:(?:[^\w@$!\n]|_){1,3}(?:[^\W_]|[@$!])){2,}(?![^\W_])"
)
# A word cut in pieces by signs, without spaces: sh.it, b-i-tch. Possessive, hence linear.
_CUT = re.compile(
    r"(?<![^\W_])(?<![@$!])(?:[^\W_]|[@$!])++(?:[.\-_~^'`·•|/\\,+=:;*\"]{1,3}(?:[^\W_]|[@$!])++)+"
)
_CUTTING = frozenset(".-_~^'`·•|/\\,+=:;*\"")
_SEPARATOR = re.compile(r"[^\w@$!]|_")
_DISGUISED_LETTER = re.compile(r"[a-z][0-9@$!|+(<\[{]|[0-9@$!|+(<\[{][a-z]")
_LEET_SIGN = re.compile(r"[0-9@$|+(<\[{]|!(?=[a-z0-9@$])")
_TOKEN = re.compile(r"\S+")
_MASKED = re.compile(rf"(?<=[a-z0-9])[{re.escape(MASKS)}]+(?=[a-z0-9])")
# Three of a letter, two of one that spelling never doubles, or three doubled in a row: `all` and
# `book` are not worth a view of their own.
_REPEATED = re.compile(rf"([^\W_])\1\1|([{NEVER_DOUBLED}])\2|(?:([^\W_])\3){{3}}")
_RUN = re.compile(r"([^\W_])\1+", re.DOTALL)


def _from_parts(parts: list[str], view: View) -> View:
    text = "".join(parts)
    if len(text) == len(parts) and all(map(len, parts)):
        return View(text, view.raw, view.origin)
    if view.origin is None:
        origin = [at for at, part in enumerate(parts) for _ in part]
    else:
        origin = [at for at, part in zip(view.origin, parts, strict=True) for _ in part]
    return View(text, view.raw, origin)


def _keep(view: View, kept: list[int]) -> View:
    """Return the view reduced to (or reordered as) the characters at `kept`."""
    text, origin = view.text, view.origin
    if origin is None:
        return View("".join([text[at] for at in kept]), view.raw, kept)
    return View("".join([text[at] for at in kept]), view.raw, [origin[at] for at in kept])


def raw_view(text: str) -> View:
    return View(text, text)


def folded(view: View) -> View:
    """Casefold and decompose; take out what is invisible. Marks stay, so `ş` is not `s`."""
    if view.text.isascii():
        return View(view.text.lower(), view.raw, view.origin)
    return _from_parts([_FOLDED[char] for char in view.text], view)


def skeleton(view: View) -> View:
    """Reduce look-alikes of any script to plain Latin letters and drop optional marks."""
    if view.text.isascii():
        return View(view.text.lower(), view.raw, view.origin)
    return _from_parts([_SKELETON[char] for char in view.text], view)


def unmarked(view: View) -> View:
    """Drop the marks without which the same word is read."""
    if not OPTIONAL_MARK.search(view.text):
        return view
    return _keep(view, [at for at, char in enumerate(view.text) if char not in OPTIONAL_MARKS])


def reordered(view: View) -> View | None:
    """Return the text as it is drawn where overrides turn it round, None where none does."""
    if _RIGHT_TO_LEFT not in view.text:
        return None
    order: list[int] = []
    # Where each open override began in `order`, and whether it reverses.
    opened: list[tuple[int, bool]] = []
    for at, char in enumerate(view.text):
        if char in _BIDI_OPENERS:
            opened.append((len(order), char == _RIGHT_TO_LEFT))
        elif char in _BIDI_CLOSERS:
            _close_overrides(order, opened, leave=len(opened) - 1)
        else:
            if char == "\n":
                _close_overrides(order, opened, leave=0)
            order.append(at)
    _close_overrides(order, opened, leave=0)
    return _keep(view, order)


def _close_overrides(order: list[int], opened: list[tuple[int, bool]], *, leave: int) -> None:
    while len(opened) > max(leave, 0):
        begin, reverses = opened.pop()
        if reverses:
            order[begin:] = order[begin:][::-1]


def turned(view: View) -> View | None:
    """Return upside-down text read the right way round, None where there is none."""
    if not FLIPPED_SIGNS.intersection(view.text):
        return None
    parts = [FLIPPED.get(char) or FLIPPED_PLAIN.get(char) or _SKELETON[char] for char in view.text]
    upright = _from_parts(parts, view)
    return _keep(upright, list(range(len(upright.text) - 1, -1, -1)))


def joined(view: View) -> View | None:
    """Close up single letters set apart (`b a d`, `b.a.d`), None where there are none.

    A word in pieces of several letters is closed up where signs, not spaces, cut it. Where only
    such words were found the view holds just them, a blank between each two.
    """
    text = view.text
    spaced = list(_SPACED.finditer(text))
    if not spaced:
        return _closed_up_words(view)
    dropped: set[int] = set()
    for run in spaced:
        dropped.update(hit.start() for hit in _SEPARATOR.finditer(text, *run.span()))
    for run in _CUT.finditer(text):
        dropped.update(at for at in range(*run.span()) if text[at] in _CUTTING)
    return _keep(view, [at for at in range(len(text)) if at not in dropped])


def _closed_up_words(view: View) -> View | None:
    text = view.text
    pieces: list[str] = []
    kept: list[int] = []
    for run in _CUT.finditer(text):
        start, end = run.span()
        places = [at for at in range(start, end) if text[at] not in _CUTTING]
        pieces.append("".join([text[at] for at in places]))
        # The blank after the word stands, for want of a place, where the word ended.
        kept.extend(places)
        kept.append(end - 1)
    if not pieces:
        return None
    origin = view.origin
    return View(
        " ".join(pieces) + " ",
        view.raw,
        kept if origin is None else [origin[at] for at in kept],
    )


def unleeted(view: View) -> tuple[View, list[int]] | None:
    """Read digits and symbols inside words as letters, None where no word has any.

    The list holds, in order, the places that were so read. Since one sign is written for both
    `i` and `l`, the view has `i` for either: look in it for terms spelled likewise, and only
    around such a place.
    """
    text = view.text
    if not _DISGUISED_LETTER.search(text):
        return None
    signs: list[int] = []
    for token in _TOKEN.finditer(text):
        if _DISGUISED_LETTER.search(text, *token.span()):
            signs.extend(hit.start() for hit in _LEET_SIGN.finditer(text, *token.span()))
    if not signs:
        return None
    chars = list(text.replace("l", "i"))
    for at in signs:
        chars[at] = LEET[text[at]]
    return View("".join(chars), view.raw, view.origin), signs


def masked(view: View) -> View | None:
    """Read censoring signs between letters as wildcards (`b*d`), None where there are none."""
    if not _MASKED.search(view.text):
        return None
    text = _MASKED.sub(lambda hit: WILDCARD * len(hit[0]), view.text)
    return View(text, view.raw, view.origin)


def squeezed(view: View) -> tuple[View, list[int]] | None:
    """Reduce runs of a letter to one, None where no letter is repeated as spelling never does.

    The list holds each run's length, character by character of the view.
    """
    text = view.text
    if not _REPEATED.search(text):
        return None
    kept: list[int] = []
    lengths: list[int] = []
    at = 0
    for run in _RUN.finditer(text):
        start, end = run.span()
        kept.extend(range(at, start + 1))
        lengths.extend([1] * (start - at))
        lengths.append(end - start)
        at = end
    kept.extend(range(at, len(text)))
    lengths.extend([1] * (len(text) - at))
    return _keep(view, kept), lengths


def bases(text: str) -> Iterator[View]:
    """Yield the readings of a text from which other views start: as stored, as drawn, as turned."""
    stored = raw_view(text)
    yield stored
    if text.isascii():
        return
    drawn = reordered(stored)
    if drawn is not None:
        yield drawn
    upright = turned(drawn or stored)
    if upright is not None:
        yield upright


# Punctuation that typing aids put in for plain signs.
_TYPOGRAPHY = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014\u2026", "''\"\"--.")
_MIXED = re.compile(r"[^\W\d_]+")


def canonical(text: str) -> View:
    """Return the text as a classifier should read it: folded, and words of mixed script mended.

    A word is reduced to its skeleton only if it also has plain Latin letters, or letters that
    stand in for Latin ones in no alphabet; words in another script stay as they are.
    """
    view = raw_view(text)
    if text.isascii():
        return View(text.lower(), text)
    drawn = reordered(view)
    view = folded(drawn or view)
    text = view.text.translate(_TYPOGRAPHY)
    chars = list(text)
    for word in _MIXED.finditer(text):
        letters = word[0]
        if letters.isascii():
            continue
        if any(char.isascii() for char in letters):
            for at in range(*word.span()):
                if chars[at] not in OPTIONAL_MARKS:
                    plain = _SKELETON[chars[at]]
                    chars[at] = plain if len(plain) == 1 else chars[at]
    return View("".join(chars), view.raw, view.origin)
