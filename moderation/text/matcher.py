"""Find words in a text through their disguises, as whole words, with their raw places.

Used for the shipped word lists and for the lists that a community keeps itself. A matcher is
built once and then only read, so threads may share it.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Generic, TypeVar

import ahocorasick

from moderation.text.alphabets import NEVER_DOUBLED, OPTIONAL_MARKS, WILDCARD, letter_kind
from moderation.text.normalise import (
    CharTable,
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

P = TypeVar("P")

# (view, start, end) -> whether what stands there may count as a match.
Accept = Callable[[View, int, int], bool]
# (view, start, end, entry number, disguised) keeps a match.
Note = Callable[[View, int, int, int, bool], None]

# Shorter words are too often an ordinary word of another language once accents are dropped.
_MIN_LETTERS_WITHOUT_ACCENTS = 4
_MIN_LETTERS_MASKED = 4
_MIN_LETTERS_INSIDE_SPACED = 4
_VOWELS = frozenset("aeiouy")


@dataclass(frozen=True, slots=True)
class Match(Generic[P]):
    """A term found at `start` to `end` (exclusive) of the raw text.

    `disguised` tells that the text spells it otherwise than the list does, case apart.
    """

    start: int
    end: int
    term: str
    payload: P
    disguised: bool = False


class _Index:
    """An automaton over the spellings of one kind of view."""

    def __init__(self) -> None:
        self._entries: dict[str, list[int]] = {}
        self._automaton: ahocorasick.Automaton | None = None

    def add(self, key: str, number: int) -> None:
        if key and number not in self._entries.setdefault(key, []):
            self._entries[key].append(number)

    def freeze(self) -> None:
        if not self._entries:
            return
        automaton = ahocorasick.Automaton()
        for key, numbers in self._entries.items():
            automaton.add_word(key, (len(key), tuple(numbers)))
        automaton.make_automaton()
        self._automaton = automaton
        self._entries = {}

    def __bool__(self) -> bool:
        return self._automaton is not None

    def scan(self, text: str) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """Yield (start, end, entry numbers) of every spelling in the text."""
        if self._automaton is None:
            return
        for last, (length, numbers) in self._automaton.iter(text):
            yield last + 1 - length, last + 1, numbers


class WordMatcher(Generic[P]):
    """Words, each with a payload of the caller's choice, ready to be found in texts."""

    def __init__(self) -> None:
        self._terms: list[str] = []
        self._payloads: list[P] = []
        # Terms in plain Latin letters are sought in the skeleton and what is made from it ...
        self._plain = _Index()
        self._merged = _Index()
        self._masked = _Index()
        self._squeezed = _Index()
        self._squeezed_merged = _Index()
        # ... all others in the folded text, with marks where the term itself has marks.
        self._marked = _Index()
        self._bare = _Index()
        self._bare_squeezed = _Index()
        self._runs: dict[int, tuple[int, ...]] = {}

    @classmethod
    def build(cls, entries: Iterable[tuple[str, P]]) -> WordMatcher[P]:
        """Return a matcher for (term, payload) pairs; blank terms are left out."""
        matcher = cls()
        for term, payload in entries:
            matcher._add(term, payload)
        for index in matcher._indexes():
            index.freeze()
        return matcher

    def __len__(self) -> int:
        return len(self._terms)

    def find(self, text: str) -> list[Match[P]]:
        """Return every term that stands in the text as a word of its own, in order of place."""
        found: dict[tuple[int, int, int], Match[P]] = {}

        def note(view: View, start: int, end: int, number: int, disguised: bool) -> None:
            first, last = view.span(start, end)
            key = (first, last, number)
            if key not in found:
                found[key] = Match(
                    first, last, self._terms[number], self._payloads[number], disguised
                )

        if text.isascii():
            self._find_latin(View(text.lower(), text), note, accept=None)
        else:
            self._find_in_any_script(text, note)
        return sorted(found.values(), key=lambda match: (match.start, match.end, match.term))

    def _indexes(self) -> tuple[_Index, ...]:
        return (
            self._plain,
            self._merged,
            self._masked,
            self._squeezed,
            self._squeezed_merged,
            self._marked,
            self._bare,
            self._bare_squeezed,
        )

    def _add(self, term: str, payload: P) -> None:
        spelling = " ".join(folded(raw_view(term)).text.split())
        if not spelling:
            return
        number = len(self._terms)
        self._terms.append(term)
        self._payloads.append(payload)
        if spelling.isascii():
            self._add_latin(spelling, number)
        elif not OPTIONAL_MARKS.isdisjoint(spelling):
            self._marked.add(spelling, number)
        else:
            self._bare.add(spelling, number)
            self._note_runs(spelling, number, self._bare_squeezed)

    def _add_latin(self, spelling: str, number: int) -> None:
        self._plain.add(spelling, number)
        merged = spelling.replace("l", "i")
        self._merged.add(merged, number)
        self._note_runs(spelling, number, self._squeezed)
        self._squeezed_merged.add(_squeeze(merged), number)
        for key in _masked_spellings(spelling):
            self._masked.add(key, number)

    def _note_runs(self, spelling: str, number: int, index: _Index) -> None:
        index.add(_squeeze(spelling), number)
        self._runs[number] = _run_lengths(spelling)

    def _find_in_any_script(self, text: str, note: Note) -> None:
        latin_text = _is_mostly_latin(text)

        def accept(view: View, start: int, end: int) -> bool:
            first, last = view.span(start, end)
            return _reads_as_latin(text[first:last], latin_text=latin_text)

        for base in bases(text):
            self._find_latin(skeleton(base), note, accept=accept)
            if self._marked or self._bare:
                self._find_folded(folded(base), note)

    def _find_latin(
        self,
        view: View,
        note: Note,
        accept: Accept | None,
    ) -> None:
        """Search a skeleton and the views made from it."""
        closed = joined(view)
        for form in (view,) if closed is None else (view, closed):
            inside_runs = form is closed
            self._scan(self._plain, form, note, accept, inside_runs=inside_runs)
            self._scan_squeezed(self._squeezed, form, note, accept, inside_runs=inside_runs)
            read = unleeted(form)
            if read is not None:
                letters, signs = read
                accept_read = _with_a_sign(signs, accept)
                self._scan(self._merged, letters, note, accept_read, inside_runs=inside_runs)
                self._scan_squeezed(
                    self._squeezed_merged, letters, note, accept_read, inside_runs=inside_runs
                )
            censored = masked(form)
            if censored is not None:
                self._scan(self._masked, censored, note, accept)

    def _find_folded(self, view: View, note: Note) -> None:
        self._scan(self._marked, view, note, None)
        bare = unmarked(view)
        closed = joined(bare)
        for form in (bare,) if closed is None else (bare, closed):
            self._scan(self._bare, form, note, None, inside_runs=form is closed)
            self._scan_squeezed(self._bare_squeezed, form, note, None)

    def _scan(
        self,
        index: _Index,
        view: View,
        note: Note,
        accept: Accept | None,
        *,
        inside_runs: bool = False,
    ) -> None:
        for start, end, numbers in index.scan(view.text):
            if not _stands_alone(view, start, end, inside_runs=inside_runs):
                continue
            if accept is not None and not accept(view, start, end):
                continue
            for number in numbers:
                note(view, start, end, number, self._is_disguised(view, start, end, number))

    def _scan_squeezed(
        self,
        index: _Index,
        view: View,
        note: Note,
        accept: Accept | None,
        *,
        inside_runs: bool = False,
    ) -> None:
        made = squeezed(view) if index else None
        if made is None:
            return
        short, lengths = made
        # Where each of its characters begins in the view; at the end, where the view ends.
        begins = list(accumulate(lengths, initial=0))
        for start, end, numbers in index.scan(short.text):
            if not _stands_alone(short, start, end, inside_runs=inside_runs):
                continue
            first, last = begins[start], begins[end]
            if accept is not None and not accept(view, first, last):
                continue
            for number in numbers:
                if _is_stretched(short.text[start:end], lengths[start:end], self._runs[number]):
                    note(view, first, last, number, True)

    def _is_disguised(self, view: View, start: int, end: int, number: int) -> bool:
        first, last = view.span(start, end)
        return view.raw[first:last].casefold() != self._terms[number].casefold()


