"""The reasons that a moderator picks from. The author reads them, so they speak to the author."""

from __future__ import annotations

from typing import Final

# By what they suit; the key is what a form sends.
GROUPS: Final[tuple[tuple[str, tuple[tuple[str, str], ...]], ...]] = (
    (
        "To approve",
        (
            ("within_rules", "It keeps to the rules."),
            ("fine_in_context", "Read in its context, it keeps to the rules."),
            ("check_was_wrong", "The automatic check was mistaken."),
        ),
    ),
    (
        "To warn",
        (
            ("harsh_tone", "It stays, but its tone is harsh. Please mind how it reads."),
            ("borderline", "It stays, but it comes close to breaking the rules."),
        ),
    ),
    (
        "To reject",
        (
            ("insults", "It insults or harasses someone."),
            ("threatens", "It threatens someone."),
            ("hates", "It attacks people for who they are."),
            ("sexual", "It is sexual, and this community is not the place for that."),
            ("graphic", "It shows violence."),
            ("personal", "It gives away someone's personal information."),
            ("spam", "It advertises, or repeats itself."),
            ("illicit", "It offers or asks for something illegal."),
        ),
    ),
    (
        "To escalate",
        (
            ("danger", "Someone may be in danger."),
            ("unsure", "I am not sure how the rules apply."),
            ("own_interest", "I know the people involved."),
        ),
    ),
)

SENTENCES: Final[dict[str, str]] = {key: text for _, group in GROUPS for key, text in group}
