"""Scores that others gave to texts, and how ours compare.

attributes    Perspective's attributes, and which category of ours each is
suggestions   scores that clients suggest, kept; how often ours agree with them
comparison    stored scores of another service beside ours, and thresholds that decide as often
"""

from moderation.labels.comparison import AttributeReport, Comparison, Scored, compare_scores
from moderation.labels.suggestions import Quality, Suggestion, keep_suggestions, quality_figures

__all__ = [
    "AttributeReport",
    "Comparison",
    "Quality",
    "Scored",
    "Suggestion",
    "compare_scores",
    "keep_suggestions",
    "quality_figures",
]
