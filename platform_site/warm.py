"""Loads the local text models before the first post asks for them.

Processes that are forked afterwards share their memory, and no post waits for a file to be read.
Image models stay out: they keep threads, which a fork does not carry over.
"""

from __future__ import annotations

from moderation.providers import registry
from moderation.providers.base import TextPart
from moderation.vocabulary import Part

# The second sentence is German: it makes a provider load what tells languages apart, which took
# 0.5 to 1.5 s of the first post that needed it.
FIRST_TEXTS = ("hello", "Das Wetter ist heute wirklich schön draußen")


def load_text_models() -> None:
    """Have each local text provider judge a sentence of each kind."""
    for provider in registry.providers().values():
        if provider.is_local and Part.TEXT in provider.parts and provider.is_available():
            provider.judge([TextPart(key=text, text=text) for text in FIRST_TEXTS])
