"""The policy's rules, without a database."""

from __future__ import annotations

import pytest

from moderation.errors import InvalidPolicy
from moderation.policy.document import DEFAULT_DOCUMENT, parse_policy
from moderation.policy.verdict import Evidence, PartRef, reach_verdict
from moderation.vocabulary import Action, Category, Outcome, Part

TEXT = PartRef("text", Part.TEXT)
IMAGE = PartRef("media:1", Part.IMAGE)


def policy(**changes):
    return parse_policy({**DEFAULT_DOCUMENT, **changes})


def said(score: float, category: Category = Category.HATE, part: PartRef = TEXT, **more):
    return Evidence("local_text", part, Outcome.JUDGED, {category: score}, **more)


@pytest.mark.parametrize(
    ("score", "action"),
    [
        (0.0, Action.ALLOW),
        (0.499, Action.ALLOW),
        (0.5, Action.WARN),  # the threshold itself fires
        (0.699, Action.WARN),
        (0.7, Action.REVIEW),
        (0.85, Action.BLOCK),
        (1.0, Action.BLOCK),
    ],
)
def test_score_decides_the_action(score, action):
    verdict = reach_verdict(policy=policy(), parts=[TEXT], evidence=[said(score)], sample_key="1")
    assert verdict.action is action


def test_severest_of_two_rules_wins():
    evidence = [said(0.6, Category.SPAM), said(0.75, Category.THREAT)]
    verdict = reach_verdict(policy=policy(), parts=[TEXT], evidence=evidence, sample_key="1")
    assert (verdict.action, verdict.category) == (Action.REVIEW, Category.THREAT)
    assert verdict.rule == "threat.review"
    assert (verdict.score, verdict.threshold) == (0.75, 0.7)


def test_part_that_nobody_judged_is_never_clean():
    verdict = reach_verdict(
        policy=policy(), parts=[TEXT, IMAGE], evidence=[said(0.0)], sample_key="1"
    )
    assert verdict.action is Action.REVIEW
    assert verdict.rule == "not_judged"
    assert verdict.not_judged == ("media:1",)
    assert verdict.holds


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.NOT_JUDGED])
def test_answer_that_is_no_judgement_does_not_count(outcome):
    silent = Evidence("local_text", TEXT, outcome, {Category.HATE: 0.0})
    verdict = reach_verdict(policy=policy(), parts=[TEXT], evidence=[silent], sample_key="1")
    assert verdict.action is Action.REVIEW


@pytest.mark.parametrize(
    ("silent", "action"),
    [
        (Outcome.FAILED, Action.REVIEW),  # what it would have known, nobody knows
        (Outcome.NOT_JUDGED, Action.ALLOW),  # it has nothing to say on such a part
    ],
)
def test_part_on_which_one_of_two_providers_failed_is_never_clean(silent, action):
    evidence = [said(0.0, part=IMAGE), Evidence("hash_bank", IMAGE, silent)]
    verdict = reach_verdict(policy=policy(), parts=[IMAGE], evidence=evidence, sample_key="1")
    assert verdict.action is action


def test_block_stands_although_another_part_was_not_judged():
    verdict = reach_verdict(
        policy=policy(), parts=[TEXT, IMAGE], evidence=[said(0.99)], sample_key="1"
    )
    assert verdict.action is Action.BLOCK
    assert verdict.not_judged == ("media:1",)


def test_publish_and_queue_leaves_an_unjudged_post_visible():
    verdict = reach_verdict(
        policy=policy(on_failure="publish_and_queue"), parts=[IMAGE], evidence=[], sample_key="1"
    )
    assert (verdict.action, verdict.holds) == (Action.REVIEW, False)


def test_failure_policy_does_not_publish_what_a_score_wants_reviewed():
    verdict = reach_verdict(
        policy=policy(on_failure="publish_and_queue"),
        parts=[TEXT, IMAGE],
        evidence=[said(0.75)],
        sample_key="1",
    )
    assert (verdict.action, verdict.holds) == (Action.REVIEW, True)


def test_null_threshold_never_fires():
    verdict = reach_verdict(
        policy=policy(), parts=[TEXT], evidence=[said(1.0, Category.PROFANITY)], sample_key="1"
    )
    assert verdict.action is Action.WARN


def test_only_the_deciding_categorys_spans_are_kept():
    evidence = [
        Evidence(
            "local_text",
            TEXT,
            Outcome.JUDGED,
            {Category.HATE: 0.9, Category.SPAM: 0.1},
            [(0, 4, "hate"), (5, 9, "spam")],
        )
    ]
    verdict = reach_verdict(policy=policy(), parts=[TEXT], evidence=evidence, sample_key="1")
    assert verdict.spans == ((0, 4, "hate"),)


def test_sampling_takes_its_share_and_is_stable():
    rules = policy(sampling={"share": 0.2})
    verdicts = [
        reach_verdict(policy=rules, parts=[TEXT], evidence=[said(0.0)], sample_key=str(number))
        for number in range(2_000)
    ]
    sampled = [verdict.sampled for verdict in verdicts]
    assert 320 < sum(sampled) < 480
    again = reach_verdict(policy=rules, parts=[TEXT], evidence=[said(0.0)], sample_key="7")
    assert again.sampled == sampled[7]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"on_failure": "approve"}, "on_failure"),
        ({"thresholds": {"default": {"warn": 1.5}}}, "thresholds.default.warn"),
        ({"thresholds": {"categories": {"rudeness": {}}}}, "thresholds.categories"),
        ({"route": {}}, "route"),
        ({"surprise": 1}, "document"),
        ({"sampling": {"share": 2}}, "sampling.share"),
        ({"thresholds": {"categories": {"hate": {"warn": 0.9}}}}, "thresholds.categories.hate"),
    ],
)
def test_broken_document_is_refused_with_its_place(change, place):
    with pytest.raises(InvalidPolicy, match=f"^{place}"):
        parse_policy({**DEFAULT_DOCUMENT, **change})
