"""Which threshold is right often enough: scores beside what people decided."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from moderation import queries, studio
from moderation.admin.experiments import said_share
from moderation.admin.studio.chart import Chart, draw
from moderation.admin.studio.common import find_draft, page
from moderation.admin.surroundings import staff
from moderation.errors import Conflict, ModerationError
from moderation.policy.document import parse_policy
from moderation.policy.precision import LEAST_POSTS, STEPS, WANTED, Curve, curve
from moderation.vocabulary import Action, Category

DAYS: Final = 90
_SHOWN_STEPS: Final = frozenset(step for step in STEPS if step >= 0.3)


@dataclass(frozen=True, slots=True)
class ShownCategory:
    category: Category
    curve: Curve
    chart: Chart | None
    rows: list[tuple[str, str, str]]
    blocks_from: str
    reaching: str
    precision: str
    recall: str
    is_in_draft: bool


def thresholds_view(request: HttpRequest, draft_id: int) -> HttpResponse:
    """Show, for each category, precision and recall of thresholds against people."""
    draft = find_draft(request, draft_id)
    since = queries.database_now() - timedelta(days=DAYS)
    labelled = queries.labelled_scores(draft.community_id, since=since)
    blocks = {
        category: steps.get(Action.BLOCK)
        for category, steps in parse_policy(draft.document).thresholds.items()
    }
    found = [(category, curve(labelled.get(category, []))) for category in Category]
    return page(
        request,
        "thresholds.html",
        title="Thresholds",
        subtitle=draft.name,
        draft=draft,
        shown=[_shown(one, made, blocks[one]) for one, made in found if made.is_enough],
        too_few=[(one.label, made.decided) for one, made in found if not made.is_enough],
        least=LEAST_POSTS,
        days=DAYS,
        wanted=f"{WANTED:.0%}".replace("%", "\u00a0%"),
    )


def use_view(request: HttpRequest, draft_id: int) -> HttpResponse:
    """Let a category block from a threshold in the draft; milder steps are never above it."""
    draft = find_draft(request, draft_id)
    category, threshold = _asked(request)
    try:
        if category is None or threshold is None:
            raise Conflict("Choose a category and a threshold from 0 to 1.")
        version = request.POST.get("version", "")
        studio.save_draft(
            draft=draft,
            seen_version=int(version) if version.isdecimal() else 0,
            document=with_block(draft.document, category, threshold),
            name=draft.name,
            user=staff(request.user),
        )
    except ModerationError as error:
        messages.error(request, f"The draft is as it was. {error}")
    else:
        messages.success(
            request, f"In the draft, {category.label} is now blocked from {threshold:g}."
        )
    return redirect("admin:moderation_studio_thresholds", draft.pk)


def with_block(document: Mapping[str, Any], category: Category, threshold: float) -> dict[str, Any]:
    """Return the document with another threshold for blocking a category."""
    changed: dict[str, Any] = deepcopy(dict(document))
    steps = parse_policy(document).thresholds[category]
    own = changed.setdefault("thresholds", {}).setdefault("categories", {})
    given = own.setdefault(category.value, {})
    given[Action.BLOCK.value] = threshold
    for action in (Action.WARN, Action.REVIEW):
        if action in steps and steps[action] > threshold:
            given[action.value] = threshold
    return changed


def _asked(request: HttpRequest) -> tuple[Category | None, float | None]:
    name = request.POST.get("category", "")
    try:
        threshold = float(request.POST.get("threshold", ""))
    except ValueError:
        return None, None
    if name not in Category.values or not 0 <= threshold <= 1:
        return None, None
    return Category(name), threshold


def _shown(category: Category, made: Curve, blocks_from: float | None) -> ShownCategory:
    reaching = made.reaching
    return ShownCategory(
        category=category,
        curve=made,
        chart=draw(made),
        rows=[
            (f"{point.threshold:.2f}", said_share(point.precision), said_share(point.recall))
            for point in made.points
            if point.threshold in _SHOWN_STEPS
        ],
        blocks_from="never" if blocks_from is None else f"{blocks_from:g}",
        reaching=f"{reaching.threshold:g}" if reaching else "",
        precision=said_share(reaching.precision) if reaching else "",
        recall=said_share(reaching.recall) if reaching else "",
        is_in_draft=reaching is not None and reaching.threshold == blocks_from,
    )
