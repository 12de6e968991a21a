"""When a rate of blocks is no chance any more, and what a pulled brake makes of a verdict."""

from __future__ import annotations

import pytest

from moderation.policy.agreement import Share
from moderation.policy.brake import Braked, exceeds_usual
from moderation.policy.document import DEFAULT_DOCUMENT, parse_policy
from moderation.policy.verdict import Evidence, PartRef, reach_verdict
from moderation.vocabulary import Action, Category, Outcome, Part

TEXT = PartRef("text", Part.TEXT)
THREATS = Braked(rules=frozenset({"threat.block"}))
SECOND = Braked(providers=frozenset({"second"}))


@pytest.mark.parametrize(
    ("recent", "usual", "exceeds"),
    [
        ((60, 100), (100, 10_000), True),
        ((20, 40), (0, 400), True),  # the least that says anything
        ((19, 40), (0, 400), False),  # too few blocks
        ((20, 39), (0, 400), False),  # too few posts
        ((20, 40), (0, 399), False),  # nobody knows what is usual
        ((60, 100), (2_000, 10_000), False),  # three times as much, but not surely
        ((80, 100), (2_000, 10_000), True),
        ((2_000, 10_000), (2_000, 10_000), False),
    ],
)
def test_only_a_sure_excess_over_the_usual_rate_counts(
    recent: tuple[int, int], usual: tuple[int, int], exceeds: bool
) -> None:
    assert exceeds_usual(Share(*recent), Share(*usual)) is exceeds


def said(provider: str = "first", **scores: float) -> Evidence:
    found = {Category(name): score for name, score in scores.items()}
    return Evidence(provider, TEXT, Outcome.JUDGED, found)


@pytest.mark.parametrize(
    ("evidence", "braked", "action", "rule"),
    [
        ([said(threat=0.99)], Braked(), Action.BLOCK, "threat.block"),
        ([said(threat=0.99)], THREATS, Action.REVIEW, "threat.braked"),
        ([said(threat=0.75)], THREATS, Action.REVIEW, "threat.review"),
        ([said(threat=0.99, hate=0.9)], THREATS, Action.BLOCK, "hate.block"),
        ([said("second", threat=0.99)], SECOND, Action.REVIEW, "threat.braked"),
        ([said("second", threat=0.99), said(threat=0.9)], SECOND, Action.BLOCK, "threat.block"),
        ([said(spam=0.1)], THREATS, Action.ALLOW, "nothing_fired"),
    ],
)
def test_what_is_braked_asks_a_person_and_all_else_still_blocks(
    evidence: list[Evidence], braked: Braked, action: Action, rule: str
) -> None:
    verdict = reach_verdict(
        policy=parse_policy(DEFAULT_DOCUMENT),
        parts=[TEXT],
        evidence=evidence,
        sample_key="1",
        braked=braked,
    )
    assert (verdict.action, verdict.rule) == (action, rule)


@pytest.mark.parametrize("is_judged", [True, False])
def test_a_braked_post_is_kept_from_readers_whatever_the_policy_says(is_judged: bool) -> None:
    document = {
        **DEFAULT_DOCUMENT,
        "review_visibility": "public",
        "on_failure": "publish_and_queue",
    }
    silent = [] if is_judged else [Evidence("second", TEXT, Outcome.FAILED)]
    verdict = reach_verdict(
        policy=parse_policy(document),
        parts=[TEXT],
        evidence=[said(threat=0.99), *silent],
        sample_key="1",
        braked=THREATS,
    )
    assert (verdict.action, verdict.holds) == (Action.REVIEW, True)