def _with_a_sign(signs: list[int], accept: Accept | None) -> Accept:
    """Return a test that also asks for one of the places read as a letter."""

    def accept_read(view: View, start: int, end: int) -> bool:
        at = bisect_left(signs, start)
        has_sign = at < len(signs) and signs[at] < end
        return has_sign and (accept is None or accept(view, start, end))

    return accept_read


def _squeeze(spelling: str) -> str:
    return "".join(char for at, char in enumerate(spelling) if at == 0 or spelling[at - 1] != char)


def _run_lengths(spelling: str) -> tuple[int, ...]:
    lengths: list[int] = []
    for at, char in enumerate(spelling):
        if at and spelling[at - 1] == char:
            lengths[-1] += 1
        else:
            lengths.append(1)
    return tuple(lengths)


def _masked_spellings(spelling: str) -> Iterator[str]:
    """Yield the word with one inner letter hidden, with its inner vowels, with all inner ones."""
    if len(spelling) < _MIN_LETTERS_MASKED or " " in spelling:
        return
    inner = range(1, len(spelling) - 1)
    for hidden in inner:
        yield spelling[:hidden] + WILDCARD + spelling[hidden + 1 :]
    yield "".join(
        WILDCARD if at in inner and char in _VOWELS else char for at, char in enumerate(spelling)
    )
    yield spelling[0] + WILDCARD * len(inner) + spelling[-1]


