"""The studio's front page, and a draft from its first line until it judges."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from moderation import experiments, queries, studio
from moderation.admin.experiments import said_share
from moderation.admin.scoped import own_communities
from moderation.admin.studio.common import (
    PUTS_IN_FORCE,
    TRIES,
    WRITES,
    find_community,
    find_draft,
    must,
    page,
)
from moderation.admin.studio.forms import (
    DraftForm,
    JsonForm,
    ReplayForm,
    TrialForm,
    known_providers,
)
from moderation.admin.surroundings import staff
from moderation.errors import Conflict, InvalidFields, InvalidPolicy, ModerationError
from moderation.models import Brake, Community, Experiment, PolicyDraft, Replay
from moderation.pipeline.rejudging.brake import release_brake
from moderation.policy.document import DEFAULT_DOCUMENT
from moderation.policy.plain_words import say_changes, say_policy
from moderation.vocabulary import ExperimentMode

_MOST_DRAFTS = 50
_MOST_REPLAYS = 10


# --- the front page -----------------------------------------------------------------------------


def front_view(request: HttpRequest) -> HttpResponse:
    """Show each community's policy, its drafts, and what is braked."""
    must(request, WRITES)
    communities = list(own_communities(request).select_related("policy"))
    drafts = PolicyDraft.objects.filter(community__in=communities).select_related(
        "community", "editor", "made"
    )
    return page(
        request,
        "front.html",
        title="Policy studio",
        communities=[(one, studio.policy_before(one)) for one in communities],
        drafts=drafts[:_MOST_DRAFTS],
        brakes=pulled_brakes(communities),
        may_put_in_force=request.user.has_perm(PUTS_IN_FORCE),
    )


def pulled_brakes(communities: list[Community]) -> QuerySet[Brake]:
    pulled = Brake.objects.filter(released_at__isnull=True, community__in=communities)
    return pulled.select_related("community").order_by("-pulled_at")


def new_view(request: HttpRequest, community_id: int) -> HttpResponse:
    community = find_community(request, community_id)
    draft = studio.start_draft(community=community, user=staff(request.user))
    messages.success(request, "A draft with what is in force now. Saving it changes nothing there.")
    return redirect("admin:moderation_studio_edit", draft.pk)


def roll_back_view(request: HttpRequest, community_id: int) -> HttpResponse:
    must(request, PUTS_IN_FORCE)
    community = find_community(request, community_id)
    seen = str(request.POST.get("seen", ""))
    try:
        revision = studio.roll_back(
            community=community,
            seen_policy=int(seen) if seen.isdecimal() else 0,
            user=staff(request.user),
        )
    except ModerationError as error:
        messages.error(request, f"Nothing was rolled back. {error}")
    else:
        messages.success(request, f"Policy {revision.number} is in force in {community} again.")
    return redirect("admin:moderation_studio")


def release_view(request: HttpRequest, brake_id: int) -> HttpResponse:
    must(request, PUTS_IN_FORCE)
    if not Brake.objects.filter(pk=brake_id, community__in=own_communities(request)).exists():
        raise Http404("There is no such brake in your communities.")
    try:
        brake = release_brake(brake_id=brake_id, user=staff(request.user))
    except Conflict as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, f"Released: {brake.said} blocks again in {brake.community}.")
    return redirect("admin:moderation_studio")


# --- a draft ------------------------------------------------------------------------------------


def draft_view(request: HttpRequest, draft_id: int) -> HttpResponse:
    """Show what a draft says, what it changes, and the way to let it judge."""
    draft = find_draft(request, draft_id)
    return draft_page(request, draft)


def draft_page(
    request: HttpRequest,
    draft: PolicyDraft,
    *,
    replay_form: ReplayForm | None = None,
    trial_form: TrialForm | None = None,
) -> HttpResponse:
    in_force = draft.community.policy
    document = in_force.document if in_force else DEFAULT_DOCUMENT
    running = Experiment.objects.filter(community=draft.community, ended_at__isnull=True).first()
    own = running if running is not None and running.candidate_id == draft.made_id else None
    return page(
        request,
        "draft.html",
        title="Draft",
        subtitle=draft.name,
        draft=draft,
        in_force=in_force,
        is_in_force=draft.made_id is not None and draft.made_id == draft.community.policy_id,
        is_behind=(draft.based_on_id or None) != draft.community.policy_id,
        summary=say_policy(draft.document),
        changes=say_changes(document, draft.document),
        replay_form=replay_form or ReplayForm(),
        replays=[shown_replay(one) for one in draft.replays.all()[:_MOST_REPLAYS]],
        trial_form=trial_form or TrialForm(),
        running=running,
        own_trial=own,
        trial=_trial_figures(own) if own else None,
        trial_percent=f"{own.share * 100:g}\u00a0%" if own else "",
        may_try=all(request.user.has_perm(permission) for permission in TRIES),
        may_put_in_force=request.user.has_perm(PUTS_IN_FORCE),
        before=studio.policy_before(draft.community),
    )


