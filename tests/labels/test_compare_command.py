"""The command that helps people to move from Perspective to their own Gatehouse."""

import csv
import io
import json

import pytest
from django.core.management import CommandError, call_command

from moderation.labels import Suggestion, keep_suggestions, quality_figures
from moderation.models import AuditEvent, Post, SuggestedScore
from moderation.providers.base import Answer
from moderation.vocabulary import Category, Outcome, WordAction
from tests.asking.fakes import FakeService
from tests.factories import CommunityFactory
from tests.pipeline.helpers import add_provider
from tests.pipeline.test_enforce import use_policy


@pytest.fixture
def community(db, monkeypatch):
    """A community whose only judge finds a text as toxic as the number in it says."""
    community = CommunityFactory.create(slug="garden")

    def judge(part):
        if not part.text.isdecimal():
            return Answer(Outcome.NOT_JUDGED, error="language")
        return Answer(Outcome.JUDGED, scores={Category.TOXIC: int(part.text) / 1000})

    add_provider(monkeypatch, FakeService("judge", judge, is_local=True))
    use_policy(community, route={"text": ["judge"]})
    return community


@pytest.fixture
def compare(tmp_path, community):
    def run(rows, *options, err=None):
        path = tmp_path / "scores.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([["text", "TOXICITY", "FLIRTATION"], *rows])
        out, err = io.StringIO(), err or io.StringIO()
        arguments = ["compare_perspective", str(path), "--community", "garden", *options]
        call_command(*arguments, stdout=out, stderr=err)
        return out.getvalue(), err.getvalue()

    return run


# Perspective scored each text by the square root of what we do.
ROWS = [[str(number), (number / 1000) ** 0.5, ""] for number in range(0, 1000, 4)]


def test_it_proposes_a_threshold_that_keeps_the_rate(compare):
    said, _ = compare(ROWS, "--threshold", "TOXICITY=0.8", "--json")
    report = json.loads(said)
    [attribute] = report["attributes"]
    assert (attribute["attribute"], attribute["texts"]) == ("TOXICITY", 250)
    assert attribute["spearman"] == pytest.approx(1.0)
    assert 0.9 < attribute["pearson"] < 1
    [proposal] = attribute["proposals"]
    assert proposal["ours"] == pytest.approx(0.64)
    assert proposal["our_rate"] == proposal["their_rate"] == 0.36
    assert proposal["agreed"] == {"hits": 250, "total": 250}
    assert report["judges"] == ["judge=fake-1"]


def test_people_read_it_too(compare):
    said, progress = compare(ROWS)
    assert "250 texts by the policy of garden.\nJudged by judge=fake-1." in said
    assert "TOXICITY: 250 texts, Pearson 0.97" in said
    assert "  0.80        36.00%  0.6400      36.00%  100.0% (98.5% to 100.0%)" in said
    assert [line.split(" texts")[0] for line in progress.splitlines()] == [
        "100 of 250",
        "200 of 250",
        "250 of 250",
    ]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_person_who_looks_on_sees_a_bar(compare):
    terminal = Terminal()
    compare(ROWS, err=terminal)
    assert "\r[" + "#" * 30 + "] 250 of 250 texts, " in terminal.getvalue()
    assert "\r[" + "#" * 12 + "." * 18 + "] 100 of 250 texts, " in terminal.getvalue()


def test_what_was_not_judged_is_counted_apart(compare, community):
    community.words.create(term="gurkin", action=WordAction.BLOCK)
    rows = [["500", 0.5, 0.1], ["xyz", 0.5, ""], ["gurkin", 0.9, ""], [" ", 0.5, ""]]
    rows.append(["5" * 40_001, 0.5, ""])
    said, _ = compare(rows)
    assert "3 texts by the policy" in said
    assert "2 more were empty or longer than a post may be." in said
    assert "TOXICITY: 1 text, Pearson –" in said
    assert "  2 more were judged by nobody here in this attribute." in said
    assert "FLIRTATION: 0 texts, Pearson –, Spearman –\n  1 more was judged by nobody" in said


def test_every_score_can_be_had_and_no_text(compare, tmp_path):
    compare([["500", 0.5, 0.1], ["xyz", 0.75, ""]], "--out", str(tmp_path / "out.csv"))
    assert (tmp_path / "out.csv").read_text().splitlines() == [
        "number,attribute,perspective,gatehouse",
        "1,TOXICITY,0.5,0.5",
        "1,FLIRTATION,0.1,",
        "2,TOXICITY,0.75,",
    ]


def test_only_so_many_are_read_as_wanted(compare):
    assert "7 texts by" in compare(ROWS, "--limit", "7")[0]


def test_an_empty_file_is_no_fault(compare):
    assert "0 texts by the policy of garden.\nJudged by nobody." in compare([])[0]


def test_nothing_is_stored(compare):
    compare(ROWS)
    for model in (Post, SuggestedScore, AuditEvent):
        assert not model.objects.exists()


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        ([["a", 2, ""]], [], "Line 2: TOXICITY is no score"),
        ([], ["--community", "nowhere"], "There is no community 'nowhere'"),
        ([], ["--threshold", "TOXICITY=80"], "'TOXICITY=80' is not like TOXICITY=0.8"),
        ([], ["--threshold", "KINDNESS=0.8"], "'KINDNESS=0.8' is not like TOXICITY=0.8"),
        ([], ["--out", "/nowhere/at/all.csv"], "No such file"),
    ],
)
def test_what_cannot_be_done_is_said(compare, rows, options, said):
    with pytest.raises(CommandError, match=said):
        compare(rows, *options)


# Suggested scores


def suggest(community, text, scores, ours, client="key:1"):
    keep_suggestions(
        Suggestion(community, text, scores, ours, model="gatehouse-1-abc", client=client)
    )


def test_quality_is_told_by_attribute(community):
    suggest(community, "a", {"TOXICITY": 1.0, "THREAT": 0.0}, {"TOXICITY": 0.9, "THREAT": 0.1})
    suggest(community, "b", {"TOXICITY": 0.0}, {"TOXICITY": 0.7})
    suggest(community, "c", {"TOXICITY": 0.5}, {"TOXICITY": 0.5})
    suggest(community, "d", {"TOXICITY": 1.0}, {})
    suggest(CommunityFactory.create(slug="orchard"), "a", {"THREAT": 1.0}, {"THREAT": 0.0})
    threat, toxicity = quality_figures([community.pk])
    assert (threat.attribute, threat.suggested) == ("THREAT", 1)
    assert (threat.agreed.hits, threat.agreed.total) == (1, 1)
    assert (toxicity.suggested, toxicity.agreed.hits, toxicity.agreed.total) == (4, 2, 3)
    assert toxicity.mean_distance == pytest.approx((0.1 + 0.7 + 0.0) / 3)


def test_quality_stands_below_the_comparison(compare, community):
    suggest(community, "a", {"TOXICITY": 1.0}, {"TOXICITY": 0.9})
    suggest(community, "b", {"UNSUBSTANTIAL": 1.0}, {})
    said, _ = compare(ROWS)
    assert "TOXICITY: 1 suggested, 1 of them scored by us; on the same side of 0.5: 100.0%" in said
    assert "UNSUBSTANTIAL: 1 suggested, 0 of them scored by us; on the same side of 0.5: –" in said
