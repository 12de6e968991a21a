"""Loads the local text models before the first post asks for them.

Processes that are forked afterwards share their memory, and no post waits for a file to be read.
Image models stay out: they keep threads, which a fork does not carry over.
"""

from __future__ import annotations

from moderation.providers import registry
from moderation.providers.base import TextPart
from moderation.vocabulary import Part


def load_text_models() -> None:
    """Have each local text provider judge one word."""
    for provider in registry.providers().values():
        if provider.is_local and Part.TEXT in provider.parts and provider.is_available():
            provider.judge([TextPart(key="first", text="hello")])
