"""Whom a route asks next, from what was answered so far."""

import pytest

from moderation.asking.board import POST_BUDGET, Board
from moderation.asking.questions import Answered, Question
from moderation.policy.document import DEFAULT_DOCUMENT, parse_policy
from moderation.policy.route import Circumstances
from moderation.providers.base import Answer, ImagePart, TextPart
from moderation.vocabulary import Category, Outcome, Part, Reason, Standing


def policy(stages, **more):
    return parse_policy({**DEFAULT_DOCUMENT, "route": {"text": stages}, **more})


def question(rules, *, around=None, subject=0, part=None):
    return Question(subject, rules, part or TextPart("text", "Ripe"), around or Circumstances())


def judged(score=0.1, category=Category.TOXIC, **more):
    return Answer(Outcome.JUDGED, scores={category: score}, **more)


FAILED = Answer(Outcome.FAILED, error="provider_unavailable")
NOT_JUDGED = Answer(Outcome.NOT_JUDGED, error="language")


def play(board, said):
    """Ask until nobody is wanted; return who was asked, round by round."""
    rounds = []
    while wanted := board.wanted():
        rounds.append(sorted(item.provider for item in wanted))
        board.take(
            Answered(item.question, item.provider, "1", said.get(item.provider, judged()))
            for item in wanted
        )
    return rounds


def asked(stages, said=None, *, around=None, prices=None, **more):
    board = Board([question(policy(stages, **more), around=around)], (), prices or {})
    return play(board, said or {})


def test_names_alone_are_asked_at_once():
    assert asked(["a", "b"]) == [["a", "b"]]


def test_stages_follow_each_other():
    assert asked([{"ask": ["a"]}, {"ask": ["b", "c"]}]) == [["a"], ["b", "c"]]


@pytest.mark.parametrize(
    ("score", "rounds"),
    [(0.19, [["a"]]), (0.2, [["a"], ["b"]]), (0.79, [["a"], ["b"]]), (0.8, [["a"]])],
)
def test_a_stage_is_asked_only_in_its_band_of_scores(score, rounds):
    band = {"score": {"category": "toxic", "at_least": 0.2, "below": 0.8}}
    stages = [{"ask": ["a"]}, {"ask": ["b"], "when": band}]
    assert asked(stages, {"a": judged(score)}, stop_at=None) == rounds


def test_a_score_that_nobody_gave_does_not_spare_a_stage():
    band = {"score": {"category": "hate", "at_least": 0.2}}
    stages = [{"ask": ["a"]}, {"ask": ["b"], "when": band}]
    assert asked(stages, {"a": judged(0.0, Category.TOXIC)}) == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("when", "around", "is_asked"),
    [
        ({"languages": ["en"]}, Circumstances(language="en"), True),
        ({"languages": ["en"]}, Circumstances(language="de"), False),
        ({"standing": ["new"]}, Circumstances(standing=Standing.NEW), True),
        ({"standing": ["new"]}, Circumstances(standing=Standing.TRUSTED), False),
        ({"reasons": ["appeal"]}, Circumstances(reason=Reason.APPEAL), True),
        ({"reasons": ["appeal"]}, Circumstances(reason=Reason.NEW), False),
        ({"media": True}, Circumstances(has_media=True), True),
        ({"media": True}, Circumstances(has_media=False), False),
        ({"media": False}, Circumstances(has_media=False), True),
        ({"share": 1.0}, Circumstances(share_key="x"), True),
        ({"share": 0.0}, Circumstances(share_key="x"), False),
    ],
)
def test_a_stage_has_conditions(when, around, is_asked):
    found = asked([{"ask": ["a"]}, {"ask": ["b"], "when": when}], around=around)
    assert found == ([["a"], ["b"]] if is_asked else [["a"]])


def test_a_share_of_posts_is_as_large_as_it_says():
    stages = [{"ask": ["a"], "when": {"share": 0.3}}]
    hit = [bool(asked(stages, around=Circumstances(share_key=str(n)))) for n in range(2000)]
    assert 0.26 < sum(hit) / len(hit) < 0.34


