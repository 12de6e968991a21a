"""Between the post's way and whoever judges: whom to ask, in which order, and on which terms.

questions   what is asked and what was answered
board       how far each question is on its policy's route
ask         put questions before everyone on the route, round by round
calls       one service: known answers, turns, breaker, retries, halves
sound       what of an answer may be believed and kept
later       services that answer later: polls and callbacks
forgetting  what is dropped of what was answered
at_work     what they are at work on counts for others that ask the same
spending    what calls cost, and whether a service's day is paid for

Knows nothing of what is stored of posts, so that a check without a post asks exactly as screening
does.
"""

from moderation.asking.ask import ask
from moderation.asking.at_work import share_answer
from moderation.asking.later import (
    breaker_state,
    poll_services,
    read_callback,
    signs_callbacks,
)
from moderation.asking.questions import (
    LATE,
    Answered,
    Question,
    parts_to_judge,
    read_text,
)

__all__ = [
    "LATE",
    "Answered",
    "Question",
    "ask",
    "breaker_state",
    "parts_to_judge",
    "poll_services",
    "read_callback",
    "read_text",
    "share_answer",
    "signs_callbacks",
]
