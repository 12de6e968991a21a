"""Who judges a post again that is appealed."""

from __future__ import annotations

import pytest

from moderation.errors import InvalidPolicy
from moderation.policy.document import DEFAULT_DOCUMENT, parse_policy
from moderation.policy.route import Circumstances
from moderation.vocabulary import Category, Part, Reason, Standing

STAGES = [
    {"ask": ["reposts", "local_text"], "seconds": 1},
    {"ask": ["reposts"]},
    {
        "ask": [{"provider": "openai", "otherwise": ["mistral"]}],
        "when": {
            "score": {"at_least": 0.4, "below": 0.9},
            "share": 0.01,
            "standing": ["new"],
            "reasons": ["new"],
            "languages": ["de"],
        },
    },
]


def policy(**more):
    return parse_policy({**DEFAULT_DOCUMENT, **more})


def names(stages):
    return [[ask.provider for ask in stage.asks] for stage in stages]


def test_everyone_on_the_route_is_asked_but_who_repeats_decisions():
    again = policy(route={"text": STAGES}).for_appeal()
    assert names(again.route[Part.TEXT]) == [["local_text"], ["openai"]]
    local, service = again.route[Part.TEXT]
    assert local.seconds is None
    assert service.asks[0].otherwise == ("mistral",)


@pytest.mark.parametrize(("language", "asked"), [("de", True), ("fr", False)])
def test_only_what_a_provider_cannot_judge_is_kept_from_it(language, asked):
    again = policy(route={"text": STAGES}).for_appeal()
    around = Circumstances(
        language=language, standing=Standing.TRUSTED, reason=Reason.APPEAL, share_key="x"
    )
    assert again.route[Part.TEXT][1].when.holds({Category.HATE: 0.1}, around) is asked


def test_neither_money_nor_time_nor_a_sure_answer_cuts_it_short():
    again = policy(
        budget={"seconds": 1, "micros": 5},
        overload={"oldest_due_seconds": 1, "then": "local_only"},
        sampling={"share": 1.0},
    ).for_appeal()
    assert (again.stop_at, again.budget_seconds, again.budget_micros) == (None, None, None)
    assert (again.overload_seconds, again.sampling_share) == (None, 0.0)


def test_a_part_with_a_route_for_appeals_goes_there_and_others_their_usual_way():
    again = policy(appeal_route={"text": [{"ask": ["openai"]}]}).for_appeal()
    assert names(again.route[Part.TEXT]) == [["openai"]]
    assert names(again.route[Part.IMAGE]) == [["hash_bank", "local_image"]]


def test_new_posts_do_not_take_the_route_for_appeals():
    usual = policy(appeal_route={"text": [{"ask": ["openai"]}]})
    assert "openai" not in usual.providers()
    assert "openai" in usual.for_appeal().providers()


@pytest.mark.parametrize("wrong", [{"text": [{"ask": []}]}, {"words": ["local_text"]}, {}])
def test_a_route_for_appeals_is_checked_as_any_route(wrong):
    with pytest.raises(InvalidPolicy, match="appeal_route"):
        policy(appeal_route=wrong)
