"""Experiments: started and ended by leads, and what they found for everyone who may look."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from moderation import experiments, queries
from moderation.admin import words
from moderation.admin.display import Piece, excerpt
from moderation.admin.scoped import CommunityFilter, ReadOnlyAdmin, own_communities
from moderation.admin.surroundings import staff
from moderation.errors import Conflict, InvalidFields, ModerationError
from moderation.models import Decision, Experiment, ExperimentOutcome, PolicyRevision
from moderation.policy.agreement import Share
from moderation.queries import AgainstPeople, Findings
from moderation.vocabulary import Action, ExperimentMode

# What a person can read through; the file has all.
MOST_DISAGREEMENTS = 50
# About 10 MB, made within a request.
MOST_ROWS = 100_000
COLUMNS = (
    "judged_at",
    "post",
    "revision",
    "policy_in_force",
    "rule_in_force",
    "candidate",
    "candidate_rule",
    "candidate_category",
    "candidate_score",
    "person",
    "extra_cost_usd",
)
_MICROS = 1_000_000
_MODES = {
    ExperimentMode.SHADOW: "Shadow: recorded, without effect",
    ExperimentMode.LIVE: "Live: judges its share of authors",
}


class StartForm(forms.Form):
    """What is tried on whom. The candidate's community is the experiment's."""

    name = forms.CharField(max_length=100, label="What is tried out")
    candidate = forms.ModelChoiceField(
        PolicyRevision.objects.none(), empty_label="Choose a policy", label="Candidate policy"
    )
    share = forms.FloatField(
        min_value=0.1,
        max_value=100,
        initial=10,
        label="Share of authors, in percent",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    mode = forms.ChoiceField(
        choices=[(mode.value, said) for mode, said in _MODES.items()],
        initial=ExperimentMode.SHADOW,
        widget=forms.RadioSelect,
        label="What the candidate may do",
    )
    understood = forms.BooleanField(
        required=False, label="I know that a live candidate decides what these authors may say."
    )

    def __init__(self, data: Any, request: HttpRequest) -> None:
        asked = request.GET.get("candidate", "")
        super().__init__(data, initial={"candidate": asked} if asked.isdecimal() else None)
        candidate = self.fields["candidate"]
        assert isinstance(candidate, forms.ModelChoiceField)
        candidate.queryset = _candidates(request)
        candidate.choices = [("", "Choose a policy"), *_by_community(candidate.queryset)]
        for name in ("name", "candidate", "share"):
            self.fields[name].widget.attrs["class"] = "gh-input"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("mode") == ExperimentMode.LIVE and not cleaned.get("understood"):
            self.add_error("understood", "Confirm this to start a live experiment.")
        return cleaned

    def start(self, request: HttpRequest) -> Experiment:
        asked = self.cleaned_data
        return experiments.start_experiment(
            name=asked["name"],
            candidate=asked["candidate"],
            mode=ExperimentMode(asked["mode"]),
            share=asked["share"] / 100,
            user=staff(request.user),
        )


def _candidates(request: HttpRequest) -> QuerySet[PolicyRevision]:
    """Return the policies of one's own communities that are not in force."""
    return (
        PolicyRevision.objects.filter(community__in=own_communities(request))
        .exclude(pk=F("community__policy_id"))
        .select_related("community")
        .order_by("community__name", "community_id", "-number")
    )


def _by_community(rows: QuerySet[PolicyRevision]) -> list[tuple[str, list[tuple[int, str]]]]:
    return [
        (name, [(row.pk, _policy_label(row)) for row in group])
        for name, group in groupby(rows, key=lambda row: row.community.name)
    ]


