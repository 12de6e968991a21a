"""The back office: it looks, and the pipeline changes.

reviews, queue, desk     what waits for a person, and the desk where one item is decided
posts                    posts with their timeline, reversals, authors
rules                    communities, policies, words, banked images
filters                  moderators' own rules, pasted lists, a text to try them on
labels                   scores that clients suggested, and how ours agree
experiments              a candidate policy beside the one in force, and what was found
access                   API keys, people
webhooks, endpoint_forms webhooks, mail to authors, media caches: set up, watched, replayed
providers                services that judge for us: set up, tried, watched
operations               long work that a lead starts and watches
records                  submissions, evidence, verdicts, decisions, the audit: to read
scoped                   what all lists share: own communities only, nothing deleted
display, words,          how it is put before a person: safe text, plain words,
timeline, evidence,        history, scores,
reasons, surroundings      sentences to pick from, menu
"""

from moderation.admin import (
    access,
    experiments,
    filters,
    labels,
    posts,
    records,
    reviews,
    rules,
    webhooks,
)

__all__ = [
    "access",
    "experiments",
    "filters",
    "labels",
    "posts",
    "records",
    "reviews",
    "rules",
    "webhooks",
]
