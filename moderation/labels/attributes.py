"""Perspective's attributes, and which category of ours each is."""

from __future__ import annotations

from collections.abc import Mapping

from moderation.vocabulary import Category

_PRODUCTION: Mapping[str, Category] = {
    "TOXICITY": Category.TOXIC,
    "SEVERE_TOXICITY": Category.SEVERE_TOXIC,
    "IDENTITY_ATTACK": Category.HATE,
    "INSULT": Category.HARASSMENT,
    "PROFANITY": Category.PROFANITY,
    "THREAT": Category.THREAT,
}
CATEGORIES: Mapping[str, Category] = {
    **_PRODUCTION,
    **{f"{name}_EXPERIMENTAL": category for name, category in _PRODUCTION.items()},
    "TOXICITY_FAST": Category.TOXIC,
    "SEXUALLY_EXPLICIT": Category.SEXUAL,
    "OBSCENE": Category.PROFANITY,
    "SPAM": Category.SPAM,
}
# Nobody here judges it, and many clients ask for it beside the others.
FLIRTATION = "FLIRTATION"
# What newspapers and researchers asked for. Nothing of ours is like it.
_NOT_OURS = frozenset(
    {
        "AFFINITY_EXPERIMENTAL",
        "ATTACK_ON_AUTHOR",
        "ATTACK_ON_COMMENTER",
        "COMPASSION_EXPERIMENTAL",
        "CURIOSITY_EXPERIMENTAL",
        "INCOHERENT",
        "INFLAMMATORY",
        "LIKELY_TO_REJECT",
        "NUANCE_EXPERIMENTAL",
        "PERSONAL_STORY_EXPERIMENTAL",
        "REASONING_EXPERIMENTAL",
        "RESPECT_EXPERIMENTAL",
        "UNSUBSTANTIAL",
    }
)
KNOWN = frozenset(CATEGORIES) | _NOT_OURS | {FLIRTATION}
