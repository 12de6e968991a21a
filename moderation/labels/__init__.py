"""Scores of texts that somebody keeps in files: others', and how ours compare.

attributes    Perspective's attributes, and which category of ours each is
suggestions   scores that clients suggest, kept; how often ours agree with them
stored        texts with Perspective's scores, as their owner kept them
rescoring     our scores of the same texts
comparison    how the two agree, and thresholds of ours that decide as often
lines         texts of a file, one by one
scoring       what our own model and the built-in policy say of them
"""

from moderation.labels.comparison import (
    AttributeReport,
    Comparison,
    Proposal,
    Scored,
    compare_scores,
)
from moderation.labels.lines import Line, read_json_lines, read_table
from moderation.labels.rescoring import Rescored, rescore
from moderation.labels.scoring import ScoredLine, score_lines
from moderation.labels.stored import Stored, read_stored
from moderation.labels.suggestions import Quality, Suggestion, keep_suggestions, quality_figures

__all__ = [
    "AttributeReport",
    "Comparison",
    "Line",
    "Proposal",
    "Quality",
    "Rescored",
    "Scored",
    "ScoredLine",
    "Stored",
    "Suggestion",
    "compare_scores",
    "keep_suggestions",
    "quality_figures",
    "read_json_lines",
    "read_stored",
    "read_table",
    "rescore",
    "score_lines",
]