def shown_replay(replay: Replay) -> dict[str, Any]:
    from moderation.admin.studio.replays import state_of  # they show each other

    return {"replay": replay, "state": state_of(replay)}


def _trial_figures(trial: Experiment) -> dict[str, Any]:
    found = queries.findings_of(trial)
    return {"total": found.total, "agreed": said_share(found.agreed)}


def edit_view(request: HttpRequest, draft_id: int) -> HttpResponse:
    """The draft as a form. "Add a step" sends it as well, without saving."""
    draft = find_draft(request, draft_id)
    data = request.POST if request.method == "POST" else None
    form = DraftForm(data, document=draft.document, name=draft.name, version=draft.version)
    is_adding = data is not None and "add" in data
    if data is not None and not is_adding and form.is_valid() and _save(request, draft, form):
        return redirect("admin:moderation_studio_draft", draft.pk)
    return page(
        request,
        "edit.html",
        title="Edit the draft",
        subtitle=draft.name,
        draft=draft,
        form=form,
        is_adding=is_adding,
        added=data.get("add") if data is not None else None,
        providers=sorted(known_providers()),
    )


def json_view(request: HttpRequest, draft_id: int) -> HttpResponse:
    """The draft as a document, for those who know its form."""
    draft = find_draft(request, draft_id)
    initial = {
        "name": draft.name,
        "version": draft.version,
        "document": json.dumps(draft.document, indent=2, ensure_ascii=False),
    }
    form = JsonForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid() and _save(request, draft, form):
        return redirect("admin:moderation_studio_draft", draft.pk)
    return page(
        request, "json.html", title="The draft as JSON", subtitle=draft.name, draft=draft, form=form
    )


def _save(request: HttpRequest, draft: PolicyDraft, form: DraftForm | JsonForm) -> bool:
    said = form.cleaned_data
    try:
        studio.save_draft(
            draft=draft,
            seen_version=said["version"],
            document=said["document"],
            name=said["name"],
            user=staff(request.user),
        )
    except InvalidFields as error:
        for field, wrong in error.errors:
            form.add_error(field, wrong)
    except (InvalidPolicy, Conflict) as error:
        form.add_error(None, str(error))
    else:
        messages.success(request, "Saved. What is in force is as it was.")
        return True
    return False


# --- trying it, and letting it judge ------------------------------------------------------------


def shadow_view(request: HttpRequest, draft_id: int) -> HttpResponse:
    return _try(request, draft_id, ExperimentMode.SHADOW)


def live_view(request: HttpRequest, draft_id: int) -> HttpResponse:
    return _try(request, draft_id, ExperimentMode.LIVE)


def _try(request: HttpRequest, draft_id: int, mode: ExperimentMode) -> HttpResponse:
    must(request, *TRIES)
    draft = find_draft(request, draft_id)
    form = TrialForm(request.POST)
    if form.is_valid() and mode is ExperimentMode.LIVE and not form.cleaned_data["understood"]:
        form.add_error("understood", "Confirm this first.")
    if not form.is_valid():
        return draft_page(request, draft, trial_form=form)
    percent = form.cleaned_data["percent"]
    does = "judges" if mode is ExperimentMode.LIVE else "looks on, without effect, at"
    return _press(
        request,
        draft,
        lambda: studio.try_draft(
            draft=draft, mode=mode, share=percent / 100, user=staff(request.user)
        ),
        f"From now on the draft {does} {percent:g}\u00a0% of the authors’ posts.",
    )


def end_view(request: HttpRequest, draft_id: int) -> HttpResponse:
    must(request, *TRIES)
    draft = find_draft(request, draft_id)

    def end() -> None:
        running = studio.running_experiment(draft)
        if running is None:
            raise Conflict("It is not being tried any more.")
        experiments.end_experiment(experiment=running, user=staff(request.user))

    return _press(request, draft, end, "The policy in force judges alone again.")


def in_force_view(request: HttpRequest, draft_id: int) -> HttpResponse:
    must(request, PUTS_IN_FORCE)
    draft = find_draft(request, draft_id)
    return _press(
        request,
        draft,
        lambda: studio.put_in_force(draft=draft, user=staff(request.user)),
        "In force: it judges every post from now on. You can roll it back in one step.",
    )


def discard_view(request: HttpRequest, draft_id: int) -> HttpResponse:
    draft = find_draft(request, draft_id)
    studio.discard_draft(draft=draft)
    messages.success(request, f"“{draft.name}” was thrown away.")
    return redirect("admin:moderation_studio")


def _press(
    request: HttpRequest, draft: PolicyDraft, do: Callable[[], object], said: str
) -> HttpResponse:
    """Do what a button says, unless the draft is another one than its presser saw."""
    try:
        if str(draft.version) != request.POST.get("version"):
            raise Conflict("Somebody saved this draft since you opened it. Look at it again.")
        do()
    except ModerationError as error:
        messages.error(request, f"Nothing was changed. {error}")
    else:
        messages.success(request, said)
    return redirect("admin:moderation_studio_draft", draft.pk)