def _is_stretched(text: str, runs: list[int], wanted: tuple[int, ...]) -> bool:
    """Tell whether runs of letters are the term's, drawn out (`baaad`), and not another word's.

    `looser` is not a drawn-out `loser`: one letter written twice is a spelling of its own, unless
    that letter is never doubled or all are.
    """
    if len(runs) != len(wanted) or any(
        has < needs for has, needs in zip(runs, wanted, strict=True)
    ):
        return False
    longer = [at for at, (has, needs) in enumerate(zip(runs, wanted, strict=True)) if has > needs]
    if not longer:
        return False
    if any(runs[at] >= 3 for at in longer):
        return True
    if len(longer) == len(runs):
        return True
    return sum(wanted) >= 4 and all(text[at] in NEVER_DOUBLED for at in longer)


def _is_word_char(char: str) -> bool:
    return char.isalnum() or (not char.isascii() and unicodedata.category(char)[0] == "M")


def _has_no_word_gaps(char: str) -> bool:
    """Whether the character's script is written without blanks between words."""
    code = ord(char)
    return (
        0x3040 <= code <= 0x30FF  # kana
        or 0x3400 <= code <= 0x9FFF  # Han
        or 0x20000 <= code <= 0x3FFFF  # Han
        or 0x0E00 <= code <= 0x0EFF  # Thai, Lao
        or 0x1780 <= code <= 0x17FF  # Khmer
        or 0x1000 <= code <= 0x109F  # Myanmar
    )


def _takes_endings(char: str) -> bool:
    """Whether the character's script glues particles to the end of a word (Hangul)."""
    return 0x1100 <= ord(char) <= 0x11FF


def _stands_alone(view: View, start: int, end: int, *, inside_runs: bool = False) -> bool:
    text = view.text
    free_start = start == 0 or not (_is_word_char(text[start - 1]) and _is_word_char(text[start]))
    free_end = end == len(text) or not (_is_word_char(text[end]) and _is_word_char(text[end - 1]))
    if free_start and free_end:
        return True
    if inside_runs:
        letters = end - start
        first, last = view.span(start, end)
        # Letters set apart leave no gaps between words: `y o u b a d`.
        spaced = last - first >= 2 * letters - 1
        if spaced and letters >= _MIN_LETTERS_INSIDE_SPACED and (free_start or free_end):
            return True
    free_start = free_start or _has_no_word_gaps(text[start])
    free_end = free_end or _ends_cleanly(view, end)
    return free_start and free_end


def _ends_cleanly(view: View, end: int) -> bool:
    """Whether a word of a script without gaps may end here: not inside a syllable."""
    text = view.text
    if not (_has_no_word_gaps(text[end - 1]) or _takes_endings(text[end - 1])):
        return False
    if unicodedata.category(text[end])[0] == "M":
        return False
    return view.origin is None or view.origin[end] != view.origin[end - 1]


_KINDS = CharTable(letter_kind)


def _is_mostly_latin(text: str) -> bool:
    kinds = Counter([_KINDS[char] for char in text])
    return kinds["plain"] + kinds["accented"] >= kinds["foreign"]


def _reads_as_latin(word: str, *, latin_text: bool) -> bool:
    """Tell whether a look-alike of a Latin word was meant as one.

    A word is taken at its looks if it mixes scripts; or stands in a text in Latin letters; or
    has no letters but forms of Latin ones. Accented letters are an alphabet's own, so a short
    word with them is left alone.
    """
    kinds = Counter([_KINDS[char] for char in word])
    letters = kinds["plain"] + kinds["accented"] + kinds["foreign"]
    if kinds["accented"] and letters < _MIN_LETTERS_WITHOUT_ACCENTS:
        return False
    if kinds["foreign"] == letters > 0:
        return latin_text
    return True
