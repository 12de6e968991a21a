"""The moderation app: a post's way from submission to decision, and the edges around it."""

from typing import Final

# As pyproject.toml has it.
VERSION: Final = "0.1.0"
