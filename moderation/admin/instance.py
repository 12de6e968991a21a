"""How this instance is: lanes, processes, services, what goes out, what has its hour.

Operators see it, and take lanes and workers in hand here: each act is asked for on a page of its
own, which says what it does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django_celery_beat.models import PeriodicTask

from moderation import queries
from moderation.admin.providers.catalogue import listed_services
from moderation.admin.surroundings import staff
from moderation.bridge.status import readers
from moderation.conf import get_conf
from moderation.errors import Conflict, NotFound
from moderation.models import LanePause
from moderation.operations import lanes
from moderation.queries import Process, Waiting
from moderation.vocabulary import EndpointKind, Lane

SEE: Final = "moderation.view_heartbeat"
ACT: Final = "moderation.change_lanepause"
_PAGE: Final = "admin:moderation_instance"
_NOTHING_LOST: Final = (
    "Nothing is lost and nothing is approved: what waits keeps its place, and readers see what the "
    "community's policy shows before a verdict."
)


@dataclass(frozen=True, slots=True)
class ListedLane:
    """A lane as operators see it. `parked` is None where nothing can be."""

    lane: Lane
    waiting: Waiting
    oldest: str
    is_late: bool
    parked: int | None
    workers: int
    pause: LanePause | None


@dataclass(frozen=True, slots=True)
class ListedProcess:
    process: Process
    role: str
    claims: str
    state: str
    is_well: bool


@dataclass(frozen=True, slots=True)
class Act:
    """Something an operator does: how it is asked for, and how it is done."""

    button: str
    ask: str
    means: str
    do: Callable[[HttpRequest, Any, str], str]
    takes_note: bool = False
    is_grave: bool = False


def urls() -> list[URLPattern]:
    """Return the addresses of the instance's pages, below the admin's own."""
    view = admin.site.admin_view
    return [
        path("", view(page_view), name="moderation_instance"),
        path("now/", view(fragment_view), name="moderation_instance_now"),
        *(
            path(
                f"lanes/<str:lane>/{name}/",
                view(partial(_lane_view, act)),
                name=f"moderation_lane_{name}",
            )
            for name, act in _LANE_ACTS.items()
        ),
        *(
            path(
                f"processes/<str:process>/{name}/",
                view(partial(_process_view, act)),
                name=f"moderation_process_{name}",
            )
            for name, act in _PROCESS_ACTS.items()
        ),
    ]


def page_view(request: HttpRequest) -> HttpResponse:
    _must(request, SEE)
    return _page(request, "instance.html", title="Instance", **_found(request))


def fragment_view(request: HttpRequest) -> HttpResponse:
    """Answer with what changes alone, which the page reads again every few seconds."""
    _must(request, SEE)
    return TemplateResponse(request, "moderation/admin/_instance.html", _found(request))


def paused_for(request: HttpRequest) -> list[LanePause]:
    """Return the pauses, for a line on every page of the back office."""
    if not request.user.is_staff or not queries.paused_lanes():
        return []
    return queries.pauses()


# What is shown


def _found(request: HttpRequest) -> dict[str, Any]:
    waits = queries.what_waits()
    processes = queries.processes()
    silent = queries.sweeper_silent_seconds()
    overdue = queries.overdue_seconds()
    return {
        "lanes": _lanes(waits, processes),
        "processes": [_listed(one) for one in processes],
        "is_late": queries.is_late(),
        "overdue": span(overdue),
        "services": listed_services(),
        "deliveries": [
            (kind.label, one, span(one.oldest_seconds), waits.failing_endpoints[kind])
            for kind, one in waits.deliveries.items()
        ],
        "disabled_endpoints": sum(waits.disabled_endpoints.values()),
        "register": (waits.register, span(waits.register.oldest_seconds)),
        "unsealed": (waits.unsealed, span(waits.unsealed.oldest_seconds)),
        "readers": readers(),
        "sweeper_silent": None if silent is None else span(silent),
        "is_sweeper_silent": silent is None or silent > get_conf().silent_after_seconds,
        "schedule": PeriodicTask.objects.exclude(name="celery.backend_cleanup")
        .select_related("interval", "crontab", "solar", "clocked")
        .order_by("name"),
        "may_act": request.user.has_perm(ACT),
    }


def _lanes(waits: queries.Standstill, processes: list[Process]) -> list[ListedLane]:
    paused = {pause.lane: pause for pause in queries.pauses()}
    workers = queries.workers_by_lane(processes)
    found = []
    for lane in Lane:
        waiting = _deliveries(waits) if lane is Lane.DELIVER else waits.lanes[lane]
        # An endpoint that fails is tried for days, and old posts have no hurry.
        hurries = lane not in (Lane.DELIVER, Lane.RESCAN)
        found.append(
            ListedLane(
                lane=lane,
                waiting=waiting,
                oldest=span(waiting.oldest_seconds) if waiting.number else "",
                is_late=hurries and waiting.oldest_seconds > get_conf().late_after_seconds,
                parked=waits.parked.get(lane),
                workers=workers[lane],
                pause=paused.get(lane),
            )
        )
    return found


def _deliveries(waits: queries.Standstill) -> Waiting:
    some = [waits.deliveries[kind] for kind in EndpointKind]
    return Waiting(sum(one.number for one in some), max(one.oldest_seconds for one in some))


def _listed(process: Process) -> ListedProcess:
    row = process.row
    lanes_of = [Lane(lane) for lane in row.lanes if lane in Lane.values]
    claims = (
        "all lanes" if set(lanes_of) == set(Lane) else ", ".join(lane.value for lane in lanes_of)
    )
    state, is_well = "At work", True
    if not process.is_alive:
        state, is_well = f"Silent for {span(process.silent_seconds)}", False
    elif process.is_drained:
        state = "Drained: it holds nothing"
    elif process.is_draining:
        state = "Draining: finishes what it holds"
    return ListedProcess(process, row.get_role_display(), claims or row.about, state, is_well)


def span(seconds: float) -> str:
    """Return a time in its largest unit that says enough."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{round(seconds / size)} {unit}"
    return f"{round(seconds)} s"


