"""Drafts of policies: written, tried out, put in force, and taken back in one step.

A draft judges nothing. Once it is tried or put in force it becomes a revision, which never changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from moderation import communities, experiments
from moderation.errors import Conflict, InvalidFields, InvalidSubmission
from moderation.models import AuditEvent, Community, Experiment, PolicyDraft, PolicyRevision
from moderation.policy.document import DEFAULT_DOCUMENT
from moderation.vocabulary import ExperimentMode


def start_draft(*, community: Community, user: User, name: str = "") -> PolicyDraft:
    """Begin a draft with what is in force. Without a name it is called by its number."""
    base = community.policy
    number = PolicyDraft.objects.filter(community=community).count() + 1
    draft = PolicyDraft(
        community=community,
        name=name.strip() or f"Draft {number}",
        document=deepcopy(base.document if base else DEFAULT_DOCUMENT),
        based_on=base,
        editor=user,
    )
    draft.save()
    return draft


def save_draft(
    *, draft: PolicyDraft, seen_version: int, document: Mapping[str, Any], name: str, user: User
) -> PolicyDraft:
    """Keep a draft as it is now; what is in force stays as it is.

    Raises `InvalidPolicy`, and `Conflict` for a draft that was saved since it was seen.
    """
    if not name.strip():
        raise InvalidFields.of("name", "Give the draft a name.")
    communities.check_policy(document)
    saved = PolicyDraft.objects.filter(pk=draft.pk, version=seen_version).update(
        name=name.strip(),
        document=dict(document),
        editor=user,
        # What was made of it before says something else now.
        made=draft.made_id if document == draft.document else None,
        version=F("version") + 1,
        edited_at=Now(),
    )
    if not saved:
        raise Conflict("Somebody saved this draft since you opened it. Look at it again.")
    draft.refresh_from_db()
    return draft


def discard_draft(*, draft: PolicyDraft) -> None:
    """Throw a draft away; revisions and experiments that were made of it stay."""
    draft.delete()


def make_revision(*, draft: PolicyDraft, user: User) -> PolicyRevision:
    """Return the revision that says what the draft says; made now, unless it was before."""
    with transaction.atomic():
        held = PolicyDraft.objects.select_for_update(no_key=True, of=("self",)).get(pk=draft.pk)
        if held.version != draft.version:
            raise Conflict("Somebody saved this draft meanwhile. Look at it again.")
        if held.made is not None and held.made.document == held.document:
            return held.made
        made = communities.revise_policy(
            community=draft.community, document=held.document, user=user, note=held.name[:300]
        )
        PolicyDraft.objects.filter(pk=held.pk).update(made=made)
        draft.made = made
    return made


def try_draft(*, draft: PolicyDraft, mode: ExperimentMode, share: float, user: User) -> Experiment:
    """Let the draft meet a share of authors, in place of its experiment that runs, if one does.

    Raises `Conflict` while an experiment with another policy runs.
    """
    with transaction.atomic():
        revision = make_revision(draft=draft, user=user)
        running = running_experiment(draft)
        if running is not None:
            experiments.end_experiment(experiment=running, user=user)
        return experiments.start_experiment(
            name=draft.name, candidate=revision, mode=mode, share=share, user=user
        )


def put_in_force(*, draft: PolicyDraft, user: User) -> PolicyRevision:
    """Let the draft judge everyone from now on; its experiment ends."""
    with transaction.atomic():
        revision = make_revision(draft=draft, user=user)
        running = running_experiment(draft)
        if running is not None:
            experiments.end_experiment(experiment=running, user=user)
        communities.activate_policy(revision=revision, user=user)
    return revision


def running_experiment(draft: PolicyDraft) -> Experiment | None:
    """Return the experiment that tries this draft now."""
    if draft.made_id is None:
        return None
    return Experiment.objects.filter(candidate_id=draft.made_id, ended_at__isnull=True).first()


def policy_before(community: Community) -> PolicyRevision | None:
    """Return the revision that the one in force replaced, None where there is none."""
    if community.policy is None:
        return None
    last = (
        AuditEvent.objects.filter(
            subject_kind="policy", subject_id=str(community.pk), kind="policy.activated"
        )
        .order_by("-sequence")
        .first()
    )
    replaced = last.facts.get("replaced") if last else None
    if last is None or replaced is None or last.facts.get("number") != community.policy.number:
        return None
    return community.policy_revisions.filter(number=replaced).first()


def roll_back(*, community: Community, seen_policy: int, user: User) -> PolicyRevision:
    """Put the policy in force that the present one replaced.

    Raises `Conflict` when another one than `seen_policy` (its key) is in force by now, and
    `InvalidSubmission` where there is none to go back to.
    """
    with transaction.atomic():
        held = Community.objects.select_for_update(of=("self",)).get(pk=community.pk)
        if held.policy_id != seen_policy:
            raise Conflict("Another policy was put in force meanwhile. Look again.")
        before = policy_before(held)
        if before is None:
            raise InvalidSubmission("There is no policy before this one to go back to.")
        communities.activate_policy(revision=before, user=user, rolls_back=True)
    return before
