"""What a community's own word list says of a text, before it is posted."""

from __future__ import annotations

from collections.abc import Sequence

from moderation.errors import BlockedWords
from moderation.text.matcher import Match, WordMatcher
from moderation.vocabulary import WordAction


def find_words(
    text: str, matcher: WordMatcher[WordAction] | None, action: WordAction
) -> Sequence[Match[WordAction]]:
    """Return the hits of the words that ask for `action`, in order of place."""
    if matcher is None:
        return ()
    return [match for match in matcher.find(text) if match.payload == action]


def refuse_blocked_words(text: str, matcher: WordMatcher[WordAction] | None) -> None:
    """Raise `BlockedWords`, naming them, when the community refuses what the text uses."""
    hits = find_words(text, matcher, WordAction.BLOCK)
    if hits:
        words = sorted({hit.term for hit in hits})
        raise BlockedWords(f"This community does not allow: {', '.join(words)}.", words=words)