# What is done


class NoteForm(forms.Form):
    """Why a lane is paused: for whoever wonders at night."""

    note = forms.CharField(
        max_length=200,
        required=False,
        label="Why (shown to all moderators, may stay empty)",
        widget=forms.TextInput(attrs={"class": "gh-input"}),
    )


def _lane_view(act: Act, request: HttpRequest, lane: str) -> HttpResponse:
    _must(request, ACT)
    if lane not in Lane.values:
        raise Http404
    found = Lane(lane)
    return _ask(act, request, found, f"{found.label} ({found.value})")


def _process_view(act: Act, request: HttpRequest, process: str) -> HttpResponse:
    _must(request, ACT)
    if all(one.row.name != process for one in queries.processes()):
        raise Http404
    return _ask(act, request, process, process)


def _ask(act: Act, request: HttpRequest, what: Any, shown: str) -> HttpResponse:
    """Ask whether it is meant; do it when that is answered."""
    form = NoteForm(request.POST if request.method == "POST" else None) if act.takes_note else None
    if request.method == "POST" and (form is None or form.is_valid()):
        note = form.cleaned_data["note"] if form is not None else ""
        try:
            messages.success(request, act.do(request, what, note))
        except NotFound as error:
            raise Http404 from error
        except Conflict as error:
            messages.warning(request, str(error))
        return redirect(_PAGE)
    return _page(request, "instance_act.html", title=act.button, act=act, what=shown, form=form)


def _pause(request: HttpRequest, lane: Lane, note: str) -> str:
    lanes.pause_lane(lane=lane, user=staff(request.user), note=note)
    return "Paused. Within two seconds nobody claims from it any more."


def _resume(request: HttpRequest, lane: Lane, _: str) -> str:
    lanes.resume_lane(lane=lane, user=staff(request.user))
    return "It goes on where it stopped."


def _requeue(request: HttpRequest, lane: Lane, _: str) -> str:
    number = lanes.requeue_stuck(lane=lane, user=staff(request.user))
    return f"Put back: {number}." if number else "Nothing was stuck."


def _drain(request: HttpRequest, process: str, _: str) -> str:
    lanes.drain_process(name=process, user=staff(request.user))
    return "Asked. It claims nothing more within two seconds, and finishes what it holds."


def _undrain(request: HttpRequest, process: str, _: str) -> str:
    lanes.undrain_process(name=process, user=staff(request.user))
    return "It claims again within a few seconds."


_LANE_ACTS: Final = {
    "pause": Act(
        "Pause",
        "Pause the lane",
        f"No worker claims from it until somebody lets it go on. {_NOTHING_LOST}",
        _pause,
        takes_note=True,
        is_grave=True,
    ),
    "resume": Act(
        "Go on", "Let workers claim again from the lane", "It goes on where it stopped.", _resume
    ),
    "requeue": Act(
        "Put back what is stuck",
        "Put back what is stuck in the lane",
        "Posts that were tried, wait for longer than they may and do not wait for a slow service "
        "are taken from whoever holds them, whose late verdict is refused then; they are due at "
        "once. A post that has used up its attempts goes to a person. In the lane of what goes "
        "out, messages that failed are tried now.",
        _requeue,
    ),
}
_PROCESS_ACTS: Final = {
    "drain": Act(
        "Drain",
        "Let this worker claim nothing more",
        "It finishes what it holds; then it can be stopped or replaced. Others take what waits. "
        "A worker that starts anew claims again.",
        _drain,
        is_grave=True,
    ),
    "undrain": Act(
        "Let it claim", "Let this worker claim again", "It takes its lanes up again.", _undrain
    ),
}


def _must(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _page(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    return TemplateResponse(
        request,
        f"moderation/admin/{template}",
        {**admin.site.each_context(request), **context},
    )
