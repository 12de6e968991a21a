"""The time machine's pages: started, watched, and what a draft would have changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from moderation.admin import words
from moderation.admin.display import Piece, excerpt
from moderation.admin.experiments import said_share
from moderation.admin.scoped import own_communities
from moderation.admin.studio.common import WRITES, find_draft, must, page
from moderation.admin.studio.forms import ReplayForm
from moderation.admin.surroundings import staff
from moderation.errors import ModerationError, NotFound
from moderation.models import Replay, ReplayFlip
from moderation.operations import ledger
from moderation.operations.replay import MOST_FLIPS, start_replay
from moderation.pipeline.rejudging.replay import OLD_EVIDENCE, SOUND_OF_VIDEOS
from moderation.policy.comparison import Tally
from moderation.vocabulary import Action, Category

_A_PAGE: Final = 25
_SIDES: Final = (("was", "As it was judged"), ("now", "As the draft would judge"))


def start_view(request: HttpRequest, draft_id: int) -> HttpResponse:
    from moderation.admin.studio.pages import draft_page  # they show each other

    draft = find_draft(request, draft_id)
    form = ReplayForm(request.POST)
    if form.is_valid():
        try:
            replay = start_replay(
                draft=draft,
                since=form.since,
                until=form.until,
                share=form.cleaned_data["percent"] / 100,
                user=staff(request.user),
            )
        except ModerationError as error:
            form.add_error(None, str(error))
        else:
            return redirect("admin:moderation_studio_replay", replay.pk)
    return draft_page(request, draft, replay_form=form)


def replay_view(request: HttpRequest, replay_id: int) -> HttpResponse:
    """Show how far a replay is, and what it has found."""
    replay = _find(request, replay_id)
    flips = _flips(request, replay)
    shown = Paginator(flips, _A_PAGE).get_page(request.GET.get("page"))
    return page(
        request,
        "replay.html",
        title="Time machine",
        subtitle=replay.draft.name if replay.draft else "",
        **_figures(request, replay),
        flips=[_shown_flip(flip) for flip in shown.object_list],
        shown=shown,
        asked=request.GET.get("kind", ""),
        most_flips=MOST_FLIPS,
        opens_posts=request.user.has_perm("moderation.view_post"),
        watches_operations=request.user.has_perm("moderation.reverse_enforcement"),
    )


def progress_view(request: HttpRequest, replay_id: int) -> HttpResponse:
    """Answer with the progress alone, which the page reads again while it runs."""
    replay = _find(request, replay_id)
    return page(
        request, "_progress.html", replay=replay, state=state_of(replay), took=_took(replay)
    )


def state_of(replay: Replay) -> ledger.Operation | None:
    """Return how its operation stands, None for one that is on record no more."""
    try:
        return ledger.peek_operation(replay.operation)
    except NotFound:
        return None


def _took(replay: Replay) -> str:
    if replay.finished_at is None:
        return ""
    return f"{(replay.finished_at - replay.started_at).total_seconds():.1f} seconds"


def _find(request: HttpRequest, replay_id: int) -> Replay:
    must(request, WRITES)
    replays = Replay.objects.select_related("draft", "community", "started_by")
    replay = replays.filter(community__in=own_communities(request), pk=replay_id).first()
    if replay is None:
        raise Http404("There is no such replay in your communities.")
    return replay


# --- what was found, in words -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ShownFlip:
    flip: ReplayFlip
    excerpt: tuple[Piece, ...]
    was: str
    was_because: str
    now: str
    now_because: str
    person: str


def _figures(request: HttpRequest, replay: Replay) -> dict[str, Any]:
    tally = Tally.from_json(replay.summary)
    return {
        "replay": replay,
        "state": state_of(replay),
        "tally": tally,
        "missing": [(_said_missing(name), count) for name, count in tally.missing.most_common()],
        "kinds": _kinds(tally),
        "people": [_against(tally, side, label) for side, label in _SIDES],
        "days": list(_days(tally)),
        "queue": _queue(tally),
        "categories": list(_categories(tally)),
        "took": _took(replay),
        "last_day": replay.until - timedelta(days=1),
        "is_old": replay.draft is not None and replay.draft.version != replay.draft_version,
    }


def _said_missing(name: str) -> str:
    if name in (OLD_EVIDENCE, SOUND_OF_VIDEOS):
        return name
    return f"what {name} would say"


def _kinds(tally: Tally) -> list[dict[str, Any]]:
    """Return each way in which posts flip, the most frequent first."""
    found = [
        {
            "kind": f"{was}-{now}",
            "was": words.action_label(was),
            "now": words.action_label(now),
            "count": tally.count(was, now),
        }
        for was in Action
        for now in Action
        if was is not now and tally.count(was, now)
    ]
    return sorted(found, key=lambda kind: -int(kind["count"]))


def _against(tally: Tally, side: str, label: str) -> dict[str, Any]:
    people = tally.against_people(side)
    return {"label": label, "people": people, "agreed": said_share(people.agreed)}


def _queue(tally: Tally) -> dict[str, Any]:
    days = len(tally.days) or 1
    was = sum(tally.in_queue("was", day) for day in tally.days)
    now = sum(tally.in_queue("now", day) for day in tally.days)
    return {
        "was": f"{was / days:.1f}",
        "now": f"{now / days:.1f}",
        "more": f"{(now - was) / days:+.1f}",
    }


def _days(tally: Tally) -> Iterator[dict[str, Any]]:
    for day in sorted(tally.days, reverse=True)[:31]:
        was, now = tally.in_queue("was", day), tally.in_queue("now", day)
        yield {"day": day, "judged": tally.days[day], "was": was, "now": now, "more": now - was}


def _categories(tally: Tally) -> Iterator[dict[str, Any]]:
    for category in Category:
        cells = [
            (
                words.action_label(action),
                tally.in_category("was", category, action),
                tally.in_category("now", category, action),
            )
            for action in (Action.WARN, Action.REVIEW, Action.BLOCK)
        ]
        if any(was or now for _, was, now in cells):
            yield {"label": category.label, "cells": cells}


def _flips(request: HttpRequest, replay: Replay) -> QuerySet[ReplayFlip]:
    flips = ReplayFlip.objects.filter(replay=replay).select_related("post").order_by("-pk")
    was, _, now = request.GET.get("kind", "").partition("-")
    if was in Action.values and now in Action.values:
        flips = flips.filter(was=was, now=now)
    return flips


def _shown_flip(flip: ReplayFlip) -> ShownFlip:
    return ShownFlip(
        flip=flip,
        excerpt=excerpt(flip.post.title, flip.post.body, limit=90),
        was=words.action_label(flip.was),
        was_because=words.why_rule(flip.was_rule),
        now=words.action_label(flip.now),
        now_because=words.why_rule(
            flip.now_rule, flip.category if flip.score is not None else None, flip.score
        ),
        person=words.action_label(flip.person or None),
    )
