"""How the text model is measured: figures against plain definitions, sets, comparisons, floors."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from moderation.policy.agreement import Share
from moderation.providers.base import Answer, AnyPart, TextPart
from moderation.providers.own.local_text.evaluation import floors, sets
from moderation.providers.own.local_text.evaluation.answers import Answers, answer
from moderation.providers.own.local_text.evaluation.metrics import (
    Ranking,
    Resamples,
    brier,
    calibration_error,
    reliability,
    weighted_to,
)
from moderation.providers.own.local_text.evaluation.report import Report, lines, make_report
from moderation.providers.own.local_text.evaluation.sets import (
    Example,
    read_dev,
    read_kept,
    sampled,
)
from moderation.providers.own.local_text.evaluation.versus import (
    answers_json,
    compare,
    comparison_lines,
)
from moderation.vocabulary import Action, Category, Outcome

# --- figures ----------------------------------------------------------------------------------


def scores_with_ties(seed: int) -> tuple[Any, Any, Any]:
    draws = np.random.default_rng(seed)
    scores = draws.integers(0, 12, 80) / 12
    return scores, draws.random(80) < scores, draws.integers(0, 4, 80).astype(np.float64)


@pytest.mark.parametrize("seed", range(5))
def test_auroc_is_the_share_of_pairs_in_order(seed: int) -> None:
    scores, positive, weights = scores_with_ties(seed)
    won = total = 0.0
    for up in np.flatnonzero(positive):
        for down in np.flatnonzero(~positive):
            mass = weights[up] * weights[down]
            total += mass
            won += mass * ((scores[up] > scores[down]) + (scores[up] == scores[down]) / 2)
    assert Ranking(scores, positive).auroc(weights) == pytest.approx(won / total)


@pytest.mark.parametrize("seed", range(5))
def test_auprc_is_the_mean_precision_where_positives_stand(seed: int) -> None:
    scores, positive, weights = scores_with_ties(seed)
    found = 0.0
    for threshold in np.unique(scores):
        reached = scores >= threshold
        precision = weights[reached & positive].sum() / weights[reached].sum()
        found += precision * weights[positive & (scores == threshold)].sum()
    expected = found / weights[positive].sum()
    assert Ranking(scores, positive).auprc(weights) == pytest.approx(expected)


@pytest.mark.parametrize("positive", [[True, True], [False, False]])
def test_without_both_kinds_there_is_no_auroc(positive: list[bool]) -> None:
    ranking = Ranking(np.array([0.1, 0.9]), np.array(positive))
    assert np.isnan(ranking.auroc(np.ones(2)))


def test_what_scores_promise_is_held_against_what_was_true() -> None:
    scores = np.array([0.05, 0.05, 0.75, 0.75, 0.75, 0.75])
    positive = np.array([False, False, True, True, True, False])
    evenly = np.ones(6)
    low, high = reliability(scores, positive, evenly)
    assert (low.start, low.texts, low.mean_score, low.share) == (0.0, 2, 0.05, 0.0)
    assert (high.start, high.texts, high.share) == (0.7, 4, 0.75)
    assert calibration_error(scores, positive, evenly) == pytest.approx(2 / 6 * 0.05)
    assert brier(scores, positive, evenly) == pytest.approx(
        (2 * 0.05**2 + 3 * 0.25**2 + 0.75**2) / 6
    )


def test_positives_can_be_weighted_to_the_share_they_have_on_a_forum() -> None:
    positive = np.array([True] * 60 + [False] * 40)
    weights = weighted_to(positive, 0.1)
    assert weights.sum() == pytest.approx(100)
    assert weights[positive].sum() == pytest.approx(10)


def test_an_interval_holds_what_more_texts_would_find() -> None:
    draws = np.random.default_rng(1)
    positive = draws.random(400) < 0.5
    scores = np.clip(draws.normal(np.where(positive, 0.6, 0.4), 0.2), 0, 1)
    ranking = Ranking(scores, positive)
    figure = Resamples([str(row) for row in range(400)], times=200).figure(ranking.auroc)
    assert figure.value is not None
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low < figure.value < figure.high
    # What this mixture comes to with any number of texts.
    assert figure.low < 0.760 < figure.high
    assert 0.05 < figure.high - figure.low < 0.12


def test_twins_are_drawn_together() -> None:
    values = np.array([0.0, 0.0, 1.0, 1.0] * 10)

    def width(clusters: list[str]) -> float:
        found = Resamples(clusters, times=300).figure(
            lambda weights: float((weights * values).sum() / weights.sum())
        )
        assert found.low is not None
        assert found.high is not None
        return found.high - found.low

    alone = width([str(row) for row in range(40)])
    assert width([str(row // 2) for row in range(40)]) > 1.2 * alone


# --- sets -------------------------------------------------------------------------------------


def test_kept_texts_are_read_with_all_that_is_said_of_them(tmp_path: Path) -> None:
    said = {
        "text": "Ich hasse dich",
        "labels": {"hate": 1, "spam": 0},
        "source": "own",
        "pair": "a-1",
        "topic": "groups",
        "identity": "women",
        "lang": "de",
    }
    plain = {"text": "Tomatoes", "labels": {"toxic": 0}, "source": "own", "identity": None}
    (tmp_path / "a.jsonl").write_text(json.dumps(said) + "\n" + json.dumps(plain) + "\n")
    first, second = read_kept(tmp_path)
    assert first.labels == {Category.HATE: True, Category.SPAM: False}
    assert (first.pair, first.topic, first.identities) == ("a-1", "groups", ("women",))
    assert first.group == "a"
    assert (first.language, second.language) == ("de", "en")
    assert (first.is_violating, first.is_harmless) == (True, False)
    assert (second.is_violating, second.is_harmless) == (False, True)
    assert first.cluster == "a-1"
    assert second.cluster == second.key


@pytest.mark.parametrize(
    "line", ["{", '{"text": "a"}', '{"text": "a", "source": "b", "labels": {"kind": 1}}']
)
def test_a_broken_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.jsonl").write_text(line + "\n")
    with pytest.raises(ValueError, match=r"a\.jsonl, line 1"):
        read_kept(tmp_path)


def test_the_dev_split_is_read_and_nothing_else(tmp_path: Path) -> None:
    write_dev(tmp_path, [("dev", {"toxic": 0}), ("train", {"toxic": 1}), ("dev", {"spam": 0})])
    first, second = read_dev(tmp_path)
    assert first.is_harmless
    # Nobody has looked whether it is toxic.
    assert not second.is_harmless


def write_dev(folder: Path, rows: Sequence[tuple[str, Mapping[str, int]]]) -> None:
    with gzip.open(folder / "corpus.jsonl.gz", "wt") as file:
        for number, (split, labels) in enumerate(rows):
            text = f"Comment number {number}"
            said = {"text": text, "split": split, "source": "corpus", "labels": labels}
            file.write(json.dumps(said) + "\n")


def test_a_sample_keeps_pairs_whole_and_hardly_changes_when_texts_are_added() -> None:
    texts = [example(f"Text {number}", pair=f"p{number // 2}") for number in range(2000)]
    some = sampled(texts, 500)
    assert 400 < len(some) < 600
    assert all(sum(one.pair == other.pair for other in some) == 2 for one in some[:50])
    more = sampled([*texts, *(example(f"More {number}") for number in range(200))], 500)
    assert len({one.text for one in more} & {one.text for one in some}) > 0.85 * len(some)
    assert sampled(texts, 5000) == texts


def example(text: str, **said: Any) -> Example:
    labels = said.pop("labels", {Category.TOXIC: False})
    return Example(
        text=text,
        labels=labels,
        source="own",
        is_harmless=not any(labels.values()),
        key=sets._key(text),
        **said,
    )


# --- reports ----------------------------------------------------------------------------------


class Reader:
    """A provider that finds each text as toxic as the number at its end says."""

    name = "local_text"
    model_version = "reader-1"

    def __init__(self, bias: float = 0.0) -> None:
        self._bias = bias

    def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
        return [self._answer(part) for part in parts]

    def _answer(self, part: AnyPart) -> Answer:
        assert isinstance(part, TextPart)
        last = part.text.split()[-1]
        if last == "?":
            return Answer(Outcome.NOT_JUDGED, raw={"language": "sw"})
        return Answer(Outcome.JUDGED, scores={Category.TOXIC: min(1.0, float(last) + self._bias)})


def texts() -> list[Example]:
    """Twins of three topics. In the last one the harmless texts score like the others."""
    found = []
    for topic, harmless in (("sport", 0.1), ("work", 0.2), ("gardens", 0.7)):
        for number in range(20):
            pair = f"{topic}-{number}"
            said: dict[str, Any] = {"pair": pair, "topic": topic, "identities": ("gardeners",)}
            found.append(example(f"{pair} good {harmless}", **said))
            labels = {Category.TOXIC: True}
            score = 0.5 if number < 10 else 0.97
            found.append(example(f"{pair} bad {score}", labels=labels, **said))
    found.append(example("who knows ?", topic="sport", language="sw"))
    return found


def reported(bias: float = 0.0, **options: Any) -> Report:
    return make_report("set", answered(bias), **options)


def answered(bias: float = 0.0) -> Answers:
    return answer(Reader(bias), texts())  # type: ignore[arg-type]


def test_a_report_counts_what_the_policy_would_have_done() -> None:
    report = reported(resamples=50)
    assert (report.texts, report.not_judged, report.model) == (121, 1, "reader-1")
    # Toxic warns from 0.6: gardens are flagged, half of the violating ones are not.
    assert report.flagged.value == pytest.approx(20 / 60)
    assert report.stopped.value == 0
    assert report.missed.value == 0.5
    assert report.pairs_in_order == Share(50, 60)
    (toxic,) = report.categories
    assert (toxic.category, toxic.texts, toxic.positives) == (Category.TOXIC, 120, 60)
    assert toxic.not_judged == 1
    assert toxic.auroc.value == pytest.approx((40 / 60) + (20 / 60) * 0.5)
    assert toxic.reached[Action.BLOCK] == (Share(0, 60), Share(30, 60))


def test_a_group_that_fares_worse_is_seen() -> None:
    groups = {(one.kind, one.name): one for one in reported(resamples=0).groups}
    gardens = groups["topic", "gardens"]
    assert (gardens.harmless, gardens.violating) == (20, 20)
    assert (gardens.flagged, gardens.missed) == (Share(20, 20), Share(10, 20))
    assert gardens.gap == pytest.approx(1.0)
    assert gardens.auroc == pytest.approx(0.5)
    assert groups["topic", "sport"].gap == pytest.approx(-0.5)
    assert groups["topic", "sport"].not_judged == 1
    assert groups["identity", "gardeners"].harmless_against_all == pytest.approx(5 / 6)
    assert groups["language", "sw"].auroc is None
    # Half of the violating ones are found, and every harmless one of sports is left alone.
    assert groups["topic", "sport"].macro_f1 == pytest.approx((2 * 10 / 30 + 2 * 20 / 50) / 2)


def test_calibration_is_also_told_at_the_share_of_a_forum() -> None:
    (toxic,) = reported(resamples=0, shares={Category.TOXIC: 0.1}).categories
    assert toxic.ece_at_share is not None
    assert toxic.ece_at_share != pytest.approx(toxic.ece)


def test_a_report_can_be_read_by_people_and_by_programs() -> None:
    report = reported(resamples=20)
    said = "\n".join(lines(report))
    assert "set: 121 texts by reader-1" in said
    assert "gardens" in said
    written = json.loads(json.dumps(report.to_json()))
    assert written["categories"]["toxic"]["texts"] == 120
    assert len(written["categories"]["toxic"]["auroc"]) == 3


def test_a_set_of_one_kind_or_none_is_no_fault() -> None:
    one_kind = [one for one in texts() if one.is_harmless]
    for some in (one_kind, []):
        report = make_report("set", answer(Reader(), some), resamples=5)  # type: ignore[arg-type]
        assert report.auroc.value is None
        assert list(lines(report))


# --- two versions -----------------------------------------------------------------------------


def test_a_newer_version_is_set_beside_the_older_text_by_text() -> None:
    older = json.loads(json.dumps(answers_json(answered())))
    found = compare(answered(0.2), older, "reader-0", resamples=100)
    changes = {one.what: one for one in found.changes}
    assert found.texts == 121
    missed = changes["violating texts allowed"]
    assert (missed.before, missed.difference.value) == (0.5, -0.5)
    assert missed.is_sure
    # Sports and work, at 0.3 and 0.4, are still let through.
    assert changes["harmless texts flagged"].difference.value == 0
    assert not changes["harmless texts flagged"].is_sure
    assert found.moves[Action.ALLOW, Action.WARN] == 30
    assert found.moves[Action.WARN, Action.REVIEW] == 20
    said = "\n".join(comparison_lines(found))
    assert "reader-1 against reader-0, 121 texts" in said
    assert "violating texts allowed  0.500 -0.500" in said


def test_texts_that_only_one_version_answered_are_left_out() -> None:
    older = answers_json(answered())
    older.pop(answered().examples[0].key)
    assert compare(answered(), older, "reader-0", resamples=2).texts == 120


# --- floors -----------------------------------------------------------------------------------


def test_a_floor_lies_a_little_below_and_a_ceiling_above() -> None:
    bounds = floors.bounds_of(reported(resamples=0))
    assert bounds["category toxic auroc"] == pytest.approx(0.833 - 0.02, abs=1e-3)
    assert bounds["all missed"] == pytest.approx(0.52)
    assert bounds["topic sport flagged"] == pytest.approx(0.02 + 1 / 20)
    assert bounds["topic gardens flagged"] == 1.0


def test_what_got_worse_is_told_and_what_got_better_is_not() -> None:
    bounds = floors.bounds_of(reported(resamples=0))
    assert floors.breaches(reported(resamples=0), bounds) == []
    assert floors.breaches(reported(0.2, resamples=0), bounds) == []
    worse = floors.breaches(reported(-0.1, resamples=0), {**bounds, "all missed": 0.4})
    assert worse == ["all missed: 0.5000, at most 0.4 was promised"]
    everything = floors.breaches(reported(0.9, resamples=0), bounds)
    names = {one.partition(":")[0] for one in everything}
    assert {"all flagged", "category toxic auroc", "topic sport flagged"} <= names
    assert not any("missed" in name for name in names)


def test_a_figure_that_is_no_more_is_a_breach() -> None:
    (said,) = floors.breaches(reported(resamples=0), {"topic boats auroc": 0.9})
    assert said.startswith("topic boats auroc: not measured any more")


def test_floors_are_raised_and_never_lowered_by_the_way() -> None:
    old = {"all auroc": 0.9, "all flagged": 0.1, "topic boats auroc": 0.8}
    new = {"all auroc": 0.8, "all flagged": 0.05, "topic cars auroc": 0.7}
    assert floors.raised(old, new) == {
        "all auroc": 0.9,
        "all flagged": 0.05,
        "topic boats auroc": 0.8,
        "topic cars auroc": 0.7,
    }