def _policy_label(policy: PolicyRevision) -> str:
    note = f": {policy.note}" if policy.note else ""
    return f"{policy.community.name}, policy {policy.number}{note}"


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, *_: Any) -> list[tuple[str, str]]:
        return [("running", "Running"), ("ended", "Ended")]

    def queryset(self, _: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("running", "ended"):
            return queryset
        return queryset.filter(ended_at__isnull=self.value() == "running")


@admin.register(Experiment)
class ExperimentAdmin(ReadOnlyAdmin):
    list_display = ("name", "community", "tries", "does", "percent", "state", "started_at")
    list_filter = (CommunityFilter, StateFilter, "mode")
    list_select_related = ("community", "candidate__community")
    search_fields = ("name",)
    ordering = ("-started_at", "-id")

    @admin.display(description="Tries")
    def tries(self, experiment: Experiment) -> str:
        return f"policy {experiment.candidate.number}"

    @admin.display(description="Mode")
    def does(self, experiment: Experiment) -> str:
        return _MODES[ExperimentMode(experiment.mode)]

    @admin.display(description="Share")
    def percent(self, experiment: Experiment) -> str:
        return f"{experiment.share * 100:g}\u00a0%"

    @admin.display(description="State")
    def state(self, experiment: Experiment) -> str:
        return "Ended" if experiment.ended_at else "Running"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("moderation.add_experiment"))

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = StartForm(request.POST or None, request)
        if request.method == "POST" and form.is_valid():
            try:
                made = form.start(request)
            except InvalidFields as error:
                for field, wrong in error.errors:
                    form.add_error(field, wrong)
            except ModerationError as error:
                form.add_error(None, str(error))
            else:
                self.log_addition(request, made, "Started.")
                messages.success(request, "Started. Posts from now on are compared.")
                return redirect("admin:moderation_experiment_change", made.pk)
        return self._render(
            request, "experiment_start.html", {"title": "New experiment", "form": form}
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        experiment = self._find(request, object_id)
        found = queries.findings_of(experiment)
        return self._render(
            request,
            "experiment.html",
            {
                "title": "Experiment",
                "subtitle": experiment.name,
                "experiment": experiment,
                "mode": self.does(experiment),
                "percent": self.percent(experiment),
                "found": found,
                "agreed": said_share(found.agreed),
                "actions": [words.action_label(action) for action in Action],
                "table": _table(found),
                "against": [
                    _against("The policy in force", found.incumbent),
                    _against(f"Policy {experiment.candidate.number}", found.candidate),
                ],
                "disagreements": list(_disagreements(experiment)),
                "most_disagreements": MOST_DISAGREEMENTS,
                "opens_posts": request.user.has_perm("moderation.view_post"),
                "opens_policies": request.user.has_perm("moderation.view_policyrevision"),
                "may_end": self._may_end(request) and experiment.ended_at is None,
                "cost": f"{found.extra_cost_micros / _MICROS:.4f}",
            },
        )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "<int:experiment_id>/end/",
                view(require_POST(self.end_view)),
                name="moderation_experiment_end",
            ),
            path("<int:experiment_id>/csv/", view(self.csv_view), name="moderation_experiment_csv"),
            *super().get_urls(),
        ]

    def end_view(self, request: HttpRequest, experiment_id: int) -> HttpResponse:
        experiment = self._find(request, str(experiment_id))
        if not self._may_end(request):
            raise PermissionDenied
        try:
            experiments.end_experiment(experiment=experiment, user=staff(request.user))
        except Conflict as error:
            messages.warning(request, str(error))
        else:
            self.log_change(request, experiment, "Ended.")
            messages.success(request, "Ended. The policy in force judges alone again.")
        return redirect("admin:moderation_experiment_change", experiment.pk)

    def csv_view(self, request: HttpRequest, experiment_id: int) -> HttpResponse:
        """Answer with a row for each submission that both policies judged, the newest first."""
        experiment = self._find(request, str(experiment_id))
        return HttpResponse(
            _csv(_outcomes(experiment)[:MOST_ROWS]),
            content_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="experiment-{experiment.pk}.csv"',
                "Cache-Control": "private, no-store",
            },
        )

    def _may_end(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("moderation.change_experiment"))

    def _find(self, request: HttpRequest, object_id: str) -> Experiment:
        if not self.has_view_permission(request):
            raise PermissionDenied
        found: Experiment | None = None
        if object_id.isdecimal():
            found = (
                self.get_queryset(request)
                .select_related("community__policy", "candidate__community", "started_by")
                .filter(pk=int(object_id))
                .first()
            )
        if found is None:
            raise Http404("There is no such experiment in your communities.")
        return found

    def _render(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        return TemplateResponse(
            request,
            f"moderation/admin/{template}",
            {**self.admin_site.each_context(request), **context},
        )


# What was found, in words


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what the policy in force said, by what the candidate said."""

    action: str
    cells: Sequence[Cell]


@dataclass(frozen=True, slots=True)
class Cell:
    candidate: str
    count: int
    percent: str
    is_agreement: bool


@dataclass(frozen=True, slots=True)
class ShownAgainst:
    name: str
    agreed: str
    decided: int
    wrongly_down: int
    wrongly_up: int
    left_to_people: int


@dataclass(frozen=True, slots=True)
class Disagreement:
    outcome: ExperimentOutcome
    excerpt: tuple[Piece, ...]
    in_force: str
    candidate: str
    in_force_because: str
    because: str
    person: str


def said_share(share: Share) -> str:
    """Say a share with what its count can bear."""
    if share.value is None:
        return "nothing to compare yet"
    low, high = share.interval
    return (
        f"{share.hits} of {share.total}: {_percent(share.value)}"
        f" (95\u00a0% interval {_percent(low)} to {_percent(high)})"
    )


def _percent(share: float) -> str:
    return f"{share * 100:.1f}\u00a0%"


def _table(found: Findings) -> list[Row]:
    return [
        Row(
            words.action_label(one),
            [
                Cell(
                    candidate=words.action_label(other),
                    count=found.table.get((one, other), 0),
                    percent=_percent(found.table.get((one, other), 0) / max(found.total, 1)),
                    is_agreement=one == other,
                )
                for other in Action
            ],
        )
        for one in Action
    ]


def _against(name: str, people: AgainstPeople) -> ShownAgainst:
    return ShownAgainst(
        name=name,
        agreed=said_share(people.agreed),
        decided=people.agreed.total,
        wrongly_down=people.wrongly_down,
        wrongly_up=people.wrongly_up,
        left_to_people=people.left_to_people,
    )


def _outcomes(experiment: Experiment) -> QuerySet[ExperimentOutcome]:
    """Return the outcomes, the newest first, with what a person last said of that revision."""
    decision = Decision.objects.filter(
        post_id=OuterRef("submission__post_id"), revision=OuterRef("submission__revision")
    ).order_by("-pk")
    return (
        ExperimentOutcome.objects.filter(experiment=experiment)
        .select_related("submission__post")
        .annotate(person=Subquery(decision.values("action")[:1]))
        .order_by("-pk")
    )


def _person_on(outcome: ExperimentOutcome) -> str | None:
    person: str | None = outcome.person  # type: ignore[attr-defined]  # annotated
    return person


def _disagreements(experiment: Experiment) -> Iterator[Disagreement]:
    apart = _outcomes(experiment).exclude(incumbent_action=F("candidate_action"))
    for outcome in apart[:MOST_DISAGREEMENTS]:
        post = outcome.submission.post
        yield Disagreement(
            outcome=outcome,
            excerpt=excerpt(post.title, post.body, limit=90),
            in_force=words.action_label(outcome.incumbent_action),
            candidate=words.action_label(outcome.candidate_action),
            in_force_because=words.why_rule(outcome.incumbent_rule),
            because=words.why_rule(
                outcome.candidate_rule, outcome.candidate_category, outcome.candidate_score
            ),
            person=words.action_label(_person_on(outcome)),
        )


def _csv(outcomes: QuerySet[ExperimentOutcome]) -> str:
    """Every cell is one of our own words, an id or a number: none can be a formula."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for outcome in outcomes.iterator(chunk_size=2000):
        writer.writerow(
            (
                outcome.created_at.isoformat(timespec="seconds"),
                outcome.submission.post_id,
                outcome.submission.revision,
                outcome.incumbent_action,
                outcome.incumbent_rule,
                outcome.candidate_action,
                outcome.candidate_rule,
                outcome.candidate_category or "",
                "" if outcome.candidate_score is None else f"{outcome.candidate_score:.4f}",
                _person_on(outcome) or "",
                f"{outcome.extra_cost_micros / _MICROS:.6f}",
            )
        )
    return file.getvalue()
