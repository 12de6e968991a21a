"""The text model keeps what it was measured at: per category, topic, identity and language.

A floor may be lowered on purpose alone: `manage.py evaluate_text_model --floors reset`, with the
reason in the commit.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from moderation.providers.base import Answer, AnyPart
from moderation.providers.own.local_text import LocalTextProvider
from moderation.providers.own.local_text.evaluation import floors
from moderation.providers.own.local_text.evaluation.report import Report
from moderation.vocabulary import Category, Outcome

# The classes that the issue wants measured; each needs texts of both kinds among those kept.
MEASURED = {
    Category.TOXIC,
    Category.HATE,
    Category.HARASSMENT,
    Category.VIOLENCE,
    Category.SEXUAL,
    Category.SELF_HARM,
    Category.SPAM,
    Category.ILLICIT,
}


@pytest.fixture(scope="module")
def report() -> Report:
    return floors.measure(LocalTextProvider())


def test_nothing_got_worse_than_it_was(report: Report) -> None:
    assert floors.breaches(report, floors.read_floors()) == []


def test_every_category_is_held_to_something() -> None:
    held = set(floors.read_floors())
    assert {f"category {category} auroc" for category in MEASURED} <= held
    assert any(name.startswith("topic ") for name in held)
    assert {"all flagged", "all missed"} <= held


def test_a_model_that_knows_nothing_would_be_noticed() -> None:
    class Indifferent:
        name, model_version = "local_text", "indifferent"

        def judge(self, parts: Sequence[AnyPart]) -> list[Answer]:
            scores = dict.fromkeys(MEASURED, 0.5)
            return [Answer(Outcome.JUDGED, scores=scores) for _ in parts]

    said = floors.breaches(floors.measure(Indifferent()), floors.read_floors())  # type: ignore[arg-type]
    worse = {one.partition(":")[0] for one in said}
    assert {f"category {category} auroc" for category in MEASURED} <= worse
