"""Loads the local text model before the first post asks for it.

Processes that are forked afterwards share its memory, and no post waits for a file to be read.
Image models stay out: they keep threads, which a fork does not carry over. So do our judges that
read the database: a connection that is open by then would be everybody's.
"""

from __future__ import annotations

from moderation.providers import registry
from moderation.providers.base import TextPart

MODEL = "local_text"

# The second sentence is German: it makes a provider load what tells languages apart, which took
# 0.5 to 1.5 s of the first post that needed it.
FIRST_TEXTS = ("hello", "Das Wetter ist heute wirklich schön draußen")


def load_text_models() -> None:
    """Have the local text model judge a sentence of each kind."""
    provider = registry.get_provider(MODEL)
    if provider.is_available():
        provider.judge([TextPart(key=text, text=text) for text in FIRST_TEXTS])
