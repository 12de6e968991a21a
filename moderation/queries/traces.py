"""In which trace a submission began: its own step in the record says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from moderation import tracing
from moderation.models import AuditEvent, Submission
from moderation.vocabulary import Reason

_FIRST = {Reason.NEW: "post.submitted", Reason.EDIT: "post.edited"}


def traces_of(submissions: Sequence[Submission]) -> list[tracing.Member]:
    """Return the traces that submissions go on in, for those that are traced; posts name them.

    What is new or edited was sampled when it came. Whatever is looked at again has a trace of its
    own, linked to the first; what comes back to it later finds the same one.
    """
    kept = _kept(item.post_id for item in submissions)
    found = []
    for item in submissions:
        keys = frozenset({str(item.post_id), key_of(item.pk)})
        first = _FIRST.get(Reason(item.reason))
        if first is not None:
            carried = kept.get((item.post_id, first, item.revision), "")
            if carried:
                found.append(tracing.Member(keys, parent=carried))
            continue
        before = (kept.get((item.post_id, kind, item.revision), "") for kind in _FIRST.values())
        links = tuple(filter(None, before))
        found.append(tracing.Member(keys, links=links, seed=key_of(item.pk)))
    return found


def traceparent_of(submission_id: int) -> str:
    """Return where one submission began, "" where nothing was traced."""
    submission = Submission.objects.filter(pk=submission_id).first()
    members = traces_of([submission]) if submission is not None else []
    return members[0].parent if members else ""


def key_of(submission_id: int) -> str:
    return f"submission:{submission_id}"


def _kept(post_ids: Iterable[UUID]) -> Mapping[tuple[UUID, str, int | None], str]:
    rows = AuditEvent.objects.filter(
        subject_kind="post",
        subject_id__in={str(post_id) for post_id in post_ids},
        kind__in=_FIRST.values(),
    ).values_list("subject_id", "kind", "revision", "facts")
    return {
        (UUID(subject), kind, revision): str(carried)
        for subject, kind, revision, facts in rows
        if (carried := facts.get(tracing.FACT))
    }
