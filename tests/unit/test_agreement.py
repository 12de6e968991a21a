"""Cohen's kappa against values worked out by hand."""

from __future__ import annotations

import pytest

from moderation.policy.agreement import Kappa, cohens_kappa


@pytest.mark.parametrize(
    ("pairs", "kappa"),
    [
        # Seen to agree 35 of 50 = 0.7; by chance 0.5·0.6 + 0.5·0.4 = 0.5; (0.7 - 0.5) / 0.5.
        (
            {
                ("allow", "allow"): 20,
                ("allow", "block"): 5,
                ("block", "allow"): 10,
                ("block", "block"): 15,
            },
            0.4,
        ),
        # As often as chance: 50 of 100, by chance 0.5.
        (
            {
                ("allow", "allow"): 25,
                ("allow", "block"): 25,
                ("block", "allow"): 25,
                ("block", "block"): 25,
            },
            0.0,
        ),
        ({("allow", "block"): 5, ("block", "allow"): 5}, -1.0),
        ({("allow", "allow"): 3, ("warn", "warn"): 2, ("block", "block"): 5}, 1.0),
        # One never blocks: agreement of 9 in 10 is what chance alone brings.
        ({("allow", "allow"): 9, ("block", "allow"): 1}, 0.0),
        # Three answers: 7 of 10; by chance 0.4·0.5 + 0.3·0.2 + 0.3·0.3 = 0.35; 0.35 / 0.65.
        (
            {
                ("allow", "allow"): 4,
                ("warn", "warn"): 1,
                ("warn", "allow"): 1,
                ("warn", "block"): 1,
                ("block", "warn"): 1,
                ("block", "block"): 2,
            },
            0.35 / 0.65,
        ),
    ],
)
def test_kappa_is_what_is_worked_out_by_hand(
    pairs: dict[tuple[str, str], int], kappa: float
) -> None:
    found = cohens_kappa(pairs)
    assert found.value == pytest.approx(kappa)
    assert found.total == sum(pairs.values())


@pytest.mark.parametrize(("pairs", "total"), [({}, 0), ({("block", "block"): 40}, 40)])
def test_kappa_is_not_defined_where_chance_explains_everything(
    pairs: dict[tuple[str, str], int], total: int
) -> None:
    assert cohens_kappa(pairs) == Kappa(None, total)
