"""How two judges' scores of the same texts compare."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.labels import Comparison, Scored, compare_scores


def report(pairs, *thresholds):
    comparison = Comparison()
    for theirs, ours in pairs:
        comparison.add(Scored({"TOXICITY": theirs}, {} if ours is None else {"TOXICITY": ours}))
    [found] = compare_scores(comparison, {"TOXICITY": thresholds}, ())
    return found


def test_scores_that_rise_together_correlate():
    found = report([(0.1, 0.01), (0.5, 0.25), (0.9, 0.81)])
    assert found.pearson == pytest.approx(0.9744, abs=1e-4)
    assert found.spearman == pytest.approx(1.0)


def test_equal_scores_share_their_rank():
    found = report([(0.1, 0.2), (0.1, 0.2), (0.9, 0.4), (0.8, 0.4)])
    # By hand: ranks 1.5, 1.5, 4, 3 against 1.5, 1.5, 3.5, 3.5.
    assert found.spearman == pytest.approx(4 / (18**0.5), abs=1e-9)


@pytest.mark.parametrize(
    "pairs", [[(0.5, 0.5)], [(0.5, 0.1), (0.5, 0.9)], [(0.1, 0.5), (0.9, 0.5)]]
)
def test_where_a_judge_never_varies_there_is_no_correlation(pairs):
    assert (report(pairs).pearson, report(pairs).spearman) == (None, None)


def test_a_threshold_is_proposed_that_as_many_texts_reach():
    pairs = [(0.9, 0.6), (0.85, 0.5), (0.4, 0.2), (0.3, 0.55), (0.1, 0.1)]
    [proposal] = report(pairs, 0.8).proposals
    assert (proposal.their_rate, proposal.our_rate) == (0.4, 0.4)
    assert proposal.ours == 0.55
    # The second and the fourth text are decided otherwise.
    assert (proposal.agreed.hits, proposal.agreed.total) == (3, 5)


def test_where_no_text_of_theirs_reaches_a_threshold_none_is_proposed():
    [proposal] = report([(0.1, 0.6), (0.2, 0.5)], 0.8).proposals
    assert (proposal.ours, proposal.our_rate) == (None, 0.0)
    assert proposal.agreed.value == 1.0


def test_of_two_rates_as_near_the_stricter_is_taken():
    [proposal] = report([(0.9, 0.5), (0.9, 0.4), (0.1, 0.4), (0.1, 0.4)], 0.8).proposals
    assert (proposal.ours, proposal.our_rate) == (0.5, 0.25)
    [tie] = report([(0.9, 0.5), (0.9, 0.4), (0.1, 0.4), (0.1, 0.1)], 0.8).proposals
    assert (tie.ours, tie.our_rate) == (0.4, 0.75)


def test_what_nobody_judged_is_counted_and_compared_with_nothing():
    found = report([(0.9, None), (0.1, None), (0.2, 0.3)], 0.8)
    assert (found.texts, found.not_judged) == (1, 2)
    nothing = report([(0.9, None)], 0.8)
    assert (nothing.texts, nothing.proposals, nothing.pearson) == (0, (), None)


def test_attributes_without_thresholds_of_their_own_have_the_usual_ones():
    comparison = Comparison()
    comparison.add(Scored({"TOXICITY": 0.9, "THREAT": 0.1}, {"TOXICITY": 0.8, "THREAT": 0.2}))
    threat, toxicity = compare_scores(comparison, {"THREAT": [0.7]}, [0.5, 0.9])
    assert [one.theirs for one in threat.proposals] == [0.7]
    assert [one.theirs for one in toxicity.proposals] == [0.5, 0.9]


scores = st.floats(0, 1).map(lambda value: round(value, 2))


@given(st.lists(st.tuples(scores, scores), min_size=1, max_size=60), scores)
def test_no_other_threshold_decides_more_nearly_as_often(pairs, threshold):
    [proposal] = report(pairs, threshold).proposals
    if proposal.ours is None:
        assert all(theirs < threshold for theirs, _ in pairs)
        return
    missed = abs(proposal.our_rate - proposal.their_rate)
    for _, other in pairs:
        rate = sum(ours >= other for _, ours in pairs) / len(pairs)
        assert missed <= abs(rate - proposal.their_rate) + 1e-9
