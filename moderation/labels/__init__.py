"""Scores that others gave to texts, and how ours compare.

attributes    Perspective's attributes, and which category of ours each is
suggestions   scores that clients suggest, kept; how often ours agree with them
stored        texts with Perspective's scores, as their owner kept them
rescoring     our scores of the same texts
comparison    how the two agree, and thresholds of ours that decide as often
"""

from moderation.labels.comparison import (
    AttributeReport,
    Comparison,
    Proposal,
    Scored,
    compare_scores,
)
from moderation.labels.rescoring import Rescored, rescore
from moderation.labels.stored import Stored, read_stored
from moderation.labels.suggestions import Quality, Suggestion, keep_suggestions, quality_figures

__all__ = [
    "AttributeReport",
    "Comparison",
    "Proposal",
    "Quality",
    "Rescored",
    "Scored",
    "Stored",
    "Suggestion",
    "compare_scores",
    "keep_suggestions",
    "quality_figures",
    "read_stored",
    "rescore",
]
