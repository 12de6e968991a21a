"""Quality's figures laid out: rows in words with a bar for a page, in numbers for a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from moderation.admin import words
from moderation.admin.experiments import said_share
from moderation.policy.agreement import Kappa, Share
from moderation.quality import figures
from moderation.quality.figures import ENOUGH, Agreement, Period, Spent
from moderation.vocabulary import Action, Category

# From which value on kappa is called so (Landis and Koch 1977): a habit, not a law of nature.
_CALLED: Final = ((0.8, "very good"), (0.6, "good"), (0.4, "moderate"), (0.0, "weak"))
_NO_GOLDEN: Final = "No golden item was answered in this period."
_NO_MACHINE: Final = "No machine warned or blocked in this period."
_SHARE: Final = ("hits", "total", "share", "low", "high")


@dataclass(frozen=True, slots=True)
class Bar:
    """From 0 to 100: where it ends, and between which marks the truth may lie."""

    end: float
    low: float
    high: float

    @property
    def width(self) -> float:
        return round(self.high - self.low, 2)


@dataclass(frozen=True, slots=True)
class Row:
    """`cells` are for people to read, `values` for a file."""

    name: str
    bar: Bar | None
    cells: tuple[str, ...]
    values: tuple[object, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    name: str
    title: str
    says: str
    heads: tuple[str, ...]
    columns: tuple[str, ...]
    rows: Sequence[Row]
    empty: str

    def lines(self) -> Iterator[tuple[Row, list[tuple[str, str]]]]:
        """Yield each row with its cells under their heads."""
        for row in self.rows:
            yield row, list(zip(self.heads[1:], row.cells, strict=True))


def agreement(period: Period) -> list[Table]:
    together, each = figures.agreements(period)
    rows = [_agreement("All", together)] if together.same.total else []
    rows += [_agreement(_category(row.category), row) for row in each]
    return [
        Table(
            "agreement",
            "Agreement of two moderators",
            "How often a second moderator, who did not know the first decision, came to the same"
            " one. Kappa takes away what chance alone would bring: 1 is always, 0 is chance.",
            ("Category", "The same decision", "Kappa"),
            ("category", *_SHARE, "kappa"),
            rows,
            "No decision was answered a second time in this period.",
        )
    ]


def _agreement(name: str, found: Agreement) -> Row:
    kappa = found.kappa.value
    return Row(
        name,
        _bar(found.same),
        (said_share(found.same), _said_kappa(found.kappa)),
        (name, *_numbers(found.same), "" if kappa is None else f"{kappa:.4f}"),
        _caution(found.same.total),
    )


def _said_kappa(kappa: Kappa) -> str:
    if kappa.value is None:
        return "not defined: all answers were the same" if kappa.total else "nothing to compare yet"
    if kappa.total < ENOUGH:
        return f"{kappa.value:.2f}"
    called = next((word for least, word in _CALLED if kappa.value >= least), "worse than chance")
    return f"{kappa.value:.2f}, {called}"


def golden(period: Period) -> list[Table]:
    found = figures.golden_answers(period)
    says = "How often golden items were answered as the leads had agreed."
    return [
        _shares(
            "golden-category",
            "Golden items by category",
            says,
            ("Category", "Right"),
            [_named(_category(row.name), row.share) for row in found.by_category],
            _NO_GOLDEN,
        ),
        _shares(
            "golden-moderator",
            "Golden items by moderator",
            says,
            ("Moderator", "Right"),
            [_named(row.name, row.share) for row in found.by_moderator],
            _NO_GOLDEN,
        ),
    ]


def times(period: Period) -> list[Table]:
    found = figures.times_spent(period)
    says = (
        "How long an item lay open before its decision. Half took no longer than the first time,"
        " nine of ten no longer than the second; the bar shows both."
    )
    if found.is_cut:
        says += f" Only the newest {figures.MOST_DECISIONS} decisions of the period were read."
    return [
        _times(
            "times-category",
            "Time by category",
            says,
            "Category",
            [(_category(row.name), row) for row in found.by_category],
        ),
        _times(
            "times-moderator",
            "Time by moderator",
            says,
            "Moderator",
            [(row.name, row) for row in found.by_moderator],
        ),
    ]


def _times(name: str, title: str, says: str, head: str, found: list[tuple[str, Spent]]) -> Table:
    longest = max((row.ninetieth for _, row in found), default=0.0) or 1.0
    return Table(
        name,
        title,
        says,
        (head, "Half within", "Nine of ten within", "Decisions"),
        (head.lower(), "median_seconds", "ninetieth_seconds", "decisions"),
        [
            Row(
                label,
                Bar(
                    end=round(row.median / longest * 100, 2),
                    low=round(row.median / longest * 100, 2),
                    high=round(row.ninetieth / longest * 100, 2),
                ),
                (_duration(row.median), _duration(row.ninetieth), str(row.count)),
                (label, f"{row.median:.1f}", f"{row.ninetieth:.1f}", row.count),
                _caution(row.count),
            )
            for label, row in found
        ],
        "No item was opened and decided in this period.",
    )


def overturned(period: Period) -> list[Table]:
    found = figures.overturned(period)
    says = "Of what warned or blocked in this period, how much was reversed since, also on appeal."
    people = [_named("All people", found.people)] if found.people.total else []
    people += [_named(row.name, row.share) for row in found.by_moderator]
    return [
        _shares(
            "overturned-rule",
            "Overturned by rule",
            says,
            ("Rule", "Overturned"),
            [_named(_rule(row.name), row.share, value=row.name) for row in found.by_rule],
            _NO_MACHINE,
        ),
        _shares(
            "overturned-provider",
            "Overturned by provider",
            says,
            ("Provider", "Overturned"),
            [_named(row.name or "No provider", row.share) for row in found.by_provider],
            _NO_MACHINE,
        ),
        _shares(
            "overturned-people",
            "Overturned decisions of people",
            f"{says} What its moderator undid at once is left out.",
            ("Moderator", "Overturned"),
            people,
            "Nobody warned or blocked in this period.",
        ),
    ]


def _shares(
    name: str, title: str, says: str, heads: tuple[str, str], rows: Sequence[Row], empty: str
) -> Table:
    return Table(name, title, says, heads, (heads[0].lower(), *_SHARE), rows, empty)


def _named(name: str, share: Share, *, value: str | None = None) -> Row:
    return Row(
        name,
        _bar(share),
        (said_share(share),),
        (name if value is None else value, *_numbers(share)),
        _caution(share.total),
    )


def _bar(share: Share) -> Bar | None:
    if share.value is None:
        return None
    low, high = share.interval
    return Bar(*(round(part * 100, 2) for part in (share.value, low, high)))


def _numbers(share: Share) -> tuple[object, ...]:
    low, high = share.interval
    value = "" if share.value is None else f"{share.value:.4f}"
    return (share.hits, share.total, value, f"{low:.4f}", f"{high:.4f}")


def _caution(count: int) -> str:
    return f"Only {count}: too few to rely on." if count < ENOUGH else ""


def _category(name: str) -> str:
    return words.category_label(name) or "No category"


def _rule(name: str) -> str:
    category, _, action = name.partition(".")
    if category in Category.values and action in Action.values:
        return f"{words.category_label(category)}: {words.action_label(action).lower()}"
    return name.replace("_", " ") or "no rule"


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f}\u00a0s"
    return f"{seconds / 60:.1f}\u00a0min"


# Which tables there are, by the names that a file is asked for by.
MADE_BY: Final[dict[str, Callable[[Period], list[Table]]]] = {
    "agreement": agreement,
    "golden-category": golden,
    "golden-moderator": golden,
    "times-category": times,
    "times-moderator": times,
    "overturned-rule": overturned,
    "overturned-provider": overturned,
    "overturned-people": overturned,
}