def test_nobody_is_asked_further_about_what_is_blocked_already():
    stages = [{"ask": ["a"]}, {"ask": ["b"]}]
    assert asked(stages, {"a": judged(0.99, Category.HATE)}) == [["a"]]
    assert asked(stages, {"a": judged(0.99, Category.HATE)}, stop_at=None) == [["a"], ["b"]]
    assert asked(stages, {"a": judged(0.75, Category.HATE)}, stop_at="review") == [["a"]]


def test_another_part_that_is_blocked_stops_the_whole_post():
    rules = parse_policy(
        {
            **DEFAULT_DOCUMENT,
            "route": {"text": ["a"], "image": [{"ask": ["b"]}, {"ask": ["c"]}]},
        }
    )
    image = ImagePart("media:1", path=None)
    board = Board([question(rules), question(rules, part=image)], (), {})
    said = {"a": judged(0.99, Category.HATE)}
    assert play(board, said) == [["a", "b"]]


CHAIN = [{"ask": [{"provider": "a", "otherwise": ["b", "c"]}]}]


@pytest.mark.parametrize(
    ("said", "rounds", "stood_in"),
    [
        ({}, [["a"]], {}),
        ({"a": FAILED}, [["a"], ["b"]], {"a": "b"}),
        ({"a": FAILED, "b": FAILED}, [["a"], ["b"], ["c"]], {"a": "c", "b": "c"}),
        ({"a": NOT_JUDGED}, [["a"], ["b"]], {}),
        ({"a": FAILED, "b": NOT_JUDGED}, [["a"], ["b"], ["c"]], {"a": "c"}),
        ({"a": FAILED, "b": FAILED, "c": FAILED}, [["a"], ["b"], ["c"]], {}),
        ({"a": FAILED, "b": NOT_JUDGED, "c": NOT_JUDGED}, [["a"], ["b"], ["c"]], {}),
    ],
)
def test_the_next_one_stands_in_for_whoever_fails(said, rounds, stood_in):
    board = Board([question(policy(CHAIN))], (), {})
    assert play(board, said) == rounds
    assert {one.provider: one.stood_in for one in board.answers() if one.stood_in} == stood_in


def test_what_is_pending_holds_up_later_stages_and_is_not_asked_twice():
    board = Board([question(policy([{"ask": ["a", "b"]}, {"ask": ["c"]}]))], (), {})
    assert play(board, {"a": Answer(Outcome.PENDING)}) == [["a", "b"]]


def test_known_answers_lead_to_where_the_route_was():
    one = question(policy([{"ask": ["a"]}, {"ask": ["b"]}, {"ask": ["c"]}]))
    known = [Answered(one, name, "1", judged()) for name in ("a", "b")]
    board = Board([one], known, {})
    assert play(board, {}) == [["c"]]
    assert [answered.provider for answered in board.answers()] == ["a", "b", "c"]


def test_a_stage_that_the_money_does_not_reach_for_is_left_out_and_says_so():
    stages = [{"ask": ["a"]}, {"ask": [{"provider": "b", "otherwise": ["c"]}]}, {"ask": ["d"]}]
    board = Board([question(policy(stages, budget={"micros": 900}))], (), {"b": 400, "d": 100})
    assert play(board, {"a": judged(cost_micros=600)}) == [["a"], ["d"]]
    spared = {one.provider: one.answer for one in board.answers()}["b"]
    assert (spared.outcome, spared.error) == (Outcome.NOT_JUDGED, POST_BUDGET)


def test_what_was_read_in_a_picture_is_asked_about_as_text():
    rules = parse_policy(
        {**DEFAULT_DOCUMENT, "route": {"text": ["words"], "image": ["reader", "looker"]}}
    )
    image = ImagePart("media:1", path=None)
    board = Board([question(rules, part=image, around=Circumstances(language="en"))], (), {})
    said = {"reader": Answer(Outcome.NOT_JUDGED, text="I will find you")}
    assert play(board, said) == [["looker", "reader"], ["words"]]
    heard = next(one for one in board.answers() if one.provider == "words").question.part
    assert (heard.key, heard.text, heard.language) == ("media:1#text", "I will find you", "en")
    assert heard.kind is Part.TEXT
