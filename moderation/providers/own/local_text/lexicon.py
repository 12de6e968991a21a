"""Word lists as evidence: which listed words a text uses, in whatever disguise, and their worth.

Lists of several languages share many spellings, so a hit counts only in a text of its language;
strong English words count in any.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from moderation.text.alphabets import letter_kind
from moderation.text.matcher import Match, WordMatcher
from moderation.text.normalise import View
from moderation.vocabulary import Category

ENGLISH = "en"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# English words that are, spelled alike, everyday words of other languages.
_FALSE_FRIENDS = frozenset(
    _words(
        """arse ass asses cock coon cum dick dicks fag fags fart fick fuk fuks jap nip piss prick
        puta retard slut sluts spic tit tits twat wank dike chink feck fcs kike"""
    )
)

# Ordinary words that are read through disguises for the model's and the phrases' sake.
_REPAIRED = _words(
    """will gonna should want hope going kill killing murder die dead death rape raping stab shoot
    hang strangle yourself you your idiot idiots moron stupid hate worthless loser pathetic
    disgusting ugly nazi nazis jews muslims blacks gays immigrants women suicide sex sexy porn nude
    nudes naked horny whore slut penis vagina anal cum bomb viagra casino bitcoin cocaine heroin
    meth drugs weed free money winner prize"""
)

_MIN_LETTERS_ANYWHERE = 5

_WITHOUT_SCORES: dict[Category, float] = {}


@dataclass(frozen=True, slots=True)
class Entry:
    """A listed word of a language (ISO 639-1) and the scores that its use is worth."""

    language: str
    term: str
    scores: dict[Category, float]


class Lexicon:
    """All shipped lists in one matcher."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.languages = frozenset(entry.language for entry in entries)
        listed = [(entry.term, entry) for entry in entries]
        known = {entry.term for entry in entries if entry.language == ENGLISH}
        listed += [
            (term, Entry(ENGLISH, term, _WITHOUT_SCORES)) for term in _REPAIRED if term not in known
        ]
        self._matcher = WordMatcher[Entry].build(listed)

    @classmethod
    def load(cls, path: Path) -> Lexicon:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            return cls([_entry(line.rstrip("\n")) for line in lines])

    def find(self, text: str) -> list[Match[Entry]]:
        """Return every listed word of any language."""
        return self._matcher.find(text)


def _entry(line: str) -> Entry:
    language, term, scores = line.split("\t")
    pairs = (pair.split("=") for pair in scores.split(","))
    return Entry(language, term, {Category(name): float(score) for name, score in pairs})


def counting_in(language: str, matches: Sequence[Match[Entry]], text: str) -> list[Match[Entry]]:
    """Return the hits that have scores and count in a text of this language."""
    return [
        match
        for match in matches
        if match.payload.scores and _counts(match, language, text[match.start : match.end])
    ]


def counting_anywhere(
    matches: Sequence[Match[Entry]], is_english_word: Callable[[str], bool]
) -> list[Match[Entry]]:
    """Return the hits of other languages that a text of doubtful language may mean.

    Only longer words that English does not have.
    """
    return [
        match
        for match in matches
        if match.payload.language != ENGLISH
        and not match.disguised
        and len(match.term) >= _MIN_LETTERS_ANYWHERE
        and not is_english_word(match.term)
    ]


def _counts(match: Match[Entry], language: str, word: str) -> bool:
    if match.payload.language == language:
        return True
    if match.payload.language != ENGLISH or match.term in _FALSE_FRIENDS:
        return False
    # With accents it is likelier a word of the other language than ours in disguise.
    return len(match.term) > 3 and not any(letter_kind(char) == "accented" for char in word)


def repaired(canonical: View, matches: Sequence[Match[Entry]]) -> View:
    """Return the canonical text with disguised English words put back into plain letters."""
    hidden = [match for match in matches if match.disguised and match.payload.language == ENGLISH]
    if not hidden:
        return canonical
    origin = canonical.origin if canonical.origin is not None else range(len(canonical.text))
    # The longest first, and none that overlaps one already taken.
    spots: dict[int, Match[Entry]] = {}
    covered: set[int] = set()
    for match in sorted(hidden, key=lambda match: match.start - match.end):
        if covered.isdisjoint(range(match.start, match.end)):
            covered.update(range(match.start, match.end))
            spots[match.start] = match
    chars: list[str] = []
    places: list[int] = []
    for char, place in zip(canonical.text, origin, strict=True):
        spot = spots.pop(place, None)
        if spot is not None:
            chars.extend(spot.term)
            places.extend(_spread(spot))
        elif place not in covered:
            chars.append(char)
            places.append(place)
    return View("".join(chars), canonical.raw, places)


def _spread(match: Match[Entry]) -> list[int]:
    """Return a raw place for each letter of the term: evenly, the last where the match ends."""
    letters, length = len(match.term), match.end - match.start
    places = [match.start + at * length // letters for at in range(letters)]
    places[-1] = match.end - 1
    return places
