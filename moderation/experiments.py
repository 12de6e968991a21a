"""Try a candidate policy beside the one in force: start, end, on the record."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from moderation.errors import Conflict, InvalidFields, InvalidSubmission
from moderation.models import Experiment, PolicyRevision
from moderation.pipeline.audit.record import record_change
from moderation.vocabulary import ExperimentMode

_SUBJECT = "experiment"


def start_experiment(
    *, name: str, candidate: PolicyRevision, mode: ExperimentMode, share: float, user: User | None
) -> Experiment:
    """Let a candidate policy meet `share` (0.0-1.0) of its community's authors from now on.

    Raises `InvalidSubmission`, and `Conflict` while another experiment runs there.
    """
    if not name.strip():
        raise InvalidFields.of("name", "Say what is tried out.")
    if not 0 < share <= 1:
        raise InvalidFields.of("share", "Between 0 and 1, and more than 0.")
    community = candidate.community
    if candidate.pk == community.policy_id:
        raise InvalidSubmission("This policy is in force already: there is nothing to compare.")
    try:
        with transaction.atomic():
            experiment = Experiment.objects.create(
                community=community,
                name=name.strip(),
                mode=mode,
                share=share,
                candidate=candidate,
                started_by=user,
            )
            _record("experiment.started", experiment, user)
    except IntegrityError:
        raise Conflict("An experiment runs in this community; end it first.") from None
    return experiment


def end_experiment(*, experiment: Experiment, user: User | None) -> None:
    """Let the policy in force judge alone again; what was found out stays.

    Raises `Conflict` when it has ended already.
    """
    with transaction.atomic():
        ended = Experiment.objects.filter(pk=experiment.pk, ended_at__isnull=True).update(
            ended_at=Now()
        )
        if not ended:
            raise Conflict("This experiment has ended already.")
        _record("experiment.ended", experiment, user)


def _record(kind: str, experiment: Experiment, user: User | None) -> None:
    record_change(
        kind,
        subject=(_SUBJECT, str(experiment.pk)),
        community_id=experiment.community_id,
        user=user,
        facts={
            "candidate": experiment.candidate_id,
            "mode": experiment.mode,
            "share": experiment.share,
        },
    )
