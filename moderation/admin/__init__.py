"""The back office: it looks, and the pipeline changes.

reviews, queue           what waits for a person
desk, desk_pages         the desk where one item is decided
appeals                  what is objected to, and the answer; the desk shows it too
canned                   sentences that a community's moderators pick from
posts                    posts with their timeline, reversals, authors
rules                    communities, policies, words
banks                    known pictures and texts, from lists and from decisions
filters                  moderators' own rules, pasted lists, a text to try them on
labels                   scores that clients suggested, and how ours agree
quality                  decisions answered a second time, blind, and what that comes to
golden                   questions with a known answer
experiments              a candidate policy beside the one in force, and what was found
access                   API keys, people
webhooks, endpoint_forms webhooks, mail to authors, media caches: set up, watched, replayed
providers                services that judge for us: set up, tried, watched
operations               long work that a lead starts and watches
instance                 lanes, processes, services and what goes out, for operators
reports                  what readers reported, who is heard first or not at all
statements               what authors were told, and the public register
audit                    timelines of authors and decisions, checkpoints, who is forgotten
records                  submissions, evidence, verdicts, decisions, the audit: to read
scoped                   what all lists share: own communities only, nothing deleted
display, words,          how it is put before a person: safe text, plain words,
timeline, evidence,        history, scores,
reasons, surroundings      sentences to pick from, menu
"""

from moderation.admin import (
    access,
    appeals,
    audit,
    banks,
    canned,
    experiments,
    filters,
    golden,
    labels,
    posts,
    records,
    reports,
    reviews,
    rules,
    statements,
    webhooks,
)

__all__ = [
    "access",
    "appeals",
    "audit",
    "banks",
    "canned",
    "experiments",
    "filters",
    "golden",
    "labels",
    "posts",
    "records",
    "reports",
    "reviews",
    "rules",
    "statements",
    "webhooks",
]
